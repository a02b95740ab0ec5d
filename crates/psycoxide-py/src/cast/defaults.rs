//! What becomes of types in `psycoxide.aio` and `psycoxide.sync`, where the program has registered
//! no typecaster of its own.

use psycoxide_sql::oid::{self, Oid};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

use super::caster::Caster;
use super::decoder::Decoder;
use super::deferred::Deferred;

/// psycopg2's casters for the types below, as they were registered first: whatever else is there,
/// the program has registered.
static REPLACED: PyOnceLock<Vec<(Oid, Option<Py<Caster>>)>> = PyOnceLock::new();

/// The types, with those of their arrays.
const TYPES: &[(Oid, Oid, Kind)] = &[
    (oid::BYTEA, oid::BYTEA_ARRAY, Kind::Bytes),
    (oid::UUID, oid::UUID_ARRAY, Kind::Uuid),
    (oid::INET, oid::INET_ARRAY, Kind::Python("psycoxide._defaults", &["cast_inet"])),
    (oid::CIDR, oid::CIDR_ARRAY, Kind::Python("psycoxide._defaults", &["cast_cidr"])),
    (
        oid::INT4MULTIRANGE,
        oid::INT4MULTIRANGE_ARRAY,
        multirange(&["int4multirange_caster", "parse"]),
    ),
    (
        oid::INT8MULTIRANGE,
        oid::INT8MULTIRANGE_ARRAY,
        multirange(&["int8multirange_caster", "parse"]),
    ),
    (oid::NUMMULTIRANGE, oid::NUMMULTIRANGE_ARRAY, multirange(&["nummultirange_caster", "parse"])),
    (
        oid::DATEMULTIRANGE,
        oid::DATEMULTIRANGE_ARRAY,
        multirange(&["datemultirange_caster", "parse"]),
    ),
    (oid::TSMULTIRANGE, oid::TSMULTIRANGE_ARRAY, multirange(&["tsmultirange_caster", "parse"])),
    (
        oid::TSTZMULTIRANGE,
        oid::TSTZMULTIRANGE_ARRAY,
        multirange(&["tstzmultirange_caster", "parse"]),
    ),
];

/// What a value becomes.
#[derive(Clone, Copy)]
enum Kind {
    /// `bytes`
    Bytes,
    /// `uuid.UUID`
    Uuid,
    /// What a function of the package returns: its module, and where it is in there.
    Python(&'static str, &'static [&'static str]),
}

const fn multirange(path: &'static [&'static str]) -> Kind {
    Kind::Python("psycoxide._multirange", path)
}

impl Kind {
    fn decoder(self, py: Python<'_>) -> PyResult<Decoder> {
        Ok(match self {
            Self::Bytes => Decoder::ByteaAsBytes,
            Self::Uuid => Decoder::Uuid,
            Self::Python(module, path) => {
                let function = Bound::new(py, Deferred::new(module, path))?;
                Decoder::Python(function.into_any().unbind())
            }
        })
    }
}

/// The decoder for a type; `None` if the caster that was found for it counts.
pub fn decoder(
    py: Python<'_>,
    oid: Oid,
    found: Option<&Bound<'_, PyAny>>,
) -> PyResult<Option<Decoder>> {
    let Some((array, kind)) = TYPES.iter().find_map(|(one, array, kind)| match oid {
        oid if oid == *one => Some((false, kind)),
        oid if oid == *array => Some((true, kind)),
        _ => None,
    }) else {
        return Ok(None);
    };
    let replaced = REPLACED.get(py).and_then(|all| all.iter().find(|(known, _)| *known == oid));
    let same = match (found, replaced.and_then(|(_, caster)| caster.as_ref())) {
        (None, None) => true,
        (Some(found), Some(caster)) => found.is(caster),
        _ => false,
    };
    if !same {
        return Ok(None);
    }
    let decoder = kind.decoder(py)?;
    Ok(Some(if array { Decoder::Array(Box::new(decoder)) } else { decoder }))
}

/// Notes which casters are registered for these types before any program has registered one.
pub fn note_registered(types: &Bound<'_, PyDict>) -> PyResult<()> {
    let note = |oid: Oid| {
        let found = types.get_item(oid)?.map(Bound::cast_into::<Caster>).transpose()?;
        PyResult::Ok((oid, found.map(Bound::unbind)))
    };
    let noted = TYPES.iter().flat_map(|(one, array, _)| [*one, *array]).map(note);
    let noted = noted.collect::<PyResult<_>>()?;
    let _ = REPLACED.set(types.py(), noted);
    Ok(())
}
