//! Values in the binary formats of the server's types.

use super::moment;
use super::numeric;
use super::source::{Source, Value};
use super::target::{Kind, RANGE_FIELDS, Type};
use super::text;

/// What is wrong with a value. The caller knows where it is.
pub type Fault = String;

/// Appends a field: its length and its bytes.
#[inline]
pub fn field(value: Value<'_>, target: &Type, out: &mut Vec<u8>) -> Result<(), Fault> {
    if let Value::Null = value {
        out.extend_from_slice(&(-1_i32).to_be_bytes());
        return Ok(());
    }
    match target.kind {
        Kind::Int4 => fixed(integer::<i32>(value, target)?.to_be_bytes(), out),
        Kind::Int8 => fixed(integer::<i64>(value, target)?.to_be_bytes(), out),
        Kind::Int2 => fixed(integer::<i16>(value, target)?.to_be_bytes(), out),
        Kind::Oid => fixed(integer::<u32>(value, target)?.to_be_bytes(), out),
        Kind::Xid8 => fixed(integer::<u64>(value, target)?.to_be_bytes(), out),
        Kind::Float8 => fixed(float8(value, target)?.to_be_bytes(), out),
        Kind::Float4 => fixed(float4(value, target)?.to_be_bytes(), out),
        Kind::Bool => match value {
            Value::Bool(value) => fixed([u8::from(value)], out),
            _ => return Err(unfit(target)),
        },
        Kind::Date => fixed(date(value, target)?.to_be_bytes(), out),
        Kind::Time => fixed(time(value, target)?.to_be_bytes(), out),
        Kind::Timestamp | Kind::Timestamptz => fixed(timestamp(value, target)?.to_be_bytes(), out),
        Kind::Interval => {
            let (months, days, micros) = interval(value, target)?;
            let (months, days, micros) =
                (months.to_be_bytes(), days.to_be_bytes(), micros.to_be_bytes());
            out.extend_from_slice(&16_i32.to_be_bytes());
            out.extend_from_slice(&micros);
            out.extend_from_slice(&days);
            out.extend_from_slice(&months);
        }
        Kind::Uuid => fixed(uuid(value, target)?, out),
        _ => {
            let at = out.len();
            out.extend_from_slice(&[0; 4]);
            long(value, target, out)?;
            close(at, out)?;
        }
    }
    Ok(())
}

#[inline]
fn fixed<const N: usize>(bytes: [u8; N], out: &mut Vec<u8>) {
    // The lengths of the types above.
    #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)]
    out.extend_from_slice(&(N as i32).to_be_bytes());
    out.extend_from_slice(&bytes);
}

/// Fills in the length of what was written after the place for it.
#[inline]
fn close(at: usize, out: &mut [u8]) -> Result<(), Fault> {
    let length = out.len().saturating_sub(at + 4);
    let length = i32::try_from(length).map_err(|_| "the value is too long for COPY".to_owned())?;
    if let Some(place) = out.get_mut(at..at + 4) {
        place.copy_from_slice(&length.to_be_bytes());
    }
    Ok(())
}

/// Values of various lengths.
fn long(value: Value<'_>, target: &Type, out: &mut Vec<u8>) -> Result<(), Fault> {
    match (&target.kind, value) {
        (Kind::Text, Value::Text(text)) => out.extend_from_slice(text.as_bytes()),
        (Kind::Text, value) => text::scalar(value, out)?,
        (Kind::Jsonb, Value::Text(text)) => {
            out.push(1);
            out.extend_from_slice(text.as_bytes());
        }
        (Kind::Bytea | Kind::Raw, Value::Bytes(bytes)) => out.extend_from_slice(bytes),
        (Kind::Numeric, value) => number(value, target, out)?,
        (Kind::Array(element, depth), value) => array(value, element, *depth, out)?,
        (Kind::Composite(places), Value::Struct(fields, row)) => {
            out.extend_from_slice(&count(places.len())?);
            for (field_type, place) in places {
                out.extend_from_slice(&field_type.oid.to_be_bytes());
                field(member(fields, row, *place), field_type, out)?;
            }
        }
        (Kind::Range(bound), Value::Struct(fields, row)) => range(fields, row, bound, out)?,
        (Kind::Multirange(range), Value::List(items)) => {
            out.extend_from_slice(&count(items.len)?);
            for item in items.iter() {
                if let Value::Null = item {
                    return Err("a multirange cannot hold NULL".to_owned());
                }
                field(item, range, out)?;
            }
        }
        (Kind::Hstore, Value::Map(keys, values)) => {
            out.extend_from_slice(&count(keys.len)?);
            for (key, value) in keys.iter().zip(values.iter()) {
                let Value::Text(key) = key else { return Err(KEYLESS.to_owned()) };
                out.extend_from_slice(&count(key.len())?);
                out.extend_from_slice(key.as_bytes());
                match value {
                    Value::Text(value) => {
                        out.extend_from_slice(&count(value.len())?);
                        out.extend_from_slice(value.as_bytes());
                    }
                    _ => out.extend_from_slice(&(-1_i32).to_be_bytes()),
                }
            }
        }
        (Kind::Vector, Value::List(items)) => {
            let length = u16::try_from(items.len)
                .map_err(|_| "the vector has too many dimensions".to_owned())?;
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(&[0; 2]);
            for item in items.iter() {
                out.extend_from_slice(&float4(item, target)?.to_be_bytes());
            }
        }
        _ => return Err(unfit(target)),
    }
    Ok(())
}

