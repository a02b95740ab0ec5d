//! Large results shrink while they are fetched.
//!
//! `scroll()` may go back to any row, so a result is kept beside the objects that were made of it, and
//! both together are the most memory that a program ever has. A large one is therefore written down in
//! short form, as the rows are made, and what came is freed piece by piece. Nobody can tell: only
//! values are packed that Python code has no part in, and made again they are equal.

use std::sync::Arc;

use psycoxide_proto::{Packed, Packing, Position};
use pyo3::prelude::*;
use pyo3::types::PyList;

use super::Cursor;
use super::place::Place;
use super::result::{Fetched, First, Tuples};
use crate::cast::{CastPlan, Kept};
use crate::row::{Making, is_worth_packing};

/// Results that take so many bytes are packed: of smaller ones the memory hardly counts beside the
/// interpreter's own and what its allocator keeps, so that they are not to pay for it.
const LARGE: usize = 64 << 20;

/// A fetch packs if its rows take so many bytes at least: more than is freed at once.
const MANY: usize = 4 << 20;

impl Tuples {
    /// Whether a fetch of the `count` rows from a place on should pack them.
    fn is_worth_packing(&self, place: Place, count: usize) -> bool {
        let rows = &self.result.rows;
        // Packed rows are the first ones: this fetch has to begin behind them.
        if place.row != self.first() || rows.is_empty() {
            return false;
        }
        let memory = rows.memory();
        let large = match &self.first {
            First::Raw => memory >= LARGE,
            First::Early(_) => false,
            First::Packed(_) => true,
        };
        large && memory / rows.len() * count >= MANY && is_worth_packing(&self.plan)
    }

    /// Has the next rows packed instead of raw; answers where to go on, if that is possible.
    fn pack(&mut self, packing: Packing, end: Position) -> Option<Packing> {
        if let First::Raw = self.first {
            self.first = First::Packed(Box::new(Packed::new(self.plan.decoders().len())));
        }
        match &mut self.first {
            First::Packed(packed) => packed.append(packing, &mut self.result.rows, end),
            _ => None,
        }
    }
}

impl Fetched {
    /// The same for the cursor's result, if that is still `tuples` and nobody else reads it.
    fn pack(
        &mut self,
        tuples: &mut Arc<Tuples>,
        packing: Packing,
        end: Position,
    ) -> Option<Packing> {
        if !self.is_at(tuples) || !self.ahead.is_empty() {
            return None;
        }
        self.tuples = None;
        let next = Arc::get_mut(tuples).and_then(|tuples| tuples.pack(packing, end));
        self.tuples = Some(Arc::clone(tuples));
        if next.is_some() && self.place.row < tuples.first() {
            self.go_to(tuples.seek(self.place.row));
        }
        next
    }
}

impl Cursor {
    /// A list of the `count` rows from a place on, which are packed if that is worth while. Nothing
    /// if it is not. No Python code runs by the result's plan.
    ///
    /// # Errors
    /// What a caster raised; the next fetch goes on behind the row that failed.
    pub(super) fn pack_rows<'py>(
        slf: &Bound<'py, Self>,
        tuples: &mut Arc<Tuples>,
        place: Place,
        count: usize,
        kept: &Kept<'py>,
    ) -> PyResult<Option<Bound<'py, PyList>>> {
        if !tuples.is_worth_packing(place, count) {
            return Ok(None);
        }
        let plan: Arc<CastPlan> = Arc::clone(&tuples.plan);
        let making = Making::begin(slf, &plan, kept, count)?;
        Self::make_packed(slf, tuples, place, making).map(Some)
    }

    fn make_packed<'py>(
        slf: &Bound<'py, Self>,
        tuples: &mut Arc<Tuples>,
        start: Place,
        mut making: Making<'_, 'py>,
    ) -> PyResult<Bound<'py, PyList>> {
        let mut place = start;
        let mut packing = Some(Packing::new(tuples.plan.decoders().len()));
        while !making.is_full()
            && let Some(mut portion) = packing.take()
        {
            let mut rows = tuples.result.rows.walk(place.position);
            let made = making.pack(&mut rows, &mut portion);
            place = Place { row: start.row + making.len(), position: rows.position() };
            let mut state = slf.get().state(slf.py());
            if let Err(error) = made {
                // The row that failed is passed over; those of this portion stay raw.
                place.row += 1;
                state.fetched.reach(tuples, place);
                return Err(error);
            }
            if !portion.is_empty() {
                packing = state.fetched.pack(tuples, portion, place.position);
            }
        }
        // Somebody else reads the result: the rest of it stays as it is.
        let mut reading = tuples.read(place);
        let list = making.finish(&mut reading);
        slf.get().state(slf.py()).fetched.reach(tuples, reading.place());
        list
    }
}
