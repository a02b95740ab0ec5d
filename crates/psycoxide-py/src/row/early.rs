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
use crate::cast::{CastPlan, Kept, early};
use crate::cursor::Cursor;
use crate::session::Session;

/// The average length, in bytes, from which on fields count as long: what an object takes beside
/// its contents is less then than what libpq's tables take.
pub const LONG: usize = 320;

/// The first rows of a result, made ahead.
#[derive(Default)]
pub struct Early {
    /// How each column becomes an object.
    plan: Option<CastPlan>,
    /// What is kept of each field, row by row.
    kept: Vec<Py<PyAny>>,
    rows: usize,
    /// Rows that were taken before it turned out that this is not worth while.
    raw: Rows,
}

impl Early {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Takes the rows that the session has. False if it is to keep those that follow.
    pub fn take(&mut self, cursor: &Bound<'_, Cursor>, session: &Session) -> bool {
        let taken = session.with_engine(|engine| engine.take_rows());
        let Some((columns, rows)) = taken else { return true };
        if rows.before() == 0 {
            // Another statement of the same text.
            *self = Self::default();
        }
        if self.plan.is_none() {
            self.plan = promising(cursor, &columns, &rows);
        }
        let Some(plan) = &self.plan else {
            self.raw = rows;
            return false;
        };
        if !keep(cursor, plan, &rows, &mut self.kept) {
            self.kept.truncate(self.rows * columns.len());
            self.raw = rows;
            return false;
        }
        self.rows += rows.len();
        session.give_back(rows);
        true
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

/// The plan for a result, if most of its bytes belong to fields that can be decoded now.
fn promising(cursor: &Bound<'_, Cursor>, columns: &Columns, rows: &Rows) -> Option<CastPlan> {
    let plan = CastPlan::resolve(cursor, columns).ok()?;
    if !plan.is_utf8() {
        return None;
    }
    let (mut now, mut later) = (0, 0);
    for row in rows.walk(rows.start()) {
        for (decoder, field) in plan.decoders().iter().zip(row.fields()) {
            let length = field.map_or(0, <[u8]>::len);
            *if early::is_early(decoder) { &mut now } else { &mut later } += length;
        }
    }
    (now > later).then_some(plan)
}

/// Decodes as much as can be; false if there is no memory for that.
fn keep(
    cursor: &Bound<'_, Cursor>,
    plan: &CastPlan,
    rows: &Rows,
    kept: &mut Vec<Py<PyAny>>,
) -> bool {
    kept.reserve(rows.len() * plan.decoders().len());
    let py = cursor.py();
    let shared = Kept::new(cursor.as_any());
    let scene = plan.scene(cursor.as_any(), &shared);
    let _paused = collector::pause();
    for row in rows.walk(rows.start()) {
        let mut fields = row.fields();
        for decoder in plan.decoders() {
            match early::keep(decoder, &scene, fields.field()) {
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
