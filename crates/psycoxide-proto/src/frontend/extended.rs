//! Parse, Bind, Describe, Execute, Close, Sync.

/// A parameter of a statement run by the extended query protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// The value, `None` for NULL.
    pub value: Option<Vec<u8>>,
    /// Its format: 0 is text, 1 is binary.
    pub format: i16,
}
