//! Which Arrow type the values of a PostgreSQL type become.

mod built_in;
pub(crate) mod catalog;
pub(crate) mod kind;
mod natural;
mod node;

use crate::options::{Infinity, NumericNan};

pub(crate) use node::{Node, Resolver};

/// What becomes of values that have no place in their Arrow type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) nan: NumericNan,
    pub(crate) infinity: Infinity,
}
