//! Work that the system can only do by blocking, done where nobody is held up.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Receiver, TryRecvError};

/// Work that a thread does.
///
/// What blocks in the system can be neither interrupted nor bounded, so the thread is left to itself
/// when nobody wants to know any more.
#[derive(Debug)]
pub(crate) struct Offload<T> {
    result: Receiver<T>,
    /// Its other end is closed when the work is over, which makes this one readable.
    wake_reader: UnixStream,
}

/// How far the work is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Offloaded<T> {
    /// It goes on.
    Working,
    /// What came of it.
    Done(T),
    /// The thread ended without a result.
    Lost,
}

impl<T: Send + 'static> Offload<T> {
    /// Begins with the work, in a thread of this name.
    ///
    /// # Errors
    /// If there are no more threads or descriptors.
    pub(crate) fn begin(name: &str, work: impl FnOnce() -> T + Send + 'static) -> io::Result<Self> {
        let (sender, result) = mpsc::sync_channel(1);
        let (wake_reader, wake_writer) = UnixStream::pair()?;
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            let _ = sender.send(work());
            // The result, or its absence, must be there before the reader wakes.
            drop(sender);
            drop(wake_writer);
        })?;
        Ok(Self { result, wake_reader })
    }
}

impl<T> Offload<T> {
    /// What to wait for, to be readable.
    pub(crate) fn fd(&self) -> RawFd {
        self.wake_reader.as_raw_fd()
    }

    /// What came of it, told once.
    pub(crate) fn poll(&self) -> Offloaded<T> {
        match self.result.try_recv() {
            Ok(result) => Offloaded::Done(result),
            Err(TryRecvError::Empty) => Offloaded::Working,
            Err(TryRecvError::Disconnected) => Offloaded::Lost,
        }
    }
}

#[cfg(test)]
mod tests {
    use psycoxide_proto::Interest;

    use super::*;
    use crate::wait::{Readiness, wait};

    #[test]
    fn the_descriptor_is_readable_when_it_is_done() {
        let (go, begin) = mpsc::channel::<()>();
        let work = Offload::begin("test", move || begin.recv().map(|()| 42)).unwrap();
        assert_eq!(work.poll(), Offloaded::Working);
        go.send(()).unwrap();
        assert_eq!(wait(work.fd(), Interest::READ, None).unwrap(), Readiness::Ready);
        assert_eq!(work.poll(), Offloaded::Done(Ok(42)));
        assert_eq!(work.poll(), Offloaded::Lost);
    }
}
