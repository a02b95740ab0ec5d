//! Timestamps in ISO style: `2004-10-19 10:23:54.25+02`, `0044-03-15 12:00:00 BC`.

use super::date::{self, Date};
use super::time::{self, Time};
use super::{Malformed, Moment};

/// A date with a time of day and, for a `timestamptz`, an offset from UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp {
    /// The day.
    pub date: Date,
    /// The time of that day.
    pub time: Time,
    /// Seconds east of Greenwich.
    pub offset: Option<i32>,
}

/// A `timestamp` or `timestamptz`. A date without a time means its midnight.
#[inline]
pub fn timestamp(text: &[u8]) -> Result<Moment<Timestamp>, Malformed> {
    let Some((day, mut rest)) = text.split_first_chunk::<10>() else { return uncommon(text) };
    let Some(date) = date::fixed_width(day) else { return uncommon(text) };
    let Some((b' ' | b'T', clock)) = rest.split_first() else { return uncommon(text) };
    rest = clock;
    finish(date, rest)
}

#[cold]
fn uncommon(text: &[u8]) -> Result<Moment<Timestamp>, Malformed> {
    if let Some(special) = Moment::special(text) {
        return Ok(special);
    }
    let mut rest = text;
    let date = date::leading(&mut rest)?;
    match rest.split_first() {
        None => Ok(Moment::Finite(Timestamp { date, time: Time::default(), offset: None })),
        Some((b' ' | b'T', clock)) => finish(date, clock),
        Some(_) => Err(date::FAULT),
    }
}

#[inline]
fn finish(mut date: Date, mut rest: &[u8]) -> Result<Moment<Timestamp>, Malformed> {
    let time = time::leading(&mut rest)?;
    let offset = time::offset(&mut rest)?;
    match rest {
        b"" => {}
        b" BC" => date.year = -date.year,
        _ => return Err(time::FAULT),
    }
    Ok(Moment::Finite(Timestamp { date, time, offset }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::mutation::hostile;

    type Fields = (i32, u8, u8, u8, u8, u8, u32, Option<i32>);

    fn read(text: &str) -> Option<Fields> {
        match timestamp(text.as_bytes()) {
            Ok(Moment::Finite(Timestamp { date: d, time: t, offset })) => {
                Some((d.year, d.month, d.day, t.hour, t.minute, t.second, t.microsecond, offset))
            }
            _ => None,
        }
    }

    #[test]
    fn the_servers_text_is_read() {
        assert_eq!(
            read("2004-10-19 10:23:54.25+02"),
            Some((2004, 10, 19, 10, 23, 54, 250_000, Some(7200)))
        );
        assert_eq!(read("2004-10-19 10:23:54"), Some((2004, 10, 19, 10, 23, 54, 0, None)));
        assert_eq!(
            read("0044-03-15 12:00:00+00:19:32 BC"),
            Some((-44, 3, 15, 12, 0, 0, 0, Some(1172)))
        );
        assert_eq!(
            read("294276-12-31 23:59:59.999999"),
            Some((294_276, 12, 31, 23, 59, 59, 999_999, None))
        );
        assert_eq!(read("2004-10-19T10:23:54"), Some((2004, 10, 19, 10, 23, 54, 0, None)));
        assert_eq!(read("2004-10-19"), Some((2004, 10, 19, 0, 0, 0, 0, None)));
        assert_eq!(timestamp(b"infinity"), Ok(Moment::Infinity));
        assert_eq!(timestamp(b"-infinity"), Ok(Moment::MinusInfinity));
    }

    #[test]
    fn other_styles_and_malformed_text_are_refused() {
        for text in [
            "",
            "2004",
            "2004-10-19 ",
            "2004-10-19 10",
            "2004-10-19 10:23:54 AD",
            "2004-10-19x",
            "12/17/1997 07:37:16.00 PST",
            "Wed Dec 17 07:37:16 1997 PST",
            "17.12.1997 07:37:16.00",
            "2004-10-19 10:23:54 +02",
            "2004-10-19 BC",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn mutated_timestamps_give_a_value_or_an_error() {
        let seeds = ["2004-10-19 10:23:54.25+02", "0044-03-15 12:00:00+00:19:32 BC", "-infinity"];
        hostile(&seeds, |text| {
            if let Ok(Moment::Finite(value)) = timestamp(text) {
                assert!(value.date.year.abs() <= 9_999_999);
            }
        });
    }
}
