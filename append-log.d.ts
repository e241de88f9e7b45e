export type { LogEntry } from './index.js';
export {
  appendLogEntry,
  CompactionScheduler,
  compactLog,
  getLogSize,
  needsCompaction,
  OpType,
  readLogEntries,
  rebuildStateFromLog,
  streamLogEntries,
} from './index.js';
