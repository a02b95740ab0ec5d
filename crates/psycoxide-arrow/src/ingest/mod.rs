//! Arrow data as the rows of a COPY FROM.
//!
//! [`Encoder::new`] compares the columns of the data with those of the table, and chooses the
//! format: binary, in the table's own types, unless there is a column that only the server can
//! read from its text. [`column_type`] says which type a column has that is made for the data.

mod binary;
mod ddl;
mod fast;
mod moment;
mod numeric;
mod source;
mod target;
#[cfg(test)]
mod tests;
mod text;

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use psycoxide_sql::binary::copy;
use psycoxide_sql::oid::Oid;

use crate::error::{LayoutError, ValueError};
use crate::layout::catalog::Catalog;
pub use ddl::column_type;
use fast::Cell;
use target::{Fit, Type, resolve};

/// A column of the table that data are written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// Its type.
    pub oid: Oid,
}

/// A format of COPY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// PostgreSQL's binary one.
    Binary,
    /// Lines of fields with tabs between them, in UTF-8.
    Text,
}

/// Writes record batches for a COPY FROM.
#[derive(Debug)]
pub struct Encoder {
    columns: Vec<Column>,
    format: Format,
    /// The header is written.
    begun: bool,
    /// How many rows are written.
    rows: u64,
    scratch: Vec<u8>,
}

#[derive(Debug)]
struct Column {
    name: String,
    /// The type in the data, for messages.
    data_type: String,
    target: Type,
}

impl Encoder {
    /// For data with this schema, whose columns go into `targets`, one each. The types of those and
    /// what these are made of are in the catalogue, unless they are simple ones that are built in.
    /// `only` is the format, if it is not to be chosen.
    ///
    /// # Errors
    /// A column whose values cannot be written for its target, or not in that format.
    pub fn new(
        schema: &Schema,
        targets: &[Target],
        catalog: &Catalog,
        only: Option<Format>,
    ) -> Result<Self, LayoutError> {
        if schema.fields().len() != targets.len() {
            return Err(LayoutError(format!(
                "{} columns of data for {} columns of the table",
                schema.fields().len(),
                targets.len()
            )));
        }
        if i16::try_from(targets.len()).is_err() {
            return Err(LayoutError("the data have too many columns".to_owned()));
        }
        let mut columns = Vec::with_capacity(targets.len());
        let mut format = Format::Binary;
        for (field, column) in schema.fields().iter().zip(targets) {
            let (target, fit) = resolve(field.data_type(), column.oid, catalog);
            let data_type = field.data_type().to_string();
            match fit {
                Fit::Binary => {}
                Fit::Text => format = Format::Text,
                Fit::Never => {
                    return Err(LayoutError(format!(
                        "column \"{}\": values of the Arrow type {data_type} cannot be written to \
                         a column of type {}: convert them first",
                        field.name(),
                        target.name
                    )));
                }
            }
            columns.push(Column { name: field.name().clone(), data_type, target });
        }
        match (only, format) {
            (Some(Format::Binary), Format::Text) => {
                return Err(LayoutError("the data need COPY's text format".to_owned()));
            }
            (Some(only), _) => format = only,
            (None, _) => {}
        }
        Ok(Self { columns, format, begun: false, rows: 0, scratch: Vec::new() })
    }

    /// The format of the data.
    pub fn format(&self) -> Format {
        self.format
    }

    /// How many rows were written.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Appends the rows of a batch.
    ///
    /// # Errors
    /// As [`Self::encode_some`].
    pub fn encode(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<usize, ValueError> {
        self.encode_some(batch, 0, usize::MAX, out)
    }

    /// Appends rows of a batch, from row `start` on, until `out` has `enough` bytes. Returns how many
    /// rows there were.
    ///
    /// # Errors
    /// The first value that does not fit into its column. Nothing of its row is appended.
    pub fn encode_some(
        &mut self,
        batch: &RecordBatch,
        start: usize,
        enough: usize,
        out: &mut Vec<u8>,
    ) -> Result<usize, ValueError> {
        self.begin(out);
        let rows = self.rows;
        let fault = |column: &Column, at: usize, reason: &str| ValueError {
            row: rows + (at - start) as u64 + 1,
            column: column.name.clone(),
            reason: format!("a value of the Arrow type {}: {reason}", column.data_type),
        };
        if batch.num_columns() != self.columns.len() {
            return Err(ValueError {
                row: rows + 1,
                column: String::new(),
                reason: "the batch has other columns than its schema".to_owned(),
            });
        }
        let mut cells = Vec::with_capacity(self.columns.len());
        for (column, array) in self.columns.iter().zip(batch.columns()) {
            match Cell::new(array.as_ref(), &column.target, self.format) {
                Ok(cell) => cells.push(cell),
                Err(source::Unknown) => {
                    return Err(fault(column, start, "its layout is not known"));
                }
            }
        }
        // Checked when the encoder was made.
        let count = i16::try_from(cells.len()).unwrap_or_default().to_be_bytes();
        let mut at = start;
        while at < batch.num_rows() && out.len() < enough {
            let before = out.len();
            if self.format == Format::Binary {
                out.extend_from_slice(&count);
            }
            for (place, cell) in cells.iter().enumerate() {
                let written = match self.format {
                    Format::Binary => cell.binary(at, out),
                    Format::Text => {
                        if place > 0 {
                            out.push(b'\t');
                        }
                        cell.text(at, &mut self.scratch, out)
                    }
                };
                if let Err(reason) = written {
                    out.truncate(before);
                    self.rows += (at - start) as u64;
                    return Err(match self.columns.get(place) {
                        Some(column) => fault(column, at, &reason),
                        None => ValueError { row: rows, column: String::new(), reason },
                    });
                }
            }
            if self.format == Format::Text {
                out.push(b'\n');
            }
            at += 1;
        }
        self.rows += (at - start) as u64;
        Ok(at - start)
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.begun, true) && self.format == Format::Binary {
            out.extend_from_slice(copy::HEADER);
        }
    }

    /// Appends what ends the data.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.begin(out);
        if self.format == Format::Binary {
            out.extend_from_slice(&copy::TRAILER);
        }
    }
}
