//! Which process may use a session that a fork has shared: the first one that uses it.
//!
//! All processes that a fork leaves with the session share a number, and know its value at the
//! fork. The process that changes it first gets the session; the others see that it was changed. A
//! process that has not forked since it last looked need not look again.

mod fork;
mod shared_number;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use fork::Epoch;
use shared_number::SharedNumber;

pub use fork::count as count_forks;

/// How often a lock is tried before its holder counts as a thread that did not survive the fork.
const TRIES: usize = 100;

/// Whether this process may use a session.
#[derive(Debug)]
pub struct Ownership {
    /// The epoch in which this process was last certain that it may.
    since: AtomicU64,
    claim: Mutex<Claim>,
}

#[derive(Debug)]
struct Claim {
    ticket: Option<Ticket>,
    /// Why this process may not use the session, once that is known.
    refused: Option<Refusal>,
}

/// The number of a session as this process knows it. The lower half is the process id of the owner,
/// the upper half counts the decisions, so no value ever comes back.
#[derive(Debug)]
struct Ticket {
    shared: SharedNumber,
    known: u64,
}

/// Why a process may not use a session that it inherited or shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Another process used it first.
    Taken {
        /// The id of that process.
        by: u32,
    },
    /// The session was in the middle of an operation at the fork.
    Busy,
    /// There is no memory that the processes could share.
    Unshared,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken { by } => write!(
                f,
                "the connection was shared through fork(), and process {by} was the first to use it \
                 since"
            )?,
            Self::Busy => f.write_str(
                "the connection was inherited through fork() while an operation of the parent \
                 process was under way, and stays the parent's",
            )?,
            Self::Unshared => f.write_str(
                "the connection was inherited through fork(), and stays the parent process's for \
                 want of memory",
            )?,
        }
        f.write_str(": connect in each process, after the fork")
    }
}

const DECISION: u64 = 1 << 32;

/// The number that says that this process has the session.
fn decided(before: u64) -> u64 {
    (before - before % DECISION).wrapping_add(DECISION) | u64::from(std::process::id())
}

/// The process id in a number.
fn process(number: u64) -> u32 {
    u32::try_from(number % DECISION).unwrap_or_default()
}

impl Ticket {
    fn take() -> Option<Self> {
        let shared = SharedNumber::take()?;
        // Processes that know this number from an earlier session find it changed.
        let known = decided(shared.number().load(Ordering::SeqCst));
        shared.number().store(known, Ordering::SeqCst);
        Some(Self { shared, known })
    }

    /// Takes the session for this process, unless another one was faster.
    fn decide(&mut self) -> Result<(), Refusal> {
        let next = decided(self.known);
        let number = self.shared.number();
        match number.compare_exchange(self.known, next, Ordering::SeqCst, Ordering::SeqCst) {
            Ok(_) => {
                self.known = next;
                Ok(())
            }
            Err(found) => Err(Refusal::Taken { by: process(found) }),
        }
    }

    fn look(&self) -> Result<(), Refusal> {
        match self.shared.number().load(Ordering::SeqCst) {
            found if found == self.known => Ok(()),
            found => Err(Refusal::Taken { by: process(found) }),
        }
    }
}

impl Ownership {
    /// The ownership of a session that this process opens.
    pub fn new() -> Self {
        Self {
            since: AtomicU64::new(Epoch::now().settled().into()),
            claim: Mutex::new(Claim { ticket: Ticket::take(), refused: None }),
        }
    }

    /// Whether it is certain that this process has the session.
    #[inline]
    pub fn is_certain(&self) -> bool {
        self.since() == Epoch::now()
    }

    /// Whether the session comes from a parent process, and this process has not used it. Locks
    /// that a thread of the parent held at the fork are locked for ever then.
    pub fn is_inherited(&self) -> bool {
        self.since().generation() != Epoch::now().generation()
    }

    /// Takes the session for this process. If it is inherited, `adopt` makes it usable, or returns
    /// false because it was busy at the fork.
    ///
    /// # Errors
    /// Why this process may not have it.
    #[cold]
    pub fn take(&self, adopt: impl FnOnce() -> bool) -> Result<(), Refusal> {
        let inherited = self.is_inherited();
        let now = Epoch::now().settled();
        let mut claim = self.claim().ok_or(Refusal::Busy)?;
        if let Some(refusal) = claim.refused {
            return Err(refusal);
        }
        let taken = match &mut claim.ticket {
            _ if inherited && !adopt() => Err(Refusal::Busy),
            Some(ticket) => ticket.decide(),
            None if inherited => Err(Refusal::Unshared),
            None => Ok(()),
        };
        claim.refused = taken.err();
        taken?;
        if inherited {
            // The parent may give the old number to another session.
            claim.ticket = Ticket::take();
        }
        self.since.store(now.into(), Ordering::SeqCst);
        Ok(())
    }

    /// Checks whether this process could take the session, without taking it.
    ///
    /// # Errors
    /// Why it could not take it.
    #[cold]
    pub fn look(&self, adoptable: impl FnOnce() -> bool) -> Result<(), Refusal> {
        let inherited = self.is_inherited();
        let claim = self.claim().ok_or(Refusal::Busy)?;
        if let Some(refusal) = claim.refused {
            return Err(refusal);
        }
        match &claim.ticket {
            _ if inherited && !adoptable() => Err(Refusal::Busy),
            Some(ticket) => ticket.look(),
            None if inherited => Err(Refusal::Unshared),
            None => Ok(()),
        }
    }