pub const KEYLESS: &str = "a key of hstore cannot be NULL";

fn count(number: usize) -> Result<[u8; 4], Fault> {
    match i32::try_from(number) {
        Ok(number) => Ok(number.to_be_bytes()),
        Err(_) => Err("the value is too long for COPY".to_owned()),
    }
}

/// The schema says that this cannot be.
pub fn unfit(target: &Type) -> Fault {
    format!("the value cannot be written for {}", target.name)
}

fn too_great(value: impl std::fmt::Display, target: &Type) -> Fault {
    format!("{value} is out of range for {}", target.name)
}

/// An integer that fits.
#[inline]
pub fn integer<T>(value: Value<'_>, target: &Type) -> Result<T, Fault>
where
    T: TryFrom<i64> + TryFrom<u64> + TryFrom<i128>,
{
    match value {
        Value::Int(value) => T::try_from(value).map_err(|_| too_great(value, target)),
        Value::UInt(value) => T::try_from(value).map_err(|_| too_great(value, target)),
        other => whole(other, target),
    }
}

/// The integer that a value of another type is, if it is one.
fn whole<T: TryFrom<i128>>(value: Value<'_>, target: &Type) -> Result<T, Fault> {
    let not_whole = || {
        let mut text = Vec::new();
        let _ = text::scalar(value, &mut text);
        let text = String::from_utf8_lossy(&text).into_owned();
        format!("{text} is no integer, as {} takes", target.name)
    };
    let found = match value {
        Value::Float32(float) => whole_float(float.into()),
        Value::Float64(float) => whole_float(float),
        Value::Decimal(number, scale) => whole_decimal(number, scale),
        Value::WideDecimal(number, scale) => {
            number.to_i128().and_then(|number| whole_decimal(number, scale))
        }
        _ => return Err(unfit(target)),
    };
    let found = found.ok_or_else(not_whole)?;
    T::try_from(found).map_err(|_| too_great(found, target))
}

fn whole_float(value: f64) -> Option<i128> {
    // Beyond that all floats are whole, and too great for any type.
    if value.fract() != 0.0 || !value.is_finite() {
        return None;
    }
    #[allow(clippy::cast_possible_truncation)]
    Some(value as i128)
}

fn whole_decimal(number: i128, scale: i8) -> Option<i128> {
    let power = 10_i128.checked_pow(scale.unsigned_abs().into());
    match (power, scale) {
        (_, _) if number == 0 => Some(0),
        (Some(power), 0..) => (number % power == 0).then(|| number / power),
        (Some(power), _) => number.checked_mul(power),
        (None, _) => None,
    }
}

#[inline]
#[allow(clippy::cast_precision_loss)]
pub fn float8(value: Value<'_>, target: &Type) -> Result<f64, Fault> {
    match value {
        Value::Float64(value) => Ok(value),
        Value::Float32(value) => Ok(value.into()),
        // As the server converts them, to the nearest one.
        Value::Int(value) => Ok(value as f64),
        Value::UInt(value) => Ok(value as f64),
        Value::Decimal(..) | Value::WideDecimal(..) => {
            let mut text = Vec::new();
            text::scalar(value, &mut text)?;
            let parsed = std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok());
            parsed.ok_or_else(|| unfit(target))
        }
        _ => Err(unfit(target)),
    }
}

#[inline]
#[allow(clippy::cast_possible_truncation)]
pub fn float4(value: Value<'_>, target: &Type) -> Result<f32, Fault> {
    if let Value::Float32(value) = value {
        return Ok(value);
    }
    let wide = float8(value, target)?;
    let narrow = wide as f32;
    if (narrow.is_infinite() && wide.is_finite()) || (narrow == 0.0 && wide != 0.0) {
        return Err(too_great(wide, target));
    }
    Ok(narrow)
}

