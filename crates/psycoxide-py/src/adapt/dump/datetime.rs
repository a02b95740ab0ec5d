//! Dates, times and intervals in binary.

use psycoxide_sql::binary::write;
use psycoxide_sql::oid::{self, Oid};
use psycoxide_sql::text::date::Date;
use psycoxide_sql::text::time::Time;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{
    PyDate, PyDateAccess, PyDateTime, PyDelta, PyDeltaAccess, PyTime, PyTimeAccess, PyTzInfo,
    PyTzInfoAccess,
};

use super::Dumper;

pub fn date(day: &Bound<'_, PyDate>, out: &mut Vec<u8>) -> Oid {
    write::date(out, date_of(day));
    oid::DATE
}

/// Writes the days and the time as they are. With `IntervalStyle` `sql_standard` the server reads
/// the sign of negative days in a literal as the time's, too.
pub fn interval(delta: &Bound<'_, PyDelta>, out: &mut Vec<u8>) -> Oid {
    let micros = i64::from(delta.get_seconds()) * 1_000_000 + i64::from(delta.get_microseconds());
    write::interval(out, delta.get_days(), micros);
    oid::INTERVAL
}

impl<'py> Dumper<'_, 'py> {
    /// Writes a datetime and returns its type. Writes nothing and returns `None` if only the server
    /// knows its offset, or may have an objection to it.
    pub(super) fn timestamp(
        &mut self,
        moment: &Bound<'py, PyDateTime>,
        out: &mut Vec<u8>,
    ) -> PyResult<Option<Oid>> {
        let (oid, offset) = match moment.get_tzinfo() {
            None => (oid::TIMESTAMP, 0),
            Some(zone) => match self.offset(moment.as_any(), &zone)? {
                Some(offset) => (oid::TIMESTAMPTZ, offset),
                None => return Ok(None),
            },
        };
        write::timestamp(out, date_of(moment), time_of(moment), offset);
        Ok(Some(oid))
    }

    /// The same for a time.
    pub(super) fn time(
        &mut self,
        time: &Bound<'py, PyTime>,
        out: &mut Vec<u8>,
    ) -> PyResult<Option<Oid>> {
        let Some(zone) = time.get_tzinfo() else {
            write::time(out, time_of(time));
            return Ok(Some(oid::TIME));
        };
        let Some(offset) = self.offset(time.as_any(), &zone)? else { return Ok(None) };
        write::timetz(out, time_of(time), offset);
        Ok(Some(oid::TIMETZ))
    }

    /// How many seconds a moment's time is ahead of UTC, if the server's types can say that.
    fn offset(
        &mut self,
        moment: &Bound<'py, PyAny>,
        zone: &Bound<'py, PyTzInfo>,
    ) -> PyResult<Option<i32>> {
        let py = moment.py();
        if zone.is(PyTzInfo::utc(py)?) {
            return Ok(Some(0));
        }
        let offset = moment.call_method0(intern!(py, "utcoffset"));
        // It may be Python code.
        self.quoter.forget();
        let offset = offset?;
        if offset.is_none() {
            return Ok(None);
        }
        let offset = offset.cast::<PyDelta>()?;
        // It is less than a day.
        let seconds = offset.get_days() * 86_400 + offset.get_seconds();
        let known = offset.get_microseconds() == 0 && seconds.abs() <= write::MAX_OFFSET;
        Ok(known.then_some(seconds))
    }
}

fn date_of(day: &impl PyDateAccess) -> Date {
    Date { year: day.get_year(), month: day.get_month(), day: day.get_day() }
}

fn time_of(time: &impl PyTimeAccess) -> Time {
    Time {
        hour: time.get_hour(),
        minute: time.get_minute(),
        second: time.get_second(),
        microsecond: time.get_microsecond(),
    }
}
