//! From Python objects to SQL text: adapters, and the query with its parameters merged in.
//!
//! Two ways lead to the same text. Every adapter is a Python class whose `getquoted()` gives
//! it, for programs that use adapters by themselves. Merging a query writes values straight
//! into the message, without making adapters, as long as the registry `adapters` still maps
//! the value's type to the built-in one; that is looked up anew for each statement, so what a
//! user registers wins at once.

mod binder;
mod class;
mod context;
mod ident;
mod mogrify;
mod moment;
mod quoter;
mod registry;
mod scalar;
mod statement;
mod template;

use pyo3::prelude::*;

#[allow(unused_imports)] // The connection's and the cursor's side of the house.
pub use self::{
    binder::{Binder, numbered},
    context::{ClientEncoding, Encoded, QuoteContext},
    mogrify::{Merger, mogrify},
    quoter::quote_value,
    registry::adapters,
};

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    context::register(module)?;
    class::register(module)?;
    registry::register(module)?;
    ident::register(module)?;
    mogrify::register(module)
}
