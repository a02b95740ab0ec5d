//! A result's columns, with the format in which the server is asked for each, and its rows.

mod decoder;
mod names;

use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};
use psycoxide_sql::oid::Oid;

use crate::decode;
use crate::error::LayoutError;
use crate::layout::catalog::Catalog;
use crate::layout::{Node, Resolver, Rules};
use crate::options::Options;

pub use decoder::{Limits, RowDecoder};

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
    columns: Vec<LaidOut>,
    rules: Rules,
}

/// A column with its type.
#[derive(Clone, Debug)]
pub(crate) struct LaidOut {
    pub(crate) name: String,
    pub(crate) node: Node,
    pub(crate) binary: bool,
}

impl ResultLayout {
    /// Whether a column of this type is to be asked for in the binary format. All others are read
    /// from text. Of `column`, `binary` does not matter.
    pub fn prefers_binary(column: &ColumnSpec, catalog: &Catalog, options: &Options) -> bool {
        node(column, catalog, options).is_ok_and(|node| {
            decode::prefers_binary(&node)
                && decode::builder(&node, true, Rules::default()).is_some()
        })
    }

    /// Chooses the Arrow types of columns. All types are in the catalogue: see [`Catalog::missing`].
    ///
    /// # Errors
    /// An option that does not suit its column.
    pub fn new(
        columns: Vec<ColumnSpec>,
        catalog: &Catalog,
        options: &Options,
    ) -> Result<Self, LayoutError> {
        names::check(&columns, options)?;
        let rules = Rules { nan: options.numeric_nan, infinity: options.infinity };
        let names = names::of_columns(&columns, options.duplicates);
        let mut laid_out = Vec::with_capacity(columns.len());
        for (column, name) in columns.into_iter().zip(names) {
            let node = node(&column, catalog, options)?;
            if decode::builder(&node, column.binary, rules).is_none() {
                return Err(decode::why_not(&column.name, &node, column.binary));
            }
            laid_out.push(LaidOut { name, node, binary: column.binary });
        }
        let fields: Vec<_> =
            laid_out.iter().map(|column| column.node.field(&column.name)).collect();
        Ok(Self { schema: Arc::new(Schema::new(fields)), columns: laid_out, rules })
    }

    /// The schema of the record batches.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    pub(crate) fn columns(&self) -> &[LaidOut] {
        &self.columns
    }

    pub(crate) fn rules(&self) -> Rules {
        self.rules
    }
}

fn node(column: &ColumnSpec, catalog: &Catalog, options: &Options) -> Result<Node, LayoutError> {
    let dimensions = options.dimensions.get(&column.name).copied().unwrap_or(1);
    let resolver = Resolver { catalog, options, dimensions };
    let mut node = resolver.node(column.oid, column.modifier);
    if let Some(target) = options.types.get(&column.name) {
        node.retarget(target).map_err(|LayoutError(reason)| {
            LayoutError(format!("column \"{}\": {reason}", column.name))
        })?;
    }
    Ok(node)
}
