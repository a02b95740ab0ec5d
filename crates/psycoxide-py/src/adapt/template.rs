//! Templates with what Python needs of them, and the few that were used last.

use std::collections::VecDeque;
use std::sync::Arc;

use psycoxide_sql::template::Template;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::encoding::ClientEncoding;
use crate::guarded::Guarded;

/// How many templates are kept: programs repeat a handful of statements at a time.
const KEPT: usize = 16;

/// The longest query that is kept, in bytes. Longer ones are rarely repeated, and cutting them
/// again is little beside sending them.
const LONGEST_KEPT: usize = 16 * 1024;

/// A query cut at its placeholders, with their names as Python text.
pub struct Parsed {
    pub template: Template,
    query: Vec<u8>,
    encoding: ClientEncoding,
    names: Vec<Py<PyString>>,
}

impl Parsed {
    /// The template of `query`, which is in `encoding`.
    pub fn of(py: Python<'_>, query: &[u8], encoding: ClientEncoding) -> PyResult<Arc<Parsed>> {
        if query.len() > LONGEST_KEPT {
            return Ok(Arc::new(Parsed::new(py, query, encoding)?));
        }
        if let Some(known) = recall(py, query, encoding) {
            return Ok(known);
        }
        let parsed = Arc::new(Parsed::new(py, query, encoding)?);
        // What is dropped here is dropped after the lock is free.
        let dropped = keep(py, Arc::clone(&parsed));
        drop(dropped);
        Ok(parsed)
    }

    fn new(py: Python<'_>, query: &[u8], encoding: ClientEncoding) -> PyResult<Self> {
        let template = Template::parse(query);
        // Not interned: a program that makes up names would have Python keep them for ever.
        let names = template
            .names()
            .iter()
            .map(|range| encoding.decode(py, query.get(range.clone()).unwrap_or_default()))
            .map(|name| name.map(Bound::unbind))
            .collect::<PyResult<_>>()?;
        Ok(Self { template, query: query.to_vec(), encoding, names })
    }

    /// The query itself.
    pub fn query(&self) -> &[u8] {
        &self.query
    }

    /// The name of this number.
    pub fn name(&self, number: usize) -> Option<&Py<PyString>> {
        self.names.get(number)
    }
}

static KEPT_TEMPLATES: Guarded<VecDeque<Arc<Parsed>>> = Guarded::new(VecDeque::new());

fn recall(py: Python<'_>, query: &[u8], encoding: ClientEncoding) -> Option<Arc<Parsed>> {
    let mut kept = KEPT_TEMPLATES.lock(py);
    let at = kept.iter().position(|known| known.query == query && known.encoding == encoding)?;
    if at > 0 {
        kept.swap(at, at - 1);
        return kept.get(at - 1).cloned();
    }
    kept.get(at).cloned()
}

fn keep(py: Python<'_>, parsed: Arc<Parsed>) -> Option<Arc<Parsed>> {
    let mut kept = KEPT_TEMPLATES.lock(py);
    kept.push_front(parsed);
    if kept.len() > KEPT { kept.pop_back() } else { None }
}
