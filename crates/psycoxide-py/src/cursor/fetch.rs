//! Reading rows.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use psycoxide_net::Session;
use pyo3::prelude::*;
use pyo3::types::PyList;

use super::Cursor;
use super::place::Place;
use super::result::Tuples;
use crate::cast::FetchContext;
use crate::error;
use crate::row::{self, RowMaker, RowType, collector};

/// On a `forward_only` cursor, about how many bytes of raw rows are decoded before they are freed.
const FREE_AFTER: usize = 1 << 20;

/// The next of the rows that the client holds.
enum NextRow<'py> {
    Row(Bound<'py, PyAny>),
    End,
    NoResult,
}

impl<'py> NextRow<'py> {
    /// Changes the row, if there is one.
    fn map(
        self,
        change: impl FnOnce(Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>>,
    ) -> PyResult<Self> {
        match self {
            Self::Row(row) => change(row).map(Self::Row),
            other => Ok(other),
        }
    }
}

fn nothing_to_fetch() -> PyErr {
    error::programming("no results to fetch")
}

impl Cursor {
    /// The result and the place in it, with no rows read ahead. Fails if there is no result.
    pub(super) fn tuples(&self, py: Python<'_>) -> PyResult<(Arc<Tuples>, Place)> {
        let mut state = self.state(py);
        let fetched = &mut state.fetched;
        let ahead = fetched.undo_read_ahead();
        fetched.free_read();
        let found = fetched.tuples.clone().map(|tuples| (tuples, fetched.place));
        drop(state);
        drop(ahead);
        found.ok_or_else(nothing_to_fetch)
    }

    /// Whether the client holds a row that was not read yet.
    pub fn is_row_left(slf: &Bound<'_, Self>) -> bool {
        slf.get().state(slf.py()).fetched.left().is_some_and(|left| left > 0)
    }

    /// The next row that the client holds; `None` after the last one.
    #[inline(always)]
    pub fn next_row<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        match Self::next_read_ahead(slf) {
            None => Self::next_to_make(slf),
            row => Ok(row),
        }
    }

