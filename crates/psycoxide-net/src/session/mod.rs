//! One conversation with a server that several threads may share: the link, whose turn it is, and
//! how it ended.

mod driving;
mod ending;
mod processes;
mod snapshot;
mod watchdog;

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use psycoxide_proto::{Columns, Engine, Phase, Rows};

pub use driving::{Step, Stop};
pub use snapshot::SessionSnapshot;
use watchdog::Watchdog;

use crate::cancel::CancelToken;
use crate::link::Link;
use crate::ownership::Ownership;
use crate::turn::Turn;

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

    /// Tells the operation under way to offer no more rows before it is over.
    pub fn keep_rows(&self) {
        self.with_engine(Engine::keep_rows);
    }

    /// Takes the rows that the operation under way offers, with their columns.
    pub fn take_rows(&self) -> Option<(Arc<Columns>, Rows)> {
        self.with_engine(|engine| match engine.offers_rows() {
            true => engine.take_rows(),
            false => engine.take_arrived_rows(),
        })
    }

    /// Gives rows that were read back to the engine.
    pub fn give_back(&self, rows: Rows) {
        self.with_engine(|engine| engine.give_back(rows));
    }

    /// Whether a replication stream is open.
    pub fn is_streaming(&self) -> bool {
        self.ask(Engine::phase) == Some(Phase::CopyBoth)
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
