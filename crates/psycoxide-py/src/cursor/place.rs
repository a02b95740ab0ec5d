//! Where in its result a cursor stands, and how it moves on.

use std::sync::Arc;

use psycoxide_proto::Position;

use super::ahead::Ahead;
use super::result::{Fetched, Tuples};

/// Which row is next.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Place {
    /// Its number, from 0.
    pub row: usize,
    /// Where it starts, among the raw rows or the packed ones.
    pub position: Position,
}

impl Fetched {
    /// Whether the result is this one.
    #[inline]
    pub fn is_at(&self, tuples: &Arc<Tuples>) -> bool {
        self.tuples.as_ref().is_some_and(|now| Arc::ptr_eq(now, tuples))
    }

    /// How many rows are left, if there is a result.
    pub fn left(&self) -> Option<usize> {
        self.tuples.as_ref().map(|tuples| tuples.len().saturating_sub(self.place.row))
    }

    /// Goes to a place, while no row is made ahead.
    pub fn go_to(&mut self, place: Place) {
        self.place = place;
        self.since = place.row;
    }

    /// The same in this result: if there is another one meanwhile, that is not where rows were read.
    pub fn reach(&mut self, tuples: &Arc<Tuples>, place: Place) {
        if self.is_at(tuples) {
            self.go_to(place);
        }
    }

    /// Goes on to `next`, after the row at `start` was made. Where a typecaster or a row factory has
    /// moved the cursor meanwhile, it goes on by one row from there, as psycopg2 does. What is
    /// returned is to be dropped without the lock.
    #[must_use]
    pub fn pass(&mut self, tuples: &Arc<Tuples>, start: Place, next: Place) -> Option<Ahead> {
        if self.place == start && self.is_at(tuples) && self.ahead.is_empty() {
            self.place = next;
            return None;
        }
        self.skip()
    }

    /// Goes on by one row. What is returned is to be dropped without the lock.
    #[must_use]
    pub fn skip(&mut self) -> Option<Ahead> {
        let ahead = self.settle();
        if let Some(tuples) = &self.tuples
            && self.place.row < tuples.len()
        {
            self.go_to(tuples.seek(self.place.row + 1));
        }
        Some(ahead)
    }
}
