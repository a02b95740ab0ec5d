//! Reading the server's messages: the table says what each means, here it is done.

use std::sync::Arc;

use super::Engine;
use super::event::Event;
use super::job::Job;
use super::startup::ProtocolVersion;
use super::transitions::{Action, Phase, action};
use crate::backend::auth::Authentication;
use crate::backend::copy::CopyFormat;
use crate::backend::report::Report;
use crate::backend::session::{
    CancelKey, NegotiateProtocolVersion, Notification, parameter_status, ready_for_query,
};
use crate::backend::{command, rows};
use crate::error::{Error, Violation};
use crate::frontend;
use crate::result::ResultKind;
use crate::result::columns::Columns;
use crate::wire::inbox::Inbox;
use crate::wire::reader::Malformed;

/// The bytes before a message's body.
const HEADER: usize = 5;

/// Messages of most types are short: a longer one means that the stream is not what it should be.
/// The number, and the types that may be longer, are libpq's.
const MAX_SHORT: u32 = 30_000;
const MAY_BE_LONG: &[u8] = b"TDdVENA";

/// The longest message that a server sends: it builds them in buffers of at most 1 GB.
const MAX_LONG: u32 = 0x3fff_ffff + 1024;

/// So much of COPY TO is gathered before the driver gets it.
const COPY_BLOCK: usize = 256 * 1024;

/// A RowDescription and what it says.
#[derive(Debug, Default)]
pub(crate) struct Described {
    bytes: Vec<u8>,
    columns: Arc<Columns>,
}

impl Engine {
    /// Reads every whole message in the inbox.
    pub(super) fn read_messages(&mut self) {
        // Taken out so that bodies can be read while the engine changes.
        let mut inbox = std::mem::replace(&mut self.inbox, Inbox::vacant());
        while self.failure.is_none() && self.read_message(&mut inbox) {}
        if self.phase == Phase::CopyOut || self.phase == Phase::CopyEnd {
            self.flush_copied();
        }
        inbox.rewind();
        self.inbox = inbox;
    }

    /// Reads a run of rows or one other message; `false` if none is whole.
    fn read_message(&mut self, inbox: &mut Inbox) -> bool {
        if matches!(self.phase, Phase::QueryRows | Phase::Execute) && self.read_rows(inbox) {
            return true;
        }
        let unread = inbox.bytes.get(inbox.start..inbox.filled).unwrap_or_default();
        let Some((&[kind, a, b, c, d], rest)) = unread.split_first_chunk::<HEADER>() else {
            return false;
        };
        let length = u32::from_be_bytes([a, b, c, d]);
        if let Err(violation) = self.check_length(kind, length) {
            self.fail(violation.into());
            return false;
        }
        let Some(body) = usize::try_from(length - 4).ok().and_then(|length| rest.get(..length))
        else {
            return false;
        };
        let size = HEADER + body.len();
        let meaning = action(self.phase, kind);
        if let Err(error) = self.perform(meaning, kind, body) {
            self.fail(error);
            return false;
        }
        inbox.start += size;
        match meaning {
            Action::Complete => inbox.take_rows(self.completed_rows()),
            Action::Fail => inbox.drop_rows(),
            _ => {}
        }
        true
    }

    /// Checks DataRows and leaves them where they are; `false` if the first message is none.
    fn read_rows(&mut self, inbox: &mut Inbox) -> bool {
        let width = self.job.width();
        let mut at = inbox.start;
        let mut count = 0;
        loop {
            let unread = inbox.bytes.get(at..inbox.filled).unwrap_or_default();
            let Some((&[b'D', a, b, c, d], rest)) = unread.split_first_chunk::<HEADER>() else {
                break;
            };
            let length = u32::from_be_bytes([a, b, c, d]);
            if !(4..=MAX_LONG).contains(&length) {
                self.fail(Violation::Length { message: b'D', length }.into());
                return false;
            }
            let Some(body) = usize::try_from(length - 4).ok().and_then(|length| rest.get(..length))
            else {
                break;
            };
            if let Err(reason) = rows::check_data_row(body, width) {
                self.fail(malformed(b'D', reason));
                return false;
            }
            at += HEADER + body.len();
            count += 1;
        }
        if count == 0 {
            return false;
        }
        if self.job.columns.is_none() {
            self.fail(Violation::Unexpected { message: b'D', phase: self.phase }.into());
            return false;
        }
        inbox.runs.add(inbox.start..at, count);
        inbox.start = at;
        true
    }

