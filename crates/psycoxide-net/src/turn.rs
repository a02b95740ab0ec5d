//! Whose operation it is: one thread at a time works on a connection.
//!
//! A state with an owner rather than a lock with a guard: an operation may run over many calls and
//! waits, and the owner may be asked for.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

/// Why the turn was not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnError {
    /// Another thread has it.
    Busy,
    /// The calling thread has it already: it would wait for itself.
    Reentrant,
}

/// The right to run an operation.
#[derive(Debug, Default)]
pub struct Turn {
    state: Mutex<State>,
    released: Condvar,
}

#[derive(Debug, Default)]
struct State {
    owner: Option<ThreadId>,
    /// How many threads wait: waking nobody would be a system call each time.
    waiting: usize,
}

thread_local! {
    /// Asked for at every operation: `thread::current()` counts references each time.
    static ME: ThreadId = thread::current().id();
}

fn me() -> ThreadId {
    ME.try_with(|me| *me).unwrap_or_else(|_| thread::current().id())
}

impl Turn {
    /// A turn that nobody has.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the turn if nobody has it.
    ///
    /// # Errors
    /// [`TurnError::Busy`] or [`TurnError::Reentrant`].
    pub fn try_acquire(&self) -> Result<(), TurnError> {
        let me = me();
        let mut state = self.state();
        match state.owner {
            None => {
                state.owner = Some(me);
                Ok(())
            }
            Some(id) if id == me => Err(TurnError::Reentrant),
            Some(_) => Err(TurnError::Busy),
        }
    }

    /// Waits for the turn, for about as long as `patience`.
    ///
    /// # Errors
    /// [`TurnError::Busy`] if it did not come, [`TurnError::Reentrant`] if the calling thread has it.
    pub fn acquire(&self, patience: Duration) -> Result<(), TurnError> {
        let me = me();
        let until = Instant::now() + patience;
        let mut state = self.state();
        while let Some(id) = state.owner {
            if id == me {
                return Err(TurnError::Reentrant);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(TurnError::Busy);
            }
            state.waiting += 1;
            let waited = self.released.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.waiting -= 1;
        }
        state.owner = Some(me);
        Ok(())
    }

    /// Gives the turn back.
    pub fn release(&self) {
        let mut state = self.state();
        state.owner = None;
        if state.waiting > 0 {
            self.released.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn one_at_a_time() {
        let turn = Arc::new(Turn::new());
        let inside = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let (turn, inside) = (Arc::clone(&turn), Arc::clone(&inside));
                thread::spawn(move || {
                    for _ in 0..200 {
                        turn.acquire(LONG).unwrap();
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        inside.fetch_sub(1, Ordering::SeqCst);
                        turn.release();
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
    }

    #[test]
    fn nobody_waits_for_himself() {
        let turn = Turn::new();
        turn.acquire(LONG).unwrap();
        assert_eq!(turn.acquire(LONG), Err(TurnError::Reentrant));
        assert_eq!(turn.try_acquire(), Err(TurnError::Reentrant));
        thread::scope(|scope| {
            scope.spawn(|| assert_eq!(turn.try_acquire(), Err(TurnError::Busy)));
        });
        turn.release();
        assert_eq!(turn.try_acquire(), Ok(()));
    }
}
