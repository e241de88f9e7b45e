//! The calls that a core holds while the server is busy or away, in their order.
//!
//! Invariant: `size_bytes`, which callers see, is what the calls weigh that wait here.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::store::inbox::REQUEST_BYTES;
use crate::store::request::Request;

/// See the header of this file.
#[derive(Default)]
pub struct Waiting {
    requests: VecDeque<Request>,
    size_bytes: Arc<AtomicUsize>,
}

fn weight(request: &Request) -> usize {
    request.size_bytes + REQUEST_BYTES
}

impl Waiting {
    /// No calls; their weight is kept in `size_bytes`.
    #[must_use]
    pub fn new(size_bytes: Arc<AtomicUsize>) -> Self {
        Self { requests: VecDeque::new(), size_bytes }
    }

    /// Whether none wait.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// How many of the first, so many at most, are like this.
    pub fn first_while(&self, count_max: usize, is_so: impl Fn(&Request) -> bool) -> usize {
        self.requests.iter().take(count_max).take_while(|request| is_so(request)).count()
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// The first of them.
    #[must_use]
    pub fn front(&self) -> Option<&Request> {
        self.requests.front()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Request> {
        self.requests.iter()
    }

    /// These come last.
    pub fn extend(&mut self, requests: Vec<Request>) {
        self.size_bytes.fetch_add(requests.iter().map(weight).sum(), Ordering::Relaxed);
        self.requests.extend(requests);
    }

    /// These come first, in their order.
    pub fn put_back(&mut self, requests: impl DoubleEndedIterator<Item = Request>) {
        for request in requests.rev() {
            self.size_bytes.fetch_add(weight(&request), Ordering::Relaxed);
            self.requests.push_front(request);
        }
    }

    /// Those that are like this come first, in their order.
    pub fn bring_forward(&mut self, is_so: impl Fn(&Request) -> bool) {
        let (first, others): (VecDeque<_>, VecDeque<_>) = self.requests.drain(..).partition(is_so);
        self.requests = first;
        self.requests.extend(others);
    }

    /// Takes the first.
    pub fn pop_front(&mut self) -> Option<Request> {
        let request = self.requests.pop_front()?;
        self.size_bytes.fetch_sub(weight(&request), Ordering::Relaxed);
        Some(request)
    }

    /// Takes so many from the front.
    pub fn take(&mut self, count: usize) -> Vec<Request> {
        std::iter::from_fn(|| self.pop_front()).take(count).collect()
    }
}
