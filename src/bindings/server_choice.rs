//! A server and what was chosen for it.
//!
//! Invariant: `Debug` shows no secret; the url and what it names are read once.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::error::Result;
use crate::postgres::schema_name::SchemaName;
use crate::postgres::target::Target;
use crate::vfs::read_settings_file;

/// See the header of this file.
#[derive(Clone)]
pub struct ServerChoice {
    url: String,
    target: Arc<Target>,
    schema: SchemaName,
    timeout_ms: u64,
    backups: usize,
}

impl ServerChoice {
    /// Reads the url, and from the environment what it lacks.
    pub fn new(url: &str, schema: &str, timeout_ms: u64, backups: usize) -> Result<Self> {
        let schema = SchemaName::new(schema)?;
        let target = Target::parse(url, &|name| std::env::var(name).ok(), &read_settings_file)?;
        Ok(Self { url: url.to_owned(), target: Arc::new(target), schema, timeout_ms, backups })
    }

    /// Where the server is.
    pub fn target(&self) -> Arc<Target> {
        Arc::clone(&self.target)
    }

    /// The schema.
    pub fn schema(&self) -> &SchemaName {
        &self.schema
    }

    /// How long a call waits for the server.
    pub fn timeout_ms(&self) -> u64 {
        self.timeout_ms
    }

    /// Old generations that are kept.
    pub fn backups(&self) -> usize {
        self.backups
    }

    fn parts(&self) -> (&str, &SchemaName, u64, usize) {
        (&self.url, &self.schema, self.timeout_ms, self.backups)
    }
}

impl PartialEq for ServerChoice {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for ServerChoice {}

impl Hash for ServerChoice {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl fmt::Debug for ServerChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.schema.as_str(), self.target)
    }
}
