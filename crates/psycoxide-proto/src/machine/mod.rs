//! The engine: one conversation with one server.

pub(crate) mod batch;
mod conversation;
mod copying;
pub(crate) mod event;
mod in_flight;
mod login;
mod outcome;
mod pipeline;
pub(crate) mod repeat;
pub(crate) mod request;
mod session;
pub(crate) mod startup;
pub(crate) mod statements;
pub(crate) mod transitions;

use std::fmt;
use std::sync::Arc;

use crate::backend::report::Report;
use crate::backend::session::{CancelKey, Notification, TransactionStatus};
use crate::backend::version;
use crate::error::{Error, Violation};
use crate::interest::Interest;
use crate::result::columns::Columns;
use crate::result::rows::Rows;
use crate::wire::deframe::Header;
use crate::wire::inbox::Inbox;
use conversation::{Conversation, Effect};
use event::{Answer, Event, TokenRefusal};
use request::{BoundStatement, Offering, Request};
use startup::{ProtocolVersion, Startup};
use statements::StatementSettings;
use transitions::{Action, Message, Phase, Rule, rule};

/// COPY data reach the driver in blocks of about this size: large enough to make the cost per block
/// negligible, small enough to stay in a processor's cache.
const COPY_BLOCK: usize = 256 << 10;

/// One conversation with one server.
///
/// The crate's documentation gives the order of the calls.
pub struct Engine {
    inbox: Inbox,
    talk: Conversation,
    /// The peer has closed the connection. What it sent before is still being read.
    eof: bool,
}

impl Engine {
    /// Begins a conversation: [`Engine::out`] holds the StartupMessage. If that cannot be written
    /// (a parameter contains a NUL, say), the engine has failed from the start.
    pub fn new(startup: Startup) -> Engine {
        Engine { inbox: Inbox::default(), talk: Conversation::new(startup), eof: false }
    }

    // Getters.

    /// The phase of the conversation.
    pub fn phase(&self) -> Phase {
        self.talk.phase
    }

    /// Whether [`Engine::submit`] would accept any request: the server is ready, and the driver has
    /// taken the last request's outcome.
    pub fn is_idle(&self) -> bool {
        self.talk.phase == Phase::Idle && self.talk.event.is_none()
    }

    /// Whether [`Engine::submit`] would accept a request that is [pipelined](Request::pipelined):
    /// the engine is idle, or all requests in flight are pipelined and entirely sent or in
    /// [`Engine::out`], and no [group](Request::unsynced) is open. An event that waits to be taken
    /// does not matter.
    pub fn accepts_pipelined(&self) -> bool {
        self.talk.accepts_pipelined()
    }

    /// How many requests were submitted whose outcome has not been taken yet. The start-up counts
    /// as one.
    pub fn requests_in_flight(&self) -> usize {
        self.talk.requests_in_flight()
    }

    /// The transaction status that the last ReadyForQuery gave.
    pub fn transaction_status(&self) -> TransactionStatus {
        self.talk.session.status
    }

    /// The value of a run-time parameter as the server last reported it, e.g. `client_encoding`.
    /// Names are spelt as the server spells them.
    pub fn parameter(&self, name: &str) -> Option<&[u8]> {
        self.talk.session.parameters.get(name)
    }

    /// The run-time parameters that the server has reported, with their values.
    pub fn parameters(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.talk.session.parameters.iter()
    }

    /// The server's version as one number: 150018 is 15.18, 90305 is 9.3.5. It is 0 if the server
    /// has not reported one (libpq's `PQserverVersion`).
    pub fn server_version(&self) -> u32 {
        self.parameter("server_version").map_or(0, version::number)
    }

    /// How the server refused a bearer token, if it did.
    pub fn token_refusal(&self) -> Option<&TokenRefusal> {
        self.talk.login_outcome().token_refusal.as_ref()
    }

    /// Whether several statements may go before one Sync ([`Request::batch`]). That needs a peer
    /// that has answered a BEGIN by the extended query protocol and reports all the parameters that
    /// PostgreSQL reports since 14. Some poolers that report fewer lose count of what a server
    /// skips.
    pub fn pipelines(&self) -> bool {
        self.talk.session.pipelines()
    }

