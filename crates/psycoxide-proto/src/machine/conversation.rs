//! One conversation without its inbox: what each action of the table does.

use std::sync::Arc;

use crate::backend::auth::Authentication;
use crate::backend::copy::CopyFormat;
use crate::backend::report::Report;
use crate::backend::results::parameter_description;
use crate::backend::results::{command_complete, empty, function_call_response, only_field};
use crate::backend::session::{
    CancelKey, NegotiateProtocolVersion, Notification, TransactionStatus, parameter_status,
    ready_for_query,
};
use crate::error::{Error, Violation};
use crate::frontend::{copy, query, startup as first};
use crate::machine::event::{Answer, Event, Outcome};
use crate::machine::in_flight::{BeginForm, End, InFlight, Run};
use crate::machine::login::{Login, LoginOutcome};
use crate::machine::outcome::OutcomeBuilder;
use crate::machine::pipeline::Queue;
use crate::machine::request::{BoundRequest, Offering, Request, RequestKind};
use crate::machine::session::SessionState;
use crate::machine::startup::Startup;
use crate::machine::statements::{Described, NameUse, changes_constants, changes_names_of_tables};
use crate::machine::transitions::{Action, Message, Phase, Rule};
use crate::result::ResultKind;
use crate::result::rows::Rows;
use crate::wire::outbox::Outbox;
use crate::wire::reader::Malformed;

/// Dates are decoded in this style only. The order of day and month in it matters for input alone.
const SET_DATESTYLE: &[u8] = b"SET datestyle TO 'ISO'";

/// The class of errors raised by an intervention: a cancel request, a shutdown.
/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
const INTERVENED: &str = "57";

/// What the inbox has to do after a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Nothing,
    /// Drop the rows collected so far: they belong to no result that the driver will get.
    ForgetRows,
    /// Skip replies that are byte-identical to the last statement's.
    SkipRepeated,
    /// The next query was sent just now: skip each ReadyForQuery received before, as it answers
    /// something else.
    SkipStrayReady,
    /// The request is complete: seal its rows.
    Finish,
}

/// One conversation.
pub(crate) struct Conversation {
    pub(crate) phase: Phase,
    pub(crate) session: SessionState,
    pub(crate) out: Outbox,
    pub(crate) outcome: OutcomeBuilder,
    /// Which rows the current request offers, if any.
    pub(crate) offering: Option<Offering>,
    /// At most one event waits; nothing is read until the driver takes it.
    pub(crate) event: Option<Event>,
    pub(crate) failure: Option<Error>,
    /// Present until the server has let us in.
    login: Option<Box<Login>>,
    authenticated: bool,
    /// What became of the password and the token, once the login is over.
    login_outcome: LoginOutcome,
    /// DateStyle is still to be checked.
    setup: bool,
    /// The current request is the session's set-up, not the driver's.
    internal: bool,
    /// The request whose reply is awaited.
    pub(crate) in_flight: InFlight,
    /// The requests whose replies come after that.
    pub(crate) queue: Queue,
    /// The BEGIN of the request in flight has succeeded.
    pub(crate) begun: bool,
    /// What the driver is told of that: it does not know yet that a pipelined request is answered
    /// until it takes its outcome.
    pub(crate) begun_shown: bool,
    /// The fatal report with which the server announced the end of the session.
    last_words: Option<Box<Report>>,
}

/// What is wrong with a message: its layout, or what it says.
pub(crate) enum MessageError {
    Malformed(Malformed),
    Error(Error),
}

impl From<Malformed> for MessageError {
    fn from(reason: Malformed) -> MessageError {
        MessageError::Malformed(reason)
    }
}

impl From<Error> for MessageError {
    fn from(error: Error) -> MessageError {
        MessageError::Error(error)
    }
}

impl From<Violation> for MessageError {
    fn from(violation: Violation) -> MessageError {
        MessageError::Error(violation.into())
    }
}

impl MessageError {
    #[cold]
    pub(crate) fn in_message(self, message: Message) -> Error {
        match self {
            MessageError::Malformed(reason) => {
                Violation::Malformed { message: message.byte(), reason }.into()
            }
            MessageError::Error(error) => error,
        }
    }
}

