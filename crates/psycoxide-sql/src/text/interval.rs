//! Intervals, in each of the four `IntervalStyle`s.
//!
//! <https://www.postgresql.org/docs/current/datatype-datetime.html#DATATYPE-INTERVAL-OUTPUT>
//!
//! The value does not name its style, but the four cannot be confused: `iso_8601` begins with `P`,
//! `postgres_verbose` with `@`, `postgres` names the unit of every number before the time, and
//! `sql_standard` names none.

use super::Malformed;

/// An interval as written. The server keeps months, days and microseconds apart, as they do not
/// convert into each other, and writes twelve months as a year.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interval {
    /// Whole years.
    pub years: i64,
    /// The remaining whole months.
    pub months: i64,
    /// Whole days.
    pub days: i64,
    /// The rest, in microseconds.
    pub microseconds: i64,
}

const FAULT: Malformed = Malformed("unable to parse interval");
/// A field is beyond 64 bits, far above the limits of the server's own fields.
pub const TOO_BIG: Malformed = Malformed("interval component too big");

/// Whether `text` is in the style `iso_8601`.
pub fn is_iso_8601(text: &[u8]) -> bool {
    matches!(text, [b'P', ..] | [b'-' | b'+', b'P', ..])
}

/// An `interval`, in any style.
pub fn interval(text: &[u8]) -> Result<Interval, Malformed> {
    match text {
        [b'P', rest @ ..] => iso_8601(rest),
        [b'@', rest @ ..] => verbose(rest),
        text => plain(text),
    }
}

/// `1 year 2 mons -3 days +04:05:06.789` (`postgres`) and `+1-2 -3 +4:05:06.789` (`sql_standard`).
fn plain(text: &[u8]) -> Result<Interval, Malformed> {
    let mut total = Interval::default();
    let mut inherited = 1;
    let mut words = Words(text);
    let mut any = false;
    while let Some(word) = words.next() {
        any = true;
        let (sign, signed, body) = split_sign(word.strip_suffix(b",").unwrap_or(word));
        if body.contains(&b':') {
            // In sql_standard a sign before the days, if it is the only one, also holds for the
            // time: `-3 4:05:06` is `-3 days -04:05:06` in the other styles.
            let sign = if signed { sign } else { inherited };
            total.microseconds = add(total.microseconds, sign, clock(body)?)?;
            return if words.next().is_none() { Ok(total) } else { Err(FAULT) };
        }
        if let Some(dash) = memchr::memchr(b'-', body) {
            total.years = add(total.years, sign, number(&body[..dash])?)?;
            total.months = add(total.months, sign, number(&body[dash + 1..])?)?;
            continue;
        }
        let (body, glued) = split_unit(body);
        let unit = match words.peek() {
            _ if !glued.is_empty() => Some(glued),
            Some(unit) if unit.first().is_some_and(u8::is_ascii_alphabetic) => words.next(),
            _ => None,
        };
        if let Some(unit) = unit {
            let unit = unit.strip_suffix(b",").unwrap_or(unit);
            if is_second(unit) {
                total.microseconds = add(total.microseconds, sign, seconds(body)?)?;
            } else {
                total.add_unit(sign, number(body)?, unit)?;
            }
            continue;
        }
        // Only days, with a time after them, and `0` may lack a unit.
        let value = number(body)?;
        if words.peek().is_some() {
            total.days = add(total.days, sign, value)?;
            inherited = sign;
        } else if value != 0 || total != Interval::default() {
            return Err(FAULT);
        }
    }
    if any { Ok(total) } else { Err(FAULT) }
}

/// `@ 1 year 2 mons -3 days 4 hours 5 mins 6.789 secs ago`: `ago` inverts every sign.
fn verbose(text: &[u8]) -> Result<Interval, Malformed> {
    let mut total = Interval::default();
    let mut words = Words(text);
    let mut any = false;
    while let Some(word) = words.next() {
        if word == b"ago" && any {
            return if words.next().is_none() { total.negated() } else { Err(FAULT) };
        }
        let (sign, _, body) = split_sign(word);
        match words.next() {
            Some(unit) if is_second(unit) => {
                total.microseconds = add(total.microseconds, sign, seconds(body)?)?;
            }
            Some(unit) => total.add_unit(sign, number(body)?, unit)?,
            None if body == b"0" && !any => {}
            None => return Err(FAULT),
        }
        any = true;
    }
    if any { Ok(total) } else { Err(FAULT) }
}

