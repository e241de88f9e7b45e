// `LogEntryStream`: an async iterator over the entries of a log.
//
// Invariant: a stream that has ended has no file open.

const native = require('./addon.js');
const { wrongType } = require('./check.js');
const { PieceStream } = require('./pieces.js');

class LogEntryStream extends PieceStream {
  constructor(reader) {
    if (!(reader instanceof native.LogReader)) {
      throw wrongType("The argument 'reader'", 'a reader of a log; call streamLogEntries()', reader);
    }
    super(reader);
  }
}

function streamLogEntries(storage, logName) {
  return new LogEntryStream(native.openLog(storage, logName));
}

module.exports = { LogEntryStream, streamLogEntries };
