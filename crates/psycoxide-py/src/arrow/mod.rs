//! Arrow: how results become record batches, how these reach other libraries, and how the data of others
//! become rows of a COPY.
//!
//! Batches are those of Apache's crates; only what these refuse of others is mended by hand, in
//! `null_buffers.rs`. They come and go by the PyCapsule interface
//! (<https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html>).

mod collecting;
mod export;
mod foreign;
mod import;
mod ingest;
mod null_buffers;
mod options;
mod table;

use pyo3::prelude::*;

pub use collecting::{Batches, Collecting, Fault, STREAM, TABLE};
pub use export::stream_capsule;
pub use foreign::{BatchSource, ForeignReader};
pub use options::options;
pub use table::ArrowTable;

/// Exports `ArrowTable` and `ArrowEncoder`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<ArrowTable>()?;
    ingest::register(module)
}
