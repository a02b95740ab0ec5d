//! Parsed queries, and a small cache of those that were used last.

use std::collections::VecDeque;
use std::sync::Arc;

use psycoxide_sql::template::Template;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::encoding::ClientEncoding;
use crate::guarded::Guarded;

/// How many queries are cached: programs repeat a handful of statements at a time.
const CAPACITY: usize = 16;

/// The longest query that is cached, in bytes. Longer ones are rarely repeated, and parsing them
/// again costs little beside sending them.
const LONGEST_CACHED: usize = 16 * 1024;

/// A query split at its placeholders, with their names as Python strings.
pub struct ParsedQuery {
    pub template: Template,
    query: Vec<u8>,
    encoding: ClientEncoding,
    names: Vec<Py<PyString>>,
}

impl ParsedQuery {
    /// Parses `query`, which is in `encoding`, or finds it in the cache.
    pub fn of(
        py: Python<'_>,
        query: &[u8],
        encoding: ClientEncoding,
    ) -> PyResult<Arc<ParsedQuery>> {
        if query.len() > LONGEST_CACHED {
            return Ok(Arc::new(ParsedQuery::new(py, query, encoding)?));
        }
        if let Some(known) = cached(py, query, encoding) {
            return Ok(known);
        }
        let parsed = Arc::new(ParsedQuery::new(py, query, encoding)?);
        // Dropped after the lock is released.
        let dropped = cache(py, Arc::clone(&parsed));
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

    /// The whole query.
    pub fn query(&self) -> &[u8] {
        &self.query
    }

    /// The name of the placeholder with this number.
    pub fn name(&self, number: usize) -> Option<&Py<PyString>> {
        self.names.get(number)
    }
}

static CACHE: Guarded<VecDeque<Arc<ParsedQuery>>> = Guarded::new(VecDeque::new());

/// The cached form of a query. A hit moves it one place towards the front (transpose-on-hit), so that
/// frequent queries stay.
fn cached(py: Python<'_>, query: &[u8], encoding: ClientEncoding) -> Option<Arc<ParsedQuery>> {
    let mut cache = CACHE.lock(py);
    let at = cache.iter().position(|known| known.query == query && known.encoding == encoding)?;
    if at > 0 {
        cache.swap(at, at - 1);
        return cache.get(at - 1).cloned();
    }
    cache.get(at).cloned()
}

/// Puts a query in front, and returns the one that is pushed out.
fn cache(py: Python<'_>, parsed: Arc<ParsedQuery>) -> Option<Arc<ParsedQuery>> {
    let mut cache = CACHE.lock(py);
    cache.push_front(parsed);
    if cache.len() > CAPACITY { cache.pop_back() } else { None }
}
