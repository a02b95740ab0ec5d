//! Constants as parameters of the server's kind.
//!
//! What adapters write is SQL; where that is a constant, the server reads its content as the text of
//! a parameter. But a constant has a type of its own, and a column of another type gets it through
//! an assignment cast, while a parameter takes the column's type at once: `1.5` goes into an integer
//! column, as 2, and the text `1.5` does not. So only pairs are taken of which both come to the same.
//!
//! <https://www.postgresql.org/docs/current/typeconv-query.html>

use crate::binary::write as binary;
use crate::encoding::Encoding;
use crate::oid::{self, Oid};
use crate::quote::StringStyle;

/// How deep arrays may be nested: the server allows six dimensions.
const MAX_DEPTH: usize = 6;

/// How a session writes and reads constants.
#[derive(Clone, Copy, Debug)]
pub struct Dialect {
    /// The client encoding.
    pub encoding: &'static Encoding,
    /// What a backslash means.
    pub strings: StringStyle,
    /// Whether the binary formats are those of every server since PostgreSQL 10, and may be used.
    pub binary: bool,
}

/// What a constant is as a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameter {
    /// NULL; nothing was written.
    Null,
    /// The text that was written.
    Text,
    /// What was written is the type's binary format, which the server reads faster.
    Binary,
}

/// A constant that is no parameter for a column of that type, or no constant at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfit;

/// Writes the parameter that says the same as the constant `sql`, for a column of the
/// type `oid`.
///
/// # Errors
/// If there is none. `out` may hold a part.
pub fn write(
    out: &mut Vec<u8>,
    sql: &[u8],
    oid: Oid,
    dialect: Dialect,
) -> Result<Parameter, Unfit> {
    let sql = sql.trim_ascii();
    if let Some(items) = sql.strip_prefix(b"ARRAY[").and_then(|rest| rest.strip_suffix(b"]")) {
        let element = element(oid).ok_or(Unfit)?;
        write_array(out, items, element, dialect, 1)?;
        return Ok(Parameter::Text);
    }
    let (constant, rest) = Constant::read(sql, dialect)?;
    if !rest.is_empty() {
        return Err(Unfit);
    }
    if matches!(constant, Constant::Null) {
        return Ok(Parameter::Null);
    }
    if !constant.fits(oid) {
        return Err(Unfit);
    }
    if dialect.binary && constant.write_binary(out, oid).is_some() {
        return Ok(Parameter::Binary);
    }
    constant.write(out, dialect)?;
    Ok(Parameter::Text)
}

