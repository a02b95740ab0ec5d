//! Templates with what Python needs of them, and the few that were used last.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use psycoxide_sql::template::{Piece, Placeholder, Template};
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::context::ClientEncoding;
use crate::guarded::Guarded;

/// How many templates are kept: programs repeat a handful of statements at a time.
const KEPT: usize = 16;

/// The longest query that is kept, in bytes. Longer ones are rarely repeated, and cutting them
/// again is little beside sending them.
const LONGEST_KEPT: usize = 16 * 1024;

/// A query cut at its placeholders, with their names as Python text.
pub struct Prepared {
    pub template: Template,
    query: Vec<u8>,
    encoding: ClientEncoding,
    names: Vec<Name>,
}

/// A named placeholder.
pub struct Name {
    pub key: Py<PyString>,
    /// The number of the first placeholder of this name.
    pub first: usize,
}

impl Prepared {
    /// The template of `query`, which is in `encoding`.
    pub fn of(py: Python<'_>, query: &[u8], encoding: ClientEncoding) -> PyResult<Arc<Prepared>> {
        if query.len() > LONGEST_KEPT {
            return Ok(Arc::new(Prepared::new(py, query, encoding)?));
        }
        if let Some(known) = recall(py, query, encoding) {
            return Ok(known);
        }
        let prepared = Arc::new(Prepared::new(py, query, encoding)?);
        // What is dropped here is dropped after the lock is free.
        let dropped = keep(py, Arc::clone(&prepared));
        drop(dropped);
        Ok(prepared)
    }

    fn new(py: Python<'_>, query: &[u8], encoding: ClientEncoding) -> PyResult<Self> {
        let template = Template::parse(query);
        let mut names: Vec<Name> = Vec::new();
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for placeholder in template.placeholders() {
            let Placeholder::Name(range) = placeholder else { break };
            let text = query.get(range.clone()).unwrap_or_default();
            let known = ranges.iter().position(|other| query.get(other.clone()) == Some(text));
            let name = match known.and_then(|number| names.get(number)) {
                Some(known) => Name { key: known.key.clone_ref(py), first: known.first },
                None => {
                    let decoded = encoding.decode(py, text)?;
                    let key = match decoded.to_str() {
                        Ok(text) => PyString::intern(py, text),
                        Err(_) => decoded,
                    };
                    Name { key: key.unbind(), first: names.len() }
                }
            };
            names.push(name);
            ranges.push(range.clone());
        }
        Ok(Self { template, query: query.to_vec(), encoding, names })
    }

    /// The query itself.
    pub fn query(&self) -> &[u8] {
        &self.query
    }

    /// The text of a piece.
    pub fn text(&self, range: &Range<usize>) -> &[u8] {
        self.query.get(range.clone()).unwrap_or_default()
    }

    /// The name of a placeholder, by its number.
    pub fn name(&self, number: usize) -> Option<&Name> {
        self.names.get(number)
    }

    pub fn pieces(&self) -> &[Piece] {
        self.template.pieces()
    }
}

static KEPT_TEMPLATES: Guarded<VecDeque<Arc<Prepared>>> = Guarded::new(VecDeque::new());

fn recall(py: Python<'_>, query: &[u8], encoding: ClientEncoding) -> Option<Arc<Prepared>> {
    let mut kept = KEPT_TEMPLATES.lock(py);
    let at = kept.iter().position(|known| known.query == query && known.encoding == encoding)?;
    if at > 0 {
        kept.swap(at, at - 1);
        return kept.get(at - 1).cloned();
    }
    kept.get(at).cloned()
}

fn keep(py: Python<'_>, prepared: Arc<Prepared>) -> Option<Arc<Prepared>> {
    let mut kept = KEPT_TEMPLATES.lock(py);
    kept.push_front(prepared);
    if kept.len() > KEPT { kept.pop_back() } else { None }
}
