//! A server's ErrorResponse as an exception of its SQLSTATE's class, and its text.

use std::borrow::Cow;

use psycoxide_proto::Report;
use psycoxide_sql::message::Message;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyDictMethods, PyString, PyType};

use crate::encoding::QuoteContext;
use crate::exception::class;

/// The exception for a report about `query`, which `cursor` executed, and its whole text. `context` is
/// the session's.
#[cold]
pub fn from_report(
    py: Python<'_>,
    report: &Report,
    query: Option<&[u8]>,
    context: &QuoteContext,
    cursor: Option<&Bound<'_, PyAny>>,
) -> (PyErr, String) {
    let composed = compose(py, report, query, true, context);
    let raised = build(py, report, &composed, context, cursor);
    let text = match context.encoding().has_custom_codec() {
        true => read(py, &composed, context).to_string_lossy().into_owned(),
        false => composed,
    };
    (raised.unwrap_or_else(|error| error), text)
}

/// The exception for a report that belongs to no connection any more.
#[cold]
pub fn without_session(py: Python<'_>, report: &Report) -> PyErr {
    let context = QuoteContext::default();
    let composed = compose(py, report, None, true, &context);
    build(py, report, &composed, &context, None).unwrap_or_else(|error| error)
}

/// The whole text of a report, as libpq composes it; `context` says whether the CONTEXT is shown.
pub fn report_text<'py>(
    py: Python<'py>,
    report: &Report,
    query: Option<&[u8]>,
    context: bool,
    quoting: &QuoteContext,
) -> Bound<'py, PyString> {
    let text = compose(py, report, query, context, quoting);
    read(py, &text, quoting)
}

/// The `str` for what [`compose`] returned.
fn read<'py>(py: Python<'py>, text: &str, quoting: &QuoteContext) -> Bound<'py, PyString> {
    if !quoting.encoding().has_custom_codec() {
        return PyString::new(py, text);
    }
    let bytes: Vec<u8> = text.chars().filter_map(|c| u8::try_from(u32::from(c)).ok()).collect();
    quoting.decode_lossy(py, &bytes)
}

/// The text of a report. If a program has replaced the codec, its bytes, each as a character: such
/// a codec may return more than a Rust string can hold (lone surrogates).
fn compose(
    py: Python<'_>,
    report: &Report,
    query: Option<&[u8]>,
    context: bool,
    quoting: &QuoteContext,
) -> String {
    let field = |code: u8| report.field(code).map(|value| characters(py, value, quoting));
    let (severity, primary) = (field(b'S'), field(b'M'));
    let (detail, hint, place) = (field(b'D'), field(b'H'), field(b'W'));
    let internal_query = field(b'q');
    let number = |code: u8| field(code).and_then(|value| value.parse().ok());
    let position = number(b'P');
    // The query may be long: it is decoded only if the report has a position in it.
    let query = query.filter(|_| position.is_some());
    let query = query.map(|query| characters(py, query, quoting));
    Message {
        severity: severity.as_deref(),
        primary: primary.as_deref(),
        position,
        internal_position: number(b'p'),
        internal_query: internal_query.as_deref(),
        detail: detail.as_deref(),
        hint: hint.as_deref(),
        context: place.as_deref(),
        query: query.as_deref(),
    }
    .text(context)
}

/// A field as [`compose`] needs it.
fn characters<'a>(py: Python<'_>, bytes: &'a [u8], quoting: &QuoteContext) -> Cow<'a, str> {
    match quoting.encoding().has_custom_codec() {
        true => bytes.iter().map(|byte| char::from(*byte)).collect(),
        false => quoting.read_lossy(py, bytes),
    }
}

fn build(
    py: Python<'_>,
    report: &Report,
    text: &str,
    context: &QuoteContext,
    cursor: Option<&Bound<'_, PyAny>>,
) -> PyResult<PyErr> {
    let (whole, shown) = (read(py, text, context), read(py, message(text), context));
    let code = report.field(b'C').map(|code| String::from_utf8_lossy(code));
    let class = match class_of(py, code.as_deref())? {
        class if report.is_fatal() => operational(py, class)?,
        class => class,
    };
    let fields = PyDict::new(py);
    for (code, value) in report.iter() {
        fields.set_item(char::from(code).to_string(), context.decode_lossy(py, value))?;
    }
    let raised = class.call_method1("_from_report", (shown, whole, code, fields, cursor))?;
    Ok(PyErr::from_value(raised))
}

/// `str(exception)`: the text without the severity in front. A translated severity stays, as in
/// psycopg2.
fn message(text: &str) -> &str {
    ["ERROR:  ", "FATAL:  ", "PANIC:  "]
        .iter()
        .find_map(|severity| text.strip_prefix(severity))
        .unwrap_or(text)
}

/// The class of a report that ends the session. Programs that connect again look for
/// OperationalError, and psycopg2 mostly raises it, whatever the SQLSTATE: Pgpool-II sends XX000.
fn operational<'py>(py: Python<'py>, found: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let operational = class(py, "OperationalError")?;
    let subclass = found.cast::<PyType>()?.is_subclass(&operational)?;
    Ok(if subclass { found } else { operational })
}

/// The class of a SQLSTATE: its own, or the one that its first two characters stand for.
fn class_of<'py>(py: Python<'py>, code: Option<&str>) -> PyResult<Bound<'py, PyAny>> {
    let Some(code) = code else { return class(py, "DatabaseError") };
    // Importing the module fills the table.
    py.import("psycoxide.errors")?;
    let table = py.import("psycoxide._psycopg")?.getattr("sqlstate_errors")?;
    if let Some(class) = table.cast::<PyDict>()?.get_item(code)? {
        return Ok(class);
    }
    let prefix = code.get(..2).unwrap_or_default();
    class(py, base_class(prefix))
}

/// The DB-API class that a SQLSTATE class (its first two characters) belongs to.
fn base_class(prefix: &str) -> &'static str {
    match prefix {
        "0A" => "NotSupportedError",
        "20" | "21" | "3D" | "3F" | "42" | "44" => "ProgrammingError",
        "22" => "DataError",
        "23" => "IntegrityError",
        "24" | "25" | "2B" | "2D" | "2F" | "38" | "39" | "3B" | "F0" | "P0" | "XX" => {
            "InternalError"
        }
        "40" => "TransactionRollbackError",
        "08" | "26" | "27" | "28" | "34" | "53" | "54" | "55" | "57" | "58" | "HV" => {
            "OperationalError"
        }
        _ => "DatabaseError",
    }
}
