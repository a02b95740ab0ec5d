//! Every transition of a conversation, in one table.
//!
//! A conversation is in a [`Phase`]. A message that arrives in it either has a [`Rule`] (what to
//! do, and the next phase) or breaks the protocol. The paths through the phases:
//!
//! ```text
//! Authenticate ─► Start ─► Idle ─submit─► …one of…                                  ─► Idle
//!                                         Query ⇄ QueryRows                           (ReadyForQuery)
//!                                         PipelinedQuery (► ExecuteRows) ► Sync
//!   Begin ► BeginReady ► any of these
//!   BeginParse ► BeginBind ► BeginExecute (► BeginReady) ► any of these
//!  (ProbeParse ► ProbeBind ► ProbeExecute ►) (StatementClose ►)
//!                                         Parse ► Bind ► Describe ► Execute… ► Sync
//!                                         ParseNamed ► Bind …;  BindKnown ► Execute… ► Sync
//!                                         Parse ► DescribeParameters ► DescribeRows ► Sync
//!                                         BatchParse ► BatchBind ► BatchExecute ► BatchParse …
//!                                         RepeatParse ► RepeatBind ⇄ RepeatExecute
//!                                         KeptParse ► KeptParameters ► KeptDescribe ► KeptBind ⇄ KeptRows
//!                                         Close ► Sync
//!   (Group ►) Parse ► Bind ► Describe ► Execute… (► GroupClose) ► Group … GroupSync
//!                                         Function ► Sync
//!   Query/Execute ► CopyIn ─copy_done─► CopyEnd;  CopyOut ► CopyEnd;  CopyBoth (► CopyBothEnd)
//!   any of them ─ErrorResponse─► Drain, but BeginParse ─ErrorResponse─► BeginRefused ► Begin,
//!                                     and in a group ─ErrorResponse─► GroupFailed, up to its Sync
//! ```
//!
//! NoticeResponse, ParameterStatus and NotificationResponse may arrive in every phase of an
//! established session ("Frontends must be prepared to deal with these messages at any time",
//! <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-ASYNC>). Before
//! authentication only NoticeResponse may, as in libpq: who has not let us in has no parameters
//! to report.

/// The phase of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// The StartupMessage is out; the server has not accepted us yet.
    Authenticate,
    /// Authenticated; the session's parameters arrive.
    Start,
    /// Ready for a request.
    Idle,
    /// A simple BEGIN, sent alone: its CommandComplete is awaited.
    Begin,
    /// … its ReadyForQuery.
    BeginReady,
    /// The peer has refused a BEGIN by the extended query protocol. Its other replies to that are
    /// awaited before a simple BEGIN is sent.
    BeginRefused,
    /// A BEGIN by the extended query protocol: its ParseComplete is awaited.
    BeginParse,
    /// … its BindComplete.
    BeginBind,
    /// … its CommandComplete.
    BeginExecute,
    /// A simple query runs: the reply to its next statement is awaited.
    Query,
    /// A simple query's rows arrive.
    QueryRows,
    /// A pipelined simple query: the reply to its only statement is awaited.
    PipelinedQuery,
    /// The process's number is asked for, in front of a statement: ParseComplete is awaited.
    ProbeParse,
    /// … its BindComplete.
    ProbeBind,
    /// … its row and its CommandComplete.
    ProbeExecute,
    /// Statements that lose their names are closed in front of one: a CloseComplete is awaited.
    StatementClose,
    /// Extended query: ParseComplete is awaited.
    Parse,
    /// … of a statement that gets a name.
    ParseNamed,
    /// Extended query: the BindComplete of a statement is awaited whose result is known.
    BindKnown,
    /// Extended query: BindComplete is awaited.
    Bind,
    /// Extended query: the portal's RowDescription or NoData is awaited.
    Describe,
    /// Extended query: the reply to an Execute without rows is awaited.
    Execute,
    /// Extended query, or a pipelined simple one: rows arrive.
    ExecuteRows,
    /// A batch: the next statement's ParseComplete is awaited, or the end.
    BatchParse,
    /// … its BindComplete.
    BatchBind,
    /// … its rows, which are dropped, and its CommandComplete.
    BatchExecute,
    /// A statement with rows of parameters: its ParseComplete is awaited.
    RepeatParse,
    /// … the BindComplete of its next row, the ParseComplete of the next statement, or the end.
    RepeatBind,
    /// … that row's CommandComplete; rows of a result are dropped.
    RepeatExecute,
    /// The same with the rows of the results kept: its ParseComplete is awaited.
    KeptParse,
    /// … its ParameterDescription.
    KeptParameters,
    /// … its RowDescription or NoData.
    KeptDescribe,
    /// … the BindComplete of its next row, the ParseComplete of the next statement, or the end.
    KeptBind,
    /// … that row's result, and its CommandComplete.
    KeptRows,
    /// Preparing a statement: ParseComplete is awaited.
    PrepareParse,
    /// Preparing a statement: ParameterDescription is awaited.
    DescribeParameters,
    /// Preparing a statement: RowDescription or NoData is awaited.
    DescribeRows,
    /// Closing a statement: CloseComplete is awaited.
    Close,
    /// Only the CloseComplete of a portal and the ReadyForQuery are still awaited.
    Sync,
    /// A group is open, and all that was sent of it is answered.
    Group,
    /// A group is open, and a request of it has failed: the server skips all up to the Sync.
    GroupFailed,
    /// A statement of a group has run: the CloseComplete of its portal is awaited.
    GroupClose,
    /// The end of a group, or a Sync alone: its ReadyForQuery is awaited.
    GroupSync,
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
    /// The data of a COPY have ended: its CommandComplete is awaited.
    CopyEnd,
    /// An error was reported: the server is on its way to ReadyForQuery.
    Drain,
    /// The engine has failed, see [`Engine::error`](crate::Engine::error).
    Failed,
    /// The driver has said good-bye.
    Closed,
}

