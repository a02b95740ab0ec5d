//! Arrow: how results become record batches, and how these reach other libraries.
//!
//! Nothing of Arrow's own is made by hand: batches are those of Apache's crates, and they leave by the
//! PyCapsule interface (<https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html>).

mod collecting;
mod export;
mod options;
mod table;

use pyo3::prelude::*;

pub use collecting::{Batches, Collecting, Fault, STREAM, TABLE};
pub use export::stream_capsule;
pub use options::options;
pub use table::ArrowTable;

/// Exports `ArrowTable`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<ArrowTable>()
}
