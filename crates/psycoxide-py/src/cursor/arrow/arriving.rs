//! Rows that become Arrow's while they arrive, so that nothing raw is kept.

use std::sync::Arc;

use psycoxide_arrow::{Catalog, Limits, Options};
use psycoxide_proto::{Columns, Outcome, ResultKind, Rows};
use pyo3::prelude::*;

use super::super::Cursor;
use crate::arrow::{Batches, Collecting, Fault, STREAM, TABLE};

/// The rows of a statement that have become Arrow's so far.
pub struct ArrivingArrow {
    options: Arc<Options>,
    /// The types of the columns.
    catalog: Arc<Catalog>,
    /// When a batch is complete.
    limits: Limits,
    /// Made when the first rows are there.
    collecting: Option<Collecting>,
    /// Why the others do not follow.
    fault: Option<Fault>,
    /// How many rows have arrived.
    rows: usize,
}

impl ArrivingArrow {
    pub fn new(options: Arc<Options>, catalog: Arc<Catalog>) -> Self {
        Self::limited(options, catalog, TABLE)
    }

    /// The same for rows that are given out a batch at a time.
    pub fn in_portions(options: Arc<Options>, catalog: Arc<Catalog>) -> Self {
        Self::limited(options, catalog, STREAM)
    }

    fn limited(options: Arc<Options>, catalog: Arc<Catalog>, limits: Limits) -> Self {
        Self { options, catalog, limits, collecting: None, fault: None, rows: 0 }
    }

    /// Takes rows. They are read when it returns.
    pub fn take(&mut self, cursor: &Bound<'_, Cursor>, columns: &Columns, rows: &Rows) {
        self.rows += rows.len();
        if self.fault.is_none()
            && let Err(fault) = self.add(cursor, columns, rows)
        {
            self.fault = Some(fault);
            self.collecting = None;
        }
    }

    /// Takes the batches that are complete, if there are any, or what is wrong.
    pub fn take_complete(&mut self) -> Result<Option<Batches>, Fault> {
        match self.fault.take() {
            Some(fault) => Err(fault),
            None => Ok(self.collecting.as_mut().and_then(Collecting::take_complete)),
        }
    }

    fn add(
        &mut self,
        cursor: &Bound<'_, Cursor>,
        columns: &Columns,
        rows: &Rows,
    ) -> Result<(), Fault> {
        let py = cursor.py();
        let collecting = match &mut self.collecting {
            Some(collecting) => collecting,
            None => {
                let layout =
                    cursor.get().arrow_layout(py, columns, &self.catalog, &self.options)?;
                self.collecting.insert(Collecting::new(layout, self.limits))
            }
        };
        Ok(collecting.add(py, rows)?)
    }
}

impl Cursor {
    /// Takes the batches of the result, if its rows have become Arrow's.
    pub fn take_batches(&self, py: Python<'_>) -> Option<Batches> {
        self.state(py).fetched.batches.take()
    }

    /// Takes over the outcome of a statement whose rows have become Arrow's.
    ///
    /// # Errors
    /// The server's error; what a value or a column cannot become. The cursor has no result then.
    pub fn take_arrow(
        slf: &Bound<'_, Self>,
        mut outcome: Outcome,
        mut arrived: ArrivingArrow,
    ) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let result = outcome.result.as_mut().filter(|result| result.kind == ResultKind::Tuples);
        let (None, Some(result)) = (&outcome.error, result) else {
            return Self::take_outcome(slf, outcome);
        };
        let rest = std::mem::take(&mut result.rows);
        if let Some(columns) = result.columns.clone() {
            arrived.take(slf, &columns, &rest);
        }
        let ArrivingArrow { collecting, fault, rows, .. } = arrived;
        let batches = match (fault, collecting) {
            (None, Some(collecting)) => collecting.finish().map_err(Fault::from),
            (Some(fault), _) => Err(fault),
            (None, None) => return Self::take_outcome(slf, outcome),
        };
        match batches {
            Ok(batches) => {
                Self::take_outcome(slf, outcome)?;
                let mut state = this.state(py);
                state.fetched.rowcount = i64::try_from(rows).unwrap_or(i64::MAX);
                state.fetched.batches = Some(batches);
                Ok(())
            }
            Err(fault) => {
                this.reset(py);
                // A type may have changed since it was looked up.
                this.connection(py)?.get().forget_types(py);
                Err(fault.into())
            }
        }
    }
}
