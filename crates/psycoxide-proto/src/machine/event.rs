//! What the engine tells its driver.

use crate::backend::copy::CopyFormat;
use crate::backend::report::Report;
use crate::result::QueryResult;
use crate::secret::Secret;

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
    /// Authentication needs something that only the driver can get: give it with
    /// [`Engine::answer`](crate::Engine::answer).
    Ask(Ask),
    /// The request (or the start-up) is complete: the server is ready for the next one, or it
    /// has closed the connection after an ErrorResponse.
    Done(Outcome),
}

/// What authentication needs from the driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The password.
    Password,
    /// The next token of a GSSAPI context. What the server sent last goes in; empty at first.
    GssToken(Vec<u8>),
    /// A bearer token of OAuth.
    BearerToken,
}

/// What the driver got.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The password, if there is one.
    Password(Option<Secret>),
    /// What the GSSAPI context gave.
    GssToken {
        /// What to send; there may be nothing left.
        token: Option<Secret>,
        /// Whether the context is established: the server has proved who it is.
        complete: bool,
    },
    /// The bearer token; without one the server is asked where to get it.
    BearerToken(Option<Secret>),
}

/// How a server refused a bearer token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRefusal {
    /// The server's document about that, which ought to be JSON (RFC 7628, section 3.2.2).
    pub document: Vec<u8>,
    /// Whether there was no token: the document was what was wanted.
    pub asked: bool,
}

/// How a request ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The last statement's result; `None` when there was an error, or no statement.
    pub result: Option<Box<QueryResult>>,
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
