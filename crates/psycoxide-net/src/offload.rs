//! Work that the system can only do by blocking, done by a thread.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Receiver, TryRecvError};

/// Work that runs in a thread of its own.
///
/// A blocking call can be neither interrupted nor bounded, so the thread is left to itself when
/// nobody wants the result any more.
#[derive(Debug)]
pub(crate) struct Offload<T> {
    result: Receiver<T>,
    /// The reading end of the wake-up pipe. The thread closes the other end when the work is over,
    /// which makes this one readable.
    wake_reader: UnixStream,
}

/// The state of the work.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Offloaded<T> {
    /// The thread is still at work.
    Working,
    /// The result.
    Done(T),
    /// The thread ended without a result.
    Lost,
}

impl<T: Send + 'static> Offload<T> {
    /// Begins the work, in a thread of this name.
    ///
    /// # Errors
    /// If there are no more threads or descriptors.
    pub(crate) fn begin(name: &str, work: impl FnOnce() -> T + Send + 'static) -> io::Result<Self> {
        let (sender, result) = mpsc::sync_channel(1);
        let (wake_reader, wake_writer) = UnixStream::pair()?;
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            let _ = sender.send(work());
            // First the channel, then the wake-up: whoever wakes finds the result, or that there is
            // none.
            drop(sender);
            drop(wake_writer);
        })?;
        Ok(Self { result, wake_reader })
    }
}

impl<T> Offload<T> {
    /// The descriptor that becomes readable when the work is over.
    pub(crate) fn fd(&self) -> RawFd {
        self.wake_reader.as_raw_fd()
    }

    /// The result; it can be taken once.
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
