//! The adapter classes, for programs that use them directly, and the protocol that they follow.

mod binary;
mod constructors;
mod datetime;
mod list;
mod plain;
mod protocol;
mod quoted_string;
mod sql_in;

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use self::datetime::DateTime;
pub use self::{
    binary::Binary, list::List, protocol::ISQLQuote, quoted_string::QuotedString, sql_in::SqlIn,
};
use super::context::{AdaptContext, AdapterConnection};
use super::quoter::Quoter;
use super::registry::Native;
use crate::guarded::Guarded;

/// A field of an adapter: a Python object that can be set.
///
/// `__new__` makes an adapter empty and `__init__` fills it, because programs inherit from adapters
/// and call `super().__init__()` with arguments of their own.
#[derive(Default)]
pub struct ObjectCell(Guarded<Option<Py<PyAny>>>);

impl ObjectCell {
    pub fn set(&self, py: Python<'_>, value: Option<Py<PyAny>>) {
        let old = std::mem::replace(&mut *self.0.lock(py), value);
        // Dropped after the lock: a destructor may run Python code that comes back here.
        drop(old);
    }

    pub fn get<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.0.lock(py).as_ref().map(|object| object.bind(py).clone())
    }

    /// The object, or None.
    pub fn get_or_none<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.get(py).unwrap_or_else(|| py.None().into_bound(py))
    }

    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        // The collector may run while a method has the field locked.
        self.0.visited(visit).map_or(Ok(()), |slot| visit.call(&*slot))
    }
}

/// `__conform__`: an adapter is its own adapter.
pub fn conform<'py>(slf: &Bound<'py, PyAny>, protocol: &Bound<'py, PyAny>) -> Bound<'py, PyAny> {
    let py = slf.py();
    match protocol.is(py.get_type::<ISQLQuote>()) {
        true => slf.clone(),
        false => py.None().into_bound(py),
    }
}

/// The SQL that a built-in adapter writes for `object`.
pub fn quoted<'py>(
    py: Python<'py>,
    native: Native,
    object: &Bound<'py, PyAny>,
    conn: &AdapterConnection,
) -> PyResult<Bound<'py, PyBytes>> {
    let mut out = Vec::new();
    conn.with_context(py, |context| Quoter::new(context)?.native(native, object, &mut out))?;
    Ok(PyBytes::new(py, &out))
}

/// The built-in adapter that `adapter` is and the object in it, so that `adapter` itself need not
/// be called.
///
/// Only for the built-in classes themselves: a class that inherits from one may write something
/// else. The adapter is prepared as a call of its `prepare()` would do.
pub fn unwrap<'py>(
    adapter: &Bound<'py, PyAny>,
    context: &AdaptContext<'_, 'py>,
) -> Option<(Native, Bound<'py, PyAny>)> {
    let py = adapter.py();
    if let Ok(binary) = adapter.cast_exact::<Binary>() {
        return Some((Native::Binary, binary.get().wrapped_for(context)));
    }
    if let Ok(text) = adapter.cast_exact::<QuotedString>() {
        return Some((Native::QuotedString, text.get().wrapped_for(context)));
    }
    if let Ok(moment) = adapter.cast_exact::<DateTime>() {
        return Some((moment.get().native(py), moment.get().wrapped(py)));
    }
    if let Ok(list) = adapter.cast_exact::<List>() {
        return Some((Native::List, list.get().wrapped_for(context)));
    }
    plain::unwrap(adapter)
}

/// `str()` of an adapter: its SQL as text.
pub fn text_of<'py>(
    py: Python<'py>,
    quoted: &Bound<'py, PyBytes>,
    conn: &AdapterConnection,
) -> PyResult<Bound<'py, PyString>> {
    conn.quoting(py).encoding().decode(py, quoted.as_bytes())
}

/// Adds the classes to the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<ISQLQuote>()?;
    plain::register(module)?;
    module.add_class::<Binary>()?;
    module.add_class::<List>()?;
    module.add_class::<QuotedString>()?;
    module.add_class::<SqlIn>()?;
    constructors::register(module)
}

/// The built-in adapters that the module exports, each with the [`Native`] that writes the same SQL
/// without making an adapter.
pub fn natives(module: &Bound<'_, PyModule>) -> PyResult<Vec<(Native, Py<PyAny>)>> {
    [
        ("AsIs", Native::AsIs),
        ("Binary", Native::Binary),
        ("Boolean", Native::Boolean),
        ("DateFromPy", Native::Date),
        ("Decimal", Native::Decimal),
        ("Float", Native::Float),
        ("Int", Native::Int),
        ("IntervalFromPy", Native::Interval),
        ("List", Native::List),
        ("NoneAdapter", Native::Null),
        ("QuotedString", Native::QuotedString),
        ("SQL_IN", Native::In),
        ("TimeFromPy", Native::Time),
        ("TimestampFromPy", Native::Timestamp),
    ]
    .into_iter()
    .map(|(name, native)| Ok((native, module.getattr(name)?.unbind())))
    .collect()
}
