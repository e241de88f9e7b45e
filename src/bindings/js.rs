//! A thin, checked layer over Node-API: values, strings, calls, promises, references.
//!
//! All `unsafe` of the crate is here. It rests on one fact: a `Js` exists only on the JavaScript thread
//! of its environment, while a native function or callback of that environment runs. It is made from an
//! `Env` that napi gives to such a function, is not `Send`, and is never stored. So the environment is
//! valid, and the values that are made or received are handles of an open scope.

#![expect(unsafe_code, reason = "Node-API is a C interface")]

use std::borrow::Cow;
use std::cell::RefCell;
use std::ptr;

use napi::bindgen_prelude::{ToNapiValue, TypeName, Unknown};
use napi::{Env, JsValue, Status, ValueType, sys};

use crate::error::Error;
use crate::visible::visible;

/// A text that is kept.
pub fn owned(text: Cow<str>) -> String {
    text.into_owned()
}

/// A JavaScript value in the current scope.
#[derive(Clone, Copy)]
pub struct Value(sys::napi_value);

impl From<Unknown<'_>> for Value {
    fn from(value: Unknown) -> Self {
        Self(value.raw())
    }
}

impl TypeName for Value {
    fn type_name() -> &'static str {
        "unknown"
    }

    fn value_type() -> ValueType {
        ValueType::Unknown
    }
}

impl ToNapiValue for Value {
    unsafe fn to_napi_value(_env: sys::napi_env, value: Self) -> napi::Result<sys::napi_value> {
        Ok(value.0)
    }
}

/// A value that outlives its scope. Must be given back with `Js::release`.
pub struct Kept(sys::napi_ref);

/// The other end of a promise.
pub struct Deferred(sys::napi_deferred);

/// Why a call does not go on.
pub enum Refusal {
    /// An error of ours.
    Ours(Error),
    /// A JavaScript exception, to be passed on as it is.
    Thrown(Value),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

/// Result of what JavaScript may interrupt.
pub type Fallible<T> = Result<T, Refusal>;

/// The result of a function that answers at once; one that is refused throws.
pub fn thrown<T>(env: Env, call: impl FnOnce(Js) -> Fallible<T>) -> napi::Result<T> {
    let js = Js::new(env);
    call(js).map_err(|refusal| {
        js.throw(refusal);
        napi::Error::new(Status::PendingException, "")
    })
}

/// The JavaScript environment; see the header of this file.
#[derive(Clone, Copy)]
pub struct Js(sys::napi_env);

impl Js {
    /// The environment that napi gave to a native function.
    pub fn new(env: Env) -> Self {
        Self(env.raw())
    }

    /// The environment in napi's own form.
    pub fn env(self) -> Env {
        Env::from_raw(self.0)
    }

    /// Calls one function of Node-API that makes a value.
    fn make(
        self,
        make: impl FnOnce(sys::napi_env, *mut sys::napi_value) -> sys::napi_status,
    ) -> Fallible<Value> {
        let mut value = ptr::null_mut();
        let status = make(self.0, &raw mut value);
        self.check(status)?;
        Ok(Value(value))
    }

    fn check(self, status: sys::napi_status) -> Fallible<()> {
        if status == sys::Status::napi_ok {
            return Ok(());
        }
        // Some functions answer with another status when JavaScript has thrown, a getter for one. An exception that
        // stays behind makes all further calls fail, and is raised where nobody expects it.
        let mut is_thrown = false;
        // SAFETY: see the header of this file.
        unsafe { sys::napi_is_exception_pending(self.0, &raw mut is_thrown) };
        if is_thrown || status == sys::Status::napi_pending_exception {
            let mut thrown = ptr::null_mut();
            // SAFETY: see the header of this file.
            unsafe { sys::napi_get_and_clear_last_exception(self.0, &raw mut thrown) };
            return Err(Refusal::Thrown(Value(thrown)));
        }
        Err(Error::internal(&format!("Node-API answered {status}")).into())
    }

    /// `undefined`.
    pub fn undefined(self) -> Fallible<Value> {
        // SAFETY: see the header of this file.
        self.make(|env, value| unsafe { sys::napi_get_undefined(env, value) })
    }

    /// `null`.
    pub fn null(self) -> Fallible<Value> {
        // SAFETY: see the header of this file.
        self.make(|env, value| unsafe { sys::napi_get_null(env, value) })
    }

    /// `true` or `false`.
    pub fn bool(self, truth: bool) -> Fallible<Value> {
        // SAFETY: see the header of this file.
        self.make(|env, value| unsafe { sys::napi_get_boolean(env, truth, value) })
    }

