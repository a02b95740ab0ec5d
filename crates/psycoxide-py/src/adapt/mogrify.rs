//! Merging parameters into a query.

use std::ops::Range;
use std::sync::Arc;

use psycoxide_sql::quote::StringStyle;
use psycoxide_sql::template::{Fault, Piece, Style};
use pyo3::exceptions::{PyKeyError, PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};

use super::context::AdaptContext;
use super::quoter::Quoter;
use super::template::ParsedQuery;
use crate::encoding::{ClientEncoding, QuoteContext};
use crate::error;

/// Most values take no more bytes than this.
const TYPICAL_VALUE: usize = 32;

/// The query with its parameters merged in.
///
/// `query` is in the session's encoding. If `args` is None, it is not a template and is returned as
/// it is.
pub fn mogrify(
    py: Python<'_>,
    query: &[u8],
    args: &Bound<'_, PyAny>,
    context: &AdaptContext<'_, '_>,
) -> PyResult<Vec<u8>> {
    if args.is_none() {
        return Ok(query.to_vec());
    }
    let mut merger = Merger::new(py, query, context)?;
    let pieces = merger.parsed.template.pieces().len();
    let mut out = Vec::with_capacity(query.len() + pieces / 2 * TYPICAL_VALUE);
    merger.merge(args, &mut out)?;
    Ok(out)
}

/// Merges one set of parameters after another into the same query.
///
/// Make a new one after the GIL was released: of all changes to the registry of adapters, a merger
/// notices only those by Python code that it runs itself.
pub struct Merger<'a, 'py> {
    parsed: Arc<ParsedQuery>,
    quoter: Quoter<'a, 'py>,
}

impl<'a, 'py> Merger<'a, 'py> {
    /// A merger for a query in the session's encoding.
    pub fn new(py: Python<'py>, query: &[u8], context: &AdaptContext<'a, 'py>) -> PyResult<Self> {
        let parsed = ParsedQuery::of(py, query, context.quoting.encoding())?;
        Ok(Self { parsed, quoter: Quoter::new(context)? })
    }

    /// Whether raw SQL was merged since the last call: the text of `AsIs` or of a program's own
    /// adapter may be more than a constant.
    pub fn wrote_raw_sql(&mut self) -> bool {
        self.quoter.wrote_raw_sql()
    }

    /// Appends the query with these parameters. After an error `out` may hold a part.
    pub fn merge(&mut self, args: &Bound<'py, PyAny>, out: &mut Vec<u8>) -> PyResult<()> {
        let (parsed, quoter) = (&*self.parsed, &mut self.quoter);
        if args.is_none() {
            out.extend_from_slice(parsed.query());
            return Ok(());
        }
        let plain = args.is_exact_instance_of::<PyTuple>()
            || args.is_exact_instance_of::<PyList>()
            || args.is_exact_instance_of::<PyDict>();
        let merged = match parsed.template.style() {
            Some(Style::Names) => merge_names(parsed, args, quoter, out),
            Some(Style::Positions) => merge_positions(parsed, args, quoter, out),
            None => {
                for piece in parsed.template.pieces() {
                    if let Piece::Text(range) = piece {
                        out.extend_from_slice(parsed.template.text(range));
                    }
                }
                Ok(())
            }
        };
        if !plain {
            // A user's own sequence or mapping may run any code when it is asked for an item.
            quoter.forget();
        }
        merged
    }
}

fn merge_positions<'py>(
    parsed: &ParsedQuery,
    args: &Bound<'py, PyAny>,
    quoter: &mut Quoter<'_, 'py>,
    out: &mut Vec<u8>,
) -> PyResult<()> {
    // A tuple never changes, so its items can be borrowed.
    let tuple = args.cast_exact::<PyTuple>().ok();
    let mut given = tuple.map(|tuple| tuple.len());
    for piece in parsed.template.pieces() {
        match piece {
            Piece::Text(range) => append(parsed.template.text(range), out),
            Piece::Value(number) => {
                if let Some(tuple) = tuple
                    && given.is_some_and(|given| *number < given)
                {
                    // SAFETY: the tuple has that many items.
                    let value = unsafe { tuple.get_borrowed_item_unchecked(*number) };
                    quoter.value(&value, out)?;
                    continue;
                }
                let value = item(args, *number)?;
                if given.is_none() {
                    given = Some(args.len()?);
                }
                quoter.value(&value, out)?;
            }
        }
    }
    raise_fault(parsed)?;
    if given.is_some_and(|given| given > parsed.template.positions()) {
        return Err(too_many());
    }
    Ok(())
}

