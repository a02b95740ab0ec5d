//! From the raw rows of a result to Python rows.

mod build;
mod classes;
pub mod collector;
mod eager;
mod named_tuple;
mod ordered;
mod row_type;

use std::borrow::Cow;

use psycoxide_proto::{Position, Row, Rows};
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyList};

use crate::cast::{CastPlan, DecodeContext, FetchContext};
use crate::object::{Raised, Value};

pub use classes::RowClass;
pub use eager::{EagerRows, LONG_FIELD};
pub use named_tuple::NamedTupleClass;
pub use ordered::ordered_row;
pub use row_type::{RowKeys, RowMaker, RowType};

/// A row as the client holds it.
pub enum StoredRow<'a> {
    /// The fields' bytes, as they arrived.
    Raw(Row<'a>),
    /// An object for each field, decoded when it arrived.
    Eager(&'a [Py<PyAny>]),
}

/// Rows as the client holds them, one after another.
pub trait StoredRows<'a>: Iterator<Item = StoredRow<'a>> {
    /// The next row if it is raw, as by far most are.
    fn next_raw(&mut self) -> Option<Row<'a>>;
}

/// Soft limit of rows read ahead, in bytes as they arrived.
const READ_AHEAD_BYTES: usize = 16 << 10;

/// The Python object for one row: a tuple, or what `factory` makes of the cursor, with each value
/// assigned to it.
///
/// # Errors
/// The exception of a caster or of other user code, or that of a value that cannot be decoded.
pub fn build_row<'py>(
    fetch: &FetchContext<'_, 'py>,
    row: &StoredRow<'_>,
    plan: &CastPlan,
    factory: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let context = plan.decoding(fetch);
    let built = match factory {
        None => build::tuple(&context, plan, row),
        Some(factory) => build::by_factory(&context, plan, row, factory),
    };
    match built {
        Ok(row) => Ok(row.into_bound(context.py)),
        Err(raised) => Err(raised.into_error(context.py)),
    }
}

/// The fields of one row of COPY as a tuple.
///
/// # Errors
/// The exception of a caster, or that of a value that cannot be decoded.
pub fn build_copied<'py>(
    fetch: &FetchContext<'_, 'py>,
    plan: &CastPlan,
    fields: &[Option<Cow<'_, [u8]>>],
) -> PyResult<Bound<'py, PyAny>> {
    let context = plan.decoding(fetch);
    match build::copied(&context, plan, fields) {
        Ok(row) => Ok(row.into_bound(context.py)),
        Err(raised) => Err(raised.into_error(context.py)),
    }
}

/// A list of up to `count` rows as tuples. The plan must be one that runs no Python code.
///
/// # Errors
/// The exception of a value that cannot be decoded. The failed row is the last one taken from
/// `rows`, so that a cursor can go on behind it.
pub fn build_rows<'a, 'py>(
    fetch: &FetchContext<'_, 'py>,
    count: usize,
    rows: &mut impl StoredRows<'a>,
    plan: &CastPlan,
) -> PyResult<Bound<'py, PyList>> {
    let context = plan.decoding(fetch);
    let _paused = collector::pause();
    build::list(context.py, count, || next_row(&context, plan, rows))
}

/// The next row. For a raw one, this is inlined into the caller's loop.
#[inline(always)]
fn next_row<'a>(
    context: &DecodeContext<'_, '_>,
    plan: &CastPlan,
    rows: &mut impl StoredRows<'a>,
) -> Option<Result<Value, Raised>> {
    match rows.next_raw() {
        Some(row) => Some(build::tuple(context, plan, &StoredRow::Raw(row))),
        None => next_other_row(context, plan, rows),
    }
}

#[inline(never)]
fn next_other_row<'a>(
    context: &DecodeContext<'_, '_>,
    plan: &CastPlan,
    rows: &mut impl StoredRows<'a>,
) -> Option<Result<Value, Raised>> {
    Some(build::tuple(context, plan, &rows.next()?))
}

/// Reads ahead: up to `most` of the raw rows, as tuples, from `position` on, which then is behind
/// them.
///
/// Makes no rows if Python code would run, which could see that they are made before they are asked
/// for. Stops before a row that cannot be decoded: it fails when it is asked for.
pub fn build_ahead(
    fetch: &FetchContext<'_, '_>,
    rows: &Rows,
    position: &mut Position,
    most: usize,
    plan: &CastPlan,
) -> Vec<Py<PyAny>> {
    if !plan.is_native(fetch) {
        return Vec::new();
    }
    let context = plan.decoding(fetch);
    let py = context.py;
    let _paused = collector::pause();
    let mut made = Vec::with_capacity(most);
    let mut bytes = 0;
    let mut walk = rows.iter_from(*position);
    while made.len() < most && bytes < READ_AHEAD_BYTES {
        let Some(row) = walk.next() else { break };
        bytes += row.size();
        match build::tuple(&context, plan, &StoredRow::Raw(row)) {
            Ok(row) => made.push(row.into_bound(py).unbind()),
            Err(raised) => {
                drop(raised.into_error(py));
                walk = rows.iter_from(*position);
                walk.by_ref().take(made.len()).for_each(drop);
                break;
            }
        }
    }
    *position = walk.position();
    made
}

/// Exports the functions that make the rows of `extras`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    classes::register(module)?;
    named_tuple::register(module)
}
