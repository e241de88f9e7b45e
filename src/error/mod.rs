//! Every way a call can fail: `Error`, with its stable `Code`.

mod code;
#[expect(clippy::module_inception, reason = "a file has the name of its type")]
mod error;
#[cfg(feature = "postgres")]
mod server;

pub use code::Code;
pub use error::{Error, Holder, Outcome, Result};
