//! From rows to record batches.

use std::sync::Arc;

use arrow_array::builder::{Int32Builder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use psycoxide_proto::{Row, RowIter};
use psycoxide_sql::binary::fixed;
use psycoxide_sql::text::number;

use crate::error::ValueError;
use crate::layout::{ColumnSpec, ResultLayout};

/// When a batch is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// It has this many rows,
    pub rows: usize,
    /// or its values take about this many bytes.
    pub bytes: usize,
}

/// Makes record batches of rows.
#[derive(Debug)]
pub struct RowDecoder {
    layout: Arc<ResultLayout>,
    columns: Vec<Column>,
    /// How many rows the batch has.
    rows: usize,
    /// How many bytes they take, about.
    bytes: usize,
    /// How many rows came before the batch.
    before: u64,
}

#[derive(Debug)]
enum Column {
    Int4(Int32Builder),
    Text(StringBuilder),
}

impl RowDecoder {
    /// A decoder for a result, before its first row.
    pub fn new(layout: Arc<ResultLayout>) -> Self {
        let columns = layout.columns().iter().map(Column::of).collect();
        Self { layout, columns, rows: 0, bytes: 0, before: 0 }
    }

    /// How the columns are laid out.
    pub fn layout(&self) -> &Arc<ResultLayout> {
        &self.layout
    }

    /// How many rows the unfinished batch has.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Adds rows to the batch until it is complete or they end. Returns whether it is complete: then the
    /// iterator is at the first row that was not taken.
    ///
    /// # Errors
    /// The first value that its Arrow type cannot hold. No batch can be made after that.
    pub fn append(&mut self, rows: &mut RowIter<'_>, limits: Limits) -> Result<bool, ValueError> {
        while self.rows < limits.rows && self.bytes < limits.bytes {
            let Some(row) = rows.next() else { return Ok(false) };
            self.append_row(row)?;
        }
        Ok(true)
    }

    /// Adds a row.
    ///
    /// # Errors
    /// As above.
    pub fn append_row(&mut self, row: Row<'_>) -> Result<(), ValueError> {
        self.bytes += row.size();
        self.append_fields(row.fields())
    }

    /// Adds a row whose fields do not come from the wire.
    ///
    /// # Errors
    /// As above.
    pub fn append_fields<'a>(
        &mut self,
        fields: impl IntoIterator<Item = Option<&'a [u8]>>,
    ) -> Result<(), ValueError> {
        let row = self.before + self.rows as u64 + 1;
        for ((column, field), spec) in
            self.columns.iter_mut().zip(fields).zip(self.layout.columns())
        {
            column.append(field, spec.binary).map_err(|reason| ValueError {
                row,
                column: spec.name.clone(),
                reason,
            })?;
        }
        self.rows += 1;
        Ok(())
    }

    /// Takes the batch; the next row begins another one.
    ///
    /// # Errors
    /// A value that its Arrow type cannot hold.
    pub fn finish(&mut self) -> Result<RecordBatch, ValueError> {
        let arrays = self.columns.iter_mut().map(Column::finish).collect();
        let rows = std::mem::take(&mut self.rows);
        self.before += rows as u64;
        self.bytes = 0;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(self.layout.schema()), arrays, &options)
            .map_err(|error| ValueError {
                row: self.before,
                column: String::new(),
                reason: error.to_string(),
            })
    }
}

impl Column {
    fn of(spec: &ColumnSpec) -> Self {
        match spec.oid {
            psycoxide_sql::oid::INT4 => Self::Int4(Int32Builder::new()),
            _ => Self::Text(StringBuilder::new()),
        }
    }

    fn append(&mut self, field: Option<&[u8]>, binary: bool) -> Result<(), String> {
        match self {
            Self::Int4(builder) => builder.append_option(match field {
                None => None,
                Some(bytes) if binary => {
                    Some(i32::from_be_bytes(fixed(bytes).map_err(|fault| fault.to_string())?))
                }
                Some(text) => number::integer(text).and_then(|value| value.try_into().ok()),
            }),
            Self::Text(builder) => match field {
                None => builder.append_null(),
                Some(text) => builder
                    .append_value(std::str::from_utf8(text).map_err(|fault| fault.to_string())?),
            },
        }
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Int4(builder) => Arc::new(builder.finish()),
            Self::Text(builder) => Arc::new(builder.finish()),
        }
    }
}
