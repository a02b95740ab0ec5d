//! Results as Arrow record batches, and Arrow data as rows for COPY.
//!
//! Out: [`ResultLayout`] chooses an Arrow type for each column of a result, and the format to ask the server
//! for; [`RowDecoder`] turns rows into record batches. In: [`ingest`] does the opposite.
//!
//! Every value is exact, or is an error that names its column and row and the option to choose. Types
//! without a layout of their own come as text, as the server writes them.
//!
//! The crate knows neither sockets nor Python. What has to be asked of the server (the fields of a composite
//! type, say) is in a [`Catalog`] that the caller fills.
#![forbid(unsafe_code)]

mod catalog;
mod decode;
mod error;
pub mod ingest;
mod layout;
mod options;

pub use catalog::{Catalog, CompositeField, TypeEntry, TypeKind};
pub use decode::{Limits, RowDecoder};
pub use error::{LayoutError, ValueError};
pub use layout::{ColumnSpec, ResultLayout};
pub use options::{
    DuplicateNames, EnumAs, Infinity, IntervalAs, Numeric, NumericNan, Options, StringAs, UuidAs,
};
