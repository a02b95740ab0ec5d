//! Ranges as adapters write them, by the constructor functions: `daterange(…, …, '[)')`.
//!
//! <https://www.postgresql.org/docs/current/rangetypes.html#RANGETYPES-CONSTRUCT>

use super::array::write_quoted;
use super::constant::Constant;
use super::{Dialect, Unfit};
use crate::oid::{self, Oid};

/// Writes a range as text and returns its type. `sql` is a call of a constructor function with
/// constants of the type that the range is made of.
pub(super) fn write(out: &mut Vec<u8>, sql: &[u8], dialect: Dialect) -> Result<Oid, Unfit> {
    let open = memchr::memchr(b'(', sql).ok_or(Unfit)?;
    let (name, arguments) = sql.split_at_checked(open).ok_or(Unfit)?;
    let (range, bounds): (Oid, &[Oid]) = match name {
        b"int4range" => (oid::INT4RANGE, &[oid::INT4]),
        b"int8range" => (oid::INT8RANGE, &[oid::INT4, oid::INT8]),
        b"numrange" => (oid::NUMRANGE, &[oid::INT4, oid::INT8, oid::NUMERIC]),
        b"daterange" => (oid::DATERANGE, &[oid::DATE]),
        b"tsrange" => (oid::TSRANGE, &[oid::TIMESTAMP]),
        b"tstzrange" => (oid::TSTZRANGE, &[oid::TIMESTAMPTZ]),
        _ => return Err(Unfit),
    };
    let mut rest = arguments.get(1..).unwrap_or_default();
    let mut next = || {
        let (constant, after) = Constant::read(rest, dialect)?;
        rest = after.strip_prefix(b", ").ok_or(Unfit)?;
        // Text that is cast to a smaller type may be out of that type's range.
        let is_number = matches!(constant, Constant::Integer(_) | Constant::Numeric(_));
        match constant.own_type(b"") {
            Some(0) => Ok(constant),
            Some(oid) if bounds.last() == Some(&oid) => Ok(constant),
            Some(oid) if is_number && bounds.contains(&oid) => Ok(constant),
            _ => Err(Unfit),
        }
    };
    let (lower, upper) = (next()?, next()?);
    let (first, last) = match rest {
        [b'\'', first @ (b'[' | b'('), last @ (b']' | b')'), b'\'', b')'] => (*first, *last),
        _ => return Err(Unfit),
    };
    out.push(first);
    write_bound(out, lower, dialect)?;
    out.push(b',');
    write_bound(out, upper, dialect)?;
    out.push(last);
    Ok(range)
}

fn write_bound(out: &mut Vec<u8>, bound: Constant<'_>, dialect: Dialect) -> Result<(), Unfit> {
    if matches!(bound, Constant::Null) {
        // No text at all: the range has no such bound.
        return Ok(());
    }
    let mut text = Vec::new();
    bound.write(&mut text, dialect)?;
    write_quoted(out, &text, dialect.encoding)
}
