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

/// What a message means in a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// An authentication request.
    Authenticate,
    /// The server speaks an older protocol.
    Negotiate,
    /// The session's cancel key.
    KeyData,
    /// A parameter's value.
    Parameter,
    /// A notice.
    Notice,
    /// A notification.
    Notification,
    /// The server does not let us in.
    Refuse,
    /// The server says why it will close the connection.
    LastWords,
    /// The request fails.
    Fail,
    /// The server is ready for the next request.
    Ready,
    /// Nothing but a step on the way.
    Step(Phase),
    /// The BEGIN in front of the request has succeeded.
    Begun,
    /// A statement is parsed.
    Parsed,
    /// The types of a statement's parameters.
    ParameterTypes,
    /// The columns of the rows that follow.
    Columns(Phase),
    /// A row.
    Row,
    /// A statement is complete.
    Complete,
    /// The text held no statement.
    Empty,
    /// A function's result.
    FunctionValue,
    /// COPY FROM begins.
    CopyIn,
    /// COPY TO begins.
    CopyOut,
    /// Streaming replication begins.
    CopyBoth,
    /// Data of a COPY.
    CopyData,
    /// The server ends a stream that we have not ended.
    StreamEnd,
    /// There is no place for the message here.
    Unexpected,
}

/// Every message of every phase, in one place.
///
/// <https://www.postgresql.org/docs/current/protocol-flow.html>. ParameterStatus, NoticeResponse
/// and NotificationResponse may come at any time:
/// <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-ASYNC>
pub(crate) fn action(phase: Phase, message: u8) -> Action {
    use Action as A;
    use Phase as P;
    match (phase, message) {
        (P::Failed | P::Closed, _) => A::Unexpected,

        (_, b'S') => A::Parameter,
        (_, b'N') => A::Notice,
        (_, b'A') => A::Notification,

        (P::Authenticate, b'R') => A::Authenticate,
        (P::Authenticate, b'v') => A::Negotiate,
        (P::Start, b'K') => A::KeyData,
        (P::Authenticate | P::Start, b'E') => A::Refuse,
        (P::Idle, b'E') => A::LastWords,
        (_, b'E') => A::Fail,

        (P::BeginParse, b'1') => A::Step(P::BeginBind),
        (P::BeginBind, b'2') => A::Step(P::BeginExecute),
        (P::BeginExecute, b'C') => A::Begun,

        (P::Query, b'T') => A::Columns(P::QueryRows),
        (P::QueryRows, b'D') => A::Row,

        (P::Parse, b'1') => A::Parsed,
        (P::Bind, b'2') => A::Step(P::Describe),
        (P::DescribeParameters, b't') => A::ParameterTypes,
        (P::Describe, b'T') => A::Columns(P::Execute),
        (P::Describe, b'n') => A::Step(P::Execute),
        (P::DescribeRows, b'T') => A::Columns(P::Sync),
        (P::DescribeRows, b'n') | (P::Close, b'3') => A::Step(P::Sync),
        (P::Execute, b'D') => A::Row,
        (P::Function, b'V') => A::FunctionValue,

        (P::Query | P::QueryRows | P::Execute | P::CopyEnd, b'C') => A::Complete,
        (P::Query | P::Execute, b'I') => A::Empty,
        (P::Query | P::Execute, b'G') => A::CopyIn,
        (P::Query | P::Execute, b'H') => A::CopyOut,
        (P::Query | P::Execute, b'W') => A::CopyBoth,

        (P::CopyOut | P::CopyBoth | P::CopyBothEnd, b'd') => A::CopyData,
        (P::CopyOut | P::CopyBothEnd, b'c') => A::Step(P::CopyEnd),
        (P::CopyBoth, b'c') => A::StreamEnd,
        // The end of a timeline comes as a table behind the stream.
        (P::CopyEnd, b'T') => A::Columns(P::QueryRows),

        (P::Start | P::Query | P::Sync | P::Drain, b'Z') => A::Ready,
        _ => A::Unexpected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHASES: [Phase; 25] = [
        Phase::Authenticate,
        Phase::Start,
        Phase::Idle,
        Phase::BeginParse,
        Phase::BeginBind,
        Phase::BeginExecute,
        Phase::Query,
        Phase::QueryRows,
        Phase::Parse,
        Phase::Bind,
        Phase::DescribeParameters,
        Phase::Describe,
        Phase::DescribeRows,
        Phase::Execute,
        Phase::Close,
        Phase::Sync,
        Phase::Function,
        Phase::CopyIn,
        Phase::CopyOut,
        Phase::CopyBoth,
        Phase::CopyBothEnd,
        Phase::CopyEnd,
        Phase::Drain,
        Phase::Failed,
        Phase::Closed,
    ];

    /// What is legal in a phase besides what is legal in all of them.
    fn legal(phase: Phase) -> &'static str {
        match phase {
            Phase::Authenticate => "RvE",
            Phase::Start => "KZE",
            Phase::Idle | Phase::CopyIn => "E",
            Phase::BeginParse | Phase::Parse => "1E",
            Phase::BeginBind | Phase::Bind => "2E",
            Phase::BeginExecute => "CE",
            Phase::Query => "TCIGHWZE",
            Phase::QueryRows => "DCE",
            Phase::DescribeParameters => "tE",
            Phase::Describe | Phase::DescribeRows => "TnE",
            Phase::Execute => "DCIGHWE",
            Phase::Close => "3E",
            Phase::Sync | Phase::Drain => "ZE",
            Phase::Function => "VE",
            Phase::CopyOut | Phase::CopyBoth | Phase::CopyBothEnd => "dcE",
            Phase::CopyEnd => "CTE",
            Phase::Failed | Phase::Closed => "",
        }
    }

    #[test]
    fn every_pair_is_decided() {
        for phase in PHASES {
            for message in 0..=u8::MAX {
                let over = matches!(phase, Phase::Failed | Phase::Closed);
                let anywhere = !over && b"SNA".contains(&message);
                let expected = anywhere || legal(phase).as_bytes().contains(&message);
                let found = action(phase, message) != Action::Unexpected;
                assert_eq!(found, expected, "{phase:?} {:?}", char::from(message));
            }
        }
    }
}
