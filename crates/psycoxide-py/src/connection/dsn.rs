//! Connection strings: read, merged with keywords, and shown without their passwords.

use psycoxide_net::Config;
use psycoxide_net::config::{is_option, is_secret};
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::error;
use crate::imports::PARSE_DSN;
use crate::text;

/// The text of a connection string, a str or bytes.
pub(super) fn dsn_text(dsn: &Bound<'_, PyAny>) -> PyResult<String> {
    match text::optional(dsn)? {
        Some(text) => Ok(text),
        None => Err(PyTypeError::new_err(format!(
            "argument 1 must be str, not {}",
            dsn.get_type().name()?
        ))),
    }
}

/// The connection string with `xxx` for its password; unchanged if it has none.
pub(super) fn hide_password(dsn: &str) -> String {
    if Config::is_known(dsn) {
        return dsn.to_owned();
    }
    let Ok(options) = Config::parse_dsn(dsn) else {
        return String::new();
    };
    if !options.iter().any(|(name, _)| is_secret(name)) {
        return dsn.to_owned();
    }
    let mut shown = String::with_capacity(dsn.len());
    for (name, value) in &options {
        append(&mut shown, name, if is_secret(name) { "xxx" } else { value });
    }
    shown
}

/// Appends an option to a connection string, its value quoted if need be.
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
    for (name, value) in parsed(&dsn_text(dsn)?)? {
        dict.set_item(name, value)?;
    }
    Ok(dict)
}

fn parsed(dsn: &str) -> PyResult<Vec<(String, String)>> {
    Config::parse_dsn(dsn).map_err(|error| error::programming(format!("invalid dsn: {error}\n")))
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
        let replaced = PARSE_DSN.replaced(py)?;
        if given.options.is_empty() && Config::is_known(&text) && replaced.is_none() {
            return Ok(dsn);
        }
        let options = match replaced {
            Some(replaced) => options_of(&replaced.call1((&dsn,))?)?,
            None => parsed(&text)?,
        };
        if given.options.is_empty() {
            return Ok(dsn);
        }
        for (keyword, value) in options {
            match given.take(&keyword)? {
                Some(value) => append(&mut merged, &keyword, value.str()?.to_str()?),
                None => append(&mut merged, &keyword, &value),
            }
        }
    }
    for (keyword, value) in &given.options {
        append(&mut merged, keyword.to_str()?, value.str()?.to_str()?);
    }
    if let Some(replaced) = PARSE_DSN.replaced(py)? {
        replaced.call1((&merged,))?;
    } else if !Config::is_known(&merged) {
        parsed(&merged).map_err(|raised| given.unknown_option().unwrap_or(raised))?;
    }
    Ok(PyString::new(py, &merged).into_any())
}

/// The options in what a program's own `parse_dsn` gives.
fn options_of(parsed: &Bound<'_, PyAny>) -> PyResult<Vec<(String, String)>> {
    let text = |value: Bound<'_, PyAny>| PyResult::Ok(value.str()?.to_str()?.to_owned());
    let items = parsed.cast::<PyDict>()?.iter();
    items.map(|(name, value)| Ok((text(name)?, text(value)?))).collect()
}

/// The keywords that a call gives, and their values, in order.
#[derive(Default)]
struct Given<'py> {
    options: Vec<(Bound<'py, PyString>, Bound<'py, PyAny>)>,
    names_dbname: bool,
}

impl<'py> Given<'py> {
    /// Adds a keyword; one that is None counts as not given.
    fn add(&mut self, keyword: Bound<'py, PyString>, value: Bound<'py, PyAny>) -> PyResult<()> {
        self.names_dbname |= keyword.to_str()? == "dbname";
        if !value.is_none() {
            self.options.push((keyword, value));
        }
        Ok(())
    }

    /// The error that a keyword is no option, which may be named: it is no part of a password, as a
    /// word of a connection string may be.
    fn unknown_option(&self) -> Option<PyErr> {
        let is_word = |name: &&str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let mut names = self.options.iter().filter_map(|(keyword, _)| keyword.to_str().ok());
        let unknown = names.find(|name| !is_option(name)).filter(is_word)?;
        let text = format!("invalid dsn: invalid connection option \"{unknown}\"\n");
        Some(error::programming(text))
    }

    /// Takes the value of a keyword out.
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
