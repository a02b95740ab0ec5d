//! Which process we are, without asking the kernel each time.

use std::sync::atomic::{AtomicU32, Ordering};

/// How many forks lie between the first process and this one.
static GENERATION: AtomicU32 = AtomicU32::new(0);

extern "C" fn in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

/// Counts the forks from now on: called once, when the module is imported.
pub fn count() {
    // SAFETY: the handler only adds to an atomic, which is allowed in a forked child. Should the
    // registration fail for want of memory, forks go unnoticed, as with any program that does not
    // look.
    unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
}

/// A number that differs between a process and its forked children.
pub fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}
