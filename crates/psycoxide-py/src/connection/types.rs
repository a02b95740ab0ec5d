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

/// What is known of the types of one result.
///
/// Types that stay what they are come from the connection, which keeps them. The others are asked of the
/// server for each result, and belong to it alone: results that are read at the same time do not disturb
/// each other.
#[derive(Clone)]
pub struct ResultTypes {
    columns: Arc<Columns>,
    catalog: Arc<Catalog>,
}

impl ResultTypes {
    /// What the connection knows of the types of columns.
    pub fn new(py: Python<'_>, connection: &Connection, columns: Arc<Columns>) -> Self {
        Self { columns, catalog: connection.lasting_types(py) }
    }

    /// The columns.
    pub fn columns(&self) -> &Arc<Columns> {
        &self.columns
    }

    /// The types.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// The types that have to be asked of the server.
    fn missing(&self) -> Vec<Oid> {
        self.catalog.missing(self.columns.iter().map(|column| column.type_oid))
    }

    /// The request for what is not known yet; `None` if all of it is.
    pub fn request(&self, py: Python<'_>, connection: &Connection) -> Option<Request> {
        let missing = self.missing();
        if missing.is_empty() {
            return None;
        }
        let version = i32::try_from(connection.server_version_number(py)).unwrap_or(i32::MAX);
        Some(Request::query(types::query(&missing, version).into_bytes()))
    }

    /// Notes what the server has answered. There may be more to ask: the parts of these types.
    pub fn note(
        &mut self,
        py: Python<'_>,
        connection: &Connection,
        outcome: &Outcome,
    ) -> PyResult<()> {
        if let Some(report) = &outcome.error {
            return Err(connection.reported(py, report, None, None));
        }
        let asked = self.missing();
        let catalog = Arc::make_mut(&mut self.catalog);
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
        Arc::make_mut(&mut connection.state(py).catalog).take_lasting(catalog);
        Ok(())
    }

    /// Asks the server for all that is not known yet. Returns the types with that.
    pub fn look_up(
        self,
        py: Python<'_>,
        connection: &Connection,
    ) -> impl Operation<Output = Self> + use<> {
        let first = match self.request(py, connection) {
            Some(request) => Next::Send(request),
            None => Next::Done(self.clone()),
        };
        let mut types = self;
        Exchange::new(first, move |context, outcome| {
            let (py, connection) = (context.py(), context.connection.get());
            types.note(py, connection, &outcome)?;
            Ok(match types.request(py, connection) {
                Some(request) => Next::Send(request),
                None => Next::Done(types.clone()),
            })
        })
    }
}

impl Connection {
    /// The types that are known, and stay what they are.
    fn lasting_types(&self, py: Python<'_>) -> Arc<Catalog> {
        Arc::clone(&self.state(py).catalog)
    }

    /// Forgets them: they may have changed.
    pub fn forget_types(&self, py: Python<'_>) {
        let old = std::mem::take(&mut self.state(py).catalog);
        drop(old);
    }
}
