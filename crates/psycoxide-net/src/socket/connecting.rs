//! A socket on its way to be connected.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Instant;

use psycoxide_proto::Interest;

use super::{Queue, Stream};
use crate::wait::{Readiness, wait};

/// How far connecting came.
#[derive(Debug)]
pub(crate) enum Connecting {
    /// The socket is connected.
    Done(Stream),
    /// The socket becomes writable when the result is known.
    Begun(Stream),
    /// The server has no room in its queue.
    Queued(Queue),
}

impl Connecting {
    /// The descriptor to wait for. It changes when there is room in the queue.
    pub(crate) fn fd(&self) -> RawFd {
        match self {
            Self::Done(stream) | Self::Begun(stream) => stream.as_raw_fd(),
            Self::Queued(queue) => queue.fd(),
        }
    }

    /// Goes on as far as is possible without waiting. Returns what it waits for, or `None` when the
    /// socket is connected.
    ///
    /// # Errors
    /// If the socket cannot be connected.
    pub(crate) fn advance(&mut self) -> io::Result<Option<Interest>> {
        match self {
            Self::Done(_) => Ok(None),
            Self::Begun(stream) if !is_writable(stream)? => Ok(Some(Interest::WRITE)),
            Self::Begun(stream) => stream.connected().map(|()| None),
            Self::Queued(queue) => {
                let Some(stream) = queue.poll()? else { return Ok(Some(Interest::READ)) };
                // A Unix socket is connected at once.
                *self = Self::Done(stream);
                Ok(None)
            }
        }
    }

    /// The socket, once it is connected.
    pub(crate) fn into_stream(self) -> Option<Stream> {
        match self {
            Self::Done(stream) | Self::Begun(stream) => Some(stream),
            Self::Queued(_) => None,
        }
    }
}

fn is_writable(stream: &Stream) -> io::Result<bool> {
    match wait(stream.as_raw_fd(), Interest::WRITE, Some(Instant::now())) {
        Ok(readiness) => Ok(readiness == Readiness::Ready),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
        Err(error) => Err(error),
    }
}