    /// A number.
    pub fn number(self, number: f64) -> Fallible<Value> {
        // SAFETY: see the header of this file.
        self.make(|env, value| unsafe { sys::napi_create_double(env, number, value) })
    }

    /// A string.
    pub fn string(self, text: &str) -> Fallible<Value> {
        // SAFETY: see the header of this file; pointer and length are those of `text`.
        self.make(|env, value| unsafe {
            sys::napi_create_string_utf8(env, text.as_ptr().cast(), text.len().cast_signed(), value)
        })
    }

    /// An empty object.
    pub fn object(self) -> Fallible<Value> {
        // SAFETY: see the header of this file.
        self.make(|env, value| unsafe { sys::napi_create_object(env, value) })
    }

    /// The global object.
    pub fn global(self) -> Fallible<Value> {
        // SAFETY: see the header of this file.
        self.make(|env, value| unsafe { sys::napi_get_global(env, value) })
    }

    /// What `typeof` says.
    pub fn type_of(self, value: Value) -> Fallible<ValueType> {
        let mut kind = 0;
        // SAFETY: see the header of this file.
        let status = unsafe { sys::napi_typeof(self.0, value.0, &raw mut kind) };
        self.check(status)?;
        Ok(ValueType::from(kind))
    }

    /// `Array.isArray`.
    pub fn is_array(self, value: Value) -> Fallible<bool> {
        let mut answer = false;
        // SAFETY: see the header of this file.
        let status = unsafe { sys::napi_is_array(self.0, value.0, &raw mut answer) };
        self.check(status)?;
        Ok(answer)
    }

    /// A number's value.
    pub fn f64(self, value: Value) -> Fallible<f64> {
        let mut number = 0.0;
        // SAFETY: see the header of this file.
        let status = unsafe { sys::napi_get_value_double(self.0, value.0, &raw mut number) };
        self.check(status)?;
        Ok(number)
    }

    /// Whether `if (value)` is taken.
    pub fn is_truthy(self, value: Value) -> Fallible<bool> {
        let as_bool = self.make(|env, out| {
            // SAFETY: see the header of this file.
            unsafe { sys::napi_coerce_to_bool(env, value.0, out) }
        })?;
        let mut truth = false;
        // SAFETY: see the header of this file.
        let status = unsafe { sys::napi_get_value_bool(self.0, as_bool.0, &raw mut truth) };
        self.check(status)?;
        Ok(truth)
    }

    /// A string's UTF-16 units, lone surrogates included.
    pub fn utf16(self, value: Value) -> Fallible<Vec<u16>> {
        let mut length = 0;
        // SAFETY: see the header of this file; a null buffer asks for the length.
        let status =
            unsafe { sys::napi_get_value_string_utf16(self.0, value.0, ptr::null_mut(), 0, &raw mut length) };
        self.check(status)?;
        let mut units = vec![0; length + 1];
        let mut written = 0;
        // SAFETY: the buffer has the size that is given.
        let status = unsafe {
            sys::napi_get_value_string_utf16(
                self.0,
                value.0,
                units.as_mut_ptr(),
                units.len(),
                &raw mut written,
            )
        };
        self.check(status)?;
        units.truncate(written);
        Ok(units)
    }

    /// A string's text; a lone surrogate becomes U+FFFD.
    pub fn text(self, value: Value) -> Fallible<String> {
        self.with_text(value, owned)
    }

