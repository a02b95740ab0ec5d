//! Requests that are sent before the ones in front of them are answered.
//!
//! The server answers in order, so they wait in a queue. Each becomes the request in flight when the
//! one before it is complete.

use std::collections::VecDeque;

use crate::backend::session::TransactionStatus;
use crate::error::Error;
use crate::machine::conversation::Conversation;
use crate::machine::event::{Event, Outcome};
use crate::machine::in_flight::InFlight;
use crate::machine::request::{Offering, Request};
use crate::machine::transitions::Phase;

/// The requests behind the one in flight, in the order in which they were sent.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    requests: VecDeque<Queued>,
}

/// A request whose replies come after those of others.
#[derive(Debug)]
struct Queued {
    /// The phase in which its first reply is awaited.
    phase: Phase,
    in_flight: InFlight,
    offering: Option<Offering>,
}

impl Queue {
    pub(crate) fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.requests.clear();
    }
}

impl Conversation {
    /// Whether a pipelined request may be sent now.
    ///
    /// Only the last request can have a part that is still to be sent: nothing was accepted behind
    /// that. What comes out of the queue is entirely sent, or was the last.
    pub(crate) fn accepts_pipelined(&self) -> bool {
        match self.phase {
            Phase::Failed | Phase::Closed => false,
            Phase::Idle => true,
            _ => !self.has_open_group() && self.last().may_be_followed(),
        }
    }

    /// Whether the last request belongs to a group whose Sync is still to be sent.
    fn has_open_group(&self) -> bool {
        match self.phase {
            Phase::Failed | Phase::Closed => false,
            Phase::Group | Phase::GroupFailed if self.queue.is_empty() => true,
            _ => self.last().is_unsynced(),
        }
    }

    /// The request that was submitted last, if any is in flight.
    fn last(&self) -> &InFlight {
        self.queue.requests.back().map_or(&self.in_flight, |last| &last.in_flight)
    }

    /// Whether the next request runs in a transaction, as far as that is known.
    pub(crate) fn is_in_transaction(&self) -> bool {
        match self.phase {
            Phase::Idle => self.session.status != TransactionStatus::Idle,
            _ => self.last().in_transaction,
        }
    }

    /// How many requests the driver has not seen the end of.
    pub(crate) fn requests_in_flight(&self) -> usize {
        let awaited = usize::from(self.phase.is_waiting());
        awaited + self.queue.requests.len() + usize::from(self.has_outcome())
    }

    /// Sends a request while others are in flight, while a group is open, or while the last outcome
    /// waits to be taken.
    #[cold]
    pub(crate) fn submit_behind(&mut self, request: Request) -> Result<(), Error> {
        if self.has_open_group() {
            if !request.kind.is_in_group() {
                return Err(Error::Misuse("a group is open"));
            }
            if request.begin.is_some() {
                return Err(Error::Misuse("a BEGIN inside a group"));
            }
        } else if !request.pipelined || !self.accepts_pipelined() {
            return Err(Error::Misuse("another request is under way"));
        }
        let offering = request.offering;
        let (phase, in_flight) = self.send(request)?;
        if matches!(self.phase, Phase::Idle | Phase::Group) {
            self.enter(phase, in_flight, offering);
            return Ok(());
        }
        self.queue.requests.push_back(Queued { phase, in_flight, offering });
        if self.phase == Phase::GroupFailed {
            self.advance();
            if self.event.is_none() {
                self.skip();
            }
        }
        Ok(())
    }

    /// The request in flight is complete: the next one's replies come. If the group has failed,
    /// those of its Sync come next.
    #[cold]
    pub(crate) fn advance(&mut self) {
        let failed = self.phase == Phase::GroupFailed;
        self.in_flight = InFlight::default();
        let skipped = |next: &Queued| failed && next.in_flight.is_unsynced();
        if self.queue.requests.front().is_none_or(skipped) {
            return;
        }
        if let Some(Queued { phase, in_flight, offering }) = self.queue.requests.pop_front() {
            self.enter(if failed { Phase::Drain } else { phase }, in_flight, offering);
        }
    }

    /// After an outcome was taken: if the group has failed, the next outcome is that of a request
    /// that the server skips.
    #[inline]
    pub(crate) fn skip(&mut self) {
        if self.phase == Phase::GroupFailed {
            self.skip_next();
        }
    }

    #[cold]
    fn skip_next(&mut self) {
        if let Some(skipped) = self.queue.requests.pop_front() {
            if let Some(run) = skipped.in_flight.run {
                self.session.statements.note_not_run(
                    &run.bound.key,
                    run.used,
                    run.probes,
                    &run.closing,
                );
            }
            self.event = Some(Event::Done(Outcome { skipped: true, ..Outcome::default() }));
            self.advance();
        }
    }
}
