//! How our values go into statements and come back.
//!
//! Invariant: pure conversions.

use std::error::Error;
use std::fmt::Write as _;

use bytes::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::data::json::{Members, canonical_key, number};
use crate::postgres::change_id::ChangeId;

type Failure = Box<dyn Error + Sync + Send>;

impl ToSql for ChangeId {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        out.extend_from_slice(self.bytes());
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::UUID
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for ChangeId {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Failure> {
        Ok(Self::of_bytes(raw.try_into()?))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::UUID
    }
}

/// The finite numbers of an object's fields, as the text of a `jsonb` object. A field is named by its literal without
/// quotes: NUL and lone surrogates, which `jsonb` refuses, have a spelling there.
#[must_use]
pub fn numbers(value: &str) -> String {
    let mut text = String::from("{");
    if value.starts_with('{') {
        for (key, value) in Members::of(value) {
            let Some(number) = number(value).filter(|number| number.is_finite()) else { continue };
            if text.len() > 1 {
                text.push(',');
            }
            text.push('"');
            push_escaped(&mut text, field_name(&canonical_key(key)));
            let _ = write!(text, "\":{}", ryu_js::Buffer::new().format_finite(number));
        }
    }
    text.push('}');
    text
}

/// How a field literal is named in `numbers`.
#[must_use]
pub fn field_name(literal: &str) -> &str {
    literal.get(1..literal.len().saturating_sub(1)).unwrap_or_default()
}

fn push_escaped(text: &mut String, name: &str) {
    for character in name.chars() {
        if matches!(character, '\\' | '"') {
            text.push('\\');
        }
        text.push(character);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_fields_are_found_at_the_top_alone() {
        assert_eq!(numbers("[1,2]"), "{}");
        assert_eq!(numbers("7"), "{}");
        assert_eq!(
            numbers(r#"{"a":1,"b":"2","c":{"d":3},"e":-1.5e300,"f":null,"g":[4],"h":0.1}"#),
            r#"{"a":1,"e":-1.5e+300,"h":0.1}"#
        );
        assert_eq!(numbers(r#"{"a\u0000":1,"q\"":2}"#), r#"{"a\\u0000":1,"q\\\"":2}"#);
        assert_eq!(field_name(r#""q\"""#), r#"q\""#);
    }

    #[test]
    fn what_no_double_can_hold_is_left_out() {
        assert_eq!(numbers(r#"{"a":1e999,"b":-0}"#), r#"{"b":0}"#);
    }
}
