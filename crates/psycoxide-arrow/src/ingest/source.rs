//! Arrow arrays as values, one at a time: whatever the layout, a value is one of a few kinds.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Int8Type, Int16Type, Int32Type, Int64Type, IntervalDayTime, IntervalMonthDayNano, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, BinaryArray, BinaryViewArray, BooleanArray, Date32Array, Date64Array, Decimal32Array,
    Decimal64Array, Decimal128Array, Decimal256Array, DurationMicrosecondArray,
    DurationMillisecondArray, DurationNanosecondArray, DurationSecondArray, FixedSizeBinaryArray,
    Float16Array, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array,
    IntervalDayTimeArray, IntervalMonthDayNanoArray, IntervalYearMonthArray, LargeBinaryArray,
    LargeStringArray, RunArray, StringArray, StringViewArray, Time32MillisecondArray,
    Time32SecondArray, Time64MicrosecondArray, Time64NanosecondArray, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray, UInt8Array,
    UInt16Array, UInt32Array, UInt64Array,
};
use arrow_buffer::{NullBuffer, i256};
use arrow_schema::{DataType, IntervalUnit, TimeUnit};

/// A value of an array.
#[derive(Clone, Copy, Debug)]
pub enum Value<'s> {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Float32(f32),
    Float64(f64),
    /// A number without its point, and how many of its digits are behind that.
    Decimal(i128, i8),
    WideDecimal(i256, i8),
    Text(&'s str),
    Bytes(&'s [u8]),
    /// Days since 1970
    Date(i32),
    /// Milliseconds since 1970
    DateMillis(i64),
    /// Since midnight
    Time(i64, TimeUnit),
    /// Since 1970, wherever the clock is
    Timestamp(i64, TimeUnit),
    /// Since 1970 in UTC
    Moment(i64, TimeUnit),
    Duration(i64, TimeUnit),
    /// Months, days, nanoseconds
    Interval(i32, i32, i64),
    List(Items<'s>),
    Struct(&'s [(&'s str, Source<'s>)], usize),
    /// Keys, values
    Map(Items<'s>, Items<'s>),
}

/// Some values of an array, one after another.
#[derive(Clone, Copy, Debug)]
pub struct Items<'s> {
    pub source: &'s Source<'s>,
    pub start: usize,
    pub len: usize,
}

impl<'s> Items<'s> {
    pub fn iter(self) -> impl Iterator<Item = Value<'s>> {
        (self.start..self.start + self.len).map(move |at| self.source.get(at))
    }
}

/// An array that values are taken of.
#[derive(Debug)]
pub struct Source<'a> {
    nulls: Option<&'a NullBuffer>,
    len: usize,
    data: Data<'a>,
}

