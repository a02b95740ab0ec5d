//! Writes PostgreSQL's binary formats, from the text of constants and from plain values.
//!
//! A function that reads text writes nothing and returns `None` if only the server knows the
//! meaning of the text, or may have an objection or a warning: it gets the text then.

use super::datetime::{self, DAY};
use crate::oid::{self, Oid};
use crate::text::date::{self as date_text, Date};
use crate::text::time::Time;
use crate::text::timestamp::{self as timestamp_text, Timestamp};
use crate::text::{Moment, number, uuid};

/// The greatest offset from UTC, in seconds: the server refuses 16 hours and more.
pub const MAX_OFFSET: i32 = 16 * 3600 - 1;

/// An integer, for a numeric type.
pub fn integer(out: &mut Vec<u8>, digits: &[u8], oid: Oid) -> Option<()> {
    let value = match oid {
        oid::FLOAT4 | oid::FLOAT8 => return float(out, digits, oid),
        _ => number::integer(digits)?,
    };
    match oid {
        oid::INT2 => out.extend_from_slice(&i16::try_from(value).ok()?.to_be_bytes()),
        oid::INT4 => out.extend_from_slice(&i32::try_from(value).ok()?.to_be_bytes()),
        oid::INT8 => out.extend_from_slice(&value.to_be_bytes()),
        _ => return None,
    }
    Some(())
}

/// A number, for `float4` and `float8`. Numbers out of range are left to the server. Zero has no
/// sign, as in a numeric constant.
pub fn float(out: &mut Vec<u8>, digits: &[u8], oid: Oid) -> Option<()> {
    match oid {
        oid::FLOAT8 => {
            let value = number::float(digits)?;
            (value.is_normal() || is_zero(digits)).then_some(())?;
            out.extend_from_slice(&(value + 0.0).to_be_bytes());
        }
        oid::FLOAT4 => {
            let value: f32 = std::str::from_utf8(digits).ok()?.parse().ok()?;
            (value.is_normal() || is_zero(digits)).then_some(())?;
            out.extend_from_slice(&(value + 0.0).to_be_bytes());
        }
        _ => return None,
    }
    Some(())
}

/// Whether a number is zero, in any spelling.
pub fn is_zero(digits: &[u8]) -> bool {
    let mantissa = digits.split(|byte| matches!(byte, b'e' | b'E')).next().unwrap_or_default();
    mantissa.iter().all(|byte| matches!(byte, b'-' | b'0' | b'.'))
}

/// The text between the quotes of a constant that is cast to the type `cast`.
pub fn quoted(out: &mut Vec<u8>, text: &[u8], cast: &[u8], oid: Oid) -> Option<()> {
    match (cast, oid) {
        (b"timestamp", oid::TIMESTAMP) => {
            let (micros, offset) = moment(text, 19)?;
            offset.is_none().then(|| out.extend_from_slice(&micros.to_be_bytes()))
        }
        (b"timestamptz", oid::TIMESTAMPTZ) => {
            let (micros, offset) = moment(text, 25)?;
            let offset = offset.filter(|offset| offset.abs() <= MAX_OFFSET)?;
            let micros = micros - i64::from(offset) * 1_000_000;
            out.extend_from_slice(&micros.to_be_bytes());
            Some(())
        }
        (b"date", oid::DATE) => {
            let Ok(Moment::Finite(date)) = date_text::date(text) else { return None };
            let days = (text.len() == 10).then(|| day_number(date)).flatten()?;
            out.extend_from_slice(&days.to_be_bytes());
            Some(())
        }
        (b"uuid", oid::UUID) => {
            out.extend_from_slice(&uuid::uuid(text).ok()?.to_be_bytes());
            Some(())
        }
        (b"bytea", oid::BYTEA) => {
            let hex = text.strip_prefix(b"\\x")?;
            let start = out.len();
            out.resize(start + hex.len() / 2, 0);
            if const_hex::decode_to_slice(hex, out.get_mut(start..)?).is_err() {
                out.truncate(start);
                return None;
            }
            Some(())
        }
        _ => None,
    }
}

/// A `date`, for a day of our era that exists.
pub fn date(out: &mut Vec<u8>, date: Date) {
    out.extend_from_slice(&days(date).to_be_bytes());
}

/// A `timestamp`, for a day of our era that exists; or a `timestamptz`, by its time in UTC:
/// `offset` is how many seconds the time given is ahead of that.
pub fn timestamp(out: &mut Vec<u8>, date: Date, time: Time, offset: i32) {
    let micros = i64::from(days(date)) * DAY + micros(time) - i64::from(offset) * 1_000_000;
    out.extend_from_slice(&micros.to_be_bytes());
}

