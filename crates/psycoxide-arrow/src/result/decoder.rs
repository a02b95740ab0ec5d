//! From rows to record batches.

use std::fmt;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use psycoxide_proto::{Fields, Row, RowIter};

use super::ResultLayout;
use crate::decode::{Build, builder};
use crate::error::{Fault, ValueError};

/// How many rows are decoded together, column by column: so many that the loops are long, so few that
/// their bytes stay in the processor's first cache.
const CHUNK_ROWS: usize = 256;
/// Rows beyond this many bytes are decoded before more are taken.
const CHUNK_BYTES: usize = 1 << 20;
/// A batch with so many bytes, or a column of as many bytes or items, is complete: what follows in one
/// row or one chunk still fits into 31 bits.
const MOST_BYTES: usize = 1 << 30;

/// When a batch is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// It has this many rows,
    pub rows: usize,
    /// or its values take about this many bytes.
    pub bytes: usize,
}

/// Makes record batches of rows.
pub struct RowDecoder {
    layout: Arc<ResultLayout>,
    columns: Vec<Box<dyn Build>>,
    /// How many rows the batch has.
    rows: usize,
    /// How many bytes they take, about.
    bytes: usize,
    /// How many rows came before the batch.
    before: u64,
    failed: Option<ValueError>,
}

impl fmt::Debug for RowDecoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowDecoder")
            .field("columns", &self.columns.len())
            .field("rows", &self.rows)
            .field("bytes", &self.bytes)
            .field("before", &self.before)
            .field("failed", &self.failed)
            .finish()
    }
}

impl RowDecoder {
    /// A decoder for a result, before its first row.
    pub fn new(layout: Arc<ResultLayout>) -> Self {
        // The layout has none without a builder.
        let columns = layout
            .columns()
            .iter()
            .filter_map(|column| builder(&column.node, column.binary, layout.rules()))
            .collect();
        Self { layout, columns, rows: 0, bytes: 0, before: 0, failed: None }
    }

    /// How the columns are laid out.
    pub fn layout(&self) -> &Arc<ResultLayout> {
        &self.layout
    }

    /// How many rows the unfinished batch has.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Whether the batch is complete: it has reached a limit, or another row might make a column longer
    /// than Arrow allows.
    pub fn is_complete(&self, limits: Limits) -> bool {
        self.rows >= limits.rows.max(1)
            || self.rows > 0 && self.bytes >= limits.bytes.clamp(1, MOST_BYTES)
            || self.columns.iter().any(|column| column.size() >= MOST_BYTES)
    }

    /// Adds rows to the batch until it is complete or they end. Returns whether it is complete: then the
    /// iterator is at the first row that was not taken.
    ///
    /// # Errors
    /// The first value that its Arrow type cannot hold. No batch can be made after that.
    pub fn append(&mut self, rows: &mut RowIter<'_>, limits: Limits) -> Result<bool, ValueError> {
        let mut chunk = Vec::new();
        while !self.is_complete(limits) {
            let most = CHUNK_ROWS.min(limits.rows.max(1) - self.rows);
            let room = CHUNK_BYTES.min(limits.bytes.max(1) - self.bytes.min(limits.bytes));
            chunk.clear();
            chunk.reserve(most.min(CHUNK_ROWS));
            let mut bytes = 0;
            while chunk.len() < most && bytes < room {
                let Some(row) = rows.next() else { break };
                if row.len() != self.columns.len() {
                    return Err(self.wrong_row(chunk.len(), row.len()));
                }
                bytes += row.size();
                chunk.push(row.fields());
            }
            if chunk.is_empty() {
                return Ok(false);
            }
            self.bytes += bytes;
            self.fill(&mut chunk)?;
        }
        Ok(true)
    }

    /// Adds a row.
    ///
    /// # Errors
    /// As above.
    pub fn append_row(&mut self, row: Row<'_>) -> Result<(), ValueError> {
        if row.len() != self.columns.len() {
            return Err(self.wrong_row(0, row.len()));
        }
        self.bytes += row.size();
        self.fill(&mut [row.fields()])
    }

    /// Adds a row whose fields do not come from the wire.
    ///
    /// # Errors
    /// As above.
    pub fn append_fields<'a>(
        &mut self,
        fields: impl IntoIterator<Item = Option<&'a [u8]>>,
    ) -> Result<(), ValueError> {
        self.check()?;
        let mut count = 0;
        let mut fault = None;
        for field in fields {
            if let Some(column) = self.columns.get_mut(count) {
                self.bytes += field.map_or(0, <[u8]>::len);
                if let Err(reason) = column.append(field) {
                    fault = Some(reason);
                    break;
                }
            }
            count += 1;
        }
        match fault {
            Some(fault) => Err(self.fail(self.rows, count, &fault)),
            None if count != self.columns.len() => Err(self.wrong_row(0, count)),
            None => {
                self.rows += 1;
                Ok(())
            }
        }
    }

    /// Takes the batch; the next row begins another one.
    ///
    /// # Errors
    /// A value that its Arrow type cannot hold.
    pub fn finish(&mut self) -> Result<RecordBatch, ValueError> {
        self.check()?;
        let mut arrays = Vec::with_capacity(self.columns.len());
        for place in 0..self.columns.len() {
            let finished = self.columns.get_mut(place).map(|column| column.finish());
            match finished {
                Some(Ok(array)) => arrays.push(array),
                Some(Err((row, fault))) => return Err(self.fail(row, place, &fault)),
                None => {}
            }
        }
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        let schema = Arc::clone(self.layout.schema());
        let batch = RecordBatch::try_new_with_options(schema, arrays, &options)
            .map_err(|error| self.fail(0, 0, &error.to_string().into()))?;
        self.before += std::mem::take(&mut self.rows) as u64;
        self.bytes = 0;
        Ok(batch)
    }

    /// Decodes rows, column by column.
    fn fill(&mut self, rows: &mut [Fields<'_>]) -> Result<(), ValueError> {
        self.check()?;
        let mut rows = rows;
        let mut first = None;
        for (place, column) in self.columns.iter_mut().enumerate() {
            if let Err((row, fault)) = column.fill(rows) {
                // The other columns may fail at a row before that.
                rows = rows.get_mut(..row).unwrap_or_default();
                first = Some((row, place, fault));
            }
        }
        match first {
            Some((row, column, fault)) => Err(self.fail(self.rows + row, column, &fault)),
            None => {
                self.rows += rows.len();
                Ok(())
            }
        }
    }

    fn check(&self) -> Result<(), ValueError> {
        self.failed.clone().map_or(Ok(()), Err)
    }

    /// Notes that a value, or a row of the batch, is wrong.
    #[cold]
    fn fail(&mut self, row: usize, column: usize, fault: &Fault) -> ValueError {
        let column = self.layout.columns().get(column);
        let error = ValueError {
            row: self.before + row as u64 + 1,
            column: column.map(|column| column.name.clone()).unwrap_or_default(),
            reason: fault.to_string(),
        };
        self.failed = Some(error.clone());
        error
    }

    #[cold]
    fn wrong_row(&mut self, row: usize, fields: usize) -> ValueError {
        let columns = self.columns.len();
        let fault = format!("the row has {fields} fields, the result has {columns} columns");
        self.fail(self.rows + row, columns, &fault.into())
    }
}
