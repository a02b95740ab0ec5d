//! A time limit on operations for which the program itself waits: in its own loop, or in a wait
//! callback.
//!
//! The program waits for the socket, and we cannot limit its wait. So when the time is over, a
//! thread shuts the socket down, which makes it ready; `poll()` then raises the error. A session
//! starts this thread with its first operation that needs it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::link::Link;

/// The time limit on the operation under way, for one session.
#[derive(Default)]
pub struct Watchdog {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The deadline of the operation under way.
    until: Option<Instant>,
    /// How long telling the server may take.
    patience: Option<Duration>,
    /// The thread runs.
    started: bool,
    /// When the thread wakes by itself; `None` if it waits to be woken.
    wakes: Option<Instant>,
    /// A time limit has passed: the socket is shut down.
    spent: bool,
    /// The session is gone.
    over: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watchdog {
    /// Starts the time limit of an operation.
    pub fn arm(&self, timeout: Duration, link: &Arc<Mutex<Link>>) {
        let until = Instant::now() + timeout;
        let mut state = self.shared.state();
        state.until = Some(until);
        state.patience = Some(timeout);
        if !state.started {
            let (shared, link) = (Arc::clone(&self.shared), Arc::downgrade(link));
            let thread = std::thread::Builder::new().name("psycoxide-watch".to_owned());
            // Without a thread `poll()` still checks the clock.
            state.started = thread.spawn(move || keep(&shared, &link)).is_ok();
        } else if state.wakes.is_none_or(|wakes| until < wakes) {
            // Otherwise the thread wakes in time, and reads the deadline then.
            self.shared.changed.notify_one();
        }
    }

    /// Ends the time limit: the operation is over.
    pub fn disarm(&self) {
        self.shared.state().until = None;
    }

    /// Whether the operation under way has taken too long.
    pub fn is_overdue(&self) -> bool {
        let state = self.shared.state();
        state.spent || state.until.is_some_and(|until| until <= Instant::now())
    }

    /// Whether the thread has shut the socket down and told the server.
    pub fn is_spent(&self) -> bool {
        self.shared.state().spent
    }

    /// Makes the watchdog usable in a forked child, which lacks the thread. Returns whether nobody
    /// was changing it at the fork.
    pub fn adopt(&self) -> bool {
        let Ok(mut state) = self.shared.state.try_lock() else { return false };
        state.started = false;
        true
    }

    /// Ends the thread, because the session is gone.
    pub fn end(&self) {
        let mut state = self.shared.state();
        state.over = true;
        // Waking it costs a system call, and hardly any session has the thread.
        if state.started {
            self.shared.changed.notify_one();
        }
    }
}

/// The body of the thread.
fn keep(shared: &Shared, link: &Weak<Mutex<Link>>) {
    let mut state = shared.state();
    while !state.over {
        let now = Instant::now();
        state.wakes = state.until;
        state = match state.until {
            None => shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(until) if until > now => {
                let waited = shared.changed.wait_timeout(state, until - now);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            Some(_) => {
                state.until = None;
                state.spent = true;
                let patience = state.patience;
                drop(state);
                interrupt(link, patience);
                shared.state()
            }
        };
    }
}

/// Wakes whoever waits for the socket, and tells the server to stop.
fn interrupt(link: &Weak<Mutex<Link>>, patience: Option<Duration>) {
    let Some(link) = link.upgrade() else { return };
    let token = {
        let link = link.lock().unwrap_or_else(PoisonError::into_inner);
        let token = link.cancel_token();
        link.interrupt();
        token
    };
    drop(link);
    if let Some(token) = token {
        let _ = token.send(patience, &mut || true);
    }
}
