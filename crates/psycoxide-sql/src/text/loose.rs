//! Dates and times that PostgreSQL never writes, but other servers and programs do: one-digit
//! fields, spaces, a date with a time after it although only a date was expected.
//!
//! They are read as psycopg2 reads them, because programs know its values and exceptions: the
//! fields are taken as they are, for a calendar to judge. psycopg2 takes any character for a digit
//! and lets numbers overflow 32 bits; such results are marked as [guessed](Loose::guessed).

use super::Malformed;
use super::date::FAULT as NO_DATE;
use super::time::FAULT as NO_TIME;

/// The fields of a date or time, which need not exist in a calendar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loose {
    /// Year, month, day; the year is negative before Christ.
    pub date: [i32; 3],
    /// Hour, minute, second, microsecond.
    pub time: [i32; 4],
    /// Seconds east of Greenwich, if there is an offset.
    pub offset: Option<i32>,
    /// Whether some field was misread: if the fields form a value, it is a wrong one.
    pub guessed: bool,
}

/// No number yet. psycopg2 uses this value too, so a number with this value counts as none.
const NONE: i32 = -1;
/// The index of the microseconds among the fields of a time.
const MICROSECONDS: usize = 3;
/// The index of the offset's first field.
const OFFSET: usize = 4;
const FIELDS: usize = 7;

impl Loose {
    /// A date; any text may follow.
    ///
    /// # Errors
    /// [`Malformed`] if there are not three fields.
    pub fn date(text: &[u8]) -> Result<Self, Malformed> {
        Self::leading(text).map(|(loose, _)| loose)
    }

    /// A time, with or without an offset.
    ///
    /// # Errors
    /// [`Malformed`] if the time has not three fields.
    pub fn time(text: &[u8]) -> Result<Self, Malformed> {
        Self::default().with_time(text)
    }

    /// A date, with or without a time and its offset.
    ///
    /// # Errors
    /// [`Malformed`] if the date, or the time, has not three fields.
    pub fn timestamp(text: &[u8]) -> Result<Self, Malformed> {
        let (loose, rest) = Self::leading(text)?;
        if rest.is_empty() { Ok(loose) } else { loose.with_time(rest) }
    }

    fn leading(text: &[u8]) -> Result<(Self, &[u8]), Malformed> {
        let mut loose = Self::default();
        let (mut number, mut count, mut rest) = (NONE, 0, text);
        while let (Some((byte, tail)), Some(field)) =
            (rest.split_first(), loose.date.get_mut(count))
        {
            rest = tail;
            if matches!(byte, b'-' | b' ' | b'T') {
                *field = std::mem::replace(&mut number, NONE);
                count += 1;
            } else {
                number = appended(number, *byte, &mut loose.guessed);
            }
        }
        if let Some(day) = loose.date.get_mut(count).filter(|_| number != NONE) {
            *day = number;
            count += 1;
        }
        if count != loose.date.len() {
            return Err(NO_DATE);
        }
        if text.ends_with(b"BC") {
            loose.date[0] = loose.date[0].wrapping_neg();
        } else {
            let era = |word: &[u8]| word.eq_ignore_ascii_case(b"BC");
            loose.guessed |= rest.windows(2).any(era);
        }
        Ok((loose, rest))
    }

    fn with_time(mut self, text: &[u8]) -> Result<Self, Malformed> {
        let mut fields = [0_i32; FIELDS];
        let (mut number, mut count, mut digits) = (NONE, 0, 0_usize);
        let (mut sign, mut apart) = (1, false);
        for byte in text {
            match (byte, count) {
                (b':', ..=5) => {
                    // The seconds should be followed by a point, and an offset has no empty field.
                    self.guessed |= matches!(count, 2 | 3) || count >= OFFSET && number == NONE;
                    store(&mut fields, count, &mut number);
                    count += 1;
                }
                (b'.', 2) => {
                    store(&mut fields, count, &mut number);
                    count = MICROSECONDS;
                }
                (b'+' | b'-', 2 | 3) => {
                    sign = if *byte == b'+' { 1 } else { -1 };
                    store(&mut fields, count, &mut number);
                    count = OFFSET;
                }
                (b':' | b'.' | b'+' | b'-', _) => return Err(NO_TIME),
                (b' ', _) => {
                    apart = number != NONE;
                    continue;
                }
                (b'B' | b'C', _) => self.guessed = true,
                (byte, _) => {
                    self.guessed |= apart;
                    number = appended(number, *byte, &mut self.guessed);
                    digits += usize::from(count == MICROSECONDS);
                }
            }
            apart = false;
        }
        if number != NONE && count < FIELDS {
            store(&mut fields, count, &mut number);
            count += 1;
        }
        if count < 3 {
            return Err(NO_TIME);
        }
        self.settle(fields, digits);
        let [.., hours, minutes, seconds] = fields;
        let offset = || hours.checked_mul(3600)?.checked_add(minutes.checked_mul(60)?);
        let seconds = offset().and_then(|offset| offset.checked_add(seconds)?.checked_mul(sign));
        // An overflow of 32 bits is beyond any offset.
        self.offset = (count > OFFSET).then_some(seconds.unwrap_or(i32::MAX));
        Ok(self)
    }

