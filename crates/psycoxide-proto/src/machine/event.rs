//! What the engine tells its driver.

use crate::backend::copy::CopyFormat;
use crate::backend::report::Report;
use crate::result::QueryResult;

/// Something that the driver must hear of, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// COPY FROM STDIN has begun: give data with `copy_chunk`, end with `copy_done` or
    /// `copy_fail`.
    CopyIn(CopyFormat),
    /// COPY TO STDOUT has begun: [`Event::CopyData`] follow.
    CopyOut(CopyFormat),
    /// Streaming replication has begun: data flow both ways.
    CopyBoth(CopyFormat),
    /// COPY TO: a block of whole CopyData payloads, one after another. Streaming replication:
    /// exactly one message's payload.
    CopyData(Vec<u8>),
    /// The request (or the start-up) is complete: the server is ready for the next one, or it
    /// has closed the connection after an ErrorResponse.
    Done(Outcome),
}

/// How a request ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The last statement's result; `None` when there was an error, or no statement.
    pub result: Option<QueryResult>,
    /// The first error.
    pub error: Option<Box<Report>>,
    /// What the statements of a batch came to.
    pub batch: Tally,
}

/// What the statements of a batch came to, up to the first error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many succeeded.
    pub statements: usize,
    /// How many rows all of them affected.
    pub affected: u64,
    /// Whether some told no number of rows.
    pub uncounted: bool,
}
