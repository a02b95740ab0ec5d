//! Moving within a result.

use pyo3::prelude::*;

use super::Cursor;
use crate::error;

#[pymethods]
impl Cursor {
    /// scroll(value, mode='relative') -- Move to another row: by `value`, or to it if `'absolute'`.
    ///
    /// Raises ProgrammingError for another mode, and if the result of a client-side cursor has no
    /// such row; the position is kept then. A named cursor moves on the server, where the ends stop
    /// it.
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
        let fetched = &mut state.fetched;
        let _ahead = fetched.settle();
        let Some(tuples) = fetched.tuples.as_ref() else {
            drop(state);
            return Err(error::programming("scroll destination out of bounds"));
        };
        let row = i64::try_from(fetched.place.row).unwrap_or(i64::MAX);
        let wanted = if absolute { Some(value) } else { row.checked_add(value) };
        let wanted = wanted.and_then(|row| usize::try_from(row).ok());
        match wanted.filter(|row| *row < tuples.len()) {
            Some(row) => {
                let place = fetched.seek(tuples, row);
                fetched.go_to(place);
                Ok(())
            }
            None => {
                drop(state);
                Err(error::programming("scroll destination out of bounds"))
            }
        }
    }
}
