//! A session and the processes that a fork leaves with it.

use std::sync::Arc;

use super::Session;
use crate::error::Error;
use crate::ownership::Refusal;

/// What an operation ends with in a child that was forked in its middle.
const FORKED: &str =
    "the process was forked in the middle of the operation, which stays the parent's";

impl Session {
    /// Has this process use the session, if it may: of those that a fork left with it the first
    /// one does.
    ///
    /// # Errors
    /// Why it may not.
    #[inline]
    pub fn claim(&self) -> Result<(), Refusal> {
        if self.ownership.is_certain() { Ok(()) } else { self.ownership.take(|| self.adopt()) }
    }

    /// Whether this process may still come to use the session.
    ///
    /// # Errors
    /// Why it may not.
    #[inline]
    pub fn check_claim(&self) -> Result<(), Refusal> {
        if self.ownership.is_certain() {
            return Ok(());
        }
        let at_rest = || self.turn.is_free() && !self.is_polled() && self.look().is_some();
        self.ownership.look(at_rest)
    }

    /// Why this process may not use the session, if so.
    pub fn refusal(&self) -> Option<Refusal> {
        self.check_claim().err()
    }

    /// Whether a parent process has left it to this one, which has not used it.
    pub fn is_inherited(&self) -> bool {
        self.ownership.is_inherited()
    }

    /// Claims the session to end something: what it did not begin an inheritor leaves alone.
    pub fn claim_to_end(&self) -> bool {
        !self.is_inherited() && self.claim().is_ok()
    }

    /// Makes an inherited session usable, whose threads are gone; whether it was at rest.
    fn adopt(&self) -> bool {
        self.turn.adopt()
            && !self.is_polled()
            && self.poll_state.try_lock().is_ok()
            && self.look().is_some()
            && self.watchdog.adopt()
    }

    /// Refuses steps of an operation in which the process was forked: they go on in the parent.
    pub(super) fn check_step(&self) -> Result<(), Error> {
        self.claim().map_err(|_| psycoxide_proto::Error::Misuse(FORKED).into())
    }

    /// Closes the link. A conversation that is another process's is left alone.
    pub(super) fn shut(&self) {
        if self.claim_to_end() {
            self.link().close();
        } else {
            self.abandon();
        }
    }

    /// Lets the link go. What a thread of a parent process may have been changing is never touched:
    /// its memory stays, and the descriptor until the child ends.
    fn abandon(&self) {
        match self.look() {
            Some(mut link) => link.abandon(),
            None => std::mem::forget(Arc::clone(&self.link)),
        }
    }
}
