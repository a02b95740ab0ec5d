//! Dates and times in binary: days and microseconds since midnight at the start of the year 2000.
//!
//! <https://www.postgresql.org/docs/current/datatype-datetime.html>, with `integer_datetimes` on,
//! as in every server since PostgreSQL 10.

use std::io::Write;

use super::{FAULT, fixed};
use crate::text::date::Date;
use crate::text::interval::Interval;
use crate::text::time::Time;
use crate::text::timestamp::Timestamp;
use crate::text::{Malformed, Moment};

pub(super) const DAY: i64 = 86_400_000_000;

/// The days from the first of March of the year 0 to the first of January 2000. Counted from there,
/// a leap day is the last day of its year.
const SHIFT: i64 = 730_425;

/// A `date`.
#[inline]
pub fn date(bytes: &[u8]) -> Result<Moment<Date>, Malformed> {
    Ok(match i32::from_be_bytes(fixed(bytes)?) {
        i32::MAX => Moment::Infinity,
        i32::MIN => Moment::MinusInfinity,
        days => Moment::Finite(day(i64::from(days))),
    })
}

/// A `timestamp`, or a `timestamptz` in UTC. Neither has an offset.
#[inline]
pub fn timestamp(bytes: &[u8]) -> Result<Moment<Timestamp>, Malformed> {
    Ok(match i64::from_be_bytes(fixed(bytes)?) {
        i64::MAX => Moment::Infinity,
        i64::MIN => Moment::MinusInfinity,
        micros => Moment::Finite(Timestamp {
            date: day(micros.div_euclid(DAY)),
            time: time_of_day(micros.rem_euclid(DAY)),
            offset: None,
        }),
    })
}

/// A `time`, up to 24:00.
#[inline]
pub fn time(bytes: &[u8]) -> Result<Time, Malformed> {
    match i64::from_be_bytes(fixed(bytes)?) {
        micros @ 0..=DAY => Ok(time_of_day(micros)),
        _ => Err(FAULT),
    }
}

/// A `timetz`: the time, and its offset in seconds east of Greenwich.
#[inline]
pub fn timetz(bytes: &[u8]) -> Result<(Time, i32), Malformed> {
    let (micros, west) = bytes.split_at_checked(8).ok_or(FAULT)?;
    let east = i32::from_be_bytes(fixed(west)?).checked_neg().ok_or(FAULT)?;
    Ok((time(micros)?, east))
}

/// An `interval`, or one of the two that are infinite.
#[inline]
pub fn interval(bytes: &[u8]) -> Result<Moment<Interval>, Malformed> {
    let [micros @ .., d1, d2, d3, d4, m1, m2, m3, m4] = fixed::<16>(bytes)?;
    let microseconds = i64::from_be_bytes(micros);
    let days = i32::from_be_bytes([d1, d2, d3, d4]);
    let months = i32::from_be_bytes([m1, m2, m3, m4]);
    Ok(match (months, days, microseconds) {
        // Before PostgreSQL 17 these are finite, but a client can hold them as little.
        (i32::MAX, i32::MAX, i64::MAX) => Moment::Infinity,
        (i32::MIN, i32::MIN, i64::MIN) => Moment::MinusInfinity,
        // As text has it: years and months of the same sign.
        _ => Moment::Finite(Interval {
            years: i64::from(months / 12),
            months: i64::from(months % 12),
            days: i64::from(days),
            microseconds,
        }),
    })
}

/// Writes the text of a `date`, in the style ISO.
pub fn write_date(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    write_moment(date(bytes)?, out, write_day)
}

/// Writes the text of a `time`.
pub fn write_clock(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    write_time_of_day(time(bytes)?, out).map_err(|_| FAULT)
}

/// Writes the text of a `timetz`.
pub fn write_timetz(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let (time, east) = timetz(bytes)?;
    let (sign, seconds) = (if east < 0 { '-' } else { '+' }, east.unsigned_abs());
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut write = || {
        write_time_of_day(time, out)?;
        write!(out, "{sign}{hours:02}")?;
        if minutes > 0 || seconds > 0 {
            write!(out, ":{minutes:02}")?;
        }
        if seconds > 0 { write!(out, ":{seconds:02}") } else { Ok(()) }
    };
    write().map_err(|_: std::io::Error| FAULT)
}