impl Conversation {
    /// Begins a conversation: writes the StartupMessage.
    pub(crate) fn new(startup: Startup) -> Conversation {
        let mut out = Outbox::default();
        let version = startup.protocol.code();
        let sent = out.append(|out| first::startup(out, version, &startup.parameters));
        let mut session = SessionState::new(startup.protocol);
        if startup.parameters.iter().any(|(name, _)| name == b"replication") {
            // "In either physical replication or logical replication walsender mode, only the simple
            // query protocol can be used."
            // https://www.postgresql.org/docs/current/protocol-replication.html
            session.set_extended(false);
        }
        let mut conversation = Conversation {
            phase: Phase::Authenticate,
            session,
            out,
            outcome: OutcomeBuilder::default(),
            event: None,
            failure: None,
            setup: startup.session_setup,
            login: Some(Box::new(Login::new(startup))),
            authenticated: false,
            login_outcome: LoginOutcome::default(),
            internal: false,
            offering: None,
            in_flight: InFlight::default(),
            queue: Queue::default(),
            begun: false,
            begun_shown: false,
            last_words: None,
        };
        if let Err(reason) = sent {
            conversation.fail(Error::Misuse(reason));
        }
        conversation
    }

    /// Does what the table says about a message.
    pub(crate) fn act(&mut self, rule: Rule, body: &[u8]) -> Result<Effect, MessageError> {
        let phase = std::mem::replace(&mut self.phase, rule.next);
        match rule.action {
            Action::Ready => self.ready(body),
            Action::Columns => {
                self.outcome.columns(body, ResultKind::Tuples)?;
                Ok(Effect::ForgetRows)
            }
            Action::Complete => self.complete(body),
            Action::Executed => {
                let effect = self.complete(body)?;
                Ok(self.executed(effect))
            }
            Action::BatchComplete => {
                let tag = command_complete(body)?;
                self.outcome.complete_in_batch(self.in_flight.acknowledged(), tag);
                if self.session.statements.is_used() {
                    self.session.statements.note_command(tag);
                }
                Ok(Effect::SkipRepeated)
            }
            Action::KeptComplete => {
                self.outcome.complete_kept(command_complete(body)?);
                Ok(Effect::Nothing)
            }
            Action::Acknowledge => {
                empty(body)?;
                Ok(Effect::Nothing)
            }
            Action::Bound => {
                empty(body)?;
                Ok(self.begin_known())
            }
            _ => self.act_rarely(rule, body, phase),
        }
    }

    /// A statement is complete.
    fn complete(&mut self, body: &[u8]) -> Result<Effect, MessageError> {
        let tag = command_complete(body)?;
        let own = self.outcome.complete(tag);
        if self.session.statements.is_used() {
            self.note_command(tag, own);
        }
        Ok(if own { Effect::Nothing } else { Effect::ForgetRows })
    }

    /// A command is complete that may outdate prepared statements. `rows`: it has returned rows.
    #[cold]
    fn note_command(&mut self, tag: &[u8], rows: bool) {
        if !rows && tag.starts_with(b"SELECT ") {
            // CREATE TABLE AS, SELECT INTO.
            self.session.statements.note_change();
        } else {
            self.session.statements.note_command(tag);
        }
    }

    /// The result begins of a statement that was described before.
    fn begin_known(&mut self) -> Effect {
        if let Some(Run { known: Some(Described::Rows(columns)), .. }) =
            self.in_flight.run.as_deref()
        {
            self.outcome.known_columns(Arc::clone(columns));
            self.phase = Phase::ExecuteRows;
        }
        Effect::ForgetRows
    }

    /// A statement has been executed. Without a Sync, that is the end of its request, unless it
    /// closes its portal.
    fn executed(&mut self, effect: Effect) -> Effect {
        match self.in_flight.end {
            End::Ready => effect,
            End::PortalClosed => {
                self.phase = Phase::GroupClose;
                effect
            }
            End::Executed => self.end_unsynced(),
        }
    }

