//! Rows made while the server is still sending.

use psycoxide_proto::{Columns, Rows};
use pyo3::prelude::*;

use super::Cursor;
use crate::cast::CastPlan;
use crate::driver::RowSink;
use crate::row::EagerRows;

/// Takes rows for a cursor that has executed.
pub(super) struct EagerSink<'a, 'py> {
    cursor: &'a Bound<'py, Cursor>,
    /// What was taken; nothing, nearly always.
    pub rows: Option<Box<EagerRows>>,
}

impl<'a, 'py> EagerSink<'a, 'py> {
    pub fn new(cursor: &'a Bound<'py, Cursor>) -> Self {
        Self { cursor, rows: None }
    }
}

impl RowSink for EagerSink<'_, '_> {
    fn take(&mut self, columns: &Columns, rows: Rows) -> Option<Rows> {
        let (py, cursor) = (self.cursor.py(), self.cursor.get());
        let fetch = Cursor::fetch_context(self.cursor);
        self.rows.get_or_insert_default().take(&fetch, columns, rows, || {
            CastPlan::resolve(&cursor.registries(py)?, cursor.text_decoder(py)?, columns)
        })
    }
}
