//! Waiting for a socket by poll(2): the only wait for one in a caller's thread.

use std::io;
use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use psycoxide_proto::Interest;

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// The socket is ready for at least one of the interests, or has failed.
    Ready,
    /// The deadline has passed.
    Expired,
}

/// Waits until `fd` is ready for `interest`, or until `deadline`.
///
/// # Errors
/// `Interrupted` when a signal arrived: the caller handles it and calls again. `InvalidInput` if
/// the descriptor is not open.
pub fn wait(fd: RawFd, interest: Interest, deadline: Option<Instant>) -> io::Result<Readiness> {
    let mut events = 0;
    if interest.contains(Interest::READ) {
        events |= libc::POLLIN;
    }
    if interest.contains(Interest::WRITE) {
        events |= libc::POLLOUT;
    }
    let mut polled = libc::pollfd { fd, events, revents: 0 };
    let timeout = deadline
        .map_or(-1, |deadline| milliseconds(deadline.saturating_duration_since(Instant::now())));
    // SAFETY: `polled` is one valid pollfd for the time of the call; poll(2) takes any number as a
    // descriptor and reports one that is not open.
    let count = unsafe { libc::poll(&raw mut polled, 1, timeout) };
    match count {
        0 => Ok(Readiness::Expired),
        count if count < 0 => Err(io::Error::last_os_error()),
        _ if polled.revents & libc::POLLNVAL != 0 => {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "the descriptor is not open"))
        }
        _ => Ok(Readiness::Ready),
    }
}

/// Shuts the socket `fd` down, which makes it ready for reading and writing.
pub(crate) fn wake(fd: RawFd) {
    // SAFETY: shutdown(2) takes any number as a descriptor, and fails if it is not one of our
    // sockets.
    unsafe { libc::shutdown(fd, libc::SHUT_RDWR) };
}

/// A duration in poll's unit, rounded up so that a wait never ends before its deadline.
fn milliseconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn data_makes_ready() {
        let (mut here, there) = UnixStream::pair().unwrap();
        let soon = Some(Instant::now() + Duration::from_millis(20));
        assert_eq!(wait(there.as_raw_fd(), Interest::READ, soon).unwrap(), Readiness::Expired);
        assert_eq!(wait(there.as_raw_fd(), Interest::WRITE, None).unwrap(), Readiness::Ready);
        here.write_all(b"x").unwrap();
        assert_eq!(wait(there.as_raw_fd(), Interest::READ, None).unwrap(), Readiness::Ready);
    }

    #[test]
    fn a_peer_that_is_gone_makes_ready() {
        let (here, there) = UnixStream::pair().unwrap();
        drop(here);
        assert_eq!(wait(there.as_raw_fd(), Interest::READ, None).unwrap(), Readiness::Ready);
    }

    #[test]
    fn a_waiting_thread_can_be_woken() {
        let (_here, there) = UnixStream::pair().unwrap();
        let fd = there.as_raw_fd();
        let waker = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            wake(fd);
        });
        assert_eq!(wait(fd, Interest::READ, None).unwrap(), Readiness::Ready);
        waker.join().unwrap();
    }

    #[test]
    fn a_closed_descriptor_is_an_error() {
        assert!(wait(1_000_000, Interest::READ, None).is_err());
    }

    #[test]
    fn a_deadline_in_the_past_does_not_wait() {
        let (_here, there) = UnixStream::pair().unwrap();
        let past = Some(Instant::now());
        assert_eq!(wait(there.as_raw_fd(), Interest::READ, past).unwrap(), Readiness::Expired);
    }
}
