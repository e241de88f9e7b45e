export type { HistoryEntry, LogEntry, RebuildOptions } from '../index.js';
export {
  appendLogEntry,
  CompactionScheduler,
  compactLog,
  getLogSize,
  history,
  needsCompaction,
  OpType,
  readLogEntries,
  rebuildStateFromLog,
  streamLogEntries,
} from '../index.js';
