//! Rows made a few at a time for who asks for one at a time.
//!
//! What a row costs by itself (locks, the surroundings of its decoders) is paid once for all of them.
//! Nobody can tell: no code of the user's runs while they are made, and what would make them different (another `tzinfo_factory`, another place in the result)
//! has them made anew. They are tuples: what else a row is to be is seen to when it is handed out.

use std::sync::Arc;
use std::vec::IntoIter;

use pyo3::prelude::*;

use super::Cursor;
use super::place::Place;
use super::result::{Fetched, Tuples};
use crate::row;

/// At most so many rows at a time: their objects stay in the fastest cache.
const MOST: usize = 32;

/// Rows that were made and not handed out yet.
#[derive(Default)]
pub struct Ahead(IntoIter<Py<PyAny>>);

impl Ahead {
    /// Whether no row is left.
    pub fn is_empty(&self) -> bool {
        self.0.len() == 0
    }
}

impl Fetched {
    /// The next row, if it is made.
    #[inline]
    pub fn next_ahead(&mut self) -> Option<Py<PyAny>> {
        let row = self.ahead.0.next()?;
        self.place.row += 1;
        Some(row)
    }

    /// How many rows to make at the next place: who asks for one only gets no more made, who goes on
    /// soon gets many. No more than were taken one by one so far, so that what has to be made anew
    /// is never the larger part, whatever comes between.
    #[inline]
    pub fn worth_making(&self) -> Option<(Arc<Tuples>, usize)> {
        let most = self.place.row.saturating_sub(self.since).min(MOST);
        let tuples =
            self.tuples.as_ref().filter(|tuples| most > 1 && tuples.plan.may_be_native())?;
        (self.place.row >= tuples.first()).then(|| (Arc::clone(tuples), most))
    }

    /// Forgets the rows made ahead: the place is that of the next row then. What is returned is to be
    /// dropped without the lock.
    #[must_use]
    pub fn settle(&mut self) -> Ahead {
        let ahead = std::mem::take(&mut self.ahead);
        if !ahead.is_empty()
            && let Some(tuples) = &self.tuples
        {
            let start = self.last;
            let mut reading = tuples.read(start);
            reading.by_ref().take(self.place.row - start.row).for_each(drop);
            self.go_to(reading.place());
            self.last = start;
        }
        ahead
    }
}

impl Cursor {
    /// Makes so many rows of this result from this place on, or fewer, and answers the first.
    /// Nothing if that could be noticed, or if another thread went on meanwhile.
    pub(super) fn make_ahead<'py>(
        slf: &Bound<'py, Self>,
        tuples: &Arc<Tuples>,
        start: Place,
        most: usize,
    ) -> Option<Bound<'py, PyAny>> {
        let mut position = start.position;
        let made = row::build_ahead(
            &Self::fetch_context(slf),
            &tuples.result.rows,
            &mut position,
            most,
            &tuples.plan,
        );
        let mut rows = made.into_iter();
        let first = rows.next()?.into_bound(slf.py());
        let mut state = slf.get().state(slf.py());
        let fetched = &mut state.fetched;
        if !fetched.is_at(tuples) || fetched.place != start {
            drop(state);
            return None;
        }
        fetched.place = Place { row: start.row + 1, position };
        fetched.last = start;
        let old = std::mem::replace(&mut fetched.ahead, Ahead(rows));
        drop(state);
        drop(old);
        Some(first)
    }
}
