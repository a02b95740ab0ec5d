//! Which Arrow types the columns of a result have, and the formats to ask for them in.

use psycoxide_arrow::{Catalog, ColumnSpec, Options, ResultLayout};
use psycoxide_proto::Columns;
use pyo3::prelude::*;

use super::super::Cursor;
use crate::arrow::Fault;
use crate::error;

/// The names of encodings whose texts are UTF-8, or are taken for it.
const UTF8: [&str; 3] = ["UTF8", "UNICODE", "SQLASCII"];

impl Cursor {
    /// Columns as the layout takes them.
    fn column_specs(&self, py: Python<'_>, columns: &Columns) -> PyResult<Vec<ColumnSpec>> {
        let context = self.connection(py)?.get().quote_context(py);
        let specs = columns.iter().map(|column| {
            Ok(ColumnSpec {
                name: context.decode_lossy(py, &column.name).to_str()?.to_owned(),
                oid: column.type_oid,
                modifier: column.type_modifier,
                binary: column.format != 0,
            })
        });
        specs.collect()
    }

    /// The Arrow types of columns, whose types are all in the catalogue.
    pub(super) fn arrow_layout(
        &self,
        py: Python<'_>,
        columns: &Columns,
        catalog: &Catalog,
        options: &Options,
    ) -> Result<ResultLayout, Fault> {
        let connection = self.connection(py)?.get();
        let encoding = connection.state(py).encoding.clone();
        if !UTF8.contains(&encoding.as_str()) {
            return Err(Fault::Raised(error::not_supported(format!(
                "Arrow's texts are UTF-8, and those of this session {encoding}: \
                 call set_client_encoding('UTF8') before the query"
            ))));
        }
        let specs = self.column_specs(py, columns)?;
        Ok(ResultLayout::new(specs, catalog, options)?)
    }

    /// The format code of each column, for results that become Arrow's.
    pub fn arrow_formats(
        &self,
        py: Python<'_>,
        columns: &Columns,
        catalog: &Catalog,
        options: &Options,
    ) -> PyResult<Vec<i16>> {
        let specs = self.column_specs(py, columns)?;
        let binary = specs.iter().map(|spec| ResultLayout::prefers_binary(spec, catalog, options));
        Ok(binary.map(i16::from).collect())
    }
}
