//! A statement's result: its columns, its raw rows, its command tag.

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
    /// The kind of the result.
    pub kind: ResultKind,
    /// The columns, if the reply describes rows (even if there are none). Consecutive results of
    /// the same shape share one `Arc`, so that callers can keep a plan for it.
    pub columns: Option<Arc<Columns>>,
    /// The rows; empty unless `kind` is [`ResultKind::Tuples`].
    pub rows: Rows,
    /// The text of CommandComplete, e.g. `INSERT 0 5`; empty if there was none.
    pub tag: Tag,
    /// A function call's value: the outer `Option` says whether there was a call, the inner one is
    /// `None` for NULL.
    pub function_value: Option<Option<Vec<u8>>>,
    /// The types of a prepared statement's parameters, as object identifiers.
    pub parameter_types: Vec<u32>,
}

/// The kind of a statement's result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResultKind {
    /// Rows, perhaps none.
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
    /// A fast-path function call.
    Function,
}

impl QueryResult {
    /// The number of rows that the command affected: the number at the end of the tag, as in
    /// libpq's `PQcmdTuples`.
    pub fn affected(&self) -> Option<u64> {
        tag::affected(&self.tag)
    }

    /// The object identifier of the inserted row, 0 if there is none (libpq's `PQoidValue`).
    pub fn inserted_oid(&self) -> u32 {
        tag::inserted_oid(&self.tag)
    }
}