pub fn date(value: Value<'_>, target: &Type) -> Result<i32, Fault> {
    match value {
        Value::Date(days) => moment::day(days.into()),
        Value::DateMillis(millis) => moment::day_of_millis(millis),
        Value::Timestamp(value, unit) => {
            let micros = moment::micros(value, unit)?;
            if micros % moment::DAY != 0 {
                return Err(
                    "the timestamp has a time of day, which a date does not keep".to_owned()
                );
            }
            moment::day(micros / moment::DAY)
        }
        _ => Err(unfit(target)),
    }
}

pub fn time(value: Value<'_>, target: &Type) -> Result<i64, Fault> {
    match value {
        Value::Time(value, unit) => moment::time(moment::micros(value, unit)?),
        _ => Err(unfit(target)),
    }
}

#[inline]
pub fn timestamp(value: Value<'_>, target: &Type) -> Result<i64, Fault> {
    match value {
        Value::Timestamp(value, unit) | Value::Moment(value, unit) => {
            moment::timestamp(moment::micros(value, unit)?)
        }
        Value::Date(days) => moment::midnight(days),
        Value::DateMillis(millis) => {
            moment::timestamp(moment::micros(millis, arrow_schema::TimeUnit::Millisecond)?)
        }
        _ => Err(unfit(target)),
    }
}

/// Months, days, microseconds.
pub fn interval(value: Value<'_>, target: &Type) -> Result<(i32, i32, i64), Fault> {
    match value {
        Value::Duration(value, unit) => Ok((0, 0, moment::micros(value, unit)?)),
        Value::Interval(months, days, nanos) => {
            let found = (months, days, moment::whole_micros(nanos)?);
            // The server takes these two for infinite ones.
            let edges = [(i32::MAX, i32::MAX, i64::MAX), (i32::MIN, i32::MIN, i64::MIN)];
            if edges.contains(&found) { Err(unfit(target)) } else { Ok(found) }
        }
        _ => Err(unfit(target)),
    }
}

pub fn uuid(value: Value<'_>, target: &Type) -> Result<[u8; 16], Fault> {
    match value {
        Value::Bytes(bytes) => bytes
            .try_into()
            .map_err(|_| format!("a uuid has 16 bytes, and the value has {}", bytes.len())),
        Value::Text(text) => uuid_of(text).ok_or_else(|| "the text is no uuid".to_owned()),
        _ => Err(unfit(target)),
    }
}

/// In the forms that the server takes: in braces or not, with hyphens behind any four digits.
fn uuid_of(text: &str) -> Option<[u8; 16]> {
    let text = match text.strip_prefix('{') {
        Some(rest) => rest.strip_suffix('}')?,
        None => text,
    };
    let mut value = 0_u128;
    let mut digits = 0;
    let mut may_break = false;
    for character in text.chars() {
        if character == '-' && std::mem::take(&mut may_break) {
            continue;
        }
        value = (value << 4) | u128::from(character.to_digit(16)?);
        digits += 1;
        may_break = digits % 4 == 0 && digits < 32;
        if digits > 32 {
            return None;
        }
    }
    (digits == 32).then(|| value.to_be_bytes())
}

fn number(value: Value<'_>, target: &Type, out: &mut Vec<u8>) -> Result<(), Fault> {
    let scientific = |text: String, special: Option<u16>, out: &mut Vec<u8>| match special {
        Some(sign) => {
            numeric::special(out, sign);
            Some(())
        }
        None => numeric::scientific(out, &text),
    };
    let written = match value {
        Value::Int(value) => numeric::write(out, value.into(), 0),
        Value::UInt(value) => numeric::write(out, value.into(), 0),
        Value::Decimal(number, scale) => numeric::write(out, number, scale),
        Value::WideDecimal(number, scale) => {
            let text = number.to_string();
            let digits = text.strip_prefix('-').unwrap_or(&text);
            numeric::digits(out, text.len() > digits.len(), digits.as_bytes(), scale.into())
        }
        Value::Float32(value) => scientific(format!("{value:e}"), special(value.into()), out),
        Value::Float64(value) => scientific(format!("{value:e}"), special(value), out),
        _ => None,
    };
    written.ok_or_else(|| unfit(target))
}

