//! Values in short form: what suffices to make an object again that was made once.
//!
//! It is written down while the object is made, from what was read of the field's text. What has no
//! short form, or would depend on the cursor (an offset becomes what its `tzinfo_factory` gives at the
//! time), stays as it came and is decoded anew.

use psycoxide_proto::{PackedField, PackedRow, RowWriter};
use psycoxide_sql::text::timestamp::{Timestamp, timestamp as read_timestamp};
use psycoxide_sql::text::{
    Moment, date::date as read_date, number as numbers, short, time::time as read_time,
};
use pyo3::ffi;

use super::decoder::Decoder;
use super::object::{Decoded, Value};
use super::scene::Scene;
use super::{datetime, number};

/// Whether most of the decoder's values have a short form.
pub fn is_short(decoder: &Decoder) -> bool {
    matches!(
        decoder,
        Decoder::Integer
            | Decoder::Float
            | Decoder::Boolean
            | Decoder::Date
            | Decoder::Timestamp
            | Decoder::Time
    )
}

/// Stands for a field that has no short form. Should one be so written, it is kept as it came as well.
const WHOLE: u64 = u64::MAX;

/// An object, and the number or the eight bytes that it is written as: two words, which come back
/// in registers.
type Kept = (Decoded, u64);

/// The object for a field, which is written down as well.
#[inline(always)]
pub fn keep(
    row: &mut RowWriter<'_>,
    decoder: &Decoder,
    scene: &Scene<'_, '_>,
    field: Option<&[u8]>,
) -> Decoded {
    let Some(text) = field else { return null(row, decoder, scene) };
    let (value, short) = match decoder {
        Decoder::Text => {
            row.plain(field);
            return Decoder::Text.decode(scene, field);
        }
        Decoder::Integer => integer(scene, text),
        Decoder::Float => {
            let (value, bits) = float(scene, text);
            if bits == WHOLE {
                row.whole(field)
            } else {
                row.eight(bits)
            }
            return value;
        }
        Decoder::Boolean => boolean(scene, text),
        Decoder::Timestamp => timestamp(scene, text),
        Decoder::Date => date(scene, text),
        Decoder::Time => time(scene, text),
        _ => {
            row.plain(field);
            return decoder.decode(scene, field);
        }
    };
    if short == WHOLE {
        row.whole(field)
    } else {
        row.number(short)
    }
    value
}

/// The object for what was written.
#[inline]
pub fn finish(row: &mut PackedRow<'_>, decoder: &Decoder, scene: &Scene<'_, '_>) -> Decoded {
    if !is_short(decoder) {
        return decoder.decode(scene, row.plain());
    }
    if let PackedField::Whole(field) = row.field() {
        return decoder.decode(scene, field);
    }
    if let Decoder::Float = decoder {
        return new_float(scene, f64::from_bits(row.eight()));
    }
    let number = row.number();
    match decoder {
        Decoder::Boolean => Value::boolean(scene.py, number != 0),
        Decoder::Date => datetime::date_of(scene.py, Moment::Finite(short::date(number))),
        Decoder::Timestamp => {
            datetime::timestamp_of(scene, Moment::Finite(short::timestamp(number)), None)
        }
        Decoder::Time => datetime::time_of(scene, short::time(number), None),
        _ => Value::integer(scene.py, short::signed(number)),
    }
}

#[inline(never)]
fn null(row: &mut RowWriter<'_>, decoder: &Decoder, scene: &Scene<'_, '_>) -> Decoded {
    if is_short(decoder) {
        row.whole(None)
    } else {
        row.plain(None)
    }
    decoder.decode(scene, None)
}

#[inline(never)]
fn integer(scene: &Scene<'_, '_>, text: &[u8]) -> Kept {
    match numbers::integer(text) {
        Some(value) => (Value::integer(scene.py, value), short::unsigned(value)),
        None => (number::integer(scene, text), WHOLE),
    }
}

#[inline(never)]
fn float(scene: &Scene<'_, '_>, text: &[u8]) -> Kept {
    match numbers::float(text) {
        Some(value) => (new_float(scene, value), value.to_bits()),
        None => (number::float(scene, text), WHOLE),
    }
}

#[inline]
fn new_float(_scene: &Scene<'_, '_>, value: f64) -> Decoded {
    // SAFETY: the GIL is held, as the scene shows.
    unsafe { Value::from_owned(ffi::PyFloat_FromDouble(value)) }
}

#[inline(never)]
fn boolean(scene: &Scene<'_, '_>, text: &[u8]) -> Kept {
    let short = match text {
        b"t" => 1,
        b"f" => 0,
        _ => WHOLE,
    };
    (number::boolean(scene, text), short)
}

// What a calendar or a clock does not have is refused when the object is made. What they take with a
// change, a sixtieth second and 24:00, the numbers change alike.

#[inline(never)]
fn timestamp(scene: &Scene<'_, '_>, text: &[u8]) -> Kept {
    match read_timestamp(text) {
        Ok(Moment::Finite(value @ Timestamp { date, time, offset: None })) => {
            let made = datetime::timestamp_of(scene, Moment::Finite(value), None);
            (made, short::of_timestamp(date, time))
        }
        _ => (datetime::timestamp(scene, text), WHOLE),
    }
}

#[inline(never)]
fn date(scene: &Scene<'_, '_>, text: &[u8]) -> Kept {
    match read_date(text) {
        Ok(value @ Moment::Finite(date)) => {
            (datetime::date_of(scene.py, value), short::of_date(date))
        }
        _ => (datetime::date(scene, text), WHOLE),
    }
}

#[inline(never)]
fn time(scene: &Scene<'_, '_>, text: &[u8]) -> Kept {
    match read_time(text) {
        Ok((time, None)) => (datetime::time_of(scene, time, None), short::of_time(time)),
        _ => (datetime::time(scene, text), WHOLE),
    }
}
