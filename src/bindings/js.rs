//! A thin, checked layer over Node-API: values, strings, calls, promises, references.
//!
//! All `unsafe` of the crate is here. It rests on these facts, which the types keep:
//!
//! 1. A `Js<'scope>` comes from an `Env` that napi lends to a native function for as long as it runs, or is given to a
//!    callback for as long as that runs. Its environment is one that has begun on this thread and has not ended: `begin`
//!    and the hook of its end keep the list. Any other `Env` becomes a null pointer, which Node-API refuses.
//! 2. A `Value<'scope>` is a handle of that scope and cannot be kept beyond it. What outlives it is a `Kept`, which gives
//!    its reference back when it is dropped, unless the environment has ended; then it went with it.
//! 3. `Js`, `Value`, `Kept` and `Deferred` stay on their thread: they hold raw pointers. `Kept` and `Deferred` are used
//!    in their own environment only.

#![expect(unsafe_code, reason = "Node-API is a C interface")]

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::rc::Rc;

use napi::bindgen_prelude::{Object, ToNapiValue, TypeName, Unknown};
use napi::{Env, JsValue, Status, ValueType, sys};
use napi_derive::napi;

use crate::error::Error;
use crate::visible::visible;

/// A text that is kept.
pub fn owned(text: Cow<str>) -> String {
    text.into_owned()
}

/// A JavaScript value in a scope.
#[derive(Clone, Copy)]
pub struct Value<'scope>(sys::napi_value, PhantomData<&'scope ()>);

impl<'scope> From<Unknown<'scope>> for Value<'scope> {
    fn from(value: Unknown<'scope>) -> Self {
        Self(value.raw(), PhantomData)
    }
}

impl TypeName for Value<'_> {
    fn type_name() -> &'static str {
        "unknown"
    }

    fn value_type() -> ValueType {
        ValueType::Unknown
    }
}

impl ToNapiValue for Value<'_> {
    unsafe fn to_napi_value(_env: sys::napi_env, value: Self) -> napi::Result<sys::napi_value> {
        Ok(value.0)
    }
}

/// An environment that has begun on this thread.
struct Life {
    env: sys::napi_env,
    is_over: Cell<bool>,
}

thread_local! {
    static LIVES: RefCell<Vec<Rc<Life>>> = const { RefCell::new(Vec::new()) };
}

impl Life {
    fn of(env: sys::napi_env) -> Option<Rc<Self>> {
        LIVES.with_borrow(|lives| lives.iter().find(|life| life.env == env).cloned())
    }

    fn is_known(env: sys::napi_env) -> bool {
        LIVES.with_borrow(|lives| lives.iter().any(|life| life.env == env))
    }

    fn end(&self) {
        self.is_over.set(true);
        LIVES.with_borrow_mut(|lives| lives.retain(|life| life.env != self.env));
    }
}

/// The environment begins: napi calls this when it loads the addon.
#[napi(module_exports)]
pub fn begin(_exports: Object<'_>, env: Env) -> napi::Result<()> {
    let life = Rc::new(Life { env: env.raw(), is_over: Cell::new(false) });
    if let Some(before) = Life::of(env.raw()) {
        before.end();
    }
    LIVES.with_borrow_mut(|lives| lives.push(Rc::clone(&life)));
    env.add_env_cleanup_hook(life, |life| life.end())?;
    Ok(())
}

/// A value that outlives its scope; dropping it gives it back.
pub struct Kept {
    reference: sys::napi_ref,
    life: Rc<Life>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        if !self.life.is_over.get() {
            // SAFETY: the environment has not ended, this is its thread, and the reference is used up here.
            unsafe { sys::napi_delete_reference(self.life.env, self.reference) };
        }
    }
}

/// The other end of a promise.
pub struct Deferred {
    deferred: sys::napi_deferred,
    env: sys::napi_env,
}

/// Why a call does not go on.
pub enum Refusal<'scope> {
    /// An error of ours.
    Ours(Error),
    /// A JavaScript exception, to be passed on as it is.
    Thrown(Value<'scope>),
}

impl From<Error> for Refusal<'_> {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

/// Result of what JavaScript may interrupt.
pub type Fallible<'scope, T> = Result<T, Refusal<'scope>>;

/// The result of a function that answers at once; one that is refused throws.
pub fn thrown<'scope, T>(
    env: &'scope Env,
    call: impl FnOnce(Js<'scope>) -> Fallible<'scope, T>,
) -> napi::Result<T> {
    let js = Js::new(env);
    call(js).map_err(|refusal| {
        js.throw(refusal);
        napi::Error::new(Status::PendingException, "")
    })
}

