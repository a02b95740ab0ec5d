//! Which caster is for which type: on a cursor, on a connection, or everywhere.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyInt};

use super::caster::Caster;
use super::decoder::Decoder;
use super::defaults;
use crate::conventions::Conventions;

/// The casters that count where neither the cursor nor the connection has one of its own. (The
/// module is initialised once a process, so there is one such dictionary.)
static STRING_TYPES: PyOnceLock<Py<PyDict>> = PyOnceLock::new();

/// The global registry: `{oid: caster}`.
pub fn string_types(py: Python<'_>) -> &Bound<'_, PyDict> {
    STRING_TYPES.get_or_init(py, || PyDict::new(py).unbind()).bind(py)
}

/// The registries that count for a cursor, in the order in which they are searched.
pub struct Registries<'py> {
    py: Python<'py>,
    /// The cursor's own and its connection's, unless they are empty.
    own: [Option<Bound<'py, PyDict>>; 2],
    conventions: Conventions,
}

impl<'py> Registries<'py> {
    /// The cursor's, its connection's, then the global one.
    pub fn new(
        py: Python<'py>,
        own: [Option<&Bound<'py, PyDict>>; 2],
        conventions: Conventions,
    ) -> Self {
        let own = own.map(|own| own.filter(|own| !own.is_empty()).cloned());
        Self { py, own, conventions }
    }

    pub fn py(&self) -> Python<'py> {
        self.py
    }

    /// Whether the rules of `psycoxide.aio` and `psycoxide.sync` hold.
    pub fn is_own(&self) -> bool {
        self.conventions == Conventions::Own
    }

    /// Whether only the global registry counts.
    pub fn is_global(&self) -> bool {
        self.own.iter().all(Option::is_none)
    }

    /// The caster for a type, from the first registry that has one.
    pub fn caster(&self, oid: &Bound<'py, PyInt>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let everywhere = string_types(self.py);
        for registry in self.own.iter().flatten().chain([everywhere]) {
            if let Some(found) = registry.get_item(oid)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The decoder for a type.
    pub fn decoder(&self, oid: u32) -> PyResult<Decoder> {
        self.decoder_of(oid, self.caster(&PyInt::new(self.py, oid))?.as_ref())
    }

    /// The decoder for a type with this caster. Where that is psycopg2's, or there is none, the
    /// conventions decide.
    pub fn decoder_of(&self, oid: u32, caster: Option<&Bound<'py, PyAny>>) -> PyResult<Decoder> {
        match self.conventions {
            Conventions::Psycopg2 => Ok(decoder(caster)),
            Conventions::Own => defaults::decoder(self.py, oid, caster)
                .map(|found| found.unwrap_or_else(|| decoder(caster))),
        }
    }
}

/// The decoder of a caster. A type without a registered caster is text.
pub fn decoder(caster: Option<&Bound<'_, PyAny>>) -> Decoder {
    let Some(found) = caster else { return Decoder::Text };
    match found.cast::<Caster>() {
        Ok(caster) => caster.get().decoder().clone_ref(found.py()),
        // The dictionary is the user's: whatever else is in it is called like a caster.
        Err(_) => Decoder::Python(found.clone().unbind()),
    }
}
