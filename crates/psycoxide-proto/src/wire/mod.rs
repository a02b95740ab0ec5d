//! Bytes: reading fields out of a message, writing fields into one, finding where messages end.

pub(crate) mod deframe;
pub(crate) mod inbox;
pub(crate) mod outbox;
pub(crate) mod reader;
pub(crate) mod writer;
