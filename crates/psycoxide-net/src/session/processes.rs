//! A session and the processes that a fork leaves with it.

use std::sync::Arc;

use super::Session;
use crate::error::Error;
use crate::ownership::Refusal;

/// The error of an operation in a child that was forked in its middle.
const FORKED: &str =
    "the process was forked in the middle of the operation, which stays the parent's";

impl Session {
    /// Claims the session for this process. Of the processes that share it after a fork, the first
    /// to claim it may use it.
    ///
    /// # Errors
    /// Why this process may not use the session.
    #[inline]
    pub fn claim(&self) -> Result<(), Refusal> {
        if self.ownership.is_certain() { Ok(()) } else { self.ownership.take(|| self.adopt()) }
    }

    /// Checks whether this process may use the session, without claiming it.
    ///
    /// # Errors
    /// Why this process may not use the session.
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

    /// Whether this process got the session by a fork and has not used it.
    pub fn is_inherited(&self) -> bool {
        self.ownership.is_inherited()
    }

    /// Claims the session in order to end an operation. A process that inherited it leaves alone
    /// what it did not begin.
    pub fn claim_to_end(&self) -> bool {
        !self.is_inherited() && self.claim().is_ok()
    }

    /// Makes an inherited session usable, without the parent's threads. Returns whether it was at
    /// rest.
    fn adopt(&self) -> bool {
        self.turn.adopt()
            && !self.is_polled()
            && self.stopped.try_lock().is_ok()
            && self.look().is_some()
            && self.watchdog.adopt()
    }

    /// Refuses steps of an operation during which the process was forked: the parent goes on with
    /// it.
    pub(super) fn check_step(&self) -> Result<(), Error> {
        self.claim().map_err(|_| psycoxide_proto::Error::Misuse(FORKED).into())
    }

    /// Closes the link, but leaves alone a conversation that belongs to another process.
    pub(super) fn shut(&self) {
        if self.claim_to_end() {
            self.link().close();
        } else {
            self.abandon();
        }
    }

    /// Lets the link go. If a thread of the parent may have been changing it at the fork, it is
    /// never touched: its memory leaks, and its descriptor stays open until the child ends.
    fn abandon(&self) {
        match self.look() {
            Some(mut link) => link.abandon(),
            None => std::mem::forget(Arc::clone(&self.link)),
        }
    }
}
