//! `numeric` as a decimal of a given precision and scale.

use arrow_array::types::{Decimal128Type, Decimal256Type, DecimalType, Float64Type};
use arrow_buffer::i256;
use arrow_schema::{
    DECIMAL128_MAX_PRECISION, DECIMAL128_MAX_SCALE, DECIMAL256_MAX_PRECISION, DECIMAL256_MAX_SCALE,
    DataType,
};
use psycoxide_sql::binary::numeric::{self, Digits, Numeric};
use psycoxide_sql::text::number;

use super::build::Build;
use super::primitive::primitive;
use crate::error::Fault;
use crate::layout::Rules;
use crate::options::NumericNan;

/// The powers of ten that 64 bits hold.
const TENS: [u64; 20] = {
    let mut tens = [1; 20];
    let mut at = 1;
    while at < tens.len() {
        tens[at] = tens[at - 1] * 10;
        at += 1;
    }
    tens
};

/// The numbers that decimals are made of.
trait Number: Copy + Default + Send + Sync + 'static {
    /// `self` times `by`, plus `add`.
    fn shifted(self, by: u64, add: u64) -> Option<Self>;
    fn negated(self) -> Self;
    fn is_zero(self) -> bool;
    fn is_below(self, limit: Self) -> bool;
}

impl Number for i128 {
    #[inline]
    fn shifted(self, by: u64, add: u64) -> Option<Self> {
        match u64::try_from(self) {
            // 64 bits times 64 bits are 128 bits, of which one is the sign.
            Ok(low) if by < 1 << 62 => Some(i128::from(low) * i128::from(by) + i128::from(add)),
            _ => self.checked_mul(by.into())?.checked_add(add.into()),
        }
    }

    fn negated(self) -> Self {
        -self
    }

    fn is_zero(self) -> bool {
        self == 0
    }

    fn is_below(self, limit: Self) -> bool {
        self < limit
    }
}

impl Number for i256 {
    fn shifted(self, by: u64, add: u64) -> Option<Self> {
        self.checked_mul(i256::from_i128(by.into()))?.checked_add(i256::from_i128(add.into()))
    }

    fn negated(self) -> Self {
        self.wrapping_neg()
    }

    fn is_zero(self) -> bool {
        self == i256::ZERO
    }

    fn is_below(self, limit: Self) -> bool {
        self < limit
    }
}

/// What is wrong with a number.
enum Misfit {
    /// It has too many digits.
    Digits,
    /// It has too many decimals.
    Decimals,
    /// It is none.
    Malformed(Fault),
}

impl<T: Into<Fault>> From<T> for Misfit {
    fn from(fault: T) -> Self {
        Self::Malformed(fault.into())
    }
}

