//! Values as the texts that the server reads.

use std::io::Write;

use psycoxide_sql::binary::datetime;
use psycoxide_sql::copy;
use psycoxide_sql::encoding::UTF8;
use psycoxide_sql::quote::number;

use super::binary::{self, Fault, KEYLESS, bounds, dimensions, member, unfit};
use super::moment;
use super::numeric;
use super::source::Value;
use super::target::{Kind, Type};

/// Appends a field of COPY's text format. `scratch` is memory that is used again and again.
pub fn field(
    value: Value<'_>,
    target: &Type,
    scratch: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    match value {
        Value::Null => out.extend_from_slice(copy::NULL),
        Value::Text(text) => copy::write(out, text.as_bytes(), &UTF8),
        value => {
            scratch.clear();
            write(value, target, scratch)?;
            copy::write(out, scratch, &UTF8);
        }
    }
    Ok(())
}

/// Appends the text of a value that is not NULL.
fn write(value: Value<'_>, target: &Type, out: &mut Vec<u8>) -> Result<(), Fault> {
    match (&target.kind, value) {
        // Checked as in the binary format.
        (Kind::Int2, value) if !is_text(value) => put(out, binary::integer::<i16>(value, target)?),
        (Kind::Int4, value) if !is_text(value) => {
            put(out, binary::integer::<i32>(value, target)?);
        }
        (Kind::Int8, value) if !is_text(value) => {
            put(out, binary::integer::<i64>(value, target)?);
        }
        (Kind::Oid, value) if !is_text(value) => put(out, binary::integer::<u32>(value, target)?),
        (Kind::Xid8, value) if !is_text(value) => put(out, binary::integer::<u64>(value, target)?),
        (Kind::Float4, value) if !is_text(value) => {
            scalar(Value::Float32(binary::float4(value, target)?), out)?;
        }
        (Kind::Date, value @ Value::Timestamp(..)) => {
            binary::date(value, target)?;
            scalar(value, out)?;
        }
        (Kind::Uuid, value) => {
            let bytes = binary::uuid(value, target)?;
            put(out, format_args!("{:032x}", u128::from_be_bytes(bytes)));
        }
        (Kind::Bytea, Value::Bytes(bytes)) => {
            out.extend_from_slice(b"\\x");
            for byte in bytes {
                put(out, format_args!("{byte:02x}"));
            }
        }
        (Kind::Raw, Value::Bytes(bytes)) => {
            for byte in bytes {
                put(out, format_args!("{byte:02X}"));
            }
        }
        (Kind::Array(element, depth), value @ Value::List(_)) => {
            if dimensions(value, *depth)?.is_empty() {
                out.extend_from_slice(b"{}");
            } else {
                list(value, element, *depth, out)?;
            }
        }
        (Kind::Multirange(range), Value::List(items)) => {
            out.push(b'{');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                match item {
                    Value::Null => return Err("a multirange cannot hold NULL".to_owned()),
                    item => write(item, range, out)?,
                }
            }
            out.push(b'}');
        }
        (Kind::Composite(places), Value::Struct(fields, row)) => {
            out.push(b'(');
            for (at, (field_type, place)) in places.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                match member(fields, row, *place) {
                    Value::Null => {}
                    value => quoted(value, field_type, out)?,
                }
            }
            out.push(b')');
        }
        (Kind::Range(bound), Value::Struct(fields, row)) => {
            let found = bounds(fields, row);
            if found.empty {
                out.extend_from_slice(b"empty");
                return Ok(());
            }
            out.push(if found.lower_inclusive { b'[' } else { b'(' });
            if !matches!(found.lower, Value::Null) {
                quoted(found.lower, bound, out)?;
            }
            out.push(b',');
            if !matches!(found.upper, Value::Null) {
                quoted(found.upper, bound, out)?;
            }
            out.push(if found.upper_inclusive { b']' } else { b')' });
        }
        (Kind::Hstore, Value::Map(keys, values)) => {
            for (place, (key, value)) in keys.iter().zip(values.iter()).enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                let Value::Text(key) = key else { return Err(KEYLESS.to_owned()) };
                quote(key.as_bytes(), out);
                out.extend_from_slice(b"=>");
                match value {
                    Value::Text(value) => quote(value.as_bytes(), out),
                    _ => out.extend_from_slice(b"NULL"),
                }
            }
        }
        (Kind::Vector, Value::List(items)) => {
            out.push(b'[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                scalar(Value::Float32(binary::float4(item, target)?), out)?;
            }
            out.push(b']');
        }
        (_, Value::List(_) | Value::Struct(..) | Value::Map(..) | Value::Bytes(_)) => {
            return Err(unfit(target));
        }
        (_, value) => scalar(value, out)?,
    }
    Ok(())
}

fn is_text(value: Value<'_>) -> bool {
    matches!(value, Value::Text(_))
}

