//! What a PostgreSQL type is, as far as reading its values goes.

use std::sync::Arc;

use psycoxide_sql::oid::Oid;
use psycoxide_sql::text::Malformed;

use super::node::Node;

/// What a type is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Bool,
    Int(Int),
    Float4,
    Float8,
    /// `numeric`, perhaps with a precision and a scale.
    Numeric(Option<(u16, i16)>),
    Text(Text),
    Json,
    Jsonb,
    Bytea,
    /// PostGIS's types: in binary as EWKB, as text in the hexadecimal digits of that.
    Geometry,
    Uuid,
    Date,
    Time,
    Timestamp {
        zoned: bool,
    },
    Interval,
    Void,
    /// An enum with its labels.
    Enum(Arc<[String]>),
    /// hstore
    Hstore,
    /// pgvector's `vector`, or `halfvec`; with the number of its elements if that is known.
    Vector {
        half: bool,
        size: Option<i32>,
    },
    /// An array of this many dimensions.
    Array {
        element: Box<Node>,
        dimensions: usize,
        text: ArrayText,
    },
    Range(Box<Node>),
    /// A multirange of these ranges.
    Multirange(Box<Node>),
    Composite(Vec<Part>),
}

/// A field of a composite type.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) name: String,
    /// Its type, as values in binary name it: perhaps a domain over the type of the node.
    pub(crate) oid: Oid,
    pub(crate) node: Node,
}

/// The integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Int {
    Two,
    Four,
    Eight,
    FourUnsigned,
    EightUnsigned,
}

/// Writes the text of a value in binary.
pub(crate) type Write = fn(&[u8], &mut Vec<u8>) -> Result<(), Malformed>;

/// Types that become text.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Text {
    /// The binary format is the text.
    Same,
    /// `"char"`: a byte.
    Char,
    /// The binary format is another one, and can be written as text.
    Written(Write),
    /// The binary format is not known here.
    Only,
    /// As `Only`: a type whose arrays have `;` between their elements.
    Box,
}

/// How an array is written as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ArrayText {
    /// In braces, with this delimiter.
    Braces(u8),
    /// `int2vector` and `oidvector`: with spaces between the elements.
    Spaces,
}
