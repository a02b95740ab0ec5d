//! Rows that are written down in short form as they are made.

use psycoxide_proto::{Packing, Walk};
use pyo3::prelude::*;
use pyo3::types::PyList;

use super::fill::{self, Filling};
use super::{Sources, collector, next_row};
use crate::cast::{CastPlan, Kept, Scene, short};
use crate::cursor::Cursor;

/// Whether packed rows are much shorter than raw ones: of texts they are not.
pub fn is_worth_packing(plan: &CastPlan) -> bool {
    let short = plan.decoders().iter().filter(|decoder| short::is_short(decoder)).count();
    plan.is_atomic() && short > 0 && 2 * short >= plan.decoders().len()
}

/// Some rows of a result, while they are made.
pub struct Making<'a, 'py> {
    scene: Scene<'a, 'py>,
    plan: &'a CastPlan,
    list: Filling<'py>,
    _paused: collector::Pause,
}

impl<'a, 'py> Making<'a, 'py> {
    /// A list of `count` rows is to be made, by these: a plan by which no Python code runs.
    ///
    /// # Errors
    /// There is no memory for the list.
    pub fn begin(
        cursor: &'a Bound<'py, Cursor>,
        plan: &'a CastPlan,
        kept: &'a Kept<'py>,
        count: usize,
    ) -> PyResult<Self> {
        let list = Filling::new(cursor.py(), count)?;
        let scene = plan.scene(cursor.as_any(), kept);
        Ok(Self { scene, plan, list, _paused: collector::pause() })
    }

    /// How many rows were made.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether all of them were made.
    pub fn is_full(&self) -> bool {
        self.list.is_full()
    }

    /// Makes rows and packs them, until there is no more room for the one or the other.
    ///
    /// # Errors
    /// What a caster raised; the row that failed is the last one taken.
    pub fn pack(&mut self, rows: &mut Walk<'_>, packing: &mut Packing) -> PyResult<()> {
        while !self.list.is_full() && !packing.is_full() {
            let Some(row) = rows.next() else { break };
            let (scene, plan) = (&self.scene, self.plan);
            let made = packing.row(row.size(), |writer| fill::noted(scene, plan, row, writer));
            self.list.push(made.map_err(|raised| raised.into_error(scene.py))?);
        }
        Ok(())
    }

    /// Makes all other rows as well, without packing them, and answers the list.
    ///
    /// # Errors
    /// As above.
    pub fn finish<'b>(mut self, rows: &mut impl Sources<'b>) -> PyResult<Bound<'py, PyList>> {
        while !self.list.is_full() {
            let Some(made) = next_row(&self.scene, self.plan, rows) else { break };
            self.list.push(made.map_err(|raised| raised.into_error(self.scene.py))?);
        }
        self.list.finish()
    }
}
