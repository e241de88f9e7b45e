//! What callers give: checked, and turned into text. Nothing is touched before all of it passed.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use napi::ValueType;

use super::js::{Fallible, Js, Value, owned};
use super::json::Json;
use crate::data::entry_text::OWN_PROPERTIES;
use crate::data::json::Members;
use crate::data::json::quote_utf16;
use crate::data::name::LogName;
use crate::data::name::check_key;
use crate::data::time::push_iso;
use crate::error::Error;
use crate::store::expiry::Expiry;
use crate::store::selection::{Prefix, Selection};
use crate::store::watch::Filter;

/// What a value is, for messages.
pub fn describe<'scope>(js: Js<'scope>, value: Value<'scope>) -> String {
    match js.type_of(value) {
        Ok(ValueType::Undefined) => "undefined".to_owned(),
        Ok(ValueType::Null) => "null".to_owned(),
        Ok(ValueType::Boolean) => "a boolean".to_owned(),
        Ok(ValueType::Number) => "a number".to_owned(),
        Ok(ValueType::String) => "a string".to_owned(),
        Ok(ValueType::Symbol) => "a symbol".to_owned(),
        Ok(ValueType::Function) => "a function".to_owned(),
        Ok(ValueType::BigInt) => "a BigInt".to_owned(),
        Ok(ValueType::Object) if js.is_array(value).unwrap_or(false) => "an array".to_owned(),
        _ => "an object".to_owned(),
    }
}

fn wrong_type<'scope>(js: Js<'scope>, argument: &str, wanted: &str, value: Value<'scope>) -> Error {
    Error::wrong_type(format!("The argument '{argument}' must be {wanted}, not {}", describe(js, value)))
}

/// True when an argument was left out.
pub fn is_missing<'scope>(js: Js<'scope>, value: Value<'scope>) -> Fallible<'scope, bool> {
    Ok(js.type_of(value)? == ValueType::Undefined)
}

/// The name of a log.
pub fn log_name<'scope>(js: Js<'scope>, value: Value<'scope>) -> Fallible<'scope, LogName> {
    thread_local! {
        /// The last one: most calls have the same, which then is not checked anew.
        static LAST: RefCell<Option<LogName>> = const { RefCell::new(None) };
    }
    if let Some(last) = LAST.with_borrow(|last| last.clone().filter(|last| js.is_text(value, last.as_str())))
    {
        return Ok(last);
    }
    if js.type_of(value)? != ValueType::String {
        return Err(wrong_type(js, "logName", "a string", value).into());
    }
    let units = js.utf16(value)?;
    let name = String::from_utf16(&units)
        .map_err(|_| Error::wrong_value("The log name holds half a surrogate pair; use a plain file name"))?;
    let name = LogName::new(&name)?;
    LAST.set(Some(name.clone()));
    Ok(name)
}

/// A key, as its JSON literal: a non-empty string.
pub fn key<'scope>(js: Js<'scope>, value: Value<'scope>, argument: &str) -> Fallible<'scope, String> {
    if js.type_of(value)? != ValueType::String {
        return Err(wrong_type(js, argument, "a string", value).into());
    }
    let literal = quote_utf16(&js.utf16(value)?);
    check_key(&literal, argument)?;
    Ok(literal)
}

/// Keys as their JSON literals, from an array.
pub fn keys<'scope>(js: Js<'scope>, list: Value<'scope>) -> Fallible<'scope, Vec<String>> {
    (0..js.length(list)?).map(|index| key(js, js.element(list, index)?, &format!("keys[{index}]"))).collect()
}

/// Keys and values, from an array of both in turn.
pub fn members<'scope>(
    js: Js<'scope>,
    json_of: &Json,
    list: Value<'scope>,
) -> Fallible<'scope, Vec<(String, String)>> {
    let of_key = |index: u32| {
        let literal = key(js, js.element(list, index)?, &format!("entries[{}][0]", index / 2))?;
        let text = json(js, json_of, js.element(list, index + 1)?, &format!("entries[{literal}]"))?;
        Ok((literal, text))
    };
    (0..js.length(list)?).step_by(2).map(of_key).collect()
}