#[derive(Debug)]
enum Data<'a> {
    Null,
    Bool(&'a BooleanArray),
    Int8(&'a Int8Array),
    Int16(&'a Int16Array),
    Int32(&'a Int32Array),
    Int64(&'a Int64Array),
    UInt8(&'a UInt8Array),
    UInt16(&'a UInt16Array),
    UInt32(&'a UInt32Array),
    UInt64(&'a UInt64Array),
    Float16(&'a Float16Array),
    Float32(&'a Float32Array),
    Float64(&'a Float64Array),
    Decimal32(&'a Decimal32Array, i8),
    Decimal64(&'a Decimal64Array, i8),
    Decimal128(&'a Decimal128Array, i8),
    Decimal256(&'a Decimal256Array, i8),
    Utf8(&'a StringArray),
    LargeUtf8(&'a LargeStringArray),
    Utf8View(&'a StringViewArray),
    Binary(&'a BinaryArray),
    LargeBinary(&'a LargeBinaryArray),
    BinaryView(&'a BinaryViewArray),
    FixedBinary(&'a FixedSizeBinaryArray),
    Date32(&'a Date32Array),
    Date64(&'a Date64Array),
    TimeSecond(&'a Time32SecondArray),
    TimeMillisecond(&'a Time32MillisecondArray),
    /// Times, timestamps and durations of 64 bits differ only in what their numbers count.
    Moments(&'a [i64], fn(i64, TimeUnit) -> Value<'static>, TimeUnit),
    Months(&'a IntervalYearMonthArray),
    DayTime(&'a IntervalDayTimeArray),
    MonthDayNano(&'a IntervalMonthDayNanoArray),
    /// The indexes of the values, and those.
    Dictionary(Keys<'a>, Box<Source<'a>>),
    Runs(Runs<'a>, Box<Source<'a>>),
    List(&'a [i32], Box<Source<'a>>),
    LargeList(&'a [i64], Box<Source<'a>>),
    ListView(&'a [i32], &'a [i32], Box<Source<'a>>),
    LargeListView(&'a [i64], &'a [i64], Box<Source<'a>>),
    FixedList(usize, Box<Source<'a>>),
    Struct(Vec<(&'a str, Source<'a>)>),
    Map(&'a [i32], Box<[Source<'a>; 2]>),
}

/// The indexes of a dictionary.
#[derive(Debug)]
enum Keys<'a> {
    Int8(&'a [i8]),
    Int16(&'a [i16]),
    Int32(&'a [i32]),
    Int64(&'a [i64]),
    UInt8(&'a [u8]),
    UInt16(&'a [u16]),
    UInt32(&'a [u32]),
    UInt64(&'a [u64]),
}

impl Keys<'_> {
    fn get(&self, at: usize) -> Option<usize> {
        match self {
            Self::Int8(keys) => usize::try_from(*keys.get(at)?).ok(),
            Self::Int16(keys) => usize::try_from(*keys.get(at)?).ok(),
            Self::Int32(keys) => usize::try_from(*keys.get(at)?).ok(),
            Self::Int64(keys) => usize::try_from(*keys.get(at)?).ok(),
            Self::UInt8(keys) => Some(usize::from(*keys.get(at)?)),
            Self::UInt16(keys) => Some(usize::from(*keys.get(at)?)),
            Self::UInt32(keys) => usize::try_from(*keys.get(at)?).ok(),
            Self::UInt64(keys) => usize::try_from(*keys.get(at)?).ok(),
        }
    }
}

/// Where the runs of a run-end encoded array end.
#[derive(Debug)]
enum Runs<'a> {
    Int16(&'a RunArray<Int16Type>),
    Int32(&'a RunArray<Int32Type>),
    Int64(&'a RunArray<Int64Type>),
}

impl Runs<'_> {
    fn index(&self, at: usize) -> usize {
        match self {
            Self::Int16(array) => array.get_physical_index(at),
            Self::Int32(array) => array.get_physical_index(at),
            Self::Int64(array) => array.get_physical_index(at),
        }
    }
}

/// An array whose type is not one of those that can be written.
#[derive(Debug)]
pub struct Unknown;

impl<'a> Source<'a> {
    /// What values are taken of.
    pub fn new(array: &'a dyn Array) -> Result<Self, Unknown> {
        let any = array.as_any();
        macro_rules! is {
            ($kind:ident) => {
                Data::$kind(any.downcast_ref().ok_or(Unknown)?)
            };
        }
        macro_rules! moments {
            ($kind:ident, $unit:expr, $array:ty) => {
                Data::Moments(
                    any.downcast_ref::<$array>().ok_or(Unknown)?.values(),
                    Value::$kind,
                    $unit,
                )
            };
        }
        let child = |array: &'a dyn Array| Ok(Box::new(Source::new(array)?));
        let data = match array.data_type() {
            DataType::Null => Data::Null,
            DataType::Boolean => is!(Bool),
            DataType::Int8 => is!(Int8),
            DataType::Int16 => is!(Int16),
            DataType::Int32 => is!(Int32),
            DataType::Int64 => is!(Int64),
            DataType::UInt8 => is!(UInt8),
            DataType::UInt16 => is!(UInt16),
            DataType::UInt32 => is!(UInt32),
            DataType::UInt64 => is!(UInt64),
            DataType::Float16 => is!(Float16),
            DataType::Float32 => is!(Float32),
            DataType::Float64 => is!(Float64),
            DataType::Decimal32(_, scale) => {
                Data::Decimal32(any.downcast_ref().ok_or(Unknown)?, *scale)
            }
            DataType::Decimal64(_, scale) => {
                Data::Decimal64(any.downcast_ref().ok_or(Unknown)?, *scale)
            }
            DataType::Decimal128(_, scale) => {
                Data::Decimal128(any.downcast_ref().ok_or(Unknown)?, *scale)
            }
            DataType::Decimal256(_, scale) => {
                Data::Decimal256(any.downcast_ref().ok_or(Unknown)?, *scale)
            }
            DataType::Utf8 => is!(Utf8),
            DataType::LargeUtf8 => is!(LargeUtf8),
            DataType::Utf8View => is!(Utf8View),
            DataType::Binary => is!(Binary),
            DataType::LargeBinary => is!(LargeBinary),
            DataType::BinaryView => is!(BinaryView),
            DataType::FixedSizeBinary(_) => is!(FixedBinary),
            DataType::Date32 => is!(Date32),
            DataType::Date64 => is!(Date64),
            DataType::Time32(TimeUnit::Second) => is!(TimeSecond),
            DataType::Time32(_) => is!(TimeMillisecond),
            DataType::Time64(TimeUnit::Nanosecond) => {
                moments!(Time, TimeUnit::Nanosecond, Time64NanosecondArray)
            }
            DataType::Time64(_) => moments!(Time, TimeUnit::Microsecond, Time64MicrosecondArray),
            DataType::Timestamp(unit, Some(_)) => match unit {
                TimeUnit::Second => moments!(Moment, *unit, TimestampSecondArray),
                TimeUnit::Millisecond => moments!(Moment, *unit, TimestampMillisecondArray),
                TimeUnit::Microsecond => moments!(Moment, *unit, TimestampMicrosecondArray),
                TimeUnit::Nanosecond => moments!(Moment, *unit, TimestampNanosecondArray),
            },
            DataType::Timestamp(unit, None) => match unit {
                TimeUnit::Second => moments!(Timestamp, *unit, TimestampSecondArray),
                TimeUnit::Millisecond => moments!(Timestamp, *unit, TimestampMillisecondArray),
                TimeUnit::Microsecond => moments!(Timestamp, *unit, TimestampMicrosecondArray),
                TimeUnit::Nanosecond => moments!(Timestamp, *unit, TimestampNanosecondArray),
            },
            DataType::Duration(unit) => match unit {
                TimeUnit::Second => moments!(Duration, *unit, DurationSecondArray),
                TimeUnit::Millisecond => moments!(Duration, *unit, DurationMillisecondArray),
                TimeUnit::Microsecond => moments!(Duration, *unit, DurationMicrosecondArray),
                TimeUnit::Nanosecond => moments!(Duration, *unit, DurationNanosecondArray),
            },
            DataType::Interval(IntervalUnit::YearMonth) => is!(Months),
            DataType::Interval(IntervalUnit::DayTime) => is!(DayTime),
            DataType::Interval(IntervalUnit::MonthDayNano) => is!(MonthDayNano),
            DataType::Dictionary(key, _) => {
                let dictionary = array.as_any_dictionary_opt().ok_or(Unknown)?;
                let keys = dictionary.keys();
                macro_rules! keys {
                    ($kind:ident, $type:ty) => {
                        Keys::$kind(keys.as_primitive_opt::<$type>().ok_or(Unknown)?.values())
                    };
                }
                let keys = match key.as_ref() {
                    DataType::Int8 => keys!(Int8, Int8Type),
                    DataType::Int16 => keys!(Int16, Int16Type),
                    DataType::Int32 => keys!(Int32, Int32Type),
                    DataType::Int64 => keys!(Int64, Int64Type),
                    DataType::UInt8 => keys!(UInt8, UInt8Type),
                    DataType::UInt16 => keys!(UInt16, UInt16Type),
                    DataType::UInt32 => keys!(UInt32, UInt32Type),
                    DataType::UInt64 => keys!(UInt64, UInt64Type),
                    _ => return Err(Unknown),
                };
                Data::Dictionary(keys, child(dictionary.values().as_ref())?)
            }
            DataType::RunEndEncoded(ends, _) => match ends.data_type() {
                DataType::Int16 => {
                    let array = array.as_run_opt::<Int16Type>().ok_or(Unknown)?;
                    Data::Runs(Runs::Int16(array), child(array.values().as_ref())?)
                }
                DataType::Int32 => {
                    let array = array.as_run_opt::<Int32Type>().ok_or(Unknown)?;
                    Data::Runs(Runs::Int32(array), child(array.values().as_ref())?)
                }
                _ => {
                    let array = array.as_run_opt::<Int64Type>().ok_or(Unknown)?;
                    Data::Runs(Runs::Int64(array), child(array.values().as_ref())?)
                }
            },
            DataType::List(_) => {
                let list = array.as_list_opt::<i32>().ok_or(Unknown)?;
                Data::List(list.value_offsets(), child(list.values().as_ref())?)
            }
            DataType::LargeList(_) => {
                let list = array.as_list_opt::<i64>().ok_or(Unknown)?;
                Data::LargeList(list.value_offsets(), child(list.values().as_ref())?)
            }
            DataType::ListView(_) => {
                let list = array.as_list_view_opt::<i32>().ok_or(Unknown)?;
                let (offsets, sizes) = (list.value_offsets(), list.value_sizes());
                Data::ListView(offsets, sizes, child(list.values().as_ref())?)
            }
            DataType::LargeListView(_) => {
                let list = array.as_list_view_opt::<i64>().ok_or(Unknown)?;
                let (offsets, sizes) = (list.value_offsets(), list.value_sizes());
                Data::LargeListView(offsets, sizes, child(list.values().as_ref())?)
            }
            DataType::FixedSizeList(_, _) => {
                let list = array.as_fixed_size_list_opt().ok_or(Unknown)?;
                let size = usize::try_from(list.value_length()).map_err(|_| Unknown)?;
                Data::FixedList(size, child(list.values().as_ref())?)
            }
            DataType::Struct(fields) => {
                let array = array.as_struct_opt().ok_or(Unknown)?;
                let columns = fields.iter().zip(array.columns()).map(|(field, column)| {
                    Ok((field.name().as_str(), Source::new(column.as_ref())?))
                });
                Data::Struct(columns.collect::<Result<_, _>>()?)
            }
            DataType::Map(_, _) => {
                let map = array.as_map_opt().ok_or(Unknown)?;
                let keys = Source::new(map.keys().as_ref())?;
                let values = Source::new(map.values().as_ref())?;
                Data::Map(map.value_offsets(), Box::new([keys, values]))
            }
            _ => return Err(Unknown),
        };
        Ok(Self { nulls: array.nulls(), len: array.len(), data })
    }

    /// A value. There is none outside of the array.
    #[inline]
    pub fn get(&self, at: usize) -> Value<'_> {
        // The getters of arrays panic outside of them.
        if at >= self.len || self.nulls.is_some_and(|nulls| nulls.is_null(at)) {
            return Value::Null;
        }
        match &self.data {
            Data::Null => Value::Null,
            Data::Bool(array) => Value::Bool(array.value(at)),
            Data::Int8(array) => Value::Int(array.value(at).into()),
            Data::Int16(array) => Value::Int(array.value(at).into()),
            Data::Int32(array) => Value::Int(array.value(at).into()),
            Data::Int64(array) => Value::Int(array.value(at)),
            Data::UInt8(array) => Value::Int(array.value(at).into()),
            Data::UInt16(array) => Value::Int(array.value(at).into()),
            Data::UInt32(array) => Value::Int(array.value(at).into()),
            Data::UInt64(array) => Value::UInt(array.value(at)),
            Data::Float16(array) => Value::Float32(array.value(at).to_f32()),
            Data::Float32(array) => Value::Float32(array.value(at)),
            Data::Float64(array) => Value::Float64(array.value(at)),
            Data::Decimal32(array, scale) => Value::Decimal(array.value(at).into(), *scale),
            Data::Decimal64(array, scale) => Value::Decimal(array.value(at).into(), *scale),
            Data::Decimal128(array, scale) => Value::Decimal(array.value(at), *scale),
            Data::Decimal256(array, scale) => Value::WideDecimal(array.value(at), *scale),
            Data::Utf8(array) => Value::Text(array.value(at)),
            Data::LargeUtf8(array) => Value::Text(array.value(at)),
            Data::Utf8View(array) => Value::Text(array.value(at)),
            Data::Binary(array) => Value::Bytes(array.value(at)),
            Data::LargeBinary(array) => Value::Bytes(array.value(at)),
            Data::BinaryView(array) => Value::Bytes(array.value(at)),
            Data::FixedBinary(array) => Value::Bytes(array.value(at)),
            Data::Date32(array) => Value::Date(array.value(at)),
            Data::Date64(array) => Value::DateMillis(array.value(at)),
            Data::TimeSecond(array) => Value::Time(array.value(at).into(), TimeUnit::Second),
            Data::TimeMillisecond(array) => {
                Value::Time(array.value(at).into(), TimeUnit::Millisecond)
            }
            Data::Moments(values, make, unit) => {
                values.get(at).map_or(Value::Null, |value| make(*value, *unit))
            }
            Data::Months(array) => Value::Interval(array.value(at), 0, 0),
            Data::DayTime(array) => {
                let IntervalDayTime { days, milliseconds } = array.value(at);
                Value::Interval(0, days, i64::from(milliseconds) * 1_000_000)
            }
            Data::MonthDayNano(array) => {
                let IntervalMonthDayNano { months, days, nanoseconds } = array.value(at);
                Value::Interval(months, days, nanoseconds)
            }
            Data::Dictionary(keys, values) => {
                keys.get(at).map_or(Value::Null, |key| values.get(key))
            }
            Data::Runs(runs, values) => values.get(runs.index(at)),
            Data::List(offsets, items) => list(between(offsets, at), items),
            Data::LargeList(offsets, items) => list(between(offsets, at), items),
            Data::ListView(offsets, sizes, items) => list(view(offsets, sizes, at), items),
            Data::LargeListView(offsets, sizes, items) => list(view(offsets, sizes, at), items),
            Data::FixedList(size, items) => list(Some((at * size, *size)), items),
            Data::Struct(fields) => Value::Struct(fields, at),
            Data::Map(offsets, entries) => {
                let [keys, values] = entries.as_ref();
                let Some((start, len)) = between(offsets, at) else { return Value::Null };
                let items = |source| Items { source, start, len };
                Value::Map(items(keys), items(values))
            }
        }
    }
}

fn list<'s>(place: Option<(usize, usize)>, source: &'s Source<'s>) -> Value<'s> {
    place.map_or(Value::Null, |(start, len)| Value::List(Items { source, start, len }))
}

/// Where the items of a list are: their first one, and their number.
fn between<T: Copy + TryInto<usize>>(offsets: &[T], at: usize) -> Option<(usize, usize)> {
    let start: usize = (*offsets.get(at)?).try_into().ok()?;
    let end: usize = (*offsets.get(at + 1)?).try_into().ok()?;
    Some((start, end.checked_sub(start)?))
}

fn view<T: Copy + TryInto<usize>>(offsets: &[T], sizes: &[T], at: usize) -> Option<(usize, usize)> {
    let start = (*offsets.get(at)?).try_into().ok()?;
    Some((start, (*sizes.get(at)?).try_into().ok()?))
}