fn merge_names<'py>(
    parsed: &ParsedQuery,
    args: &Bound<'py, PyAny>,
    quoter: &mut Quoter<'_, 'py>,
    out: &mut Vec<u8>,
) -> PyResult<()> {
    let is_dict = args.is_exact_instance_of::<PyDict>();
    // Where in `out` the value of each name stands.
    let mut written: Vec<Range<usize>> = Vec::new();
    for piece in parsed.template.pieces() {
        match piece {
            Piece::Text(range) => append(parsed.template.text(range), out),
            Piece::Value(number) => {
                let Some(name) = parsed.name(*number) else { continue };
                match written.get(*number) {
                    // A name that occurs twice is adapted once but looked up twice: a user's own
                    // mapping may count on it.
                    Some(first) => {
                        if !is_dict {
                            args.get_item(name)?;
                        }
                        out.extend_from_within(first.clone());
                    }
                    None => {
                        let start = out.len();
                        quoter.value(&args.get_item(name)?, out)?;
                        written.push(start..out.len());
                    }
                }
            }
        }
    }
    raise_fault(parsed)
}

/// Appends the text of a piece. Most are a comma and a blank, which are copied without a call.
#[inline]
fn append(text: &[u8], out: &mut Vec<u8>) {
    match *text {
        [comma, blank] => out.extend_from_slice(&[comma, blank]),
        _ => out.extend_from_slice(text),
    }
}

/// Python's own error for more values than placeholders.
pub(super) fn too_many() -> PyErr {
    PyTypeError::new_err("not all arguments converted during string formatting")
}

/// The value at `index` of a sequence, or Python's own error if `args` is not a sequence.
pub(super) fn item<'py>(args: &Bound<'py, PyAny>, index: usize) -> PyResult<Bound<'py, PyAny>> {
    if let Ok(list) = args.cast_exact::<PyList>()
        && index < list.len()
    {
        return list.get_item(index);
    }
    let index = isize::try_from(index)?;
    // SAFETY: `args` is alive and the GIL held; what is returned is a new reference or NULL with
    // an exception set.
    unsafe {
        Bound::from_owned_ptr_or_err(args.py(), ffi::PySequence_GetItem(args.as_ptr(), index))
    }
}

/// Raises the template's own fault, if it has one. Merging does so last, when the values are there.
#[inline]
pub(super) fn raise_fault(parsed: &ParsedQuery) -> PyResult<()> {
    let template = &parsed.template;
    match template.reading_fault().or_else(|| template.merging_fault()) {
        None => Ok(()),
        Some(fault) => Err(fault_error(parsed, fault)),
    }
}

/// The same for a query that is to be bound on the server.
pub(super) fn raise_fault_of_bound(parsed: &ParsedQuery) -> PyResult<()> {
    if parsed.is_without_template() { Ok(()) } else { raise_fault(parsed) }
}

/// Whether merging raises the template's own fault.
pub(super) fn has_fault(parsed: &ParsedQuery) -> bool {
    let template = &parsed.template;
    template.reading_fault().or_else(|| template.merging_fault()).is_some()
}

#[cold]
fn fault_error(parsed: &ParsedQuery, fault: &Fault) -> PyErr {
    match fault {
        Fault::Mixed | Fault::Unclosed => error::programming(fault.to_string()),
        Fault::BracketedName(range) => {
            let name = parsed.query().get(range.clone()).unwrap_or_default();
            let name = String::from_utf8_lossy(name).into_owned();
            PyKeyError::new_err(name)
        }
        _ => PyValueError::new_err(fault.to_string()),
    }
}

/// Merges parameters as a session would that has this encoding and string style.
///
/// For tests and tools: `cursor.mogrify()` is the way for programs.
#[pyfunction]
#[pyo3(signature = (query, args=None, *, encoding="UTF8", standard_conforming_strings=true))]
fn _mogrify<'py>(
    py: Python<'py>,
    query: &Bound<'py, PyBytes>,
    args: Option<Bound<'py, PyAny>>,
    encoding: &str,
    standard_conforming_strings: bool,
) -> PyResult<Bound<'py, PyBytes>> {
    let strings = match standard_conforming_strings {
        true => StringStyle::Standard,
        false => StringStyle::Escape,
    };
    let context = QuoteContext::new(ClientEncoding::lookup(py, encoding)?, strings);
    let none = py.None().into_bound(py);
    let args = args.unwrap_or_else(|| none.clone());
    let context = AdaptContext::without_session(&none, context);
    Ok(PyBytes::new(py, &mogrify(py, query.as_bytes(), &args, &context)?))
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(_mogrify, module)?)
}
