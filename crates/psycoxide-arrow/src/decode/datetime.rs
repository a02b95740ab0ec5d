//! Dates, times and intervals.

use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Date64Type, DurationMicrosecondType, DurationMillisecondType,
    DurationNanosecondType, DurationSecondType, IntervalMonthDayNanoType, Time32MillisecondType,
    Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow_buffer::IntervalMonthDayNano;
use arrow_schema::{DataType, IntervalUnit, TimeUnit};
use psycoxide_sql::binary::datetime::days_since_2000;
use psycoxide_sql::binary::fixed;
use psycoxide_sql::text::time::Time;
use psycoxide_sql::text::{self, Moment};

use super::build::Build;
use super::primitive::primitive;
use crate::error::Fault;
use crate::layout::Rules;
use crate::options::Infinity;

/// Days from the first of January 1970 to that of 2000.
const EPOCH: i32 = 10_957;
const DAY: i64 = 86_400_000_000;
const EPOCH_MICROS: i64 = EPOCH as i64 * DAY;

type Read<T> = fn(&[u8]) -> Result<T, Fault>;

/// What becomes of an infinite value.
#[cold]
fn infinite<T>(rules: Rules, is_negative: bool, limits: (T, T)) -> Result<Option<T>, Fault> {
    match rules.infinity {
        Infinity::Null => Ok(None),
        Infinity::Clamp => Ok(Some(if is_negative { limits.0 } else { limits.1 })),
        Infinity::Error => {
            let sign = if is_negative { "-" } else { "" };
            Err(format!(
                "{sign}infinity has no place in Arrow: choose infinity=\"null\" or \"clamp\""
            )
            .into())
        }
    }
}

#[inline]
fn moment<T, U>(
    moment: Moment<T>,
    rules: Rules,
    limits: (U, U),
    finite: impl FnOnce(T) -> Result<U, Fault>,
) -> Result<Option<U>, Fault> {
    match moment {
        Moment::Finite(value) => finite(value).map(Some),
        Moment::Infinity => infinite(rules, false, limits),
        Moment::MinusInfinity => infinite(rules, true, limits),
    }
}

/// The days since 1970.
#[inline]
fn date_of_binary(bytes: &[u8]) -> Result<Moment<i32>, Fault> {
    Ok(match i32::from_be_bytes(fixed(bytes)?) {
        i32::MAX => Moment::Infinity,
        i32::MIN => Moment::MinusInfinity,
        days => Moment::Finite(days.checked_add(EPOCH).ok_or(BAD_DATE)?),
    })
}

const BAD_DATE: &str = "the date is not in the style ISO: SET datestyle = iso";
const BAD_TIMESTAMP: &str = "the timestamp is not in the style ISO: SET datestyle = iso";

#[inline]
fn date_of_text(text: &[u8]) -> Result<Moment<i32>, Fault> {
    Ok(match text::date::date(text).map_err(|_| BAD_DATE)? {
        Moment::Finite(date) => {
            let days = days_since_2000(date).ok_or(BAD_DATE)? + i64::from(EPOCH);
            Moment::Finite(i32::try_from(days).map_err(|_| BAD_DATE)?)
        }
        Moment::Infinity => Moment::Infinity,
        Moment::MinusInfinity => Moment::MinusInfinity,
    })
}

pub(super) fn date(is_binary: bool, to: &DataType, rules: Rules) -> Option<Box<dyn Build>> {
    let read: Read<_> = if is_binary { date_of_binary } else { date_of_text };
    let ends = (i32::MIN, i32::MAX);
    Some(match to {
        DataType::Date32 if is_binary => primitive::<Date32Type>(to, move |bytes| {
            moment(date_of_binary(bytes)?, rules, ends, Ok)
        }),
        DataType::Date32 => {
            primitive::<Date32Type>(to, move |text| moment(date_of_text(text)?, rules, ends, Ok))
        }
        DataType::Date64 => primitive::<Date64Type>(to, move |bytes| {
            let limits = (i64::MIN, i64::MAX);
            moment(read(bytes)?, rules, limits, |days| Ok(i64::from(days) * (DAY / 1000)))
        }),
        DataType::Timestamp(unit, None) => {
            let unit = *unit;
            timestamp_of(to, rules, move |bytes| {
                Ok(match read(bytes)? {
                    Moment::Finite(days) => {
                        let seconds = i64::from(days) * (DAY / 1_000_000);
                        Moment::Finite(match unit {
                            TimeUnit::Second => seconds,
                            _ => {
                                seconds.checked_mul(per_second(unit)).ok_or_else(|| beyond(unit))?
                            }
                        })
                    }
                    Moment::Infinity => Moment::Infinity,
                    Moment::MinusInfinity => Moment::MinusInfinity,
                })
            })?
        }
        _ => return None,
    })
}

fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// A number of microseconds in another unit.
#[inline]
fn in_unit(micros: i64, unit: TimeUnit) -> Result<i64, Fault> {
    let per = match unit {
        TimeUnit::Microsecond => return Ok(micros),
        TimeUnit::Nanosecond => {
            return micros.checked_mul(1_000).ok_or_else(|| beyond(unit));
        }
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Second => 1_000_000,
    };
    if micros % per != 0 {
        return Err(format!(
            "the time has fractions of a {}: choose a finer unit for the column in schema",
            if unit == TimeUnit::Second { "second" } else { "millisecond" }
        )
        .into());
    }
    Ok(micros / per)
}

#[cold]
fn beyond(unit: TimeUnit) -> Fault {
    let unit = match unit {
        TimeUnit::Second => "seconds",
        TimeUnit::Millisecond => "milliseconds",
        TimeUnit::Microsecond => "microseconds",
        TimeUnit::Nanosecond => "nanoseconds",
    };
    format!(
        "the value is beyond 64 bits of {unit}: choose a coarser unit, or utf8, for the column in \
         schema"
    )
    .into()
}

/// Microseconds since 2000 in a unit, since 1970. The last years of the type are beyond 64 bits of
/// microseconds.
#[inline]
fn since_1970(micros: i64, unit: TimeUnit) -> Result<i64, Fault> {
    match unit {
        TimeUnit::Second | TimeUnit::Millisecond => {
            Ok(in_unit(micros, unit)? + EPOCH_MICROS / 1_000_000 * per_second(unit))
        }
        _ => in_unit(micros.checked_add(EPOCH_MICROS).ok_or_else(|| beyond(unit))?, unit),
    }
}

/// The microseconds since 2000.
#[inline]
fn timestamp_of_binary(bytes: &[u8]) -> Result<Moment<i64>, Fault> {
    Ok(match i64::from_be_bytes(fixed(bytes)?) {
        i64::MAX => Moment::Infinity,
        i64::MIN => Moment::MinusInfinity,
        micros => Moment::Finite(micros),
    })
}

#[inline]
fn timestamp_of_text(text: &[u8]) -> Result<Moment<i64>, Fault> {
    Ok(match text::timestamp::timestamp(text).map_err(|_| BAD_TIMESTAMP)? {
        Moment::Finite(moment) => {
            let days = days_since_2000(moment.date).ok_or(BAD_TIMESTAMP)?;
            let micros = micros_of_day(moment.time).ok_or(BAD_TIMESTAMP)?
                - i64::from(moment.offset.unwrap_or_default()) * 1_000_000;
            let days = days.checked_mul(DAY).ok_or(BAD_TIMESTAMP)?;
            Moment::Finite(days.checked_add(micros).ok_or(BAD_TIMESTAMP)?)
        }
        Moment::Infinity => Moment::Infinity,
        Moment::MinusInfinity => Moment::MinusInfinity,
    })
}

/// The microseconds since midnight, up to 24:00.
#[inline]
fn micros_of_day(time: Time) -> Option<i64> {
    let Time { hour, minute, second, microsecond } = time;
    let micros = i64::from(hour) * 3_600_000_000
        + i64::from(minute) * 60_000_000
        + i64::from(second) * 1_000_000
        + i64::from(microsecond);
    (minute < 60 && second <= 60 && micros <= DAY).then_some(micros)
}

pub(super) fn timestamp(
    is_binary: bool,
    zoned: bool,
    to: &DataType,
    rules: Rules,
) -> Option<Box<dyn Build>> {
    let DataType::Timestamp(unit, zone) = to else { return None };
    if zone.is_some() != zoned {
        return None;
    }
    let unit = *unit;
    let in_this_unit = move |moment: Moment<i64>| {
        Ok(match moment {
            Moment::Finite(micros) => Moment::Finite(since_1970(micros, unit)?),
            Moment::Infinity => Moment::Infinity,
            Moment::MinusInfinity => Moment::MinusInfinity,
        })
    };
    if is_binary {
        timestamp_of(to, rules, move |bytes| in_this_unit(timestamp_of_binary(bytes)?))
    } else {
        timestamp_of(to, rules, move |text| in_this_unit(timestamp_of_text(text)?))
    }
}

fn timestamp_of(
    to: &DataType,
    rules: Rules,
    read: impl Fn(&[u8]) -> Result<Moment<i64>, Fault> + Send + Sync + 'static,
) -> Option<Box<dyn Build>> {
    let read = move |bytes: &[u8]| moment(read(bytes)?, rules, (i64::MIN, i64::MAX), Ok);
    Some(match to {
        DataType::Timestamp(TimeUnit::Second, _) => primitive::<TimestampSecondType>(to, read),
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            primitive::<TimestampMillisecondType>(to, read)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            primitive::<TimestampMicrosecondType>(to, read)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            primitive::<TimestampNanosecondType>(to, read)
        }
        _ => return None,
    })
}

