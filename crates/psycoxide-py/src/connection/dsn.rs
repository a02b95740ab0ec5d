//! Connection strings: parsing, merging with keyword arguments, hiding passwords.

use std::cell::RefCell;

use psycoxide_net::ConnInfo;
use psycoxide_net::config::{Error as ConfigError, is_option};
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::error;
use crate::imports::PARSE_DSN;
use crate::text;

thread_local! {
    /// The string that `connect()` is calling a factory with, and its options.
    static READ: RefCell<Option<(Py<PyAny>, ConnInfo)>> = const { RefCell::new(None) };
}

/// Calls a factory, during which [`read`] does not parse `dsn` again.
///
/// The options are no argument, as a factory is called with the string alone, as in psycopg2.
pub(super) fn with_read<T>(
    dsn: &Bound<'_, PyAny>,
    read: Option<ConnInfo>,
    call: impl FnOnce() -> T,
) -> T {
    let handed = read.map(|read| (dsn.clone().unbind(), read));
    drop(READ.replace(handed));
    let made = call();
    drop(READ.take());
    made
}

/// The options in the connection string that a connection is made with.
///
/// # Errors
/// `TypeError` if it is no str or bytes.
pub(super) fn read(dsn: &Bound<'_, PyAny>) -> PyResult<Result<ConnInfo, ConfigError>> {
    match READ.take() {
        // The same object, so the same text: both types are immutable.
        Some((handed, read)) if handed.is(dsn) => Ok(Ok(read)),
        _ => Ok(ConnInfo::parse(dsn_text(dsn)?)),
    }
}

/// The text of a connection string, a str or bytes.
fn dsn_text(dsn: &Bound<'_, PyAny>) -> PyResult<String> {
    match text::optional(dsn)? {
        Some(text) => Ok(text),
        None => Err(PyTypeError::new_err(format!(
            "argument 1 must be str, not {}",
            dsn.get_type().name()?
        ))),
    }
}

/// The connection string with `xxx` in place of secrets; unchanged if it has none.
pub(super) fn hide_password(read: &ConnInfo) -> String {
    if !read.options().any(|(keyword, _)| keyword.secret) {
        return read.text().to_owned();
    }
    let mut shown = String::with_capacity(read.text().len());
    for (keyword, value) in read.options() {
        append(&mut shown, keyword.name, if keyword.secret { "xxx" } else { value });
    }
    shown
}

/// Appends an option to a connection string, its value quoted if necessary.
fn append(dsn: &mut String, keyword: &str, value: &str) {
    if !dsn.is_empty() {
        dsn.push(' ');
    }
    dsn.push_str(keyword);
    dsn.push('=');
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'\'');
    if !value.is_empty() && value.bytes().all(plain) {
        dsn.push_str(value);
        return;
    }
    let quoted = value.is_empty() || value.contains(is_space);
    if quoted {
        dsn.push('\'');
    }
    for character in value.chars() {
        if matches!(character, '\\' | '\'') {
            dsn.push('\\');
        }
        dsn.push(character);
    }
    if quoted {
        dsn.push('\'');
    }
}

/// Python's `str.isspace()` of one character.
fn is_space(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\x1c'..='\x1f')
}

/// parse_dsn(dsn) -> dict
///
/// The options in a connection string (keywords and values, or a URI) as a dict of str to str,
/// without defaults. Raises ProgrammingError, with libpq's text, if the string is not valid.
#[pyfunction]
fn parse_dsn<'py>(py: Python<'py>, dsn: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (keyword, value) in parsed(dsn_text(dsn)?)?.options() {
        dict.set_item(keyword.name, value)?;
    }
    Ok(dict)
}

fn parsed(dsn: String) -> PyResult<ConnInfo> {
    ConnInfo::parse(dsn).map_err(|error| error::programming(format!("invalid dsn: {error}\n")))
}

/// make_dsn(dsn=None, **kwargs) -> str
///
/// Merge a connection string and keywords into one connection string.
///
/// `dsn` is of either form in the manual's
/// <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING>; without keywords
/// it is returned unchanged. A keyword wins over what `dsn` says; one that is None counts as not
/// given; `database` is another name of `dbname`. Raises ProgrammingError if the result is not
/// valid, TypeError if both `database` and `dbname` are given.
#[pyfunction]
#[pyo3(signature = (dsn=None, **kwargs))]
pub fn make_dsn<'py>(
    py: Python<'py>,
    dsn: Option<Bound<'py, PyAny>>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    merge(py, dsn, kwargs).map(|(dsn, _)| dsn)
}