    /// A request without a Sync has succeeded.
    #[cold]
    fn end_unsynced(&mut self) -> Effect {
        self.session.set_extended(true);
        self.phase = Phase::Group;
        Effect::Finish
    }

    /// Rare actions, out of line, to keep the hot ones small in the instruction cache.
    #[inline(never)]
    fn act_rarely(
        &mut self,
        rule: Rule,
        body: &[u8],
        phase: Phase,
    ) -> Result<Effect, MessageError> {
        match rule.action {
            Action::Notice => self.session.add_notice(Report::parse(body)?),
            Action::Notification => self.session.add_notification(Notification::parse(body)?),
            Action::Parameter => {
                let (name, value) = parameter_status(body)?;
                let known = self.session.parameters.version();
                self.session.parameters.set(name, value)?;
                if self.session.parameters.version() != known && changes_constants(name) {
                    self.session.statements.outdate();
                }
            }
            Action::Key => self.session.key = Some(CancelKey::parse(body)?),
            Action::Negotiate => {
                self.session.negotiate(&NegotiateProtocolVersion::parse(body)?)?;
            }
            Action::Authenticate => self.authenticate(Authentication::parse(body)?)?,
            Action::Refused => return Err(Error::Server(Box::new(Report::parse(body)?)).into()),
            Action::LastWords => self.last_words(Report::parse(body)?),
            Action::NoColumns => empty(body)?,
            Action::KeptColumns => self.outcome.kept_columns(body)?,
            Action::NoKeptColumns => {
                empty(body)?;
                self.outcome.width = 0;
            }
            Action::Begun => {
                command_complete(body)?;
                self.note_begun();
            }
            Action::BegunExtended => {
                command_complete(body)?;
                self.note_begun();
                self.session.set_extended(true);
                self.phase = self.in_flight.after_begin();
            }
            Action::BeginRefused => return self.begin_refused(body),
            Action::BeginIgnored => {
                ready_for_query(body)?;
                if !self.fall_back(false)? {
                    let (message, phase) = (Message::ReadyForQuery.byte(), rule.next);
                    return Err(Violation::Unexpected { message, phase }.into());
                }
            }
            Action::Error => {
                if let Some(run) = &mut self.in_flight.run {
                    run.unbound = matches!(phase, Phase::Bind | Phase::BindKnown);
                }
                return self.error(body);
            }
            Action::CopyIn | Action::CopyOut | Action::CopyBoth | Action::RefuseCopyIn => {
                return self.copy_begins(rule.action, CopyFormat::parse(body)?);
            }
            Action::StreamData => self.event = Some(Event::CopyData(body.to_vec())),
            Action::StreamEnd => {
                empty(body)?;
                self.out
                    .append(|out| {
                        copy::copy_done(out);
                        Ok(())
                    })
                    .map_err(Error::Misuse)?;
            }
            Action::PreparedColumns => self.outcome.columns(body, ResultKind::Command)?,
            Action::ParameterTypes => {
                self.outcome.parameter_types(parameter_description(body)?);
                return Ok(Effect::ForgetRows);
            }
            Action::Empty => {
                empty(body)?;
                self.outcome.empty();
                return Ok(self.executed(Effect::ForgetRows));
            }
            Action::Value => {
                self.outcome.value(function_call_response(body)?);
                return Ok(Effect::ForgetRows);
            }
            Action::CopyComplete => {
                if self.in_flight.reply_phase != Phase::Query {
                    self.phase = Phase::Sync;
                }
                let effect = self.complete(body)?;
                return Ok(self.executed(effect));
            }
            Action::Process => {
                let own = self.session.key.as_ref().map(|key| key.pid);
                self.session.statements.note_process(only_field(body)?, own);
            }
            Action::Probed => {
                command_complete(body)?;
                self.session.statements.note_no_process();
                self.enter_run();
            }
            Action::StatementClosed => {
                empty(body)?;
                if let Some(run) = &mut self.in_flight.run {
                    run.closing.pop();
                }
                self.enter_run();
            }
            Action::Named => {
                empty(body)?;
                if let Some(run) = &self.in_flight.run {
                    self.session.statements.note_parsed(&run.bound.key);
                }
            }
            Action::PortalClosed => {
                empty(body)?;
                return Ok(self.end_unsynced());
            }
            // `act` handles the first eight; rows and data are read in place, in the inbox.
            Action::Ready
            | Action::Bound
            | Action::Columns
            | Action::Complete
            | Action::Executed
            | Action::BatchComplete
            | Action::KeptComplete
            | Action::Acknowledge
            | Action::Ignore
            | Action::Rows
            | Action::CopyData
            | Action::DropRow => {}
        }
        Ok(Effect::Nothing)
    }

