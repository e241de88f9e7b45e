//! The name of a schema: the one thing that is put into the text of a statement.
//!
//! Invariant: it is `^[a-z_][a-z0-9_]{0,62}$`, so it ends no quotes and no statement.

use crate::error::{Error, Result};

/// The schema that is used where none is named.
pub const DEFAULT_SCHEMA: &str = "progressive_storage";
const NAME_BYTES_MAX: usize = 63;

/// See the header of this file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SchemaName(String);

impl SchemaName {
    /// Checks a name that a caller gave.
    ///
    /// # Errors
    /// `ERR_INVALID_ARG_VALUE` with the reason.
    pub fn new(name: &str) -> Result<Self> {
        let is_first_right = name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_');
        let is_right = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if is_first_right && name.len() <= NAME_BYTES_MAX && name.chars().all(is_right) {
            return Ok(Self(name.to_owned()));
        }
        let shown: String = name.chars().take(40).collect();
        Err(Error::wrong_value(format!(
            "The option 'schema' is {shown:?}; give up to 63 small letters, digits and '_', no digit first"
        )))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text of a statement in which `{schema}` stands for the schema.
    #[must_use]
    pub fn fill_in(&self, text: &str) -> String {
        text.replace("{schema}", &format!("\"{}\"", self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_pass() {
        let longest = "a".repeat(63);
        for right in ["a", "_", "progressive_storage", "user", "p9", &longest] {
            assert_eq!(SchemaName::new(right).expect(right).as_str(), right);
        }
        let too_long = "a".repeat(64);
        for wrong in ["", "9a", "A", "a-b", "a.b", "a\"b", "a b", "ä", "a;", "a'", "a\0", &too_long] {
            let error = SchemaName::new(wrong).expect_err(wrong);
            assert!(error.is_type_error(), "{wrong:?}");
        }
    }

    #[test]
    fn a_name_that_is_a_word_of_sql_is_quoted() {
        let name = SchemaName::new("user").expect("a name");
        assert_eq!(name.fill_in("SELECT nextval('{schema}.seq')"), "SELECT nextval('\"user\".seq')");
    }
}