/// The option `at` of `{ at }`, in milliseconds since 1970: a date, a number, or a text that `Date` reads.
pub fn point_in_time<'scope>(js: Js<'scope>, options: Value<'scope>) -> Fallible<'scope, Option<i64>> {
    if is_missing(js, options)? {
        return Ok(None);
    }
    if js.type_of(options)? != ValueType::Object || js.is_array(options)? {
        return Err(wrong_type(js, "options", "an object", options).into());
    }
    let at = js.get(options, "at")?;
    let time_ms = match js.type_of(at)? {
        ValueType::Undefined => return Ok(None),
        ValueType::Number => js.f64(at)?,
        ValueType::String => {
            let date = js.get(js.global()?, "Date")?;
            js.f64(js.call(js.get(date, "parse")?, date, &[at])?)?
        }
        ValueType::Object if js.type_of(js.get(at, "getTime")?)? == ValueType::Function => {
            let time = js.call(js.get(at, "getTime")?, at, &[])?;
            if js.type_of(time)? == ValueType::Number { js.f64(time)? } else { f64::NAN }
        }
        _ => return Err(wrong_type(js, "at", "a Date", at).into()),
    };
    // What a Date can hold.
    if !(-8.64e15..=8.64e15).contains(&time_ms) {
        return Err(Error::wrong_value(
            "The option 'at' is not a point in time; give a valid Date, such as new Date('2026-11-23T20:00:00Z')",
        )
        .into());
    }
    #[expect(clippy::cast_possible_truncation, reason = "checked just above")]
    let time_ms = time_ms.floor() as i64;
    Ok(Some(time_ms))
}

/// The options `{ ttlMs }` or `{ expiresAt }`.
pub fn expiry<'scope>(js: Js<'scope>, options: Value<'scope>) -> Fallible<'scope, Option<Expiry>> {
    if is_missing(js, options)? {
        return Ok(None);
    }
    if js.type_of(options)? != ValueType::Object || js.is_array(options)? {
        return Err(wrong_type(js, "options", "an object", options).into());
    }
    let (ttl, at) = (js.get(options, "ttlMs")?, js.get(options, "expiresAt")?);
    match (is_missing(js, ttl)?, is_missing(js, at)?) {
        (true, true) => Ok(None),
        (false, false) => {
            let text = "The options 'ttlMs' and 'expiresAt' say the same in two ways; give one of them";
            Err(Error::wrong_value(text).into())
        }
        (false, true) => {
            let ttl_ms = finite(js, ttl, "options.ttlMs")?;
            let wanted = "above 0; to remove a key, use delete(); one that never ends has no such option";
            whole_ms(ttl_ms, ttl_ms > 0.0, "ttlMs", wanted).map(|ms| Some(Expiry::After(ms)))
        }
        (true, false) => {
            let time_ms = finite(js, at, "options.expiresAt")?;
            let wanted = "a time that a Date can hold, in milliseconds since 1970";
            whole_ms(time_ms, time_ms >= 0.0, "expiresAt", wanted).map(|ms| Some(Expiry::At(ms)))
        }
    }
}

/// Milliseconds; what is between two of them counts as the later one, so that nothing ends too early.
fn whole_ms<'scope>(number: f64, is_positive: bool, option: &str, wanted: &str) -> Fallible<'scope, i64> {
    if !is_positive || number > 8.64e15 {
        let text = format!("The option '{option}' must be {wanted}, not {number}");
        return Err(Error::wrong_value(text).into());
    }
    #[expect(clippy::cast_possible_truncation, reason = "checked just above")]
    let ms = number.ceil() as i64;
    Ok(ms)
}

/// A player's name as JSON text: a string, or null.
pub fn username<'scope>(js: Js<'scope>, value: Value<'scope>) -> Fallible<'scope, String> {
    match js.type_of(value)? {
        ValueType::String => Ok(quote_utf16(&js.utf16(value)?)),
        ValueType::Null | ValueType::Undefined => Ok("null".to_owned()),
        _ => Err(wrong_type(js, "username", "a string or null", value).into()),
    }
}

