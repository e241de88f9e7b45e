//! Where the server is and how to reach it. `url` takes the URL apart, `settings` adds the environment, and `target` makes
//! of both what a connection needs, host by host.

mod certificates;
mod encryption;
mod password_file;
mod passwords;
mod place;
mod read_file;
mod settings;
#[expect(clippy::module_inception, reason = "a file has the name of its type")]
mod target;
mod url;

pub use certificates::Certificates;
pub use encryption::{Encryption, Trust};
pub use read_file::ReadFile;
pub use settings::Environment;
pub use target::{HostTarget, Target};
