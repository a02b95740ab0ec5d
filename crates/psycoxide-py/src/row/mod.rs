//! From the raw rows of a result to Python rows.

mod collector;
mod convert;
mod early;
mod fill;

use psycoxide_proto::Row;
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyList};

use crate::cast::{CastPlan, Kept};
use crate::cursor::Cursor;

pub use convert::register;
pub use early::{Early, LONG};

/// What a row is made from.
pub enum Source<'a> {
    /// What came.
    Raw(Row<'a>),
    /// What is kept of each field since it came.
    Early(&'a [Py<PyAny>]),
}

/// The Python object for one row.
///
/// # Errors
/// What a caster raised: a value that it cannot make, or whatever user code raises.
pub fn build_row<'py>(
    cursor: &Bound<'py, Cursor>,
    row: &Source<'_>,
    plan: &CastPlan,
) -> PyResult<Bound<'py, PyAny>> {
    let factory = cursor.get().row_maker(cursor.py());
    let cursor = cursor.as_any();
    let kept = Kept::new(cursor);
    let scene = plan.scene(cursor, &kept);
    match fill::row(&scene, plan, row, factory.as_ref()) {
        Ok(row) => Ok(row.into_bound(cursor.py())),
        Err(raised) => Err(raised.into_error(cursor.py())),
    }
}

/// A list of the `count` rows that `next_row` gives, or of as many as it gives.
///
/// # Errors
/// As [`build_row`]; the row that failed is the last one asked for, so that a cursor can go on.
pub fn build_rows<'a, 'py>(
    cursor: &Bound<'py, Cursor>,
    count: usize,
    mut next_row: impl FnMut() -> Option<Source<'a>>,
    plan: &CastPlan,
) -> PyResult<Bound<'py, PyList>> {
    let factory = cursor.get().row_maker(cursor.py());
    let cursor = cursor.as_any();
    let kept = Kept::new(cursor);
    let scene = plan.scene(cursor, &kept);
    let _paused = (factory.is_none() && plan.is_native(&kept)).then(collector::pause);
    let next = || Some(fill::row(&scene, plan, &next_row()?, factory.as_ref()));
    fill::list(cursor.py(), count, next)
}
