//! What a connection knows of the server's types beyond the built-in ones: Arrow's types depend on it.

use std::sync::Arc;

use psycoxide_arrow::{Catalog, TypeEntry, TypeKind};
use psycoxide_proto::{Columns, Outcome, Request};
use psycoxide_sql::command::types;
use psycoxide_sql::oid::Oid;
use pyo3::prelude::*;

use super::Connection;
use crate::driver::{Exchange, Next, Operation};
use crate::error;

impl Connection {
    /// The types that are known.
    pub fn catalog(&self, py: Python<'_>) -> Arc<Catalog> {
        Arc::clone(&self.state(py).catalog)
    }

    /// Forgets them: they may have changed.
    pub fn forget_types(&self, py: Python<'_>) {
        let old = std::mem::take(&mut self.state(py).catalog);
        drop(old);
    }

    /// The types of columns that have to be asked of the server.
    fn missing_types(&self, py: Python<'_>, columns: &Columns) -> Vec<Oid> {
        self.state(py).catalog.missing(columns.iter().map(|column| column.type_oid))
    }

    /// The request for what is not known yet of the types of columns; `None` if all of it is.
    pub fn types_request(&self, py: Python<'_>, columns: &Columns) -> Option<Request> {
        let missing = self.missing_types(py, columns);
        if missing.is_empty() {
            return None;
        }
        let version = i32::try_from(self.server_version_number(py)).unwrap_or(i32::MAX);
        Some(Request::query(types::query(&missing, version).into_bytes()))
    }

    /// Notes what the server has answered. There may be more to ask: the parts of these types.
    pub fn note_types(&self, py: Python<'_>, columns: &Columns, outcome: &Outcome) -> PyResult<()> {
        if let Some(report) = &outcome.error {
            return Err(self.reported(py, report, None, None));
        }
        let asked = self.missing_types(py, columns);
        let mut state = self.state(py);
        let catalog = Arc::make_mut(&mut state.catalog);
        if let Some(result) = &outcome.result {
            for row in result.rows.iter_from(result.rows.start()) {
                catalog
                    .take_row(row.fields())
                    .map_err(|fault| error::internal(fault.to_string()))?;
            }
        }
        for oid in asked {
            if catalog.get(oid).is_none() {
                catalog.insert(oid, TypeEntry { name: "???".to_owned(), kind: TypeKind::Gone });
            }
        }
        Ok(())
    }

    /// Asks the server for all that is not known yet of the types of columns.
    pub fn look_types_up(
        &self,
        py: Python<'_>,
        columns: Arc<Columns>,
    ) -> impl Operation<Output = ()> + use<> {
        let first = match self.types_request(py, &columns) {
            Some(request) => Next::Send(request),
            None => Next::Done(()),
        };
        Exchange::new(first, move |context, outcome| {
            let (py, connection) = (context.py(), context.connection.get());
            connection.note_types(py, &columns, &outcome)?;
            Ok(match connection.types_request(py, &columns) {
                Some(request) => Next::Send(request),
                None => Next::Done(()),
            })
        })
    }
}
