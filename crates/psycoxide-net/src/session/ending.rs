//! How an operation is ended before its time.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use psycoxide_proto::{Engine, Event, Outcome};

use super::{Session, Step, Stop};

/// The most notifications that may queue up while an operation is given up: a flood of them must
/// not fill the memory.
const MAX_BACKLOG: usize = 100_000;

/// How many steps are spent on what may be the last of an answer, before the server is told to end
/// it.
const MAX_SKIMS: usize = 64;

impl Session {
    /// Asks the server to cancel the operation under way, then reads the rest of its answer, and
    /// the answers to the requests behind it, which are dropped. Returns `None`, and closes the
    /// link, if that does not end within `patience`.
    pub fn cancel_and_drain(&self, patience: Duration) -> Option<Outcome> {
        if !self.claim_to_end() {
            self.break_off();
            return None;
        }
        let patience = self.timeout().map_or(patience, |timeout| timeout.min(patience));
        let until = Instant::now() + patience;
        // Without a token there is no session yet that could be kept. And a cancel request that may
        // still be on its way could hit the next statement.
        let sent = self.cancel_token().map(|token| token.send(Some(patience), &mut || true));
        if !matches!(sent, Some(Ok(()))) {
            self.break_off();
            return None;
        }
        self.drain(until, b"canceled")
    }

    /// Gives up an operation that took too long: closes the connection, and tells the server to
    /// stop. A thread does the telling, because the server may be unreachable.
    pub fn expire(&self) {
        if !self.claim_to_end() {
            return self.break_off();
        }
        self.cancel_in_background(self.timeout());
        self.break_off();
    }

    /// Asks the server to cancel what it runs for this session, and does not wait for that: the
    /// session is about to be closed. A thread does the asking, for up to `patience`.
    pub fn cancel_in_background(&self, patience: Option<Duration>) {
        if !self.claim_to_end() {
            return;
        }
        if let Some(token) = self.cancel_token() {
            let tell = move || drop(token.send(patience, &mut || true));
            let _ = std::thread::Builder::new().name("psycoxide-cancel".to_owned()).spawn(tell);
        }
    }

    /// Reads the rest of an answer that the server has begun to end. Returns `None`, and closes the
    /// link, if that does not end within `patience`.
    pub fn finish(&self, patience: Duration) -> Option<Outcome> {
        self.drain(Instant::now() + patience, b"over")
    }

    /// Reads the rest of an answer; refuses and discards the data of COPY on the way. Returns
    /// `None`, and closes the link, if the answer did not end in time.
    fn drain(&self, until: Instant, reason: &[u8]) -> Option<Outcome> {
        let outcome = self.take_rest(until, reason);
        if outcome.is_none() {
            self.break_off();
        }
        outcome
    }

    fn take_rest(&self, until: Instant, reason: &[u8]) -> Option<Outcome> {
        let mut first = None;
        loop {
            match self.discard(self.drive(Some(until)).ok()?, reason) {
                ControlFlow::Break(None) => return None,
                ControlFlow::Break(Some(outcome)) => {
                    first.get_or_insert(outcome);
                    if self.ask(Engine::requests_in_flight).unwrap_or_default() == 0 {
                        return first;
                    }
                }
                ControlFlow::Continue(()) => {}
            }
            if Instant::now() >= until {
                return None;
            }
        }
    }

    /// Reads what has arrived of an answer that nobody wants. Returns the outcome if that is all of
    /// it. Never waits.
    pub fn skim(&self, reason: &[u8]) -> Option<Outcome> {
        for _ in 0..MAX_SKIMS {
            let stop = match self.step().ok()? {
                Step::Stop(stop) => stop,
                Step::Yield => continue,
                Step::Wait(_) => break,
            };
            if let ControlFlow::Break(outcome) = self.discard(stop, reason) {
                return outcome;
            }
        }
        None
    }

    /// Handles a stop of an operation that is being ended. Breaks with its outcome, or with `None`
    /// if it cannot be ended.
    fn discard(&self, stop: Stop, reason: &[u8]) -> ControlFlow<Option<Outcome>> {
        match stop {
            Stop::Event(Event::Done(outcome)) => return ControlFlow::Break(Some(outcome)),
            Stop::Event(Event::CopyIn(_) | Event::CopyBoth(_)) | Stop::Hungry => {
                if self.with_engine(|engine| engine.copy_fail(reason)).is_err() {
                    return ControlFlow::Break(None);
                }
            }
            // Notifications are kept for the program, which may be waiting for them. The engine
            // itself bounds the notices.
            Stop::Backlog
                if self.ask(Engine::pending_notifications).unwrap_or_default() > MAX_BACKLOG =>
            {
                return ControlFlow::Break(None);
            }
            Stop::Rows => drop(self.take_rows()),
            Stop::Expired => return ControlFlow::Break(None),
            Stop::Event(_) | Stop::Backlog | Stop::Interrupted => {}
        }
        ControlFlow::Continue(())
    }
}
