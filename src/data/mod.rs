//! What is kept: keys with values as JSON text, in the order of JavaScript.

mod cache;
pub mod change;
pub mod entry_text;
pub mod json;
pub mod member;
pub mod name;
pub mod ranking;
pub mod slot;
pub mod slots;
pub mod state;
pub mod text;
pub(crate) mod time;
