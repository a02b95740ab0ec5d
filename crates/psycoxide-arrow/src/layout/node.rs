//! A type with the Arrow type that its values become, and those of its parts.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields};
use psycoxide_sql::oid::Oid;

use super::built_in;
use super::kind::{ArrayText, Kind, Part, Text};
use super::natural;
use crate::catalog::{Catalog, TypeKind};
use crate::error::LayoutError;
use crate::options::Options;

/// How deep types may lie in each other. The server has no limit; a catalogue that says that a type is
/// a part of itself is wrong.
const MOST_LEVELS: usize = 32;

/// How many numbers pgvector's vectors have at most. A NULL takes as much room as any other vector, so a
/// type that claims more is not believed.
const MOST_NUMBERS: i32 = 16_000;

/// A type with its Arrow type.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// The name of the PostgreSQL type.
    pub(crate) name: String,
    pub(crate) modifier: i32,
    pub(crate) kind: Kind,
    pub(crate) data_type: DataType,
}

/// What is needed to lay out a type.
pub(super) struct Resolver<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) options: &'a Options,
    /// The number of dimensions of arrays in the column.
    pub(super) dimensions: usize,
}

impl Resolver<'_> {
    /// Lays out a type with the Arrow types that the options choose.
    pub(super) fn node(&self, oid: Oid, modifier: i32) -> Node {
        self.at_level(oid, modifier, 0)
    }

    fn at_level(&self, oid: Oid, modifier: i32, level: usize) -> Node {
        if level == MOST_LEVELS {
            return self.made("unknown", modifier, Kind::Text(Text::Only));
        }
        let level = level + 1;
        if let Some((kind, name)) = built_in::scalar(oid) {
            let kind = match kind {
                Kind::Numeric(_) => Kind::Numeric(natural::precision_and_scale(modifier)),
                kind => kind,
            };
            return self.made(name, modifier, kind);
        }
        if let Some((bound, name)) = built_in::range(oid) {
            let bound = self.at_level(bound, -1, level);
            return self.made(name, modifier, Kind::Range(Box::new(bound)));
        }
        if let Some((range, name)) = built_in::multirange(oid) {
            let range = self.at_level(range, -1, level);
            return self.made(name, modifier, Kind::Multirange(Box::new(range)));
        }
        if let Some(element) = built_in::element(oid) {
            let is_vector = matches!(oid, built_in::INT2VECTOR | built_in::OIDVECTOR);
            return self.array(element, modifier, level, is_vector);
        }
        self.of_catalog(oid, modifier, level)
    }

    fn of_catalog(&self, oid: Oid, modifier: i32, level: usize) -> Node {
        let Some(entry) = self.catalog.get(oid) else {
            return self.made("unknown", modifier, Kind::Text(Text::Only));
        };
        let kind = match &entry.kind {
            TypeKind::Enum(labels) => Kind::Enum(labels.as_slice().into()),
            TypeKind::Composite(fields) => Kind::Composite(
                fields
                    .iter()
                    .map(|field| Part {
                        name: field.name.clone(),
                        oid: field.oid,
                        node: self.at_level(field.oid, field.modifier, level),
                    })
                    .collect(),
            ),
            // A value of a domain comes as one of its base type, but the modifier is in the domain.
            TypeKind::Domain { base, modifier } => return self.at_level(*base, *modifier, level),
            TypeKind::Array(element) => return self.array(*element, modifier, level, false),
            TypeKind::Range(bound) => Kind::Range(Box::new(self.at_level(*bound, -1, level))),
            TypeKind::Multirange(range) => {
                Kind::Multirange(Box::new(self.at_level(*range, -1, level)))
            }
            TypeKind::Base(name) => of_extension(name, modifier),
            TypeKind::Gone => Kind::Text(Text::Only),
        };
        self.made(&entry.name, modifier, kind)
    }

    fn array(&self, element: Oid, modifier: i32, level: usize, is_vector: bool) -> Node {
        let element = self.at_level(element, modifier, level);
        let text = match element.kind {
            _ if is_vector => ArrayText::Spaces,
            Kind::Text(Text::Box) => ArrayText::Braces(b';'),
            Kind::Geometry => ArrayText::Braces(b':'),
            _ => ArrayText::Braces(b','),
        };
        let dimensions = if is_vector { 1 } else { self.dimensions };
        let name = match (is_vector, &element.kind) {
            (true, Kind::Int(super::kind::Int::Two)) => "int2vector".to_owned(),
            (true, _) => "oidvector".to_owned(),
            (false, _) => format!("{}[]", element.name),
        };
        let element = Box::new(element);
        self.made(&name, modifier, Kind::Array { element, dimensions, text })
    }

    fn made(&self, name: &str, modifier: i32, kind: Kind) -> Node {
        let data_type = natural::data_type(&kind, self.options);
        Node { name: name.to_owned(), modifier, kind, data_type }
    }
}

