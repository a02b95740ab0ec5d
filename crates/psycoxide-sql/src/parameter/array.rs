//! Arrays of constants as parameters.

use super::constant::{Constant, character};
use super::{Dialect, Unfit};
use crate::encoding::Encoding;
use crate::oid::{self, Oid};

/// The greatest depth of arrays: the server allows six dimensions.
pub const MAX_DEPTH: usize = 6;

/// The text between `ARRAY[` and `]`; `None` if `sql` is not an array constructor.
pub(super) fn items(sql: &[u8]) -> Option<&[u8]> {
    sql.strip_prefix(b"ARRAY[")?.strip_suffix(b"]")
}

/// Writes the items in the format of array values, for a column of the type `array`.
///
/// <https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO>
pub(super) fn write(
    out: &mut Vec<u8>,
    items: &[u8],
    array: Oid,
    dialect: Dialect,
) -> Result<(), Unfit> {
    write_items(out, items, Some(element(array).ok_or(Unfit)?), dialect, 1)
}

/// The same for a column of whatever type.
pub(super) fn write_text(out: &mut Vec<u8>, items: &[u8], dialect: Dialect) -> Result<(), Unfit> {
    write_items(out, items, None, dialect, 1)
}

fn write_items(
    out: &mut Vec<u8>,
    items: &[u8],
    element: Option<Oid>,
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
        // Arrays and other items cannot be mixed.
        if *nested.get_or_insert(is_array) != is_array {
            return Err(Unfit);
        }
        if is_array {
            let inside = rest.get(b"ARRAY[".len()..).unwrap_or_default();
            let end = closing_bracket(inside, dialect)?;
            write_items(out, inside.get(..end).ok_or(Unfit)?, element, dialect, depth + 1)?;
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
    element: Option<Oid>,
    dialect: Dialect,
) -> Result<(), Unfit> {
    match item {
        Constant::Null => out.extend_from_slice(b"NULL"),
        _ if element.is_some_and(|element| !fits(item, element)) => return Err(Unfit),
        Constant::Quoted { .. } => {
            let mut text = Vec::new();
            item.write(&mut text, dialect)?;
            write_quoted(out, &text, dialect.encoding)?;
        }
        _ => item.write(out, dialect)?,
    }
    Ok(())
}

/// Writes an item between double quotes.
///
/// # Errors
/// The text is not in the encoding.
pub fn write_quoted(out: &mut Vec<u8>, text: &[u8], encoding: &Encoding) -> Result<(), Unfit> {
    out.push(b'"');
    let mut rest = text;
    while let Some(length) = character(rest, encoding) {
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
    Ok(())
}

/// Whether an item means the same in an array of elements of this type as in an array constructor.
fn fits(item: Constant<'_>, element: Oid) -> bool {
    let is_text = matches!(element, oid::TEXT | oid::VARCHAR | oid::BPCHAR);
    match item {
        // Strings alone make a text array, numbers a numeric one.
        Constant::Quoted { cast: None, .. } if !is_text => false,
        Constant::Integer(_) | Constant::Bool(_) if is_text => false,
        _ => item.fits(element),
    }
}

/// The offset of the bracket that closes the array. Its opening bracket comes before `items`.
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
