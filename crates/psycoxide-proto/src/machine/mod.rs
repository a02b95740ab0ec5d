//! The engine: one conversation with one server.

mod authentication;
pub(crate) mod event;
mod job;
mod messages;
pub(crate) mod request;
mod session;
pub(crate) mod startup;
pub(crate) mod transitions;

use std::collections::VecDeque;

use crate::backend::report::Report;
use crate::backend::session::{CancelKey, Notification, TransactionStatus};
use crate::error::Error;
use crate::frontend;
use crate::interest::Interest;
use crate::wire::inbox::Inbox;
use authentication::Authenticator;
use event::Event;
use job::Job;
use request::{Request, Work};
use session::Session;
use startup::{ProtocolVersion, Startup};
use transitions::Phase;

/// An out buffer that grew beyond this is given back once it is sent.
const MAX_IDLE_OUT: usize = 1 << 20;

/// One conversation with one server. See the crate's documentation for the calling contract.
#[derive(Debug)]
pub struct Engine {
    phase: Phase,
    inbox: Inbox,
    out: Vec<u8>,
    /// How much of `out` has been sent.
    sent: usize,
    session: Session,
    authenticator: Authenticator,
    session_setup: bool,
    job: Job,
    /// Data of COPY TO that have come since the last event.
    copied: Vec<u8>,
    events: VecDeque<Event>,
    /// The description of the last result with rows, and its bytes: repeated ones share it.
    described: messages::Described,
    /// Why the server will close the connection, said while idle.
    last_words: Option<Box<Report>>,
    failure: Option<Error>,
}

impl Engine {
    /// Begins a conversation: `out()` then holds the StartupMessage. Parameters that cannot be sent
    /// make it fail at once.
    pub fn new(startup: Startup) -> Engine {
        let mut out = Vec::new();
        let written = frontend::startup::startup_message(&mut out, &startup);
        let mut engine = Engine {
            phase: Phase::Authenticate,
            inbox: Inbox::new(),
            out,
            sent: 0,
            session: Session::new(startup.protocol),
            session_setup: startup.session_setup,
            authenticator: Authenticator::new(startup),
            job: Job::default(),
            copied: Vec::new(),
            events: VecDeque::new(),
            described: messages::Described::default(),
            last_words: None,
            failure: None,
        };
        if let Err(error) = written {
            engine.fail(error);
        }
        engine
    }

    /// Where the conversation is.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Ready for [`Engine::submit`].
    pub fn is_idle(&self) -> bool {
        self.phase == Phase::Idle
    }

    /// As the last ReadyForQuery said.
    pub fn transaction_status(&self) -> TransactionStatus {
        self.session.transaction
    }

    /// A parameter's current value, as the server last reported it.
    pub fn parameter(&self, name: &str) -> Option<&[u8]> {
        self.session.parameter(name.as_bytes())
    }

    /// Grows whenever a parameter changes.
    pub fn parameters_version(&self) -> u64 {
        self.session.parameters_version
    }

    /// What a CancelRequest needs.
    pub fn cancel_key(&self) -> Option<&CancelKey> {
        self.session.cancel_key.as_ref()
    }

    /// The version that was settled on.
    pub fn protocol_version(&self) -> ProtocolVersion {
        self.session.protocol
    }

    /// Whether the server asked for the password and got it.
    pub fn password_used(&self) -> bool {
        self.authenticator.password_used
    }

    /// Whether the server asked for a password and there was none.
    pub fn password_needed(&self) -> bool {
        self.authenticator.password_needed
    }

    /// Why the engine failed. It stays failed.
    pub fn error(&self) -> Option<&Error> {
        self.failure.as_ref()
    }

    /// What to wait for. In [`Phase::CopyIn`] and [`Phase::CopyBoth`] READ is always there, since
    /// the server may refuse at any time: with an empty `out()` the driver gives the next data
    /// rather than wait.
    pub fn interest(&self) -> Interest {
        let mut interest = Interest::NONE;
        if matches!(self.phase, Phase::Failed | Phase::Closed) {
            return interest;
        }
        if !self.out().is_empty() {
            interest = interest | Interest::WRITE;
        }
        // Events that nobody has taken hold the server back.
        if self.events.is_empty() && self.phase != Phase::Idle {
            interest = interest | Interest::READ;
        }
        interest
    }

