//! The calls on a connection, first in, first out.

use std::collections::VecDeque;
use std::time::Instant;

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use super::AwaitedOperation;
use super::awaitable::{Awaitable, CallOptions, Place};
use crate::driver::reply::Reply;

/// How many calls may be in flight: more would only wait in the buffers of the socket.
const MAX_IN_FLIGHT: usize = 64;

/// A call in the queue.
pub struct Entry {
    pub number: u64,
    /// Taken out while the operation is being asked what follows.
    pub running: Option<AwaitedOperation>,
    /// Who waits for the answer. `None`: nobody any more, and the answer is dropped.
    pub awaitable: Option<Py<Awaitable>>,
    pub options: CallOptions,
    /// Until when the caller waits.
    pub deadline: Option<Instant>,
    /// The operation keeps its place until its caller goes on with it.
    pub pauses: bool,
    /// Of an operation that may pause.
    pub place: Option<Place>,
    /// The task that called last, of an operation that may pause.
    pub task: Option<Py<PyAny>>,
    /// The operation gave itself up, because of this exception: the server cancels, and the rest of
    /// the answer is read.
    pub given_up: Option<PyErr>,
    /// A cancel request for a call in front of it may hit it instead.
    pub exposed: bool,
}

impl Entry {
    /// Whether the operation goes on for a caller.
    pub fn is_wanted(&self) -> bool {
        (self.awaitable.is_some() || self.pauses) && self.given_up.is_none()
    }

    /// Whether somebody may go on with the operation when it pauses.
    pub fn keeps_place(&self) -> bool {
        self.place.as_ref().is_none_or(|place| !place.is_left())
    }

    /// Gives the caller, if there still is one, the answer.
    pub fn answer(&mut self, py: Python<'_>, answer: PyResult<Reply>) {
        match self.awaitable.take() {
            Some(awaitable) => awaitable.get().answer(py, answer),
            None => drop(answer),
        }
    }
}

/// The calls of a connection, in the order in which they began.
#[derive(Default)]
pub struct Queue {
    entries: VecDeque<Entry>,
    /// How many of the first ones were handed to the session.
    in_flight: usize,
    last_number: u64,
}

impl Queue {
    /// Appends a call and returns its number.
    pub fn push(&mut self, mut entry: Entry) -> u64 {
        self.last_number += 1;
        entry.number = self.last_number;
        self.entries.push_back(entry);
        self.last_number
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub fn get_mut(&mut self, number: u64) -> Option<&mut Entry> {
        let index = self.index(number)?;
        self.entries.get_mut(index)
    }

    fn index(&self, number: u64) -> Option<usize> {
        // Numbers grow, but for calls that are sent again.
        let found = self.entries.binary_search_by_key(&number, |entry| entry.number);
        found.ok().or_else(|| self.entries.iter().position(|entry| entry.number == number))
    }

    /// The call whose answer arrives.
    pub fn head_mut(&mut self) -> Option<&mut Entry> {
        self.entries.front_mut().filter(|_| self.in_flight > 0)
    }

    /// Whether the call whose answer arrives keeps its place until its caller goes on with it.
    pub fn pauses(&mut self) -> bool {
        self.head_mut().is_some_and(|head| head.pauses)
    }

    /// Takes out the call whose answer arrives.
    pub fn pop_head(&mut self) -> Option<Entry> {
        if self.in_flight == 0 {
            return None;
        }
        self.in_flight -= 1;
        self.entries.pop_front()
    }

    /// Puts the call back that [`Queue::pop_head`] took out: it goes on.
    pub fn push_head(&mut self, entry: Entry) {
        self.in_flight += 1;
        self.entries.push_front(entry);
    }

    /// Puts the call back that [`Queue::pop_head`] took out: it is sent again, behind those in
    /// flight.
    pub fn push_again(&mut self, entry: Entry) {
        self.entries.insert(self.in_flight, entry);
    }

    /// Notes that a cancel request for the head may hit those behind it.
    pub fn expose_behind_head(&mut self) {
        for entry in self.entries.iter_mut().take(self.in_flight).skip(1) {
            entry.exposed = true;
        }
    }

    /// Removes a call that was not handed to the session. Returns `None` if it was.
    pub fn remove_waiting(&mut self, number: u64) -> Option<Entry> {
        let index = self.index(number)?;
        if index < self.in_flight { None } else { self.entries.remove(index) }
    }

    /// Whether a call that is not in flight is there, and may be sent now. `pipelines` says whether
    /// the session takes another request behind those in flight.
    pub fn has_next(&self, pipelines: impl FnOnce() -> bool) -> bool {
        let Some(next) = self.entries.get(self.in_flight) else { return false };
        self.in_flight == 0
            || next.options.pipelined
                && self.in_flight < MAX_IN_FLIGHT
                && self.entries.iter().take(self.in_flight).all(|entry| entry.options.pipelined)
                && pipelines()
    }

    /// Takes out the operation of the next call, which is in flight from now on.
    pub fn launch_next(&mut self) -> Option<(u64, AwaitedOperation)> {
        let entry = self.entries.get_mut(self.in_flight)?;
        let running = entry.running.take()?;
        self.in_flight += 1;
        Some((entry.number, running))
    }

    /// Removes a call that ended before anything of it was sent.
    pub fn remove_launched(&mut self, number: u64) -> Option<Entry> {
        let index = self.index(number)?;
        if index < self.in_flight {
            self.in_flight -= 1;
        }
        self.entries.remove(index)
    }

    /// Puts a call back that was in flight when all were taken out.
    pub fn restore(&mut self, entry: Entry) {
        self.in_flight += 1;
        self.entries.push_back(entry);
    }

    /// Takes out all calls.
    pub fn take_all(&mut self) -> VecDeque<Entry> {
        self.in_flight = 0;
        std::mem::take(&mut self.entries)
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.entries.iter_mut()
    }

    /// The first of the callers' deadlines.
    pub fn deadline(&self) -> Option<Instant> {
        let waiting = self.entries.iter().filter(|entry| entry.awaitable.is_some());
        waiting.filter_map(|entry| entry.deadline).min()
    }

    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        for entry in &self.entries {
            visit.call(&entry.awaitable)?;
            visit.call(&entry.task)?;
            if let Some(running) = &entry.running {
                running.operation.traverse(visit)?;
            }
        }
        Ok(())
    }
}
