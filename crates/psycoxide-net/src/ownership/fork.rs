//! Which process this is, and how often it forked, without asking the kernel each time.

use std::sync::atomic::{AtomicU64, Ordering};

/// The life of a process between two of its forks.
///
/// Three counts in one number: the forks between the first process and this one, the forks that
/// this process has made, and those under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch(u64);

const UNDER_WAY: u64 = 1;
const FORK: u64 = 1 << 8;
const GENERATION_SHIFT: u32 = 48;

static NOW: AtomicU64 = AtomicU64::new(0);

impl Epoch {
    /// The current epoch.
    #[inline]
    pub fn now() -> Self {
        Self(NOW.load(Ordering::SeqCst))
    }

    /// A number that differs between a process and its forked children.
    pub fn generation(self) -> u64 {
        self.0 >> GENERATION_SHIFT
    }

    /// This epoch without the forks under way. While there are any, no current or later epoch
    /// equals it.
    pub fn settled(self) -> Self {
        Self(self.0 - self.0 % FORK)
    }

    fn in_child(self) -> Self {
        Self((self.settled().0 + FORK).wrapping_add(1 << GENERATION_SHIFT))
    }
}

impl From<Epoch> for u64 {
    fn from(epoch: Epoch) -> Self {
        epoch.0
    }
}

impl From<u64> for Epoch {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

extern "C" fn prepare() {
    NOW.fetch_add(UNDER_WAY, Ordering::SeqCst);
}

extern "C" fn in_parent() {
    NOW.fetch_add(FORK - UNDER_WAY, Ordering::SeqCst);
}

extern "C" fn in_child() {
    // A forked child has only this thread.
    NOW.store(Epoch::now().in_child().0, Ordering::SeqCst);
}

/// Begins to count forks. Called once, when the module is imported.
pub fn count() {
    // SAFETY: the handlers only change an atomic, which is allowed in a forked child. If the
    // registration fails for lack of memory, forks go unnoticed, as in any program that does not
    // count them.
    unsafe { libc::pthread_atfork(Some(prepare), Some(in_parent), Some(in_child)) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_are_unique() {
        let first = Epoch(0);
        let forking = Epoch(first.0 + UNDER_WAY);
        let twice = Epoch(forking.0 + UNDER_WAY);
        let parent = Epoch(twice.0 + (FORK - UNDER_WAY));
        let over = Epoch(parent.0 + (FORK - UNDER_WAY));
        let child = twice.in_child();
        let all = [first, forking, twice, parent, over, child];
        for (place, epoch) in all.iter().enumerate() {
            assert!(!all[..place].contains(epoch), "{epoch:?}");
            assert_eq!(epoch.generation() == 0, *epoch != child);
        }
        // The settled epoch of a fork under way equals no later one.
        assert!([forking, twice, parent, over, child].iter().all(|at| *at != twice.settled()));
        assert_eq!((over.settled(), child.settled()), (over, child));
    }
}
