//! Writing dates, times and intervals as SQL text.
//!
//! Objects of Python's own classes are written from their fields. A subclass is asked for its
//! `isoformat()`, which it may have overridden.

use psycoxide_sql::encoding;
use psycoxide_sql::quote::{StringStyle, datetime, literal};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{
    PyDate, PyDateAccess, PyDateTime, PyDelta, PyDeltaAccess, PyString, PyTime, PyTimeAccess,
    PyTzInfo, PyTzInfoAccess,
};

/// Whether writing a datetime or a time asked a `tzinfo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    /// It did not: the object is of Python's own class, and naive.
    None,
    /// It did, and Python code may have run.
    Asked,
}

pub fn date(object: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> PyResult<()> {
    match object.cast_exact::<PyDate>() {
        Ok(date) => {
            out.push(b'\'');
            datetime::write_date(out, date.get_year(), date.get_month(), date.get_day());
            out.push(b'\'');
        }
        Err(_) => iso_format(object, out)?,
    }
    out.extend_from_slice(b"::date");
    Ok(())
}

pub fn time(object: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> PyResult<Zone> {
    let (aware, asked) = match object.cast_exact::<PyTime>() {
        Ok(time) => {
            let zone = time.get_tzinfo();
            out.push(b'\'');
            write_time(time, out);
            write_zone(object, zone.as_ref(), out)?;
            out.push(b'\'');
            (zone.is_some(), zone.is_some())
        }
        Err(_) => (iso_format_zoned(object, out)?, true),
    };
    out.extend_from_slice(if aware { b"::timetz" } else { b"::time" });
    Ok(if asked { Zone::Asked } else { Zone::None })
}

pub fn timestamp(object: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> PyResult<Zone> {
    let (aware, asked) = match object.cast_exact::<PyDateTime>() {
        Ok(moment) => {
            let zone = moment.get_tzinfo();
            out.push(b'\'');
            datetime::write_date(out, moment.get_year(), moment.get_month(), moment.get_day());
            out.push(b'T');
            write_time(moment, out);
            write_zone(object, zone.as_ref(), out)?;
            out.push(b'\'');
            (zone.is_some(), zone.is_some())
        }
        Err(_) => (iso_format_zoned(object, out)?, true),
    };
    out.extend_from_slice(if aware { b"::timestamptz" } else { b"::timestamp" });
    Ok(if asked { Zone::Asked } else { Zone::None })
}

/// `signed`: see [`datetime::write_interval`].
pub fn interval(object: &Bound<'_, PyAny>, signed: bool, out: &mut Vec<u8>) -> PyResult<()> {
    let delta = object.cast::<PyDelta>()?;
    let (seconds, microseconds) = (delta.get_seconds(), delta.get_microseconds());
    out.push(b'\'');
    datetime::write_interval(out, delta.get_days(), seconds, microseconds, signed);
    out.extend_from_slice(b"'::interval");
    Ok(())
}

fn write_time(time: &impl PyTimeAccess, out: &mut Vec<u8>) {
    datetime::write_time(
        out,
        time.get_hour(),
        time.get_minute(),
        time.get_second(),
        time.get_microsecond(),
    );
}

/// Writes the UTC offset of `moment`, if its time zone has one.
fn write_zone(
    moment: &Bound<'_, PyAny>,
    zone: Option<&Bound<'_, PyTzInfo>>,
    out: &mut Vec<u8>,
) -> PyResult<()> {
    if zone.is_none() {
        return Ok(());
    }
    let offset = moment.call_method0("utcoffset")?;
    if offset.is_none() {
        return Ok(());
    }
    let offset = offset.cast::<PyDelta>()?;
    datetime::write_offset(out, offset.get_days(), offset.get_seconds(), offset.get_microseconds());
    Ok(())
}

fn iso_format_zoned(object: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> PyResult<bool> {
    let aware = !object.getattr("tzinfo")?.is_none();
    iso_format(object, out)?;
    Ok(aware)
}

/// Writes the text that a user's class returns, quoted, so that it cannot break out of the
/// constant.
fn iso_format(object: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> PyResult<()> {
    let text = object.call_method0("isoformat")?;
    let text = text.cast::<PyString>()?.encode_utf8()?;
    literal::write(out, text.as_bytes(), &encoding::UTF8, StringStyle::Standard)
        .map_err(|error| PyValueError::new_err(error.to_string()))
}
