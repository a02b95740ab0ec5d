//! Reading rows.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use pyo3::prelude::*;
use pyo3::types::PyList;

use super::Cursor;
use super::result::{Place, Tuples};
use crate::error;
use crate::row;
use crate::session::Session;

/// What the client has of a result.
enum Next<'py> {
    Row(Bound<'py, PyAny>),
    End,
    NoResult,
}

fn nothing_to_fetch() -> PyErr {
    error::programming("no results to fetch")
}

impl Cursor {
    /// Refuses to fetch where there is nothing that could be fetched.
    fn tuples(&self) -> PyResult<(Arc<Tuples>, Place)> {
        let mut state = self.state();
        let fetched = &mut state.fetched;
        let ahead = fetched.settle();
        let found = fetched.tuples.clone().map(|tuples| (tuples, fetched.place));
        drop(state);
        drop(ahead);
        found.ok_or_else(nothing_to_fetch)
    }

    /// The next row that the client has.
    fn next_row<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        match Self::next_of_result(slf)? {
            Next::Row(row) => Ok(Some(row)),
            Next::End => Ok(None),
            Next::NoResult => Err(nothing_to_fetch()),
        }
    }

    #[inline]
    fn next_of_result<'py>(slf: &Bound<'py, Self>) -> PyResult<Next<'py>> {
        if let Some(row) = slf.get().state().fetched.next_ahead() {
            return Ok(Next::Row(row.into_bound(slf.py())));
        }
        Self::make_next(slf)
    }

    /// The next row that is not made yet.
    #[inline(never)]
    fn make_next<'py>(slf: &Bound<'py, Self>) -> PyResult<Next<'py>> {
        let py = slf.py();
        let mut state = slf.get().state();
        if let Some((tuples, most)) = state.fetched.worth_making() {
            let start = state.fetched.place;
            drop(state);
            if let Some(row) = Self::make_ahead(slf, &tuples, start, most) {
                return Ok(Next::Row(row));
            }
            state = slf.get().state();
            // Another thread may have made some.
            if let Some(row) = state.fetched.next_ahead() {
                return Ok(Next::Row(row.into_bound(py)));
            }
        }
        let fetched = &mut state.fetched;
        let Some(tuples) = fetched.tuples.clone() else { return Ok(Next::NoResult) };
        // A row that cannot be decoded is passed over: the next fetch goes on behind it.
        let Some(source) = tuples.next_row(&mut fetched.place) else { return Ok(Next::End) };
        drop(state);
        row::build_row(slf, &source, &tuples.plan).map(Next::Row)
    }

    /// The next `count` rows that the client has, or as many as there are.
    fn next_rows<'py>(slf: &Bound<'py, Self>, count: usize) -> PyResult<Bound<'py, PyList>> {
        let this = slf.get();
        let (mut tuples, place) = this.tuples()?;
        let count = count.min(tuples.len().saturating_sub(place.row));
        if let Some(list) = Self::pack_rows(slf, &mut tuples, place, count)? {
            return Ok(list);
        }
        let mut reading = tuples.read(place);
        let built = row::build_rows(slf, count, &mut reading, &tuples.plan);
        this.state().fetched.place = reading.place();
        built
    }

    /// What every kind of fetch has to check first.
    #[inline]
    fn check_fetch(slf: &Bound<'_, Self>) -> PyResult<()> {
        let this = slf.get();
        // Asked for each row: no error is thought of before there is one.
        let session = this.connection.get().and_then(|connection| connection.get().any_session());
        if session.is_some_and(Session::is_at_rest) && !this.closed.load(Ordering::Acquire) {
            return Ok(());
        }
        Self::check_fetch_closely(slf)
    }

    #[cold]
    fn check_fetch_closely(slf: &Bound<'_, Self>) -> PyResult<()> {
        let this = slf.get();
        let session = this.readable_session(slf.py())?;
        if session.is_polled() && this.connection(slf.py())?.get().is_async() {
            return Err(error::programming("no results to fetch"));
        }
        Ok(())
    }
}

#[pymethods]
impl Cursor {
    /// fetchone() -> tuple or None -- The next row of the result, None at its end.
    ///
    /// Raises ProgrammingError if the last statement gave no rows, and what a typecaster raises.
    fn fetchone<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        Self::check_fetch(slf)?;
        if slf.get().name().is_some() {
            Self::fetch_named(slf, Some(1))?;
        }
        Self::next_row(slf)
    }

    /// fetchmany(size=None) -> list of tuple -- The next `size` rows, `arraysize` if it is None.
    ///
    /// All that remain if it is negative, but a named cursor goes back then; an empty list at the
    /// end. Raises what `fetchone()` does.
    #[pyo3(signature = (size=None))]
    fn fetchmany<'py>(slf: &Bound<'py, Self>, size: Option<i64>) -> PyResult<Bound<'py, PyList>> {
        Self::check_fetch(slf)?;
        let size = size.unwrap_or_else(|| slf.get().state().arraysize);
        if slf.get().name().is_some() {
            Self::fetch_named(slf, Some(size))?;
            if size == 0 {
                return Ok(PyList::empty(slf.py()));
            }
            return Self::next_rows(slf, usize::MAX);
        }
        Self::next_rows(slf, usize::try_from(size).unwrap_or(usize::MAX))
    }

    /// fetchall() -> list of tuple -- All remaining rows of the result.
    ///
    /// Raises what `fetchone()` does.
    fn fetchall<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyList>> {
        Self::check_fetch(slf)?;
        if slf.get().name().is_some() {
            Self::fetch_named(slf, None)?;
        }
        Self::next_rows(slf, usize::MAX)
    }

    fn __iter__<'a, 'py>(slf: &'a Bound<'py, Self>) -> &'a Bound<'py, Self> {
        slf
    }

    fn __next__<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let this = slf.get();
        Self::check_fetch(slf)?;
        if this.name().is_none() {
            return Self::next_row(slf);
        }
        if let Next::Row(row) = Self::next_of_result(slf)? {
            return Ok(Some(row));
        }
        // Nothing has been fetched yet, or all of that has been read.
        let itersize = this.state().itersize;
        Self::fetch_named(slf, Some(itersize))?;
        if itersize == 0 { Ok(None) } else { Self::next_row(slf) }
    }
}
