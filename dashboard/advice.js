// The events that the dashboard shows, and what to do about each. News needs no advice: null.

const ADVICE = {
  compaction: null,
  backup: null,
  compactionFailed:
    'The log is as it was and keeps growing. Check that the disk has room for twice the log and that the logs folder is writable; the scheduler tries again.',
  corruption:
    'Damaged lines are kept in NAME.log.corrupt.N. Look up their keys in the history, and check the disk (smartctl, dmesg).',
  recovery:
    'A crash cut off a line before it was acknowledged. Nothing that was acknowledged is lost; find out what ended the process.',
  externalEdit:
    'Somebody changed the JSON file, by hand or with the old module. If it was not you, find out who may write there.',
  slowSync:
    'The disk is slow or busy. Check what else writes to it; on an SD card or a network share, move the data folder.',
  lockWait:
    'Another process held the lock for long. Check whether one hangs or is stopped (Ctrl-Z, a debugger).',
  mirrorFailed:
    'The log has all data. Check that the JSON file and its folder are writable and the disk has room.',
  mirrorCostly:
    "The log has all data without the JSON file. With the option mirror: 'close' it is written only by flush() and close(), at exit, and by compactions.",
  syncFailed: 'The disk refused to sync. Check it (smartctl, dmesg) and keep a copy of the folder elsewhere.',
  backupFailed: 'Old backups stay as they are. Check that the logs folder is writable and the disk has room.',
};

/** The same for a server. */
const SERVER_ADVICE = {
  compaction: null,
  reconnect: null,
  connectionLost:
    'Calls wait, each up to its timeoutMs. Look whether the server runs and takes writes; the bot goes on by itself.',
  compactionFailed:
    'The entries stay as they are and become more. Remove the reason; the scheduler tries again.',
  lostWrites:
    'A fail-over lost what was acknowledged. Look at these keys, and set a synchronous standby (synchronous_standby_names).',
  notReplicated:
    'Only the primary has these changes. Check that the standby runs and follows the primary, before the primary fails.',
};

module.exports = { ADVICE, SERVER_ADVICE };
