//! The functions that make adapters of dates and times: PEP 249's, and psycopg2's `…FromPy`.
//!
//! <https://peps.python.org/pep-0249/#type-objects-and-constructors>

use pyo3::prelude::*;
use pyo3::types::{PyDate, PyDateTime, PyDelta, PyTime, PyTzInfo};

use super::datetime::{DateTime, Kind};

type Adapter<'py> = PyResult<Bound<'py, DateTime>>;

/// The adapter of a `datetime.date`: `'2026-07-14'::date`. Raises TypeError for anything else.
#[pyfunction]
#[pyo3(name = "DateFromPy", signature = (date, /))]
fn date_from_py(date: Bound<'_, PyDate>) -> Adapter<'_> {
    DateTime::of(date.into_any(), Kind::Date)
}

/// The adapter of a `datetime.time`: `'12:00:00'::time`, with a `tzinfo` `::timetz`. Raises
/// TypeError for anything else.
#[pyfunction]
#[pyo3(name = "TimeFromPy", signature = (time, /))]
fn time_from_py(time: Bound<'_, PyTime>) -> Adapter<'_> {
    DateTime::of(time.into_any(), Kind::Time)
}

/// The adapter of a `datetime.datetime`: `'...'::timestamp`, with a `tzinfo` `::timestamptz`.
/// Raises TypeError for anything else.
#[pyfunction]
#[pyo3(name = "TimestampFromPy", signature = (timestamp, /))]
fn timestamp_from_py(timestamp: Bound<'_, PyDateTime>) -> Adapter<'_> {
    DateTime::of(timestamp.into_any(), Kind::Timestamp)
}

/// The adapter of a `datetime.timedelta`: `'1 days 0.5 seconds'::interval`. Raises TypeError for
/// anything else.
#[pyfunction]
#[pyo3(name = "IntervalFromPy", signature = (interval, /))]
fn interval_from_py(interval: Bound<'_, PyDelta>) -> Adapter<'_> {
    DateTime::of(interval.into_any(), Kind::Interval)
}

/// The adapter of a date, for a parameter (PEP 249). Raises ValueError if there is no such date.
#[pyfunction]
#[pyo3(name = "Date", signature = (year, month, day, /))]
fn date(py: Python<'_>, year: i32, month: i32, day: i32) -> Adapter<'_> {
    // Python's own class checks the numbers, whatever their size.
    let date = py.get_type::<PyDate>().call1((year, month, day))?;
    DateTime::of(date, Kind::Date)
}

/// The adapter of a time of day, for a parameter (PEP 249); the seconds may have a fraction. Raises
/// ValueError if there is no such time.
#[pyfunction]
#[pyo3(name = "Time", signature = (hour, minute, second, tzinfo=None, /))]
fn time<'py>(
    py: Python<'py>,
    hour: i32,
    minute: i32,
    second: f64,
    tzinfo: Option<Bound<'py, PyTzInfo>>,
) -> Adapter<'py> {
    let (second, microsecond) = split_second(second);
    let time = py.get_type::<PyTime>().call1((hour, minute, second, microsecond, tzinfo))?;
    DateTime::of(time, Kind::Time)
}

/// The adapter of a timestamp, for a parameter (PEP 249); the seconds may have a fraction. Raises
/// ValueError if there is no such moment.
#[pyfunction]
#[pyo3(
    name = "Timestamp",
    signature = (year, month, day, hour=0, minute=0, second=0.0, tzinfo=None, /)
)]
#[allow(clippy::too_many_arguments)] // PEP 249's, and a time zone.
fn timestamp<'py>(
    py: Python<'py>,
    year: i32,
    month: i32,
    day: i32,
    hour: i32,
    minute: i32,
    second: f64,
    tzinfo: Option<Bound<'py, PyTzInfo>>,
) -> Adapter<'py> {
    let (second, microsecond) = split_second(second);
    let moment = py.get_type::<PyDateTime>().call1((
        year,
        month,
        day,
        hour,
        minute,
        second,
        microsecond,
        tzinfo,
    ))?;
    DateTime::of(moment, Kind::Timestamp)
}

/// The adapter of the date, in local time, `ticks` seconds after 1970-01-01 00:00 UTC (PEP 249).
#[pyfunction]
#[pyo3(name = "DateFromTicks", signature = (ticks, /))]
fn date_from_ticks(py: Python<'_>, ticks: f64) -> Adapter<'_> {
    DateTime::of(local_time(py, ticks)?.call_method0("date")?, Kind::Date)
}

/// The adapter of the time of day, in local time, `ticks` seconds after 1970-01-01 00:00 UTC (PEP
/// 249).
#[pyfunction]
#[pyo3(name = "TimeFromTicks", signature = (ticks, /))]
fn time_from_ticks(py: Python<'_>, ticks: f64) -> Adapter<'_> {
    DateTime::of(local_time(py, ticks)?.call_method0("time")?, Kind::Time)
}

/// The adapter of the moment `ticks` seconds after 1970-01-01 00:00 UTC, in the local time zone
/// (PEP 249).
#[pyfunction]
#[pyo3(name = "TimestampFromTicks", signature = (ticks, /))]
fn timestamp_from_ticks(py: Python<'_>, ticks: f64) -> Adapter<'_> {
    let moment = local_time(py, ticks)?.call_method0("astimezone")?;
    DateTime::of(moment, Kind::Timestamp)
}

fn local_time(py: Python<'_>, ticks: f64) -> PyResult<Bound<'_, PyAny>> {
    py.get_type::<PyDateTime>().call_method1("fromtimestamp", (ticks,))
}

/// Whole seconds and microseconds. A fraction that rounds up to a whole second is left to
/// Python's classes to refuse, as psycopg2 does.
fn split_second(second: f64) -> (i64, i64) {
    let whole = second.floor();
    (whole as i64, ((second - whole) * 1e6).round() as i64)
}

/// Adds the functions to the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(date_from_py, module)?)?;
    module.add_function(wrap_pyfunction!(time_from_py, module)?)?;
    module.add_function(wrap_pyfunction!(timestamp_from_py, module)?)?;
    module.add_function(wrap_pyfunction!(interval_from_py, module)?)?;
    module.add_function(wrap_pyfunction!(date, module)?)?;
    module.add_function(wrap_pyfunction!(time, module)?)?;
    module.add_function(wrap_pyfunction!(timestamp, module)?)?;
    module.add_function(wrap_pyfunction!(date_from_ticks, module)?)?;
    module.add_function(wrap_pyfunction!(time_from_ticks, module)?)?;
    module.add_function(wrap_pyfunction!(timestamp_from_ticks, module)?)
}
