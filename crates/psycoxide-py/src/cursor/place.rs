//! A cursor's place in its result, and how it moves on.

use std::sync::Arc;

use psycoxide_proto::Position;

use super::read_ahead::ReadAhead;
use super::result::{Fetched, Tuples};

/// Which row is next.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Place {
    /// Its number, from 0.
    pub row: usize,
    /// Where it starts, among the raw rows.
    pub position: Position,
}

impl Fetched {
    /// Whether the result is this one.
    #[inline]
    pub fn holds(&self, tuples: &Arc<Tuples>) -> bool {
        self.tuples.as_ref().is_some_and(|now| Arc::ptr_eq(now, tuples))
    }

    /// How many rows are left, if there is a result.
    pub fn left(&self) -> Option<usize> {
        self.tuples.as_ref().map(|tuples| tuples.len().saturating_sub(self.place.row))
    }

    /// Frees raw rows that were read, if the result can only be read forwards: whole buffers, while
    /// nobody else reads the result.
    pub fn free_read(&mut self) {
        if let Some(tuples) = self.tuples.as_mut().filter(|tuples| tuples.freed.is_some())
            && let Some(Tuples { freed: Some(freed), result, .. }) = Arc::get_mut(tuples)
        {
            *freed += result.rows.release(self.last.position);
        }
    }

    /// Goes to a place. There must be no rows read ahead.
    pub fn go_to(&mut self, place: Place) {
        self.place = place;
        self.last = place;
        self.sequential_since = place.row;
    }

    /// The place of a row: counted on from the last row read if that is near, otherwise looked up.
    pub fn seek(&self, tuples: &Tuples, row: usize) -> Place {
        /// Looking a place up takes about as long as walking over this many rows.
        const NEAR: usize = 64;
        if !(self.last.row..=self.last.row + NEAR).contains(&row) {
            return tuples.seek(row);
        }
        let mut reading = tuples.read(self.last);
        reading.by_ref().take(row - self.last.row).for_each(drop);
        reading.place()
    }

    /// Goes to a place in this result, unless the cursor has another one by now.
    pub fn reach(&mut self, tuples: &Arc<Tuples>, place: Place) {
        if self.holds(tuples) {
            self.go_to(place);
        }
    }

    /// Goes on to `next`, after the row at `start` was made. Returns false if a typecaster or a row
    /// factory has moved the cursor meanwhile.
    #[inline]
    pub fn pass(&mut self, tuples: &Arc<Tuples>, start: Place, next: Place) -> bool {
        let stayed = self.place == start && self.ahead.is_empty() && self.holds(tuples);
        if stayed {
            self.last = start;
            self.place = next;
        }
        stayed
    }

    /// Skips one row. The returned rows are to be dropped without the lock.
    #[must_use]
    pub fn skip(&mut self) -> ReadAhead {
        let ahead = self.undo_read_ahead();
        if let Some(tuples) = &self.tuples
            && self.place.row < tuples.len()
        {
            self.go_to(self.seek(tuples, self.place.row + 1));
        }
        ahead
    }
}
