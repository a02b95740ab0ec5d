//! Dates, times, timestamps and intervals.
//!
//! Python's `datetime` decides what is in range: a year before Christ or after 9999 raises its
//! `ValueError`, as with psycopg2.

use std::ffi::c_int;

use psycoxide_sql::text::date::{self, Date};
use psycoxide_sql::text::interval::{self, Interval};
use psycoxide_sql::text::loose::Loose;
use psycoxide_sql::text::time::{self, Time};
use psycoxide_sql::text::timestamp;
pub use psycoxide_sql::text::timestamp::Timestamp;
use psycoxide_sql::text::{Malformed, Moment};
use pyo3::exceptions::PyOverflowError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::context::DecodeContext;
use super::number::any_integer;
use crate::error;
use crate::imports::Lazy;
use crate::object::{Decoded, Raised, Value, decoded};

static TIMEDELTA: Lazy = Lazy::new("datetime", "timedelta");

const MIN_DATE: Date = Date { year: 1, month: 1, day: 1 };
const MAX_DATE: Date = Date { year: 9999, month: 12, day: 31 };
const MAX_TIME: Time = Time { hour: 23, minute: 59, second: 59, microsecond: 999_999 };

/// The C API of `datetime`. It was [imported](import) when the decoder was chosen.
fn api(py: Python<'_>) -> Result<&'static ffi::PyDateTime_CAPI, Raised> {
    // SAFETY: the capsule's table lives as long as the interpreter.
    match unsafe { ffi::PyDateTimeAPI().as_ref() } {
        Some(api) => Ok(api),
        None => imported(py).map_err(|error| Raised::from_error(py, error)),
    }
}

#[cold]
fn imported(py: Python<'_>) -> PyResult<&'static ffi::PyDateTime_CAPI> {
    // SAFETY: the GIL is held, and the capsule's table lives as long as the interpreter.
    let api = unsafe {
        ffi::PyDateTime_IMPORT();
        ffi::PyDateTimeAPI().as_ref()
    };
    api.ok_or_else(|| PyErr::fetch(py))
}

/// Imports the C API of `datetime`.
pub fn import(py: Python<'_>) -> PyResult<()> {
    imported(py).map(|_| ())
}

/// `datetime.timezone.utc`
pub fn utc(py: Python<'_>) -> Decoded {
    let api = api(py)?;
    // SAFETY: the API's own object lives for ever.
    unsafe { Value::from_borrowed(api.TimeZone_UTC) }
}

/// A `date`; the infinities are `date.max` and `date.min`.
#[inline(never)]
pub fn date(context: &DecodeContext<'_, '_>, text: &[u8]) -> Decoded {
    match date::date(text) {
        Ok(date) => date_of(context.py, date),
        Err(fault) => loose(context, fault, Loose::date(text), |loose| {
            let api = api(context.py)?;
            let [year, month, day] = loose.date;
            // SAFETY: the function checks its numbers; the class is its own.
            unsafe { Value::from_owned((api.Date_FromDate)(year, month, day, api.DateType)) }
        }),
    }
}

/// The `date` for a date that was read.
#[inline]
pub fn date_of(py: Python<'_>, date: Moment<Date>) -> Decoded {
    let date = match date {
        Moment::Finite(date) => date,
        Moment::Infinity => MAX_DATE,
        Moment::MinusInfinity => MIN_DATE,
    };
    let api = api(py)?;
    let (month, day) = (c_int::from(date.month), c_int::from(date.day));
    // SAFETY: the function checks its numbers; the class is its own.
    unsafe { Value::from_owned((api.Date_FromDate)(date.year, month, day, api.DateType)) }
}

/// A `datetime`, aware if its text has an offset and the cursor a `tzinfo_factory`.
#[inline(never)]
pub fn timestamp(context: &DecodeContext<'_, '_>, text: &[u8]) -> Decoded {
    read(context, text, None)
}

/// As [`timestamp`], but the infinities are aware too: in UTC.
#[inline(never)]
pub fn timestamptz(context: &DecodeContext<'_, '_>, text: &[u8]) -> Decoded {
    read(context, text, Some(0))
}

#[inline]
fn read(context: &DecodeContext<'_, '_>, text: &[u8], special_offset: Option<i32>) -> Decoded {
    match timestamp::timestamp(text) {
        Ok(moment) => timestamp_of(context, moment, special_offset),
        Err(fault) => loose(context, fault, Loose::timestamp(text), |loose| {
            let zone = zone(context, loose.offset)?;
            datetime_of(context.py, loose.date, loose.time, zone)
        }),
    }
}

/// Reads a text that no server writes as psycopg2 does, and raises the same exceptions. If psycopg2
/// only guesses some of the fields, the text is malformed.
#[cold]
fn loose(
    context: &DecodeContext<'_, '_>,
    fault: Malformed,
    read: Result<Loose, Malformed>,
    make: impl FnOnce(&Loose) -> Decoded,
) -> Decoded {
    let read = read.map_err(|fault| malformed(context, fault))?;
    let value = make(&read)?.into_bound(context.py);
    if read.guessed { Err(malformed(context, fault)) } else { Ok(Value::from(value)) }
}

/// The `datetime` for a timestamp that was read. With a `special_offset`, the infinities are aware
/// too: in UTC.
#[inline]
pub fn timestamp_of(
    context: &DecodeContext<'_, '_>,
    moment: Moment<Timestamp>,
    special_offset: Option<i32>,
) -> Decoded {
    let (date, time) = match moment {
        Moment::Finite(Timestamp { date, time, offset }) => {
            let zone = zone(context, offset)?;
            return datetime(context.py, date, time.normalized(), zone);
        }
        Moment::Infinity => (MAX_DATE, MAX_TIME),
        Moment::MinusInfinity => (MIN_DATE, Time::default()),
    };
    let zone = match special_offset {
        Some(_) if !context.fetch.zones.is_naive() => utc(context.py)?,
        _ => Value::none(context.py)?,
    };
    datetime(context.py, date, time, zone)
}

#[inline]
fn datetime(py: Python<'_>, date: Date, time: Time, zone: Value) -> Decoded {
    let date = [date.year, c_int::from(date.month), c_int::from(date.day)];
    datetime_of(py, date, clock(time), zone)
}

/// Hour, minute, second and microsecond.
#[inline]
fn clock(time: Time) -> [c_int; 4] {
    // It fits: at most 999 999.
    let micros = time.microsecond as c_int;
    [c_int::from(time.hour), c_int::from(time.minute), c_int::from(time.second), micros]
}

#[inline]
fn datetime_of(py: Python<'_>, date: [c_int; 3], time: [c_int; 4], zone: Value) -> Decoded {
    let api = api(py)?;
    let ([year, month, day], [hour, minute, second, micros]) = (date, time);
    let zone = zone.into_ptr();
    // SAFETY: the function checks its numbers and that `zone` is None or a tzinfo; the reference
    // to `zone` is ours and given up once the datetime holds its own.
    unsafe {
        let value = (api.DateTime_FromDateAndTime)(
            year,
            month,
            day,
            hour,
            minute,
            second,
            micros,
            zone,
            api.DateTimeType,
        );
        ffi::Py_DECREF(zone);
        Value::from_owned(value)
    }
}

/// A `time`, aware if its text has an offset. `24:00`, which Python lacks, is midnight.
#[inline(never)]
pub fn time(context: &DecodeContext<'_, '_>, text: &[u8]) -> Decoded {
    match time::time(text) {
        Ok((time, offset)) => time_of(context, time, offset),
        Err(fault) => loose(context, fault, Loose::time(text), |loose| {
            clock_of(context, loose.time, loose.offset)
        }),
    }
}

/// The `time` for a time that was read.
#[inline]
pub fn time_of(context: &DecodeContext<'_, '_>, time: Time, offset: Option<i32>) -> Decoded {
    clock_of(context, clock(time.normalized()), offset)
}

#[inline]
fn clock_of(context: &DecodeContext<'_, '_>, time: [c_int; 4], offset: Option<i32>) -> Decoded {
    let [hour, minute, second, micros] = match time {
        [24, 0, 0, micros] => [0, 0, 0, micros],
        time => time,
    };
    let api = api(context.py)?;
    let zone = zone(context, offset)?.into_ptr();
    // SAFETY: as in `datetime`.
    unsafe {
        let class = api.TimeType;
        let value = (api.Time_FromTime)(hour, minute, second, micros, zone, class);
        ffi::Py_DECREF(zone);
        Value::from_owned(value)
    }
}

#[inline]
fn zone(context: &DecodeContext<'_, '_>, offset: Option<i32>) -> Decoded {
    match offset {
        Some(offset) => context.fetch.zones.at(offset),
        None => Value::none(context.py),
    }
}

/// A `timedelta`: a year counts 365 days and a month 30, as with psycopg2.
#[inline(never)]
pub fn interval(context: &DecodeContext<'_, '_>, text: &[u8]) -> Decoded {
    if interval::is_iso_8601(text) {
        // It could be read, but programs written for psycopg2 expect this error.
        let error = error::not_supported("iso_8601 intervalstyle currently not supported");
        return Err(Raised::from_error(context.py, error));
    }
    match interval::interval(text) {
        Ok(_) if text.len() > MAX_DIGITS + 9 && has_long_number(text) => Err(too_big(context.py)),
        Ok(interval) => delta(context.py, interval),
        Err(fault) => uncommon_interval(context.py, text, fault),
    }
}

/// The `timedelta` for an interval that was read.
#[inline]
pub fn interval_of(py: Python<'_>, interval: Moment<Interval>) -> Decoded {
    match interval {
        Moment::Finite(interval) => delta(py, interval),
        Moment::Infinity | Moment::MinusInfinity => Err(infinite(py)),
    }
}

#[cold]
fn infinite(py: Python<'_>) -> Raised {
    let error = PyOverflowError::new_err("timedelta cannot hold an infinite interval");
    Raised::from_error(py, error)
}

fn delta(py: Python<'_>, interval: Interval) -> Decoded {
    const DAY: i64 = 86_400_000_000;
    let days = (|| {
        let years = interval.years.checked_mul(365)?;
        let months = interval.months.checked_mul(30)?;
        let days = interval.days.checked_add(years)?.checked_add(months)?;
        c_int::try_from(days.checked_add(interval.microseconds.div_euclid(DAY))?).ok()
    })();
    let Some(days) = days else { return Err(too_big(py)) };
    let rest = interval.microseconds.rem_euclid(DAY);
    // Both fit: they are less than a day.
    let (seconds, micros) = ((rest / 1_000_000) as c_int, (rest % 1_000_000) as c_int);
    let api = api(py)?;
    // SAFETY: the function checks its numbers; the class is its own.
    unsafe { Value::from_owned((api.Delta_FromDelta)(days, seconds, micros, 1, api.DeltaType)) }
}

fn too_big(py: Python<'_>) -> Raised {
    Raised::from_error(py, PyOverflowError::new_err("interval component too big"))
}

/// One digit less than the longest number that fits into 64 bits whatever its unit.
const MAX_DIGITS: usize = 17;

/// Whether a number in the text is too long for any component: no server writes that, not even as a
/// fraction, and psycopg2 refuses it.
fn has_long_number(text: &[u8]) -> bool {
    text.split(|byte| !byte.is_ascii_digit())
        .map(|digits| digits.iter().skip_while(|digit| **digit == b'0').count())
        .any(|digits| digits > MAX_DIGITS)
}

/// A bare number is microseconds, which is how Redshift writes an interval.
#[cold]
fn uncommon_interval(py: Python<'_>, text: &[u8], fault: Malformed) -> Decoded {
    if matches!(text, b"infinity" | b"-infinity") {
        return Err(infinite(py));
    }
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let is_number = digits.iter().all(u8::is_ascii_digit);
    if is_number && digits.len() > 20
        || !is_number && (fault == interval::TOO_BIG || has_long_number(text))
    {
        return Err(too_big(py));
    }
    if text.len() > 20 {
        return Err(Raised::from_error(py, error::data(fault.0)));
    }
    let micros = any_integer(py, text)?.into_bound(py);
    let timedelta = || {
        let arguments = PyDict::new(py);
        arguments.set_item("microseconds", micros)?;
        TIMEDELTA.bind(py)?.call((), Some(&arguments))
    };
    decoded(py, timedelta())
}

#[cold]
fn malformed(context: &DecodeContext<'_, '_>, fault: Malformed) -> Raised {
    Raised::from_error(context.py, error::data(fault.0))
}