    fn check_length(&self, kind: u8, length: u32) -> Result<(), Violation> {
        let before = matches!(self.phase, Phase::Authenticate | Phase::Start);
        let most = match kind {
            // Who is not let in yet has no long error to hear of.
            b'E' | b'N' if before => MAX_SHORT,
            kind if MAY_BE_LONG.contains(&kind) => MAX_LONG,
            _ => MAX_SHORT,
        };
        if action(self.phase, kind) == Action::Unexpected {
            return Err(match kind {
                b'1' | b'2' | b'3' | b'A'..=b'Z' | b'c' | b'd' | b'n' | b's' | b't' | b'v' => {
                    Violation::Unexpected { message: kind, phase: self.phase }
                }
                _ => Violation::UnknownMessage(kind),
            });
        }
        if (4..=most).contains(&length) {
            return Ok(());
        }
        Err(Violation::Length { message: kind, length })
    }

    /// Does what a message means.
    fn perform(&mut self, meaning: Action, kind: u8, body: &[u8]) -> Result<(), Error> {
        let bad = |reason: Malformed| malformed(kind, reason);
        match meaning {
            Action::Authenticate => {
                let request = Authentication::parse(body).map_err(bad)?;
                if self.authenticator.answer(&request, &mut self.out)? {
                    self.phase = Phase::Start;
                }
                Ok(())
            }
            Action::Negotiate => self.negotiate(body),
            Action::KeyData => {
                self.session.cancel_key = Some(CancelKey::parse(body).map_err(bad)?);
                Ok(())
            }
            Action::Parameter => {
                let (name, value) = parameter_status(body).map_err(bad)?;
                Ok(self.session.set_parameter(name, value)?)
            }
            Action::Notice => {
                let notice = Report::parse(body).map_err(bad)?;
                self.session.notice(notice, body.len());
                Ok(())
            }
            Action::Notification => {
                self.session.notifications.push(Notification::parse(body).map_err(bad)?);
                Ok(())
            }
            Action::Refuse => Err(Error::Server(Box::new(Report::parse(body).map_err(bad)?))),
            Action::LastWords => {
                self.last_words = Some(Box::new(Report::parse(body).map_err(bad)?));
                Ok(())
            }
            Action::Fail => self.request_failed(Report::parse(body).map_err(bad)?),
            Action::Ready => {
                self.session.transaction = ready_for_query(body).map_err(bad)?;
                self.ready()
            }
            Action::Step(next) => {
                self.step(next);
                Ok(())
            }
            Action::Begun => {
                command::command_complete(body).map_err(bad)?;
                self.phase = self.job.after_begin.take().unwrap_or(Phase::Query);
                Ok(())
            }
            Action::Parsed => {
                self.phase =
                    if self.job.preparing { Phase::DescribeParameters } else { Phase::Bind };
                Ok(())
            }
            Action::ParameterTypes => {
                self.job.parameter_types = rows::parameter_description(body).map_err(bad)?;
                self.phase = Phase::DescribeRows;
                Ok(())
            }
            Action::Columns(next) => {
                self.job.columns = Some(self.describe(body).map_err(bad)?);
                self.step(next);
                Ok(())
            }
            Action::Complete => {
                self.job.complete(command::command_complete(body).map_err(bad)?);
                self.statement_ended();
                Ok(())
            }
            Action::Empty => {
                self.job.empty();
                self.statement_ended();
                Ok(())
            }
            Action::FunctionValue => {
                self.job.function(command::function_call_response(body).map_err(bad)?);
                self.phase = Phase::Sync;
                Ok(())
            }
            Action::CopyIn | Action::CopyOut | Action::CopyBoth => {
                self.begin_copy(meaning, CopyFormat::parse(body).map_err(bad)?);
                Ok(())
            }
            Action::CopyData => {
                self.copy_data(body);
                Ok(())
            }
            Action::StreamEnd => {
                frontend::copy::done(&mut self.out);
                self.phase = Phase::CopyEnd;
                Ok(())
            }
            Action::Row | Action::Unexpected => {
                Err(Violation::Unexpected { message: kind, phase: self.phase }.into())
            }
        }
    }

