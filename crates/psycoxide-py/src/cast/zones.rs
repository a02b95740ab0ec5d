//! The `tzinfo` objects of aware datetimes.

use std::cell::{Cell, OnceCell, RefCell};

use pyo3::prelude::*;
use pyo3::types::{PyAny, PyDict};

use super::datetime;
use crate::imports::TIMEZONE;
use crate::object::{Raised, Value, decoded};

/// Looks for the `tzinfo_factory` of a cursor. `None` stands for the default one, also if there is
/// none.
pub type FindFactory = for<'py> fn(&Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>>;

/// The `tzinfo` objects of one fetch.
pub struct Zones<'a, 'py> {
    cursor: &'a Bound<'py, PyAny>,
    find: FindFactory,
    factory: OnceCell<Factory<'py>>,
    last_offset: Cell<i32>,
    last: RefCell<Option<Bound<'py, PyAny>>>,
}

enum Factory<'py> {
    /// `tzinfo_factory = None`: datetimes are naive.
    Naive,
    /// `datetime.timezone`, the default: its objects are shared, as they are immutable.
    Timezone,
    /// Anything else is called for each value, since it may return what it likes.
    Call(Bound<'py, PyAny>),
}

impl<'a, 'py> Zones<'a, 'py> {
    /// The zones of a cursor. Its factory is looked for with the first value that needs one: a
    /// typecaster of the same row may set it, as in psycopg2.
    pub fn new(cursor: &'a Bound<'py, PyAny>, find: FindFactory) -> Self {
        Self {
            cursor,
            find,
            factory: OnceCell::new(),
            last_offset: Cell::new(0),
            last: RefCell::new(None),
        }
    }

    /// Whether making a `tzinfo` runs no Python code.
    pub fn is_native(&self) -> bool {
        !matches!(self.factory(), Factory::Call(_))
    }

    /// Whether datetimes are to be naive.
    pub fn is_naive(&self) -> bool {
        matches!(self.factory(), Factory::Naive)
    }

    /// The `tzinfo` for an offset in seconds east of Greenwich; `None` for naive datetimes.
    pub fn at(&self, offset: i32) -> Result<Value, Raised> {
        let py = self.cursor.py();
        let zone = match self.factory() {
            Factory::Naive => return Value::none(py),
            Factory::Timezone if offset == 0 => return datetime::utc(py),
            Factory::Timezone => self.shared(offset),
            Factory::Call(factory) => {
                timedelta(py, offset).and_then(|delta| factory.call1((delta,)))
            }
        };
        decoded(py, zone)
    }

    fn shared(&self, offset: i32) -> PyResult<Bound<'py, PyAny>> {
        if self.last_offset.get() == offset
            && let Some(zone) = &*self.last.borrow()
        {
            return Ok(zone.clone());
        }
        let zone = shared_timezone(self.cursor.py(), offset)?;
        self.last_offset.set(offset);
        self.last.replace(Some(zone.clone()));
        Ok(zone)
    }

    fn factory(&self) -> &Factory<'py> {
        self.factory.get_or_init(|| {
            let py = self.cursor.py();
            match (self.find)(self.cursor) {
                None => Factory::Timezone,
                Some(factory) if factory.is_none() => Factory::Naive,
                Some(factory) if TIMEZONE.bind(py).is_ok_and(|zone| factory.is(zone)) => {
                    Factory::Timezone
                }
                Some(factory) => Factory::Call(factory),
            }
        })
    }
}

/// A `datetime.timezone`: one shared object for each offset that ever occurred.
fn shared_timezone<'py>(py: Python<'py>, offset: i32) -> PyResult<Bound<'py, PyAny>> {
    /// More offsets than the zones of the world have had; a hostile server invents more.
    const MOST: usize = 2000;
    static SHARED: pyo3::sync::PyOnceLock<Py<PyDict>> = pyo3::sync::PyOnceLock::new();
    let shared = SHARED.get_or_init(py, || PyDict::new(py).unbind()).bind(py);
    if let Some(zone) = shared.get_item(offset)? {
        return Ok(zone);
    }
    let zone = TIMEZONE.bind(py)?.call1((timedelta(py, offset)?,))?;
    if shared.len() >= MOST {
        shared.clear();
    }
    shared.set_item(offset, &zone)?;
    Ok(zone)
}

fn timedelta(py: Python<'_>, seconds: i32) -> PyResult<Bound<'_, PyAny>> {
    Ok(pyo3::types::PyDelta::new(py, 0, seconds, 0, true)?.into_any())
}
