//! Eager rows: decoded while the server is still sending, so that no raw row stays beside its
//! objects.
//!
//! Where fields are long, most of the cost of a result is memory: pages for the raw bytes, then
//! pages for the objects. Fields that are decoded as they arrive pass through one buffer that stays
//! in the cache. Programs cannot see the difference: the objects kept are immutable, and each fetch
//! makes its rows from them. A field that needs the program to be decoded (a typecaster in Python,
//! an error, a `tzinfo_factory`) stays raw until the fetch. Short fields are left alone, as their
//! objects would be larger.

use psycoxide_proto::{Column, Columns, Rows};
use pyo3::prelude::*;
use pyo3::types::PyAny;

use super::collector;
use crate::cast::{CastPlan, FetchContext, eager};

/// The average length of fields, in bytes, from which on rows are decoded eagerly: there an
/// object's overhead is less than that of libpq's tables.
pub const LONG_FIELD: usize = 320;

/// The first rows of a result, decoded eagerly.
#[derive(Default)]
pub struct EagerRows {
    /// How each column becomes an object.
    plan: Option<CastPlan>,
    /// The object of each field, row by row.
    kept: Vec<Py<PyAny>>,
    rows: usize,
    /// Rows that were taken and stay raw, because eager decoding turned out not to pay.
    raw: Rows,
}

impl EagerRows {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Takes the next rows of a result with these columns; `resolve` makes the plan for them.
    /// Returns the rows if they were decoded, so that their memory can be used again. Returns
    /// `None` if these rows and all that follow stay raw.
    pub fn take(
        &mut self,
        fetch: &FetchContext<'_, '_>,
        columns: &Columns,
        rows: Rows,
        resolve: impl FnOnce() -> PyResult<CastPlan>,
    ) -> Option<Rows> {
        if rows.before() == 0 {
            // The rows of another statement in the same query.
            *self = Self::default();
        }
        if self.plan.is_none() {
            self.plan = resolve().ok().filter(|plan| is_promising(plan, &rows));
        }
        let kept = match &self.plan {
            Some(plan) => keep(fetch, plan, &rows, &mut self.kept),
            None => false,
        };
        if !kept {
            self.kept.truncate(self.rows * columns.len());
            self.raw = rows;
            return None;
        }
        self.rows += rows.len();
        Some(rows)
    }

    /// Ends a result whose last rows are `rest`: puts the raw rows that were taken before in front
    /// of these, and returns the eager rows with their plan. `None` if they belong to another
    /// result.
    pub fn complete(mut self: Box<Self>, rest: &mut Rows) -> Option<(Box<Self>, CastPlan)> {
        if self.rows + self.raw.len() != rest.before() {
            return None;
        }
        if !self.raw.is_empty() {
            let mut raw = std::mem::take(&mut self.raw);
            raw.append(std::mem::take(rest));
            *rest = raw;
        }
        self.plan.take().map(|plan| (self, plan))
    }

    /// The fields of a row, in the formats that they came in.
    pub fn fields(
        &self,
        py: Python<'_>,
        index: usize,
        columns: &[Column],
    ) -> PyResult<Vec<Option<Vec<u8>>>> {
        let kept = self.row(index, columns.len()).iter().zip(columns);
        kept.map(|(kept, column)| eager::field(kept.bind(py), column.format != 0)).collect()
    }

    /// The objects of a row's fields.
    pub fn row(&self, index: usize, width: usize) -> &[Py<PyAny>] {
        let start = index.saturating_mul(width);
        self.kept.get(start..start.saturating_add(width)).unwrap_or_default()
    }
}

/// Whether most of the bytes belong to fields that can be decoded now.
fn is_promising(plan: &CastPlan, rows: &Rows) -> bool {
    if !plan.is_utf8() {
        return false;
    }
    let (mut now, mut later) = (0, 0);
    for row in rows.iter_from(rows.start()) {
        for (decoder, field) in plan.decoders().iter().zip(row.fields()) {
            let length = field.map_or(0, <[u8]>::len);
            *if eager::is_eager(decoder) { &mut now } else { &mut later } += length;
        }
    }
    now > later
}

/// Decodes what can be decoded; false if memory runs out.
fn keep(
    fetch: &FetchContext<'_, '_>,
    plan: &CastPlan,
    rows: &Rows,
    kept: &mut Vec<Py<PyAny>>,
) -> bool {
    kept.reserve(rows.len() * plan.decoders().len());
    let context = plan.decoding(fetch);
    let py = context.py;
    let _paused = collector::pause();
    for row in rows.iter_from(rows.start()) {
        let mut fields = row.fields();
        for decoder in plan.decoders() {
            match eager::keep(decoder, &context, fields.field()) {
                Ok(value) => kept.push(value.into_bound(py).unbind()),
                Err(raised) => {
                    drop(raised.into_error(py));
                    return false;
                }
            }
        }
    }
    true
}
