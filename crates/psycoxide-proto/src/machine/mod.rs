//! The engine: one conversation with one server.

pub(crate) mod event;
pub(crate) mod request;
pub(crate) mod startup;
pub(crate) mod transitions;

use crate::{
    CancelKey, Error, Event, Interest, Notification, Phase, ProtocolVersion, Report, Request,
    Startup, TransactionStatus,
};

/// One conversation with one server. See the crate's documentation for the calling contract.
#[derive(Debug)]
pub struct Engine {
    phase: Phase,
    buffer: Vec<u8>,
    out: Vec<u8>,
}

impl Engine {
    /// Begins a conversation: `out()` then holds the StartupMessage. Refuses parameters that cannot be sent by failing at once.
    pub fn new(_startup: Startup) -> Engine {
        Engine { phase: Phase::Authenticate, buffer: vec![0; 4096], out: Vec::new() }
    }
    /// Where the conversation is.
    pub fn phase(&self) -> Phase {
        self.phase
    }
    /// Ready for `submit`.
    pub fn is_idle(&self) -> bool {
        self.phase == Phase::Idle
    }
    /// As the last ReadyForQuery said.
    pub fn transaction_status(&self) -> TransactionStatus {
        TransactionStatus::Idle
    }
    /// A parameter's current value, as the server last reported it.
    pub fn parameter(&self, _name: &str) -> Option<&[u8]> {
        None
    }
    /// Bumped whenever a parameter changes.
    pub fn parameters_version(&self) -> u64 {
        0
    }
    /// What a CancelRequest needs.
    pub fn cancel_key(&self) -> Option<&CancelKey> {
        None
    }
    /// The version settled on.
    pub fn protocol_version(&self) -> ProtocolVersion {
        ProtocolVersion::V3_0
    }
    /// Whether the server asked for the password and got it.
    pub fn password_used(&self) -> bool {
        false
    }
    /// Whether the server asked for a password and there was none.
    pub fn password_needed(&self) -> bool {
        false
    }
    /// Why the engine failed.
    pub fn error(&self) -> Option<&Error> {
        None
    }
    /// What to wait for. In `CopyIn`/`CopyBoth` READ is always there, as the server may refuse at any time: when `out()` is empty the driver gives the next chunk rather than wait.
    pub fn interest(&self) -> Interest {
        Interest::NONE
    }
    /// How many notices and notifications wait to be taken.
    pub fn backlog(&self) -> usize {
        0
    }
    /// Where to read into.
    pub fn space(&mut self) -> &mut [u8] {
        &mut self.buffer
    }
    /// So many bytes of `space()` were filled.
    pub fn filled(&mut self, _n: usize) {}
    /// Copies bytes in.
    pub fn receive(&mut self, _bytes: &[u8]) {}
    /// The peer closed.
    pub fn receive_eof(&mut self) {}
    /// A slice of long computation (SCRAM with more than 4096 rounds): at most 4096 rounds a call, true while more is left. Call it after each input until it answers false; between calls look at the clock.
    pub fn work(&mut self) -> bool {
        false
    }
    /// Bytes to send.
    pub fn out(&self) -> &[u8] {
        &self.out
    }
    /// So many bytes of `out()` were sent.
    pub fn sent(&mut self, _n: usize) {}
    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        None
    }
    /// The newest notices since the last call.
    pub fn take_notices(&mut self) -> Vec<Report> {
        Vec::new()
    }
    /// All notifications since the last call.
    pub fn take_notifications(&mut self) -> Vec<Notification> {
        Vec::new()
    }
    /// Begins a request.
    ///
    /// # Errors
    /// `Misuse` unless idle.
    pub fn submit(&mut self, _request: Request) -> Result<(), Error> {
        Err(Error::Misuse("not yet"))
    }
    /// Data of a COPY FROM. Ignored (Ok) once the server has refused the COPY.
    ///
    /// # Errors
    /// `Misuse` outside a COPY.
    pub fn copy_chunk(&mut self, _data: &[u8]) -> Result<(), Error> {
        Err(Error::Misuse("not yet"))
    }
    /// Ends a COPY FROM.
    ///
    /// # Errors
    /// `Misuse` outside a COPY.
    pub fn copy_done(&mut self) -> Result<(), Error> {
        Err(Error::Misuse("not yet"))
    }
    /// Makes the server fail the COPY FROM.
    ///
    /// # Errors
    /// `Misuse` outside a COPY.
    pub fn copy_fail(&mut self, _reason: &[u8]) -> Result<(), Error> {
        Err(Error::Misuse("not yet"))
    }
    /// Says good-bye.
    pub fn terminate(&mut self) {
        self.phase = Phase::Closed;
    }
}
