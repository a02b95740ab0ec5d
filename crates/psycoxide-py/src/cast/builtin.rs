//! The casters that are there from the start, named and registered as psycopg2's are.

use psycoxide_sql::oid;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use super::caster::Caster;
use super::decoder::Decoder;
use super::deferred::Deferred;
use super::stdlib::{_json_loads, JsonLoads};

type Oids = &'static [oid::Oid];

const NUMBERS: Oids = &[oid::INT8, oid::INT4, oid::INT2, oid::FLOAT8, oid::FLOAT4, oid::NUMERIC];
const STRINGS: Oids = &[oid::NAME, oid::CHAR, oid::TEXT, oid::BPCHAR, oid::VARCHAR];
const STRING_ARRAYS: Oids =
    &[oid::CHAR_ARRAY, oid::NAME_ARRAY, oid::TEXT_ARRAY, oid::BPCHAR_ARRAY, oid::VARCHAR_ARRAY];
/// 1006 is the array of `int2vector`.
const INTEGER_ARRAYS: Oids = &[oid::INT2_ARRAY, 1006, oid::INT4_ARRAY];
/// 704 is `tinterval`, which is gone from the server.
const INTERVALS: Oids = &[704, oid::INTERVAL];
const TIMES: Oids = &[oid::TIME, oid::TIMETZ];
const TIME_ARRAYS: Oids = &[oid::TIME_ARRAY, oid::TIMETZ_ARRAY];

/// Casters of single values, in the order of their registration: of two for the same type the later
/// one wins.
const SCALARS: &[(&str, Oids, Decoder)] = &[
    ("NUMBER", NUMBERS, Decoder::Float),
    ("LONGINTEGER", &[oid::INT8], Decoder::Integer),
    ("INTEGER", &[oid::INT4, oid::INT2], Decoder::Integer),
    ("FLOAT", &[oid::FLOAT8, oid::FLOAT4], Decoder::Float),
    ("DECIMAL", &[oid::NUMERIC], Decoder::Decimal),
    ("UNICODE", STRINGS, Decoder::Text),
    ("BYTES", STRINGS, Decoder::Bytes),
    ("STRING", STRINGS, Decoder::Text),
    ("BOOLEAN", &[oid::BOOL], Decoder::Boolean),
    ("DATETIME", &[oid::TIMESTAMP], Decoder::Timestamp),
    ("DATETIMETZ", &[oid::TIMESTAMPTZ], Decoder::TimestampTz),
    ("TIME", TIMES, Decoder::Time),
    ("DATE", &[oid::DATE], Decoder::Date),
    ("INTERVAL", INTERVALS, Decoder::Interval),
    ("BINARY", &[oid::BYTEA], Decoder::Bytea),
    ("ROWID", &[oid::OID], Decoder::Integer),
];

/// Casters of arrays, each with the name of its elements' caster.
const ARRAYS: &[(&str, Oids, &str)] = &[
    ("LONGINTEGERARRAY", &[oid::INT8_ARRAY], "LONGINTEGER"),
    ("INTEGERARRAY", INTEGER_ARRAYS, "INTEGER"),
    ("FLOATARRAY", &[oid::FLOAT4_ARRAY, oid::FLOAT8_ARRAY], "FLOAT"),
    ("DECIMALARRAY", &[oid::NUMERIC_ARRAY], "DECIMAL"),
    ("UNICODEARRAY", STRING_ARRAYS, "UNICODE"),
    ("BYTESARRAY", STRING_ARRAYS, "BYTES"),
    ("STRINGARRAY", STRING_ARRAYS, "STRING"),
    ("BOOLEANARRAY", &[oid::BOOL_ARRAY], "BOOLEAN"),
    ("DATETIMEARRAY", &[oid::TIMESTAMP_ARRAY], "DATETIME"),
    ("DATETIMETZARRAY", &[oid::TIMESTAMPTZ_ARRAY], "DATETIMETZ"),
    ("TIMEARRAY", TIME_ARRAYS, "TIME"),
    ("DATEARRAY", &[oid::DATE_ARRAY], "DATE"),
    ("INTERVALARRAY", &[oid::INTERVAL_ARRAY], "INTERVAL"),
    ("BINARYARRAY", &[oid::BYTEA_ARRAY], "BINARY"),
    ("ROWIDARRAY", &[oid::OID_ARRAY, 1013], "ROWID"),
];

/// Registered last.
const LAST: &[(&str, Oids, Decoder)] = &[("UNKNOWN", &[oid::UNKNOWN], Decoder::Text)];
const LAST_ARRAYS: &[(&str, Oids, &str)] = &[
    ("INETARRAY", &[oid::INET_ARRAY], "STRING"),
    ("CIDRARRAY", &[oid::CIDR_ARRAY], "STRING"),
    ("MACADDRARRAY", &[oid::MACADDR_ARRAY], "STRING"),
];

/// Further names of the same casters, exported but not registered.
const ALIASES: &[(&str, &str)] = &[
    ("PYDATETIME", "DATETIME"),
    ("PYDATETIMETZ", "DATETIMETZ"),
    ("PYTIME", "TIME"),
    ("PYDATE", "DATE"),
    ("PYINTERVAL", "INTERVAL"),
    ("PYDATETIMEARRAY", "DATETIMEARRAY"),
    ("PYDATETIMETZARRAY", "DATETIMETZARRAY"),
    ("PYTIMEARRAY", "TIMEARRAY"),
    ("PYDATEARRAY", "DATEARRAY"),
    ("PYINTERVALARRAY", "INTERVALARRAY"),
];

