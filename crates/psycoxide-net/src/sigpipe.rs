//! Sending to a peer that is gone must be an error, not a signal that ends the process.

use std::io;

use socket2::Socket;

/// The flag for a single call, where the system has one.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
const SEND_FLAGS: libc::c_int = libc::MSG_NOSIGNAL;
/// Elsewhere it is an option of the socket, set when the socket is made.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
const SEND_FLAGS: libc::c_int = 0;

/// Sends as much as the socket takes.
pub(crate) fn send(socket: &Socket, bytes: &[u8]) -> io::Result<usize> {
    socket.send_with_flags(bytes, SEND_FLAGS)
}

/// Runs `send`, a system call without such a flag, with SIGPIPE blocked in this thread. If the call
/// raised the signal, it is consumed.
#[cfg(target_os = "linux")]
pub(crate) fn without_sigpipe<T>(
    send: impl FnOnce() -> rustix::io::Result<T>,
) -> rustix::io::Result<T> {
    use std::mem::MaybeUninit;
    // SAFETY: the sets are written by the functions that take them before they are read; all of the
    // functions are about this thread, and none of them fails with these arguments.
    unsafe {
        let mut pipe = MaybeUninit::<libc::sigset_t>::uninit();
        let (mut before, mut pending) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        libc::sigemptyset(pipe.as_mut_ptr());
        libc::sigaddset(pipe.as_mut_ptr(), libc::SIGPIPE);
        libc::pthread_sigmask(libc::SIG_BLOCK, pipe.as_ptr(), before.as_mut_ptr());
        libc::sigpending(pending.as_mut_ptr());
        let waited = libc::sigismember(pending.as_ptr(), libc::SIGPIPE) == 1;
        let sent = send();
        if matches!(sent, Err(rustix::io::Errno::PIPE)) && !waited {
            let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
            libc::sigtimedwait(pipe.as_ptr(), std::ptr::null_mut(), &raw const now);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), std::ptr::null_mut());
        sent
    }
}
