//! Whose operation it is: one thread at a time works on a connection.
//!
//! A state with an owner rather than a lock with a guard: an operation may run over many calls and
//! waits, and the owner may be asked for.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

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
    owner: Mutex<Option<ThreadId>>,
    released: Condvar,
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
        let mut owner = self.owner();
        match *owner {
            None => {
                *owner = Some(thread::current().id());
                Ok(())
            }
            Some(id) if id == thread::current().id() => Err(TurnError::Reentrant),
            Some(_) => Err(TurnError::Busy),
        }
    }

    /// Waits for the turn.
    ///
    /// # Errors
    /// [`TurnError::Reentrant`] if the calling thread has it.
    pub fn acquire(&self) -> Result<(), TurnError> {
        let me = thread::current().id();
        let mut owner = self.owner();
        while let Some(id) = *owner {
            if id == me {
                return Err(TurnError::Reentrant);
            }
            owner = self.released.wait(owner).unwrap_or_else(PoisonError::into_inner);
        }
        *owner = Some(me);
        Ok(())
    }

    /// Gives the turn back.
    pub fn release(&self) {
        *self.owner() = None;
        self.released.notify_one();
    }

    fn owner(&self) -> MutexGuard<'_, Option<ThreadId>> {
        self.owner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn one_at_a_time() {
        let turn = Arc::new(Turn::new());
        let inside = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let (turn, inside) = (Arc::clone(&turn), Arc::clone(&inside));
                thread::spawn(move || {
                    for _ in 0..200 {
                        turn.acquire().unwrap();
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
        turn.acquire().unwrap();
        assert_eq!(turn.acquire(), Err(TurnError::Reentrant));
        assert_eq!(turn.try_acquire(), Err(TurnError::Reentrant));
        thread::scope(|scope| {
            scope.spawn(|| assert_eq!(turn.try_acquire(), Err(TurnError::Busy)));
        });
        turn.release();
        assert_eq!(turn.try_acquire(), Ok(()));
    }
}
