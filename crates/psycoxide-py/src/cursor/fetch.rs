//! Reading rows.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyList;

use super::Cursor;
use super::result::{Place, Tuples};
use crate::error;
use crate::row;

impl Cursor {
    /// Refuses to fetch where there is nothing that could be fetched.
    fn tuples(&self) -> PyResult<(Arc<Tuples>, Place)> {
        let state = self.state();
        let fetched = &state.fetched;
        match &fetched.tuples {
            Some(tuples) => Ok((tuples.clone(), fetched.place)),
            None => Err(error::programming("no results to fetch")),
        }
    }

    /// The next row that the client has.
    fn next_row<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let mut state = slf.get().state();
        let fetched = &mut state.fetched;
        let Some(tuples) = fetched.tuples.clone() else {
            drop(state);
            return Err(error::programming("no results to fetch"));
        };
        // A row that cannot be decoded is passed over: the next fetch goes on behind it.
        let Some(source) = tuples.next_row(&mut fetched.place) else { return Ok(None) };
        drop(state);
        row::build_row(slf, &source, &tuples.plan).map(Some)
    }

    /// The next `count` rows that the client has, or as many as there are.
    fn next_rows<'py>(slf: &Bound<'py, Self>, count: usize) -> PyResult<Bound<'py, PyList>> {
        let this = slf.get();
        let (tuples, mut place) = this.tuples()?;
        let count = count.min(tuples.len().saturating_sub(place.row));
        let built = row::build_rows(slf, count, || tuples.next_row(&mut place), &tuples.plan);
        this.state().fetched.place = place;
        built
    }

    /// What every kind of fetch has to check first.
    fn check_fetch(slf: &Bound<'_, Self>) -> PyResult<()> {
        let connection = slf.get().readable_connection(slf.py())?;
        if connection.get().unclosed_session()?.is_polled() && connection.get().is_async() {
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
        // Nothing has been fetched yet, or all of that has been read.
        let fetched = this.state().fetched.tuples.is_some();
        if let Some(row) = if fetched { Self::next_row(slf)? } else { None } {
            return Ok(Some(row));
        }
        let itersize = this.state().itersize;
        Self::fetch_named(slf, Some(itersize))?;
        Self::next_row(slf)
    }
}
