//! `psycoxide.arrow.ArrowOptions`, as the decoder takes them.

use std::collections::HashMap;

use arrow_schema::DataType;
use arrow_schema::ffi::FFI_ArrowSchema;
use psycoxide_arrow::{
    DuplicateNames, EnumAs, Infinity, IntervalAs, Numeric, NumericNan, Options, StringAs, UuidAs,
};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyString};

/// How many dimensions an array of the server has at most: its MAXDIM.
const MOST_DIMENSIONS: usize = 6;

/// The options that an object has as its attributes; `True` stands for the usual ones.
pub fn options(object: &Bound<'_, PyAny>) -> PyResult<Options> {
    if object.extract::<bool>().is_ok_and(|chosen| chosen) {
        return Ok(Options::default());
    }
    if !object.hasattr("dims")? {
        return Err(PyTypeError::new_err("arrow must be True, None or ArrowOptions(...)"));
    }
    let get = |name| object.getattr(name);
    let types = get("schema")?;
    let types: HashMap<String, Bound<'_, PyAny>> = types.extract().map_err(|_| {
        let given = types.repr().map_or_else(|_| "something else".to_owned(), |it| it.to_string());
        PyTypeError::new_err(format!("schema maps names of columns to Arrow's types: got {given}"))
    })?;
    let types = types.iter().map(|(name, object)| Ok((name.clone(), data_type(object)?)));
    Ok(Options {
        numeric: numeric(&get("numeric")?)?,
        numeric_nan: choice(
            object,
            "nan",
            &[NumericNan::Error, NumericNan::Null],
            |nan| match nan {
                NumericNan::Error => "error",
                NumericNan::Null => "null",
            },
        )?,
        infinity: choice(
            object,
            "infinity",
            &[Infinity::Error, Infinity::Null, Infinity::Clamp],
            |infinity| match infinity {
                Infinity::Error => "error",
                Infinity::Null => "null",
                Infinity::Clamp => "clamp",
            },
        )?,
        uuid: choice(object, "uuid", &[UuidAs::Extension, UuidAs::String], |uuid| match uuid {
            UuidAs::Extension => "extension",
            UuidAs::String => "string",
        })?,
        enums: choice(object, "enum", &[EnumAs::String, EnumAs::Dictionary], |kind| match kind {
            EnumAs::String => "string",
            EnumAs::Dictionary => "dictionary",
        })?,
        strings: choice(
            object,
            "string",
            &[StringAs::Utf8, StringAs::Large, StringAs::View],
            |string| match string {
                StringAs::Utf8 => "utf8",
                StringAs::Large => "large",
                StringAs::View => "view",
            },
        )?,
        interval: choice(
            object,
            "interval",
            &[IntervalAs::MonthDayNano, IntervalAs::Duration],
            |interval| match interval {
                IntervalAs::MonthDayNano => "month_day_nano",
                IntervalAs::Duration => "duration",
            },
        )?,
        time_zone: time_zone(&get("tz")?)?,
        duplicates: choice(
            object,
            "duplicate_names",
            &[DuplicateNames::Keep, DuplicateNames::Suffix],
            |names| match names {
                DuplicateNames::Keep => "keep",
                DuplicateNames::Suffix => "suffix",
            },
        )?,
        types: types.collect::<PyResult<_>>()?,
        dimensions: dimensions(&get("dims")?)?,
    })
}

/// One of several values, by its name.
fn choice<T: Copy>(
    object: &Bound<'_, PyAny>,
    attribute: &str,
    values: &[T],
    name: impl Fn(T) -> &'static str,
) -> PyResult<T> {
    let given = object.getattr(attribute)?;
    if let Ok(text) = given.cast::<PyString>() {
        let text = text.to_str()?;
        if let Some(value) = values.iter().find(|value| name(**value) == text) {
            return Ok(*value);
        }
    }
    let names: Vec<_> = values.iter().map(|value| format!("{:?}", name(*value))).collect();
    let given = given.repr()?;
    Err(PyValueError::new_err(format!("{attribute} must be {}, not {given}", names.join(" or "))))
}

/// The label of a time zone. Which ones there are is for the readers of the data to know.
fn time_zone(given: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
    let Ok(name) = given.extract::<Option<String>>() else {
        return Err(PyTypeError::new_err(format!("tz is a name or None: got {}", given.repr()?)));
    };
    let is_plain =
        |name: &String| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
    if !name.as_ref().is_none_or(is_plain) {
        return Err(PyValueError::new_err(format!(
            "tz is the name of a time zone, like \"Europe/Rome\" or \"+02:00\": got {}",
            given.repr()?
        )));
    }
    Ok(name)
}

/// How many dimensions arrays have, by the names of their columns.
fn dimensions(given: &Bound<'_, PyAny>) -> PyResult<HashMap<String, usize>> {
    let found = given.extract::<HashMap<String, usize>>();
    match found
        .ok()
        .filter(|found| found.values().all(|count| (1..=MOST_DIMENSIONS).contains(count)))
    {
        Some(found) => Ok(found),
        None => Err(PyValueError::new_err(format!(
            "dims maps names of columns to how many dimensions their arrays have, 1 to \
             {MOST_DIMENSIONS}: got {}",
            given.repr()?
        ))),
    }
}

fn numeric(given: &Bound<'_, PyAny>) -> PyResult<Numeric> {
    if let Ok((precision, scale)) = given.extract::<(u8, i8)>() {
        if !(1..=76).contains(&precision) || scale.unsigned_abs() > precision {
            return Err(PyValueError::new_err(format!(
                "numeric: a decimal has 1 to 76 digits, no more of them behind the point: got \
                 ({precision}, {scale})"
            )));
        }
        return Ok(Numeric::DecimalOf(precision, scale));
    }
    match given.extract::<String>().as_deref() {
        Ok("decimal") => Ok(Numeric::Decimal),
        Ok("string") => Ok(Numeric::String),
        Ok("float64") => Ok(Numeric::Float64),
        _ => Err(PyValueError::new_err(format!(
            "numeric must be \"decimal\" or \"string\" or \"float64\" or (precision, scale), not {}",
            given.repr()?
        ))),
    }
}

/// The type that an object of another library stands for.
fn data_type(object: &Bound<'_, PyAny>) -> PyResult<DataType> {
    let refused = |why: &dyn std::fmt::Display| {
        PyTypeError::new_err(format!(
            "schema maps names of columns to Arrow's types, as pyarrow has them (objects with \
             __arrow_c_schema__): {why}"
        ))
    };
    if !object.hasattr("__arrow_c_schema__")? {
        return Err(refused(&object.repr()?));
    }
    let capsule = object.call_method0("__arrow_c_schema__")?.cast_into::<PyCapsule>()?;
    let pointer = capsule.pointer_checked(Some(c"arrow_schema"))?;
    // SAFETY: by the interface, a capsule of this name points to such a struct, which is alive as long
    // as the capsule.
    let schema = unsafe { pointer.cast::<FFI_ArrowSchema>().as_ref() };
    DataType::try_from(schema).map_err(|fault| refused(&fault))
}
