//! One conversation with a server that several threads may hold: the link, whose turn it is, and how
//! it ended.

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

/// So many notifications may queue up while an operation is given up: a flood of them must not fill
/// the memory.
const MAX_BACKLOG: usize = 100_000;

/// So long a busy operation goes on before signals, and bounds on its time, are looked at.
const LONGEST_UNSEEN: Duration = Duration::from_millis(100);

/// The longest bound on an operation, a hundred years: the clock can be trusted to reach it.
const MOST_MICROSECONDS: u128 = 100 * 365 * 86_400 * 1_000_000;

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
    /// It is complete ([`Event::Done`]), or waits for the caller: data of COPY, a password.
    Event(Event),
    /// COPY FROM goes on: all data were sent, the server waits for more.
    Hungry,
    /// There are notices or notifications to deliver before it goes on.
    Backlog,
    /// The request offers rows: they are to be taken before it goes on.
    Rows,
    /// A signal arrived while waiting, or may have while there was no wait; the interpreter should
    /// look at it.
    Interrupted,
    /// The bound on the wait has passed.
    Expired,
}

/// What `poll()` is about.
#[derive(Default)]
pub enum PollState {
    /// No operation is left to `poll()`.
    #[default]
    Idle,
    /// An operation is under way.
    Running {
        /// What the user was told to wait for.
        wants: Interest,
    },
    /// The operation came to its end, or to a pause; nobody has fetched that yet.
    Ended(Stop),
}

/// A link that several threads may hold.
pub struct Session {
    link: Arc<Mutex<Link>>,
    turn: Turn,
    closed: AtomicU8,
    poll_state: Mutex<PollState>,
    /// Whether that is anything but idle: asked for each row that is fetched.
    polling: AtomicBool,
    /// How long an operation may take, in microseconds; 0 is for ever.
    timeout: AtomicU64,
    /// Bounds the operations that somebody `poll()`s.
    watchdog: Watchdog,
    /// Whether this process may use it.
    ownership: Ownership,
}

