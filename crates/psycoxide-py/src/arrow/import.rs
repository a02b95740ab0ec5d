//! Data of Arrow's PyCapsule interface.
//!
//! <https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html>

use std::ffi::CStr;
use std::ptr::NonNull;

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi};
use arrow_array::ffi_stream::{FFI_ArrowArrayStream, RecordBatchStreamReader};
use arrow_array::{Array, RecordBatch, RecordBatchOptions, RecordBatchReader, StructArray};
use arrow_schema::{ArrowError, DataType, Schema, SchemaRef};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyTuple};

use super::null_buffers;
use crate::error;

/// Record batches that are taken from a producer, one after another.
pub enum Batches {
    Stream(RecordBatchStreamReader),
    One(Option<RecordBatch>),
}

impl Batches {
    /// The next one. The producer may run Python code in any thread: call it without the GIL.
    pub fn next(&mut self) -> Option<Result<RecordBatch, ArrowError>> {
        match self {
            Self::Stream(reader) => reader.next(),
            Self::One(batch) => batch.take().map(Ok),
        }
    }
}

/// The data of an object, and their schema.
///
/// Raises `TypeError` if it has none, ProgrammingError if these are no table, and what its methods
/// raise.
pub fn import(data: &Bound<'_, PyAny>) -> PyResult<(SchemaRef, Batches)> {
    if let Some(method) = data.getattr_opt("__arrow_c_stream__")? {
        return import_stream(&method.call0()?);
    }
    if let Some(method) = data.getattr_opt("__arrow_c_array__")? {
        return import_array(&method.call0()?);
    }
    Err(PyTypeError::new_err(format!(
        "data must be an object with __arrow_c_stream__() or __arrow_c_array__(), such as a \
         DataFrame of Polars or a table of pyarrow: got {}",
        data.get_type().name()?
    )))
}

fn pointer(capsule: &Bound<'_, PyAny>, name: &CStr) -> PyResult<NonNull<std::ffi::c_void>> {
    let capsule = capsule.cast::<PyCapsule>().map_err(|_| {
        PyTypeError::new_err("the data's Arrow method returned something that is no capsule")
    })?;
    capsule.pointer_checked(Some(name))
}

fn import_stream(capsule: &Bound<'_, PyAny>) -> PyResult<(SchemaRef, Batches)> {
    let place = pointer(capsule, c"arrow_array_stream")?;
    // SAFETY: a capsule of this name holds such a struct, says the interface. It is moved out of
    // there, and what is left in the capsule is a released one.
    let stream = unsafe { FFI_ArrowArrayStream::from_raw(place.as_ptr().cast()) };
    if stream.release().is_none() {
        return Err(error::programming("the data were used already: a stream is read once"));
    }
    let reader = capsule.py().detach(|| null_buffers::reader(stream));
    let reader = reader.map_err(|fault| no_table(&fault))?;
    Ok((reader.schema(), Batches::Stream(reader)))
}

fn import_array(pair: &Bound<'_, PyAny>) -> PyResult<(SchemaRef, Batches)> {
    let pair = pair.cast::<PyTuple>().map_err(|_| {
        PyTypeError::new_err("__arrow_c_array__() returned something that is no tuple")
    })?;
    let schema = pointer(&pair.get_item(0)?, c"arrow_schema")?;
    let array = pointer(&pair.get_item(1)?, c"arrow_array")?;
    // SAFETY: capsules of these names hold such structs, which are moved out of them.
    let (schema, array) = unsafe {
        (
            FFI_ArrowSchema::from_raw(schema.as_ptr().cast()),
            FFI_ArrowArray::from_raw(array.as_ptr().cast()),
        )
    };
    if array.is_released() {
        return Err(error::programming("the data were used already"));
    }
    let table_schema = Schema::try_from(&schema).map_err(|fault| no_table(&fault))?;
    let data_type = DataType::Struct(table_schema.fields().clone());
    // SAFETY: the two belong together: one call has returned them.
    let data = unsafe { from_ffi(null_buffers::without_null_buffers(array, &data_type), &schema) }
        .map_err(|fault| no_table(&fault))?;
    let table = StructArray::from(data);
    if table.null_count() > 0 {
        return Err(error::programming("rows of the data are NULL as a whole"));
    }
    let table_schema = SchemaRef::new(table_schema);
    let options = RecordBatchOptions::new().with_row_count(Some(table.len()));
    let columns = table.columns().to_vec();
    let batch = RecordBatch::try_new_with_options(table_schema.clone(), columns, &options)
        .map_err(|fault| no_table(&fault))?;
    Ok((table_schema, Batches::One(Some(batch))))
}

fn no_table(fault: &ArrowError) -> PyErr {
    error::programming(format!("the data are no table with columns: {fault}"))
}
