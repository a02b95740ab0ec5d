//! From the raw rows of a result to Python rows.

mod collector;
mod convert;
mod fill;

use psycoxide_proto::{Position, Row, Rows};
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyList};

use crate::cast::{CastPlan, Kept};
use crate::cursor::Cursor;

pub use convert::register;

/// The Python object for one row.
///
/// # Errors
/// What a caster raised: a value that it cannot make, or whatever user code raises.
pub fn build_row<'py>(
    cursor: &Bound<'py, Cursor>,
    row: &Row<'_>,
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

/// A list of the next `count` rows, or of as many as are left.
///
/// # Errors
/// As [`build_row`]; the position is then behind the row that failed, so that a cursor can go on.
pub fn build_rows<'py>(
    cursor: &Bound<'py, Cursor>,
    rows: &Rows,
    position: &mut Position,
    count: usize,
    plan: &CastPlan,
) -> PyResult<Bound<'py, PyList>> {
    let factory = cursor.get().row_maker(cursor.py());
    let cursor = cursor.as_any();
    let kept = Kept::new(cursor);
    let scene = plan.scene(cursor, &kept);
    let _paused = (factory.is_none() && plan.is_native(&kept)).then(collector::pause);
    let next = || {
        let row = rows.next_row(position)?;
        Some(fill::row(&scene, plan, &row, factory.as_ref()))
    };
    fill::list(cursor.py(), count.min(rows.len()), next)
}