    /// Gives a string's text to `read`, which must not read another: a short one is borrowed from a buffer.
    pub fn with_text<R>(self, value: Value, read: impl FnOnce(Cow<str>) -> R) -> Fallible<R> {
        thread_local! {
            /// Reused, so that a short string costs no allocation.
            static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER_BYTES]);
        }
        const BUFFER_BYTES: usize = 64 << 10;
        const LONGEST_CHARACTER: usize = 4;
        let not_utf8 = || Refusal::from(Error::internal("Node-API gave text that is not UTF-8"));
        BUFFER.with_borrow_mut(|buffer| {
            let written = self.utf8_into(value, buffer)?;
            // A full buffer may have cut the text.
            if written + LONGEST_CHARACTER < buffer.len() {
                let text = std::str::from_utf8(&buffer[..written]).map_err(|_| not_utf8())?;
                return Ok(read(Cow::Borrowed(text)));
            }
            let mut length = 0;
            // SAFETY: see the header of this file; a null buffer asks for the length.
            let status = unsafe {
                sys::napi_get_value_string_utf8(self.0, value.0, ptr::null_mut(), 0, &raw mut length)
            };
            self.check(status)?;
            let mut bytes = vec![0; length + 1];
            let written = self.utf8_into(value, &mut bytes)?;
            bytes.truncate(written);
            Ok(read(Cow::Owned(String::from_utf8(bytes).map_err(|_| not_utf8())?)))
        })
    }

    /// Whether a string is `text`, which is short; false also where it cannot be told.
    pub fn is_text(self, value: Value, text: &str) -> bool {
        let mut bytes = [0; 256];
        // A cut one is longer than `text`. What half a surrogate pair becomes is in no `text` that is asked for.
        text.len() < bytes.len() - 4
            && !text.contains(char::REPLACEMENT_CHARACTER)
            && self.utf8_into(value, &mut bytes).is_ok_and(|written| &bytes[..written] == text.as_bytes())
    }

    fn utf8_into(self, value: Value, bytes: &mut [u8]) -> Fallible<usize> {
        let mut written = 0;
        // SAFETY: see the header of this file; the buffer has the size that is given.
        let status = unsafe {
            sys::napi_get_value_string_utf8(
                self.0,
                value.0,
                bytes.as_mut_ptr().cast(),
                bytes.len(),
                &raw mut written,
            )
        };
        self.check(status)?;
        Ok(written)
    }

    /// `object[name]`.
    pub fn get(self, object: Value, name: &str) -> Fallible<Value> {
        let key = self.string(name)?;
        self.get_by(object, key)
    }

    /// `object[key]`.
    pub fn get_by(self, object: Value, key: Value) -> Fallible<Value> {
        // SAFETY: see the header of this file.
        self.make(|env, value| unsafe { sys::napi_get_property(env, object.0, key.0, value) })
    }

    /// `object[name] = value`.
    pub fn set(self, object: Value, name: &str, value: Value) -> Fallible<()> {
        let key = self.string(name)?;
        self.set_by(object, key, value)
    }

    /// `object[key] = value`.
    pub fn set_by(self, object: Value, key: Value, value: Value) -> Fallible<()> {
        // SAFETY: see the header of this file.
        let status = unsafe { sys::napi_set_property(self.0, object.0, key.0, value.0) };
        self.check(status)
    }

    /// Makes an own property, whatever its name is (`object[key] = value` would set the prototype for
    /// `__proto__`).
    pub fn define(self, object: Value, key: Value, value: Value) -> Fallible<()> {
        let property = sys::napi_property_descriptor {
            utf8name: ptr::null(),
            name: key.0,
            method: None,
            getter: None,
            setter: None,
            value: value.0,
            attributes: sys::PropertyAttributes::writable
                | sys::PropertyAttributes::enumerable
                | sys::PropertyAttributes::configurable,
            data: ptr::null_mut(),
        };
        // SAFETY: see the header of this file; one descriptor is given.
        let status = unsafe { sys::napi_define_properties(self.0, object.0, 1, &raw const property) };
        self.check(status)
    }

    /// Number of an array's elements.
    pub fn length(self, array: Value) -> Fallible<u32> {
        let mut length = 0;
        // SAFETY: see the header of this file.
        let status = unsafe { sys::napi_get_array_length(self.0, array.0, &raw mut length) };
        self.check(status)?;
        Ok(length)
    }

    /// `array[index]`.
    pub fn element(self, array: Value, index: u32) -> Fallible<Value> {
        // SAFETY: see the header of this file.
        self.make(|env, value| unsafe { sys::napi_get_element(env, array.0, index, value) })
    }

    /// `array[index] = value`.
    pub fn set_element(self, array: Value, index: u32, value: Value) -> Fallible<()> {
        // SAFETY: see the header of this file.
        let status = unsafe { sys::napi_set_element(self.0, array.0, index, value.0) };
        self.check(status)
    }

    /// The names of an object's own enumerable properties, as an array of strings.
    pub fn own_names(self, object: Value) -> Fallible<Value> {
        // SAFETY: see the header of this file.
        self.make(|env, value| unsafe {
            sys::napi_get_all_property_names(
                env,
                object.0,
                sys::KeyCollectionMode::own_only,
                sys::KeyFilter::enumerable | sys::KeyFilter::skip_symbols,
                sys::KeyConversion::numbers_to_strings,
                value,
            )
        })
    }

    /// Calls a function.
    pub fn call(self, function: Value, this: Value, arguments: &[Value]) -> Fallible<Value> {
        let raw: Vec<sys::napi_value> = arguments.iter().map(|value| value.0).collect();
        // SAFETY: see the header of this file; pointer and length are those of `raw`.
        self.make(|env, value| unsafe {
            sys::napi_call_function(env, this.0, function.0, raw.len(), raw.as_ptr(), value)
        })
    }

    /// A function that runs `callback` on this thread.
    pub fn function(self, name: &str, callback: impl Fn(Js) + 'static) -> Fallible<Value> {
        let env = self.env();
        let made = env.create_function_from_closure::<(), (), _>(name, move |context| {
            let js = Js::new(*context.env);
            // A panic must not reach C++.
            if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| callback(js))).is_err() {
                return Err(napi::Error::from_reason(Error::internal("a callback failed").message()));
            }
            Ok(())
        });
        match made {
            Ok(function) => Ok(Value(function.raw())),
            Err(_) => Err(Error::internal("a function could not be made").into()),
        }
    }

    /// A promise and its other end.
    pub fn promise(self) -> Fallible<(Deferred, Value)> {
        let mut deferred = ptr::null_mut();
        // SAFETY: see the header of this file.
        let promise =
            self.make(|env, value| unsafe { sys::napi_create_promise(env, &raw mut deferred, value) })?;
        Ok((Deferred(deferred), promise))
    }

    /// Settles a promise.
    #[expect(clippy::needless_pass_by_value, reason = "a promise is settled once")]
    pub fn settle(self, deferred: Deferred, result: Fallible<Value>) {
        let rejected = match result {
            Ok(value) => {
                // SAFETY: see the header of this file; `deferred` is used up here.
                unsafe { sys::napi_resolve_deferred(self.0, deferred.0, value.0) };
                return;
            }
            Err(refusal) => self.error_value(refusal),
        };
        if let Some(error) = rejected {
            // SAFETY: see the header of this file; `deferred` is used up here.
            unsafe { sys::napi_reject_deferred(self.0, deferred.0, error.0) };
        }
    }

    /// The exception that a refusal becomes; `None` only while the environment goes down.
    pub fn error_value(self, refusal: Refusal) -> Option<Value> {
        match refusal {
            Refusal::Thrown(value) => Some(value),
            Refusal::Ours(error) => self.error_object(&error).ok(),
        }
    }

    fn error_object(self, error: &Error) -> Fallible<Value> {
        let (code, message) = (self.string(error.code().as_str())?, self.string(&visible(error.message()))?);
        let object = self.make(|env, value| {
            // SAFETY: see the header of this file.
            unsafe {
                if error.is_type_error() {
                    sys::napi_create_type_error(env, code.0, message.0, value)
                } else {
                    sys::napi_create_error(env, code.0, message.0, value)
                }
            }
        })?;
        if let Some(syscall) = error.syscall() {
            self.set(object, "syscall", self.string(syscall)?)?;
        }
        if let Some(path) = error.path() {
            self.set(object, "path", self.string(path)?)?;
        }
        Ok(object)
    }

    /// Raises an exception that nobody called for, such as one of a listener.
    pub fn uncaught(self, refusal: Refusal) {
        if let Some(error) = self.error_value(refusal) {
            // SAFETY: see the header of this file.
            unsafe { sys::napi_fatal_exception(self.0, error.0) };
        }
    }

    /// Throws, for calls that return no promise.
    pub fn throw(self, refusal: Refusal) {
        if let Some(error) = self.error_value(refusal) {
            // SAFETY: see the header of this file.
            unsafe { sys::napi_throw(self.0, error.0) };
        }
    }

    /// Keeps a value beyond its scope.
    pub fn keep(self, value: Value) -> Fallible<Kept> {
        let mut kept = ptr::null_mut();
        // SAFETY: see the header of this file.
        let status = unsafe { sys::napi_create_reference(self.0, value.0, 1, &raw mut kept) };
        self.check(status)?;
        Ok(Kept(kept))
    }

    /// A kept value, in this scope.
    pub fn kept(self, kept: &Kept) -> Fallible<Value> {
        // SAFETY: see the header of this file; `kept` was made in this environment and not released.
        self.make(|env, value| unsafe { sys::napi_get_reference_value(env, kept.0, value) })
    }

    /// Gives a kept value back.
    #[expect(clippy::needless_pass_by_value, reason = "it must not be used afterwards")]
    pub fn release(self, kept: Kept) {
        // SAFETY: see the header of this file; `kept` is used up here.
        unsafe { sys::napi_delete_reference(self.0, kept.0) };
    }

    /// Runs `work` with a scope of its own: values that it makes are free afterwards.
    pub fn scoped(self, work: impl FnOnce(Js)) {
        let mut scope = ptr::null_mut();
        // SAFETY: see the header of this file; the scope is closed below, in the same order.
        let is_open = unsafe { sys::napi_open_handle_scope(self.0, &raw mut scope) } == sys::Status::napi_ok;
        work(self);
        if is_open {
            // SAFETY: opened just above.
            unsafe { sys::napi_close_handle_scope(self.0, scope) };
        }
    }
}
