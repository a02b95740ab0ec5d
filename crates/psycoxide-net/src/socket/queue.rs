//! Connecting to a server whose queue of connections is full.
//!
//! TCP retries by itself. A non-blocking Unix socket is refused, and nothing tells when there is
//! room, because poll(2) reports an unconnected socket as ready. So a thread connects a blocking
//! socket instead.

use std::io;
use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, Socket, Type};

use super::Stream;
use crate::offload::{Offload, Offloaded};

/// How long to retry while the server's queue is full.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// The pause between two tries, on systems where connect(2) does not wait for room.
const PAUSE: Duration = Duration::from_millis(5);

/// A connection that waits for room in a server's queue.
#[derive(Debug)]
pub(crate) struct Queue(Offload<io::Result<Socket>>);

impl Queue {
    /// Begins to wait for room at this address.
    ///
    /// # Errors
    /// If there are no more threads or descriptors.
    pub(super) fn join(address: SockAddr, patience: Duration) -> io::Result<Self> {
        let until = Instant::now() + patience;
        Offload::begin("psycoxide-queue", move || wait(&address, until)).map(Self)
    }

    /// The descriptor that becomes readable when the wait is over.
    pub(crate) fn fd(&self) -> RawFd {
        self.0.fd()
    }

    /// The connected stream; `None` while the queue is full.
    ///
    /// # Errors
    /// `WouldBlock` if the queue stayed full, or another error of connecting.
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
        // A timeout of zero would mean for ever.
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
    fn a_queued_connection_is_made_when_there_is_room() {
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
    fn queueing_has_a_time_limit() {
        let server = FullServer::start();
        let queue = queue(&server, Duration::from_millis(20));
        assert_eq!(readiness(&queue, None), Readiness::Ready);
        assert_eq!(queue.poll().unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn queueing_ends_when_the_server_goes() {
        let server = FullServer::start();
        let queue = queue(&server, Duration::from_secs(600));
        drop(server);
        assert_eq!(readiness(&queue, None), Readiness::Ready);
        assert!(queue.poll().is_err());
    }
}
