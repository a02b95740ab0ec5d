//! Bytes: reading and writing the fields of messages, finding where messages end.

pub(crate) mod deframe;
pub(crate) mod inbox;
pub(crate) mod outbox;
pub(crate) mod reader;
pub(crate) mod writer;
