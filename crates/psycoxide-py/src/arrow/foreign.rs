//! Readers that other libraries hold, and call and drop in whatever thread and state they like.
//!
//! A library may give the GIL away and call a reader back while a call of ours is on its stack:
//! `pyarrow.RecordBatchReader` does so when it is dropped. PyO3 counts that thread as attached to the
//! interpreter, as nobody has told it otherwise. So the interpreter itself is asked here.

use std::mem::ManuallyDrop;

use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_schema::{ArrowError, SchemaRef};
use pyo3::ffi;
use pyo3::prelude::*;

/// Runs `work` with the interpreter, in a thread that may have it or not. `None` if there is none any
/// more.
fn with_interpreter<T>(work: impl FnOnce(Python<'_>) -> T) -> Option<T> {
    // SAFETY: these may be called in any thread, with the GIL or without; each `Ensure` has its
    // `Release`, in the same thread. `work` does not unwind: a panic in it aborts at the border to C.
    unsafe {
        if ffi::Py_IsInitialized() == 0 {
            return None;
        }
        #[cfg(Py_3_13)]
        if ffi::Py_IsFinalizing() != 0 {
            return None;
        }
        if ffi::PyGILState_Check() != 0 {
            return Python::try_attach(work);
        }
        let state = ffi::PyGILState_Ensure();
        let done = Python::try_attach(work);
        ffi::PyGILState_Release(state);
        done
    }
}

/// What makes record batches with the interpreter.
pub trait BatchSource: Send {
    /// The schema of all batches.
    fn schema(&self) -> SchemaRef;

    /// The next batch; `None` at the end, and after an error.
    fn next_batch(&mut self, py: Python<'_>) -> PyResult<Option<RecordBatch>>;
}

/// A source of batches as a reader for other libraries.
pub struct ForeignReader<S: BatchSource> {
    source: ManuallyDrop<S>,
    over: bool,
}

impl<S: BatchSource> ForeignReader<S> {
    pub fn new(source: S) -> Self {
        Self { source: ManuallyDrop::new(source), over: false }
    }
}

impl<S: BatchSource> Iterator for ForeignReader<S> {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let source = &mut *self.source;
        // The reader has no place for an exception, just for its text.
        let read =
            with_interpreter(|py| source.next_batch(py).map_err(|raised| raised.to_string()));
        let read = read.unwrap_or_else(|| Err("the interpreter is shutting down".to_owned()));
        self.over = !matches!(read, Ok(Some(_)));
        read.map_err(|text| ArrowError::ExternalError(text.into())).transpose()
    }
}

impl<S: BatchSource> RecordBatchReader for ForeignReader<S> {
    fn schema(&self) -> SchemaRef {
        self.source.schema()
    }
}

impl<S: BatchSource> Drop for ForeignReader<S> {
    fn drop(&mut self) {
        let source = &mut self.source;
        // Without an interpreter the objects in it are gone, or are never looked at again.
        let _ = with_interpreter(|py| {
            // Dropped while an exception is on its way, perhaps: that must not be lost.
            let raised = PyErr::take(py);
            // SAFETY: this happens once, and nobody uses the source after that.
            unsafe { ManuallyDrop::drop(source) };
            if let Some(raised) = raised {
                raised.restore(py);
            }
        });
    }
}