    /// What was sent in front of a statement is answered.
    fn enter_run(&mut self) {
        if let Some(run) = &self.in_flight.run {
            self.phase = run.next_phase();
        }
    }

    /// A statement that has a name, or with which something else was sent, has run or failed.
    #[cold]
    fn end_run(&mut self, run: &Run, outcome: &mut Outcome) {
        let (statements, key) = (&mut self.session.statements, &run.bound.key);
        match &outcome.error {
            Some(_) if run.begins && !outcome.begun => {
                statements.note_not_run(key, run.used, run.probes, &run.closing);
            }
            Some(report) => {
                statements.note_not_closed(&run.closing);
                outcome.again = run.probes && statements.note_probe_failed(report)
                    || statements.note_failed(key, run.used, run.unbound, report);
            }
            None if run.used != NameUse::None && run.known.is_none() => {
                let columns = outcome.result.as_ref().and_then(|result| result.columns.clone());
                statements.note_described(key, columns);
            }
            None => {}
        }
    }

    fn note_begun(&mut self) {
        self.begun = true;
        self.begun_shown |= !self.in_flight.pipelined;
    }

    fn authenticate(&mut self, request: Authentication<'_>) -> Result<(), Error> {
        let Some(login) = &mut self.login else {
            return Err(Error::Misuse("authentication is over"));
        };
        let answered = login.step(request, &mut self.out);
        self.event = login.asks().map(Event::Ask);
        if answered? {
            self.end_login();
            self.authenticated = true;
            self.phase = Phase::Start;
        }
        Ok(())
    }

    /// Passes on the driver's answer to a question of authentication.
    pub(crate) fn answer(&mut self, answer: Answer) -> Result<(), Error> {
        if let Some(error) = &self.failure {
            return Err(error.clone());
        }
        let Some(login) = self.login.as_mut().filter(|login| login.is_asking()) else {
            return Err(Error::Misuse("nothing was asked for"));
        };
        if let Err(error) = login.answer(answer, &mut self.out) {
            self.fail(error);
        }
        Ok(())
    }

    /// Whether the driver has to answer before the engine reads on.
    pub(crate) fn is_asking(&self) -> bool {
        self.login.as_ref().is_some_and(|login| login.is_asking())
    }

    /// Forgets the secrets, and keeps what became of them.
    fn end_login(&mut self) {
        if let Some(login) = self.login.take() {
            self.login_outcome = login.outcome;
        }
    }

    /// What has become of the password and the token so far.
    pub(crate) fn login_outcome(&self) -> &LoginOutcome {
        self.login.as_ref().map_or(&self.login_outcome, |login| &login.outcome)
    }

    /// Whether the password is still being stretched.
    pub(crate) fn is_working(&self) -> bool {
        self.login.as_ref().is_some_and(|login| login.is_working())
    }

    /// Continues stretching the password, for a bounded time.
    pub(crate) fn work(&mut self) {
        if let Some(login) = &mut self.login
            && let Err(error) = login.work(&mut self.out)
        {
            self.fail(error);
        }
    }

    /// An ErrorResponse while idle: the reason why the server is about to close the connection, or,
    /// as in libpq, just a notice.
    fn last_words(&mut self, report: Report) {
        if report.is_fatal() {
            self.last_words = Some(Box::new(report));
        } else {
            self.session.add_notice(report);
        }
    }

