//! What a driver asks the engine to do.

use std::sync::Arc;

use crate::frontend::parameters::Parameters;
use crate::machine::batch::Batch;
use crate::machine::repeat::Repeat;
use crate::machine::statements::{Key, Plan, PrepareWhen};
use crate::result::columns::Columns;

/// One request to the server, answered by one [`Event::Done`](crate::Event::Done).
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub(crate) begin: Option<Vec<u8>>,
    pub(crate) kind: RequestKind,
    pub(crate) offering: Option<Offering>,
    pub(crate) pipelined: bool,
}

/// Which rows a request offers before their result is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offering {
    /// Those of full buffers, if their fields have at least so many bytes on average.
    Long(usize),
    /// All that have arrived.
    Arrived,
}

/// What to do once a transaction is open. Large and rare variants are boxed, because requests are
/// moved often.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RequestKind {
    /// Simple queries, each sent after the one before succeeded.
    Script(Vec<Vec<u8>>),
    /// A simple query: the usual case of a script, without a list.
    Query(Vec<u8>),
    /// One statement, sent by either protocol.
    Statement(Vec<u8>),
    /// Statements in one flush, with one Sync after all of them.
    Batch(Arc<Batch>),
    /// Parse, a Bind and an Execute for each row, one Sync. There may be several Parses.
    Repeat(Box<Repeat>),
    /// FunctionCall.
    Function { oid: u32, args: Vec<Vec<u8>> },
    /// Parse / Bind / Describe / Execute / Sync.
    Extended(Box<Extended>),
    /// Parse / Describe / Sync of a named statement.
    Prepare(Box<Prepare>),
    /// Close / Sync of a named statement.
    Close { name: Vec<u8> },
    /// Parse / Bind / Describe / Execute without a Sync.
    Unsynced(Box<Extended>),
    /// A statement that may have been prepared before: Bind / Execute, with or without a Sync.
    Bound(Box<BoundRequest>),
    /// Sync alone.
    Sync,
}

/// A statement and the values of its parameters, which may run again and again.
#[derive(Clone, Debug, PartialEq)]
pub struct BoundStatement {
    pub(crate) key: Key,
    pub(crate) parameters: Parameters,
}

impl BoundStatement {
    /// Exactly one statement, with `$1` and so on, and its parameters.
    pub fn new(sql: Arc<[u8]>, mut parameters: Parameters) -> BoundStatement {
        let types = parameters.take_types();
        BoundStatement { key: Key { sql, types }, parameters }
    }

    /// The text of the statement.
    pub fn sql(&self) -> &Arc<[u8]> {
        &self.key.sql
    }

    /// How many bytes its text and its parameters take, about.
    pub fn size(&self) -> usize {
        self.key.sql.len() + self.parameters.size()
    }

    /// The types of its parameters.
    pub fn types(&self) -> &[u32] {
        &self.key.types
    }
}

/// The formats to ask for, once the columns of a statement are known.
#[derive(Clone, Debug, PartialEq)]
pub struct Formats {
    described: Arc<Columns>,
    columns: Arc<Columns>,
    codes: Vec<i16>,
}

impl Formats {
    /// These formats (0 is text, 1 is binary) for the columns that the server has described in text.
    pub fn new(described: Arc<Columns>, codes: Vec<i16>) -> Formats {
        let mut columns = Columns::clone(&described);
        for (column, code) in columns.0.iter_mut().zip(&codes) {
            column.format = *code;
        }
        // One code stands for all columns.
        let codes = if codes.iter().all(|code| *code == 1) { vec![1] } else { codes };
        Formats { described, columns: Arc::new(columns), codes }
    }

    /// The columns as the server has described them.
    pub fn described(&self) -> &Arc<Columns> {
        &self.described
    }

    /// The same columns in the formats to ask for.
    pub fn columns(&self) -> &Arc<Columns> {
        &self.columns
    }

    pub(crate) fn codes(&self) -> &[i16] {
        &self.codes
    }
}

/// A run of a statement.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BoundRequest {
    pub(crate) bound: Arc<BoundStatement>,
    pub(crate) prepare: PrepareWhen,
    pub(crate) formats: Option<Arc<Formats>>,
    /// Whether the formats count without a name, too.
    pub(crate) forced: bool,
    /// Whether a Sync follows.
    pub(crate) synced: bool,
    /// Whether to close the portal afterwards.
    pub(crate) closes: bool,
    /// Chosen when it is sent.
    pub(crate) plan: Plan,
}

