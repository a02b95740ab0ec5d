//! From the raw rows of a result to Python rows.

mod classes;
pub mod collector;
mod early;
mod fill;
mod ordered;
mod record;
mod shape;

use psycoxide_proto::{Position, Row, Rows};
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyList};

use crate::cast::{CastPlan, Kept, Raised, Scene, Value};
use crate::cursor::Cursor;

pub use classes::RowClass;
pub use early::{Early, LONG};
pub use ordered::ordered_row;
pub use shape::{Names, Shape};

/// What a row is made from.
pub enum Source<'a> {
    /// What came.
    Raw(Row<'a>),
    /// What is kept of each field since it came.
    Early(&'a [Py<PyAny>]),
}

/// What rows are made from, one after another.
pub trait Sources<'a>: Iterator<Item = Source<'a>> {
    /// The next one if it came raw, as by far most do.
    fn next_raw(&mut self) -> Option<Row<'a>>;
}

/// Rows made before they are asked for are of so many bytes, or of a few more.
const AHEAD: usize = 16 << 10;

/// The Python object for one row: a tuple, or what `factory` makes of the cursor, with each value
/// assigned to it.
///
/// # Errors
/// What a caster raised: a value that it cannot make, or whatever user code raises.
pub fn build_row<'py>(
    cursor: &Bound<'py, Cursor>,
    row: &Source<'_>,
    plan: &CastPlan,
    kept: &Kept<'py>,
    factory: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let scene = plan.scene(cursor.as_any(), kept);
    let built = match factory {
        None => fill::row(&scene, plan, row),
        Some(factory) => fill::made(&scene, plan, row, factory),
    };
    match built {
        Ok(row) => Ok(row.into_bound(cursor.py())),
        Err(raised) => Err(raised.into_error(cursor.py())),
    }
}

/// A list of the `count` rows that `rows` gives as tuples, or of as many as it gives. The plan is one
/// by which no Python code runs.
///
/// # Errors
/// A value that cannot be made; the row that failed is the last one asked for, so that a cursor can
/// go on.
pub fn build_rows<'a, 'py>(
    cursor: &Bound<'py, Cursor>,
    count: usize,
    rows: &mut impl Sources<'a>,
    plan: &CastPlan,
    kept: &Kept<'py>,
) -> PyResult<Bound<'py, PyList>> {
    let scene = plan.scene(cursor.as_any(), kept);
    let _paused = collector::pause();
    fill::list(cursor.py(), count, || next_row(&scene, plan, rows))
}

/// The next row. A raw one is made in the caller's loop.
#[inline(always)]
fn next_row<'a>(
    scene: &Scene<'_, '_>,
    plan: &CastPlan,
    rows: &mut impl Sources<'a>,
) -> Option<Result<Value, Raised>> {
    match rows.next_raw() {
        Some(row) => Some(fill::row(scene, plan, &Source::Raw(row))),
        None => next_other_row(scene, plan, rows),
    }
}

#[inline(never)]
fn next_other_row<'a>(
    scene: &Scene<'_, '_>,
    plan: &CastPlan,
    rows: &mut impl Sources<'a>,
) -> Option<Result<Value, Raised>> {
    Some(fill::row(scene, plan, &rows.next()?))
}

/// Up to `most` of the rows, as tuples, from `position` on, which then stands behind them.
///
/// None if it could be noticed that they are made before they are asked for. Nor is a row made
/// that cannot be decoded: it fails when it is asked for.
pub fn build_ahead(
    cursor: &Bound<'_, Cursor>,
    rows: &Rows,
    position: &mut Position,
    most: usize,
    plan: &CastPlan,
) -> Vec<Py<PyAny>> {
    let py = cursor.py();
    let cursor = cursor.as_any();
    let kept = Kept::new(cursor);
    if !plan.is_native(&kept) {
        return Vec::new();
    }
    let scene = plan.scene(cursor, &kept);
    let _paused = collector::pause();
    let mut made = Vec::with_capacity(most);
    let mut bytes = 0;
    let mut walk = rows.walk(*position);
    while made.len() < most && bytes < AHEAD {
        let Some(row) = walk.next() else { break };
        bytes += row.size();
        match fill::row(&scene, plan, &Source::Raw(row)) {
            Ok(row) => made.push(row.into_bound(py).unbind()),
            Err(raised) => {
                drop(raised.into_error(py));
                walk = rows.walk(*position);
                walk.by_ref().take(made.len()).for_each(drop);
                break;
            }
        }
    }
    *position = walk.position();
    made
}

/// Exports what `extras` has its rows made with.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    classes::register(module)?;
    record::register(module)
}
