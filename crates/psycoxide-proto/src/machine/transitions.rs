//! Where a conversation can be.

/// Where the conversation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// The StartupMessage is out; the server has not accepted us yet.
    Authenticate,
    /// Authenticated; the session's parameters arrive.
    Start,
    /// Ready for a request.
    Idle,
    /// A BEGIN sent in the request's flush: its ParseComplete is awaited.
    BeginParse,
    /// … its BindComplete.
    BeginBind,
    /// … its CommandComplete.
    BeginExecute,
    /// A simple query runs: an answer to its next statement is awaited.
    Query,
    /// A simple query's rows arrive.
    QueryRows,
    /// Extended query: ParseComplete is awaited.
    Parse,
    /// Extended query: BindComplete is awaited.
    Bind,
    /// Extended query: ParameterDescription is awaited.
    DescribeParameters,
    /// Extended query: a portal's RowDescription or NoData is awaited.
    Describe,
    /// Extended query: a prepared statement's RowDescription or NoData is awaited.
    DescribeRows,
    /// Extended query: the answer to Execute is awaited.
    Execute,
    /// Extended query: CloseComplete is awaited.
    Close,
    /// All is answered but the ReadyForQuery.
    Sync,
    /// A function call runs.
    Function,
    /// COPY FROM: the driver sends data.
    CopyIn,
    /// COPY TO: data arrive.
    CopyOut,
    /// Streaming replication: data flow both ways.
    CopyBoth,
    /// Streaming replication: we have ended, the server has not.
    CopyBothEnd,
    /// A COPY's data are over: its CommandComplete is awaited.
    CopyEnd,
    /// An error was reported: the server is on its way to ReadyForQuery.
    Drain,
    /// The engine has failed, see [`Engine::error`](crate::Engine::error).
    Failed,
    /// The driver has said good-bye.
    Closed,
}
