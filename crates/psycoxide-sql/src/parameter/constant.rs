//! Constants as adapters write them: reading them, and writing their content as a parameter.

use super::{Dialect, Unfit};
use crate::binary::write as binary;
use crate::encoding::Encoding;
use crate::oid::{self, Oid};
use crate::quote::StringStyle;

/// A constant other than an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Constant<'a> {
    Null,
    Bool(&'a [u8]),
    /// Digits, perhaps with a sign.
    Integer(&'a [u8]),
    /// A number with a point or an exponent.
    Numeric(&'a [u8]),
    /// The text between the quotes, whether backslashes escape in it, and the name of the type in
    /// its cast.
    Quoted {
        text: &'a [u8],
        escapes: bool,
        cast: Option<&'a [u8]>,
    },
}

impl<'a> Constant<'a> {
    /// Reads a constant. Returns it and the text after it.
    pub(super) fn read(sql: &'a [u8], dialect: Dialect) -> Result<(Self, &'a [u8]), Unfit> {
        let sql = sql.trim_ascii_start();
        match sql.first() {
            Some(b'\'') => Self::quoted(sql, 1, false, dialect),
            Some(b'E') if sql.get(1) == Some(&b'\'') => Self::quoted(sql, 2, true, dialect),
            Some(b'-' | b'0'..=b'9') => Self::number(sql),
            _ => {
                let length = sql.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
                let (word, rest) = sql.split_at_checked(length).ok_or(Unfit)?;
                match word {
                    _ if word.eq_ignore_ascii_case(b"null") => Ok((Self::Null, rest)),
                    b"true" | b"false" => Ok((Self::Bool(word), rest)),
                    _ => Err(Unfit),
                }
            }
        }
    }

    fn number(sql: &'a [u8]) -> Result<(Self, &'a [u8]), Unfit> {
        let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let sign = usize::from(sql.first() == Some(&b'-'));
        let whole = digits(sql.get(sign..).unwrap_or_default());
        let mut at = sign + whole;
        let mut integer = true;
        if sql.get(at) == Some(&b'.') {
            at += 1 + digits(sql.get(at + 1..).unwrap_or_default());
            integer = false;
        }
        if matches!(sql.get(at), Some(b'e' | b'E')) {
            at += 1 + usize::from(matches!(sql.get(at + 1), Some(b'+' | b'-')));
            let exponent = digits(sql.get(at..).unwrap_or_default());
            if exponent == 0 {
                return Err(Unfit);
            }
            at += exponent;
            integer = false;
        }
        let (number, rest) = sql.split_at_checked(at).ok_or(Unfit)?;
        // A number must be followed by the end, or by the next item.
        if whole == 0 || !matches!(rest.first(), None | Some(b',' | b' ')) {
            return Err(Unfit);
        }
        Ok((if integer { Self::Integer(number) } else { Self::Numeric(number) }, rest))
    }

    pub(super) fn quoted(
        sql: &'a [u8],
        start: usize,
        escapes: bool,
        dialect: Dialect,
    ) -> Result<(Self, &'a [u8]), Unfit> {
        let mut at = start;
        // A quote's byte is a quote in any encoding; a backslash's byte may be half of a character.
        let end = loop {
            at += match escapes {
                false => memchr::memchr(b'\'', sql.get(at..).ok_or(Unfit)?).ok_or(Unfit)?,
                true => find_quote(sql.get(at..).ok_or(Unfit)?, dialect.encoding)?,
            };
            if sql.get(at + 1) != Some(&b'\'') {
                break at;
            }
            at += 2;
        };
        let text = sql.get(start..end).ok_or(Unfit)?;
        if !escapes && dialect.strings == StringStyle::Escape && text.contains(&b'\\') {
            return Err(Unfit);
        }
        let mut rest = sql.get(end + 1..).unwrap_or_default();
        let mut cast = None;
        if let Some(after) = rest.strip_prefix(b"::") {
            let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
            let length = after.iter().take_while(is_name).count();
            let (name, after) = after.split_at_checked(length).ok_or(Unfit)?;
            cast = Some(name);
            rest = after;
        }
        Ok((Self::Quoted { text, escapes, cast }, rest))
    }

    /// Whether a column of this type takes the constant's text with the same meaning as the
    /// constant.
    pub(super) fn fits(self, oid: Oid) -> bool {
        let is_text = matches!(oid, oid::TEXT | oid::VARCHAR | oid::BPCHAR);
        let is_float = matches!(oid, oid::FLOAT4 | oid::FLOAT8 | oid::NUMERIC);
        match self {
            Self::Null | Self::Quoted { cast: None, .. } => true,
            Self::Bool(_) => oid == oid::BOOL || is_text,
            Self::Integer(digits) => {
                let unsigned = digits.strip_prefix(b"-").unwrap_or(digits);
                let zero = unsigned.first() == Some(&b'0');
                let canonical = !zero || digits == b"0";
                let is_integer = matches!(oid, oid::INT2 | oid::INT4 | oid::INT8);
                is_float || is_integer || (is_text && canonical)
            }
            Self::Numeric(_) => is_float,
            Self::Quoted { cast: Some(name), .. } => cast_fits(name, oid),
        }
    }

    /// The type that the server gives the constant, 0 if the place decides. `rest` is the text
    /// after the constant, which is empty or belongs to its cast. `None` if the type is not known
    /// here.
    ///
    /// <https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-CONSTANTS-NUMERIC>
    pub(super) fn own_type(self, rest: &[u8]) -> Option<Oid> {
        if let Self::Quoted { cast: Some(name), .. } = self {
            return cast_type(name, rest);
        }
        rest.is_empty().then(|| match self {
            Self::Null | Self::Quoted { .. } => 0,
            Self::Bool(_) => oid::BOOL,
            Self::Integer(digits) => integer_type(digits),
            Self::Numeric(_) => oid::NUMERIC,
        })
    }

    /// Writes its content in the type's binary format. Writes nothing if only the server knows its
    /// meaning for this type.
    pub(super) fn write_binary(self, out: &mut Vec<u8>, oid: Oid) -> Option<()> {
        match self {
            Self::Integer(digits) => binary::integer(out, digits, oid),
            Self::Numeric(digits) => binary::float(out, digits, oid),
            Self::Bool(text) if oid == oid::BOOL => {
                out.push(u8::from(text == b"true"));
                Some(())
            }
            Self::Quoted { text, escapes: false, cast: Some(cast) } => {
                binary::quoted(out, text, cast, oid)
            }
            _ => None,
        }
    }

    /// Writes its content as text.
    pub(super) fn write(self, out: &mut Vec<u8>, dialect: Dialect) -> Result<(), Unfit> {
        match self {
            Self::Null => {}
            // A numeric constant has no negative zero.
            Self::Numeric(text) if binary::is_zero(text) => {
                out.extend_from_slice(text.strip_prefix(b"-").unwrap_or(text));
            }
            Self::Bool(text) | Self::Integer(text) | Self::Numeric(text) => {
                out.extend_from_slice(text);
            }
            Self::Quoted { text, escapes: false, .. } => {
                let mut rest = text;
                while let Some(at) = memchr::memchr(b'\'', rest) {
                    // Drop the first of two quotes.
                    out.extend_from_slice(rest.get(..=at).unwrap_or_default());
                    rest = rest.get(at + 2..).unwrap_or_default();
                }
                out.extend_from_slice(rest);
            }
            Self::Quoted { text, escapes: true, .. } => {
                let mut rest = text;
                while let Some(length) = character(rest, dialect.encoding) {
                    let (character, after) = rest.split_at_checked(length).ok_or(Unfit)?;
                    rest = after;
                    if matches!(character, b"\\" | b"'") {
                        // A backslash is doubled; our adapters write no other escapes.
                        rest = rest.strip_prefix(character).ok_or(Unfit)?;
                    }
                    out.extend_from_slice(character);
                }
                if !rest.is_empty() {
                    return Err(Unfit);
                }
            }
        }
        Ok(())
    }
}

/// The length of the next character, or of a single byte if the encoding is ASCII-safe.
pub(super) fn character(text: &[u8], encoding: &Encoding) -> Option<usize> {
    match encoding.is_ascii_safe() {
        true => (!text.is_empty()).then_some(1),
        false => encoding.scheme.character(text),
    }
}

/// The offset of the first quote without a backslash before it.
fn find_quote(text: &[u8], encoding: &Encoding) -> Result<usize, Unfit> {
    let mut at = 0;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let length = character(rest, encoding).ok_or(Unfit)?;
        match rest.get(..length) {
            Some(b"'") => return Ok(at),
            Some(b"\\") => at += 2,
            _ => at += length,
        }
    }
}

/// The smallest of the types `int4`, `int8` and `numeric` that has this number.
fn integer_type(digits: &[u8]) -> Oid {
    let (negative, digits) = match digits {
        [b'-', digits @ ..] => (true, digits),
        _ => (false, digits),
    };
    let mut value = 0_i64;
    for digit in digits {
        // Counted down, as there is one negative number more than there are positive ones.
        let digit = i64::from(digit - b'0');
        match value.checked_mul(10).and_then(|value| value.checked_sub(digit)) {
            Some(longer) => value = longer,
            None => return oid::NUMERIC,
        }
    }
    match if negative { Some(value) } else { value.checked_neg() } {
        None => oid::NUMERIC,
        Some(value) if i32::try_from(value).is_ok() => oid::INT4,
        Some(_) => oid::INT8,
    }
}

/// The type that a string is cast to. `brackets` is the text after the name.
fn cast_type(name: &[u8], brackets: &[u8]) -> Option<Oid> {
    let name = str::from_utf8(name).ok()?.to_ascii_lowercase();
    let oid = match name.as_str() {
        // They have a length of one.
        "char" | "character" => return None,
        name => oid::by_name(name)?,
    };
    match brackets {
        b"" => Some(oid),
        b"[]" => oid::array_of(oid),
        _ => None,
    }
}

/// Whether a constant cast to the type `name` means the same as its text, to a column of the type
/// `oid`.
fn cast_fits(name: &[u8], oid: Oid) -> bool {
    match name {
        b"timestamp" => matches!(oid, oid::TIMESTAMP | oid::TIMESTAMPTZ | oid::DATE),
        b"timestamptz" => oid == oid::TIMESTAMPTZ,
        b"date" => matches!(oid, oid::DATE | oid::TIMESTAMP | oid::TIMESTAMPTZ),
        b"time" => oid == oid::TIME,
        b"timetz" => oid == oid::TIMETZ,
        b"interval" => oid == oid::INTERVAL,
        b"bytea" => oid == oid::BYTEA,
        b"numeric" | b"float" | b"float8" => {
            matches!(oid, oid::NUMERIC | oid::FLOAT8 | oid::FLOAT4)
        }
        b"uuid" => oid == oid::UUID,
        b"inet" => oid == oid::INET,
        b"cidr" => oid == oid::CIDR,
        b"macaddr" => oid == oid::MACADDR,
        b"json" => oid == oid::JSON,
        b"jsonb" => oid == oid::JSONB,
        b"int4range" => oid == oid::INT4RANGE,
        b"int8range" => oid == oid::INT8RANGE,
        b"numrange" => oid == oid::NUMRANGE,
        b"daterange" => oid == oid::DATERANGE,
        b"tsrange" => oid == oid::TSRANGE,
        b"tstzrange" => oid == oid::TSTZRANGE,
        _ => false,
    }
}
