//! What the engine reports to its driver.

use crate::backend::copy::CopyFormat;
use crate::backend::report::Report;
use crate::result::QueryResult;
use crate::secret::Secret;

/// Something that the driver has to handle, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// COPY FROM STDIN has begun: give data with `copy_chunk`, end with `copy_done` or
    /// `copy_fail`.
    CopyIn(CopyFormat),
    /// COPY TO STDOUT has begun: [`Event::CopyData`] follow.
    CopyOut(CopyFormat),
    /// Streaming replication has begun: data flow both ways.
    CopyBoth(CopyFormat),
    /// COPY TO: a block of complete CopyData payloads, one after another. Streaming replication:
    /// exactly one message's payload.
    CopyData(Vec<u8>),
    /// Authentication needs something that only the driver has: give it with
    /// [`Engine::answer`](crate::Engine::answer).
    Ask(Ask),
    /// The request (or the start-up) is complete. Either the server is ready for the next request,
    /// or it has closed the connection after an ErrorResponse.
    Done(Outcome),
}

/// What authentication needs from the driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The password.
    Password,
    /// The next token of a GSSAPI context. This one holds the server's last token, empty at first.
    GssToken(Vec<u8>),
    /// An OAuth bearer token.
    BearerToken,
}

/// The driver's answer to an [`Ask`].
#[derive(Clone, Debug)]
pub enum Answer {
    /// The password, if there is one.
    Password(Option<Secret>),
    /// The output of the GSSAPI context.
    GssToken {
        /// What to send, if anything.
        token: Option<Secret>,
        /// Whether the context is established: the server has proved who it is.
        complete: bool,
    },
    /// The bearer token. Without one the server is asked where to get it.
    BearerToken(Option<Secret>),
}

/// How a server refused a bearer token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRefusal {
    /// The server's explanation, which ought to be JSON (RFC 7628, section 3.2.2).
    pub document: Vec<u8>,
    /// Whether the client sent no token, only to get this document.
    pub asked: bool,
}

/// How a request ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The last statement's result; `None` when there was an error, or no statement.
    pub result: Option<Box<QueryResult>>,
    /// The first error.
    pub error: Option<Box<Report>>,
    /// The counts of a batch.
    pub batch: Tally,
    /// Whether the request's BEGIN has begun its transaction, even if the request failed later.
    pub begun: bool,
    /// Whether the server has skipped the request, because another one of its
    /// [group](crate::Request::unsynced) had failed. There is neither a result nor an error then.
    pub skipped: bool,
    /// Whether the error came of a name that a statement had ([`Request::bound`](crate::Request::bound)):
    /// the statement has not run, and may succeed if it is sent again.
    pub again: bool,
}

/// The counts of a batch, up to its first error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The number of statements that succeeded.
    pub statements: usize,
    /// The number of rows that all of them affected.
    pub affected: u64,
    /// Whether some statement's tag had no row count.
    pub uncounted: bool,
    /// Whether the rows of the statements were to be kept, and have different columns: there is no
    /// result then.
    pub mixed: bool,
}