impl Phase {
    /// Whether the session is still being opened.
    pub fn is_opening(self) -> bool {
        matches!(self, Phase::Authenticate | Phase::Start)
    }

    /// Whether a reply of the server is awaited.
    pub fn is_waiting(self) -> bool {
        !matches!(
            self,
            Phase::Idle | Phase::Group | Phase::GroupFailed | Phase::Failed | Phase::Closed
        )
    }
}

/// Every phase, in the order of declaration.
const PHASES: [Phase; 52] = [
    Phase::Authenticate,
    Phase::Start,
    Phase::Idle,
    Phase::Begin,
    Phase::BeginReady,
    Phase::BeginRefused,
    Phase::BeginParse,
    Phase::BeginBind,
    Phase::BeginExecute,
    Phase::Query,
    Phase::QueryRows,
    Phase::PipelinedQuery,
    Phase::ProbeParse,
    Phase::ProbeBind,
    Phase::ProbeExecute,
    Phase::StatementClose,
    Phase::Parse,
    Phase::ParseNamed,
    Phase::BindKnown,
    Phase::Bind,
    Phase::Describe,
    Phase::Execute,
    Phase::ExecuteRows,
    Phase::BatchParse,
    Phase::BatchBind,
    Phase::BatchExecute,
    Phase::RepeatParse,
    Phase::RepeatBind,
    Phase::RepeatExecute,
    Phase::KeptParse,
    Phase::KeptParameters,
    Phase::KeptDescribe,
    Phase::KeptBind,
    Phase::KeptRows,
    Phase::PrepareParse,
    Phase::DescribeParameters,
    Phase::DescribeRows,
    Phase::Close,
    Phase::Sync,
    Phase::Group,
    Phase::GroupFailed,
    Phase::GroupClose,
    Phase::GroupSync,
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

/// Declares the messages of the backend, each with its type byte.
macro_rules! messages {
    ($($(#[$doc:meta])* $name:ident = $byte:literal,)*) => {
        /// A type of message that the server sends.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Message { $($(#[$doc])* $name,)* }

        impl Message {
            pub(crate) const ALL: &[Message] = &[$(Message::$name,)*];

            pub(crate) fn from_byte(byte: u8) -> Option<Message> {
                *BY_BYTE.get(usize::from(byte))?
            }

            pub(crate) const fn byte(self) -> u8 {
                match self { $(Message::$name => $byte,)* }
            }
        }
    };
}

messages! {
    Authentication = b'R',
    BackendKeyData = b'K',
    BindComplete = b'2',
    CloseComplete = b'3',
    CommandComplete = b'C',
    CopyBothResponse = b'W',
    CopyData = b'd',
    CopyDone = b'c',
    CopyInResponse = b'G',
    CopyOutResponse = b'H',
    DataRow = b'D',
    EmptyQueryResponse = b'I',
    ErrorResponse = b'E',
    FunctionCallResponse = b'V',
    NegotiateProtocolVersion = b'v',
    NoData = b'n',
    NoticeResponse = b'N',
    NotificationResponse = b'A',
    ParameterDescription = b't',
    ParameterStatus = b'S',
    ParseComplete = b'1',
    /// Never legal here: Execute asks for all rows.
    PortalSuspended = b's',
    ReadyForQuery = b'Z',
    RowDescription = b'T',
}

/// What to do with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Queue a notice.
    Notice,
    /// Store a parameter's new value.
    Parameter,
    /// Queue a notification.
    Notification,
    /// Take the next step of authentication. After AuthenticationOk the phase is `Start`.
    Authenticate,
    /// Accept an older protocol version.
    Negotiate,
    /// Store the cancel key.
    Key,
    /// The server refuses the connection: fail.
    Refused,
    /// An ErrorResponse outside of any request: the server's last words.
    LastWords,
    /// ReadyForQuery: send the request's next query, or finish the request.
    Ready,
    /// Check that the message is empty.
    Acknowledge,
    /// Ignore the message.
    Ignore,
    /// A simple BEGIN has succeeded: await its ReadyForQuery.
    Begun,
    /// A BEGIN by the extended query protocol has succeeded, so the peer knows that protocol. Await
    /// its ReadyForQuery, or the replies to the request itself if that was sent with it.
    BegunExtended,
    /// A BEGIN by the extended query protocol was refused: send a simple one if that may help.
    BeginRefused,
    /// A Sync was answered and the BEGIN before it was not: as `BeginRefused`.
    BeginIgnored,
    /// The request failed.
    Error,
    /// The process's number has come.
    Process,
    /// All of the answer about the process has come.
    Probed,
    /// A statement has lost its name.
    StatementClosed,
    /// A statement has its name.
    Named,
    /// A statement is bound whose result is known: it begins.
    Bound,
    /// A result with rows begins.
    Columns,
    /// A prepared statement's columns.
    PreparedColumns,
    /// The statement returns no rows.
    NoColumns,
    /// A prepared statement's parameter types.
    ParameterTypes,
    /// Rows arrive.
    Rows,
    /// A statement is complete.
    Complete,
    /// A portal has been executed. Of a group, its request ends here unless it closes the portal.
    Executed,
    /// A portal is closed that was executed without a Sync: its request ends here.
    PortalClosed,
    /// A row whose data nobody wants.
    DropRow,
    /// A statement of a batch is complete.
    BatchComplete,
    /// The columns of a statement that runs once for each row of parameters.
    KeptColumns,
    /// Such a statement returns no rows.
    NoKeptColumns,
    /// Such a statement has run once.
    KeptComplete,
    /// A COPY is complete: on to `Query` or `Sync`.
    CopyComplete,
    /// The text held no statement.
    Empty,
    /// The function's value.
    Value,
    /// Tell the driver that it may send the data of a COPY FROM.
    CopyIn,
    /// COPY FROM by the extended query protocol or by a pipelined query, which is not supported:
    /// fail the COPY.
    RefuseCopyIn,
    /// Tell the driver that a COPY TO begins.
    CopyOut,
    /// Tell the driver that streaming replication begins.
    CopyBoth,
    /// Hand a block of data to the driver.
    CopyData,
    /// Hand one message of the stream to the driver.
    StreamData,
    /// The server ends the stream: end it too.
    StreamEnd,
}

/// The consequence of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) action: Action,
    /// The next phase. `Authenticate`, `Ready`, `Probed`, `StatementClosed`, `Bound`, `BegunExtended`, `BeginRefused`, `BeginIgnored`,
    /// `Executed`, `Empty`, `CopyComplete` and `Error` may choose another one.
    pub(crate) next: Phase,
}

/// The messages by type byte.
#[expect(clippy::indexing_slicing, reason = "the compiler runs it, and stops where it is wrong")]
static BY_BYTE: [Option<Message>; 256] = {
    let mut table = [None; 256];
    let mut number = 0;
    while number < Message::ALL.len() {
        let message = Message::ALL[number];
        table[message.byte() as usize] = Some(message);
        number += 1;
    }
    table
};

/// Built at compile time: dispatch is one table lookup instead of unpredictable branches.
#[expect(clippy::indexing_slicing, reason = "the compiler runs it, and stops where it is wrong")]
static RULES: [[Option<Rule>; Message::ALL.len()]; PHASES.len()] = {
    let mut table = [[None; Message::ALL.len()]; PHASES.len()];
    let mut row = 0;
    while row < PHASES.len() {
        let mut column = 0;
        while column < Message::ALL.len() {
            let (phase, message) = (PHASES[row], Message::ALL[column]);
            if let Some((action, next)) = entry(phase, message) {
                table[phase as usize][message as usize] = Some(Rule { action, next });
            }
            column += 1;
        }
        row += 1;
    }
    table
};

/// The rule for a message in a phase; `None` if the message breaks the protocol there.
pub(crate) fn rule(phase: Phase, message: Message) -> Option<Rule> {
    *RULES.get(phase as usize)?.get(message as usize)?
}

type Entry = Option<(Action, Phase)>;

/// The same rule, from the patterns below.
const fn entry(phase: Phase, message: Message) -> Entry {
    let own = match phase {
        Phase::Failed | Phase::Closed => return None,
        Phase::Authenticate => return authenticate(message),
        Phase::Start => start(message),
        Phase::Idle => idle(message),
        _ => request(phase, message),
    };
    match own {
        None => asynchronous(phase, message),
        own => own,
    }
}

/// The messages that may arrive at any time.
const fn asynchronous(phase: Phase, message: Message) -> Entry {
    match message {
        Message::NoticeResponse => Some((Action::Notice, phase)),
        Message::ParameterStatus => Some((Action::Parameter, phase)),
        Message::NotificationResponse => Some((Action::Notification, phase)),
        _ => None,
    }
}

const fn authenticate(message: Message) -> Entry {
    match message {
        Message::Authentication => Some((Action::Authenticate, Phase::Authenticate)),
        Message::NegotiateProtocolVersion => Some((Action::Negotiate, Phase::Authenticate)),
        Message::NoticeResponse => Some((Action::Notice, Phase::Authenticate)),
        Message::ErrorResponse => Some((Action::Refused, Phase::Failed)),
        _ => None,
    }
}

const fn start(message: Message) -> Entry {
    match message {
        Message::BackendKeyData => Some((Action::Key, Phase::Start)),
        Message::ReadyForQuery => Some((Action::Ready, Phase::Idle)),
        Message::ErrorResponse => Some((Action::Refused, Phase::Failed)),
        _ => None,
    }
}

const fn idle(message: Message) -> Entry {
    match message {
        Message::ErrorResponse => Some((Action::LastWords, Phase::Idle)),
        // Some poolers send one too many: it says nothing new.
        Message::ReadyForQuery => Some((Action::Ignore, Phase::Idle)),
        _ => None,
    }
}

/// The rules while a request runs.
const fn request(phase: Phase, message: Message) -> Entry {
    use Message as M;
    if matches!(message, M::ErrorResponse) {
        return Some(match phase {
            Phase::BeginParse | Phase::BeginRefused => (Action::BeginRefused, Phase::Drain),
            Phase::Group | Phase::GroupFailed => (Action::Error, Phase::GroupFailed),
            _ => (Action::Error, Phase::Drain),
        });
    }
    match (phase, message) {
        (Phase::Begin, M::CommandComplete) => Some((Action::Begun, Phase::BeginReady)),
        (Phase::BeginReady, M::ReadyForQuery) => Some((Action::Ready, Phase::Idle)),
        (Phase::BeginParse | Phase::BeginRefused, M::ReadyForQuery) => {
            Some((Action::BeginIgnored, phase))
        }
        (Phase::BeginParse, M::ParseComplete) => Some((Action::Acknowledge, Phase::BeginBind)),
        (Phase::BeginBind, M::BindComplete) => Some((Action::Acknowledge, Phase::BeginExecute)),
        (Phase::BeginExecute, M::CommandComplete) => {
            Some((Action::BegunExtended, Phase::BeginReady))
        }

        (Phase::Query, M::RowDescription) => Some((Action::Columns, Phase::QueryRows)),
        (Phase::Query | Phase::QueryRows, M::CommandComplete) => {
            Some((Action::Complete, Phase::Query))
        }
        (Phase::Query, M::EmptyQueryResponse) => Some((Action::Empty, Phase::Query)),
        (Phase::Query, M::CopyInResponse) => Some((Action::CopyIn, Phase::CopyIn)),
        (Phase::Query | Phase::PipelinedQuery | Phase::Execute, M::CopyOutResponse) => {
            Some((Action::CopyOut, Phase::CopyOut))
        }
        (Phase::Query, M::CopyBothResponse) => Some((Action::CopyBoth, Phase::CopyBoth)),
        (Phase::QueryRows | Phase::ExecuteRows, M::DataRow) => Some((Action::Rows, phase)),
        // Some servers describe rows twice. As in libpq, another result begins.
        (Phase::QueryRows | Phase::ExecuteRows, M::RowDescription) => {
            Some((Action::Columns, phase))
        }

        (Phase::ProbeParse, M::ParseComplete) => Some((Action::Acknowledge, Phase::ProbeBind)),
        (Phase::ProbeBind, M::BindComplete) => Some((Action::Acknowledge, Phase::ProbeExecute)),
        (Phase::ProbeExecute, M::DataRow) => Some((Action::Process, Phase::ProbeExecute)),
        (Phase::ProbeExecute, M::CommandComplete) => Some((Action::Probed, Phase::Parse)),
        (Phase::StatementClose, M::CloseComplete) => {
            Some((Action::StatementClosed, Phase::StatementClose))
        }
        (Phase::ParseNamed, M::ParseComplete) => Some((Action::Named, Phase::Bind)),
        (Phase::BindKnown, M::BindComplete) => Some((Action::Bound, Phase::Execute)),
        (Phase::Parse, M::ParseComplete) => Some((Action::Acknowledge, Phase::Bind)),
        (Phase::Bind, M::BindComplete) => Some((Action::Acknowledge, Phase::Describe)),
        (Phase::Describe | Phase::PipelinedQuery, M::RowDescription) => {
            Some((Action::Columns, Phase::ExecuteRows))
        }
        (Phase::Describe, M::NoData) => Some((Action::NoColumns, Phase::Execute)),
        // No ReadyForQuery without such a reply before it ends a pipelined query: a surplus one
        // would give each request the reply to the one before it.
        (Phase::PipelinedQuery | Phase::Execute | Phase::ExecuteRows, M::CommandComplete) => {
            Some((Action::Executed, Phase::Sync))
        }
        (Phase::PipelinedQuery | Phase::Execute, M::EmptyQueryResponse) => {
            Some((Action::Empty, Phase::Sync))
        }
        (Phase::PipelinedQuery | Phase::Execute, M::CopyInResponse) => {
            Some((Action::RefuseCopyIn, Phase::CopyEnd))
        }

        (Phase::BatchParse, M::ParseComplete) => Some((Action::Acknowledge, Phase::BatchBind)),
        (Phase::BatchBind, M::BindComplete) => Some((Action::Acknowledge, Phase::BatchExecute)),
        (Phase::BatchExecute, M::DataRow) => Some((Action::DropRow, phase)),
        (Phase::BatchExecute, M::CommandComplete) => {
            Some((Action::BatchComplete, Phase::BatchParse))
        }

        (Phase::RepeatParse | Phase::RepeatBind, M::ParseComplete) => {
            Some((Action::Acknowledge, Phase::RepeatBind))
        }
        (Phase::RepeatBind, M::BindComplete) => Some((Action::Acknowledge, Phase::RepeatExecute)),
        (Phase::RepeatExecute, M::DataRow) => Some((Action::DropRow, phase)),
        (Phase::RepeatExecute, M::CommandComplete) => {
            Some((Action::BatchComplete, Phase::RepeatBind))
        }

        (Phase::KeptParse | Phase::KeptBind, M::ParseComplete) => {
            Some((Action::Acknowledge, Phase::KeptParameters))
        }
        (Phase::KeptParameters, M::ParameterDescription) => {
            Some((Action::Ignore, Phase::KeptDescribe))
        }
        (Phase::KeptDescribe, M::RowDescription) => Some((Action::KeptColumns, Phase::KeptBind)),
        (Phase::KeptDescribe, M::NoData) => Some((Action::NoKeptColumns, Phase::KeptBind)),
        (Phase::KeptBind, M::BindComplete) => Some((Action::Acknowledge, Phase::KeptRows)),
        (Phase::KeptRows, M::DataRow) => Some((Action::Rows, phase)),
        (Phase::KeptRows, M::CommandComplete) => Some((Action::KeptComplete, Phase::KeptBind)),

        (Phase::PrepareParse, M::ParseComplete) => {
            Some((Action::Acknowledge, Phase::DescribeParameters))
        }
        (Phase::DescribeParameters, M::ParameterDescription) => {
            Some((Action::ParameterTypes, Phase::DescribeRows))
        }
        (Phase::DescribeRows, M::RowDescription) => Some((Action::PreparedColumns, Phase::Sync)),
        (Phase::DescribeRows, M::NoData) => Some((Action::NoColumns, Phase::Sync)),
        // The statement is closed; or, after a statement was run, its portal.
        (Phase::Close | Phase::Sync, M::CloseComplete) => Some((Action::Acknowledge, Phase::Sync)),

        (Phase::GroupClose, M::CloseComplete) => Some((Action::PortalClosed, Phase::Group)),

        (Phase::Function, M::FunctionCallResponse) => Some((Action::Value, Phase::Sync)),

        (Phase::CopyOut, M::CopyData) => Some((Action::CopyData, Phase::CopyOut)),
        (Phase::CopyOut, M::CopyDone) => Some((Action::Acknowledge, Phase::CopyEnd)),
        (Phase::CopyEnd, M::CommandComplete) => Some((Action::CopyComplete, Phase::Query)),
        (Phase::CopyBoth | Phase::CopyBothEnd, M::CopyData) => Some((Action::StreamData, phase)),
        (Phase::CopyBoth, M::CopyDone) => Some((Action::StreamEnd, Phase::Query)),
        (Phase::CopyBothEnd, M::CopyDone) => Some((Action::Acknowledge, Phase::Query)),
        // A server that shuts down completes the command without a CopyDone.
        (Phase::CopyBoth | Phase::CopyBothEnd, M::CommandComplete) => {
            Some((Action::Complete, Phase::Query))
        }

        // Odyssey may send these after the error, although they answer earlier messages: it replies
        // itself for texts that it knows.
        (
            Phase::Drain | Phase::GroupFailed,
            M::ParseComplete | M::BindComplete | M::CloseComplete,
        ) => Some((Action::Ignore, phase)),

        (
            Phase::Query
            | Phase::BatchParse
            | Phase::RepeatBind
            | Phase::KeptBind
            | Phase::Sync
            | Phase::GroupSync
            | Phase::Drain,
            M::ReadyForQuery,
        ) => Some((Action::Ready, Phase::Idle)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything legal but the asynchronous messages: for each phase the type bytes of the
    /// messages that have a rule, and the phase that each leads to.
    const LEGAL: &[(Phase, &[(u8, Phase)])] = &[
        (
            Phase::Authenticate,
            &[
                (b'R', Phase::Authenticate),
                (b'v', Phase::Authenticate),
                (b'N', Phase::Authenticate),
                (b'E', Phase::Failed),
            ],
        ),
        (Phase::Start, &[(b'K', Phase::Start), (b'Z', Phase::Idle), (b'E', Phase::Failed)]),
        (Phase::Idle, &[(b'E', Phase::Idle), (b'Z', Phase::Idle)]),
        (Phase::Begin, &[(b'C', Phase::BeginReady), (b'E', Phase::Drain)]),
        (Phase::BeginReady, &[(b'Z', Phase::Idle), (b'E', Phase::Drain)]),
        (Phase::BeginRefused, &[(b'E', Phase::Drain), (b'Z', Phase::BeginRefused)]),
        (
            Phase::BeginParse,
            &[(b'1', Phase::BeginBind), (b'E', Phase::Drain), (b'Z', Phase::BeginParse)],
        ),
        (Phase::BeginBind, &[(b'2', Phase::BeginExecute), (b'E', Phase::Drain)]),
        (Phase::BeginExecute, &[(b'C', Phase::BeginReady), (b'E', Phase::Drain)]),
        (
            Phase::Query,
            &[
                (b'T', Phase::QueryRows),
                (b'C', Phase::Query),
                (b'I', Phase::Query),
                (b'G', Phase::CopyIn),
                (b'H', Phase::CopyOut),
                (b'W', Phase::CopyBoth),
                (b'E', Phase::Drain),
                (b'Z', Phase::Idle),
            ],
        ),
        (
            Phase::QueryRows,
            &[
                (b'D', Phase::QueryRows),
                (b'T', Phase::QueryRows),
                (b'C', Phase::Query),
                (b'E', Phase::Drain),
            ],
        ),
        (
            Phase::PipelinedQuery,
            &[
                (b'T', Phase::ExecuteRows),
                (b'C', Phase::Sync),
                (b'I', Phase::Sync),
                (b'G', Phase::CopyEnd),
                (b'H', Phase::CopyOut),
                (b'E', Phase::Drain),
            ],
        ),
        (Phase::ProbeParse, &[(b'1', Phase::ProbeBind), (b'E', Phase::Drain)]),
        (Phase::ProbeBind, &[(b'2', Phase::ProbeExecute), (b'E', Phase::Drain)]),
        (
            Phase::ProbeExecute,
            &[(b'D', Phase::ProbeExecute), (b'C', Phase::Parse), (b'E', Phase::Drain)],
        ),
        (Phase::StatementClose, &[(b'3', Phase::StatementClose), (b'E', Phase::Drain)]),
        (Phase::Parse, &[(b'1', Phase::Bind), (b'E', Phase::Drain)]),
        (Phase::ParseNamed, &[(b'1', Phase::Bind), (b'E', Phase::Drain)]),
        (Phase::BindKnown, &[(b'2', Phase::Execute), (b'E', Phase::Drain)]),
        (Phase::Bind, &[(b'2', Phase::Describe), (b'E', Phase::Drain)]),
        (
            Phase::Describe,
            &[(b'T', Phase::ExecuteRows), (b'n', Phase::Execute), (b'E', Phase::Drain)],
        ),
        (
            Phase::Execute,
            &[
                (b'C', Phase::Sync),
                (b'I', Phase::Sync),
                (b'G', Phase::CopyEnd),
                (b'H', Phase::CopyOut),
                (b'E', Phase::Drain),
            ],
        ),
        (
            Phase::ExecuteRows,
            &[
                (b'D', Phase::ExecuteRows),
                (b'T', Phase::ExecuteRows),
                (b'C', Phase::Sync),
                (b'E', Phase::Drain),
            ],
        ),
        (Phase::BatchParse, &[(b'1', Phase::BatchBind), (b'E', Phase::Drain), (b'Z', Phase::Idle)]),
        (Phase::BatchBind, &[(b'2', Phase::BatchExecute), (b'E', Phase::Drain)]),
        (
            Phase::BatchExecute,
            &[(b'D', Phase::BatchExecute), (b'C', Phase::BatchParse), (b'E', Phase::Drain)],
        ),
        (Phase::RepeatParse, &[(b'1', Phase::RepeatBind), (b'E', Phase::Drain)]),
        (
            Phase::RepeatBind,
            &[
                (b'1', Phase::RepeatBind),
                (b'2', Phase::RepeatExecute),
                (b'E', Phase::Drain),
                (b'Z', Phase::Idle),
            ],
        ),
        (
            Phase::RepeatExecute,
            &[(b'D', Phase::RepeatExecute), (b'C', Phase::RepeatBind), (b'E', Phase::Drain)],
        ),
        (Phase::KeptParse, &[(b'1', Phase::KeptParameters), (b'E', Phase::Drain)]),
        (Phase::KeptParameters, &[(b't', Phase::KeptDescribe), (b'E', Phase::Drain)]),
        (
            Phase::KeptDescribe,
            &[(b'T', Phase::KeptBind), (b'n', Phase::KeptBind), (b'E', Phase::Drain)],
        ),
        (
            Phase::KeptBind,
            &[
                (b'1', Phase::KeptParameters),
                (b'2', Phase::KeptRows),
                (b'E', Phase::Drain),
                (b'Z', Phase::Idle),
            ],
        ),
        (
            Phase::KeptRows,
            &[(b'D', Phase::KeptRows), (b'C', Phase::KeptBind), (b'E', Phase::Drain)],
        ),
        (Phase::PrepareParse, &[(b'1', Phase::DescribeParameters), (b'E', Phase::Drain)]),
        (Phase::DescribeParameters, &[(b't', Phase::DescribeRows), (b'E', Phase::Drain)]),
        (Phase::DescribeRows, &[(b'T', Phase::Sync), (b'n', Phase::Sync), (b'E', Phase::Drain)]),
        (Phase::Close, &[(b'3', Phase::Sync), (b'E', Phase::Drain)]),
        (Phase::Sync, &[(b'3', Phase::Sync), (b'Z', Phase::Idle), (b'E', Phase::Drain)]),
        (Phase::Group, &[(b'E', Phase::GroupFailed)]),
        (
            Phase::GroupFailed,
            &[
                (b'1', Phase::GroupFailed),
                (b'2', Phase::GroupFailed),
                (b'3', Phase::GroupFailed),
                (b'E', Phase::GroupFailed),
            ],
        ),
        (Phase::GroupClose, &[(b'3', Phase::Group), (b'E', Phase::Drain)]),
        (Phase::GroupSync, &[(b'Z', Phase::Idle), (b'E', Phase::Drain)]),
        (Phase::Function, &[(b'V', Phase::Sync), (b'E', Phase::Drain)]),
        (Phase::CopyIn, &[(b'E', Phase::Drain)]),
        (Phase::CopyOut, &[(b'd', Phase::CopyOut), (b'c', Phase::CopyEnd), (b'E', Phase::Drain)]),
        (
            Phase::CopyBoth,
            &[
                (b'd', Phase::CopyBoth),
                (b'c', Phase::Query),
                (b'C', Phase::Query),
                (b'E', Phase::Drain),
            ],
        ),
        (
            Phase::CopyBothEnd,
            &[
                (b'd', Phase::CopyBothEnd),
                (b'c', Phase::Query),
                (b'C', Phase::Query),
                (b'E', Phase::Drain),
            ],
        ),
        (Phase::CopyEnd, &[(b'C', Phase::Query), (b'E', Phase::Drain)]),
        (
            Phase::Drain,
            &[
                (b'1', Phase::Drain),
                (b'2', Phase::Drain),
                (b'3', Phase::Drain),
                (b'Z', Phase::Idle),
                (b'E', Phase::Drain),
            ],
        ),
        (Phase::Failed, &[]),
        (Phase::Closed, &[]),
    ];

    /// Checks all pairs: exactly the listed ones have a rule.
    #[test]
    fn every_pair_is_decided() {
        for (phase, legal) in LEGAL {
            for message in Message::ALL {
                let listed = legal.iter().find(|(byte, _)| *byte == message.byte());
                let silent = matches!(phase, Phase::Authenticate | Phase::Failed | Phase::Closed);
                let asynchronous = b"NSA".contains(&message.byte()) && !silent;
                let expected = listed.map(|(_, next)| *next).or(asynchronous.then_some(*phase));
                let found = rule(*phase, *message).map(|rule| rule.next);
                assert_eq!(found, expected, "{phase:?} {message:?}");
            }
        }
    }

    #[test]
    fn every_phase_is_listed_once() {
        for (index, phase) in PHASES.iter().enumerate() {
            assert_eq!(*phase as usize, index, "{phase:?}");
            assert_eq!(LEGAL.iter().filter(|(listed, _)| listed == phase).count(), 1, "{phase:?}");
            // This match makes the compiler ask for a new phase; the list must have it too.
            match phase {
                Phase::Authenticate | Phase::Start | Phase::Idle => {}
                Phase::Begin | Phase::BeginReady | Phase::BeginRefused | Phase::BeginParse => {}
                Phase::BeginBind | Phase::BeginExecute | Phase::Query | Phase::QueryRows => {}
                Phase::ProbeParse | Phase::ProbeBind | Phase::ProbeExecute => {}
                Phase::StatementClose | Phase::ParseNamed | Phase::BindKnown => {}
                Phase::PipelinedQuery | Phase::Parse | Phase::Bind | Phase::Describe => {}
                Phase::Execute | Phase::ExecuteRows => {}
                Phase::BatchParse | Phase::BatchBind | Phase::BatchExecute => {}
                Phase::RepeatParse | Phase::RepeatBind | Phase::RepeatExecute => {}
                Phase::KeptParse | Phase::KeptParameters | Phase::KeptDescribe => {}
                Phase::KeptBind | Phase::KeptRows => {}
                Phase::PrepareParse | Phase::DescribeParameters => {}
                Phase::DescribeRows | Phase::Close | Phase::Sync | Phase::Function => {}
                Phase::Group | Phase::GroupFailed | Phase::GroupClose | Phase::GroupSync => {}
                Phase::CopyIn | Phase::CopyOut | Phase::CopyBoth | Phase::CopyBothEnd => {}
                Phase::CopyEnd | Phase::Drain | Phase::Failed | Phase::Closed => {}
            }
        }
        assert_eq!(LEGAL.len(), PHASES.len());
    }

    #[test]
    fn type_bytes_are_told_apart() {
        for message in Message::ALL {
            assert_eq!(Message::from_byte(message.byte()), Some(*message));
        }
        let known = (0..=u8::MAX).filter(|byte| Message::from_byte(*byte).is_some()).count();
        assert_eq!(known, Message::ALL.len());
    }
}
