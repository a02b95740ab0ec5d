//! Record batches that are all there.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use super::collecting::Batches;
use super::export::{reader_of, schema_capsule, stream_capsule};

/// A result as Arrow's record batches, in memory.
///
/// Every library that knows Arrow's PyCapsule interface takes it as it is: `polars.DataFrame(table)`,
/// `pyarrow.table(table)`, `pandas.DataFrame.from_arrow(table)`, `duckdb.sql("FROM table")`. Nothing is
/// copied, and it can be taken any number of times.
#[pyclass(module = "psycoxide.arrow", frozen)]
pub struct ArrowTable {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
}

impl From<Batches> for ArrowTable {
    fn from(Batches { schema, batches }: Batches) -> Self {
        Self { schema, batches }
    }
}

impl ArrowTable {
    /// The schema, and the batches.
    pub fn parts(&self) -> (SchemaRef, Vec<RecordBatch>) {
        (self.schema.clone(), self.batches.clone())
    }
}

#[pymethods]
impl ArrowTable {
    /// The record batches as an `arrow_array_stream` capsule. A requested schema is not looked at: the
    /// batches come in their own, as the interface allows.
    #[pyo3(signature = (requested_schema=None))]
    pub fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let _ = requested_schema;
        stream_capsule(py, reader_of(self.schema.clone(), self.batches.clone()))
    }

    /// The schema as an `arrow_schema` capsule.
    pub fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        schema_capsule(py, &self.schema)
    }

    /// How many rows there are.
    #[getter]
    pub fn num_rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// How many columns there are.
    #[getter]
    fn num_columns(&self) -> usize {
        self.schema.fields().len()
    }

    /// The names of the columns: a list of `str`.
    #[getter]
    fn column_names(&self) -> Vec<String> {
        self.schema.fields().iter().map(|field| field.name().clone()).collect()
    }

    /// The Arrow types of the columns: a list of `str`, such as `Int32` or `List(Utf8)`.
    #[getter]
    fn column_types(&self) -> Vec<String> {
        self.schema.fields().iter().map(|field| field.data_type().to_string()).collect()
    }

    /// How many bytes of memory the batches take.
    #[getter]
    pub fn nbytes(&self) -> usize {
        self.batches.iter().map(RecordBatch::get_array_memory_size).sum()
    }

    /// batches() -> list of ArrowTable -- Each record batch as a table of its own.
    fn batches(&self) -> Vec<Self> {
        let batches = self.batches.iter();
        batches
            .map(|batch| Self { schema: self.schema.clone(), batches: vec![batch.clone()] })
            .collect()
    }

    /// concat(tables) -> ArrowTable -- The rows of all tables, one table after the other; nothing is
    /// copied. Raises TypeError if there is none, or their schemas differ.
    #[staticmethod]
    fn concat(py: Python<'_>, tables: Vec<Py<Self>>) -> PyResult<Self> {
        let Some(first) = tables.first() else {
            return Err(PyTypeError::new_err("no table to begin with"));
        };
        let schema = first.get().schema.clone();
        let mut batches = Vec::new();
        for table in &tables {
            let table = table.bind(py).get();
            if table.schema != schema {
                return Err(PyTypeError::new_err("the tables have different columns"));
            }
            batches.extend(table.batches.iter().cloned());
        }
        Ok(Self { schema, batches })
    }

    fn __len__(&self) -> usize {
        self.num_rows()
    }

    fn __repr__(&self) -> String {
        let (rows, columns) = (self.num_rows(), self.schema.fields().len());
        let batches = self.batches.len();
        format!("<ArrowTable: {rows} rows, {columns} columns, {batches} batches>")
    }
}
