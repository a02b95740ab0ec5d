//! What the columns of a table take, and whether the columns of the data suit them.

use arrow_schema::{DataType, Field};
use psycoxide_sql::oid::{self, Oid};

use crate::catalog::{Catalog, TypeKind};

/// As many dimensions as an array of the server can have.
const MOST_DIMENSIONS: usize = 6;

/// A type of the server, as a value of one column of the data is written for it.
#[derive(Debug)]
pub struct Type {
    /// As a column, or a type that has it as its part, names it: a domain perhaps.
    pub oid: Oid,
    pub name: String,
    pub kind: Kind,
}

/// How a value is written.
#[derive(Debug)]
pub enum Kind {
    Bool,
    Int2,
    Int4,
    Int8,
    /// `oid` and others of 32 bits without a sign
    Oid,
    Xid8,
    Float4,
    Float8,
    Numeric,
    /// The text is the binary format.
    Text,
    Jsonb,
    Bytea,
    Date,
    Time,
    Timestamp,
    Timestamptz,
    Interval,
    Uuid,
    /// The number of dimensions is how many lists are in each other.
    Array(Box<Type>, usize),
    /// All fields of the server's type, and where each of them is in the struct.
    Composite(Vec<(Type, Option<usize>)>),
    Range(Box<Type>),
    Multirange(Box<Type>),
    Hstore,
    Vector,
    /// The bytes are the binary format.
    Raw,
    /// Only the server reads its text.
    Other,
}

/// How values of a column of the data become those of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// In the binary format.
    Binary,
    /// As text, which the server parses.
    Text,
    /// Not at all.
    Never,
}

/// The kinds of values there are, as far as that decides where they may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Bool,
    Integer,
    Number,
    Text,
    Bytes,
    Date,
    Time,
    Naive,
    Zoned,
    Interval,
    Nested,
}

fn class(data_type: &DataType) -> Class {
    match data_type {
        DataType::Boolean => Class::Bool,
        data_type if data_type.is_integer() => Class::Integer,
        data_type if data_type.is_numeric() => Class::Number,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Class::Text,
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => Class::Bytes,
        DataType::Date32 | DataType::Date64 => Class::Date,
        DataType::Time32(_) | DataType::Time64(_) => Class::Time,
        DataType::Timestamp(_, None) => Class::Naive,
        DataType::Timestamp(_, Some(_)) => Class::Zoned,
        DataType::Duration(_) | DataType::Interval(_) => Class::Interval,
        _ => Class::Nested,
    }
}

/// The type of the values, without what only saves space.
pub fn plain(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, values) => plain(values),
        DataType::RunEndEncoded(_, values) => plain(values.data_type()),
        other => other,
    }
}

fn item(data_type: &DataType) -> Option<&Field> {
    match plain(data_type) {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => Some(item),
        _ => None,
    }
}

/// How values of a column are written for a type of the server.
pub fn resolve(data_type: &DataType, oid: Oid, catalog: &Catalog) -> (Type, Fit) {
    let (kind, fit) = resolve_kind(data_type, oid, catalog, 0);
    let name = catalog.get(oid).map_or_else(|| built_in_name(oid), |entry| entry.name.clone());
    (Type { oid, name, kind }, fit)
}

/// A type that is built in is not looked up by everyone.
fn built_in_name(oid: Oid) -> String {
    let name = match oid {
        oid::BOOL => "boolean",
        oid::INT2 => "smallint",
        oid::INT4 => "integer",
        oid::INT8 => "bigint",
        oid::FLOAT4 => "real",
        oid::FLOAT8 => "double precision",
        oid::NUMERIC => "numeric",
        oid::TEXT => "text",
        oid::BYTEA => "bytea",
        oid::DATE => "date",
        oid::TIME => "time",
        oid::TIMESTAMP => "timestamp",
        oid::TIMESTAMPTZ => "timestamp with time zone",
        oid::INTERVAL => "interval",
        oid::UUID => "uuid",
        _ => return format!("the type with OID {oid}"),
    };
    name.to_owned()
}

