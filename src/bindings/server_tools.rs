//! What the program in `bin/` asks a server beside the calls of a storage. `lib/server-tools.js` makes errors of failures.
//!
//! Invariant: no answer holds the url or a password.

#![expect(clippy::needless_pass_by_value, reason = "napi gives a text of its own")]

use napi::bindgen_prelude::AsyncTask;
use napi::{Env, Task};
use napi_derive::napi;

use super::server_choice::ServerChoice;
use crate::data::json::quote;
use crate::error::{Error, Result};
use crate::postgres::inspection::{Inspection, Question, sql_of};
use crate::postgres::schema_name::SchemaName;

/// A question that waits for its answer on a helper thread.
pub struct ServerQuestion {
    url: String,
    schema: String,
    timeout_ms: u64,
    question: String,
    parameters: Vec<String>,
}

impl ServerQuestion {
    fn answer(&self) -> Result<String> {
        let choice = ServerChoice::new(&self.url, &self.schema, self.timeout_ms, 0)?;
        let name = quote(&choice.target().to_string());
        let Some(question) = Question::of_name(&self.question) else {
            return Err(Error::internal("an unknown question to a server"));
        };
        let inspection = Inspection::new(choice.target(), choice.schema().clone(), self.timeout_ms);
        let answer = inspection.ask(question, &self.parameters)?;
        Ok(format!("{{\"server\":{name},\"answer\":{answer}}}"))
    }
}

/// As JSON text.
fn failed(error: &Error) -> String {
    let (code, message) = (quote(error.code().as_str()), quote(error.message()));
    format!("{{\"error\":{{\"code\":{code},\"message\":{message}}}}}")
}

impl Task for ServerQuestion {
    type Output = String;
    type JsValue = String;

    fn compute(&mut self) -> napi::Result<String> {
        Ok(self.answer().unwrap_or_else(|error| failed(&error)))
    }

    fn resolve(&mut self, _: Env, answer: String) -> napi::Result<String> {
        Ok(answer)
    }
}

/// The answer, or the failure, as JSON text.
#[napi(catch_unwind)]
#[must_use]
pub fn ask_server(
    url: String,
    schema: String,
    timeout_ms: u32,
    question: String,
    parameters: Vec<String>,
) -> AsyncTask<ServerQuestion> {
    AsyncTask::new(ServerQuestion { url, schema, timeout_ms: timeout_ms.into(), question, parameters })
}

/// The statements that make the tables and give a role its rights, or the failure, as JSON text.
#[napi(catch_unwind)]
#[must_use]
pub fn server_tables(schema: String, role: Option<String>) -> String {
    match SchemaName::new(&schema) {
        Ok(schema) => format!("{{\"answer\":{}}}", quote(&sql_of(&schema, role.as_deref()))),
        Err(error) => failed(&error),
    }
}
