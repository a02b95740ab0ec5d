//! From PostgreSQL's text to Python objects: typecasters, and the plan for a result's columns.
//!
//! `psycoxide_sql::text` reads the formats; the files here make objects of what it read. `caster`
//! is the class that users see, `registry` says which caster is for which type, `plan` looks it up
//! once per result, and `decoder` is the dispatch that runs once per field. Code that runs once per
//! field goes through the C API itself and passes exceptions as `object` describes; everything else
//! is ordinary PyO3.

mod array;
mod binary_format;
mod builtin;
mod bytea;
mod caster;
mod context;
mod datetime;
mod decoder;
mod defaults;
mod deferred;
pub mod eager;
mod fields;
mod hstore;
mod json;
mod key_interner;
mod number;
mod plan;
mod plan_cache;
mod registry;
mod stdlib;
mod uuid;
mod zones;

use pyo3::prelude::*;
use pyo3::types::PyDict;

pub use caster::Caster;
pub use context::{DecodeContext, FetchContext};
pub use decoder::{Decoder, decode_object};
pub use plan::CastPlan;
pub use plan_cache::{CachedPlan, ChosenFormats, FormatCache, PlanCache};
pub use registry::{Registries, string_types};

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("string_types", registry::string_types(py))?;
    // psycopg2 has this dict and never uses it.
    module.add("binary_types", PyDict::new(py))?;
    builtin::register(module, registry::string_types(py))?;
    defaults::note_registered(registry::string_types(py))?;
    module.add_function(wrap_pyfunction!(caster::new_type, module)?)?;
    module.add_function(wrap_pyfunction!(caster::new_array_type, module)?)?;
    module.add_class::<stdlib::JsonLoads>()?;
    module.add_function(wrap_pyfunction!(stdlib::_json_loads, module)?)?;
    module.add_function(wrap_pyfunction!(fields::_composite_fields, module)?)?;
    module.add_function(wrap_pyfunction!(fields::_range_bounds, module)?)?;
    module.add_function(wrap_pyfunction!(fields::_multirange_ranges, module)?)?;
    Ok(())
}