    /// How many notices and notifications wait to be taken.
    pub fn backlog(&self) -> usize {
        self.session.backlog()
    }

    /// Where to read into; never empty. It grows with what arrived, never with a declared length.
    pub fn space(&mut self) -> &mut [u8] {
        self.inbox.space(&mut self.job.rows)
    }

    /// So many bytes of [`Engine::space`] were filled: reads what is whole.
    pub fn filled(&mut self, n: usize) {
        self.inbox.filled = self.inbox.filled.saturating_add(n).min(self.inbox.bytes.len());
        self.read_messages();
    }

    /// The two above for bytes that are elsewhere.
    pub fn receive(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() && self.failure.is_none() {
            let space = self.space();
            let count = space.len().min(rest.len());
            let (now, later) = rest.split_at_checked(count).unwrap_or((rest, &[]));
            if let Some(front) = space.get_mut(..count) {
                front.copy_from_slice(now);
            }
            self.filled(count);
            rest = later;
        }
    }

    /// The peer has closed the connection. After an ErrorResponse the request is answered by that.
    pub fn receive_eof(&mut self) {
        if matches!(self.phase, Phase::Failed | Phase::Closed) {
            return;
        }
        let outcome = self.job.outcome();
        let words = outcome.error.clone().or_else(|| self.last_words.take());
        if outcome.error.is_some() {
            self.flush_copied();
            self.events.push_back(Event::Done(outcome));
        }
        self.fail(Error::Terminated(words));
    }

    /// A slice of long computation: the many rounds of SCRAM. `true` while more is left; between
    /// calls look at the clock.
    pub fn work(&mut self) -> bool {
        if self.phase != Phase::Authenticate {
            return false;
        }
        match self.authenticator.work(&mut self.out) {
            Ok(more) => more,
            Err(error) => {
                self.fail(error);
                false
            }
        }
    }

    /// Bytes to send.
    pub fn out(&self) -> &[u8] {
        self.out.get(self.sent..).unwrap_or_default()
    }