/// `1Y2M-3DT4H5M6.789S`, after the `P`.
fn iso_8601(text: &[u8]) -> Result<Interval, Malformed> {
    let mut total = Interval::default();
    let mut rest = text;
    let mut in_time = false;
    let mut any = false;
    while !rest.is_empty() {
        if !in_time && rest.first() == Some(&b'T') {
            in_time = true;
            rest = &rest[1..];
            continue;
        }
        let end = rest.iter().position(u8::is_ascii_alphabetic).ok_or(FAULT)?;
        let (sign, _, body) = split_sign(&rest[..end]);
        let (field, scale) = match (in_time, rest[end]) {
            (false, b'Y') => (&mut total.years, 1),
            (false, b'M') => (&mut total.months, 1),
            (false, b'W') => (&mut total.days, 7),
            (false, b'D') => (&mut total.days, 1),
            (true, b'H') => (&mut total.microseconds, 3_600_000_000),
            (true, b'M') => (&mut total.microseconds, 60_000_000),
            (true, b'S') => (&mut total.microseconds, 1),
            _ => return Err(FAULT),
        };
        let value = if in_time && rest[end] == b'S' { seconds(body)? } else { number(body)? };
        *field = add(*field, sign, mul(value, scale)?)?;
        rest = &rest[end + 1..];
        any = true;
    }
    if any { Ok(total) } else { Err(FAULT) }
}

impl Interval {
    fn add_unit(&mut self, sign: i64, value: i64, unit: &[u8]) -> Result<(), Malformed> {
        let (field, scale) = match unit {
            b"year" | b"years" | b"y" => (&mut self.years, 1),
            // Other servers write the long forms.
            b"mon" | b"mons" | b"month" | b"months" => (&mut self.months, 1),
            b"day" | b"days" | b"d" => (&mut self.days, 1),
            b"hour" | b"hours" | b"h" => (&mut self.microseconds, 3_600_000_000),
            b"min" | b"mins" | b"minute" | b"minutes" => (&mut self.microseconds, 60_000_000),
            _ => return Err(FAULT),
        };
        *field = add(*field, sign, mul(value, scale)?)?;
        Ok(())
    }

    fn negated(self) -> Result<Self, Malformed> {
        Ok(Self {
            years: mul(self.years, -1)?,
            months: mul(self.months, -1)?,
            days: mul(self.days, -1)?,
            microseconds: mul(self.microseconds, -1)?,
        })
    }
}

fn is_second(unit: &[u8]) -> bool {
    matches!(unit, b"sec" | b"secs" | b"second" | b"seconds" | b"s")
}

/// A number and its unit, if the unit is in the same word.
fn split_unit(word: &[u8]) -> (&[u8], &[u8]) {
    let digits = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let end = word.iter().position(|byte| !digits(byte)).unwrap_or(word.len());
    word.split_at(end)
}

/// The words between white space.
struct Words<'a>(&'a [u8]);

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<&'a [u8]> {
        let word = self.peek()?;
        self.0 = &self.0.trim_ascii_start()[word.len()..];
        Some(word)
    }

    fn peek(&self) -> Option<&'a [u8]> {
        let text = self.0.trim_ascii_start();
        let end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
        (end > 0).then(|| &text[..end])
    }
}

/// The sign before a number (1 or -1), whether it was written, and the rest.
fn split_sign(word: &[u8]) -> (i64, bool, &[u8]) {
    match word {
        [b'-', rest @ ..] => (-1, true, rest),
        [b'+', rest @ ..] => (1, true, rest),
        rest => (1, false, rest),
    }
}

fn number(text: &[u8]) -> Result<i64, Malformed> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return Err(FAULT);
    }
    text.iter()
        .try_fold(0_i64, |value, digit| value.checked_mul(10)?.checked_add(i64::from(digit - b'0')))
        .ok_or(TOO_BIG)
}

/// `6` or `6.789` seconds, rounded to microseconds.
fn seconds(text: &[u8]) -> Result<i64, Malformed> {
    let (whole, fraction) = match memchr::memchr(b'.', text) {
        Some(dot) => (&text[..dot], &text[dot + 1..]),
        None => (text, &b""[..]),
    };
    if !fraction.iter().all(u8::is_ascii_digit) {
        return Err(FAULT);
    }
    let mut micros = 0;
    for place in 0..6 {
        micros = micros * 10 + fraction.get(place).map_or(0, |digit| i64::from(digit - b'0'));
    }
    micros += i64::from(fraction.get(6).is_some_and(|digit| *digit >= b'5'));
    add(mul(number(whole)?, 1_000_000)?, 1, micros)
}

/// `H:MM[:SS[.ffffff]]` in microseconds; the hours are unbounded.
fn clock(text: &[u8]) -> Result<i64, Malformed> {
    let mut parts = text.splitn(3, |byte| *byte == b':');
    let hours = number(parts.next().unwrap_or_default())?;
    let minutes = number(parts.next().ok_or(FAULT)?)?;
    let seconds = parts.next().map_or(Ok(0), seconds)?;
    let total = add(mul(hours, 3_600_000_000)?, 1, mul(minutes, 60_000_000)?)?;
    add(total, 1, seconds)
}

fn mul(value: i64, by: i64) -> Result<i64, Malformed> {
    value.checked_mul(by).ok_or(TOO_BIG)
}