    fn error(&mut self, body: &[u8]) -> Result<Effect, MessageError> {
        let report = Box::new(Report::parse(body)?);
        if report.is_fatal() {
            self.last_words = Some(report.clone());
        }
        self.outcome.fail(report);
        if self.in_flight.is_unsynced() {
            self.phase = Phase::GroupFailed;
            return Ok(Effect::Finish);
        }
        Ok(Effect::ForgetRows)
    }

    /// The peer refuses to parse BEGIN. Unless somebody intervened, it may not know the extended
    /// query protocol, whatever it looked like. Nothing was run, so try a simple BEGIN.
    fn begin_refused(&mut self, body: &[u8]) -> Result<Effect, MessageError> {
        let report = Report::parse(body)?;
        let intervened = report.sqlstate().is_some_and(|code| code.starts_with(INTERVENED));
        if report.is_fatal() || intervened || !self.fall_back(true)? {
            return self.error(body);
        }
        Ok(Effect::Nothing)
    }

    /// Sends a simple BEGIN once no other reply is outstanding. Returns false if there is no way
    /// back.
    fn fall_back(&mut self, error: bool) -> Result<bool, Error> {
        let phase = self.in_flight.fall_back(error, &mut self.out).map_err(Error::Misuse)?;
        if let Some(phase) = phase {
            self.phase = phase;
            self.session.set_extended(false);
        }
        Ok(phase.is_some())
    }

    fn reads_iso_dates(&self) -> bool {
        let style = self.session.parameters.get("DateStyle");
        style.is_some_and(|style| style.starts_with(b"ISO"))
    }

    /// The server is ready: send the next query of the script, or finish the request.
    fn ready(&mut self, body: &[u8]) -> Result<Effect, MessageError> {
        self.session.status = ready_for_query(body)?;
        if self.session.status == TransactionStatus::Idle {
            self.session.statements.note_idle();
        }
        self.session.settle();
        // The server has gone on after all.
        self.last_words = None;
        if self.outcome.error().is_none() {
            if std::mem::take(&mut self.setup) && !self.reads_iso_dates() {
                self.internal = true;
                self.out.append(|out| query::query(out, SET_DATESTYLE)).map_err(Error::Misuse)?;
                self.phase = Phase::Query;
                return Ok(Effect::SkipStrayReady);
            }
            if let Some(phase) = self.in_flight.go_on(&mut self.out).map_err(Error::Misuse)? {
                self.phase = phase;
                return Ok(Effect::SkipStrayReady);
            }
            if self.in_flight.is_extended() {
                self.session.set_extended(true);
            }
        }
        Ok(Effect::Finish)
    }

    /// Hands the request's outcome to the driver.
    pub(crate) fn finish(&mut self, rows: Rows) {
        let mut outcome = self.outcome.finish(rows);
        outcome.begun = self.begun;
        if std::mem::take(&mut self.internal) {
            outcome.result = None;
        }
        if let Some(run) = self.in_flight.run.take() {
            self.end_run(&run, &mut outcome);
        }
        self.event = Some(Event::Done(outcome));
        if self.queue.is_empty() {
            self.in_flight = InFlight::default();
        } else {
            self.advance();
        }
    }

    /// Begins a request.
    pub(crate) fn submit(&mut self, request: Request) -> Result<(), Error> {
        if let Some(error) = &self.failure {
            return Err(error.clone());
        }
        if self.phase != Phase::Idle || self.event.is_some() {
            return self.submit_behind(request);
        }
        if !request.pipelined {
            self.begun_shown = false;
        }
        let offering = request.offering;
        let (phase, in_flight) = self.send(request)?;
        self.enter(phase, in_flight, offering);
        Ok(())
    }

    /// Appends the messages of a request, or nothing if it must be refused.
    #[inline]
    pub(crate) fn send(&mut self, mut request: Request) -> Result<(Phase, InFlight), Error> {
        let form = match request.begin {
            Some(_) => self.session.begin_form(),
            None => BeginForm::Simple,
        };
        let in_transaction = request.begin.is_some() || self.is_in_transaction();
        match &mut request.kind {
            RequestKind::Bound(_) => return self.send_bound(request, form, in_transaction),
            RequestKind::Query(sql) | RequestKind::Statement(sql)
                if self.session.statements.is_used() && changes_names_of_tables(sql) =>
            {
                self.session.statements.note_renaming();
            }
            _ => {}
        }
        self.start(request, form, in_transaction)
    }