    /// Stores the fields of a time. Carries a 60th second.
    fn settle(&mut self, fields: [i32; FIELDS], digits: usize) {
        let [mut hour, mut minute, mut second, mut microsecond, ..] = fields;
        for _ in digits..6 * usize::from(digits > 0) {
            microsecond = microsecond.wrapping_mul(10);
        }
        if digits > 6 {
            // With more than six digits it is over a second, even if the first ones are zeros.
            microsecond = microsecond.max(1_000_000);
        }
        if second > 59 {
            self.guessed |= second > 60;
            second -= 60;
            minute = minute.wrapping_add(1);
            if minute == 60 {
                minute = 0;
                hour = hour.wrapping_add(1);
            }
        }
        self.time = [hour, minute, second, microsecond];
    }
}

fn store(fields: &mut [i32; FIELDS], count: usize, number: &mut i32) {
    if let Some(field) = fields.get_mut(count) {
        *field = std::mem::replace(number, NONE);
    }
}

/// The number with one more digit. Any character counts as a digit.
fn appended(number: i32, byte: u8, guessed: &mut bool) -> i32 {
    let digit = i32::from(byte.cast_signed()) - i32::from(b'0');
    let before = if number == NONE { Some(0) } else { number.checked_mul(10) };
    let exact = before.and_then(|before| before.checked_add(digit));
    *guessed |= exact.is_none() || !byte.is_ascii_digit();
    let before = if number == NONE { 0 } else { number.wrapping_mul(10) };
    exact.unwrap_or_else(|| before.wrapping_add(digit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::mutation::hostile;

    #[test]
    fn forms_of_other_servers_are_read() {
        let clear = |loose: Loose| (loose.date, loose.time, loose.offset, loose.guessed);
        let day = [2024, 1, 2];
        for (text, time, offset) in [
            ("2024-1-2", [0, 0, 0, 0], None),
            ("2024-01-02 ", [0, 0, 0, 0], None),
            ("2024-1-2 1:2:3", [1, 2, 3, 0], None),
            ("2024-01-02  10:20:30.5 +01", [10, 20, 30, 500_000], Some(3600)),
            ("2024-01-02T10:20:30.+1:2:3", [10, 20, 30, 0], Some(3723)),
            ("2024 01 02 23:59:60", [24, 0, 0, 0], None),
            ("2024-01-02 10:20:30.1234567", [10, 20, 30, 1_234_567], None),
            ("2024-01-02 10:20:30.0000001", [10, 20, 30, 1_000_000], None),
        ] {
            let mut expected = time;
            if text.contains(".+") {
                // Without a fraction, psycopg2 takes it for a negative one.
                expected[3] = NONE;
            }
            let read = Loose::timestamp(text.as_bytes()).map(clear);
            assert_eq!(read, Ok((day, expected, offset, false)), "{text}");
        }
        let date = |text: &str| Loose::date(text.as_bytes()).map(|loose| loose.date);
        assert_eq!(date("2024-01-02 10:20:30"), Ok(day));
        assert_eq!(date("0044-03-15 12:00:00 BC"), Ok([-44, 3, 15]));
        assert_eq!(date("2024-01"), Err(NO_DATE));
    }

    #[test]
    fn guesses_are_marked() {
        for text in
            ["x:00:00", "10:20:30:40", "10:20:3 0", "10:20:61", "10:20:30 BC", "4294967296:0:0"]
        {
            assert!(Loose::time(text.as_bytes()).unwrap().guessed, "{text}");
        }
        for text in ["0044-03-15 bc", "0044-03-15 BC 10:20:30", "4294967297-01-02", "2024/01-1-1"] {
            assert!(Loose::date(text.as_bytes()).unwrap().guessed, "{text}");
        }
    }

    #[test]
    fn any_text_gives_fields_or_an_error() {
        hostile(&["2024-01-02 10:20:30.5+01:30:15", "0044-03-15 BC", "99999999999:1:1"], |text| {
            let _ = (Loose::date(text), Loose::time(text), Loose::timestamp(text));
        });
    }
}
