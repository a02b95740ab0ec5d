//! Dates and times in ISO 8601, and intervals, as the text inside a constant.
//!
//! <https://www.postgresql.org/docs/current/datatype-datetime.html#DATATYPE-DATETIME-INPUT>

/// Appends `2001-02-03`.
pub fn write_date(out: &mut Vec<u8>, year: i32, month: u8, day: u8) {
    let year = u32::try_from(year).unwrap_or(0);
    let [[a, b], [c, d], [e, f], [g, h]] =
        [two(year / 100), two(year % 100), two(month.into()), two(day.into())];
    out.extend_from_slice(&[a, b, c, d, b'-', e, f, b'-', g, h]);
}

/// Appends `04:05:06`, or `04:05:06.000007`: a zero fraction is left out.
pub fn write_time(out: &mut Vec<u8>, hour: u8, minute: u8, second: u8, microsecond: u32) {
    let [[a, b], [c, d], [e, f]] = [two(hour.into()), two(minute.into()), two(second.into())];
    out.extend_from_slice(&[a, b, b':', c, d, b':', e, f]);
    if microsecond != 0 {
        write_fraction(out, microsecond);
    }
}

/// Appends an offset from UTC, `+01:00`, with seconds and their fraction only if there are any.
///
/// As in Python's `timedelta`, only the days may be negative.
pub fn write_offset(out: &mut Vec<u8>, days: i32, seconds: i32, microseconds: i32) {
    let micros =
        (i64::from(days) * 86_400 + i64::from(seconds)) * 1_000_000 + i64::from(microseconds);
    out.push(if micros < 0 { b'-' } else { b'+' });
    let micros = micros.unsigned_abs();
    // An offset is less than a day, so each part fits.
    let [seconds, fraction] = [micros / 1_000_000, micros % 1_000_000];
    let part = |value: u64| u32::try_from(value).unwrap_or(0);
    out.extend_from_slice(&two(part(seconds / 3600)));
    out.push(b':');
    out.extend_from_slice(&two(part(seconds / 60 % 60)));
    if seconds % 60 != 0 || fraction != 0 {
        out.push(b':');
        out.extend_from_slice(&two(part(seconds % 60)));
    }
    if fraction != 0 {
        write_fraction(out, part(fraction));
    }
}

/// Appends `1 days 2.000003 seconds`. `signed`: positive seconds behind negative days get a sign, which a
/// server needs whose `IntervalStyle` is `sql_standard`.
/// <https://www.postgresql.org/docs/current/datatype-datetime.html#DATATYPE-INTERVAL-INPUT>
pub fn write_interval(out: &mut Vec<u8>, days: i32, seconds: i32, microseconds: i32, signed: bool) {
    let mut digits = itoa::Buffer::new();
    out.extend_from_slice(digits.format(days).as_bytes());
    out.extend_from_slice(b" days ");
    if signed && days < 0 {
        out.push(b'+');
    }
    out.extend_from_slice(digits.format(seconds).as_bytes());
    write_fraction(out, u32::try_from(microseconds).unwrap_or(0));
    out.extend_from_slice(b" seconds");
}

/// Appends `.000007`.
fn write_fraction(out: &mut Vec<u8>, microseconds: u32) {
    let [[a, b], [c, d], [e, f]] =
        [two(microseconds / 10_000), two(microseconds / 100), two(microseconds)];
    out.extend_from_slice(&[b'.', a, b, c, d, e, f]);
}

/// The last two digits.
#[inline]
fn two(value: u32) -> [u8; 2] {
    PAIRS.get(value as usize % PAIRS.len()).copied().unwrap_or_default()
}

/// 00 to 99.
static PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut number = 0;
    while number < pairs.len() {
        pairs[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    pairs
};

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn dates_and_times() {
        assert_eq!(text(|out| write_date(out, 1, 2, 3)), "0001-02-03");
        assert_eq!(text(|out| write_date(out, 9999, 12, 31)), "9999-12-31");
        assert_eq!(text(|out| write_time(out, 4, 5, 6, 0)), "04:05:06");
        assert_eq!(text(|out| write_time(out, 23, 59, 59, 7)), "23:59:59.000007");
        assert_eq!(text(|out| write_time(out, 0, 0, 0, 999_999)), "00:00:00.999999");
    }

    #[test]
    fn offsets() {
        assert_eq!(text(|out| write_offset(out, 0, 0, 0)), "+00:00");
        assert_eq!(text(|out| write_offset(out, 0, 5 * 3600 + 1800, 0)), "+05:30");
        assert_eq!(text(|out| write_offset(out, -1, 86_400 - 3600, 0)), "-01:00");
        assert_eq!(text(|out| write_offset(out, -1, 86_399, 0)), "-00:00:01");
        assert_eq!(text(|out| write_offset(out, 0, 61, 5)), "+00:01:01.000005");
        assert_eq!(text(|out| write_offset(out, 0, 60, 5)), "+00:01:00.000005");
    }

    #[test]
    fn intervals() {
        assert_eq!(text(|out| write_interval(out, 0, 0, 0, true)), "0 days 0.000000 seconds");
        assert_eq!(
            text(|out| write_interval(out, -999_999_999, 86_399, 12, false)),
            "-999999999 days 86399.000012 seconds"
        );
        assert_eq!(
            text(|out| write_interval(out, -1, 3600, 0, true)),
            "-1 days +3600.000000 seconds"
        );
    }
}