/// A finite number.
pub fn finite<'scope>(js: Js<'scope>, value: Value<'scope>, argument: &str) -> Fallible<'scope, f64> {
    if js.type_of(value)? != ValueType::Number {
        return Err(wrong_type(js, argument, "a number", value).into());
    }
    let number = js.f64(value)?;
    if number.is_finite() {
        Ok(number)
    } else {
        Err(Error::wrong_value(format!("The argument '{argument}' must be a finite number, not {number}"))
            .into())
    }
}

/// A finite number, or `default` when it was left out.
pub fn finite_or<'scope>(
    js: Js<'scope>,
    value: Value<'scope>,
    argument: &str,
    default: f64,
) -> Fallible<'scope, f64> {
    if is_missing(js, value)? { Ok(default) } else { finite(js, value, argument) }
}

/// How many at the most: a number from 0 on, `Infinity` included.
pub fn limit<'scope>(js: Js<'scope>, value: Value<'scope>, argument: &str) -> Fallible<'scope, usize> {
    const DEFAULT: usize = 10;
    if is_missing(js, value)? {
        return Ok(DEFAULT);
    }
    if js.type_of(value)? != ValueType::Number {
        return Err(wrong_type(js, argument, "a number", value).into());
    }
    let number = js.f64(value)?;
    if number.is_nan() || number < 0.0 {
        return Err(
            Error::wrong_value(format!("The argument '{argument}' must be 0 or more, not {number}")).into()
        );
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturates, and is not negative"
    )]
    let whole = number as usize;
    Ok(whole)
}

/// Which members an iteration gives. `lib/iterate.js` has checked all but the key to go on behind.
pub fn selection<'scope>(
    js: Js<'scope>,
    prefix: Value<'scope>,
    after: Value<'scope>,
    is_reverse: bool,
    limit: Option<f64>,
) -> Fallible<'scope, Selection> {
    let prefix = if is_missing(js, prefix)? { None } else { Some(Prefix::new(&js.utf16(prefix)?)) };
    let after = if is_missing(js, after)? { None } else { Some(key(js, after, "after")?) };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a natural number")]
    let limit = limit.map(|limit| limit as usize);
    Ok(Selection { prefix, after, is_reverse, limit })
}

/// Which keys are watched. `lib/watch.js` has checked all but the key.
pub fn filter<'scope>(
    js: Js<'scope>,
    key_value: Value<'scope>,
    prefix: Value<'scope>,
) -> Fallible<'scope, Filter> {
    if !is_missing(js, key_value)? {
        return Ok(Filter::Key(key(js, key_value, "keyOrPrefix")?));
    }
    if is_missing(js, prefix)? {
        return Ok(Filter::All);
    }
    Ok(Filter::Prefix(Prefix::new(&js.utf16(prefix)?)))
}

/// The name of a field, as its JSON literal.
pub fn field<'scope>(
    js: Js<'scope>,
    value: Value<'scope>,
    argument: &str,
    default: &str,
) -> Fallible<'scope, String> {
    if is_missing(js, value)? { Ok(crate::data::json::quote(default)) } else { key(js, value, argument) }
}

/// V8's longest string has 2^29 - 24 characters, and a value must fit into one with its key.
const TEXT_BYTES_MAX: usize = 256 << 20;

fn check_size<'scope>(text: &str, argument: &str) -> Fallible<'scope, ()> {
    if text.len() <= TEXT_BYTES_MAX {
        return Ok(());
    }
    Err(Error::wrong_value(format!(
        "The argument '{argument}' has {} bytes as JSON; at most {TEXT_BYTES_MAX} can be stored in one piece",
        text.len()
    ))
    .into())
}

/// An object (no array, no function), as JSON text of its own properties; stored in one piece.
pub fn object<'scope>(
    js: Js<'scope>,
    json: &Json,
    value: Value<'scope>,
    argument: &str,
) -> Fallible<'scope, String> {
    let text = object_of_any_size(js, json, value, argument)?;
    check_size(&text, argument)?;
    Ok(text)
}