impl Session {
    /// A session over a link that may still be dialing.
    pub fn new(link: Link) -> Self {
        Self {
            link: Arc::new(Mutex::new(link)),
            turn: Turn::new(),
            closed: AtomicU8::new(Closed::Open as u8),
            poll_state: Mutex::default(),
            polling: AtomicBool::new(false),
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
            timeout.map_or(0, |timeout| timeout.as_micros().clamp(1, MOST_MICROSECONDS));
        self.timeout.store(u64::try_from(microseconds).unwrap_or(0), Ordering::Relaxed);
    }

    /// When an operation that begins now has to be over.
    pub fn until(&self) -> Option<Instant> {
        self.timeout().map(|timeout| Instant::now() + timeout)
    }

    /// Whose operation it is.
    pub fn turn(&self) -> &Turn {
        &self.turn
    }

    /// How the session stands.
    #[inline]
    pub fn closed(&self) -> Closed {
        match self.closed.load(Ordering::Acquire) {
            0 => Closed::Open,
            1 => Closed::ByUser,
            _ => Closed::Broken,
        }
    }

    /// Whether the session is open and nobody has to `poll()`.
    #[inline]
    pub fn is_at_rest(&self) -> bool {
        self.closed() == Closed::Open && !self.is_polled()
    }

    /// The link, for one step. Never hold this across a wait or a call into Python. Of the process
    /// that uses the session only: an inheritor would wait for a thread that it has not.
    pub fn link(&self) -> MutexGuard<'_, Link> {
        debug_assert!(!self.is_inherited(), "an inheritor may only look");
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The link, to be looked at. `None` in a forked child if one of the parent's threads worked on
    /// it when the child was forked: it is locked for ever, and may be half changed.
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

    /// An operation begins that somebody `poll()`s: its time runs.
    pub fn begin_polled(&self) {
        if let Some(timeout) = self.timeout() {
            self.watchdog.arm(timeout, &self.link);
        }
        self.set_poll_state(PollState::Running { wants: Interest::WRITE });
    }

    /// The operation that somebody `poll()`s has ended. `false`, and the link is closed, if that took
    /// longer than it may.
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

    /// Gives up the operation that somebody `poll()`s if it has taken too long; whether it has.
    pub fn expire_polled(&self) -> bool {
        if self.is_inherited() || !self.watchdog.is_overdue() {
            return false;
        }
        // Where the watchdog came first the server is told already.
        if self.watchdog.is_spent() {
            self.break_off()
        } else {
            self.expire()
        }
        self.set_poll_state(PollState::Idle);
        self.watchdog.disarm();
        true
    }

    /// Notes how far an operation is that somebody `poll()`s.
    pub fn set_poll_state(&self, polled: PollState) {
        if self.is_inherited() {
            return;
        }
        self.polling.store(!matches!(polled, PollState::Idle), Ordering::Release);
        *self.poll_state.lock().unwrap_or_else(PoisonError::into_inner) = polled;
    }

    /// What became of the operation that somebody `poll()`s; it is forgotten if it has ended.
    pub fn take_poll_state(&self) -> PollState {
        if self.is_inherited() {
            return PollState::Idle;
        }
        let mut polled = self.poll_state.lock().unwrap_or_else(PoisonError::into_inner);
        self.polling.store(false, Ordering::Release);
        std::mem::take(&mut *polled)
    }

    /// Whether somebody has to `poll()` before the operation under way can end.
    #[inline]
    pub fn is_polled(&self) -> bool {
        self.polling.load(Ordering::Acquire)
    }

    /// What the engine answers to a question, once there is one.
    pub fn ask<T>(&self, question: impl FnOnce(&Engine) -> T) -> Option<T> {
        self.look()?.engine().map(question)
    }

    /// The descriptor of the socket, or -1.
    pub fn fd(&self) -> RawFd {
        self.look().map_or(-1, |link| link.fd())
    }

    /// What it takes to cancel a running operation.
    pub fn cancel_token(&self) -> Option<CancelToken> {
        self.link().cancel_token()
    }

    /// Hands a request to the engine; nothing is sent yet.
    pub fn start(&self, request: Request) -> Result<(), Error> {
        self.check_step()?;
        let mut link = self.link();
        let started = link.start(request);
        if started.is_err() && link.engine().is_none() {
            self.mark_broken();
        }
        started
    }

    /// One step that never blocks.
    pub fn advance(&self) -> Result<Progress, Error> {
        self.check_step()?;
        self.advance_link(&mut self.link())
    }

    /// The same on the locked link. An error in an answer may be the server's reason for ending the
    /// session. What came behind a good answer is the next operation's matter: this one is whole.
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

    /// The operation under way offers no more rows before it is over.
    pub fn keep_rows(&self) {
        self.with_engine(Engine::keep_rows);
    }

    /// Gives rows back that were read.
    pub fn give_back(&self, rows: Rows) {
        self.with_engine(|engine| engine.give_back(rows));
    }

    /// Whether a replication stream is open.
    pub fn is_streaming(&self) -> bool {
        self.ask(Engine::phase) == Some(Phase::CopyBoth)
    }

    /// Sends what is to be sent, waiting where it must; what comes meanwhile stays for later. What
    /// stopped it, if there is still something to send.
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

    /// Whether what is waited for is that the caller gives more data of COPY FROM.
    pub fn is_hungry(&self, interest: Interest) -> bool {
        hungry(interest, self.ask(Engine::phase))
    }

    /// Goes on until the operation ends or has to stop, waiting where it must.
    #[expect(clippy::disallowed_methods, reason = "the driver that waits itself")]
    pub fn drive(&self, until: Option<Instant>) -> Result<Stop, Error> {
        self.check_step()?;
        let mut busy_since = None;
        loop {
            let mut link = self.link();
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
                // Where there is always more to read no wait is ever interrupted.
                let since = *busy_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= LONGEST_UNSEEN {
                    return Ok(Stop::Interrupted);
                }
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
        }
    }

    /// Has the server cancel the operation under way, then takes the rest of its answer. `None`,
    /// and the link is closed, if that does not end within `patience`.
    pub fn cancel_and_drain(&self, patience: Duration) -> Option<Outcome> {
        if !self.claim_to_end() {
            self.break_off();
            return None;
        }
        let patience = self.timeout().map_or(patience, |timeout| timeout.min(patience));
        let until = Instant::now() + patience;
        // Without a token there is no session yet that could be kept. A request that may still be on
        // its way could hit whatever is run next.
        let sent = self.cancel_token().map(|token| token.send(Some(patience), &mut || true));
        if !matches!(sent, Some(Ok(()))) {
            self.break_off();
            return None;
        }
        self.drain(until, b"canceled")
    }

    /// Gives up an operation that took too long: the connection is closed, and the server is told to
    /// stop, by a thread, since it may not be there any more.
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

    /// Takes the rest of an answer that the server has begun to end. `None`, and the link is closed,
    /// if that does not end within `patience`.
    pub fn finish(&self, patience: Duration) -> Option<Outcome> {
        self.drain(Instant::now() + patience, b"over")
    }

    /// Takes the rest of an answer, refusing and discarding the data of COPY on the way. `None`,
    /// and the link is closed, if it did not come to its end in time.
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
                    // They are kept for the program, which may be waiting for them. The engine bounds
                    // the notices.
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

    /// Lets `f` work on the engine; there is one whenever an operation is under way.
    pub fn with_engine<T>(&self, f: impl FnOnce(&mut Engine) -> T) -> T
    where
        T: NoEngine,
    {
        if self.is_inherited() {
            return T::no_engine();
        }
        self.link().engine_mut().map_or_else(T::no_engine, f)
    }

    /// Notes that the server is gone; the first verdict stands.
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

    /// `close()` while somebody waits for the socket in a loop of their own: they wake up, find the
    /// session closed, and give up the operation, which closes the link.
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
            let polled = self.poll_state.get_mut().unwrap_or_else(PoisonError::into_inner);
            std::mem::forget(std::mem::take(polled));
        } else {
            self.watchdog.end();
        }
    }
}

/// In COPY FROM there is nothing to wait for once everything is sent: the server speaks only if
/// something is wrong.
fn hungry(interest: Interest, phase: Option<Phase>) -> bool {
    phase == Some(Phase::CopyIn) && !interest.contains(Interest::WRITE)
}

/// What [`Session::with_engine`] gives while there is no engine.
pub trait NoEngine {
    /// The answer without an engine.
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