/// A value: not an ordinary number, or a magnitude and whether it is below zero.
enum Value<N> {
    Special(&'static str),
    Finite(N, bool),
}

/// The first number that a decimal of this precision does not hold; `None` if Arrow has no such
/// decimal, or none that consumers can use.
pub(super) fn limit(precision: u8, scale: i8) -> Option<i128> {
    let is_valid = (1..=DECIMAL128_MAX_PRECISION).contains(&precision)
        && (0..=DECIMAL128_MAX_SCALE).contains(&scale)
        && scale.unsigned_abs() <= precision;
    is_valid.then(|| 10_i128.pow(precision.into()))
}

fn long_limit(precision: u8, scale: i8) -> Option<i256> {
    let is_valid = (1..=DECIMAL256_MAX_PRECISION).contains(&precision)
        && (0..=DECIMAL256_MAX_SCALE).contains(&scale)
        && scale.unsigned_abs() <= precision;
    is_valid.then(|| i256::from_i128(10).checked_pow(precision.into()))?
}

/// A builder for `numeric`.
pub(super) fn decimal(is_binary: bool, to: &DataType, rules: Rules) -> Option<Box<dyn Build>> {
    match *to {
        DataType::Decimal128(precision, scale) => {
            let limit = limit(precision, scale)?;
            Some(of::<Decimal128Type, i128>(is_binary, to, scale, limit, rules))
        }
        DataType::Decimal256(precision, scale) => {
            let limit = long_limit(precision, scale)?;
            Some(of::<Decimal256Type, i256>(is_binary, to, scale, limit, rules))
        }
        DataType::Float64 if is_binary => Some(primitive::<Float64Type>(to, |bytes| {
            // The text is read with the one rounding that there may be.
            let mut text = Vec::with_capacity(32);
            numeric::write(bytes, &mut text)?;
            Ok(Some(number::float(&text).ok_or(MALFORMED)?))
        })),
        DataType::Float64 => Some(primitive::<Float64Type>(to, |text| {
            Ok(Some(number::float(text).ok_or(MALFORMED)?))
        })),
        _ => None,
    }
}

const MALFORMED: &str = "malformed numeric";

fn of<T: DecimalType<Native = N>, N: Number>(
    is_binary: bool,
    to: &DataType,
    scale: i8,
    limit: N,
    rules: Rules,
) -> Box<dyn Build> {
    let name = to.clone();
    let finish = move |value: Result<Value<N>, Misfit>| match value {
        Ok(Value::Finite(value, negative)) if value.is_below(limit) => {
            Ok(Some(if negative { value.negated() } else { value }))
        }
        Ok(Value::Finite(..)) | Err(Misfit::Digits) => Err(too_large(&name)),
        Err(Misfit::Decimals) => Err(too_fine(&name)),
        Err(Misfit::Malformed(fault)) => Err(fault),
        Ok(Value::Special(special)) => match rules.nan {
            NumericNan::Null => Ok(None),
            NumericNan::Error => Err(no_number(special)),
        },
    };
    let scale = i32::from(scale);
    if is_binary {
        primitive::<T>(to, move |bytes| finish(from_binary(bytes, scale)))
    } else {
        primitive::<T>(to, move |text| finish(from_text(text, scale)))
    }
}

#[cold]
fn too_large(to: &DataType) -> Fault {
    format!(
        "the number has more digits before the point than {to} holds: choose numeric=\"string\", \
         \"float64\" or a precision and a scale, or a type for the column in schema"
    )
    .into()
}

#[cold]
fn too_fine(to: &DataType) -> Fault {
    format!(
        "the number has more decimals than {to} holds: choose numeric=\"string\", \"float64\" or a \
         precision and a scale, or a type for the column in schema"
    )
    .into()
}

#[cold]
fn no_number(special: &str) -> Fault {
    format!("{special} is no decimal: choose nan=\"null\", or numeric=\"string\" or \"float64\"")
        .into()
}

#[inline]
fn from_binary<N: Number>(bytes: &[u8], scale: i32) -> Result<Value<N>, Misfit> {
    Ok(match numeric::numeric(bytes)? {
        Numeric::Finite(digits) => Value::Finite(magnitude(digits, scale)?, digits.negative),
        Numeric::NaN => Value::Special("NaN"),
        Numeric::Infinity => Value::Special("Infinity"),
        Numeric::MinusInfinity => Value::Special("-Infinity"),
    })
}

/// The number without its sign, times ten to the power of the scale.
#[inline]
fn magnitude<N: Number>(digits: Digits<'_>, scale: i32) -> Result<N, Misfit> {
    let mut value = N::default();
    // Up to four groups are added up here: most numbers have no more.
    let (mut low, mut shift) = (0_u64, 1_u64);
    // The power of ten of the group's unit.
    let mut unit = 4 * digits.weight + scale;
    let mut last_unit = 0;
    for group in digits.groups() {
        let group = u64::from(group?);
        let (by, add) = match unit {
            0.. => (10_000, group),
            -3..0 => {
                let dropped = *TENS.get(unit.unsigned_abs() as usize).ok_or(MALFORMED)?;
                if group % dropped != 0 {
                    return Err(Misfit::Decimals);
                }
                (10_000 / dropped, group / dropped)
            }
            _ if group != 0 => return Err(Misfit::Decimals),
            _ => (1, 0),
        };
        if shift == 10_000_u64.pow(4) {
            value = value.shifted(shift, low).ok_or(Misfit::Digits)?;
            (low, shift) = (0, 1);
        }
        (low, shift) = (low * by + add, shift * by);
        last_unit = unit;
        unit -= 4;
    }
    value = value.shifted(shift, low).ok_or(Misfit::Digits)?;
    times_ten(value, last_unit.max(0).unsigned_abs())
}

/// `value` times ten to the power of `power`.
#[inline]
fn times_ten<N: Number>(mut value: N, mut power: u32) -> Result<N, Misfit> {
    if value.is_zero() {
        return Ok(value);
    }
    while power > 0 {
        let step = power.min(18);
        let by = *TENS.get(step as usize).ok_or(MALFORMED)?;
        value = value.shifted(by, 0).ok_or(Misfit::Digits)?;
        power -= step;
    }
    Ok(value)
}

#[inline]
fn from_text<N: Number>(text: &[u8], scale: i32) -> Result<Value<N>, Misfit> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match text {
        b"NaN" => return Ok(Value::Special("NaN")),
        b"Infinity" => return Ok(Value::Special("Infinity")),
        b"-Infinity" => return Ok(Value::Special("-Infinity")),
        _ => {}
    }
    let mut value = N::default();
    let (mut low, mut shift) = (0_u64, 1_u64);
    let mut after_point = None;
    let mut is_empty = true;
    for byte in digits {
        let digit = match byte {
            b'0'..=b'9' => u64::from(byte - b'0'),
            b'.' if after_point.is_none() && !is_empty => {
                after_point = Some(0);
                is_empty = true;
                continue;
            }
            _ => return Err(MALFORMED.into()),
        };
        is_empty = false;
        if let Some(decimals) = &mut after_point {
            if *decimals == scale {
                if digit != 0 {
                    return Err(Misfit::Decimals);
                }
                continue;
            }
            *decimals += 1;
        }
        if shift == TENS[18] {
            value = value.shifted(shift, low).ok_or(Misfit::Digits)?;
            (low, shift) = (0, 1);
        }
        (low, shift) = (low * 10 + digit, shift * 10);
    }
    if is_empty {
        return Err(MALFORMED.into());
    }
    value = value.shifted(shift, low).ok_or(Misfit::Digits)?;
    let missing = scale - after_point.unwrap_or_default();
    Ok(Value::Finite(times_ten(value, missing.unsigned_abs())?, negative))
}
