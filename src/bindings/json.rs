//! `JSON.stringify` and `JSON.parse` of the runtime: the way of each value into its text and back.
//!
//! The functions are taken when the addon is loaded: a test may put others in their place.

use std::borrow::Cow;
use std::fmt::Display;

use super::js::{Fallible, Js, Kept, Refusal, Value, owned};
use crate::data::json::is_deeper_than;
use crate::data::text::{Piece, TextKind, Texts};
use crate::error::Error;

/// The mirror indents: a value of this depth takes up to 300 MB there, and ten times that depth a hundred times it.
/// The stack of most engines ends long before; those of today write any depth.
const DEPTH_MAX: usize = 12_000;

/// See the header of this file.
pub struct Json {
    stringify: Kept,
    parse: Kept,
    assign: Kept,
}

impl Json {
    /// Takes the functions as they are now.
    pub fn new(js: Js<'_>) -> Fallible<'_, Self> {
        let json = js.get(js.global()?, "JSON")?;
        Ok(Self {
            stringify: js.keep(js.get(json, "stringify")?)?,
            parse: js.keep(js.get(json, "parse")?)?,
            assign: js.keep(js.get(js.get(js.global()?, "Object")?, "assign")?)?,
        })
    }

    /// `JSON.stringify(value)`; `None` for what JSON has no text for. `subject` names the value in errors.
    pub fn stringify<'scope>(
        &self,
        js: Js<'scope>,
        value: Value<'scope>,
        subject: &dyn Display,
    ) -> Fallible<'scope, Option<String>> {
        self.with_json(js, value, subject, owned)
    }

    /// The same, giving the text to `read`, which must not read another.
    pub fn with_json<'scope, R>(
        &self,
        js: Js<'scope>,
        value: Value<'scope>,
        subject: &dyn Display,
        read: impl FnOnce(Cow<str>) -> R,
    ) -> Fallible<'scope, Option<R>> {
        let called = js.call(js.kept(&self.stringify)?, js.undefined()?, &[value]);
        let text = called.map_err(|refusal| match refusal {
            Refusal::Thrown(thrown) => {
                let reason =
                    js.get(thrown, "message").and_then(|message| js.text(message)).unwrap_or_default();
                Error::wrong_value(format!("{subject} cannot be written as JSON: {reason}")).into()
            }
            ours @ Refusal::Ours(_) => ours,
        })?;
        if js.type_of(text)? != napi::ValueType::String {
            return Ok(None);
        }
        let read = js.with_text(text, |text| (!is_deeper_than(&text, DEPTH_MAX)).then(|| read(text)))?;
        if read.is_none() {
            let problem = format!("{subject} is nested more than {DEPTH_MAX} deep, which is not stored");
            return Err(Error::wrong_value(problem).into());
        }
        Ok(read)
    }

    /// `JSON.parse(text)`.
    pub fn parse<'scope>(&self, js: Js<'scope>, text: &str) -> Fallible<'scope, Value<'scope>> {
        js.call(js.kept(&self.parse)?, js.undefined()?, &[js.string(text)?])
    }

    /// The value whose text comes in pieces, at once.
    pub fn merged<'scope>(&self, js: Js<'scope>, texts: Texts) -> Fallible<'scope, Value<'scope>> {
        let mut pieces = texts.pieces.into_iter();
        let Some(first) = pieces.next() else { return js.undefined() };
        let whole = self.parse(js, &first.text())?;
        for piece in pieces {
            self.merge(js, texts.kind, whole, &piece)?;
        }
        Ok(whole)
    }

    /// Adds the elements or members of `piece` to `whole`.
    pub fn merge<'scope>(
        &self,
        js: Js<'scope>,
        kind: TextKind,
        whole: Value<'scope>,
        piece: &Piece,
    ) -> Fallible<'scope, ()> {
        let part = self.parse(js, &piece.text())?;
        match kind {
            TextKind::Array => {
                let offset = js.length(whole)?;
                for index in 0..js.length(part)? {
                    js.set_element(whole, offset + index, js.element(part, index)?)?;
                }
            }
            TextKind::Object => {
                // As fast as it gets, but it would set a prototype, and stumbles over a frozen one.
                if !piece.may_set_prototype()
                    && js.call(js.kept(&self.assign)?, js.undefined()?, &[whole, part]).is_ok()
                {
                    return Ok(());
                }
                let names = js.own_names(part)?;
                for index in 0..js.length(names)? {
                    let name = js.element(names, index)?;
                    js.define(whole, name, js.get_by(part, name)?)?;
                }
            }
        }
        Ok(())
    }
}
