//! From Python objects to SQL text: adapters, and the query with its parameters merged in; and to
//! parameters that are bound on the server.
//!
//! Two ways lead to the same text. Every adapter is a Python class whose `getquoted()` returns it,
//! for programs that use adapters directly. Merging a query writes values straight into the
//! message, without making adapters, as long as the registry `adapters` still maps the value's type
//! to the built-in one. The registry is consulted anew for each statement, so that what a user
//! registers takes effect at once.

mod bind;
mod binder;
mod class;
mod context;
mod copy_rows;
mod datetime;
mod dump;
mod mogrify;
mod quoter;
mod registry;
mod rows;
mod scalar;
mod template;
mod uuid;

use pyo3::prelude::*;

pub use self::{
    bind::{BoundQuery, Labels, bind_all, bind_query, numbered_query, refuse_merging_inside},
    binder::{Binder, numbered},
    class::{Binary, List, QuotedString, SqlIn},
    context::{AdaptContext, AdapterConnection},
    copy_rows::CopyRows,
    mogrify::{Merger, mogrify},
    registry::{adapters, type_name},
    rows::{RepeatedQuery, RowBinder},
};

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    class::register(module)?;
    registry::register(module)?;
    mogrify::register(module)?;
    dump::register(module)
}