pub(super) fn time(is_binary: bool, to: &DataType) -> Option<Box<dyn Build>> {
    fn of_binary(bytes: &[u8]) -> Result<i64, Fault> {
        let micros = i64::from_be_bytes(fixed(bytes)?);
        if (0..=DAY).contains(&micros) { Ok(micros) } else { Err("malformed time".into()) }
    }
    fn of_text(text: &[u8]) -> Result<i64, Fault> {
        match text::time::time(text)? {
            (time, None) => micros_of_day(time).ok_or_else(|| "malformed time".into()),
            (_, Some(_)) => Err("malformed time".into()),
        }
    }
    let read: Read<_> = if is_binary { of_binary } else { of_text };
    let in_unit = move |bytes: &[u8], unit| match read(bytes)? {
        DAY => Err("24:00:00 has no place in Arrow: choose utf8 for the column in schema".into()),
        micros => in_unit(micros, unit),
    };
    // A day's milliseconds have 27 bits.
    let short = move |bytes: &[u8], unit| {
        i32::try_from(in_unit(bytes, unit)?).map_err(|_| Fault::from("malformed time"))
    };
    Some(match to {
        DataType::Time64(TimeUnit::Microsecond) => primitive::<Time64MicrosecondType>(to, {
            move |bytes| in_unit(bytes, TimeUnit::Microsecond).map(Some)
        }),
        DataType::Time64(TimeUnit::Nanosecond) => primitive::<Time64NanosecondType>(to, {
            move |bytes| in_unit(bytes, TimeUnit::Nanosecond).map(Some)
        }),
        DataType::Time32(TimeUnit::Millisecond) => primitive::<Time32MillisecondType>(to, {
            move |bytes| short(bytes, TimeUnit::Millisecond).map(Some)
        }),
        DataType::Time32(TimeUnit::Second) => primitive::<Time32SecondType>(to, {
            move |bytes| short(bytes, TimeUnit::Second).map(Some)
        }),
        _ => return None,
    })
}

/// An interval's parts, as the server keeps them.
struct Parts {
    months: i32,
    days: i32,
    micros: i64,
}

fn interval_of_binary(bytes: &[u8]) -> Result<Moment<Parts>, Fault> {
    let [micros @ .., d1, d2, d3, d4, m1, m2, m3, m4] = fixed::<16>(bytes)?;
    let micros = i64::from_be_bytes(micros);
    let days = i32::from_be_bytes([d1, d2, d3, d4]);
    let months = i32::from_be_bytes([m1, m2, m3, m4]);
    Ok(match (months, days, micros) {
        (i32::MAX, i32::MAX, i64::MAX) => Moment::Infinity,
        (i32::MIN, i32::MIN, i64::MIN) => Moment::MinusInfinity,
        _ => Moment::Finite(Parts { months, days, micros }),
    })
}

fn interval_of_text(text: &[u8]) -> Result<Moment<Parts>, Fault> {
    const BAD: &str = "malformed interval";
    match text {
        b"infinity" => return Ok(Moment::Infinity),
        b"-infinity" => return Ok(Moment::MinusInfinity),
        _ => {}
    }
    let interval = text::interval::interval(text)?;
    let months =
        interval.years.checked_mul(12).and_then(|years| years.checked_add(interval.months));
    Ok(Moment::Finite(Parts {
        months: months.and_then(|months| months.try_into().ok()).ok_or(BAD)?,
        days: interval.days.try_into().map_err(|_| BAD)?,
        micros: interval.microseconds,
    }))
}

pub(super) fn interval(is_binary: bool, to: &DataType, rules: Rules) -> Option<Box<dyn Build>> {
    let read: Read<_> = if is_binary { interval_of_binary } else { interval_of_text };
    match to {
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            let limits = (
                IntervalMonthDayNano::new(i32::MIN, i32::MIN, i64::MIN),
                IntervalMonthDayNano::new(i32::MAX, i32::MAX, i64::MAX),
            );
            Some(primitive::<IntervalMonthDayNanoType>(to, move |bytes| {
                moment(read(bytes)?, rules, limits, |Parts { months, days, micros }| {
                    let nanos = micros.checked_mul(1_000).ok_or(
                        "the time of the interval is beyond 64 bits of nanoseconds: choose \
                         interval=\"duration\", or utf8 for the column in schema",
                    )?;
                    Ok(IntervalMonthDayNano::new(months, days, nanos))
                })
            }))
        }
        DataType::Duration(unit) => Some(match unit {
            TimeUnit::Second => duration::<DurationSecondType>(read, *unit, to, rules),
            TimeUnit::Millisecond => duration::<DurationMillisecondType>(read, *unit, to, rules),
            TimeUnit::Microsecond => duration::<DurationMicrosecondType>(read, *unit, to, rules),
            TimeUnit::Nanosecond => duration::<DurationNanosecondType>(read, *unit, to, rules),
        }),
        _ => None,
    }
}

fn duration<T: ArrowPrimitiveType<Native = i64>>(
    read: Read<Moment<Parts>>,
    unit: TimeUnit,
    to: &DataType,
    rules: Rules,
) -> Box<dyn Build> {
    primitive::<T>(to, move |bytes| {
        moment(read(bytes)?, rules, (i64::MIN, i64::MAX), |Parts { months, days, micros }| {
            if months != 0 {
                return Err("the interval has months, which have no length: choose \
                            interval=\"month_day_nano\""
                    .into());
            }
            let micros = (i64::from(days) * DAY).checked_add(micros);
            in_unit(micros.ok_or_else(|| beyond(TimeUnit::Microsecond))?, unit)
        })
    })
}