/// The JavaScript environment in a scope; see the header of this file.
#[derive(Clone, Copy)]
pub struct Js<'scope>(sys::napi_env, PhantomData<&'scope ()>);

impl<'scope> Js<'scope> {
    /// The environment that napi lends to a native function or callback.
    pub fn new(env: &'scope Env) -> Self {
        let raw = env.raw();
        Self(if Life::is_known(raw) { raw } else { ptr::null_mut() }, PhantomData)
    }

    /// The environment in napi's own form.
    pub fn env(self) -> Env {
        Env::from_raw(self.0)
    }

    /// Calls `work` when the environment ends: nothing of JavaScript can be touched any more.
    pub fn at_end(self, work: impl FnOnce() + 'static) -> Fallible<'scope, ()> {
        let life = Life::of(self.0).ok_or_else(|| Error::internal("an environment that has not begun"))?;
        let hook = move |(life, work): (Rc<Life>, _)| {
            life.end();
            let work: Box<dyn FnOnce()> = work;
            work();
        };
        let work: Box<dyn FnOnce()> = Box::new(work);
        let added = self.env().add_env_cleanup_hook((life, work), hook);
        added.map_err(|_| Error::internal("no hook for the end of this thread"))?;
        Ok(())
    }

    /// Calls one function of Node-API that makes a value.
    fn make(
        self,
        make: impl FnOnce(sys::napi_env, *mut sys::napi_value) -> sys::napi_status,
    ) -> Fallible<'scope, Value<'scope>> {
        let mut value = ptr::null_mut();
        let status = make(self.0, &raw mut value);
        self.check(status)?;
        Ok(Value(value, PhantomData))
    }

    fn check(self, status: sys::napi_status) -> Fallible<'scope, ()> {
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
            return Err(Refusal::Thrown(Value(thrown, PhantomData)));
        }
        Err(Error::internal(&format!("Node-API answered {status}")).into())
    }

    /// `undefined`.
    pub fn undefined(self) -> Fallible<'scope, Value<'scope>> {
        // SAFETY: see the header of this file.
        self.make(|env, value| unsafe { sys::napi_get_undefined(env, value) })
    }

    /// `null`.
    pub fn null(self) -> Fallible<'scope, Value<'scope>> {
        // SAFETY: see the header of this file.
        self.make(|env, value| unsafe { sys::napi_get_null(env, value) })
    }

    /// `true` or `false`.
    pub fn bool(self, truth: bool) -> Fallible<'scope, Value<'scope>> {
        // SAFETY: see the header of this file.
        self.make(|env, value| unsafe { sys::napi_get_boolean(env, truth, value) })
    }

    /// A number.
    pub fn number(self, number: f64) -> Fallible<'scope, Value<'scope>> {
        // SAFETY: see the header of this file.
        self.make(|env, value| unsafe { sys::napi_create_double(env, number, value) })
    }

    /// A string. V8 copies ASCII as it is, which is several times as fast as decoding UTF-8.
    pub fn string(self, text: &str) -> Fallible<'scope, Value<'scope>> {
        let create =
            if text.is_ascii() { sys::napi_create_string_latin1 } else { sys::napi_create_string_utf8 };
        // SAFETY: see the header of this file; pointer and length are those of `text`, and ASCII is Latin-1.
        self.make(|env, value| unsafe { create(env, text.as_ptr().cast(), text.len().cast_signed(), value) })
    }

    /// An empty object.
    pub fn object(self) -> Fallible<'scope, Value<'scope>> {
        // SAFETY: see the header of this file.
        self.make(|env, value| unsafe { sys::napi_create_object(env, value) })
    }

    /// The global object.
    pub fn global(self) -> Fallible<'scope, Value<'scope>> {
        // SAFETY: see the header of this file.
        self.make(|env, value| unsafe { sys::napi_get_global(env, value) })
    }

    /// What `typeof` says.
    pub fn type_of(self, value: Value<'_>) -> Fallible<'scope, ValueType> {
        let mut kind = 0;
        // SAFETY: see the header of this file.
        let status = unsafe { sys::napi_typeof(self.0, value.0, &raw mut kind) };
        self.check(status)?;
        Ok(ValueType::from(kind))
    }

    /// `Array.isArray`.
    pub fn is_array(self, value: Value<'_>) -> Fallible<'scope, bool> {
        let mut answer = false;
        // SAFETY: see the header of this file.
        let status = unsafe { sys::napi_is_array(self.0, value.0, &raw mut answer) };
        self.check(status)?;
        Ok(answer)
    }

    /// A number's value.
    pub fn f64(self, value: Value<'_>) -> Fallible<'scope, f64> {
        let mut number = 0.0;
        // SAFETY: see the header of this file.
        let status = unsafe { sys::napi_get_value_double(self.0, value.0, &raw mut number) };
        self.check(status)?;
        Ok(number)
    }

    /// Whether `if (value)` is taken.
    pub fn is_truthy(self, value: Value<'_>) -> Fallible<'scope, bool> {
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
    pub fn utf16(self, value: Value<'_>) -> Fallible<'scope, Vec<u16>> {
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
    pub fn text(self, value: Value<'_>) -> Fallible<'scope, String> {
        self.with_text(value, owned)
    }

    /// Gives a string's text to `read`, which must not read another: a short one is borrowed from a buffer.
    pub fn with_text<R>(self, value: Value<'_>, read: impl FnOnce(Cow<str>) -> R) -> Fallible<'scope, R> {
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
    pub fn is_text(self, value: Value<'_>, text: &str) -> bool {
        let mut bytes = [0; 256];
        // A cut one is longer than `text`. What half a surrogate pair becomes is in no `text` that is asked for.
        text.len() < bytes.len() - 4
            && !text.contains(char::REPLACEMENT_CHARACTER)
            && self.utf8_into(value, &mut bytes).is_ok_and(|written| &bytes[..written] == text.as_bytes())
    }

    fn utf8_into(self, value: Value<'_>, bytes: &mut [u8]) -> Fallible<'scope, usize> {
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
    pub fn get(self, object: Value<'_>, name: &str) -> Fallible<'scope, Value<'scope>> {
        let key = self.string(name)?;
        self.get_by(object, key)
    }

    /// `object[key]`.
    pub fn get_by(self, object: Value<'_>, key: Value<'_>) -> Fallible<'scope, Value<'scope>> {
        // SAFETY: see the header of this file.
        self.make(|env, value| unsafe { sys::napi_get_property(env, object.0, key.0, value) })
    }

    /// `object[name] = value`.
    pub fn set(self, object: Value<'_>, name: &str, value: Value<'_>) -> Fallible<'scope, ()> {
        let key = self.string(name)?;
        self.set_by(object, key, value)
    }

    /// `object[key] = value`.
    pub fn set_by(self, object: Value<'_>, key: Value<'_>, value: Value<'_>) -> Fallible<'scope, ()> {
        // SAFETY: see the header of this file.
        let status = unsafe { sys::napi_set_property(self.0, object.0, key.0, value.0) };
        self.check(status)
    }

    /// Makes an own property, whatever its name is (`object[key] = value` would set the prototype for
    /// `__proto__`).
    pub fn define(self, object: Value<'_>, key: Value<'_>, value: Value<'_>) -> Fallible<'scope, ()> {
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
    pub fn length(self, array: Value<'_>) -> Fallible<'scope, u32> {
        let mut length = 0;
        // SAFETY: see the header of this file.
        let status = unsafe { sys::napi_get_array_length(self.0, array.0, &raw mut length) };
        self.check(status)?;
        Ok(length)
    }

    /// `array[index]`.
    pub fn element(self, array: Value<'_>, index: u32) -> Fallible<'scope, Value<'scope>> {
        // SAFETY: see the header of this file.
        self.make(|env, value| unsafe { sys::napi_get_element(env, array.0, index, value) })
    }

    /// `array[index] = value`.
    pub fn set_element(self, array: Value<'_>, index: u32, value: Value<'_>) -> Fallible<'scope, ()> {
        // SAFETY: see the header of this file.
        let status = unsafe { sys::napi_set_element(self.0, array.0, index, value.0) };
        self.check(status)
    }

    /// The names of an object's own enumerable properties, as an array of strings.
    pub fn own_names(self, object: Value<'_>) -> Fallible<'scope, Value<'scope>> {
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
    pub fn call(
        self,
        function: Value<'_>,
        this: Value<'_>,
        arguments: &[Value<'_>],
    ) -> Fallible<'scope, Value<'scope>> {
        let raw: Vec<sys::napi_value> = arguments.iter().map(|value| value.0).collect();
        // SAFETY: see the header of this file; pointer and length are those of `raw`.
        self.make(|env, value| unsafe {
            sys::napi_call_function(env, this.0, function.0, raw.len(), raw.as_ptr(), value)
        })
    }

    /// A function that runs `callback` on this thread. The callback must capture nothing: Deno calls a function also
    /// after it has freed what the function captured, when the thread ends.
    pub fn function<F: Fn(Js<'_>) + 'static>(
        self,
        name: &str,
        callback: F,
    ) -> Fallible<'scope, Value<'scope>> {
        const { assert!(size_of::<F>() == 0, "the callback of a function captures nothing") };
        let env = self.env();
        let made = env
            .create_function_from_closure::<(), (), _>(name, move |context| guarded(*context.env, &callback));
        match made {
            Ok(function) => Ok(Value(function.raw(), PhantomData)),
            Err(_) => Err(Error::internal("a function could not be made").into()),
        }
    }

    /// A promise and its other end.
    pub fn promise(self) -> Fallible<'scope, (Deferred, Value<'scope>)> {
        let mut deferred = ptr::null_mut();
        // SAFETY: see the header of this file.
        let promise =
            self.make(|env, value| unsafe { sys::napi_create_promise(env, &raw mut deferred, value) })?;
        Ok((Deferred { deferred, env: self.0 }, promise))
    }

    /// Settles a promise.
    #[expect(clippy::needless_pass_by_value, reason = "a promise is settled once")]
    pub fn settle(self, deferred: Deferred, result: Fallible<'scope, Value<'scope>>) {
        if deferred.env != self.0 {
            return;
        }
        let rejected = match result {
            Ok(value) => {
                // SAFETY: see the header of this file; `deferred` is used up here.
                unsafe { sys::napi_resolve_deferred(self.0, deferred.deferred, value.0) };
                return;
            }
            Err(refusal) => self.error_value(refusal),
        };
        if let Some(error) = rejected {
            // SAFETY: see the header of this file; `deferred` is used up here.
            unsafe { sys::napi_reject_deferred(self.0, deferred.deferred, error.0) };
        }
    }

    /// The exception that a refusal becomes; `None` only while the environment goes down.
    pub fn error_value(self, refusal: Refusal<'scope>) -> Option<Value<'scope>> {
        match refusal {
            Refusal::Thrown(value) => Some(value),
            Refusal::Ours(error) => self.error_object(&error).ok(),
        }
    }

    fn error_object(self, error: &Error) -> Fallible<'scope, Value<'scope>> {
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
        if let Some(is_unknown) = error.is_outcome_unknown() {
            self.set(object, "isOutcomeUnknown", self.bool(is_unknown)?)?;
        }
        Ok(object)
    }

    /// Raises an exception that nobody called for, such as one of a listener.
    pub fn uncaught(self, refusal: Refusal<'scope>) {
        if let Some(error) = self.error_value(refusal) {
            // SAFETY: see the header of this file.
            unsafe { sys::napi_fatal_exception(self.0, error.0) };
        }
    }

    /// Throws, for calls that return no promise.
    pub fn throw(self, refusal: Refusal<'scope>) {
        if let Some(error) = self.error_value(refusal) {
            // SAFETY: see the header of this file.
            unsafe { sys::napi_throw(self.0, error.0) };
        }
    }

    /// Keeps a value beyond its scope.
    pub fn keep(self, value: Value<'_>) -> Fallible<'scope, Kept> {
        let life = Life::of(self.0).ok_or_else(|| Error::internal("an environment that has not begun"))?;
        let mut reference = ptr::null_mut();
        // SAFETY: see the header of this file.
        let status = unsafe { sys::napi_create_reference(self.0, value.0, 1, &raw mut reference) };
        self.check(status)?;
        Ok(Kept { reference, life })
    }

    /// A kept value, in this scope.
    pub fn kept(self, kept: &Kept) -> Fallible<'scope, Value<'scope>> {
        if kept.life.env != self.0 {
            return Err(Error::internal("a value of another environment").into());
        }
        // SAFETY: see the header of this file; the reference is given back only when `kept` is dropped.
        self.make(|env, value| unsafe { sys::napi_get_reference_value(env, kept.reference, value) })
    }

    /// Runs `work` with a scope of its own: values that it makes are free afterwards.
    pub fn scoped(self, work: impl for<'inner> FnOnce(Js<'inner>)) {
        let mut scope = ptr::null_mut();
        // SAFETY: see the header of this file; the scope is closed below, in the same order.
        let is_open = unsafe { sys::napi_open_handle_scope(self.0, &raw mut scope) } == sys::Status::napi_ok;
        work(Js(self.0, PhantomData));
        if is_open {
            // SAFETY: opened just above.
            unsafe { sys::napi_close_handle_scope(self.0, scope) };
        }
    }
}

/// Calls `callback` on this thread, unless its environment has ended; a panic must not reach C++.
pub fn guarded(env: Env, callback: &impl Fn(Js<'_>)) -> napi::Result<()> {
    if !Life::is_known(env.raw()) {
        return Ok(());
    }
    catch_unwind(AssertUnwindSafe(|| callback(Js::new(&env))))
        .map_err(|_| napi::Error::from_reason(Error::internal("a callback failed").message()))
}
