//! `Xid`: a transaction identifier of two-phase commit (X/Open XA, PEP 249).

use pyo3::exceptions::{PyIndexError, PyOverflowError, PyTypeError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};

use crate::imports;

/// The longest `gtrid` and `bqual` of the XA specification.
const MAX_LENGTH: usize = 64;

/// A transaction identifier: behaves as the triple `(format_id, gtrid, bqual)`.
#[pyclass(module = "psycoxide.extensions", subclass)]
#[derive(Default)]
pub struct Xid {
    /// The format of the identifier; `None` if it was not made by `xid()`.
    #[pyo3(get)]
    format_id: Option<i32>,
    /// The global transaction id, or the whole identifier if its format is not ours.
    #[pyo3(get)]
    gtrid: Option<String>,
    /// The branch qualifier, or `None`.
    #[pyo3(get)]
    bqual: Option<String>,
    /// The time when the transaction was prepared: a `datetime`, or `None` unless it is from
    /// `tpc_recover()`.
    #[pyo3(get)]
    prepared: Option<Py<PyAny>>,
    /// The role that prepared the transaction.
    #[pyo3(get)]
    owner: Option<Py<PyAny>>,
    /// The database in which the transaction was prepared.
    #[pyo3(get)]
    database: Option<Py<PyAny>>,
}

impl Xid {
    /// An identifier with the other columns of `pg_prepared_xacts`.
    pub fn recovered(
        py: Python<'_>,
        gid: &str,
        prepared: Py<PyAny>,
        owner: Py<PyAny>,
        database: Py<PyAny>,
    ) -> Self {
        Self {
            prepared: Some(prepared),
            owner: Some(owner),
            database: Some(database),
            ..Self::parse(py, gid)
        }
    }

    /// The `Xid` that a user gave: one of ours, or any string.
    pub fn from_object<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Self>> {
        if let Ok(xid) = object.cast::<Self>() {
            return Ok(xid.clone());
        }
        let text = object
            .cast::<PyString>()
            .map_err(|_| PyTypeError::new_err("not a valid transaction id"))?;
        Bound::new(object.py(), Self::parse(object.py(), text.to_str()?))
    }

    /// The string that the server knows the transaction by: compatible with pgjdbc's.
    pub fn text(&self, py: Python<'_>) -> PyResult<String> {
        let gtrid = self.gtrid.as_deref().unwrap_or_default();
        let Some(format_id) = self.format_id else { return Ok(gtrid.to_owned()) };
        let gtrid = encode(py, gtrid)?;
        let bqual = encode(py, self.bqual.as_deref().unwrap_or_default())?;
        Ok(format!("{format_id}_{gtrid}_{bqual}"))
    }

    fn parse(py: Python<'_>, text: &str) -> Self {
        let (format_id, gtrid, bqual) = match split(py, text) {
            Some((format_id, gtrid, bqual)) => (Some(format_id), gtrid, Some(bqual)),
            None => (None, text.to_owned(), None),
        };
        Self { format_id, gtrid: Some(gtrid), bqual, ..Self::default() }
    }
}

fn encode(py: Python<'_>, text: &str) -> PyResult<String> {
    imports::B64ENCODE
        .bind(py)?
        .call1((PyBytes::new(py, text.as_bytes()),))?
        .call_method0("decode")?
        .extract()
}

/// The parts of `format_gtrid_bqual`, if the text has that form.
fn split(py: Python<'_>, text: &str) -> Option<(i32, String, String)> {
    let mut parts = text.splitn(3, '_');
    let format_id = parts.next()?;
    if format_id.is_empty() || !format_id.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let decode = |part: &str| -> Option<String> {
        let bytes = imports::B64DECODE.bind(py).ok()?.call1((part,)).ok()?;
        let text = String::from_utf8(bytes.extract().ok()?).ok()?;
        // An identifier is one of ours only if it would be written the same way again.
        (encode(py, &text).ok()? == part).then_some(text)
    };
    let (gtrid, bqual) = (parts.next()?, parts.next()?);
    Some((format_id.parse().ok()?, decode(gtrid)?, decode(bqual)?))
}

fn check(name: &str, value: &str) -> PyResult<()> {
    if value.len() > MAX_LENGTH {
        return Err(PyValueError::new_err(format!(
            "{name} must be a string no longer than 64 characters"
        )));
    }
    if !value.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return Err(PyValueError::new_err(format!(
            "{name} must contain only printable characters."
        )));
    }
    Ok(())
}

#[pymethods]
impl Xid {
    /// An instance before its `__init__`. Subclasses may pass any arguments.
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn blank(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self::default()
    }

    fn __init__(
        slf: &Bound<'_, Self>,
        format_id: i64,
        gtrid: String,
        bqual: String,
    ) -> PyResult<()> {
        let format_id = i32::try_from(format_id).map_err(|_| {
            PyOverflowError::new_err(match format_id {
                0.. => "signed integer is greater than maximum",
                _ => "signed integer is less than minimum",
            })
        })?;
        if format_id < 0 {
            return Err(PyValueError::new_err("format_id must be a non-negative 32-bit integer"));
        }
        check("gtrid", &gtrid)?;
        check("bqual", &bqual)?;
        let format_id = Some(format_id);
        let made = Self { format_id, gtrid: Some(gtrid), bqual: Some(bqual), ..Self::default() };
        let old = std::mem::replace(&mut *slf.try_borrow_mut()?, made);
        // Dropped after the borrow: a destructor may run Python code that looks at this object.
        drop(old);
        Ok(())
    }

    /// The `Xid` with this string form; `(None, s, None)` if the string has another form.
    #[staticmethod]
    fn from_string(py: Python<'_>, s: &str) -> Self {
        Self::parse(py, s)
    }

    fn __len__(&self) -> usize {
        3
    }

    fn __getitem__<'py>(&self, py: Python<'py>, index: isize) -> PyResult<Bound<'py, PyAny>> {
        match index {
            0 | -3 => Ok(self.format_id.into_pyobject(py)?),
            1 | -2 => Ok(self.gtrid.as_deref().into_pyobject(py)?),
            2 | -1 => Ok(self.bqual.as_deref().into_pyobject(py)?),
            _ => Err(PyIndexError::new_err("index out of range")),
        }
    }

    fn __str__(&self, py: Python<'_>) -> PyResult<String> {
        self.text(py)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let gtrid = self.gtrid.as_deref().into_pyobject(py)?.repr()?;
        let Some(format_id) = self.format_id else {
            return Ok(format!("<Xid: {gtrid} (unparsed)>"));
        };
        let bqual = self.bqual.as_deref().into_pyobject(py)?.repr()?;
        Ok(format!("<Xid: ({format_id}, {gtrid}, {bqual})>"))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        [&self.prepared, &self.owner, &self.database]
            .into_iter()
            .try_for_each(|field| visit.call(field))
    }
}

/// Exports `Xid`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Xid>()
}