    /// Whether the parameters of statements can be bound by the peer ([`Request::bound`]), as far as its
    /// reports and its answers tell.
    pub fn binds(&self) -> bool {
        self.talk.session.binds(|| self.server_version())
    }

    /// Whether the names of statements last on this connection ([`Request::bound`]); `None` as long as
    /// nothing is known. Behind a pooler that gives each transaction another server they do not.
    pub fn statement_names_last(&self) -> Option<bool> {
        self.talk.session.names_last()
    }

    /// How many statements have a name on the server, or are getting one.
    pub fn named_statements(&self) -> usize {
        self.talk.session.statements.named()
    }

    /// How the session prepares statements.
    pub fn statement_settings(&self) -> StatementSettings {
        self.talk.session.statements.settings()
    }

    /// The columns of a statement that has a name, as the server has described them; `None` if it has
    /// none, or returns no rows.
    pub fn known_columns(&self, bound: &BoundStatement) -> Option<&Arc<Columns>> {
        self.talk.session.statements.columns(&bound.key)
    }

    /// Whether the last request with a BEGIN has begun its transaction, even if it failed later. Of
    /// pipelined requests the last one is that whose outcome was taken last
    /// ([`Outcome::begun`](crate::Outcome::begun)).
    pub fn has_begun(&self) -> bool {
        self.talk.begun_shown
    }

    /// A number that changes whenever a parameter does, so that callers can cache what they derive
    /// from parameters.
    pub fn parameters_version(&self) -> u64 {
        self.talk.session.parameters.version()
    }

    /// The key that a CancelRequest must quote, once the server has sent it.
    pub fn cancel_key(&self) -> Option<&CancelKey> {
        self.talk.session.key.as_ref()
    }

    /// The negotiated protocol version.
    pub fn protocol_version(&self) -> ProtocolVersion {
        self.talk.session.protocol
    }

    /// Whether the server has let us in (AuthenticationOk), even if the connection failed later.
    pub fn is_authenticated(&self) -> bool {
        self.talk.is_authenticated()
    }

    /// Whether the server asked for the password and got it (libpq's `PQconnectionUsedPassword`).
    pub fn password_used(&self) -> bool {
        self.talk.login_outcome().password_used
    }

    /// Whether the server asked for a password and there was none (libpq's
    /// `PQconnectionNeedsPassword`).
    pub fn password_needed(&self) -> bool {
        self.talk.login_outcome().password_needed
    }

    /// Why the engine failed, if it has. Poll the events that came before it first.
    pub fn error(&self) -> Option<&Error> {
        self.talk.failure.as_ref()
    }

    /// What to wait for.
    ///
    /// WRITE while there is something to send. READ while an answer is awaited and no event waits
    /// to be polled (that is the back-pressure). Both while sending. In `CopyIn` and `CopyBoth`
    /// READ is always set, as the server may refuse the data at any time: if there is nothing to
    /// send, the driver gives more data instead of waiting.
    pub fn interest(&self) -> Interest {
        let mut interest = Interest::NONE;
        if !self.out().is_empty() {
            interest = interest | Interest::WRITE;
        }
        if self.talk.phase.is_waiting() && self.talk.event.is_none() && !self.talk.is_asking() {
            interest = interest | Interest::READ;
        }
        interest
    }

    /// How many notices and notifications are queued.
    pub fn backlog(&self) -> usize {
        self.talk.session.backlog()
    }

    /// How many notifications are queued.
    pub fn pending_notifications(&self) -> usize {
        self.talk.session.pending_notifications()
    }

    /// Whether the queue is so long that the driver should empty it before it reads more.
    pub fn is_flooded(&self) -> bool {
        self.talk.session.is_flooded()
    }

    // Inputs.

