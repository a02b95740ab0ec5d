//! A bound on operations that others wait for: the program's own loop, or a wait callback.
//!
//! They wait for the socket, without a limit that we could set. So a thread ends the socket's
//! traffic when the time is over, which makes the socket ready; `poll()` then says why. A session has
//! such a thread from the first operation on that is bounded this way.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::link::Link;

/// The bound on the operation under way, of one session.
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
    /// When the operation under way has to be over.
    until: Option<Instant>,
    /// How long the server may take to be told.
    patience: Option<Duration>,
    /// The thread is there.
    started: bool,
    /// When the thread looks again by itself; `None` if it waits to be woken.
    wakes: Option<Instant>,
    /// The time was over once: the socket is of no more use.
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
    /// The operation that begins now may take this long.
    pub fn arm(&self, timeout: Duration, link: &Arc<Mutex<Link>>) {
        let until = Instant::now() + timeout;
        let mut state = self.shared.state();
        state.until = Some(until);
        state.patience = Some(timeout);
        if !state.started {
            let (shared, link) = (Arc::clone(&self.shared), Arc::downgrade(link));
            let thread = std::thread::Builder::new().name("psycoxide-watch".to_owned());
            // Without a thread `poll()` still looks at the clock.
            state.started = thread.spawn(move || keep(&shared, &link)).is_ok();
        } else if state.wakes.is_none_or(|wakes| until < wakes) {
            // Else it wakes in time, and finds what is due by then.
            self.shared.changed.notify_one();
        }
    }

    /// The operation has ended.
    pub fn disarm(&self) {
        self.shared.state().until = None;
    }

    /// Whether the operation under way has taken too long.
    pub fn is_overdue(&self) -> bool {
        let state = self.shared.state();
        state.spent || state.until.is_some_and(|until| until <= Instant::now())
    }

    /// Whether the socket's traffic was ended, and the server told.
    pub fn is_spent(&self) -> bool {
        self.shared.state().spent
    }

    /// Makes it usable in a forked child, which has not the thread; whether nobody was changing it.
    pub fn adopt(&self) -> bool {
        let Ok(mut state) = self.shared.state.try_lock() else { return false };
        state.started = false;
        true
    }

    /// The session is gone: so is the thread, soon.
    pub fn end(&self) {
        let mut state = self.shared.state();
        state.over = true;
        // To wake is a system call, and hardly any session has the thread.
        if state.started {
            self.shared.changed.notify_one();
        }
    }
}

/// What the thread does until the session is gone.
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

/// Wakes whoever waits for the socket, and has the server stop.
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