    fn since(&self) -> Epoch {
        self.since.load(Ordering::SeqCst).into()
    }

    /// The claim; `None` if a thread of the parent had it locked at the fork.
    fn claim(&self) -> Option<MutexGuard<'_, Claim>> {
        if !self.is_inherited() {
            return Some(self.claim.lock().unwrap_or_else(PoisonError::into_inner));
        }
        for _ in 0..TRIES {
            match self.claim.try_lock() {
                Ok(claim) => return Some(claim),
                Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
                // Another thread of this process may be taking the session.
                Err(TryLockError::WouldBlock) => std::thread::yield_now(),
            }
        }
        None
    }
}

impl Default for Ownership {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAKEN: i32 = 0;
    const REFUSED: i32 = 1;

    /// Runs `work` in a forked child, where nothing may depend on another thread. Returns its exit
    /// code and its process id.
    fn in_child(work: impl FnOnce() -> i32) -> (i32, u32) {
        // SAFETY: the child runs code that neither panics nor waits for a lock, and ends.
        let pid = unsafe { libc::fork() };
        assert!(pid >= 0);
        if pid == 0 {
            let code = work();
            // SAFETY: ends the process, and returns to nobody.
            unsafe { libc::_exit(code) };
        }
        let mut status = 0;
        // SAFETY: waits for the child just made.
        assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
        assert!(libc::WIFEXITED(status));
        (libc::WEXITSTATUS(status), u32::try_from(pid).unwrap())
    }

    fn code(taken: Result<(), Refusal>) -> i32 {
        if taken.is_ok() { TAKEN } else { REFUSED }
    }

    fn may(ownership: &Ownership) -> Result<(), Refusal> {
        if ownership.is_certain() { Ok(()) } else { ownership.take(|| true) }
    }

    /// The ownership of a session that was just opened. Other tests of this process may fork at any
    /// time.
    fn opened() -> Ownership {
        count_once();
        Ownership::new()
    }

    fn count_once() {
        static ONCE: std::sync::Once = std::sync::Once::new();
        ONCE.call_once(count_forks);
    }

    #[test]
    fn the_first_child_to_use_a_session_has_it() {
        let ownership = opened();
        let (code, child) = in_child(|| code(may(&ownership).and_then(|()| may(&ownership))));
        assert_eq!(code, TAKEN);
        assert_eq!(ownership.look(|| true), Err(Refusal::Taken { by: child }));
        assert_eq!(may(&ownership), Err(Refusal::Taken { by: child }));
        assert_eq!(may(&ownership), Err(Refusal::Taken { by: child }));
    }

    #[test]
    fn a_child_that_does_not_use_a_session_leaves_it_to_the_parent() {
        let ownership = opened();
        assert_eq!(in_child(|| code(ownership.look(|| true))).0, TAKEN);
        assert_eq!(ownership.look(|| true), Ok(()));
        assert_eq!(may(&ownership), Ok(()));
    }

    #[test]
    fn only_one_of_several_children_has_the_session() {
        let ownership = opened();
        let codes: Vec<i32> = (0..3).map(|_| in_child(|| code(may(&ownership))).0).collect();
        assert_eq!(codes, [TAKEN, REFUSED, REFUSED]);
    }

    #[test]
    fn each_fork_decides_anew() {
        let ownership = opened();
        let child = in_child(|| {
            // A child that has the session shares it with its own children.
            let mine = may(&ownership);
            let (theirs, _) = in_child(|| code(may(&ownership)));
            let lost = may(&ownership).is_err();
            if mine.is_ok() && theirs == TAKEN && lost { 10 } else { 20 }
        });
        assert_eq!(child.0, 10);
        assert!(may(&ownership).is_err());
        let kept = opened();
        for _ in 0..5 {
            assert_eq!(in_child(|| code(kept.look(|| true))).0, TAKEN);
            assert_eq!(may(&kept), Ok(()));
        }
        assert_eq!(in_child(|| code(may(&kept))).0, TAKEN);
        assert!(may(&kept).is_err());
    }

    #[test]
    fn a_busy_session_stays_the_parents() {
        let ownership = opened();
        let child = || match ownership.take(|| false) {
            // The refusal is final.
            Err(Refusal::Busy) if ownership.take(|| true) == Err(Refusal::Busy) => 10,
            _ => 20,
        };
        assert_eq!(in_child(child).0, 10);
        assert_eq!(may(&ownership), Ok(()));
    }

    #[test]
    fn a_number_never_comes_back() {
        let number = |ownership: &Ownership| {
            let claim = ownership.claim.lock().unwrap();
            let ticket = claim.ticket.as_ref().unwrap();
            (std::ptr::from_ref(ticket.shared.number()) as usize, ticket.known)
        };
        let mut seen = std::collections::HashSet::new();
        for _ in 0..2000 {
            assert!(seen.insert(number(&opened())));
        }
    }

    #[test]
    fn threads_of_one_process_share_the_session() {
        let ownership = opened();
        assert_eq!(in_child(|| TAKEN).0, TAKEN);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| assert_eq!(may(&ownership), Ok(())));
            }
        });
    }
}
