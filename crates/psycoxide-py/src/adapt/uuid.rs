//! `uuid.UUID` objects that are written without a call of their adapter, which is Python code.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyAny;

use super::registry::Registry;
use crate::imports::{Lazy, loaded};
use crate::once::Once;

/// The adapter of `uuid.UUID`.
static ADAPTER: Lazy = Lazy::new("psycoxide.extras.uuid_type", "UUID_adapter");

/// Whether an object is of the class `uuid.UUID` itself.
#[inline]
pub fn is_uuid(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    static CLASS: Once<Py<PyAny>> = Once::new();
    let py = object.py();
    if let Some(class) = CLASS.get(py) {
        return Ok(object.get_type_ptr().cast() == class.as_ptr());
    }
    let class = object.get_type();
    let Some(module) = loaded(py, intern!(py, "uuid").as_any())? else { return Ok(false) };
    let standard = module.getattr_opt(intern!(py, "UUID"))?.is_some_and(|found| found.is(&class));
    if standard && class.module()?.to_str()? == "uuid" {
        CLASS.get_or_make(py, || Ok(class.into_any().unbind()))?;
        return Ok(true);
    }
    Ok(false)
}

/// Whether the adapter of a `uuid.UUID` is the package's own: registered, or, with the package's
/// own conventions, found because the program has registered none.
pub fn is_adapted_as_usual(
    object: &Bound<'_, PyAny>,
    registry: &Registry,
    own_conventions: bool,
) -> PyResult<bool> {
    let py = object.py();
    let protocol = registry.protocol(py).as_any();
    if let Some(adapter) = registry.registered(object.get_type().as_any(), protocol)? {
        return Ok(adapter.is(ADAPTER.bind(py)?));
    }
    Ok(own_conventions
        && object.getattr_opt(intern!(py, "__conform__"))?.is_none()
        && registry.registered(py.get_type::<PyAny>().as_any(), protocol)?.is_none())
}

/// The number of a `uuid.UUID`; `None` if its class has been changed.
pub fn number(object: &Bound<'_, PyAny>) -> Option<u128> {
    object.getattr(intern!(object.py(), "int")).ok()?.extract().ok()
}