/// A statement to prepare.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Prepare {
    pub(crate) name: Vec<u8>,
    pub(crate) sql: Vec<u8>,
    pub(crate) types: Vec<u32>,
}

/// A statement with separate parameters, by the extended query protocol.
///
/// <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY>
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extended {
    /// The prepared statement's name; empty for the unnamed one.
    pub statement: Vec<u8>,
    /// The text to parse first; `None` when the statement has been prepared before.
    pub sql: Option<Vec<u8>>,
    /// The parameters.
    pub parameters: Parameters,
    /// The formats of the columns: 0 is text, 1 is binary. A single one is for all columns; without
    /// any, all are text.
    pub result_formats: Vec<i16>,
    /// Whether to close the portal afterwards, so that the server keeps no snapshot for it. Not for
    /// a statement that may be COPY FROM: a server that awaits its data takes a Close for the end
    /// of the session.
    pub closes: bool,
}

impl Request {
    /// A simple query: one or more statements in one text.
    pub fn query(sql: Vec<u8>) -> Request {
        Request::of(RequestKind::Query(sql))
    }

    /// Exactly one statement, without server-side parameters (`$1`), whose reply is the same by the
    /// simple and by the extended query protocol. It is sent as a simple query, except together
    /// with a BEGIN to a peer that knows the extended protocol: see [`Request::begin`].
    pub fn statement(sql: Vec<u8>) -> Request {
        Request::of(RequestKind::Statement(sql))
    }

    /// Simple queries, one after another: each is sent after the one before succeeded, and the
    /// first error ends the script. The outcome is the last one's.
    pub fn script(queries: Vec<Vec<u8>>) -> Request {
        Request::of(RequestKind::Script(queries))
    }

    /// Statements sent together. The first error ends the batch, as if each statement had been sent
    /// after the one before succeeded. Their rows are dropped; the outcome has the last statement's
    /// tag, and counts.
    ///
    /// Use it in a transaction only: outside of one the server would run all statements as one
    /// transaction. Each text holds exactly one statement, and no COPY.
    pub fn batch(batch: Arc<Batch>) -> Request {
        Request::of(RequestKind::Batch(batch))
    }

    /// One statement, run once for each row of parameters. Errors and counts are as for
    /// [`Request::batch`]. Rows are dropped, or [kept](Repeat::keeping): all of them make one result.
    pub fn repeat(repeat: Repeat) -> Request {
        Request::of(RequestKind::Repeat(Box::new(repeat)))
    }

    /// Calls a function by its object identifier (the fast path), with binary arguments and result.
    ///
    /// <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-FUNCTION-CALL>
    pub fn function(oid: u32, args: Vec<Vec<u8>>) -> Request {
        Request::of(RequestKind::Function { oid, args })
    }

    /// A statement by the extended query protocol.
    pub fn extended(extended: Extended) -> Request {
        Request::of(RequestKind::Extended(Box::new(extended)))
    }

    /// Prepares a named statement. The result has its columns and its parameters' types.
    pub fn prepare(name: Vec<u8>, sql: Vec<u8>, types: Vec<u32>) -> Request {
        Request::of(RequestKind::Prepare(Box::new(Prepare { name, sql, types })))
    }

    /// Deallocates a named prepared statement. It is no error if there is none.
    pub fn close_statement(name: Vec<u8>) -> Request {
        Request::of(RequestKind::Close { name })
    }

    /// A statement by the extended query protocol without a Sync. It opens a group, or belongs to
    /// the one that is open, up to [`Request::sync`].
    ///
    /// Its outcome comes when its own replies are complete. The first error ends the group: the
    /// server skips the requests between there and the Sync, and their outcomes say so
    /// ([`Outcome::skipped`](crate::Outcome::skipped)). Without a BEGIN, all of a group that runs
    /// outside a transaction is one transaction.
    ///
    /// While a group is open, only its own requests are accepted. The first one may have a
    /// [BEGIN](Request::begin) if the peer [pipelines](crate::Engine::pipelines); it goes in the
    /// same group, and if it fails, nothing of the group runs. Send groups to such peers only:
    /// others may lose count of what a server skips.
    ///
    /// The server sends its replies, except for an error, when it gets the Sync or has many.
    pub fn unsynced(extended: Extended) -> Request {
        Request::of(RequestKind::Unsynced(Box::new(extended))).pipelined()
    }

