//! What a statement answered: its columns, its rows as they came, its command tag.

pub(crate) mod columns;
mod row_index;
pub(crate) mod rows;
pub(crate) mod tag;

use std::sync::Arc;

use columns::Columns;
use rows::Rows;
use tag::Tag;

/// One statement's result.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueryResult {
    /// What kind of answer it was.
    pub kind: ResultKind,
    /// The columns, when the answer describes rows (even if there are none). Two results of the
    /// same shape in a row share one `Arc`, so that a plan made for it can be kept.
    pub columns: Option<Arc<Columns>>,
    /// The rows; empty unless `kind` is [`ResultKind::Tuples`].
    pub rows: Rows,
    /// The text of CommandComplete, e.g. `INSERT 0 5`; empty when there was none.
    pub tag: Tag,
    /// What a function call returned: the outer `Option` says whether there was one, the inner
    /// is `None` for NULL.
    pub function_value: Option<Option<Vec<u8>>>,
    /// The types of a prepared statement's parameters, as object identifiers.
    pub parameter_types: Vec<u32>,
}

/// What a statement answered with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResultKind {
    /// Rows, perhaps none of them.
    Tuples,
    /// A command that returns no rows.
    #[default]
    Command,
    /// The text held no statement.
    Empty,
    /// COPY from the client.
    CopyIn,
    /// COPY to the client.
    CopyOut,
    /// Streaming replication.
    CopyBoth,
    /// The fast-path function call.
    Function,
}

impl QueryResult {
    /// How many rows the command affected: the number at the end of the tag, as libpq's
    /// `PQcmdTuples` takes it.
    pub fn affected(&self) -> Option<u64> {
        tag::affected(&self.tag)
    }

    /// The object identifier of the row inserted, 0 when there is none (libpq's `PQoidValue`).
    pub fn inserted_oid(&self) -> u32 {
        tag::inserted_oid(&self.tag)
    }
}