fn put(out: &mut Vec<u8>, text: impl std::fmt::Display) {
    // Memory takes anything.
    let _ = write!(out, "{text}");
}

/// Appends the text of a number, a text, a date or a time: what it is whatever its target.
pub fn scalar(value: Value<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
    match value {
        Value::Text(text) => out.extend_from_slice(text.as_bytes()),
        Value::Bool(value) => out.extend_from_slice(if value { b"true" } else { b"false" }),
        Value::Int(value) => number::write_plain_integer(out, value),
        Value::UInt(value) => put(out, value),
        Value::Float32(value) if value.is_finite() => put(out, format_args!("{value:?}")),
        Value::Float32(value) => special(value.into(), out),
        Value::Float64(value) if value.is_finite() => number::write_repr(out, value),
        Value::Float64(value) => special(value, out),
        Value::Decimal(number, scale) => {
            decimal(out, |bytes| numeric::write(bytes, number, scale))?
        }
        Value::WideDecimal(number, scale) => {
            let text = number.to_string();
            let digits = text.strip_prefix('-').unwrap_or(&text);
            let negative = text.len() > digits.len();
            decimal(out, |bytes| {
                numeric::digits(bytes, negative, digits.as_bytes(), scale.into())
            })?;
        }
        Value::Date(days) => day(moment::day(days.into())?, out)?,
        Value::DateMillis(millis) => day(moment::day_of_millis(millis)?, out)?,
        Value::Time(value, unit) => clock(moment::time(moment::micros(value, unit)?)?, out),
        Value::Timestamp(value, unit) => {
            let micros = moment::timestamp(moment::micros(value, unit)?)?;
            datetime::write_timestamp(&micros.to_be_bytes(), out)
                .map_err(|fault| fault.to_string())?;
        }
        Value::Moment(value, unit) => {
            let micros = moment::timestamp(moment::micros(value, unit)?)?;
            datetime::write_timestamptz(&micros.to_be_bytes(), out)
                .map_err(|fault| fault.to_string())?;
        }
        Value::Duration(value, unit) => span(0, 0, moment::micros(value, unit)?, out),
        Value::Interval(months, days, nanos) => {
            span(months, days, moment::whole_micros(nanos)?, out);
        }
        Value::Null | Value::Bytes(_) | Value::List(_) | Value::Struct(..) | Value::Map(..) => {
            return Err("the value has no text".to_owned());
        }
    }
    Ok(())
}

fn special(value: f64, out: &mut Vec<u8>) {
    out.extend_from_slice(match value {
        value if value.is_nan() => b"NaN",
        value if value > 0.0 => b"Infinity",
        _ => b"-Infinity",
    });
}

fn decimal(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> Option<()>) -> Result<(), Fault> {
    let mut bytes = Vec::new();
    let fault = || "the number is out of the server's range".to_owned();
    write(&mut bytes).ok_or_else(fault)?;
    psycoxide_sql::binary::numeric::write(&bytes, out).map_err(|_| fault())
}

fn day(day: i32, out: &mut Vec<u8>) -> Result<(), Fault> {
    datetime::write_date(&day.to_be_bytes(), out).map_err(|fault| fault.to_string())
}

/// A time of day, or any number of hours.
fn clock(micros: i64, out: &mut Vec<u8>) {
    let (seconds, rest) = (micros.unsigned_abs() / 1_000_000, micros.unsigned_abs() % 1_000_000);
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    put(out, format_args!("{hours:02}:{minutes:02}:{:02}", seconds % 60));
    if rest > 0 {
        put(out, format_args!(".{rest:06}"));
    }
}

/// An interval, each part with its sign: what one sign means depends on the session else.
fn span(months: i32, days: i32, micros: i64, out: &mut Vec<u8>) {
    put(out, format_args!("{months:+} mons {days:+} days "));
    out.push(if micros < 0 { b'-' } else { b'+' });
    clock(micros, out);
}

fn list(value: Value<'_>, element: &Type, depth: usize, out: &mut Vec<u8>) -> Result<(), Fault> {
    let Value::List(items) = value else { return Err(unfit(element)) };
    out.push(b'{');
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            // The one type with another separator, `box`, has no lists that are written.
            out.push(b',');
        }
        match item {
            item if depth > 1 => list(item, element, depth - 1, out)?,
            Value::Null => out.extend_from_slice(b"NULL"),
            item => quoted(item, element, out)?,
        }
    }
    out.push(b'}');
    Ok(())
}

/// Appends a value within another one.
fn quoted(value: Value<'_>, target: &Type, out: &mut Vec<u8>) -> Result<(), Fault> {
    let mut text = Vec::new();
    write(value, target, &mut text)?;
    quote(&text, out);
    Ok(())
}

fn quote(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out.push(b'"');
}
