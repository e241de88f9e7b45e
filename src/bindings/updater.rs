//! One run of the function that was given to `update`, `updateMany` or `transaction`: values in, changes out.
//!
//! ```text
//! update       fn(value)                     a value ────────────> the key is set
//! updateMany   fn({ ann: …, ben: … })        { ben: …, cid: undefined } ──> ben is set, cid is removed, ann stays
//! transaction  fn([ …, … ])                  [ …, undefined ] ──> the first place is set, the second one is removed
//! ```
//!
//! Invariant: what a run made is of the updater's own keys, each once.

use std::collections::HashMap;

use napi::ValueType;

use super::environment::Environment;
use super::js::{Fallible, Js, Kept, Value};
use crate::data::json::quote_utf16;
use crate::data::name::LogName;
use crate::error::Error;

/// The keys of an update, and with it what its function is given and returns.
pub enum Updater {
    /// `update`: the value of this key of a log.
    One(LogName, [String; 1]),
    /// `updateMany`: the values of these keys of a log, none twice.
    Many(LogName, Vec<String>),
    /// `transaction`: the values of these keys, each of the log with the same number; no pair twice, and at least one.
    Across(Vec<LogName>, Vec<String>),
}

/// What a function made of the values of its keys.
#[derive(Default)]
pub struct Made {
    /// Places of keys with their new values; `None`: removed.
    pub changed: Vec<(usize, Option<String>)>,
    /// What the promise resolves to, as JSON text: see `Updater::result`.
    pub result: Vec<Option<String>>,
}

/// The places of the keys of one log.
pub type LogPlaces = (LogName, Vec<usize>);

impl Updater {
    /// Key literals.
    pub fn keys(&self) -> &[String] {
        match self {
            Self::One(_, key) => key,
            Self::Many(_, keys) | Self::Across(_, keys) => keys,
        }
    }

    /// Which log the key at a place is of.
    pub fn log_of(&self, place: usize) -> &LogName {
        match self {
            Self::One(log, _) | Self::Many(log, _) => log,
            Self::Across(logs, _) => &logs[place],
        }
    }

    /// The places of its keys, by log; the logs in the order in which they come first.
    pub fn by_log(&self) -> Vec<LogPlaces> {
        let Self::Across(logs, _) = self else {
            return vec![(self.log_of(0).clone(), (0..self.keys().len()).collect())];
        };
        let mut by_log: Vec<LogPlaces> = Vec::new();
        for (place, log) in logs.iter().enumerate() {
            match by_log.iter_mut().find(|(known, _)| known == log) {
                Some((_, places)) => places.push(place),
                None => by_log.push((log.clone(), vec![place])),
            }
        }
        by_log
    }

    /// What the promise resolves to.
    pub fn result<'scope>(
        &self,
        js: Js<'scope>,
        environment: &Environment,
        texts: &[Option<String>],
    ) -> Fallible<'scope, Value<'scope>> {
        match (self, texts) {
            (Self::One(..) | Self::Many(..), [Some(text)]) => environment.json.parse(js, text),
            _ => Self::list(js, environment, texts),
        }
    }

    /// The array of these values. One text of all of them may be longer than a string can be.
    fn list<'scope>(
        js: Js<'scope>,
        environment: &Environment,
        texts: &[Option<String>],
    ) -> Fallible<'scope, Value<'scope>> {
        let by_place = js.object()?;
        for (place, text) in texts.iter().enumerate() {
            if let Some(text) = text {
                js.set(by_place, &place.to_string(), environment.json.parse(js, text)?)?;
            }
        }
        environment.host()?.place_list(js, by_place, texts.len())
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
            Self::One(..) => values
                .first()
                .and_then(Option::as_deref)
                .map_or_else(|| js.undefined(), |text| environment.json.parse(js, text))?,
            Self::Many(_, keys) => {
                let text = object_of(keys, |place| values[place].as_deref());
                environment.host()?.bare(js, environment.json.parse(js, &text)?)?
            }
            Self::Across(..) => Self::list(js, environment, values)?,
        };
        let returned = js.call(js.kept(function)?, js.undefined()?, &[argument])?;
        if is_promise(js, returned)? {
            // Should it reject, nobody else handles that; our own error says what is wrong.
            let nothing = js.function("ignore", |_| {})?;
            js.call(js.get(returned, "then")?, returned, &[nothing, nothing])?;
            return Err(self.wrong("a promise; it must work without waiting").into());
        }
        match self {
            Self::One(..) => {
                let text = environment.json.stringify(js, returned, &"The result of fn")?;
                let text = text.ok_or_else(|| self.wrong("nothing that JSON can hold"))?;
                Ok(Made { changed: vec![(0, Some(text.clone()))], result: vec![Some(text)] })
            }
            Self::Many(_, keys) => {
                let changed = self.read_changes(js, environment, keys, returned)?;
                let made: HashMap<usize, Option<&str>> =
                    changed.iter().map(|(place, value)| (*place, value.as_deref())).collect();
                let value_of = |place| made.get(&place).copied().unwrap_or(values[place].as_deref());
                let result = object_of(keys, value_of);
                Ok(Made { changed, result: vec![Some(result)] })
            }
            Self::Across(..) => {
                let new_values = self.read_list(js, environment, returned)?;
                let of_each = new_values.iter().cloned().enumerate().zip(values);
                let changed = of_each.filter(|((_, new), old)| new != *old).map(|(new, _)| new);
                Ok(Made { changed: changed.collect(), result: new_values })
            }
        }
    }

    /// The new values by place: the array that the function of a transaction returned.
    fn read_list<'scope>(
        &self,
        js: Js<'scope>,
        environment: &Environment,
        returned: Value<'scope>,
    ) -> Fallible<'scope, Vec<Option<String>>> {
        if !js.is_array(returned)? {
            return Err(self.wrong("no array").into());
        }
        let (found, wanted) = (js.length(returned)?, self.keys().len());
        if found as usize != wanted {
            return Err(self.wrong(&format!("an array of {found} for {wanted} places")).into());
        }
        // All of them first: to write one may call a function of the caller.
        let elements = (0..found).map(|index| js.element(returned, index));
        let elements = elements.collect::<Fallible<Vec<Value>>>()?;
        let mut values = Vec::with_capacity(wanted);
        for (value, key) in elements.into_iter().zip(self.keys()) {
            if js.type_of(value)? == ValueType::Undefined {
                values.push(None);
                continue;
            }
            let text = environment.json.stringify(js, value, &format_args!("The result of fn for {key}"))?;
            let text = text.ok_or_else(|| self.wrong(&format!("for {key} nothing that JSON can hold")))?;
            values.push(Some(text));
        }
        Ok(values)
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
            Self::One(..) => ("update", "Return the new value"),
            Self::Many(..) => {
                ("updateMany", "Return an object with the new values by key; {} changes nothing")
            }
            Self::Across(..) => {
                ("transaction", "Return an array with the new value of each place; undefined removes the key")
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