    /// So many bytes of [`Engine::out`] were sent.
    pub fn sent(&mut self, n: usize) {
        self.sent = self.sent.saturating_add(n);
        if self.sent >= self.out.len() {
            self.sent = 0;
            self.out.clear();
            self.out.shrink_to(MAX_IDLE_OUT);
        }
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The newest notices since the last call, 50 at most.
    pub fn take_notices(&mut self) -> Vec<Report> {
        self.session.take_notices()
    }

    /// All notifications since the last call.
    pub fn take_notifications(&mut self) -> Vec<Notification> {
        std::mem::take(&mut self.session.notifications)
    }

    /// Begins a request.
    ///
    /// # Errors
    /// [`Error::Misuse`] unless idle, or if the request cannot be written: nothing is sent then.
    pub fn submit(&mut self, request: Request) -> Result<(), Error> {
        if let Some(error) = &self.failure {
            return Err(error.clone());
        }
        if self.phase != Phase::Idle {
            return Err(Error::Misuse("another command is already in progress"));
        }
        let start = self.out.len();
        let submitted = self.write_request(request);
        if submitted.is_err() {
            self.out.truncate(start);
            self.job = Job::default();
        }
        submitted
    }

    fn write_request(&mut self, request: Request) -> Result<(), Error> {
        self.job = Job::default();
        let begins = request.begin.is_some();
        if let Some(begin) = request.begin {
            frontend::extended::parse(&mut self.out, b"", &begin, &[])?;
            frontend::extended::bind(&mut self.out, b"", &[], 0)?;
            frontend::extended::execute(&mut self.out);
        }
        let phase = self.write_work(request.work)?;
        if begins {
            self.job.after_begin = Some(phase);
            self.phase = Phase::BeginParse;
        } else {
            self.phase = phase;
        }
        Ok(())
    }

    fn write_work(&mut self, work: Work) -> Result<Phase, Error> {
        use frontend::{extended, query};
        let out = &mut self.out;
        match work {
            Work::Query(sql) => {
                query::query(out, &sql)?;
                Ok(Phase::Query)
            }
            Work::Script(queries) => {
                self.job.script = queries.into();
                let first = self.job.script.pop_front().unwrap_or_default();
                query::query(out, &first)?;
                Ok(Phase::Query)
            }
            Work::Function { oid, args } => {
                query::function_call(out, oid, &args)?;
                Ok(Phase::Function)
            }
            Work::Extended(statement) => {
                let parses = statement.sql.is_some();
                if let Some(sql) = &statement.sql {
                    extended::parse(out, &statement.statement, sql, &statement.types)?;
                }
                extended::bind(
                    out,
                    &statement.statement,
                    &statement.params,
                    statement.result_format,
                )?;
                extended::describe_portal(out);
                extended::execute(out);
                extended::sync(out);
                self.job.synced = true;
                Ok(if parses { Phase::Parse } else { Phase::Bind })
            }
            Work::Prepare { name, sql, types } => {
                extended::parse(out, &name, &sql, &types)?;
                extended::describe_statement(out, &name)?;
                extended::sync(out);
                self.job.synced = true;
                self.job.preparing = true;
                Ok(Phase::Parse)
            }
            Work::Close { name } => {
                extended::close_statement(out, &name)?;
                extended::sync(out);
                self.job.synced = true;
                Ok(Phase::Close)
            }
        }
    }

    /// Data of a COPY FROM. Ignored once the server has refused the COPY.
    ///
    /// # Errors
    /// [`Error::Misuse`] where no COPY is under way.
    pub fn copy_chunk(&mut self, data: &[u8]) -> Result<(), Error> {
        match self.phase {
            Phase::CopyIn | Phase::CopyBoth if data.is_empty() => Ok(()),
            Phase::CopyIn | Phase::CopyBoth => frontend::copy::data(&mut self.out, data),
            _ => self.outside_copy(),
        }
    }

    /// Ends a COPY FROM, or our side of a stream.
    ///
    /// # Errors
    /// As [`Engine::copy_chunk`].
    pub fn copy_done(&mut self) -> Result<(), Error> {
        match self.phase {
            Phase::CopyIn => {
                frontend::copy::done(&mut self.out);
                self.end_copy_in();
                Ok(())
            }
            Phase::CopyBoth => {
                frontend::copy::done(&mut self.out);
                self.phase = Phase::CopyBothEnd;
                Ok(())
            }
            _ => self.outside_copy(),
        }
    }

    /// Makes the server fail the COPY FROM.
    ///
    /// # Errors
    /// As [`Engine::copy_chunk`].
    pub fn copy_fail(&mut self, reason: &[u8]) -> Result<(), Error> {
        match self.phase {
            Phase::CopyIn | Phase::CopyBoth => {
                frontend::copy::fail(&mut self.out, reason)?;
                self.end_copy_in();
                Ok(())
            }
            _ => self.outside_copy(),
        }
    }

    fn end_copy_in(&mut self) {
        if self.job.synced {
            // The server has ignored the Sync that came while it was copying.
            frontend::extended::sync(&mut self.out);
        }
        self.phase = Phase::CopyEnd;
    }

    /// The server may have ended the COPY while the driver still had data for it.
    fn outside_copy(&self) -> Result<(), Error> {
        match self.phase {
            Phase::Idle if self.events.is_empty() => Err(Error::Misuse("no COPY in progress")),
            Phase::Failed | Phase::Closed => match &self.failure {
                Some(error) => Err(error.clone()),
                None => Err(Error::Misuse("no COPY in progress")),
            },
            _ => Ok(()),
        }
    }

    /// Says goodbye.
    pub fn terminate(&mut self) {
        if !matches!(self.phase, Phase::Failed | Phase::Closed) {
            frontend::startup::terminate(&mut self.out);
            self.phase = Phase::Closed;
        }
    }

    fn fail(&mut self, error: Error) {
        self.phase = Phase::Failed;
        self.failure.get_or_insert(error);
    }
}
