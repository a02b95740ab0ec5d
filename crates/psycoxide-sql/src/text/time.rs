//! Times of day: `04:05:06.789`, `24:00:00`, `04:05:06-08:30`.

use super::{Malformed, digits, take, two_digits};

/// A time of day, to the microsecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Time {
    /// 0 to 24 from a server; not checked here.
    pub hour: u8,
    /// 0 to 59 from a server; not checked here.
    pub minute: u8,
    /// 0 to 60 from a server; not checked here.
    pub second: u8,
    /// 0 to 999 999.
    pub microsecond: u32,
}

impl Time {
    /// The same time, but with a 60th second carried into the minute and the hour, which may become
    /// 24.
    pub fn normalized(self) -> Self {
        if self.second != 60 {
            return self;
        }
        if self.minute == 59 {
            return Self { hour: self.hour.saturating_add(1), minute: 0, second: 0, ..self };
        }
        Self { minute: self.minute.saturating_add(1), second: 0, ..self }
    }
}

pub(super) const FAULT: Malformed = Malformed("unable to parse time");

/// A `time`, or a `timetz` with its offset in seconds east of Greenwich.
pub fn time(text: &[u8]) -> Result<(Time, Option<i32>), Malformed> {
    let mut rest = text;
    let time = leading(&mut rest)?;
    let offset = offset(&mut rest)?;
    if rest.is_empty() { Ok((time, offset)) } else { Err(FAULT) }
}

/// Takes `HH:MM:SS[.ffffff]` off the front of `text`.
#[inline]
pub(super) fn leading(text: &mut &[u8]) -> Result<Time, Malformed> {
    if let Some((fixed, rest)) = text.split_first_chunk::<8>()
        && let Some(mut time) = fixed_width(fixed)
    {
        *text = rest;
        time.microsecond = fraction(text)?;
        return Ok(time);
    }
    Err(FAULT)
}

#[inline]
fn fixed_width(text: &[u8; 8]) -> Option<Time> {
    let [h1, h2, b':', m1, m2, b':', s1, s2] = *text else { return None };
    Some(Time {
        hour: two_digits(h1, h2)?,
        minute: two_digits(m1, m2)?,
        second: two_digits(s1, s2)?,
        microsecond: 0,
    })
}

/// Takes `.ffffff` off the front of `text`: up to six digits, trailing zeros left out.
#[inline]
fn fraction(text: &mut &[u8]) -> Result<u32, Malformed> {
    const SCALE: [u32; 7] = [1_000_000, 100_000, 10_000, 1_000, 100, 10, 1];
    if !take(text, b'.') {
        return Ok(0);
    }
    let (value, count) = digits(text, 6).ok_or(FAULT)?;
    Ok(value * SCALE.get(count).copied().ok_or(FAULT)?)
}

/// Takes `±HH[:MM[:SS]]` off the front of `text`, if it is there. Returns seconds east of
/// Greenwich.
///
/// Offsets with seconds are from local mean time, before zones were standardised.
#[inline]
pub(super) fn offset(text: &mut &[u8]) -> Result<Option<i32>, Malformed> {
    let west = match text.first() {
        Some(b'-') => true,
        Some(b'+') => false,
        _ => return Ok(None),
    };
    *text = &text[1..];
    let mut seconds = 0;
    for unit in [3600, 60, 1] {
        let Some(([tens, ones], rest)) = text.split_first_chunk::<2>() else { return Err(FAULT) };
        seconds += unit * i32::from(two_digits(*tens, *ones).ok_or(FAULT)?);
        *text = rest;
        if !take(text, b':') {
            return Ok(Some(if west { -seconds } else { seconds }));
        }
    }
    Err(FAULT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::mutation::hostile;

    fn at(hour: u8, minute: u8, second: u8, microsecond: u32) -> Time {
        Time { hour, minute, second, microsecond }
    }

    #[test]
    fn the_servers_text_is_read() {
        assert_eq!(time(b"04:05:06"), Ok((at(4, 5, 6, 0), None)));
        assert_eq!(time(b"04:05:06.789"), Ok((at(4, 5, 6, 789_000), None)));
        assert_eq!(time(b"23:59:59.000001"), Ok((at(23, 59, 59, 1), None)));
        assert_eq!(time(b"24:00:00"), Ok((at(24, 0, 0, 0), None)));
        assert_eq!(time(b"04:05:06+00"), Ok((at(4, 5, 6, 0), Some(0))));
        assert_eq!(time(b"04:05:06-08:30"), Ok((at(4, 5, 6, 0), Some(-30_600))));
        assert_eq!(time(b"04:05:06.5+15:59:59"), Ok((at(4, 5, 6, 500_000), Some(57_599))));
    }

    #[test]
    fn a_sixtieth_second_is_carried() {
        assert_eq!(at(4, 5, 60, 7).normalized(), at(4, 6, 0, 7));
        assert_eq!(at(4, 59, 60, 0).normalized(), at(5, 0, 0, 0));
        assert_eq!(at(23, 59, 60, 0).normalized(), at(24, 0, 0, 0));
        assert_eq!(at(23, 59, 59, 1).normalized(), at(23, 59, 59, 1));
    }

    #[test]
    fn malformed_text_is_refused() {
        for text in [
            "",
            "04",
            "04:05",
            "4:05:06",
            "04:05:06.",
            "04:05:06.1234567",
            "04:05:06+",
            "04:05:06+1",
            "04:05:06+01:",
            "04:05:06+01:02:03:",
            "04:05:06 PM",
            "04:05:06Z",
            "-04:05:06",
        ] {
            assert_eq!(time(text.as_bytes()), Err(FAULT), "{text}");
        }
    }

    #[test]
    fn mutated_times_give_a_value_or_an_error() {
        hostile(&["04:05:06.789-08:30", "24:00:00", "04:05:06+15:59:59"], |text| {
            if let Ok((time, _)) = time(text) {
                assert!(time.microsecond < 1_000_000);
                assert!(time.normalized().second < 100);
            }
        });
    }
}
