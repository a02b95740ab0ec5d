//! A server whose queue of connections is full.
//!
//! TCP tries again by itself. A Unix socket that must not wait is refused, and nothing tells when
//! there is room: as long as it is not connected it counts as ready. So a socket that may wait, of a
//! thread, takes its place in the queue.

use std::io;
use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, Socket, Type};

use super::Stream;
use crate::offload::{Offload, Offloaded};

/// So long a server is asked whose queue is full.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// How often, where the system does not wait.
const PAUSE: Duration = Duration::from_millis(5);

/// A place in a server's queue.
#[derive(Debug)]
pub(crate) struct Queue(Offload<io::Result<Socket>>);

impl Queue {
    /// Begins to queue for the server at this address.
    ///
    /// # Errors
    /// If there are no more threads or descriptors.
    pub(super) fn join(address: SockAddr, patience: Duration) -> io::Result<Self> {
        let until = Instant::now() + patience;
        Offload::begin("psycoxide-queue", move || wait(&address, until)).map(Self)
    }

    /// What to wait for, to be readable.
    pub(crate) fn fd(&self) -> RawFd {
        self.0.fd()
    }

    /// The connected stream; nothing while the queue is full.
    ///
    /// # Errors
    /// `WouldBlock` if it stayed full, or why else there is no connection.
    pub(crate) fn poll(&self) -> io::Result<Option<Stream>> {
        match self.0.poll() {
            Offloaded::Working => Ok(None),
            Offloaded::Done(connected) => connected.map(|socket| Some(Stream::from(socket))),
            Offloaded::Lost => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

/// Connects as soon as there is room.
#[expect(clippy::disallowed_methods, reason = "a thread of its own, that nobody waits for")]
fn wait(address: &SockAddr, until: Instant) -> io::Result<Socket> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        // Nothing would be for ever.
        socket.set_write_timeout(Some(left.max(Duration::from_millis(1))))?;
        match socket.connect(address) {
            Ok(()) => {
                socket.set_nonblocking(true)?;
                return Ok(socket);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && !left.is_zero() => {
                std::thread::sleep(PAUSE.min(left));
            }
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use psycoxide_proto::Interest;

    use super::*;
    use crate::socket::full::FullServer;
    use crate::wait::{self, Readiness};

    fn queue(server: &FullServer, patience: Duration) -> Queue {
        Queue::join(SockAddr::unix(&server.path).unwrap(), patience).unwrap()
    }

    fn readiness(queue: &Queue, deadline: Option<Instant>) -> Readiness {
        wait::wait(queue.fd(), Interest::READ, deadline).unwrap()
    }

    #[test]
    fn who_queues_is_let_in_when_there_is_room() {
        let server = FullServer::start();
        let queue = queue(&server, Duration::from_secs(600));
        assert!(queue.poll().unwrap().is_none());
        assert_eq!(readiness(&queue, Some(Instant::now())), Readiness::Expired);
        server.make_room();
        assert_eq!(readiness(&queue, None), Readiness::Ready);
        let mut stream = queue.poll().unwrap().unwrap();
        stream.connected().unwrap();
        assert_eq!(stream.receive(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn nobody_queues_for_ever() {
        let server = FullServer::start();
        let queue = queue(&server, Duration::from_millis(20));
        assert_eq!(readiness(&queue, None), Readiness::Ready);
        assert_eq!(queue.poll().unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_server_that_goes_is_not_queued_for() {
        let server = FullServer::start();
        let queue = queue(&server, Duration::from_secs(600));
        drop(server);
        assert_eq!(readiness(&queue, None), Readiness::Ready);
        assert!(queue.poll().is_err());
    }
}
