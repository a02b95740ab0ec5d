//! How values become Arrow's, where there is a choice.

use std::collections::HashMap;

use arrow_schema::DataType;

/// The choices of a program. The default never changes a value: what does not fit is an error.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// `numeric`
    pub numeric: Numeric,
    /// NaN and the infinities of `numeric`, if it becomes a decimal
    pub numeric_nan: NumericNan,
    /// `infinity` and `-infinity` of dates, timestamps and intervals
    pub infinity: Infinity,
    /// `uuid`
    pub uuid: UuidAs,
    /// enums
    pub enums: EnumAs,
    /// texts
    pub strings: StringAs,
    /// `interval`
    pub interval: IntervalAs,
    /// The time zone that `timestamp with time zone` is labelled with; `UTC` if it is `None`. The
    /// values are the same.
    pub time_zone: Option<String>,
    /// Columns of the same name
    pub duplicates: DuplicateNames,
    /// The types of columns that are not to have the usual ones, by name.
    pub types: HashMap<String, DataType>,
    /// How many dimensions array columns have, by name: 1 for all others.
    pub dimensions: HashMap<String, usize>,
}

/// What `numeric` becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Numeric {
    /// A decimal of the column's precision and scale; (38, 18) if it has none.
    #[default]
    Decimal,
    /// A decimal of this precision and scale, for columns that have none.
    DecimalOf(u8, i8),
    /// Text, exact.
    String,
    /// The nearest `double`.
    Float64,
}

/// What NaN and the infinities of `numeric` become, where they have no place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NumericNan {
    /// An error
    #[default]
    Error,
    /// NULL
    Null,
}

/// What `infinity` and `-infinity` of dates, timestamps and intervals become.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Infinity {
    /// An error
    #[default]
    Error,
    /// NULL
    Null,
    /// The last, or the first, value that the Arrow type has.
    Clamp,
}

/// What `uuid` becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UuidAs {
    /// 16 bytes, with the extension type `arrow.uuid`
    #[default]
    Extension,
    /// Text
    String,
}

/// What enums become.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EnumAs {
    /// Text
    #[default]
    String,
    /// A dictionary of all labels, in their order
    Dictionary,
}

/// What texts become.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StringAs {
    /// `utf8` and `binary`: at most 2 GiB of a column in a batch
    #[default]
    Utf8,
    /// `large_utf8` and `large_binary`
    Large,
    /// `utf8_view` and `binary_view`
    View,
}

/// What `interval` becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IntervalAs {
    /// Months, days and nanoseconds: exact
    #[default]
    MonthDayNano,
    /// A duration in microseconds; an interval with months is an error
    Duration,
}

/// What becomes of columns of the same name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DuplicateNames {
    /// They keep it.
    #[default]
    Keep,
    /// The second one gets `_2`, and so on.
    Suffix,
}
