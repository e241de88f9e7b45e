//! JSON as text. Values are passed on as they are, never rebuilt, so numbers and strings stay as JavaScript wrote them.
//!
//! Everything but `is_object` and `first_object` expects text that is known to be valid JSON: it came from
//! `JSON.stringify`, carries our checksum, or passed `is_object`. On other text the results are wrong, but nothing panics.
//!
//! A *key* is everywhere the JSON string literal with its quotes, in the one spelling that `JSON.stringify` gives it. So a
//! key can hold a lone surrogate (which UTF-8 cannot), two spellings of one key are equal, and a key goes into a line
//! without being escaped again.

mod layout;
mod meaning;
mod scan;
mod spelling;

pub use layout::{compact, push_new_line, push_pretty};
pub use meaning::{array_index, is_truthy, number, number_of_field, property_key, time_ms};
pub use scan::{Members, elements, first_object, is_deeper_than, is_object};
pub use spelling::{canonical_key, key_for_people, quote, quote_utf16, unquote_utf16};