    fn negotiate(&mut self, body: &[u8]) -> Result<(), Error> {
        let offer =
            NegotiateProtocolVersion::parse(body).map_err(|reason| malformed(b'v', reason))?;
        let version = |code: u32| u16::try_from(code & 0xffff).unwrap_or(u16::MAX);
        let newest =
            ProtocolVersion { major: version(offer.newest >> 16), minor: version(offer.newest) };
        if newest.major != self.session.protocol.major || newest > self.session.protocol {
            return Err(malformed(b'v', "a version that was not asked for"));
        }
        if !offer.unknown.is_empty() {
            return Err(malformed(b'v', "options that were not asked for"));
        }
        self.session.protocol = newest;
        Ok(())
    }

    fn step(&mut self, next: Phase) {
        if next == Phase::Sync {
            self.job.described();
        }
        self.phase = next;
    }

    /// The request fails: what is left of it is skipped by the server up to ReadyForQuery.
    fn request_failed(&mut self, report: Report) -> Result<(), Error> {
        let begins =
            matches!(self.phase, Phase::BeginParse | Phase::BeginBind | Phase::BeginExecute);
        let copying = matches!(self.phase, Phase::CopyIn) && self.job.synced;
        self.job.fail(report);
        self.copied.clear();
        // After an error in the extended protocol the server waits for a Sync, and skips
        // everything before: the query that was sent behind the BEGIN never runs.
        if (begins && !self.job.synced) || copying {
            frontend::extended::sync(&mut self.out);
            self.job.synced = true;
        }
        self.phase = Phase::Drain;
        Ok(())
    }

    /// ReadyForQuery.
    fn ready(&mut self) -> Result<(), Error> {
        if self.phase == Phase::Start && self.set_up_session()? {
            return Ok(());
        }
        if self.job.error.is_none()
            && let Some(next) = self.job.script.pop_front()
        {
            frontend::query::query(&mut self.out, &next)?;
            self.phase = Phase::Query;
            return Ok(());
        }
        self.flush_copied();
        self.phase = Phase::Idle;
        let mut outcome = self.job.outcome();
        if self.job.setup {
            outcome.result = None;
        }
        self.job = Job::default();
        self.events.push_back(Event::Done(outcome));
        Ok(())
    }

    /// Dates are read in the ISO style only: asks for it if the server would send another. Whether
    /// there is an answer to wait for.
    fn set_up_session(&mut self) -> Result<bool, Error> {
        let is_iso = self.parameter("DateStyle").is_some_and(|style| style.starts_with(b"ISO"));
        if !self.session_setup || is_iso {
            return Ok(false);
        }
        self.job = Job::default();
        self.job.setup = true;
        frontend::query::query(&mut self.out, b"SET datestyle TO 'ISO'")?;
        self.phase = Phase::Query;
        Ok(true)
    }

    /// The columns that a RowDescription tells; the same object as last time if it says the same.
    fn describe(&mut self, body: &[u8]) -> Result<Arc<Columns>, Malformed> {
        if self.described.bytes != body || body.is_empty() {
            let columns = Arc::new(rows::row_description(body)?);
            self.described = Described { bytes: body.to_vec(), columns };
        }
        Ok(Arc::clone(&self.described.columns))
    }

    fn statement_ended(&mut self) {
        self.phase = if self.job.synced { Phase::Sync } else { Phase::Query };
    }

    fn begin_copy(&mut self, meaning: Action, format: CopyFormat) {
        let (phase, kind, event) = match meaning {
            Action::CopyIn => (Phase::CopyIn, ResultKind::CopyIn, Event::CopyIn(format)),
            Action::CopyOut => (Phase::CopyOut, ResultKind::CopyOut, Event::CopyOut(format)),
            _ => (Phase::CopyBoth, ResultKind::CopyBoth, Event::CopyBoth(format)),
        };
        self.phase = phase;
        self.job.copy = Some(kind);
        self.events.push_back(event);
    }

    fn copy_data(&mut self, body: &[u8]) {
        if self.phase != Phase::CopyOut {
            // A stream's messages are told apart.
            self.events.push_back(Event::CopyData(body.to_vec()));
            return;
        }
        self.copied.extend_from_slice(body);
        if self.copied.len() >= COPY_BLOCK {
            self.flush_copied();
        }
    }

    /// Gives the driver what has been gathered of COPY TO.
    pub(super) fn flush_copied(&mut self) {
        if !self.copied.is_empty() {
            self.events.push_back(Event::CopyData(std::mem::take(&mut self.copied)));
        }
    }

    /// Where the rows of the statement that has just been completed belong.
    fn completed_rows(&mut self) -> &mut crate::result::rows::Rows {
        self.job.result_rows()
    }
}

fn malformed(message: u8, reason: Malformed) -> Error {
    Violation::Malformed { message, reason }.into()
}