/// A `time`.
pub fn time(out: &mut Vec<u8>, time: Time) {
    out.extend_from_slice(&micros(time).to_be_bytes());
}

/// A `timetz`, whose time is `offset` seconds ahead of UTC.
pub fn timetz(out: &mut Vec<u8>, value: Time, offset: i32) {
    time(out, value);
    // The server counts to the west.
    out.extend_from_slice(&offset.wrapping_neg().to_be_bytes());
}

/// An `interval` without months.
pub fn interval(out: &mut Vec<u8>, days: i32, micros: i64) {
    out.extend_from_slice(&micros.to_be_bytes());
    out.extend_from_slice(&days.to_be_bytes());
    out.extend_from_slice(&0_i32.to_be_bytes());
}

/// The microseconds since midnight.
fn micros(time: Time) -> i64 {
    let minutes = i64::from(time.hour) * 60 + i64::from(time.minute);
    (minutes * 60 + i64::from(time.second)) * 1_000_000 + i64::from(time.microsecond)
}

/// The number of a day that exists. Those of four-digit years fit.
fn days(date: Date) -> i32 {
    i32::try_from(datetime::days(date)).unwrap_or_default()
}

/// A timestamp of `length` bytes, or of six decimals more: its microseconds, as if it were in UTC,
/// and its offset in seconds.
fn moment(text: &[u8], length: usize) -> Option<(i64, Option<i32>)> {
    let fraction = text.get(19) == Some(&b'.');
    if text.len() != if fraction { length + 7 } else { length } {
        return None;
    }
    let Ok(Moment::Finite(Timestamp { date, time, offset })) = timestamp_text::timestamp(text)
    else {
        return None;
    };
    if time.hour > 23 || time.minute > 59 || time.second > 59 {
        return None;
    }
    Some((i64::from(day_number(date)?) * DAY + micros(time), offset))
}