fn resolve_kind(data_type: &DataType, oid: Oid, catalog: &Catalog, depth: usize) -> (Kind, Fit) {
    let plain = plain(data_type);
    // Types that name each other in a circle are not of the server.
    if depth > 50 {
        return (Kind::Other, Fit::Never);
    }
    let part = |data_type: &DataType, oid| {
        let (kind, fit) = resolve_kind(data_type, oid, catalog, depth + 1);
        let name = catalog.get(oid).map_or_else(|| built_in_name(oid), |entry| entry.name.clone());
        (Type { oid, name, kind }, fit)
    };
    let (kind, fit) = match catalog.get(oid).map(|entry| &entry.kind) {
        Some(TypeKind::Domain { base, .. }) => {
            return resolve_kind(data_type, *base, catalog, depth + 1);
        }
        Some(TypeKind::Array(element)) => array(plain, *element, &part),
        Some(TypeKind::Composite(fields)) => composite(plain, fields, &part),
        Some(TypeKind::Range(bound)) => range(plain, *bound, &part),
        Some(TypeKind::Multirange(range)) => match item(plain) {
            Some(item) => {
                let (range, fit) = part(item.data_type(), *range);
                (Kind::Multirange(Box::new(range)), fit)
            }
            None => (Kind::Other, text_alone(plain)),
        },
        Some(TypeKind::Enum(_)) => (Kind::Text, only(plain, Class::Text)),
        Some(TypeKind::Base(name)) => base(plain, oid, name),
        Some(TypeKind::Gone) | None => base(plain, oid, ""),
    };
    match plain {
        DataType::Null => (kind, Fit::Binary),
        _ => (kind, fit),
    }
}

/// Texts are for the server to parse; nothing else will do.
fn text_alone(data_type: &DataType) -> Fit {
    match class(data_type) {
        Class::Text => Fit::Text,
        _ => Fit::Never,
    }
}

fn only(data_type: &DataType, wanted: Class) -> Fit {
    if class(data_type) == wanted { Fit::Binary } else { Fit::Never }
}

fn base(data_type: &DataType, oid: Oid, name: &str) -> (Kind, Fit) {
    let class = class(data_type);
    // Binary for these classes; the server parses texts.
    let takes = |classes: &[Class]| match class {
        class if classes.contains(&class) => Fit::Binary,
        Class::Text => Fit::Text,
        _ => Fit::Never,
    };
    let number = || takes(&[Class::Integer, Class::Number]);
    match oid {
        oid::BOOL => (Kind::Bool, takes(&[Class::Bool])),
        oid::INT2 => (Kind::Int2, number()),
        oid::INT4 => (Kind::Int4, number()),
        oid::INT8 => (Kind::Int8, number()),
        oid::OID | oid::XID | oid::CID => (Kind::Oid, takes(&[Class::Integer])),
        oid::XID8 => (Kind::Xid8, takes(&[Class::Integer])),
        oid::FLOAT4 => (Kind::Float4, number()),
        oid::FLOAT8 => (Kind::Float8, number()),
        oid::NUMERIC => (Kind::Numeric, number()),
        oid::JSON | oid::XML => (Kind::Text, only(data_type, Class::Text)),
        oid::JSONB => (Kind::Jsonb, only(data_type, Class::Text)),
        oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME | oid::UNKNOWN => {
            (Kind::Text, scalar(class, Fit::Binary))
        }
        oid::BYTEA => (Kind::Bytea, takes(&[Class::Bytes])),
        oid::DATE => (Kind::Date, takes(&[Class::Date, Class::Naive])),
        oid::TIME => (Kind::Time, takes(&[Class::Time])),
        oid::TIMESTAMP => (Kind::Timestamp, takes(&[Class::Naive, Class::Date])),
        oid::TIMESTAMPTZ => match class {
            Class::Zoned => (Kind::Timestamptz, Fit::Binary),
            // Which moment that is depends on the session's time zone.
            Class::Naive | Class::Date | Class::Text => (Kind::Other, Fit::Text),
            _ => (Kind::Other, Fit::Never),
        },
        oid::INTERVAL => (Kind::Interval, takes(&[Class::Interval])),
        oid::UUID => match (class, data_type) {
            (Class::Text, _) => (Kind::Uuid, Fit::Binary),
            (Class::Bytes, DataType::FixedSizeBinary(size)) if *size != 16 => {
                (Kind::Uuid, Fit::Never)
            }
            _ => (Kind::Uuid, only(data_type, Class::Bytes)),
        },
        _ => by_name(data_type, class, name),
    }
}

