//! Schemas and streams of record batches, in the capsules that other libraries take them from.

use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{RecordBatch, RecordBatchIterator, RecordBatchReader};
use arrow_schema::ffi::FFI_ArrowSchema;
use arrow_schema::{ArrowError, Schema, SchemaRef};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use crate::error;

/// A reader of batches that are there already.
pub fn reader_of(
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
) -> impl RecordBatchReader + Send + 'static {
    RecordBatchIterator::new(batches.into_iter().map(Ok), schema)
}

/// A capsule with a stream of batches. Whoever takes the stream out reads it, in any thread; if nobody
/// does, it is released with the capsule.
pub fn stream_capsule<'py>(
    py: Python<'py>,
    reader: impl RecordBatchReader + Send + 'static,
) -> PyResult<Bound<'py, PyCapsule>> {
    let stream = FFI_ArrowArrayStream::new(Box::new(reader));
    PyCapsule::new_with_value(py, stream, c"arrow_array_stream")
}

/// A capsule with a schema.
pub fn schema_capsule<'py>(py: Python<'py>, schema: &Schema) -> PyResult<Bound<'py, PyCapsule>> {
    let schema = FFI_ArrowSchema::try_from(schema).map_err(not_exported)?;
    PyCapsule::new_with_value(py, schema, c"arrow_schema")
}

fn not_exported(fault: ArrowError) -> PyErr {
    error::not_supported(format!("the schema cannot be exported: {fault}"))
}