/// The number of a day, if the date exists.
fn day_number(date: Date) -> Option<i32> {
    let days = datetime::days(date);
    (datetime::day(days) == date).then(|| i32::try_from(days).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>) -> Option<()>) -> Option<Vec<u8>> {
        let mut out = b"before".to_vec();
        let done = write(&mut out);
        assert!(out.starts_with(b"before") && (done.is_some() || out.len() == 6), "{out:x?}");
        done.map(|()| out.split_off(6))
    }

    #[test]
    fn integers_that_fit() {
        let int = |digits: &str, oid| written(|out| integer(out, digits.as_bytes(), oid));
        assert_eq!(int("-2", oid::INT2), Some((-2_i16).to_be_bytes().to_vec()));
        assert_eq!(int("32768", oid::INT2), None);
        assert_eq!(int("2147483647", oid::INT4), Some(i32::MAX.to_be_bytes().to_vec()));
        assert_eq!(int("2147483648", oid::INT4), None);
        assert_eq!(int("-9223372036854775808", oid::INT8), Some(i64::MIN.to_be_bytes().to_vec()));
        assert_eq!(int("9223372036854775808", oid::INT8), None);
        assert_eq!(int("16777217", oid::FLOAT4), Some(16_777_216_f32.to_be_bytes().to_vec()));
        assert_eq!(int("5", oid::NUMERIC), None);
        assert_eq!(int("5", oid::TEXT), None);
    }

    #[test]
    fn floats_that_are_in_range() {
        let float = |digits: &str, oid| written(|out| float(out, digits.as_bytes(), oid));
        assert_eq!(float("0.1", oid::FLOAT8), Some(0.1_f64.to_be_bytes().to_vec()));
        assert_eq!(float("0.1", oid::FLOAT4), Some(0.1_f32.to_be_bytes().to_vec()));
        assert_eq!(float("-0.0", oid::FLOAT8), Some(0_f64.to_be_bytes().to_vec()));
        assert_eq!(float("-0.0", oid::FLOAT4), Some(0_f32.to_be_bytes().to_vec()));
        assert_eq!(float("0e5", oid::FLOAT8), Some(0_f64.to_be_bytes().to_vec()));
        for (digits, oid) in [
            ("1e400", oid::FLOAT8),
            ("1e-400", oid::FLOAT8),
            ("5e-324", oid::FLOAT8),
            ("1e39", oid::FLOAT4),
            ("1e-50", oid::FLOAT4),
            ("0.1", oid::NUMERIC),
        ] {
            assert_eq!(float(digits, oid), None, "{digits}");
        }
    }

    #[test]
    fn moments_and_days() {
        let at = |text: &str, cast: &str, oid| {
            let bytes = written(|out| quoted(out, text.as_bytes(), cast.as_bytes(), oid))?;
            Some(i64::from_be_bytes(bytes.try_into().expect("eight bytes")))
        };
        let naive = |text| at(text, "timestamp", oid::TIMESTAMP);
        let aware = |text| at(text, "timestamptz", oid::TIMESTAMPTZ);
        assert_eq!(naive("2000-01-01T00:00:00"), Some(0));
        assert_eq!(naive("1999-12-31T23:59:59.999999"), Some(-1));
        assert_eq!(naive("2004-10-19T10:23:54.250000"), Some(151_496_634_250_000));
        assert_eq!(naive("0001-01-01T00:00:00"), Some(-730_119 * DAY));
        assert_eq!(aware("2000-01-01T01:00:00+01:00"), Some(0));
        assert_eq!(aware("2000-01-01T00:00:00.000001-00:30"), Some(1_800_000_001));
        for text in [
            "infinity",
            "now",
            "",
            "2024-02-30T00:00:00",
            "2023-02-29T00:00:00",
            "2024-13-01T00:00:00",
            "0000-01-01T00:00:00",
            "2024-01-01T24:00:00",
            "2024-01-01T23:59:60",
            "2024-01-01T00:00:00.1",
            "2024-01-01T00:00:00+01:00",
            "2024-01-01",
            "20240-01-01T00:00:0",
        ] {
            assert_eq!(naive(text), None, "{text}");
        }
        assert_eq!(aware("2024-01-01T00:00:00"), None);
        assert_eq!(aware("2024-01-01T00:00:00+01:00:30"), None);
        assert_eq!(aware("2000-01-01T00:00:00-15:59"), Some(57_540_000_000));
        assert_eq!(aware("2000-01-01T00:00:00-16:00"), None);
        assert_eq!(at("2024-01-01T00:00:00", "timestamp", oid::TIMESTAMPTZ), None);
        let day = |text: &str| written(|out| quoted(out, text.as_bytes(), b"date", oid::DATE));
        assert_eq!(day("2000-03-01"), Some(60_i32.to_be_bytes().to_vec()));
        assert_eq!(day("2001-02-29"), None);
        assert_eq!(day("12000-03-01"), None);
    }

    #[test]
    fn dates_and_times_from_their_fields() {
        let day = Date { year: 1999, month: 12, day: 31 };
        let noon = Time { hour: 12, minute: 0, second: 1, microsecond: 5 };
        let bytes = |write: &dyn Fn(&mut Vec<u8>)| {
            let mut out = Vec::new();
            write(&mut out);
            out
        };
        let micros = 43_201_000_005_i64;
        assert_eq!(bytes(&|out| super::date(out, day)), (-1_i32).to_be_bytes());
        assert_eq!(bytes(&|out| timestamp(out, day, noon, 0)), (micros - DAY).to_be_bytes());
        let ahead = micros - DAY - 3_600_000_000;
        assert_eq!(bytes(&|out| timestamp(out, day, noon, 3600)), ahead.to_be_bytes());
        assert_eq!(bytes(&|out| time(out, noon)), micros.to_be_bytes());
        let zoned = [&micros.to_be_bytes()[..], &(-3600_i32).to_be_bytes()].concat();
        assert_eq!(bytes(&|out| timetz(out, noon, 3600)), zoned);
        let parts = [&7_i64.to_be_bytes()[..], &(-1_i32).to_be_bytes(), &[0; 4]].concat();
        assert_eq!(bytes(&|out| interval(out, -1, 7)), parts);
    }

    #[test]
    fn each_day_has_its_number() {
        for days in -730_119..=2_921_939_i64 {
            assert_eq!(datetime::days(datetime::day(days)), days);
        }
    }

    #[test]
    fn uuids_and_bytes() {
        let id = b"00112233-4455-6677-8899-AAbbccddeeff";
        let bytes = written(|out| quoted(out, id, b"uuid", oid::UUID)).expect("a UUID");
        assert_eq!(bytes, (0..16).map(|n| n * 0x11).collect::<Vec<u8>>());
        for text in [
            &b"{00112233-4455-6677-8899-aabbccddeeff}"[..],
            b"",
            b"0011223344556677889900",
            b"00112233-4455-6677-8899-aabbccddeefg",
            b"00112233+4455-6677-8899-aabbccddeeff",
        ] {
            assert_eq!(written(|out| quoted(out, text, b"uuid", oid::UUID)), None);
        }
        let bytea = |text: &[u8]| written(|out| quoted(out, text, b"bytea", oid::BYTEA));
        assert_eq!(bytea(br"\x00ff10"), Some(b"\0\xff\x10".to_vec()));
        assert_eq!(bytea(br"\x"), Some(Vec::new()));
        assert_eq!(bytea(br"\x0"), None);
        assert_eq!(bytea(br"\xzz"), None);
        assert_eq!(bytea(br"a\000"), None);
    }
}