/// Writes the text of a `timestamp`, in the style ISO.
pub fn write_timestamp(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    write_moment(timestamp(bytes)?, out, |moment, out| write_time(moment, "", out))
}

/// Writes the text of a `timestamptz`, in the style ISO, for a session in UTC.
pub fn write_timestamptz(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    write_moment(timestamp(bytes)?, out, |moment, out| write_time(moment, "+00", out))
}

fn write_moment<T>(
    moment: Moment<T>,
    out: &mut Vec<u8>,
    write: impl FnOnce(T, &mut Vec<u8>) -> std::io::Result<()>,
) -> Result<(), Malformed> {
    match moment {
        Moment::Finite(moment) => write(moment, out).map_err(|_| FAULT)?,
        Moment::Infinity => out.extend_from_slice(b"infinity"),
        Moment::MinusInfinity => out.extend_from_slice(b"-infinity"),
    }
    Ok(())
}

fn write_day(date: Date, out: &mut Vec<u8>) -> std::io::Result<()> {
    let (year, era) = (date.year.unsigned_abs(), if date.year < 0 { " BC" } else { "" });
    write!(out, "{year:04}-{:02}-{:02}{era}", date.month, date.day)
}

fn write_time(moment: Timestamp, zone: &str, out: &mut Vec<u8>) -> std::io::Result<()> {
    let Timestamp { date, time, .. } = moment;
    write_day(Date { year: date.year.abs(), ..date }, out)?;
    out.push(b' ');
    write_time_of_day(time, out)?;
    write!(out, "{zone}{}", if date.year < 0 { " BC" } else { "" })
}

