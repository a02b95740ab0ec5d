//! Numbers that stand for dates and times: small ones for what is common.
//!
//! They are to be kept for a while in little memory, and to be made quickly. So a month counts 31
//! days, for which no calendar is needed; what is near the year 2000 is near zero; and whole seconds
//! are counted as such: a timestamp of this century then has 34 bits, with microseconds 54.

use super::date::Date;
use super::time::Time;
use super::timestamp::Timestamp;

const MICROS: i64 = 1_000_000;
/// Seconds.
const DAY: i64 = 86_400;

/// A number for a signed one, small if that is near zero.
#[inline]
pub fn unsigned(value: i64) -> u64 {
    (value << 1 ^ value >> 63).cast_unsigned()
}

/// The signed number that an unsigned one stands for.
#[inline]
pub fn signed(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

/// A number for a date whose month and day a calendar has.
#[inline]
pub fn of_date(date: Date) -> u64 {
    unsigned(day_number(date))
}

/// The date that a number stands for.
#[inline]
pub fn date(number: u64) -> Date {
    day(signed(number))
}

/// A number for a time of day before 24:00.
#[inline]
pub fn of_time(time: Time) -> u64 {
    of_seconds(second_number(time), time.microsecond)
}

/// The time that a number stands for.
#[inline]
pub fn time(number: u64) -> Time {
    let (seconds, microsecond) = seconds(number);
    clock(seconds.rem_euclid(DAY), microsecond)
}

/// A number for the date and the time of a timestamp, of which the above holds.
#[inline]
pub fn of_timestamp(date: Date, time: Time) -> u64 {
    of_seconds(day_number(date) * DAY + second_number(time), time.microsecond)
}

/// The timestamp without an offset that a number stands for.
#[inline]
pub fn timestamp(number: u64) -> Timestamp {
    let (seconds, microsecond) = seconds(number);
    let time = clock(seconds.rem_euclid(DAY), microsecond);
    Timestamp { date: day(seconds.div_euclid(DAY)), time, offset: None }
}

/// The last bit tells whether microseconds are counted.
#[inline]
fn of_seconds(seconds: i64, microsecond: u32) -> u64 {
    match microsecond {
        0 => unsigned(seconds) << 1,
        micros => unsigned(seconds * MICROS + i64::from(micros)) << 1 | 1,
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
#[inline]
fn seconds(number: u64) -> (i64, u32) {
    let count = signed(number >> 1);
    if number & 1 == 0 {
        return (count, 0);
    }
    // Less than a million, and not negative.
    (count.div_euclid(MICROS), count.rem_euclid(MICROS) as u32)
}

/// From the first day of 2000, if each month had 31.
#[inline]
fn day_number(date: Date) -> i64 {
    const FIRST: i64 = 2000 * 12 * 31 + 31 + 1;
    i64::from(date.year) * (12 * 31) + i64::from(date.month) * 31 + i64::from(date.day) - FIRST
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
#[inline]
fn day(number: i64) -> Date {
    let (month, day) = (number.div_euclid(31), number.rem_euclid(31));
    // The year is one that was written in 32 bits; the others are below 12 and 31.
    Date {
        year: (month.div_euclid(12) + 2000) as i32,
        month: month.rem_euclid(12) as u8 + 1,
        day: day as u8 + 1,
    }
}

#[inline]
fn second_number(time: Time) -> i64 {
    i64::from(time.hour) * 3600 + i64::from(time.minute) * 60 + i64::from(time.second)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
#[inline]
fn clock(seconds: i64, microsecond: u32) -> Time {
    // At most a day's worth, and not negative.
    Time {
        hour: (seconds / 3600) as u8,
        minute: (seconds / 60 % 60) as u8,
        second: (seconds % 60) as u8,
        microsecond,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(number: u64) -> u32 {
        64 - number.leading_zeros()
    }

    fn dates() -> impl Iterator<Item = Date> {
        let years = [1, 2, 999, 1582, 1999, 2000, 2001, 2024, 2099, 2262, 9998, 9999];
        years.into_iter().flat_map(|year| {
            (1..=12).flat_map(move |month| {
                [1, 2, 15, 28, 29, 30, 31].into_iter().map(move |day| Date { year, month, day })
            })
        })
    }

    fn times() -> impl Iterator<Item = Time> {
        let hours = [(0, 0, 0), (0, 0, 1), (0, 59, 59), (12, 30, 7), (23, 59, 59)];
        hours.into_iter().flat_map(|(hour, minute, second)| {
            [0, 1, 500_000, 999_999].into_iter().map(move |microsecond| Time {
                hour,
                minute,
                second,
                microsecond,
            })
        })
    }

    #[test]
    fn signs_are_folded() {
        for (value, number) in [(0, 0), (-1, 1), (1, 2), (i64::MAX, u64::MAX - 1)] {
            assert_eq!((unsigned(value), signed(number)), (number, value));
        }
        assert_eq!((unsigned(i64::MIN), signed(u64::MAX)), (u64::MAX, i64::MIN));
    }

    #[test]
    fn every_date_and_time_comes_back() {
        for day in dates() {
            assert_eq!(date(of_date(day)), day);
            for clock in times() {
                assert_eq!(time(of_time(clock)), clock);
                let whole = Timestamp { date: day, time: clock, offset: None };
                assert_eq!(timestamp(of_timestamp(day, clock)), whole);
            }
        }
    }

    #[test]
    fn common_ones_are_small() {
        let last = Time { hour: 23, minute: 59, second: 59, microsecond: 0 };
        let fraction = Time { microsecond: 999_999, ..last };
        for year in [1900, 1970, 2024, 2099] {
            let date = Date { year, month: 12, day: 31 };
            assert!(bits(of_date(date)) <= 17);
            assert!(bits(of_timestamp(date, last)) <= 34);
            assert!(bits(of_timestamp(date, fraction)) <= 54);
        }
        assert!(bits(of_time(last)) <= 19 && bits(of_time(fraction)) <= 39);
    }

    #[test]
    fn any_number_gives_something() {
        for number in [0, 1, u64::MAX, u64::MAX - 1, 1 << 63, 0x5555_5555_5555_5555] {
            let (whole, clock) = (timestamp(number), time(number));
            assert!(whole.date.month <= 12 && whole.time.hour < 24 && clock.minute < 60);
            assert!(date(number).day <= 31);
        }
    }
}