/// A type of an extension, by its name.
fn of_extension(name: &str, modifier: i32) -> Kind {
    let size = (1..=MOST_NUMBERS).contains(&modifier).then_some(modifier);
    match name {
        "citext" => Kind::Text(Text::Same),
        "hstore" => Kind::Hstore,
        "vector" => Kind::Vector { half: false, size },
        "halfvec" => Kind::Vector { half: true, size },
        "geometry" | "geography" => Kind::Geometry,
        _ => Kind::Text(Text::Only),
    }
}

impl Node {
    /// A field of this type.
    pub(crate) fn field(&self, name: &str) -> Field {
        let mut metadata = HashMap::from([
            ("POSTGRESQL:type".to_owned(), self.name.clone()),
            ("POSTGRESQL:typmod".to_owned(), self.modifier.to_string()),
        ]);
        if let Some(extension) = self.extension() {
            metadata.insert("ARROW:extension:name".to_owned(), extension.to_owned());
            metadata.insert("ARROW:extension:metadata".to_owned(), String::new());
        }
        Field::new(name, self.data_type.clone(), true).with_metadata(metadata)
    }

    /// The name of the Arrow extension type, if there is one.
    fn extension(&self) -> Option<&'static str> {
        match (&self.kind, &self.data_type) {
            (Kind::Uuid, DataType::FixedSizeBinary(16)) => Some("arrow.uuid"),
            (
                Kind::Json | Kind::Jsonb,
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View,
            ) => Some("arrow.json"),
            _ => None,
        }
    }

    /// Changes the Arrow type. Whether there is a way to it is found out later.
    pub(super) fn retarget(&mut self, target: &DataType) -> Result<(), LayoutError> {
        match (&mut self.kind, target) {
            (
                Kind::Array { element, dimensions, .. },
                DataType::List(_) | DataType::LargeList(_),
            ) => {
                let mut inner = target;
                let mut fields = Vec::new();
                for _ in 0..*dimensions {
                    let (DataType::List(field) | DataType::LargeList(field)) = inner else {
                        return Err(LayoutError(format!(
                            "{} has {dimensions} dimensions, {target} has not",
                            self.name
                        )));
                    };
                    fields.push(field);
                    inner = field.data_type();
                }
                element.retarget(inner)?;
                self.data_type = target.clone();
                if fields.iter().any(|field| !field.is_nullable()) {
                    return Err(LayoutError("items of lists have to be nullable".to_owned()));
                }
            }
            _ => self.data_type = target.clone(),
        }
        Ok(())
    }
}

/// The field of a list's items.
pub(super) fn item(node: &Node) -> FieldRef {
    Arc::new(node.field("item"))
}

/// The fields of a range's struct.
pub(super) fn range_fields(bound: &Node) -> Fields {
    let flag = |name| Field::new(name, DataType::Boolean, true);
    Fields::from(vec![
        bound.field("lower"),
        bound.field("upper"),
        flag("lower_inc"),
        flag("upper_inc"),
        flag("empty"),
    ])
}