    /// The buffer to read into. It is empty only if the engine has failed or was terminated.
    ///
    /// It grows with what has arrived (1 kB, 64 kB, 256 kB, then 1 MB for the rows of a large
    /// result, or twice what has come of a long message), never with the length that a message
    /// declares.
    pub fn space(&mut self) -> &mut [u8] {
        if matches!(self.talk.phase, Phase::Failed | Phase::Closed) {
            return &mut [];
        }
        self.inbox.space()
    }

    /// Reports that `n` bytes from the server were read into [`Engine::space`].
    pub fn filled(&mut self, n: usize) {
        self.inbox.fill(n);
        self.run();
    }

    /// Takes bytes from the server that lie elsewhere, by copying them.
    pub fn receive(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let space = self.space();
            let n = space.len().min(bytes.len());
            let Some((head, tail)) = bytes.split_at_checked(n).filter(|_| n > 0) else { return };
            if let Some(space) = space.get_mut(..n) {
                space.copy_from_slice(head);
            }
            self.filled(n);
            bytes = tail;
        }
    }

    /// Reports that the server has closed the connection.
    pub fn receive_eof(&mut self) {
        self.eof = true;
        self.run();
    }

    /// Continues a long computation, if there is one: stretching a SCRAM password with more rounds
    /// than usual. One call takes about a millisecond. Returns `true` if there is more to do, so
    /// that the driver can check its deadline between two calls.
    pub fn work(&mut self) -> bool {
        if !self.talk.is_working() {
            return false;
        }
        self.talk.work();
        if self.talk.is_working() {
            return true;
        }
        self.run();
        self.talk.is_working()
    }

    // Outputs.

    /// The bytes to send.
    pub fn out(&self) -> &[u8] {
        self.talk.out.pending()
    }

    /// Reports that the first `n` bytes of [`Engine::out`] were sent.
    pub fn sent(&mut self, n: usize) {
        self.talk.out.sent(n);
    }

    /// The next event, if there is one. Taking it lets the engine read on, so poll until there is
    /// none.
    #[inline]
    pub fn poll_event(&mut self) -> Option<Event> {
        if self.talk.event.is_none() {
            self.run();
        }
        // Inlined, because drivers poll at every step and there is mostly no event.
        if self.talk.event.is_none() { None } else { self.take_event() }
    }

    fn take_event(&mut self) -> Option<Event> {
        let event = self.talk.event.take()?;
        if let Event::Done(outcome) = &event {
            self.talk.begun_shown = outcome.begun;
            self.talk.skip();
        }
        // When the driver is asked for data, it answers before the engine reads on.
        if !matches!(event, Event::CopyIn(_) | Event::CopyBoth(_) | Event::Ask(_)) {
            self.run();
        }
        Some(event)
    }

    /// The notices since the last call, oldest first. None is lost if they are taken whenever the
    /// engine [is flooded](Engine::is_flooded).
    pub fn take_notices(&mut self) -> Vec<Report> {
        self.talk.session.take_notices()
    }

    /// All notifications since the last call, in order.
    pub fn take_notifications(&mut self) -> Vec<Notification> {
        self.talk.session.take_notifications()
    }

    /// Whether [`Engine::take_rows`] has rows that the request offers: see [`Request::offering`].
    pub fn offers_rows(&self) -> bool {
        let long = match self.talk.offering {
            None => return false,
            Some(Offering::Long(long)) => long,
            Some(Offering::Arrived) => 0,
        };
        let rows = self.inbox.full_rows();
        let width = usize::from(self.talk.outcome.width);
        !rows.is_empty()
            && rows.memory() / rows.len() >= long.saturating_mul(width)
            && self.talk.outcome.columns_under_way().is_some()
    }

    /// Whether [`Engine::take_arrived_rows`] has rows that the request offers: see
    /// [`Request::streaming`].
    pub fn offers_arrived_rows(&self) -> bool {
        self.talk.offering == Some(Offering::Arrived)
            && self.inbox.holds_rows()
            && self.talk.outcome.columns_under_way().is_some()
    }

    /// Stops offering rows for the rest of the request.
    pub fn keep_rows(&mut self) {
        self.talk.offering = None;
    }

    /// Takes the columns and the rows of an incomplete result that fill whole buffers.
    ///
    /// These rows belong to the outcome only if no other statement of the request follows and none
    /// fails. In that case [`Rows::before`] of the outcome's rows says how many were taken. Taken
    /// rows whose own [`Rows::before`] is 0 begin another statement's result.
    pub fn take_rows(&mut self) -> Option<(Arc<Columns>, Rows)> {
        let columns = Arc::clone(self.talk.outcome.columns_under_way()?);
        let rows = self.inbox.take_full_rows();
        (!rows.is_empty()).then_some((columns, rows))
    }

    /// As [`Engine::take_rows`], but takes all complete rows that have arrived.
    pub fn take_arrived_rows(&mut self) -> Option<(Arc<Columns>, Rows)> {
        let columns = Arc::clone(self.talk.outcome.columns_under_way()?);
        let rows = self.inbox.take_rows();
        (!rows.is_empty()).then_some((columns, rows))
    }

    /// Returns rows that have been read, of the current result or the previous one. Their memory is
    /// reused until the end of the next result.
    pub fn give_back(&mut self, rows: Rows) {
        self.inbox.give_back(rows);
    }

    // Commands.

    /// Changes how the session prepares statements, from the next one on.
    pub fn set_statement_settings(&mut self, settings: StatementSettings) {
        self.talk.session.statements.set_settings(settings);
    }

    /// Begins a request.
    ///
    /// # Errors
    /// [`Error::Misuse`] unless [`Engine::is_idle`] or, for a pipelined request,
    /// [`Engine::accepts_pipelined`] or, for a request of a group, the group is open; or if the request cannot be written (its text contains a NUL,
    /// or a length is over the protocol's limit). Nothing of it is sent then. If the engine has
    /// failed, its error.
    pub fn submit(&mut self, request: Request) -> Result<(), Error> {
        self.talk.submit(request)
    }

    /// Gives what [`Event::Ask`] asked for.
    ///
    /// # Errors
    /// [`Error::Misuse`] if the engine did not ask for this. An answer that is missing or cannot be
    /// sent fails the engine.
    pub fn answer(&mut self, answer: Answer) -> Result<(), Error> {
        self.talk.answer(answer)?;
        self.run();
        Ok(())
    }

    /// Sends data of a COPY FROM, however long, or one message of a replication stream.
    ///
    /// If the server has already refused the COPY, the data are dropped and the next
    /// [`Event::Done`] says why.
    ///
    /// # Errors
    /// [`Error::Misuse`] if no COPY is under way. If the engine has failed, its error.
    pub fn copy_chunk(&mut self, data: &[u8]) -> Result<(), Error> {
        self.talk.copy_chunk(data)
    }

    /// The header of a CopyData message with `length` bytes of a COPY FROM, for a driver that sends
    /// header and data itself, before anything else. `None` if other bytes must go first.
    pub fn copy_header(&self, length: u32) -> Option<[u8; 5]> {
        let free = self.talk.phase == Phase::CopyIn && self.out().is_empty();
        let total = length.checked_add(4).filter(|total| i32::try_from(*total).is_ok());
        let [a, b, c, d] = total.filter(|_| free)?.to_be_bytes();
        Some([b'd', a, b, c, d])
    }

    /// Ends the data of a COPY.
    ///
    /// # Errors
    /// As [`Engine::copy_chunk`].
    pub fn copy_done(&mut self) -> Result<(), Error> {
        self.talk.copy_done()
    }

    /// Makes the server fail the COPY FROM, with this reason in its message.
    ///
    /// # Errors
    /// As [`Engine::copy_chunk`]; also when the reason holds a NUL.
    pub fn copy_fail(&mut self, reason: &[u8]) -> Result<(), Error> {
        self.talk.copy_fail(reason)
    }

    /// Says good-bye: the engine is closed, and only Terminate is left to send.
    pub fn terminate(&mut self) {
        self.talk.terminate();
        self.inbox = Inbox::default();
    }

    /// Reads whole messages until there is an event for the driver. Inlined, because it is called
    /// before and after each event, when there is mostly nothing to read.
    #[inline]
    fn run(&mut self) {
        if self.eof || !self.inbox.is_empty() {
            self.read();
        }
    }

    #[inline(never)]
    fn read(&mut self) {
        while (self.eof || !self.inbox.is_empty())
            && self.talk.event.is_none()
            && self.talk.failure.is_none()
            && !self.talk.is_working()
            && !self.talk.is_asking()
        {
            if self.talk.phase == Phase::Closed {
                return;
            }
            match self.take() {
                Ok(true) => {}
                Ok(false) if !self.eof => return,
                Ok(false) => self.give_up(None),
                Err(error) => self.give_up(Some(error)),
            }
        }
    }

    /// Stops reading for good, because of an error or because the peer has closed the connection.
    #[cold]
    fn give_up(&mut self, error: Option<Error>) {
        match error {
            // After a fatal report, whatever comes is as good as the end of the connection.
            Some(error) if !self.talk.has_last_words() => self.talk.fail(error),
            _ => self.talk.end_of_file(),
        }
        self.inbox = Inbox::default();
    }

    /// Reads one message, or a run of rows or COPY data. Returns `false` if no message is complete.
    fn take(&mut self) -> Result<bool, Error> {
        let phase = self.talk.phase;
        let header = match self.inbox.header(phase.is_opening()) {
            Ok(header) => header,
            Err(violation) => return self.take_bare_error(violation),
        };
        let Some(header) = header else { return Ok(false) };
        // A message that has no place here is not waited for, however long it claims to be.
        let message = header.message;
        let Some(rule) = rule(phase, message) else {
            return Err(Violation::Unexpected { message: message.byte(), phase }.into());
        };
        if !self.inbox.holds(header) {
            return Ok(false);
        }
        match rule.action {
            Action::Rows => self.inbox.collect_rows(self.talk.outcome.width)?,
            Action::CopyData => {
                let block = self.inbox.take_copy_data(COPY_BLOCK);
                // All the messages may have been empty.
                if !block.is_empty() {
                    self.talk.event = Some(Event::CopyData(block));
                }
            }
            _ => self.act(rule, header)?,
        }
        Ok(true)
    }

    /// A server that cannot start a session sends bare text: its first bytes make an impossible
    /// length.
    #[cold]
    fn take_bare_error(&self, violation: Violation) -> Result<bool, Error> {
        match violation {
            Violation::Length { message: b'E', length: 0x0100_0000.. }
                if self.talk.phase == Phase::Authenticate =>
            {
                self.inbox.bare_error().map_or(Ok(false), |text| Err(Error::Refused(text)))
            }
            violation => Err(violation.into()),
        }
    }

    fn act(&mut self, rule: Rule, header: Header) -> Result<(), Error> {
        let effect = match self.talk.act(rule, self.inbox.body(header)) {
            Ok(effect) => effect,
            Err(error) => return Err(error.in_message(header.message)),
        };
        self.inbox.consume(header);
        match effect {
            Effect::Nothing => {}
            Effect::ForgetRows => self.inbox.forget_rows(),
            Effect::SkipRepeated => {
                let times = self.inbox.skip(self.talk.outcome.repeated_reply());
                self.talk.outcome.complete_repeated(times);
            }
            Effect::SkipStrayReady => self.skip_stray_ready()?,
            Effect::Finish => {
                let rows = self.inbox.seal_rows();
                self.talk.finish(rows);
            }
        }
        Ok(())
    }
}

impl Engine {
    /// Skips every surplus ReadyForQuery, as libpq does while nothing runs. Read later, it would
    /// end the request that has just been sent.
    fn skip_stray_ready(&mut self) -> Result<(), Error> {
        while let Some(header) = self.inbox.header(false)?
            && header.message == Message::ReadyForQuery
            && self.inbox.holds(header)
        {
            self.inbox.consume(header);
        }
        Ok(())
    }
}

/// Prints the phase and the error, and nothing of what was said.
impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("phase", &self.talk.phase)
            .field("error", &self.talk.failure)
            .finish_non_exhaustive()
    }
}