fn write_time_of_day(time: Time, out: &mut Vec<u8>) -> std::io::Result<()> {
    write!(out, "{:02}:{:02}:{:02}", time.hour, time.minute, time.second)?;
    if time.microsecond > 0 {
        write!(out, ".{:06}", time.microsecond)?;
        let zeros = out.iter().rev().take_while(|byte| **byte == b'0').count();
        out.truncate(out.len() - zeros);
    }
    Ok(())
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
#[inline]
fn time_of_day(micros: i64) -> Time {
    // At most a day, and not negative.
    let seconds = (micros / 1_000_000) as u32;
    Time {
        hour: (seconds / 3600) as u8,
        minute: (seconds / 60 % 60) as u8,
        second: (seconds % 60) as u8,
        microsecond: (micros % 1_000_000) as u32,
    }
}

/// The date that is this many days after the first of January 2000.
///
/// Eras of 400 years all have the same number of days, and years that begin in March the same
/// months. The quotients and remainders are found by multiplication, as in Neri and Schneider,
/// *Euclidean affine functions and their application to calendar algorithms* (2022).
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
#[inline]
pub(super) fn day(days: i64) -> Date {
    const ERA: i64 = 146_097;
    /// As many eras before the year 0 as 32 bits of days go back.
    const ERAS: i64 = 14_700;
    // Not negative for any 32-bit number, and what a timestamp has is less.
    let quarters = (4 * (days + SHIFT + ERAS * ERA) + 3) as u64;
    let (century, of_century) = (quarters / ERA as u64, (quarters % ERA as u64) as u32 / 4);
    let product = 2_939_745 * u64::from(4 * of_century + 3);
    let of_year = product as u32 / 2_939_745 / 4;
    let march = 2141 * of_year + 197_913;
    let is_next_year = of_year >= 306;
    let month = (march >> 16) - if is_next_year { 12 } else { 0 };
    let year = (100 * century + (product >> 32) + u64::from(is_next_year)) as i64 - 400 * ERAS;
    // There is no year zero: 1 BC is the year before 1.
    let year = if year <= 0 { year - 1 } else { year };
    // The year fits: a 64-bit number of microseconds spans 300 000 years, a 32-bit number of days 6
    // million.
    Date { year: year as i32, month: month as u8, day: ((march & 0xffff) / 2141 + 1) as u8 }
}

/// The number of days from the first of January 2000 to a date; `None` if there is no such date.
#[inline]
pub fn days_since_2000(date: Date) -> Option<i64> {
    const LENGTHS: [u8; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    // 1 BC, which is the year -1 here, is the year before 1.
    let year = if date.year < 0 { date.year + 1 } else { date.year };
    let length = *LENGTHS.get(usize::from(date.month).checked_sub(1)?)?;
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let exists = (1..=length).contains(&date.day)
        && date.year != 0
        && (is_leap || (date.month, date.day) != (2, 29));
    exists.then(|| days(Date { year, ..date }))
}

/// The number of days from the first of January 2000 to a date, for years of our era.
#[inline]
pub(super) fn days(date: Date) -> i64 {
    const ERA: i64 = 146_097;
    let (month, day) = (i64::from(date.month), i64::from(date.day));
    let year = i64::from(date.year) - i64::from(month <= 2);
    let march = if month > 2 { month - 3 } else { month + 9 };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * march + 2) / 5 + day - 1;
    era * ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - SHIFT
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(days: i32) -> (i32, u8, u8) {
        match date(&days.to_be_bytes()) {
            Ok(Moment::Finite(Date { year, month, day })) => (year, month, day),
            other => panic!("{other:?}"),
        }
    }

    fn at(micros: i64) -> String {
        match timestamp(&micros.to_be_bytes()) {
            Ok(Moment::Finite(Timestamp { date: d, time: t, offset: None })) => format!(
                "{}-{}-{} {}:{}:{}.{:06}",
                d.year, d.month, d.day, t.hour, t.minute, t.second, t.microsecond
            ),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn days_have_their_dates() {
        assert_eq!(on(0), (2000, 1, 1));
        assert_eq!(on(-1), (1999, 12, 31));
        assert_eq!(on(59), (2000, 2, 29));
        assert_eq!(on(60), (2000, 3, 1));
        assert_eq!(on(366 + 365 + 365), (2003, 1, 1));
        assert_eq!(on(-730_119), (1, 1, 1));
        assert_eq!(on(-730_120), (-1, 12, 31));
        assert_eq!(on(2_921_939), (9999, 12, 31));
        assert_eq!(on(2_921_940), (10_000, 1, 1));
        // The limits of the type, on both sides.
        assert_eq!(on(2_145_031_948), (5_874_897, 12, 31));
        assert_eq!(on(-2_451_507), (-4713, 1, 1));
        assert_eq!(date(&i32::MAX.to_be_bytes()), Ok(Moment::Infinity));
        assert_eq!(date(&i32::MIN.to_be_bytes()), Ok(Moment::MinusInfinity));
        assert_eq!(date(b"\0\0\0"), Err(FAULT));
    }

    #[test]
    fn each_day_follows_the_one_before() {
        let mut last = on(-800_000);
        for days in -799_999..800_000 {
            let next = on(days);
            let (year, month, day) = last;
            let new_year = if year == -1 { 1 } else { year + 1 };
            assert!(
                next == (year, month, day + 1)
                    || next == (year, month + 1, 1) && day >= 28
                    || next == (new_year, 1, 1) && (month, day) == (12, 31),
                "{last:?} {next:?}"
            );
            last = next;
        }
    }

    #[test]
    fn moments_have_their_days_and_times() {
        assert_eq!(at(0), "2000-1-1 0:0:0.000000");
        assert_eq!(at(-1), "1999-12-31 23:59:59.999999");
        assert_eq!(at(151_496_634_250_000), "2004-10-19 10:23:54.250000");
        assert_eq!(at(i64::MAX), "Ok(Infinity)");
        assert_eq!(at(i64::MIN), "Ok(MinusInfinity)");
        assert!(timestamp(&(i64::MAX - 1).to_be_bytes()).is_ok());
        assert!(timestamp(&(i64::MIN + 1).to_be_bytes()).is_ok());
        assert_eq!(timestamp(b""), Err(FAULT));
        let clock = |micros: i64| time(&micros.to_be_bytes());
        let last = Time { hour: 23, minute: 59, second: 59, microsecond: 999_999 };
        assert_eq!(clock(DAY - 1), Ok(last));
        assert_eq!(clock(DAY), Ok(Time { hour: 24, ..Time::default() }));
        assert_eq!(clock(-1), Err(FAULT));
        assert_eq!(clock(DAY + 1), Err(FAULT));
    }

    #[test]
    fn times_have_their_offsets() {
        let bytes =
            |micros: i64, west: i32| [&micros.to_be_bytes()[..], &west.to_be_bytes()].concat();
        let noon = Time { hour: 12, ..Time::default() };
        assert_eq!(timetz(&bytes(DAY / 2, -19_800)), Ok((noon, 19_800)));
        assert_eq!(timetz(&bytes(DAY / 2, 3600)), Ok((noon, -3600)));
        assert_eq!(timetz(&bytes(DAY + 1, 0)), Err(FAULT));
        assert_eq!(timetz(&bytes(0, i32::MIN)), Err(FAULT));
        assert_eq!(timetz(b"\0\0\0\0\0\0\0"), Err(FAULT));
        assert_eq!(timetz(b"\0\0\0\0\0\0\0\0"), Err(FAULT));
    }

    #[test]
    fn intervals_have_three_parts() {
        let of = |micros: i64, days: i32, months: i32| {
            interval(
                &[&micros.to_be_bytes()[..], &days.to_be_bytes(), &months.to_be_bytes()].concat(),
            )
        };
        let finite = |years, months, days, microseconds| {
            Ok(Moment::Finite(Interval { years, months, days, microseconds }))
        };
        assert_eq!(of(5, -4, 27), finite(2, 3, -4, 5));
        assert_eq!(of(-5, 4, -27), finite(-2, -3, 4, -5));
        assert_eq!(of(i64::MAX, i32::MAX, i32::MAX), Ok(Moment::Infinity));
        assert_eq!(of(i64::MIN, i32::MIN, i32::MIN), Ok(Moment::MinusInfinity));
        assert!(matches!(of(i64::MAX, i32::MAX, i32::MIN), Ok(Moment::Finite(_))));
        assert_eq!(interval(&[0; 15]), Err(FAULT));
    }

    #[test]
    fn days_are_those_of_dates() {
        for days in (-2_451_507..2_451_507).step_by(97).chain([-1, 0, 1, -730_120, -730_121]) {
            assert_eq!(days_since_2000(day(days)), Some(days));
        }
        for (year, month, day) in [
            (0, 1, 1),
            (1900, 2, 29),
            (2001, 2, 29),
            (2000, 4, 31),
            (1, 0, 1),
            (1, 13, 1),
            (1, 1, 0),
        ] {
            assert_eq!(days_since_2000(Date { year, month, day }), None);
        }
        assert!(days_since_2000(Date { year: -1, month: 2, day: 29 }).is_some());
    }

    #[test]
    fn times_are_written() {
        let text = |micros: i64, west: i32| {
            let mut out = Vec::new();
            write_timetz(&[&micros.to_be_bytes()[..], &west.to_be_bytes()].concat(), &mut out)
                .unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(text(0, 0), "00:00:00+00");
        assert_eq!(text(DAY - 10, -19_800), "23:59:59.99999+05:30");
        assert_eq!(text(DAY, 3_661), "24:00:00-01:01:01");
        let mut out = Vec::new();
        write_clock(&(DAY / 2).to_be_bytes(), &mut out).unwrap();
        assert_eq!(out, b"12:00:00");
    }

    #[test]
    fn moments_are_written() {
        fn text(write: fn(&[u8], &mut Vec<u8>) -> Result<(), Malformed>, bytes: &[u8]) -> String {
            let mut out = Vec::new();
            write(bytes, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        }
        assert_eq!(text(write_date, &0_i32.to_be_bytes()), "2000-01-01");
        assert_eq!(text(write_date, &(-730_120_i32).to_be_bytes()), "0001-12-31 BC");
        assert_eq!(text(write_date, &2_921_940_i32.to_be_bytes()), "10000-01-01");
        assert_eq!(text(write_date, &i32::MIN.to_be_bytes()), "-infinity");
        let moment = 151_496_634_250_000_i64.to_be_bytes();
        assert_eq!(text(write_timestamp, &moment), "2004-10-19 10:23:54.25");
        assert_eq!(text(write_timestamptz, &moment), "2004-10-19 10:23:54.25+00");
        let before = (-730_120 * DAY).to_be_bytes();
        assert_eq!(text(write_timestamptz, &before), "0001-12-31 00:00:00+00 BC");
        assert_eq!(text(write_timestamp, &i64::MAX.to_be_bytes()), "infinity");
    }
}