/// Does the work of `make_dsn`. Also returns the options in the result, unless the program has a
/// `parse_dsn` of its own.
pub(super) fn merge<'py>(
    py: Python<'py>,
    dsn: Option<Bound<'py, PyAny>>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<(Bound<'py, PyAny>, Option<ConnInfo>)> {
    let mut given = Given::default();
    given.options.reserve(kwargs.map_or(0, |kwargs| kwargs.len()));
    let mut database = None;
    for (keyword, value) in kwargs.into_iter().flatten() {
        let keyword = keyword.cast_into::<PyString>()?;
        if keyword.to_str()? == "database" {
            database = Some(value);
        } else {
            given.add(keyword, value)?;
        }
    }
    if let Some(value) = database {
        if given.names_dbname {
            return Err(PyTypeError::new_err(
                "you can't specify both 'database' and 'dbname' arguments",
            ));
        }
        given.add(intern!(py, "dbname").clone(), value)?;
    }
    let mut merged = String::with_capacity(128);
    if let Some(dsn) = dsn {
        let text = dsn_text(&dsn)?;
        let (read, theirs) = match PARSE_DSN.replaced(py)? {
            Some(replaced) => (None, options_of(&replaced.call1((&dsn,))?)?),
            None => (Some(parsed(text)?), Vec::new()),
        };
        if given.options.is_empty() {
            return Ok((dsn, read));
        }
        let theirs = theirs.iter().map(|(name, value)| (&**name, &**value));
        let ours = read.iter().flat_map(ConnInfo::options);
        for (keyword, value) in ours.map(|(keyword, value)| (keyword.name, value)).chain(theirs) {
            match given.take(keyword)? {
                Some(value) => append(&mut merged, keyword, value.str()?.to_str()?),
                None => append(&mut merged, keyword, value),
            }
        }
    }
    for (keyword, value) in &given.options {
        append(&mut merged, keyword.to_str()?, value.str()?.to_str()?);
    }
    let text = PyString::new(py, &merged).into_any();
    if let Some(replaced) = PARSE_DSN.replaced(py)? {
        replaced.call1((&text,))?;
        return Ok((text, None));
    }
    let read = parsed(merged).map_err(|raised| given.unknown_option().unwrap_or(raised))?;
    Ok((text, Some(read)))
}

/// The options that a program's own `parse_dsn` returned.
fn options_of(parsed: &Bound<'_, PyAny>) -> PyResult<Vec<(String, String)>> {
    let text = |value: Bound<'_, PyAny>| PyResult::Ok(value.str()?.to_str()?.to_owned());
    let items = parsed.cast::<PyDict>()?.iter();
    items.map(|(name, value)| Ok((text(name)?, text(value)?))).collect()
}

/// The keyword arguments of a call, in order.
#[derive(Default)]
struct Given<'py> {
    options: Vec<(Bound<'py, PyString>, Bound<'py, PyAny>)>,
    names_dbname: bool,
}

impl<'py> Given<'py> {
    /// Adds a keyword argument; None counts as absent.
    fn add(&mut self, keyword: Bound<'py, PyString>, value: Bound<'py, PyAny>) -> PyResult<()> {
        self.names_dbname |= keyword.to_str()? == "dbname";
        if !value.is_none() {
            self.options.push((keyword, value));
        }
        Ok(())
    }

    /// The error for a keyword argument that is no option. It may show the name, which is no part
    /// of a password, unlike a word in a connection string.
    fn unknown_option(&self) -> Option<PyErr> {
        let is_word = |name: &&str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let mut names = self.options.iter().filter_map(|(keyword, _)| keyword.to_str().ok());
        let unknown = names.find(|name| !is_option(name)).filter(is_word)?;
        let text = format!("invalid dsn: invalid connection option \"{unknown}\"\n");
        Some(error::programming(text))
    }

    /// Removes a keyword argument, and returns its value.
    fn take(&mut self, name: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        for (position, (keyword, _)) in self.options.iter().enumerate() {
            if keyword.to_str()? == name {
                return Ok(Some(self.options.remove(position).1));
            }
        }
        Ok(None)
    }
}

/// Exports `parse_dsn` and `make_dsn`.
pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(parse_dsn, module)?)?;
    module.add_function(wrap_pyfunction!(make_dsn, module)?)
}
