//! The parts of composite values, ranges and multiranges, for the package's casters of such types.

use psycoxide_sql::text::composite;
use psycoxide_sql::text::range::{self, Range};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::error;

/// A field's text. The bytes are valid UTF-8: a part of UTF-8 text, cut at ASCII characters.
fn text<'py>(py: Python<'py>, bytes: Vec<u8>) -> PyResult<Bound<'py, PyString>> {
    PyString::from_encoded_object(&PyBytes::new(py, &bytes), None, None)
}

fn unreadable(what: &str, value: &Bound<'_, PyString>) -> PyErr {
    match value.repr() {
        Ok(shown) => error::interface(format!("{what}: {}", shown.to_string_lossy())),
        Err(error) => error,
    }
}

/// The texts of a composite value's attributes, None for NULL.
#[pyfunction]
pub fn _composite_fields<'py>(
    value: &Bound<'py, PyString>,
) -> PyResult<Vec<Option<Bound<'py, PyString>>>> {
    let py = value.py();
    match composite::fields(value.to_str()?.as_bytes()) {
        Ok(fields) => fields.into_iter().map(|f| f.map(|f| text(py, f)).transpose()).collect(),
        Err(_) => Err(unreadable("can't parse type", value)),
    }
}

/// A range's bounds: `(lower, upper, "[)")` with None where there is no bound, or None if the range
/// is empty.
#[pyfunction]
#[allow(clippy::type_complexity)] // It is Python's tuple.
pub fn _range_bounds<'py>(
    value: &Bound<'py, PyString>,
) -> PyResult<Option<(Option<Bound<'py, PyString>>, Option<Bound<'py, PyString>>, &'static str)>> {
    let py = value.py();
    let bound = |bound: Option<Vec<u8>>| bound.map(|bound| text(py, bound)).transpose();
    match range::range(value.to_str()?.as_bytes()) {
        Ok(Range::Empty) => Ok(None),
        Ok(Range::Between { lower, upper, lower_inclusive, upper_inclusive }) => {
            let marks = match (lower_inclusive, upper_inclusive) {
                (true, true) => "[]",
                (true, false) => "[)",
                (false, true) => "(]",
                (false, false) => "()",
            };
            Ok(Some((bound(lower)?, bound(upper)?, marks)))
        }
        Err(_) => Err(unreadable("failed to parse range", value)),
    }
}

/// The texts of the ranges that a multirange consists of.
#[pyfunction]
pub fn _multirange_ranges<'py>(
    value: &Bound<'py, PyString>,
) -> PyResult<Vec<Bound<'py, PyString>>> {
    let py = value.py();
    match range::multirange(value.to_str()?.as_bytes()) {
        Ok(ranges) => ranges.into_iter().map(|range| text(py, range.to_vec())).collect(),
        Err(_) => Err(unreadable("failed to parse multirange", value)),
    }
}
