//! The core on a simulated wire: messages are lost, late, or refused, before and after the server took them; clients crash;
//! servers lose what they acknowledged. A checker reads the history afterwards.

pub mod check;
pub mod client;
pub mod fate;
#[cfg(test)]
mod play;
pub mod server;
pub mod wire;
