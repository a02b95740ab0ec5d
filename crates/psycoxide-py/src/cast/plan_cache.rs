//! A cache of plans: a program asks the same questions over and over.
//!
//! Looking up the casters of a result costs about as much as making a short row. So a connection
//! caches its last plans, each with the casters that it found in the registry. That is a dictionary
//! which the program may change without notice, so a cached plan counts only as long as each of its
//! types still has the same caster.

use std::sync::Arc;

use psycoxide_proto::{Columns, Formats};
use psycoxide_sql::oid;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyInt};

use super::plan::CastPlan;
use super::registry::{self, Registries};
use crate::encoding::TextDecoder;

/// How many plans are cached: a program repeats a handful of statements at a time.
const CAPACITY: usize = 32;
/// The plan for more columns than this is not cached.
const MAX_COLUMNS: usize = 128;

/// The plans of a connection. Their only Python objects are oids and casters that are not written
/// in Python, so the garbage collector need not know of them.
#[derive(Default)]
pub struct PlanCache(Vec<CachedPlan>);

/// A plan, and what it depends on.
pub struct CachedPlan {
    columns: Arc<Columns>,
    types: Vec<CheckedType>,
    plan: Arc<CastPlan>,
}

/// The type of a column, and the caster that the global registry had for it.
struct CheckedType {
    oid: Py<PyInt>,
    caster: Option<Py<PyAny>>,
}

impl CachedPlan {
    /// Whether the registry still has the same casters.
    fn is_current(&self, types: &Bound<'_, PyDict>) -> PyResult<bool> {
        for CheckedType { oid, caster } in &self.types {
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

impl CachedPlan {
    /// A new plan for these columns, and its cache entry. A plan that holds objects of the program,
    /// or is for too many columns, has none.
    ///
    /// `registries` are those of a cursor for which only the global registry counts.
    pub fn resolve(
        registries: &Registries<'_>,
        encoding: TextDecoder,
        columns: &Arc<Columns>,
    ) -> PyResult<(Arc<CastPlan>, Option<Self>)> {
        let mut types = Vec::new();
        let mut note = |oid: Bound<'_, PyInt>, caster: Option<Bound<'_, PyAny>>| {
            types.push(CheckedType { oid: oid.unbind(), caster: caster.map(Bound::unbind) });
        };
        let plan = CastPlan::resolve_noting(registries, encoding, columns, &mut note)?;
        let plan = Arc::new(plan);
        let lasts = plan.is_native_in(&encoding) && columns.len() <= MAX_COLUMNS;
        let cached =
            lasts.then(|| Self { columns: Arc::clone(columns), types, plan: Arc::clone(&plan) });
        Ok((plan, cached))
    }

    /// The plan, if it would be the same now.
    pub fn plan(&self, py: Python<'_>, encoding: &TextDecoder) -> PyResult<Option<Arc<CastPlan>>> {
        let same =
            self.plan.is_native_in(encoding) && self.is_current(registry::string_types(py))?;
        Ok(same.then(|| Arc::clone(&self.plan)))
    }
}

/// The formats chosen for the columns of a statement, and what they depend on.
pub struct ChosenFormats {
    described: Arc<Columns>,
    /// `None`: all columns come in text.
    formats: Option<Arc<Formats>>,
    /// A plan for the columns; without one they are chosen anew each time.
    plan: Option<CachedPlan>,
    /// Whether the session's time zone was UTC, if that matters.
    utc: Option<bool>,
}

impl ChosenFormats {
    /// Formats that were chosen just now.
    ///
    /// `registries` are those of a cursor for which only the global registry counts.
    pub fn new(
        registries: &Registries<'_>,
        encoding: TextDecoder,
        described: &Arc<Columns>,
        formats: Option<Arc<Formats>>,
        utc: bool,
    ) -> PyResult<Self> {
        let (_, plan) = CachedPlan::resolve(registries, encoding, described)?;
        let utc = described.iter().any(|column| has_zone(column.type_oid)).then_some(utc);
        Ok(Self { described: Arc::clone(described), formats, plan, utc })
    }

    /// The formats; `None` if all columns come in text.
    pub fn formats(&self) -> Option<Arc<Formats>> {
        self.formats.clone()
    }

    /// Whether the same formats would be chosen now. `utc` says whether the session's time zone is
    /// UTC.
    pub fn is_current(
        &self,
        py: Python<'_>,
        encoding: &TextDecoder,
        utc: impl FnOnce() -> bool,
    ) -> PyResult<bool> {
        match &self.plan {
            Some(plan) if self.utc.is_none_or(|known| known == utc()) => {
                Ok(plan.plan(py, encoding)?.is_some())
            }
            _ => Ok(false),
        }
    }
}

/// Whether values of a type depend on the session's time zone.
fn has_zone(oid: u32) -> bool {
    matches!(oid, oid::TIMESTAMPTZ | oid::TIMESTAMPTZ_ARRAY)
}

/// The formats of the statements that a connection has run last.
#[derive(Default)]
pub struct FormatCache(Vec<ChosenFormats>);

impl FormatCache {
    /// Takes out the formats for these very columns.
    pub fn take(&mut self, described: &Arc<Columns>) -> Option<ChosenFormats> {
        let index = self.0.iter().position(|chosen| Arc::ptr_eq(&chosen.described, described))?;
        Some(self.0.swap_remove(index))
    }

    /// Adds formats, and returns those that are pushed out, to be dropped without the lock.
    #[must_use]
    pub fn keep(&mut self, chosen: ChosenFormats) -> Option<ChosenFormats> {
        let dropped = (self.0.len() >= CAPACITY).then(|| self.0.remove(0));
        self.0.push(chosen);
        dropped
    }
}

impl PlanCache {
    /// Takes out the plan for these very columns.
    pub fn take(&mut self, columns: &Arc<Columns>) -> Option<CachedPlan> {
        let index = self.0.iter().position(|cached| Arc::ptr_eq(&cached.columns, columns))?;
        Some(self.0.swap_remove(index))
    }

    /// Adds a plan, and returns the one that is pushed out, to be dropped without the lock.
    #[must_use]
    pub fn keep(&mut self, cached: CachedPlan) -> Option<CachedPlan> {
        let dropped = (self.0.len() >= CAPACITY).then(|| self.0.remove(0));
        self.0.push(cached);
        dropped
    }
}
