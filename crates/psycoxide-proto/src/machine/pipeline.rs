//! Requests that are sent before the ones in front of them are answered.
//!
//! The server answers in order, so they wait in a queue. Each becomes the request in flight when the
//! one before it is complete.

use std::collections::VecDeque;

use crate::error::Error;
use crate::machine::conversation::Conversation;
use crate::machine::in_flight::InFlight;
use crate::machine::request::Request;
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
    offering: Option<usize>,
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
        let last = self.queue.requests.back().map_or(&self.in_flight, |last| &last.in_flight);
        match self.phase {
            Phase::Failed | Phase::Closed => false,
            Phase::Idle => true,
            _ => last.may_be_followed(),
        }
    }

    /// How many requests the driver has not seen the end of.
    pub(crate) fn requests_in_flight(&self) -> usize {
        let awaited = usize::from(self.phase.is_waiting());
        awaited + self.queue.requests.len() + usize::from(self.has_outcome())
    }

    /// Sends a request while others are in flight, or while the last outcome waits to be taken.
    #[cold]
    pub(crate) fn submit_behind(&mut self, request: Request) -> Result<(), Error> {
        if !request.pipelined || !self.accepts_pipelined() {
            return Err(Error::Misuse("another request is under way"));
        }
        let offering = request.offering;
        let (phase, in_flight) = self.send(request)?;
        match self.phase {
            Phase::Idle => self.enter(phase, in_flight, offering),
            _ => self.queue.requests.push_back(Queued { phase, in_flight, offering }),
        }
        Ok(())
    }

    /// The request in flight is complete: the next one's replies come.
    #[cold]
    pub(crate) fn advance(&mut self) {
        if let Some(Queued { phase, in_flight, offering }) = self.queue.requests.pop_front() {
            self.enter(phase, in_flight, offering);
        }
    }
}
