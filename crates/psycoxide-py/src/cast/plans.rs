//! Plans that are used again: a program asks the same questions over and over.
//!
//! Looking up the casters of a result costs about as much as making a short row. So a connection
//! keeps its last plans, each with what it found in the registry. That is a dictionary which the
//! program may change, and nothing tells that it did: a plan holds as long as each of its types
//! still has the very caster that it had.

use std::sync::Arc;

use psycoxide_proto::Columns;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyInt};

use super::plan::CastPlan;
use super::{registry, surroundings};
use crate::cursor::Cursor;

/// So many plans are kept: the engine remembers no more results' columns either.
const MOST: usize = 4;
/// A result with more columns than this has its plan made each time.
const WIDEST: usize = 128;

/// The plans of a connection. None holds anything of Python's but types' numbers and casters that
/// are not written in Python, so that the garbage collector need not know of them.
#[derive(Default)]
pub struct Plans(Vec<Known>);

/// A plan, and what it was made from.
struct Known {
    columns: Arc<Columns>,
    types: Vec<Type>,
    plan: Arc<CastPlan>,
}

/// The type of a column, and what the registry of all connections had for it.
struct Type {
    oid: Py<PyInt>,
    caster: Option<Py<PyAny>>,
}

impl Known {
    /// Whether the registry still has the same casters.
    fn holds(&self, types: &Bound<'_, PyDict>) -> PyResult<bool> {
        for Type { oid, caster } in &self.types {
            let found = types.get_item(oid)?;
            let same = match (&found, caster) {
                (Some(found), Some(caster)) => found.is(caster),
                (None, None) => true,
                _ => false,
            };
            if !same {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Plans {
    /// Takes out the plan for these very columns.
    fn take(&mut self, columns: &Arc<Columns>) -> Option<Known> {
        let index = self.0.iter().position(|known| Arc::ptr_eq(&known.columns, columns))?;
        Some(self.0.swap_remove(index))
    }

    /// Keeps a plan. What is returned is to be dropped without the lock.
    #[must_use]
    fn keep(&mut self, known: Known) -> Option<Known> {
        let dropped = (self.0.len() >= MOST).then(|| self.0.remove(0));
        self.0.push(known);
        dropped
    }
}

impl CastPlan {
    /// The plan for a result with these columns, as [`CastPlan::resolve`] makes it.
    pub fn of(cursor: &Bound<'_, Cursor>, columns: &Arc<Columns>) -> PyResult<Arc<Self>> {
        let py = cursor.py();
        let connection = cursor.get().connection(py)?.get();
        let own_types = cursor.get().registered_types(py).is_some_and(|types| !types.is_empty())
            || !connection.string_types(py).is_empty();
        if own_types || columns.len() > WIDEST {
            return Ok(Arc::new(Self::resolve(cursor, columns)?));
        }
        let taken = connection.state(cursor.py()).plans.take(columns);
        if let Some(known) = taken
            && known.plan.is_native_in(&surroundings::encoding(cursor.as_any()))
            && known.holds(registry::string_types(py))?
        {
            let plan = Arc::clone(&known.plan);
            let dropped = connection.state(cursor.py()).plans.keep(known);
            drop(dropped);
            return Ok(plan);
        }
        Self::make(cursor, columns)
    }

    /// A new plan, which is kept.
    #[inline(never)]
    fn make(cursor: &Bound<'_, Cursor>, columns: &Arc<Columns>) -> PyResult<Arc<Self>> {
        let connection = cursor.get().connection(cursor.py())?.get();
        let mut types = Vec::new();
        let mut note = |oid: Bound<'_, PyInt>, caster: Option<Bound<'_, PyAny>>| {
            types.push(Type { oid: oid.unbind(), caster: caster.map(Bound::unbind) });
        };
        let plan = Arc::new(Self::resolve_noting(cursor, columns, &mut note)?);
        if plan.is_native_in(&surroundings::encoding(cursor.as_any())) {
            let known = Known { columns: Arc::clone(columns), types, plan: Arc::clone(&plan) };
            let dropped = connection.state(cursor.py()).plans.keep(known);
            drop(dropped);
        }
        Ok(plan)
    }
}
