//! How a session is driven: step by step, or by a loop that waits where it must.

use std::sync::MutexGuard;
use std::time::{Duration, Instant};

use psycoxide_proto::{Event, Interest, Phase, Request};

use super::{Closed, Session};
use crate::error::Error;
use crate::link::{Link, Progress};
use crate::wait::{Readiness, wait};

/// The longest time that a busy operation runs before it checks for signals and for its deadline.
const MAX_UNCHECKED: Duration = Duration::from_millis(100);

/// Why a running operation came back.
#[derive(Debug)]
pub enum Stop {
    /// It is complete ([`Event::Done`]), or needs the caller: data of COPY, a password.
    Event(Event),
    /// COPY FROM needs more data: all that it had were sent.
    Hungry,
    /// Notices or notifications have to be delivered before it goes on.
    Backlog,
    /// The request offers rows, which have to be taken before it goes on.
    Rows,
    /// A signal arrived during the wait, or may have arrived during a long step; the interpreter
    /// should handle it.
    Interrupted,
    /// The deadline has passed.
    Expired,
}

/// What a driver has to do next.
#[derive(Debug)]
pub enum Step {
    /// Handle this. It is never [`Stop::Interrupted`] or [`Stop::Expired`].
    Stop(Stop),
    /// Wait until [`Session::fd`] is ready for this.
    Wait(Interest),
    /// Take the next step when other work had its turn: this one has done its share.
    Yield,
}

impl Session {
    /// Hands a request to the engine; nothing is sent yet.
    pub fn start(&self, request: Request) -> Result<(), Error> {
        self.check_step()?;
        self.start_on(&mut self.link(), request)
    }

    fn start_on(&self, link: &mut Link, request: Request) -> Result<(), Error> {
        let started = link.start(request);
        if started.is_err() && link.engine().is_none() {
            self.mark_broken();
        }
        started
    }

    /// Takes one step of the link, which never blocks.
    pub fn advance(&self) -> Result<Progress, Error> {
        self.check_step()?;
        self.advance_link(&mut self.link())
    }

    /// [`Session::advance`] on the locked link. An error in an answer may be the server's reason
    /// for ending the session. Bytes after a good answer are for the next operation: this one is
    /// whole.
    fn advance_link(&self, link: &mut Link) -> Result<Progress, Error> {
        let progress = link.advance();
        let over = match &progress {
            Ok(Progress::Event(Event::Done(outcome))) if outcome.error.is_none() => false,
            Ok(_) => link.engine().is_some_and(|engine| engine.error().is_some()),
            Err(_) => true,
        };
        if over {
            self.mark_broken();
        }
        progress
    }

    /// Takes one step, which never blocks, and says what its driver has to do next.
    pub fn step(&self) -> Result<Step, Error> {
        self.check_step()?;
        let mut link = self.link();
        Ok(match self.advance_link(&mut link)? {
            Progress::Event(event) => Step::Stop(Stop::Event(event)),
            Progress::Wait(interest) => {
                pause(&link, Some(interest)).map_or(Step::Wait(interest), Step::Stop)
            }
            Progress::Yield => pause(&link, None).map_or(Step::Yield, Step::Stop),
        })
    }

    /// Reads what the server sent of its own accord, without waiting. For a session without an
    /// operation, whose socket has become readable. [`Link::take_async_messages`] returns what came,
    /// even after an error.
    ///
    /// # Errors
    /// If the server ended the session, which is broken then.
    pub fn poke(&self) -> Result<(), Error> {
        self.check_step()?;
        self.link().poke().inspect_err(|_| self.mark_broken())
    }

    /// Sends all pending data, waiting where it must; incoming data stay in the socket. Returns
    /// what stopped it, if something is still unsent.
    pub fn flush(&self, until: Option<Instant>) -> Result<Option<Stop>, Error> {
        self.check_step()?;
        loop {
            let (flushed, fd) = {
                let mut link = self.link();
                (link.flush()?, link.fd())
            };
            if flushed {
                return Ok(None);
            }
            match wait(fd, Interest::WRITE, until) {
                Ok(Readiness::Ready) => {}
                Ok(Readiness::Expired) => return Ok(Some(Stop::Expired)),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {
                    return Ok(Some(Stop::Interrupted));
                }
                Err(error) => return Err(Error::Io(error)),
            }
        }
    }

    /// Hands a request to the engine, and drives it as [`Session::drive`] does.
    pub fn run(&self, request: Request, until: Option<Instant>) -> Result<Stop, Error> {
        self.check_step()?;
        let mut link = self.link();
        self.start_on(&mut link, request)?;
        self.drive_on(link, until)
    }

    /// Drives the operation until it ends or has to stop, waiting where it must.
    pub fn drive(&self, until: Option<Instant>) -> Result<Stop, Error> {
        self.check_step()?;
        self.drive_on(self.link(), until)
    }

    #[expect(clippy::disallowed_methods, reason = "the driver that waits itself")]
    fn drive_on<'a>(
        &'a self,
        mut link: MutexGuard<'a, Link>,
        until: Option<Instant>,
    ) -> Result<Stop, Error> {
        let mut busy_since = None;
        loop {
            let wants = match self.advance_link(&mut link)? {
                Progress::Event(event) => return Ok(Stop::Event(event)),
                Progress::Wait(interest) => Some(interest),
                Progress::Yield => None,
            };
            if let Some(stop) = pause(&link, wants) {
                return Ok(stop);
            }
            let Some(interest) = wants else {
                drop(link);
                // While there is always more to read, no wait gives a signal the chance to
                // interrupt.
                let since = *busy_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= MAX_UNCHECKED {
                    return Ok(Stop::Interrupted);
                }
                link = self.link();
                continue;
            };
            let delay = if interest == Interest::READ { link.read_delay() } else { None };
            let (fd, deadline) = (link.fd(), link.deadline());
            drop(link);
            if let Some(delay) = delay {
                std::thread::sleep(delay);
                link = self.link();
                continue;
            }
            let deadline = match (deadline, until) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            match wait(fd, interest, deadline) {
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {
                    return Ok(Stop::Interrupted);
                }
                Err(error) => {
                    self.mark_broken();
                    return Err(Error::Io(error));
                }
            }
            if self.closed() == Closed::ByUser {
                // Another thread has hung up.
                self.shut();
                return Err(Error::lost());
            }
            if until.is_some_and(|until| Instant::now() >= until) {
                return Ok(Stop::Expired);
            }
            link = self.link();
        }
    }
}

/// Why an operation has to come back before its next event, if it has to. `wants` is what it would
/// wait for.
#[inline]
fn pause(link: &Link, wants: Option<Interest>) -> Option<Stop> {
    let engine = link.engine()?;
    if engine.is_flooded() {
        return Some(Stop::Backlog);
    }
    if engine.offers_rows() {
        return Some(Stop::Rows);
    }
    // Rows of a buffer that is not full are offered when there is nothing else to read.
    if wants.is_some() && engine.offers_arrived_rows() {
        return Some(Stop::Rows);
    }
    // Nothing is waited for when COPY FROM has sent everything: the server only speaks if something
    // is wrong.
    let sent = wants.is_some_and(|interest| !interest.contains(Interest::WRITE));
    (sent && engine.phase() == Phase::CopyIn).then_some(Stop::Hungry)
}
