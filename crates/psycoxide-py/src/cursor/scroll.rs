//! Moving within a result.

use pyo3::prelude::*;

use super::Cursor;
use super::result::Fetched;
use crate::error;

#[pymethods]
impl Cursor {
    /// scroll(value, mode='relative') -- Move by `value` rows, or to row `value`, from 0, if the
    /// mode is `'absolute'`.
    ///
    /// Raises ProgrammingError for another mode, and if the result of a client-side cursor has no
    /// such row; the position is kept then. A named cursor moves on the server, and stops at either
    /// end.
    #[pyo3(signature = (value, mode="relative"))]
    fn scroll(slf: &Bound<'_, Self>, value: i64, mode: &str) -> PyResult<()> {
        let this = slf.get();
        this.readable_session(slf.py())?;
        let absolute = match mode {
            "relative" => false,
            "absolute" => true,
            _ => {
                return Err(error::programming("scroll mode must be 'relative' or 'absolute'"));
            }
        };
        if this.name().is_some() {
            return Self::scroll_named(slf, value, absolute);
        }
        let mut state = this.state(slf.py());
        let ahead = state.fetched.undo_read_ahead();
        let moved = state.fetched.move_to(value, absolute);
        drop(state);
        // Dropped after the lock: a row's destructor may come back here.
        drop(ahead);
        moved.map_err(error::programming)
    }
}

impl Fetched {
    /// Goes to row `value`, or on by `value` rows. If there is no such row, nothing changes.
    fn move_to(&mut self, value: i64, absolute: bool) -> Result<(), &'static str> {
        const OUTSIDE: &str = "scroll destination out of bounds";
        let tuples = self.tuples.as_ref().ok_or(OUTSIDE)?;
        let row = i64::try_from(self.place.row).unwrap_or(i64::MAX);
        let wanted = if absolute { Some(value) } else { row.checked_add(value) };
        let wanted = wanted.and_then(|row| usize::try_from(row).ok());
        let row = wanted.filter(|row| *row < tuples.len()).ok_or(OUTSIDE)?;
        if row < self.place.row && tuples.freed.is_some() {
            return Err("the cursor was forward_only when it executed: it cannot scroll backwards");
        }
        let place = self.seek(tuples, row);
        self.go_to(place);
        Ok(())
    }
}