    #[inline(never)]
    fn next_to_make<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        match Self::next_of_result(slf)? {
            NextRow::Row(row) => Ok(Some(row)),
            NextRow::End => slf.get().refuse_rows_of_arrow(slf.py()).map(|()| None),
            NextRow::NoResult => Err(nothing_to_fetch()),
        }
    }

    /// The next row, if it was read ahead and is to stay a tuple.
    #[inline(always)]
    fn next_read_ahead<'py>(slf: &Bound<'py, Self>) -> Option<Bound<'py, PyAny>> {
        let this = slf.get();
        if this.makes_rows.load(Ordering::Acquire) {
            return None;
        }
        let row = this.state(slf.py()).fetched.next_read_ahead()?;
        Some(row.into_bound(slf.py()))
    }

    fn next_of_result<'py>(slf: &Bound<'py, Self>) -> PyResult<NextRow<'py>> {
        if slf.get().makes_rows.load(Ordering::Acquire) {
            return Self::next_converted(slf);
        }
        Self::make_next(slf)
    }

    /// The next row, if rows are to be something other than tuples.
    fn next_converted<'py>(slf: &Bound<'py, Self>) -> PyResult<NextRow<'py>> {
        let left = slf.get().state(slf.py()).fetched.left();
        match left {
            None => return Ok(NextRow::NoResult),
            Some(0) => return Ok(NextRow::End),
            Some(_) => {}
        }
        let row_type = Self::next_row_type(slf)?;
        let row = match row_type.factory() {
            None => {
                let ahead = slf.get().state(slf.py()).fetched.next_read_ahead();
                match ahead {
                    Some(row) => NextRow::Row(row.into_bound(slf.py())),
                    None => Self::make_next(slf)?,
                }
            }
            made => Self::make_one(slf, &Self::fetch_context(slf), made)?,
        };
        row.map(|row| row_type.convert(row))
    }

    /// The type of the next row. If it cannot be made, the row is skipped.
    fn next_row_type<'py>(slf: &Bound<'py, Self>) -> PyResult<RowType<'py>> {
        let (py, this) = (slf.py(), slf.get());
        if !this.makes_rows.load(Ordering::Acquire) {
            return Ok(RowType::Tuple);
        }
        let (maker, last) = {
            let objects = this.objects(py);
            let factory = objects.row_factory.bind(py).clone();
            let class = objects.row_class.clone();
            (RowMaker { cursor: slf.as_any(), factory, class }, objects.row_keys.clone())
        };
        let mut keys = last.clone();
        let row_type = RowType::of(maker, this.width(py), &mut keys);
        if let Some(keys) = keys.filter(|new| !last.is_some_and(|last| Arc::ptr_eq(&last, new))) {
            let old = this.objects(py).row_keys.replace(keys);
            drop(old);
        }
        row_type.inspect_err(|_| this.skip_row(py))
    }

    /// Skips one row.
    #[cold]
    fn skip_row(&self, py: Python<'_>) {
        let ahead = self.state(py).fetched.skip();
        drop(ahead);
    }

    /// Makes the next row, a tuple, and reads others ahead if that is worth it.
    #[inline(never)]
    fn make_next<'py>(slf: &Bound<'py, Self>) -> PyResult<NextRow<'py>> {
        let mut state = slf.get().state(slf.py());
        state.fetched.free_read();
        if let Some((tuples, most)) = state.fetched.worth_reading_ahead() {
            let start = state.fetched.place;
            drop(state);
            if let Some(row) = Self::read_ahead(slf, &tuples, start, most) {
                return Ok(NextRow::Row(row));
            }
            // Another thread may have read some ahead.
            let made = slf.get().state(slf.py()).fetched.next_read_ahead();
            if let Some(row) = made {
                return Ok(NextRow::Row(row.into_bound(slf.py())));
            }
        } else {
            drop(state);
        }
        Self::make_one(slf, &Self::fetch_context(slf), None)
    }

    /// Makes the next row alone: a tuple, or what `factory` returns.
    fn make_one<'py>(
        slf: &Bound<'py, Self>,
        fetch: &FetchContext<'_, 'py>,
        factory: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<NextRow<'py>> {
        let this = slf.get();
        let mut state = this.state(slf.py());
        if !state.fetched.ahead.is_empty() {
            let ahead = state.fetched.undo_read_ahead();
            drop(state);
            drop(ahead);
            state = this.state(slf.py());
        }
        state.fetched.free_read();
        let start = state.fetched.place;
        let Some(tuples) = state.fetched.tuples.clone() else { return Ok(NextRow::NoResult) };
        drop(state);
        let mut next = start;
        let Some(source) = tuples.next_row(&mut next) else { return Ok(NextRow::End) };
        let built = row::build_row(fetch, &source, &tuples.plan, factory);
        // A row that cannot be decoded is skipped: the next fetch returns the one after it.
        if !this.state(slf.py()).fetched.pass(&tuples, start, next) {
            // Python code has moved the cursor: it goes on by one row from there, as in psycopg2.
            this.skip_row(slf.py());
        }
        built.map(NextRow::Row)
    }

    /// The next `count` rows that the client holds, or as many as there are.
    pub fn next_rows<'py>(slf: &Bound<'py, Self>, count: usize) -> PyResult<Bound<'py, PyList>> {
        let (tuples, place) = slf.get().tuples(slf.py())?;
        let count = count.min(tuples.len().saturating_sub(place.row));
        drop(tuples);
        if count == 0 {
            slf.get().refuse_rows_of_arrow(slf.py())?;
            return Ok(PyList::empty(slf.py()));
        }
        let row_type = Self::next_row_type(slf)?;
        let fetch = Self::fetch_context(slf);
        if row_type.factory().is_none()
            && let Some(rows) = Self::rows_at_once(slf, &fetch, count)?
        {
            row_type.convert_all(&rows)?;
            return Ok(rows);
        }
        let rows = PyList::empty(slf.py());
        while rows.len() < count {
            let row_type = Self::next_row_type(slf)?;
            let row = Self::make_one(slf, &fetch, row_type.factory())?;
            let NextRow::Row(row) = row.map(|row| row_type.convert(row))? else { break };
            rows.append(row)?;
        }
        Ok(rows)
    }

    /// The same as tuples; `None` if Python code runs while they are made, which may do anything
    /// with the cursor between two of them.
    fn rows_at_once<'py>(
        slf: &Bound<'py, Self>,
        fetch: &FetchContext<'_, 'py>,
        count: usize,
    ) -> PyResult<Option<Bound<'py, PyList>>> {
        let _paused = collector::pause();
        let Some(rows) = Self::portion(slf, fetch, count)? else { return Ok(None) };
        while rows.len() < count {
            let more = Self::portion(slf, fetch, count - rows.len())?;
            let Some(more) = more.filter(|more| !more.is_empty()) else { break };
            rows.as_sequence().in_place_concat(more.as_sequence())?;
        }
        Ok(Some(rows))
    }

    /// The first of them: on a `forward_only` cursor as many as are decoded before they are freed.
    fn portion<'py>(
        slf: &Bound<'py, Self>,
        fetch: &FetchContext<'_, 'py>,
        count: usize,
    ) -> PyResult<Option<Bound<'py, PyList>>> {
        let this = slf.get();
        let (tuples, place) = this.tuples(slf.py())?;
        if !tuples.plan.is_native(fetch) {
            return Ok(None);
        }
        let most = if tuples.freed.is_some() { tuples.rows_within(FREE_AFTER) } else { usize::MAX };
        let mut reading = tuples.read(place);
        let built = row::build_rows(fetch, count.min(most), &mut reading, &tuples.plan);
        this.state(slf.py()).fetched.reach(&tuples, reading.place());
        built.map(Some)
    }

    /// The next row of an iteration, if it was read ahead and nothing has to be checked.
    #[inline(always)]
    pub(super) fn next_at_once<'py>(slf: &Bound<'py, Self>) -> Option<Bound<'py, PyAny>> {
        let ready = slf.get().name().is_none() && Self::may_fetch(slf);
        if ready { Self::next_read_ahead(slf) } else { None }
    }

    /// The checks that every kind of fetch begins with.
    #[inline]
    pub(super) fn check_fetch(slf: &Bound<'_, Self>) -> PyResult<()> {
        if Self::may_fetch(slf) { Ok(()) } else { Self::check_fetch_closely(slf) }
    }

    /// Whether nothing speaks against a fetch at first sight. This runs for each row, so an error is
    /// made only when it is needed.
    #[inline]
    fn may_fetch(slf: &Bound<'_, Self>) -> bool {
        let this = slf.get();
        let session = this.connection.get().and_then(|connection| connection.get().any_session());
        session.is_some_and(Session::is_at_rest) && !this.closed.load(Ordering::Acquire)
    }

    #[cold]
    fn check_fetch_closely(slf: &Bound<'_, Self>) -> PyResult<()> {
        let this = slf.get();
        let session = this.readable_session(slf.py())?;
        if session.is_polled() && this.connection(slf.py())?.get().uses_poll(slf.py()) {
            return Err(error::programming("no results to fetch"));
        }
        Ok(())
    }
}

