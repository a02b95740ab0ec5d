//! Rows made while the server is still sending: nothing of what came is kept beside the objects.
//!
//! Where fields are long, most of what a result costs is memory: pages for the bytes that came, then
//! pages for the objects. Decoded as they come, fields pass through one buffer that stays in the
//! cache. Nobody can tell: what is kept is immutable, rows are made of it at each fetch, and what
//! cannot be decoded without the user (a typecaster in Python, an error, a `tzinfo_factory`) is
//! kept as it came, until then. Short fields are left alone, as their objects would be larger.

use psycoxide_proto::{Columns, Rows};
use pyo3::prelude::*;
use pyo3::types::PyAny;

use super::collector;
use crate::cast::{CastPlan, FetchContext, eager};

/// The average length, in bytes, from which on fields count as long: what an object takes beside
/// its contents is less then than what libpq's tables take.
pub const LONG_FIELD: usize = 320;

/// The first rows of a result, made ahead.
#[derive(Default)]
pub struct EagerRows {
    /// How each column becomes an object.
    plan: Option<CastPlan>,
    /// What is kept of each field, row by row.
    kept: Vec<Py<PyAny>>,
    rows: usize,
    /// Rows that were taken before it turned out that this is not worth while.
    raw: Rows,
}

impl EagerRows {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Takes the next rows of a result with these columns, whose plan `resolve` gives. Returns rows
    /// that were decoded, for their memory to be used again; nothing if these and those that follow
    /// are to stay as they come.
    pub fn take(
        &mut self,
        fetch: &FetchContext<'_, '_>,
        columns: &Columns,
        rows: Rows,
        resolve: impl FnOnce() -> PyResult<CastPlan>,
    ) -> Option<Rows> {
        if rows.before() == 0 {
            // Another statement of the same text.
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

    /// The same rows, with the plan that they were made by, and all others of the result: `rest`
    /// are the last ones. Nothing if they were another result's.
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

    /// What is kept of a row's fields.
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

/// Decodes as much as can be; false if there is no memory for that.
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
