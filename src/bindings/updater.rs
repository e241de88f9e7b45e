//! One run of the function that was given to `update` or `updateMany`: values in, changes out.
//!
//! ```text
//! update      fn(value)                     a value ────────────> the key is set
//! updateMany  fn({ ann: …, ben: … })        { ben: …, cid: undefined } ──> ben is set, cid is removed, ann stays
//! ```
//!
//! Invariant: what a run made is of the updater's own keys, each once.

use std::collections::HashMap;

use napi::ValueType;

use super::environment::Environment;
use super::js::{Fallible, Js, Kept, Value};
use crate::data::change::Change;
use crate::data::json::quote_utf16;
use crate::error::Error;
use crate::store::collection::changes_of;

/// The keys of an update, and with it what its function is given and returns.
pub enum Updater {
    /// `update`: the value of this key.
    One([String; 1]),
    /// `updateMany`: the values of these keys, none twice.
    Many(Vec<String>),
}

/// What a function made of the values of its keys.
#[derive(Default)]
pub struct Made {
    /// Places of keys with their new values; `None`: removed.
    pub changed: Vec<(usize, Option<String>)>,
    /// The same as changes of the data: a key that is not there is not removed.
    pub changes: Vec<Change>,
    /// What the promise resolves to, as JSON text.
    pub result: String,
}

impl Updater {
    /// Key literals.
    pub fn keys(&self) -> &[String] {
        match self {
            Self::One(key) => key,
            Self::Many(keys) => keys,
        }
    }

    /// Calls the function with the values of the keys, in their order.
    pub fn run<'scope>(
        &self,
        js: Js<'scope>,
        environment: &Environment,
        function: &Kept,
        values: &[Option<String>],
    ) -> Fallible<'scope, Made> {
        let argument = match self {
            Self::One(_) => values
                .first()
                .and_then(Option::as_deref)
                .map_or_else(|| js.undefined(), |text| environment.json.parse(js, text))?,
            Self::Many(keys) => {
                let text = object_of(keys, |place| values[place].as_deref());
                environment.host()?.bare(js, environment.json.parse(js, &text)?)?
            }
        };
        let returned = js.call(js.kept(function)?, js.undefined()?, &[argument])?;
        if is_promise(js, returned)? {
            // Should it reject, nobody else handles that; our own error says what is wrong.
            let nothing = js.function("ignore", |_| {})?;
            js.call(js.get(returned, "then")?, returned, &[nothing, nothing])?;
            return Err(self.wrong("a promise; it must work without waiting").into());
        }
        let (changed, result) = match self {
            Self::One(_) => {
                let text = environment.json.stringify(js, returned, &"The result of fn")?;
                let text = text.ok_or_else(|| self.wrong("nothing that JSON can hold"))?;
                (vec![(0, Some(text.clone()))], text)
            }
            Self::Many(keys) => {
                let changed = self.read_changes(js, environment, keys, returned)?;
                let made: HashMap<usize, Option<&str>> =
                    changed.iter().map(|(place, value)| (*place, value.as_deref())).collect();
                let value_of = |place| made.get(&place).copied().unwrap_or(values[place].as_deref());
                let result = object_of(keys, value_of);
                (changed, result)
            }
        };
        let of_each = changed.iter().map(|(place, value)| {
            (self.keys()[*place].as_str(), values[*place].as_deref(), value.as_deref())
        });
        let changes = changes_of(of_each);
        Ok(Made { changed, changes, result })
    }

    fn read_changes<'scope>(
        &self,
        js: Js<'scope>,
        environment: &Environment,
        keys: &[String],
        returned: Value<'scope>,
    ) -> Fallible<'scope, Vec<(usize, Option<String>)>> {
        let list = environment.host()?.change_list(js, returned)?;
        if !js.is_array(list)? {
            return Err(self.wrong("no object of changes").into());
        }
        let places: HashMap<&str, usize> =
            keys.iter().enumerate().map(|(place, key)| (key.as_str(), place)).collect();
        let mut changed = Vec::new();
        for index in (0..js.length(list)?).step_by(2) {
            let key = quote_utf16(&js.utf16(js.element(list, index)?)?);
            let value = js.element(list, index + 1)?;
            let Some(place) = places.get(key.as_str()) else {
                return Err(self.wrong(&format!("a change of {key}, which is none of 'keys'")).into());
            };
            if js.type_of(value)? == ValueType::Undefined {
                changed.push((*place, None));
                continue;
            }
            let text = environment.json.stringify(js, value, &format_args!("The result of fn for {key}"))?;
            let text = text.ok_or_else(|| self.wrong(&format!("for {key} nothing that JSON can hold")))?;
            changed.push((*place, Some(text)));
        }
        Ok(changed)
    }

    fn wrong(&self, what: &str) -> Error {
        let (call, wanted) = match self {
            Self::One(_) => ("update", "Return the new value"),
            Self::Many(_) => {
                ("updateMany", "Return an object with the new values by key; {} changes nothing")
            }
        };
        Error::wrong_return(format!("The function given to {call}() returned {what}. {wanted}"))
    }
}

fn is_promise<'scope>(js: Js<'scope>, value: Value<'scope>) -> Fallible<'scope, bool> {
    Ok(js.type_of(value)? == ValueType::Object && js.type_of(js.get(value, "then")?)? == ValueType::Function)
}

/// A JSON object of the keys that have a value.
fn object_of<'v>(keys: &[String], value_of: impl Fn(usize) -> Option<&'v str>) -> String {
    let mut text = String::from("{");
    for (place, key) in keys.iter().enumerate() {
        if let Some(value) = value_of(place) {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(key);
            text.push(':');
            text.push_str(value);
        }
    }
    text.push('}');
    text
}