/// A type of an extension, or one of the server's rarer ones.
fn by_name(data_type: &DataType, class: Class, name: &str) -> (Kind, Fit) {
    match (name, data_type) {
        ("citext", _) => (Kind::Text, scalar(class, Fit::Binary)),
        ("geometry" | "geography", _) if class == Class::Bytes => (Kind::Raw, Fit::Binary),
        ("hstore", DataType::Map(entries, _)) => match entries.data_type() {
            DataType::Struct(fields)
                if fields.iter().all(|field| {
                    matches!(plain(field.data_type()), DataType::Null)
                        || self::class(plain(field.data_type())) == Class::Text
                }) =>
            {
                (Kind::Hstore, Fit::Binary)
            }
            _ => (Kind::Hstore, Fit::Never),
        },
        ("vector", list) if item(list).is_some() => {
            let number = item(list).map(|item| self::class(plain(item.data_type())));
            match number {
                Some(Class::Number | Class::Integer) => (Kind::Vector, Fit::Binary),
                _ => (Kind::Vector, Fit::Never),
            }
        }
        _ => (Kind::Other, scalar(class, Fit::Text)),
    }
}

/// What has one text that everybody would write.
fn scalar(class: Class, fit: Fit) -> Fit {
    match class {
        Class::Bytes | Class::Nested => Fit::Never,
        _ => fit,
    }
}

type Part<'a> = &'a dyn Fn(&DataType, Oid) -> (Type, Fit);

fn array(data_type: &DataType, element: Oid, part: Part<'_>) -> (Kind, Fit) {
    let mut depth = 0;
    let mut inner = data_type;
    let mut found = None;
    // The elements may be lists themselves: of ranges, say.
    while let Some(item) = item(inner) {
        inner = item.data_type();
        depth += 1;
        let (element, fit) = part(inner, element);
        let done = fit != Fit::Never;
        found = Some((Kind::Array(Box::new(element), depth), fit));
        if done {
            break;
        }
    }
    match found {
        Some((kind, _)) if depth > MOST_DIMENSIONS => (kind, Fit::Never),
        Some(found) => found,
        None => (Kind::Other, text_alone(data_type)),
    }
}

fn composite(
    data_type: &DataType,
    fields: &[crate::catalog::CompositeField],
    part: Part<'_>,
) -> (Kind, Fit) {
    let DataType::Struct(given) = data_type else { return (Kind::Other, text_alone(data_type)) };
    let mut fit = Fit::Binary;
    let mut places = Vec::with_capacity(fields.len());
    for field in fields {
        let place = given.iter().position(|given| *given.name() == field.name);
        let data_type = place.and_then(|at| given.get(at)).map(|given| given.data_type());
        let (target, field_fit) = part(data_type.unwrap_or(&DataType::Null), field.oid);
        fit = fit.max(field_fit);
        places.push((target, place));
    }
    // A field that the type does not have would be lost, and one of two would be.
    let used = |at: usize| places.iter().any(|(_, place)| *place == Some(at));
    if !(0..given.len()).all(used) {
        fit = Fit::Never;
    }
    (Kind::Composite(places), fit)
}

/// The fields of a struct that is a range.
pub const RANGE_FIELDS: [&str; 5] = ["lower", "upper", "lower_inc", "upper_inc", "empty"];

fn range(data_type: &DataType, bound: Oid, part: Part<'_>) -> (Kind, Fit) {
    let DataType::Struct(fields) = data_type else { return (Kind::Other, text_alone(data_type)) };
    let (mut target, mut fit) = part(&DataType::Null, bound);
    let mut bounds = 0;
    for field in fields {
        match RANGE_FIELDS.iter().position(|name| field.name() == name) {
            Some(0 | 1) => {
                let (bound, bound_fit) = part(field.data_type(), bound);
                if *plain(field.data_type()) != DataType::Null {
                    target = bound;
                }
                fit = fit.max(bound_fit);
                bounds += 1;
            }
            Some(_) => match plain(field.data_type()) {
                DataType::Boolean | DataType::Null => {}
                _ => fit = Fit::Never,
            },
            None => fit = Fit::Never,
        }
    }
    (Kind::Range(Box::new(target)), if bounds == 2 { fit } else { Fit::Never })
}
