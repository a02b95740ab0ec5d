//! Turns: one thread at a time works on a connection.
//!
//! A turn is a state with an owner, not a lock with a guard: an operation may span many calls and
//! waits, and callers may ask who the owner is.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
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
///
/// It is nearly always free; then taking it and giving it back costs two atomic operations.
#[derive(Debug, Default)]
pub struct Turn {
    /// The number of the thread that has it.
    owner: AtomicU64,
    /// How many threads wait. If none does, the system call that wakes them is saved.
    waiting: AtomicUsize,
    /// Held by a thread between its check of the owner and its wait, so that no wake-up is lost in
    /// between.
    gate: Mutex<()>,
    released: Condvar,
}

/// The owner while nobody has the turn; no thread has this number.
const NOBODY: u64 = 0;

/// The number of the calling thread, which no other thread ever has.
fn me() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(NOBODY + 1);
    thread_local! {
        static ME: u64 = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    ME.with(|me| *me)
}

impl Turn {
    /// A turn that nobody has.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the turn if it is free.
    ///
    /// # Errors
    /// [`TurnError::Busy`] or [`TurnError::Reentrant`].
    pub fn try_acquire(&self) -> Result<(), TurnError> {
        let me = me();
        match self.owner.compare_exchange(NOBODY, me, Ordering::SeqCst, Ordering::SeqCst) {
            Ok(_) => Ok(()),
            Err(owner) if owner == me => Err(TurnError::Reentrant),
            Err(_) => Err(TurnError::Busy),
        }
    }

    /// Waits for the turn, for about `patience` at most.
    ///
    /// # Errors
    /// [`TurnError::Busy`] if the time is over, [`TurnError::Reentrant`] if the calling thread has
    /// it.
    pub fn acquire(&self, patience: Duration) -> Result<(), TurnError> {
        let until = Instant::now() + patience;
        let mut gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        // The waiter counts itself before it checks the owner; the releaser clears the owner before
        // it reads the count. So one of the two sees the other.
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let taken = loop {
            let taken = self.try_acquire();
            let left = until.saturating_duration_since(Instant::now());
            if taken != Err(TurnError::Busy) || left.is_zero() {
                break taken;
            }
            let waited = self.released.wait_timeout(gate, left);
            gate = waited.unwrap_or_else(PoisonError::into_inner).0;
        };
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        taken
    }

    /// Makes the turn usable in a forked child, whatever threads of the parent waited for it.
    /// Returns whether it was free.
    pub fn adopt(&self) -> bool {
        let free = self.is_free();
        if free {
            self.waiting.store(0, Ordering::SeqCst);
        }
        free
    }

    /// Whether it is free, and no thread is about to wait for it or to wake a waiter.
    pub fn is_free(&self) -> bool {
        self.owner.load(Ordering::SeqCst) == NOBODY && self.gate.try_lock().is_ok()
    }

    /// Whether the calling thread has it.
    pub fn is_mine(&self) -> bool {
        self.owner.load(Ordering::SeqCst) == me()
    }

    /// Gives the turn back.
    pub fn release(&self) {
        self.owner.store(NOBODY, Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) > 0 {
            drop(self.gate.lock().unwrap_or_else(PoisonError::into_inner));
            self.released.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn one_thread_at_a_time_has_the_turn() {
        let turn = Arc::new(Turn::new());
        let inside = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let (turn, inside) = (Arc::clone(&turn), Arc::clone(&inside));
                thread::spawn(move || {
                    for _ in 0..2000 {
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
    fn only_a_free_turn_is_adopted() {
        let turn = Turn::new();
        turn.waiting.store(3, Ordering::SeqCst);
        turn.acquire(LONG).unwrap();
        assert!(!turn.adopt());
        turn.owner.store(NOBODY, Ordering::SeqCst);
        assert!(turn.adopt());
        assert_eq!(turn.waiting.load(Ordering::SeqCst), 0);
        let _held = turn.gate.lock().unwrap();
        assert!(!turn.adopt());
    }

    #[test]
    fn no_thread_waits_for_itself() {
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