/// The same for an object whose properties are stored one by one.
pub fn object_of_any_size<'scope>(
    js: Js<'scope>,
    json: &Json,
    value: Value<'scope>,
    argument: &str,
) -> Fallible<'scope, String> {
    with_object(js, json, value, argument, owned)
}

/// The same, giving the text to `read`, which must not ask JavaScript for another.
fn with_object<'scope, R>(
    js: Js<'scope>,
    json: &Json,
    value: Value<'scope>,
    argument: &str,
    read: impl FnOnce(Cow<str>) -> R,
) -> Fallible<'scope, R> {
    if js.type_of(value)? != ValueType::Object || js.is_array(value)? {
        return Err(wrong_type(js, argument, "an object", value).into());
    }
    // An inherited `toJSON` would put something else in the place of the own properties.
    let has_to_json = js.type_of(js.get(value, "toJSON")?)? == ValueType::Function;
    let plain = if has_to_json { own_properties(js, value)? } else { value };
    let read = |text: Cow<str>| text.starts_with('{').then(|| read(text));
    let read = json.with_json(js, plain, &format_args!("The argument '{argument}'"), read)?;
    Ok(read.flatten().ok_or_else(|| wrong_type(js, argument, "a plain object", value))?)
}

fn own_properties<'scope>(js: Js<'scope>, value: Value<'scope>) -> Fallible<'scope, Value<'scope>> {
    let copy = js.object()?;
    let names = js.own_names(value)?;
    for index in 0..js.length(names)? {
        let name = js.element(names, index)?;
        js.define(copy, name, js.get_by(value, name)?)?;
    }
    Ok(copy)
}

/// Any value that JSON can hold, as text.
pub fn json<'scope>(
    js: Js<'scope>,
    json: &Json,
    value: Value<'scope>,
    argument: &str,
) -> Fallible<'scope, String> {
    let text = json.stringify(js, value, &format_args!("The argument '{argument}'"))?;
    let text = text.ok_or_else(|| wrong_type(js, argument, "a value that JSON can hold", value))?;
    check_size(&text, argument)?;
    Ok(text)
}

/// What most entries do not hold: how our own properties begin, and a time. Made once: a search for one of them
/// takes less time than to make it.
static SPECIAL: LazyLock<[Finder<'static>; 2]> =
    LazyLock::new(|| [Finder::new("\"_"), Finder::new(TIMESTAMP)]);

/// An entry as the text of its line, without the closing brace: `timestamp` first, then the rest.
pub fn entry<'scope>(
    js: Js<'scope>,
    json: &Json,
    value: Value<'scope>,
    now_ms: i64,
) -> Fallible<'scope, String> {
    with_object(js, json, value, "entry", |text| entry_of(&text, now_ms))?
}

fn entry_of<'scope>(text: &str, now_ms: i64) -> Fallible<'scope, String> {
    check_size(text, "entry")?;
    let mut line = String::with_capacity(text.len() + 48);
    if !SPECIAL.iter().any(|name| name.find(text.as_bytes()).is_some()) {
        push_timestamp(&mut line, None, now_ms);
        if text.len() > 2 {
            line.push(',');
        }
        line.push_str(&text[1..text.len() - 1]);
        return Ok(line);
    }
    let own = Members::of(text).filter(|(name, _)| *name == TIMESTAMP).last();
    push_timestamp(&mut line, own.map(|(_, time)| time), now_ms);
    for (name, member) in Members::of(text) {
        if OWN_PROPERTIES.contains(&name) {
            return Err(Error::wrong_value(format!(
                "The entry has a property {name}, which is reserved for the log's own use; leave it out"
            ))
            .into());
        }
        if name != TIMESTAMP {
            line.push(',');
            line.push_str(name);
            line.push(':');
            line.push_str(member);
        }
    }
    Ok(line)
}

const TIMESTAMP: &str = "\"timestamp\"";

fn push_timestamp(line: &mut String, own: Option<&str>, now_ms: i64) {
    line.push('{');
    line.push_str(TIMESTAMP);
    line.push(':');
    if let Some(time) = own {
        line.push_str(time);
    } else {
        line.push('"');
        push_iso(line, now_ms);
        line.push('"');
    }
}
