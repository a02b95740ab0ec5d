//! Which process we are, without asking the kernel each time.

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

/// How many forks lie between the first process and this one.
static GENERATION: AtomicU32 = AtomicU32::new(0);
static REGISTERED: Once = Once::new();

extern "C" fn in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

/// A number that differs between a process and its forked children.
pub fn generation() -> u32 {
    REGISTERED.call_once(|| {
        // SAFETY: the handler only adds to an atomic, which is allowed in a forked child. Should
        // the registration fail for want of memory, forks go unnoticed, as with any program that
        // does not look.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    });
    GENERATION.load(Ordering::Relaxed)
}
