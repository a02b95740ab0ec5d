//! Dates and times as the server counts them: microseconds and days from the year 2000 on.

use arrow_schema::TimeUnit;

/// The days from 1970 to 2000.
const EPOCH_DAYS: i64 = 10_957;
pub const DAY: i64 = 86_400_000_000;
const EPOCH: i64 = EPOCH_DAYS * DAY;

/// The first and the last day that the server knows, counted from 2000 on.
const FIRST_DAY: i64 = -2_451_545;
const LAST_DAY: i64 = 2_145_031_948;
/// The first moment that the server knows, and the one after the last.
const FIRST: i64 = -211_813_488_000_000_000;
const END: i64 = 9_223_371_331_200_000_000;

/// The number of microseconds, if there is no rest.
#[inline]
pub fn micros(value: i64, unit: TimeUnit) -> Result<i64, String> {
    let factor = match unit {
        TimeUnit::Second => 1_000_000,
        TimeUnit::Millisecond => 1000,
        TimeUnit::Microsecond => return Ok(value),
        TimeUnit::Nanosecond => return whole_micros(value),
    };
    value.checked_mul(factor).ok_or_else(|| format!("{value} seconds or so are too many"))
}

/// The microseconds of nanoseconds.
#[inline]
pub fn whole_micros(nanos: i64) -> Result<i64, String> {
    if nanos % 1000 != 0 {
        return Err("the value has nanoseconds, and the server keeps microseconds: round it to \
                    microseconds first"
            .to_owned());
    }
    Ok(nanos / 1000)
}

/// The day of a date, by its days since 1970.
#[inline]
pub fn day(days: i64) -> Result<i32, String> {
    let day = days - EPOCH_DAYS;
    match i32::try_from(day) {
        Ok(found) if (FIRST_DAY..=LAST_DAY).contains(&day) => Ok(found),
        _ => Err("the date is out of the server's range".to_owned()),
    }
}

/// The day of a date of 64 bits, by its milliseconds.
pub fn day_of_millis(millis: i64) -> Result<i32, String> {
    if millis % 86_400_000 != 0 {
        return Err("the date has a time of day".to_owned());
    }
    day(millis / 86_400_000)
}

/// The moment of a timestamp, by its microseconds since 1970.
#[inline]
pub fn timestamp(micros: i64) -> Result<i64, String> {
    match micros.checked_sub(EPOCH) {
        Some(found) if (FIRST..END).contains(&found) => Ok(found),
        _ => Err("the timestamp is out of the server's range".to_owned()),
    }
}

/// The moment when a day begins.
pub fn midnight(days: i32) -> Result<i64, String> {
    // Past the range of timestamps, if not of their numbers.
    timestamp(i64::from(days).saturating_mul(DAY))
}

/// A time of day, in microseconds.
pub fn time(micros: i64) -> Result<i64, String> {
    match micros {
        0..=DAY => Ok(micros),
        _ => Err("the time is not within a day".to_owned()),
    }
}