/// How `numeric` has what is no finite number.
fn special(value: f64) -> Option<u16> {
    match value {
        value if value.is_nan() => Some(numeric::NAN),
        value if value.is_finite() => None,
        value if value > 0.0 => Some(numeric::INFINITY),
        _ => Some(numeric::MINUS_INFINITY),
    }
}

/// A field of a struct; NULL if it has none.
pub fn member<'s>(
    fields: &'s [(&'s str, Source<'s>)],
    row: usize,
    place: Option<usize>,
) -> Value<'s> {
    place.and_then(|place| fields.get(place)).map_or(Value::Null, |(_, source)| source.get(row))
}

/// The lengths of an array's dimensions. All lists of a dimension have to be of one length.
pub fn dimensions(value: Value<'_>, depth: usize) -> Result<Vec<usize>, Fault> {
    let mut found = Vec::with_capacity(depth);
    measure(value, depth, 0, &mut found)?;
    // An array without an element has no dimensions.
    if found.contains(&0) {
        found.clear();
    }
    Ok(found)
}

fn measure(
    value: Value<'_>,
    depth: usize,
    level: usize,
    found: &mut Vec<usize>,
) -> Result<(), Fault> {
    if level == depth {
        return Ok(());
    }
    let Value::List(items) = value else {
        return Err("a list within lists is NULL, where an array has to have elements".to_owned());
    };
    match found.get(level) {
        None => found.push(items.len),
        Some(length) if *length == items.len => {}
        Some(_) => {
            return Err(
                "the lists within the value are not of one length, as those of an array are"
                    .to_owned(),
            );
        }
    }
    if level + 1 < depth {
        for item in items.iter() {
            measure(item, depth, level + 1, found)?;
        }
    }
    Ok(())
}

fn array(value: Value<'_>, element: &Type, depth: usize, out: &mut Vec<u8>) -> Result<(), Fault> {
    let dimensions = dimensions(value, depth)?;
    out.extend_from_slice(&count(dimensions.len())?);
    let nulls = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&element.oid.to_be_bytes());
    for length in &dimensions {
        out.extend_from_slice(&count(*length)?);
        out.extend_from_slice(&1_i32.to_be_bytes());
    }
    if !dimensions.is_empty()
        && elements(value, element, depth, out)?
        && let Some(place) = out.get_mut(nulls + 3)
    {
        *place = 1;
    }
    Ok(())
}

/// Writes the elements; returns whether there is a NULL among them.
fn elements(
    value: Value<'_>,
    element: &Type,
    depth: usize,
    out: &mut Vec<u8>,
) -> Result<bool, Fault> {
    let Value::List(items) = value else { return Ok(false) };
    let mut nulls = false;
    for item in items.iter() {
        if depth > 1 {
            nulls |= elements(item, element, depth - 1, out)?;
        } else {
            nulls |= matches!(item, Value::Null);
            field(item, element, out)?;
        }
    }
    Ok(nulls)
}

/// A range, taken apart.
pub struct Bounds<'s> {
    pub lower: Value<'s>,
    pub upper: Value<'s>,
    pub lower_inclusive: bool,
    pub upper_inclusive: bool,
    pub empty: bool,
}

/// The parts of a range. A bound that is NULL is none; `[)` where nothing is said.
pub fn bounds<'s>(fields: &'s [(&'s str, Source<'s>)], row: usize) -> Bounds<'s> {
    let [lower, upper, lower_inclusive, upper_inclusive, empty] = RANGE_FIELDS
        .map(|name| member(fields, row, fields.iter().position(|(field, _)| *field == name)));
    let flag = |value, default| match value {
        Value::Bool(value) => value,
        _ => default,
    };
    let has = |value: &Value<'_>| !matches!(value, Value::Null);
    Bounds {
        lower_inclusive: has(&lower) && flag(lower_inclusive, true),
        upper_inclusive: has(&upper) && flag(upper_inclusive, false),
        empty: flag(empty, false),
        lower,
        upper,
    }
}

fn range(
    fields: &[(&str, Source<'_>)],
    row: usize,
    bound: &Type,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    let found = bounds(fields, row);
    if found.empty {
        out.push(1);
        return Ok(());
    }
    let mut flags = u8::from(found.lower_inclusive) << 1 | u8::from(found.upper_inclusive) << 2;
    flags |= u8::from(matches!(found.lower, Value::Null)) << 3;
    flags |= u8::from(matches!(found.upper, Value::Null)) << 4;
    out.push(flags);
    for value in [found.lower, found.upper] {
        if !matches!(value, Value::Null) {
            field(value, bound, out)?;
        }
    }
    Ok(())
}
