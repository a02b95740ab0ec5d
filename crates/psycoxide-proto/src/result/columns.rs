//! The columns of a result.

use std::ops::Deref;

/// All columns of a result, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns(pub Vec<Column>);

/// One column, as in `RowDescription`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The name, in the session's encoding.
    pub name: Vec<u8>,
    /// The column's table, 0 if it is computed.
    pub table_oid: u32,
    /// Its attribute number in that table, 0 if it is computed.
    pub table_column: i16,
    /// The type's object identifier.
    pub type_oid: u32,
    /// The type's size in bytes; negative for types of varying width (`pg_type.typlen`).
    pub type_size: i16,
    /// The type's modifier (`pg_attribute.atttypmod`), -1 if there is none.
    pub type_modifier: i32,
    /// The format of its values: 0 is text, 1 is binary.
    pub format: i16,
}

impl Deref for Columns {
    type Target = [Column];

    fn deref(&self) -> &[Column] {
        &self.0
    }
}
