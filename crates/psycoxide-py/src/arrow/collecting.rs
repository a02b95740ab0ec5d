//! Rows that become record batches, all of which are kept.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use psycoxide_arrow::{LayoutError, Limits, ResultLayout, RowDecoder, ValueError};
use psycoxide_proto::{Position, Rows};
use pyo3::prelude::*;

use crate::error;

/// When a batch of a table is complete. Large ones cost their readers less.
pub const TABLE: Limits = Limits { rows: 1 << 17, bytes: 32 << 20 };

/// When a batch of a stream is complete: memory stays constant, and readers get enough at a time.
pub const STREAM: Limits = Limits { rows: 1 << 16, bytes: 16 << 20 };

/// The record batches of a result.
#[derive(Clone, Debug)]
pub struct Batches {
    pub schema: SchemaRef,
    pub batches: Vec<RecordBatch>,
}

impl Batches {
    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }
}

/// Why rows do not become record batches.
#[derive(Debug)]
pub enum Fault {
    /// A column has no place in Arrow, or not the one that was asked for.
    Layout(LayoutError),
    /// A value has none.
    Value(ValueError),
    /// Python has raised this.
    Raised(PyErr),
}

impl From<LayoutError> for Fault {
    fn from(fault: LayoutError) -> Self {
        Self::Layout(fault)
    }
}

impl From<ValueError> for Fault {
    fn from(fault: ValueError) -> Self {
        Self::Value(fault)
    }
}

impl From<PyErr> for Fault {
    fn from(raised: PyErr) -> Self {
        Self::Raised(raised)
    }
}

impl From<Fault> for PyErr {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Layout(fault) => error::not_supported(fault.to_string()),
            Fault::Value(fault) => error::data(fault.to_string()),
            Fault::Raised(raised) => raised,
        }
    }
}

/// Makes record batches of rows.
pub struct Collecting {
    limits: Limits,
    decoder: RowDecoder,
    batches: Vec<RecordBatch>,
}

impl Collecting {
    pub fn new(layout: ResultLayout, limits: Limits) -> Self {
        Self { limits, decoder: RowDecoder::new(Arc::new(layout)), batches: Vec::new() }
    }

    /// Adds rows. The interpreter is free meanwhile.
    pub fn add(&mut self, py: Python<'_>, rows: &Rows) -> Result<(), ValueError> {
        self.add_some(py, rows, &mut rows.start(), usize::MAX).map(drop)
    }

    /// Adds up to `most` rows from a position on, which then is behind them. Returns how many.
    pub fn add_some(
        &mut self,
        py: Python<'_>,
        rows: &Rows,
        position: &mut Position,
        most: usize,
    ) -> Result<usize, ValueError> {
        py.detach(|| {
            let mut rows = rows.iter_from(*position);
            let mut added = 0;
            while added < most {
                let before = self.decoder.rows();
                let wanted = before.saturating_add(most - added).min(self.limits.rows);
                let full =
                    self.decoder.append(&mut rows, Limits { rows: wanted, ..self.limits })?;
                added += self.decoder.rows() - before;
                if !full {
                    break;
                }
                self.finish_full()?;
            }
            *position = rows.position();
            Ok(added)
        })
    }

    /// Adds a row of fields.
    pub fn add_fields<'a>(
        &mut self,
        fields: impl IntoIterator<Item = Option<&'a [u8]>>,
    ) -> Result<(), ValueError> {
        self.decoder.append_fields(fields)?;
        self.finish_full()
    }

    /// Ends the batch if it is complete.
    fn finish_full(&mut self) -> Result<(), ValueError> {
        if self.decoder.is_complete(self.limits) {
            self.batches.push(self.decoder.finish()?);
        }
        Ok(())
    }

    /// Takes the batches that are complete, if there are any.
    pub fn take_complete(&mut self) -> Option<Batches> {
        if self.batches.is_empty() {
            return None;
        }
        let schema = self.decoder.layout().schema().clone();
        Some(Batches { schema, batches: std::mem::take(&mut self.batches) })
    }

    /// The batches of all rows.
    pub fn finish(mut self) -> Result<Batches, ValueError> {
        if self.decoder.rows() > 0 {
            self.batches.push(self.decoder.finish()?);
        }
        Ok(Batches { schema: self.decoder.layout().schema().clone(), batches: self.batches })
    }
}