fn add(to: i64, sign: i64, value: i64) -> Result<i64, Malformed> {
    to.checked_add(mul(value, sign)?).ok_or(TOO_BIG)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::mutation::hostile;

    fn check(text: &str, months: i64, days: i64, microseconds: i64) {
        let found = interval(text.as_bytes());
        let found = found.map(|i| (i.years * 12 + i.months, i.days, i.microseconds));
        assert_eq!(found, Ok((months, days, microseconds)), "{text}");
    }

    const TIME: i64 = ((4 * 60 + 5) * 60 + 6) * 1_000_000;

    #[test]
    fn style_postgres() {
        check("00:00:00", 0, 0, 0);
        check("1 year 2 mons", 14, 0, 0);
        check("3 days 04:05:06", 0, 3, TIME);
        check("-1 years -2 mons +3 days -04:05:06.789", -14, 3, -TIME - 789_000);
        check("-04:05:06", 0, 0, -TIME);
        check("-3 days +04:05:06", 0, -3, TIME);
        check("-3 days 04:05:06", 0, -3, TIME);
        check("1 day", 0, 1, 0);
        check("2562047788:00:54.775807", 0, 0, i64::MAX);
        check("-00:00:00.000001", 0, 0, -1);
    }

    #[test]
    fn forms_of_other_servers() {
        check("1 year 2 months 3 days 04:05:06", 14, 3, TIME);
        check("1 day, 4:05:06", 0, 1, TIME);
        check("2days", 0, 2, 0);
        check("5 minutes 6.5 seconds", 0, 0, 306_500_000);
        check("1\tday\n", 0, 1, 0);
        check("04:05:06.", 0, 0, TIME);
        check("04:05:06.1234565", 0, 0, TIME + 123_457);
        check("04:05:06.123456499999", 0, 0, TIME + 123_456);
        let written = interval(b"1 year 13 mons").map(|i| (i.years, i.months));
        assert_eq!(written, Ok((1, 13)));
    }

    #[test]
    fn style_postgres_verbose() {
        check("@ 0", 0, 0, 0);
        check("@ 1 year 2 mons", 14, 0, 0);
        check("@ 3 days 4 hours 5 mins 6 secs", 0, 3, TIME);
        check("@ 1 year 2 mons -3 days 4 hours 5 mins 6.789 secs ago", -14, 3, -TIME - 789_000);
        check("@ 0.5 secs ago", 0, 0, -500_000);
        check("@ 1 day -2 hours", 0, 1, -7_200_000_000);
    }

    #[test]
    fn style_sql_standard() {
        check("0", 0, 0, 0);
        check("1-2", 14, 0, 0);
        check("-1-2", -14, 0, 0);
        check("3 4:05:06", 0, 3, TIME);
        check("-3 4:05:06", 0, -3, -TIME);
        check("4:05:06", 0, 0, TIME);
        check("-4:05:06.789", 0, 0, -TIME - 789_000);
        check("3 0:00:00", 0, 3, 0);
        check("+1-2 -3 +4:05:06", 14, -3, TIME);
        check("-1-2 +3 -4:05:06.789", -14, 3, -TIME - 789_000);
    }

    #[test]
    fn style_iso_8601() {
        check("PT0S", 0, 0, 0);
        check("P1Y2M", 14, 0, 0);
        check("P3DT4H5M6S", 0, 3, TIME);
        check("P-1Y-2M3DT-4H-5M-6.789S", -14, 3, -TIME - 789_000);
        check("PT-0.000001S", 0, 0, -1);
        assert!(is_iso_8601(b"PT0S") && !is_iso_8601(b"@ 0"));
    }

    #[test]
    fn malformed_text_is_refused() {
        for text in [
            "",
            " ",
            "x",
            "P",
            "PT",
            "@",
            "@ 1",
            "@ ago",
            "1",
            "5 ",
            "1 year 2",
            "1 fortnight",
            "1 day 04:05:06 x",
            "04:x:06",
            "-",
            "+",
            "1-",
            "-1-x",
            "P1",
            "P1H",
            "PT1D",
            "PTT1S",
            "@ 1 year ago ago",
            "infinity",
            "-infinity",
            "::",
            ":",
            "1:",
            "1.5 days",
        ] {
            assert!(interval(text.as_bytes()).is_err(), "{text}");
        }
        let long = format!("00:00:00.{}", "9".repeat(1_000_000));
        check(&long, 0, 0, 1_000_000);
        let big = format!("{}:00:00", "9".repeat(1000));
        assert_eq!(interval(big.as_bytes()), Err(TOO_BIG));
        assert_eq!(interval(b"9223372036854775808 years"), Err(TOO_BIG));
    }

    #[test]
    fn mutated_intervals_give_a_value_or_an_error() {
        let seeds = [
            "1 year 2 mons -3 days +04:05:06.789",
            "@ 1 year -2 mons 3 days 4 hours 5 mins 6.789 secs ago",
            "+1-2 -3 +4:05:06.789",
            "P1Y2M-3DT4H5M6.789S",
        ];
        let mut read = 0;
        hostile(&seeds, |text| read += usize::from(interval(text).is_ok()));
        assert!(read > 100, "too few mutations were readable: {read}");
    }
}
