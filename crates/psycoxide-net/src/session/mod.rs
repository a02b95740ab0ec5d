//! One conversation with a server that several threads may share: the link, whose turn it is, and
//! how it ended.

mod processes;
mod snapshot;
mod watchdog;

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use psycoxide_proto::{Engine, Event, Interest, Outcome, Phase, Request, Rows};

pub use snapshot::SessionSnapshot;
use watchdog::Watchdog;

use crate::cancel::CancelToken;
use crate::error::Error;
use crate::link::{Link, Progress};
use crate::ownership::Ownership;
use crate::turn::Turn;
use crate::wait::{Readiness, wait};

/// The most notifications that may queue up while an operation is given up: a flood of them must
/// not fill the memory.
const MAX_BACKLOG: usize = 100_000;

/// The longest time that a busy operation runs before it checks for signals and for its deadline.
const MAX_UNCHECKED: Duration = Duration::from_millis(100);

/// The longest time limit, a hundred years: adding it to the clock does not overflow.
const MAX_MICROSECONDS: u128 = 100 * 365 * 86_400 * 1_000_000;

/// Whether a connection is open, as `connection.closed` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Closed {
    /// The connection is open.
    Open = 0,
    /// `close()` was called.
    ByUser = 1,
    /// The server is gone, or spoke nonsense.
    Broken = 2,
}

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

/// A link that several threads may share.
pub struct Session {
    link: Arc<Mutex<Link>>,
    turn: Turn,
    closed: AtomicU8,
    /// Whether an operation is under way that the program drives by `poll()`. An atomic, because
    /// every fetched row checks it.
    polled: AtomicBool,
    /// The stop that such an operation came to, until it is taken.
    stopped: Mutex<Option<Stop>>,
    /// How long an operation may take, in microseconds; 0 means no limit.
    timeout: AtomicU64,
    /// Enforces the time limit on operations that a program drives by `poll()`.
    watchdog: Watchdog,
    /// Whether this process may use the session.
    ownership: Ownership,
}

impl Session {
    /// A session over a link that may still be dialing.
    pub fn new(link: Link) -> Self {
        Self {
            link: Arc::new(Mutex::new(link)),
            turn: Turn::new(),
            closed: AtomicU8::new(Closed::Open as u8),
            polled: AtomicBool::new(false),
            stopped: Mutex::default(),
            timeout: AtomicU64::new(0),
            watchdog: Watchdog::default(),
            ownership: Ownership::new(),
        }
    }

    /// How long an operation may take.
    pub fn timeout(&self) -> Option<Duration> {
        let microseconds = self.timeout.load(Ordering::Relaxed);
        (microseconds > 0).then(|| Duration::from_micros(microseconds))
    }

    /// Sets how long an operation may take, from the next one on.
    pub fn set_timeout(&self, timeout: Option<Duration>) {
        let microseconds =
            timeout.map_or(0, |timeout| timeout.as_micros().clamp(1, MAX_MICROSECONDS));
        self.timeout.store(u64::try_from(microseconds).unwrap_or(0), Ordering::Relaxed);
    }

    /// The deadline of an operation that begins now.
    pub fn until(&self) -> Option<Instant> {
        self.timeout().map(|timeout| Instant::now() + timeout)
    }

    /// The turn on this session.
    pub fn turn(&self) -> &Turn {
        &self.turn
    }

    /// Whether the session is open, or how it was closed.
    #[inline]
    pub fn closed(&self) -> Closed {
        match self.closed.load(Ordering::Acquire) {
            0 => Closed::Open,
            1 => Closed::ByUser,
            _ => Closed::Broken,
        }
    }

    /// Whether the session is open and no operation waits for `poll()`.
    #[inline]
    pub fn is_at_rest(&self) -> bool {
        self.closed() == Closed::Open && !self.is_polled()
    }