/// A constant that is no array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Constant<'a> {
    Null,
    Bool(&'a [u8]),
    /// Digits, perhaps with a sign.
    Integer(&'a [u8]),
    /// With a point or an exponent.
    Numeric(&'a [u8]),
    /// What stands between the quotes, whether backslashes escape in it, and the name of the type
    /// that it is cast to.
    Quoted {
        text: &'a [u8],
        escapes: bool,
        cast: Option<&'a [u8]>,
    },
}

impl<'a> Constant<'a> {
    /// Reads a constant and what stands behind it.
    fn read(sql: &'a [u8], dialect: Dialect) -> Result<(Self, &'a [u8]), Unfit> {
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
        // A number that nothing but its end, or the next item, follows.
        if whole == 0 || !matches!(rest.first(), None | Some(b',' | b' ')) {
            return Err(Unfit);
        }
        Ok((if integer { Self::Integer(number) } else { Self::Numeric(number) }, rest))
    }

    fn quoted(
        sql: &'a [u8],
        start: usize,
        escapes: bool,
        dialect: Dialect,
    ) -> Result<(Self, &'a [u8]), Unfit> {
        let mut at = start;
        // No character but itself holds the byte of a quote, in any encoding; a backslash may be
        // half a character.
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

    /// Whether a column of the type takes the constant's text for what it takes the constant.
    fn fits(self, oid: Oid) -> bool {
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

    /// Writes its content in the type's binary format; nothing, if only the server can tell what it
    /// is there.
    fn write_binary(self, out: &mut Vec<u8>, oid: Oid) -> Option<()> {
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

    /// Writes its content.
    fn write(self, out: &mut Vec<u8>, dialect: Dialect) -> Result<(), Unfit> {
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
                    // The first of two quotes goes.
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
                        // Each is doubled; other escapes no adapter of ours writes.
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

/// The length of what can be read at once: a byte, or a character where half of one may be ASCII.
fn character(text: &[u8], encoding: &Encoding) -> Option<usize> {
    match encoding.is_ascii_safe() {
        true => (!text.is_empty()).then_some(1),
        false => encoding.scheme.character(text),
    }
}

/// The first quote that no backslash stands before.
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

/// Whether a constant that is cast to a type means the same as its text, to a column of another one.
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

/// Writes an array's items, which `ARRAY[` and `]` stand around, in the format of arrays.
///
/// <https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO>
fn write_array(
    out: &mut Vec<u8>,
    items: &[u8],
    element: Oid,
    dialect: Dialect,
    depth: usize,
) -> Result<(), Unfit> {
    if depth > MAX_DEPTH {
        return Err(Unfit);
    }
    out.push(b'{');
    let mut rest = items;
    let mut nested = None;
    loop {
        rest = rest.trim_ascii_start();
        let is_array = rest.starts_with(b"ARRAY[");
        // An array of arrays holds nothing else.
        if *nested.get_or_insert(is_array) != is_array {
            return Err(Unfit);
        }
        if is_array {
            let inside = rest.get(b"ARRAY[".len()..).unwrap_or_default();
            let end = closing_bracket(inside, dialect)?;
            write_array(out, inside.get(..end).ok_or(Unfit)?, element, dialect, depth + 1)?;
            rest = inside.get(end + 1..).unwrap_or_default();
        } else {
            let (item, after) = Constant::read(rest, dialect)?;
            write_item(out, item, element, dialect)?;
            rest = after;
        }
        rest = rest.trim_ascii_start();
        match rest.split_first() {
            None => break,
            Some((b',', after)) => {
                out.push(b',');
                rest = after;
            }
            Some(_) => return Err(Unfit),
        }
    }
    out.push(b'}');
    Ok(())
}

fn write_item(
    out: &mut Vec<u8>,
    item: Constant<'_>,
    element: Oid,
    dialect: Dialect,
) -> Result<(), Unfit> {
    let is_text = matches!(element, oid::TEXT | oid::VARCHAR | oid::BPCHAR);
    match item {
        Constant::Null => out.extend_from_slice(b"NULL"),
        // Strings alone make an array of texts, numbers one of numbers.
        Constant::Quoted { cast: None, .. } if !is_text => return Err(Unfit),
        Constant::Integer(_) | Constant::Bool(_) if is_text => return Err(Unfit),
        _ if !item.fits(element) => return Err(Unfit),
        Constant::Quoted { .. } => {
            let mut text = Vec::new();
            item.write(&mut text, dialect)?;
            out.push(b'"');
            let mut rest = text.as_slice();
            while let Some(length) = character(rest, dialect.encoding) {
                let (character, after) = rest.split_at_checked(length).ok_or(Unfit)?;
                if matches!(character, b"\\" | b"\"") {
                    out.push(b'\\');
                }
                out.extend_from_slice(character);
                rest = after;
            }
            if !rest.is_empty() {
                return Err(Unfit);
            }
            out.push(b'"');
        }
        _ => item.write(out, dialect)?,
    }
    Ok(())
}

/// Where the bracket is that ends an array whose beginning was read.
fn closing_bracket(items: &[u8], dialect: Dialect) -> Result<usize, Unfit> {
    let mut rest = items;
    let mut depth = 1;
    loop {
        let at = items.len() - rest.len();
        rest = match rest.first().ok_or(Unfit)? {
            b'[' => {
                depth += 1;
                rest.get(1..)
            }
            b']' => {
                depth -= 1;
                if depth == 0 {
                    return Ok(at);
                }
                rest.get(1..)
            }
            b'\'' => Some(Constant::quoted(rest, 1, false, dialect)?.1),
            b'E' if rest.get(1) == Some(&b'\'') => {
                Some(Constant::quoted(rest, 2, true, dialect)?.1)
            }
            _ => rest.get(1..),
        }
        .ok_or(Unfit)?;
    }
}

/// The type of an array's elements.
fn element(array: Oid) -> Option<Oid> {
    Some(match array {
        oid::BOOL_ARRAY => oid::BOOL,
        oid::BYTEA_ARRAY => oid::BYTEA,
        oid::INT2_ARRAY => oid::INT2,
        oid::INT4_ARRAY => oid::INT4,
        oid::INT8_ARRAY => oid::INT8,
        oid::FLOAT4_ARRAY => oid::FLOAT4,
        oid::FLOAT8_ARRAY => oid::FLOAT8,
        oid::NUMERIC_ARRAY => oid::NUMERIC,
        oid::TEXT_ARRAY => oid::TEXT,
        oid::VARCHAR_ARRAY => oid::VARCHAR,
        oid::BPCHAR_ARRAY => oid::BPCHAR,
        oid::DATE_ARRAY => oid::DATE,
        oid::TIME_ARRAY => oid::TIME,
        oid::TIMETZ_ARRAY => oid::TIMETZ,
        oid::TIMESTAMP_ARRAY => oid::TIMESTAMP,
        oid::TIMESTAMPTZ_ARRAY => oid::TIMESTAMPTZ,
        oid::INTERVAL_ARRAY => oid::INTERVAL,
        oid::UUID_ARRAY => oid::UUID,
        oid::INET_ARRAY => oid::INET,
        oid::JSON_ARRAY => oid::JSON,
        oid::JSONB_ARRAY => oid::JSONB,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::{self, UTF8};
    use crate::quote::literal;

    fn parameter(sql: &[u8], oid: Oid, dialect: Dialect) -> Result<Option<Vec<u8>>, Unfit> {
        let mut out = Vec::new();
        Ok(match write(&mut out, sql, oid, dialect)? {
            Parameter::Null => None,
            Parameter::Text => Some(out),
            Parameter::Binary => panic!("binary"),
        })
    }

    fn plain(sql: &str, oid: Oid) -> Result<Option<String>, Unfit> {
        let dialect = Dialect { encoding: &UTF8, strings: StringStyle::Standard, binary: false };
        let text = parameter(sql.as_bytes(), oid, dialect)?;
        Ok(text.map(|text| String::from_utf8(text).expect("text")))
    }

    #[test]
    fn constants_lose_their_quotes_and_casts() {
        for (sql, oid, text) in [
            ("NULL", oid::INT4, None),
            ("5", oid::INT4, Some("5")),
            (" -5", oid::INT2, Some("-5")),
            ("99999999999999999999", oid::NUMERIC, Some("99999999999999999999")),
            ("7", oid::TEXT, Some("7")),
            ("1.5e+300", oid::FLOAT8, Some("1.5e+300")),
            (" -0.25", oid::NUMERIC, Some("-0.25")),
            ("'NaN'::float", oid::FLOAT4, Some("NaN")),
            ("'Infinity'::numeric", oid::FLOAT8, Some("Infinity")),
            (" -0.0", oid::FLOAT8, Some("0.0")),
            ("ARRAY[ -0.0,1.5]", oid::FLOAT8_ARRAY, Some("{0.0,1.5}")),
            ("true", oid::BOOL, Some("true")),
            ("false", oid::TEXT, Some("false")),
            ("''", oid::TEXT, Some("")),
            ("'it''s'''", oid::JSONB, Some("it's'")),
            (r"'a\b'", oid::TEXT, Some(r"a\b")),
            (r"E'a\\''b'", oid::TEXT, Some(r"a\'b")),
            ("'x'", 123_456, Some("x")),
            (r"'\x00ff'::bytea", oid::BYTEA, Some(r"\x00ff")),
            ("'2024-05-17'::date", oid::TIMESTAMP, Some("2024-05-17")),
            ("'x'::uuid", oid::UUID, Some("x")),
            ("ARRAY[1,NULL, -3]", oid::INT8_ARRAY, Some("{1,NULL,-3}")),
            ("ARRAY[1,2.5]", oid::FLOAT8_ARRAY, Some("{1,2.5}")),
            (
                r#"ARRAY['a"b','c\d','it''s, {x}]','']"#,
                oid::TEXT_ARRAY,
                Some(r#"{"a\"b","c\\d","it's, {x}]",""}"#),
            ),
            ("ARRAY[ARRAY[1,2],ARRAY[3,4]]", oid::INT4_ARRAY, Some("{{1,2},{3,4}}")),
            ("ARRAY[ARRAY[']'],ARRAY['[']]", oid::TEXT_ARRAY, Some(r#"{{"]"},{"["}}"#)),
            ("ARRAY[true,false]", oid::BOOL_ARRAY, Some("{true,false}")),
            (r"ARRAY['\x00'::bytea]", oid::BYTEA_ARRAY, Some(r#"{"\\x00"}"#)),
            ("'{}'", oid::INT4_ARRAY, Some("{}")),
        ] {
            assert_eq!(plain(sql, oid), Ok(text.map(str::to_owned)), "{sql} {oid}");
        }
    }

    #[test]
    fn what_has_a_binary_format_is_written_in_it() {
        let binary = |sql: &[u8], oid, binary| {
            let dialect = Dialect { encoding: &UTF8, strings: StringStyle::Standard, binary };
            let mut out = Vec::new();
            (write(&mut out, sql, oid, dialect), out)
        };
        let int = |allowed| binary(b" -2", oid::INT4, allowed);
        assert_eq!(int(true), (Ok(Parameter::Binary), (-2_i32).to_be_bytes().to_vec()));
        assert_eq!(int(false), (Ok(Parameter::Text), b"-2".to_vec()));
        let text = binary(b"'2024-05-17T00:00:00'::timestamp", oid::DATE, true);
        assert_eq!(text, (Ok(Parameter::Text), b"2024-05-17T00:00:00".to_vec()));
        assert_eq!(binary(b"true", oid::BOOL, true), (Ok(Parameter::Binary), vec![1]));
        assert_eq!(binary(b"1.5", oid::INT4, true).0, Err(Unfit));
    }

    #[test]
    fn what_would_become_another_value_is_unfit() {
        for (sql, oid) in [
            ("1.5", oid::INT4),
            ("1.5", oid::TEXT),
            ("1", oid::BOOL),
            ("true", oid::INT4),
            ("5", oid::JSONB),
            ("007", oid::TEXT),
            ("-0", oid::TEXT),
            ("5", 123_456),
            ("'x'::timestamptz", oid::TIMESTAMP),
            ("'x'::timestamptz", oid::DATE),
            ("'x'::timestamp", oid::TEXT),
            ("'x'::mood", oid::TEXT),
            ("'x'::", oid::TEXT),
            (r"'\x00'::bytea", oid::TEXT),
            ("now()", oid::TIMESTAMPTZ),
            ("'a' || 'b'", oid::TEXT),
            ("'a'::text || 'b'", oid::TEXT),
            ("'a'); drop table t --", oid::TEXT),
            ("1 + 1", oid::INT4),
            ("1::int", oid::INT4),
            ("- 1", oid::INT4),
            ("--1", oid::INT4),
            ("1e", oid::FLOAT8),
            ("(1, 2)", oid::TEXT),
            ("X'00'", oid::TEXT),
            ("", oid::TEXT),
            ("'", oid::TEXT),
            ("'a", oid::TEXT),
            ("E'a\\", oid::TEXT),
            (r"E'a\nb'", oid::TEXT),
            (r"E'a\'", oid::TEXT),
            ("ARRAY[1]", oid::INT4),
            ("ARRAY[1.5]", oid::INT4_ARRAY),
            ("ARRAY['1']", oid::INT4_ARRAY),
            ("ARRAY[1,'a']", oid::TEXT_ARRAY),
            ("ARRAY[1]", oid::TEXT_ARRAY),
            ("ARRAY[ARRAY[1],2]", oid::INT4_ARRAY),
            ("ARRAY[NULL,ARRAY[1]]", oid::INT4_ARRAY),
            ("ARRAY[]", oid::INT4_ARRAY),
            ("ARRAY[1,]", oid::INT4_ARRAY),
            ("ARRAY[now()]", oid::TIMESTAMPTZ_ARRAY),
            ("ARRAY[1] || ARRAY[2]", oid::INT4_ARRAY),
            ("ARRAY[ARRAY[ARRAY[ARRAY[ARRAY[ARRAY[ARRAY[1]]]]]]]", oid::INT4_ARRAY),
        ] {
            assert_eq!(plain(sql, oid), Err(Unfit), "{sql} {oid}");
        }
    }

    /// Every pair of bytes in every encoding that can be written as a constant comes out again.
    #[test]
    fn what_was_quoted_comes_out_again() {
        for encoding in encoding::ENCODINGS {
            for strings in [StringStyle::Standard, StringStyle::Escape] {
                let dialect = Dialect { encoding, strings, binary: true };
                for pair in 0..=u16::MAX {
                    let text = pair.to_be_bytes();
                    let mut sql = Vec::new();
                    if literal::write(&mut sql, &text, encoding, strings).is_ok() {
                        let found = parameter(&sql, oid::TEXT, dialect);
                        assert_eq!(found, Ok(Some(text.to_vec())), "{sql:x?} {}", encoding.name);
                    }
                }
            }
        }
    }
}