/// Casters for types whose oids vary, or that psycopg2 casts in Python: the package makes casters
/// of them with `new_type`, and gives them oids and names.
const PRIVATE: &[(&str, Decoder)] =
    &[("_JSON", Decoder::Json), ("_UUID", Decoder::Uuid), ("_HSTORE", Decoder::Hstore)];

/// Casters that psycopg2's Python code registers when it is imported: the name, the type's oid and
/// its array's.
const JSON: &[(&str, oid::Oid, oid::Oid)] =
    &[("JSON", oid::JSON, oid::JSON_ARRAY), ("JSONB", oid::JSONB, oid::JSONB_ARRAY)];

/// The type `oid8` of PostgreSQL 19, which psycopg2 does not know.
const OID8: (&str, oid::Oid, oid::Oid) = ("OID8", oid::OID8, oid::OID8_ARRAY);

/// The same for ranges; and the `RangeCaster` of `psycoxide._range` whose `parse()` casts.
const RANGES: &[(&str, oid::Oid, oid::Oid, &str)] = &[
    ("type", oid::INT4RANGE, oid::INT4RANGE_ARRAY, "int4range_caster"),
    ("type", oid::INT8RANGE, oid::INT8RANGE_ARRAY, "int8range_caster"),
    ("type", oid::NUMRANGE, oid::NUMRANGE_ARRAY, "numrange_caster"),
    ("daterange", oid::DATERANGE, oid::DATERANGE_ARRAY, "daterange_caster"),
    ("tsrange", oid::TSRANGE, oid::TSRANGE_ARRAY, "tsrange_caster"),
    ("tstzrange", oid::TSTZRANGE, oid::TSTZRANGE_ARRAY, "tstzrange_caster"),
];

/// Exports every built-in caster from `module` and registers it in `string_types`.
pub fn register(module: &Bound<'_, PyModule>, string_types: &Bound<'_, PyDict>) -> PyResult<()> {
    let py = module.py();
    let scalar = |(name, oids, decoder): &(&str, Oids, Decoder)| {
        export(module, string_types, name, oids, decoder.clone_ref(py))
    };
    let array = |(name, oids, element): &(&str, Oids, &str)| {
        let element = found(module, element)?.get().decoder().clone_ref(py);
        export(module, string_types, name, oids, Decoder::Array(Box::new(element)))
    };
    SCALARS.iter().try_for_each(scalar)?;
    ARRAYS.iter().try_for_each(array)?;
    LAST.iter().try_for_each(scalar)?;
    LAST_ARRAYS.iter().try_for_each(array)?;
    for (name, decoder) in PRIVATE {
        export(module, string_types, name, &[], decoder.clone_ref(py))?;
    }
    module.add("_default_types", default_types(py, string_types)?)?;
    for (alias, name) in ALIASES {
        let original = found(module, name)?;
        let decoder = original.get().decoder().clone_ref(py);
        let name = PyString::new(py, alias);
        module.add(name.clone(), Caster::new(name.as_any(), original.get().values(py), decoder))?;
    }
    Ok(())
}

/// Registers the casters of [`JSON`], [`RANGES`] and [`OID8`]; returns them by the oids of their
/// types, for the modules that export them.
fn default_types<'py>(
    py: Python<'py>,
    string_types: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyDict>> {
    let types = PyDict::new(py);
    let enter = |name: &str, oid: oid::Oid, array_oid: oid::Oid, decoder: Decoder| {
        let array = Decoder::Array(Box::new(decoder.clone_ref(py)));
        for (name, oid, decoder) in
            [(name.to_owned(), oid, decoder), (format!("{name}ARRAY"), array_oid, array)]
        {
            let (name, values) = (PyString::new(py, &name), PyTuple::new(py, [oid])?);
            types.set_item(oid, Caster::new(name.as_any(), &values, decoder))?;
        }
        PyResult::Ok(())
    };
    // As psycopg2, which looks at `json.loads` when it is imported.
    let loads = _json_loads(py)?.map(|loads| Bound::new(py, JsonLoads::new(loads.unbind())));
    let loads = loads.transpose()?;
    for (name, oid, array_oid) in JSON {
        let decoder = match &loads {
            Some(loads) => Decoder::Python(loads.clone().into_any().unbind()),
            None => Decoder::Json,
        };
        enter(name, *oid, *array_oid, decoder)?;
    }
    let (name, oid, array_oid) = OID8;
    enter(name, oid, array_oid, Decoder::Integer)?;
    for (name, oid, array_oid, caster) in RANGES {
        let parse = Bound::new(py, Deferred::new("psycoxide._range", &[caster, "parse"]))?
            .into_any()
            .unbind();
        enter(name, *oid, *array_oid, Decoder::Python(parse))?;
    }
    string_types.update(types.as_mapping())?;
    Ok(types)
}

fn export(
    module: &Bound<'_, PyModule>,
    string_types: &Bound<'_, PyDict>,
    name: &str,
    oids: Oids,
    decoder: Decoder,
) -> PyResult<()> {
    let py = module.py();
    let values = PyTuple::new(py, oids)?;
    let caster = Bound::new(py, Caster::new(PyString::new(py, name).as_any(), &values, decoder))?;
    for oid in oids {
        string_types.set_item(oid, &caster)?;
    }
    module.add(name, caster)
}

fn found<'py>(module: &Bound<'py, PyModule>, name: &str) -> PyResult<Bound<'py, Caster>> {
    Ok(module.getattr(name)?.cast_into::<Caster>()?)
}