    /// The link, for one step. Never hold this across a wait or a call into Python. Only for the
    /// process that uses the session: a process that inherited it could wait for a thread that does
    /// not exist there.
    pub fn link(&self) -> MutexGuard<'_, Link> {
        debug_assert!(!self.is_inherited(), "an inheritor may only look");
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The link, for reading. `None` in a forked child if a thread of the parent worked on it at
    /// the fork: it is locked for ever then, and may be half changed.
    pub fn look(&self) -> Option<MutexGuard<'_, Link>> {
        if !self.is_inherited() {
            return Some(self.link());
        }
        match self.link.try_lock() {
            Ok(link) => Some(link),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Begins an operation that a program drives by `poll()`, and starts its time limit.
    pub fn begin_polled(&self) {
        if let Some(timeout) = self.timeout() {
            self.watchdog.arm(timeout, &self.link);
        }
        self.set_polled(true);
    }

    /// Ends the time limit of an operation driven by `poll()`. Returns `false`, and closes the
    /// link, if the limit has passed.
    pub fn end_polled(&self) -> bool {
        if self.is_inherited() {
            return true;
        }
        self.watchdog.disarm();
        let in_time = !self.watchdog.is_spent();
        if !in_time {
            self.break_off();
        }
        in_time
    }

    /// Gives up an operation driven by `poll()` if it has taken too long. Returns whether it has.
    pub fn expire_polled(&self) -> bool {
        if self.is_inherited() || !self.watchdog.is_overdue() {
            return false;
        }
        // If the watchdog came first, it has told the server already.
        if self.watchdog.is_spent() {
            self.break_off()
        } else {
            self.expire()
        }
        self.set_polled(false);
        self.watchdog.disarm();
        true
    }

    /// Notes whether an operation is under way that the program drives by `poll()`.
    pub fn set_polled(&self, polled: bool) {
        if self.is_inherited() {
            return;
        }
        self.polled.store(polled, Ordering::Release);
        if !polled {
            drop(self.take_stop());
        }
    }

    /// Keeps the stop that an operation came to, for the caller that goes on with it.
    pub fn keep_stop(&self, stop: Stop) {
        if !self.is_inherited() {
            *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = Some(stop);
        }
    }

    /// Takes the stop that an operation came to, if there is one.
    pub fn take_stop(&self) -> Option<Stop> {
        if self.is_inherited() {
            return None;
        }
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether the operation under way can only end through `poll()`.
    #[inline]
    pub fn is_polled(&self) -> bool {
        self.polled.load(Ordering::Acquire)
    }

    /// Calls `question` with the engine, if there is one, and returns its answer.
    pub fn ask<T>(&self, question: impl FnOnce(&Engine) -> T) -> Option<T> {
        self.look()?.engine().map(question)
    }

    /// The descriptor of the socket, or -1.
    pub fn fd(&self) -> RawFd {
        self.look().map_or(-1, |link| link.fd())
    }

    /// A token that cancels the running operation.
    pub fn cancel_token(&self) -> Option<CancelToken> {
        self.link().cancel_token()
    }

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

    /// Takes one step, which never blocks.
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

    /// Tells the operation under way to offer no more rows before it is over.
    pub fn keep_rows(&self) {
        self.with_engine(Engine::keep_rows);
    }

    /// Gives rows that were read back to the engine.
    pub fn give_back(&self, rows: Rows) {
        self.with_engine(|engine| engine.give_back(rows));
    }

    /// Whether a replication stream is open.
    pub fn is_streaming(&self) -> bool {
        self.ask(Engine::phase) == Some(Phase::CopyBoth)
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

    /// Whether the operation waits for the caller to supply more data of COPY FROM.
    pub fn is_hungry(&self, interest: Interest) -> bool {
        hungry(interest, self.ask(Engine::phase))
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
            let engine = link.engine();
            if engine.is_some_and(Engine::is_flooded) {
                return Ok(Stop::Backlog);
            }
            if engine.is_some_and(Engine::offers_rows) {
                return Ok(Stop::Rows);
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
            if hungry(interest, engine.map(Engine::phase)) {
                return Ok(Stop::Hungry);
            }
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
            if until.is_some_and(|until| Instant::now() >= until) {
                return Ok(Stop::Expired);
            }
            link = self.link();
        }
    }

    /// Asks the server to cancel the operation under way, then reads the rest of its answer.
    /// Returns `None`, and closes the link, if that does not end within `patience`.
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
        let (token, patience) = (self.cancel_token(), self.timeout());
        self.break_off();
        if let Some(token) = token {
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
        loop {
            match self.drive(Some(until)) {
                Ok(Stop::Event(Event::Done(outcome))) => return Some(outcome),
                Ok(Stop::Event(event)) => {
                    let refused = match event {
                        Event::CopyIn(_) | Event::CopyBoth(_) => {
                            self.with_engine(|engine| engine.copy_fail(reason))
                        }
                        _ => Ok(()),
                    };
                    if refused.is_err() {
                        return None;
                    }
                }
                Ok(Stop::Hungry) => {
                    if self.with_engine(|engine| engine.copy_fail(reason)).is_err() {
                        return None;
                    }
                }
                Ok(Stop::Backlog) => {
                    // Notifications are kept for the program, which may be waiting for them. The
                    // engine itself bounds the notices.
                    if self.ask(Engine::pending_notifications).unwrap_or_default() > MAX_BACKLOG {
                        return None;
                    }
                }
                Ok(Stop::Rows) => self.keep_rows(),
                Ok(Stop::Interrupted) => {}
                Ok(Stop::Expired) | Err(_) => return None,
            }
            if Instant::now() >= until {
                return None;
            }
        }
    }

    /// Calls `f` with the engine, which exists whenever an operation is under way.
    pub fn with_engine<T>(&self, f: impl FnOnce(&mut Engine) -> T) -> T
    where
        T: NoEngine,
    {
        if self.is_inherited() {
            return T::no_engine();
        }
        self.link().engine_mut().map_or_else(T::no_engine, f)
    }

    /// Marks the session as broken, unless it was closed before.
    pub fn mark_broken(&self) {
        let _ = self.closed.compare_exchange(
            Closed::Open as u8,
            Closed::Broken as u8,
            Ordering::AcqRel,
            Ordering::Acquire,
        );
    }

    /// Closes the link because it can no longer be trusted.
    pub fn break_off(&self) {
        self.mark_broken();
        self.shut();
    }

    /// `close()`: says goodbye if that does not block.
    pub fn close(&self) {
        self.closed.store(Closed::ByUser as u8, Ordering::Release);
        self.shut();
    }

    /// `close()` while the program's own loop waits for the socket: the loop wakes up, finds the
    /// session closed, and gives up the operation, which closes the link.
    pub fn hang_up(&self) {
        self.closed.store(Closed::ByUser as u8, Ordering::Release);
        if self.claim_to_end() {
            self.link().hang_up();
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let inherited = self.is_inherited();
        self.shut();
        if inherited {
            let stopped = self.stopped.get_mut().unwrap_or_else(PoisonError::into_inner);
            std::mem::forget(stopped.take());
        } else {
            self.watchdog.end();
        }
    }
}

/// Whether COPY FROM has sent everything. There is nothing to wait for then: the server only speaks
/// if something is wrong.
fn hungry(interest: Interest, phase: Option<Phase>) -> bool {
    phase == Some(Phase::CopyIn) && !interest.contains(Interest::WRITE)
}

/// The value that [`Session::with_engine`] returns if there is no engine.
pub trait NoEngine {
    /// The value to return without an engine.
    fn no_engine() -> Self;
}

impl NoEngine for () {
    fn no_engine() -> Self {}
}

impl<T> NoEngine for Vec<T> {
    fn no_engine() -> Self {
        Vec::new()
    }
}

impl<T> NoEngine for Option<T> {
    fn no_engine() -> Self {
        None
    }
}

impl<T> NoEngine for Result<T, psycoxide_proto::Error> {
    fn no_engine() -> Self {
        Err(psycoxide_proto::Error::Misuse("the connection is not open"))
    }
}
