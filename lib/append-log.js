// The part of the package that replaces a bot's `services/append-log.js`.
const {
  OpType,
  appendLogEntry,
  readLogEntries,
  rebuildStateFromLog,
  compactLog,
  getLogSize,
  history,
  needsCompaction,
  CompactionScheduler,
  streamLogEntries,
} = require('../index.js');

module.exports.OpType = OpType;
module.exports.appendLogEntry = appendLogEntry;
module.exports.readLogEntries = readLogEntries;
module.exports.rebuildStateFromLog = rebuildStateFromLog;
module.exports.compactLog = compactLog;
module.exports.getLogSize = getLogSize;
module.exports.history = history;
module.exports.needsCompaction = needsCompaction;
module.exports.CompactionScheduler = CompactionScheduler;
module.exports.streamLogEntries = streamLogEntries;
