// The events that the dashboard shows, and what to do about those that are problems.

const ADVICE = {
  compaction: null,
  backup: null,
  compactionFailed:
    'The log is as it was and keeps growing. See that the disk has room for twice the log and that the logs folder may be written; the scheduler tries again.',
  corruption:
    'Damaged lines are kept in NAME.log.corrupt.N. Look up their keys in the history, and check the disk (smartctl, dmesg).',
  recovery:
    'A crash cut a line short that nobody was told of as saved. Nothing is lost; find out what ended the process.',
  externalEdit:
    'Somebody changed the JSON file, by hand or with the old module. If it was not you, find out who may write there.',
  slowSync:
    'The disk is slow or busy. See what else writes to it; on an SD card or a network share, move the data folder.',
  lockWait:
    'Another process held the folder for long. See whether one hangs or is stopped (Ctrl-Z, a debugger).',
  mirrorFailed:
    'The log has all data. See that the JSON file and its folder may be written and the disk has room.',
  syncFailed: 'The disk refused to sync. Check it (smartctl, dmesg) and have a copy of the folder elsewhere.',
  backupFailed:
    'Old backups stay as they are. See that the logs folder may be written and the disk has room.',
};

module.exports = { ADVICE };
