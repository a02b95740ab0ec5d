//! Parsed queries, and a small cache of those that were used last.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use psycoxide_sql::lex::Syntax;
use psycoxide_sql::numbered::Numbered;
use psycoxide_sql::statement::{is_pipelinable, is_protocol_independent, reads_clock};
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
    query: Arc<[u8]>,
    encoding: ClientEncoding,
    names: Vec<Py<PyString>>,
    /// With numbers for its placeholders, once it was to be bound on the server.
    numbered: OnceLock<NumberedQuery>,
    /// How it may be sent as it is, once it was to be.
    plain: OnceLock<PlainQuery>,
    reads_clock: OnceLock<bool>,
}

/// How a query may be sent as it is.
#[derive(Clone, Copy)]
pub struct PlainQuery {
    /// Its reply is the same by both protocols.
    pub protocol_independent: bool,
    /// It may be sent while other statements are under way.
    pub pipelinable: bool,
}

/// The numbered form of a query.
struct NumberedQuery {
    form: Numbered,
    /// It was made of the query itself, in which `%` is an ordinary character.
    is_own: bool,
    /// Its text, if all placeholders are bound.
    bound_text: Option<Arc<[u8]>>,
    /// Whether that may be sent while other statements are under way.
    pipelinable: bool,
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

    /// The same with its numbered form for a session that reads SQL in this way.
    pub fn of_numbered(
        py: Python<'_>,
        query: &[u8],
        encoding: ClientEncoding,
        syntax: Syntax,
    ) -> PyResult<Arc<ParsedQuery>> {
        let parsed = ParsedQuery::of(py, query, encoding)?;
        let numbered = parsed.numbered.get_or_init(|| NumberedQuery::of(&parsed, syntax));
        if numbered.form.suits(syntax.strings) {
            return Ok(parsed);
        }
        // Another session, which reads backslashes in another way, has come first.
        let own = ParsedQuery::new(py, query, encoding)?;
        let _ = own.numbered.set(NumberedQuery::of(&own, syntax));
        Ok(Arc::new(own))
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
        Ok(Self {
            template,
            query: query.into(),
            encoding,
            names,
            numbered: OnceLock::new(),
            plain: OnceLock::new(),
            reads_clock: OnceLock::new(),
        })
    }

    /// The whole query.
    pub fn query(&self) -> &[u8] {
        &self.query
    }

    /// The whole query, to be kept.
    pub fn shared_query(&self) -> Arc<[u8]> {
        Arc::clone(&self.query)
    }

    /// How it may be sent as it is.
    pub fn plain(&self) -> PlainQuery {
        *self.plain.get_or_init(|| PlainQuery {
            protocol_independent: is_protocol_independent(&self.query),
            pipelinable: is_pipelinable(&self.query),
        })
    }

    /// Whether it may have a constant that means the time at which it is read, like `'now'`.
    pub fn reads_clock(&self) -> bool {
        *self.reads_clock.get_or_init(|| reads_clock(&self.query))
    }

    /// Its numbered form, if it was [made](ParsedQuery::of_numbered).
    pub fn numbered(&self) -> Option<&Numbered> {
        self.numbered.get().map(|numbered| &numbered.form)
    }

    /// Whether its numbered form was made of the query itself, in which `%` is an ordinary character.
    pub fn is_without_template(&self) -> bool {
        self.numbered.get().is_some_and(|numbered| numbered.is_own)
    }

    /// The text of its numbered form, if all placeholders are bound.
    pub fn bound_text(&self) -> Option<Arc<[u8]>> {
        self.numbered.get()?.bound_text.clone()
    }

    /// Whether that text may be sent while other statements are under way.
    pub fn is_pipelinable(&self) -> bool {
        self.numbered.get().is_some_and(|numbered| numbered.pipelinable)
    }

    /// The name of the placeholder with this number.
    pub fn name(&self, number: usize) -> Option<&Py<PyString>> {
        self.names.get(number)
    }
}

impl NumberedQuery {
    fn of(parsed: &ParsedQuery, syntax: Syntax) -> Self {
        let form = Self::native(parsed, syntax);
        let is_own = form.is_some();
        let form = form.unwrap_or_else(|| Numbered::of(&parsed.template, syntax));
        let bound_text: Option<Arc<[u8]>> = form.all_bound().map(|(text, _)| text.into());
        let pipelinable = bound_text.as_ref().is_some_and(|text| is_pipelinable(text));
        Self { form, is_own, bound_text, pipelinable }
    }

    /// The form of a query with `$1` and so on in which a percent sign stands alone, as an operator or
    /// in a pattern.
    fn native(parsed: &ParsedQuery, syntax: Syntax) -> Option<Numbered> {
        let template = &parsed.template;
        let has = |mark: &[u8]| memchr::memmem::find(&parsed.query, mark).is_some();
        let faulty = template.reading_fault().or_else(|| template.merging_fault()).is_some();
        if !faulty || has(b"%s") || has(b"%(") {
            return None;
        }
        let form = Numbered::of_native(&parsed.query, syntax);
        (form.parameters() > 0 && form.whole().is_none()).then_some(form)
    }
}

static CACHE: Guarded<VecDeque<Arc<ParsedQuery>>> = Guarded::new(VecDeque::new());

/// The cached form of a query. A hit moves it one place towards the front (transpose-on-hit), so that
/// frequent queries stay.
fn cached(py: Python<'_>, query: &[u8], encoding: ClientEncoding) -> Option<Arc<ParsedQuery>> {
    let mut cache = CACHE.lock(py);
    let at = cache.iter().position(|known| *known.query == *query && known.encoding == encoding)?;
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