    /// The same for a statement that may have a name.
    fn send_bound(
        &mut self,
        mut request: Request,
        form: BeginForm,
        in_transaction: bool,
    ) -> Result<(Phase, InFlight), Error> {
        let may_ask = self.session.key.is_some()
            && self.session.pipelines()
            && self.session.status != TransactionStatus::InError;
        let RequestKind::Bound(bound) = &mut request.kind else {
            return Err(Error::Misuse("not a statement with parameters"));
        };
        let BoundRequest { bound, prepare, plan, closes, synced, .. } = &mut **bound;
        if self.session.statements.is_used() && changes_names_of_tables(bound.sql()) {
            self.session.statements.note_renaming();
        }
        *plan = self.session.statements.plan(&bound.key, *prepare, may_ask, in_transaction);
        // The end of a transaction closes the portal, too.
        *closes = in_transaction || !*synced;
        let (bound, used) = (Arc::clone(bound), plan.name_use());
        let (probe, closing) = (plan.probe, plan.closing.clone());
        let started = self.start(request, form, in_transaction);
        started.inspect_err(|_| {
            self.session.statements.note_not_run(&bound.key, used, probe, &closing);
        })
    }

    #[inline]
    fn start(
        &mut self,
        request: Request,
        form: BeginForm,
        in_transaction: bool,
    ) -> Result<(Phase, InFlight), Error> {
        let begins = request.begin.is_some();
        let started = InFlight::start(request, form, &mut self.out);
        let (phase, mut in_flight) = started.map_err(Error::Misuse)?;
        in_flight.in_transaction = in_transaction;
        if let Some(run) = &mut in_flight.run {
            run.begins = begins;
        }
        Ok((phase, in_flight))
    }

    /// From here on replies are those to this request.
    #[inline]
    pub(crate) fn enter(&mut self, phase: Phase, in_flight: InFlight, offering: Option<Offering>) {
        self.phase = phase;
        self.in_flight = in_flight;
        self.offering = offering;
        self.begun = false;
    }

    /// Whether an outcome waits to be taken.
    pub(crate) fn has_outcome(&self) -> bool {
        matches!(self.event, Some(Event::Done(_)))
    }

    /// Whether the server has announced the end of the session.
    pub(crate) fn has_last_words(&self) -> bool {
        self.last_words.is_some()
    }

    /// The peer has closed the connection, and all that it sent has been read.
    pub(crate) fn end_of_file(&mut self) {
        let words = self.last_words.take();
        let error = self.outcome.error().cloned().map(Box::new);
        let busy = self.phase.is_waiting() && !self.phase.is_opening();
        if busy && error.is_some() {
            let (error, begun) = (error.clone(), self.begun);
            self.event = Some(Event::Done(Outcome { error, begun, ..Outcome::default() }));
        }
        self.fail(Error::Terminated(words.or(error)));
    }

    /// Fails the conversation. The first failure stays.
    pub(crate) fn fail(&mut self, error: Error) {
        if self.failure.is_none() && self.phase != Phase::Closed {
            self.failure = Some(error);
            self.phase = Phase::Failed;
            self.queue.clear();
            self.end_login();
            self.out.clear();
        }
    }

    /// Says good-bye, unless it is too late for that.
    pub(crate) fn terminate(&mut self) {
        if self.failure.is_none() && self.phase != Phase::Closed {
            // Closing the socket ends the session as well, so a refusal here changes nothing.
            let _ = self.out.append(|out| {
                first::terminate(out);
                Ok(())
            });
            self.phase = Phase::Closed;
            self.queue.clear();
            self.end_login();
            self.event = None;
        }
    }

    pub(crate) fn is_authenticated(&self) -> bool {
        self.authenticated
    }
}
