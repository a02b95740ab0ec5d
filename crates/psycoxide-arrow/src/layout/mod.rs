//! Which Arrow type a column has, and the format in which the server is asked for it.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use psycoxide_sql::oid::{self, Oid};

use crate::catalog::Catalog;
use crate::error::LayoutError;
use crate::options::Options;

/// A column of a result, as the server describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnSpec {
    /// Its name.
    pub name: String,
    /// Its type.
    pub oid: Oid,
    /// The modifier of its type; -1 if there is none.
    pub modifier: i32,
    /// Whether its values come in the binary format.
    pub binary: bool,
}

/// The columns of a result with their Arrow types.
#[derive(Clone, Debug)]
pub struct ResultLayout {
    schema: SchemaRef,
    columns: Vec<ColumnSpec>,
}

impl ResultLayout {
    /// Whether a column of this type is to be asked for in the binary format.
    pub fn prefers_binary(column: &ColumnSpec, _catalog: &Catalog, _options: &Options) -> bool {
        matches!(column.oid, oid::INT4)
    }

    /// Chooses the Arrow types of columns. All types are in the catalogue: see [`Catalog::missing`].
    ///
    /// # Errors
    /// An option that does not suit its column.
    pub fn new(
        columns: Vec<ColumnSpec>,
        _catalog: &Catalog,
        _options: &Options,
    ) -> Result<Self, LayoutError> {
        let fields = columns.iter().map(|column| {
            let data_type = match column.oid {
                oid::INT4 => DataType::Int32,
                _ => DataType::Utf8,
            };
            Field::new(&column.name, data_type, true)
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(Self { schema, columns })
    }

    /// The schema of the record batches.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    pub(crate) fn columns(&self) -> &[ColumnSpec] {
        &self.columns
    }
}
