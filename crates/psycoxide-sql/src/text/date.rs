//! Dates in ISO style: `2004-10-19`, `10000-01-01`, `0044-03-15 BC`.
//!
//! <https://www.postgresql.org/docs/current/datatype-datetime.html#DATATYPE-DATETIME-OUTPUT>

use super::{Malformed, Moment, digits, lanes, take};

/// A day of the proleptic Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    /// The year as written; negative if `BC` follows (there is no year zero).
    pub year: i32,
    /// 1 to 12 from a server; not checked here.
    pub month: u8,
    /// 1 to 31 from a server; not checked here.
    pub day: u8,
}

pub(super) const FAULT: Malformed = Malformed("unable to parse date");

/// A `date`.
#[inline]
pub fn date(text: &[u8]) -> Result<Moment<Date>, Malformed> {
    if let Ok(fixed) = <&[u8; 10]>::try_from(text)
        && let Some(date) = fixed_width(fixed)
    {
        return Ok(Moment::Finite(date));
    }
    uncommon(text)
}

#[cold]
fn uncommon(text: &[u8]) -> Result<Moment<Date>, Malformed> {
    if let Some(special) = Moment::special(text) {
        return Ok(special);
    }
    let mut rest = text;
    let mut date = leading(&mut rest)?;
    match rest {
        b"" => {}
        b" BC" => date.year = -date.year,
        _ => return Err(FAULT),
    }
    Ok(Moment::Finite(date))
}

/// `YYYY-MM-DD`: a date with a year of four digits.
#[inline]
pub(super) fn fixed_width(text: &[u8; 10]) -> Option<Date> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text else { return None };
    let word = lanes::eight_digits([y1, y2, y3, y4, m1, m2, d1, d2])?;
    Some(Date {
        year: i32::try_from(word / 10_000).ok()?,
        month: u8::try_from(word / 100 % 100).ok()?,
        day: u8::try_from(word % 100).ok()?,
    })
}

/// Takes a date off the front of `text`. Its year has up to seven digits (the type ends at
/// 5874897).
pub(super) fn leading(text: &mut &[u8]) -> Result<Date, Malformed> {
    let field = |text: &mut &[u8], most| digits(text, most).map(|(value, _)| value).ok_or(FAULT);
    let year = field(text, 7)?;
    let month = if take(text, b'-') { field(text, 2)? } else { return Err(FAULT) };
    let day = if take(text, b'-') { field(text, 2)? } else { return Err(FAULT) };
    Ok(Date {
        year: i32::try_from(year).map_err(|_| FAULT)?,
        month: u8::try_from(month).map_err(|_| FAULT)?,
        day: u8::try_from(day).map_err(|_| FAULT)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::mutation::hostile;

    fn finite(year: i32, month: u8, day: u8) -> Result<Moment<Date>, Malformed> {
        Ok(Moment::Finite(Date { year, month, day }))
    }

    #[test]
    fn the_servers_text_is_read() {
        assert_eq!(date(b"2004-10-19"), finite(2004, 10, 19));
        assert_eq!(date(b"0001-01-01"), finite(1, 1, 1));
        assert_eq!(date(b"0044-03-15 BC"), finite(-44, 3, 15));
        assert_eq!(date(b"4713-01-01 BC"), finite(-4713, 1, 1));
        assert_eq!(date(b"5874897-12-31"), finite(5_874_897, 12, 31));
        assert_eq!(date(b"infinity"), Ok(Moment::Infinity));
        assert_eq!(date(b"-infinity"), Ok(Moment::MinusInfinity));
    }

    #[test]
    fn other_styles_and_malformed_text_are_refused() {
        for text in [
            "",
            "x",
            "2004",
            "2004-10",
            "2004-10-",
            "2004-10-19 ",
            "2004-10-19 AD",
            "12/17/1997",
            "17.12.1997",
            "12-17-1997",
            "2004-10-19 00:00:00",
            "99999999-01-01",
            "2004-1x-19",
            "Infinity",
            "-2004-10-19",
        ] {
            assert_eq!(date(text.as_bytes()), Err(FAULT), "{text}");
        }
    }

    #[test]
    fn mutated_dates_give_a_value_or_an_error() {
        hostile(&["2004-10-19", "0044-03-15 BC", "5874897-12-31", "infinity"], |text| {
            if let Ok(Moment::Finite(date)) = date(text) {
                assert!(date.year.abs() <= 9_999_999 && date.month <= 99 && date.day <= 99);
            }
        });
    }
}