#[pymethods]
impl Cursor {
    /// fetchone() -> tuple or None -- The next row of the result, None at its end.
    ///
    /// Raises ProgrammingError if the last statement returned no rows, and the exceptions of
    /// typecasters.
    fn fetchone<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        Self::check_fetch(slf)?;
        if slf.get().name().is_some() {
            Self::fetch_named(slf, Some(1))?;
        }
        Self::next_row(slf)
    }

    /// fetchmany(size=None) -> list of tuple -- The next `size` rows, `arraysize` if it is None.
    ///
    /// If `size` is negative, all remaining rows, but a named cursor moves backwards. An empty list
    /// at the end. Raises what `fetchone()` does.
    #[pyo3(signature = (size=None))]
    fn fetchmany<'py>(slf: &Bound<'py, Self>, size: Option<i64>) -> PyResult<Bound<'py, PyList>> {
        Self::check_fetch(slf)?;
        let size = size.unwrap_or_else(|| slf.get().state(slf.py()).arraysize);
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
        this.check_transaction(slf.py(), this.connection(slf.py())?.get())?;
        if let Some(row) = Self::next_read_ahead(slf) {
            return Ok(Some(row));
        }
        if let NextRow::Row(row) = Self::next_of_result(slf)? {
            return Ok(Some(row));
        }
        // No row was fetched from the server yet, or all of them have been read.
        let itersize = this.state(slf.py()).itersize;
        Self::fetch_named(slf, Some(itersize))?;
        if itersize == 0 { Ok(None) } else { Self::next_row(slf) }
    }
}
