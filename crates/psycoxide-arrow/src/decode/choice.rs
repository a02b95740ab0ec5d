//! Which builder makes an array of an Arrow type from values of a PostgreSQL type.

use arrow_schema::DataType;

use super::build::Build;
use super::list::Form;
use super::primitive::Nothing;
use super::text::is_text;
use super::{datetime, decimal, list, number, structs, text, vector};
use crate::error::LayoutError;
use crate::layout::kind::{ArrayText, Kind, Part, Text};
use crate::layout::{Node, Rules};

/// A builder for the values of a type; `None` if there is no way from it to its Arrow type, or from
/// its format.
pub(crate) fn builder<'a>(node: &'a Node, is_binary: bool, rules: Rules) -> Option<Box<dyn Build>> {
    let to = &node.data_type;
    if is_text(to) {
        return text::text(&node.kind, is_binary, to);
    }
    match &node.kind {
        Kind::Bool if *to == DataType::Boolean => Some(number::boolean(is_binary)),
        Kind::Int(int) => number::integer(*int, is_binary, to),
        Kind::Float4 => number::real(is_binary, to),
        Kind::Float8 => number::double(is_binary, to),
        Kind::Numeric(_) => decimal::decimal(is_binary, to, rules),
        Kind::Bytea => text::bytes(is_binary, to),
        Kind::Geometry => text::geometry(is_binary, to),
        Kind::Uuid => text::uuids(is_binary, to),
        Kind::Date => datetime::date(is_binary, to, rules),
        Kind::Time => datetime::time(is_binary, to),
        Kind::Timestamp { zoned } => datetime::timestamp(is_binary, *zoned, to, rules),
        Kind::Interval => datetime::interval(is_binary, to, rules),
        Kind::Void if *to == DataType::Null => Some(Box::new(Nothing::default())),
        Kind::Hstore => structs::maps(is_binary, to),
        Kind::Vector { half, .. } => vector::vectors(*half, is_binary, to),
        Kind::Array { element, dimensions, text } => {
            let form = match text {
                _ if is_binary => Form::Array,
                ArrayText::Braces(delimiter) => Form::ArrayText(*delimiter),
                ArrayText::Spaces => Form::Spaces,
            };
            let items = builder(element, is_binary, rules)?;
            list::lists(form, to, *dimensions, &element.data_type, items)
        }
        Kind::Range(bound) => {
            let bounds = [builder(bound, is_binary, rules)?, builder(bound, is_binary, rules)?];
            structs::ranges(is_binary, to, &bound.data_type, bounds)
        }
        Kind::Multirange(range) => {
            let form = if is_binary { Form::Multirange } else { Form::MultirangeText };
            list::lists(form, to, 1, &range.data_type, builder(range, is_binary, rules)?)
        }
        Kind::Composite(parts) => {
            let part = |part: &'a Part| {
                let builder = builder(&part.node, is_binary, rules)?;
                Some((part.oid, &part.node.data_type, builder))
            };
            structs::composites(is_binary, to, parts.iter().map(part).collect::<Option<_>>()?)
        }
        Kind::Bool | Kind::Void | Kind::Text(_) | Kind::Json | Kind::Jsonb | Kind::Enum(_) => None,
    }
}

/// Whether values of a type that can be read from both formats are to be asked for in binary.
pub(crate) fn prefers_binary(node: &Node) -> bool {
    match &node.kind {
        Kind::Text(Text::Same) | Kind::Json | Kind::Jsonb | Kind::Enum(_) => true,
        // What becomes text anyway the server writes best.
        Kind::Text(_) => false,
        _ => !is_text(&node.data_type),
    }
}

/// Why there is no builder.
#[cold]
pub(crate) fn why_not(column: &str, node: &Node, is_binary: bool) -> LayoutError {
    let Node { name, data_type, .. } = node;
    if is_binary && builder(node, false, Rules::default()).is_some() {
        return LayoutError(format!(
            "column \"{column}\": {name} in the binary format cannot become {data_type}, only in the \
             text format"
        ));
    }
    let possible = possible(&node.kind);
    LayoutError(format!(
        "column \"{column}\": {name} cannot become {data_type}; possible are {possible}"
    ))
}

/// The Arrow types that values of a type can become.
fn possible(kind: &Kind) -> String {
    let others = match kind {
        Kind::Bool => "bool",
        Kind::Int(_) => "integers, float32, float64 and decimal128 with a scale from 0",
        Kind::Float4 | Kind::Float8 => "float32 and float64",
        Kind::Numeric(_) => {
            "float64, decimal128 (precision up to 38) and decimal256 (up to 76) with a scale from 0 to \
             the precision"
        }
        Kind::Bytea | Kind::Geometry => "binary, large_binary, binary_view and fixed_size_binary",
        Kind::Uuid => "fixed_size_binary(16)",
        Kind::Date => "date32, date64 and timestamps without a time zone",
        Kind::Time => "time32 and time64",
        Kind::Timestamp { zoned: false } => "timestamps without a time zone",
        Kind::Timestamp { zoned: true } => "timestamps with a time zone",
        Kind::Interval => "interval (month_day_nano) and durations",
        Kind::Void => "null",
        Kind::Hstore => "a map of utf8",
        Kind::Vector { .. } => "lists of its own numbers",
        Kind::Array { .. } => "list and large_list of what its elements can become",
        Kind::Range(_) | Kind::Multirange(_) | Kind::Composite(_) => {
            "the struct that it has if none is asked for"
        }
        Kind::Text(_) | Kind::Json | Kind::Jsonb | Kind::Enum(_) => "dictionaries of utf8",
    };
    format!("{others}, and utf8, large_utf8 and utf8_view")
}
