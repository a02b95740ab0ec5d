//! The module's constants.

use pyo3::prelude::*;

/// The version of psycopg2 whose API this is, with its build options. Programs split it at the
/// first space and parse the number; `lo64` tells them that large objects are 64-bit.
const VERSION: &str = "2.9.13 (dt dec pq3 ext lo64)";

/// The version of libpq whose behaviour the driver has: programs check for a minimum.
const LIBPQ_VERSION: i32 = 180_000;

/// `extensions.REPLICATION_PHYSICAL`
pub const REPLICATION_PHYSICAL: i64 = 12_345_678;
/// `extensions.REPLICATION_LOGICAL`
pub const REPLICATION_LOGICAL: i64 = 87_654_321;

/// libpq_version() -> int -- the version of libpq whose behaviour the driver has, such as
/// 180000.
#[pyfunction]
fn libpq_version() -> i32 {
    LIBPQ_VERSION
}

/// Exports the constants of PEP 249 and of psycopg2.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", VERSION)?;
    module.add("__libpq_version__", LIBPQ_VERSION)?;
    module.add("__psycoxide_version__", env!("CARGO_PKG_VERSION"))?;
    module.add("apilevel", "2.0")?;
    module.add("threadsafety", 2)?;
    module.add("paramstyle", "pyformat")?;
    module.add("REPLICATION_PHYSICAL", REPLICATION_PHYSICAL)?;
    module.add("REPLICATION_LOGICAL", REPLICATION_LOGICAL)?;
    module.add_function(wrap_pyfunction!(libpq_version, module)?)
}