    /// A statement that may run under a name: the session
    /// [decides](crate::Engine::set_statement_settings) when it is sent. What is known of its result is
    /// not asked for again. `formats` counts if the columns are still those that it is for.
    ///
    /// If the name turns out to be the fault of an error, [`Outcome::again`](crate::Outcome::again) says
    /// so.
    pub fn bound(
        bound: Arc<BoundStatement>,
        prepare: PrepareWhen,
        formats: Option<Arc<Formats>>,
    ) -> Request {
        let plan = Plan::UNNAMED;
        let (forced, synced, closes) = (false, true, true);
        let bound = BoundRequest { bound, prepare, formats, forced, synced, closes, plan };
        Request::of(RequestKind::Bound(Box::new(bound)))
    }

    /// The same for a statement whose columns were [described](Request::prepare) just now: the formats
    /// count even if it has no name.
    pub fn bound_in(
        bound: Arc<BoundStatement>,
        prepare: PrepareWhen,
        formats: Arc<Formats>,
    ) -> Request {
        let mut request = Request::bound(bound, prepare, Some(formats));
        if let RequestKind::Bound(bound) = &mut request.kind {
            bound.forced = true;
        }
        request
    }

    /// The same without a Sync, as a part of a group: see [`Request::unsynced`].
    pub fn unsynced_bound(bound: Arc<BoundStatement>, prepare: PrepareWhen) -> Request {
        let mut request = Request::bound(bound, prepare, None);
        if let RequestKind::Bound(bound) = &mut request.kind {
            bound.synced = false;
        }
        request.pipelined()
    }

    /// Ends the group of [`Request::unsynced`] that is open; or a Sync alone, which only asks for an
    /// answer.
    ///
    /// Its outcome has an error if the Sync itself failed, as an implicit COMMIT can.
    pub fn sync() -> Request {
        Request::of(RequestKind::Sync).pipelined()
    }

    /// Offers the rows of results while they arrive, if their fields have at least `long` bytes on
    /// average: [`Engine::offers_rows`](crate::Engine::offers_rows) says when there are some.
    #[must_use]
    pub fn offering(mut self, long: usize) -> Request {
        self.offering = Some(Offering::Long(long));
        self
    }

    /// Offers all rows of results as they arrive, for a stream of rows that may be slow.
    ///
    /// While there is more to read, take the rows of full buffers
    /// ([`Engine::offers_rows`](crate::Engine::offers_rows)), where they lie. When the socket is
    /// empty, take the others ([`Engine::offers_arrived_rows`](crate::Engine::offers_arrived_rows)):
    /// a few are copied.
    #[must_use]
    pub fn streaming(mut self) -> Request {
        self.offering = Some(Offering::Arrived);
        self
    }

    /// Lets the request be sent before the ones in front of it are answered, and be followed by
    /// others before it is answered itself: see
    /// [`Engine::accepts_pipelined`](crate::Engine::accepts_pipelined).
    ///
    /// Each request keeps its own Sync or Query, so it runs whatever has become of the others. A
    /// BEGIN that waits for its own success keeps others from following until then.
    ///
    /// Each text holds exactly one statement, which does not begin a COPY. A server that begins a
    /// COPY FROM all the same takes the messages behind it for data, and ends the session: if any
    /// were sent, the engine fails with a [`Violation`](crate::Violation); if none were, only the
    /// request fails.
    #[must_use]
    pub fn pipelined(mut self) -> Request {
        self.pipelined = true;
        self
    }

    fn of(kind: RequestKind) -> Request {
        Request { begin: None, kind, offering: None, pipelined: false }
    }

    /// Opens a transaction with the statement `sql` first. If that fails, nothing of the request is
    /// run.
    ///
    /// If the peer is known to accept it, a request of the extended query protocol goes in the same
    /// flush, with one Sync after both. Everything else waits until the BEGIN has succeeded:
    /// poolers, and servers that are not PostgreSQL, understand no other mixture
    /// (`docs/decisions/0002-begin-with-the-statement.md`).
    #[must_use]
    pub fn begin(mut self, sql: &[u8]) -> Request {
        self.begin = Some(sql.to_vec());
        self
    }
}
