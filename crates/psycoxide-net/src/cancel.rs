//! Cancelling an operation, by a separate connection that carries one message.
//!
//! <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS>

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use psycoxide_proto::Interest;

use crate::config::Config;
use crate::encryption_method::EncryptionMethod;
use crate::encryption_setup::{EncryptionProgress, EncryptionSetup};
use crate::error::{Error, FailedAttempt, Reason};
use crate::gss::GssFailure;
use crate::socket::address::Address;
use crate::socket::{Connecting, Stream, TcpOptions};
use crate::tls::TlsFailure;
use crate::wait::{Readiness, wait};

/// Cancels the operations of one session.
#[derive(Clone)]
pub struct CancelToken {
    address: Address,
    message: Vec<u8>,
    /// How the session is encrypted, with the configuration and the host's index in its list. The
    /// cancel request is encrypted the same way.
    secure: Option<(EncryptionMethod, Arc<Config>, usize)>,
}

impl std::fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The message holds the session's secret key.
        f.debug_struct("CancelToken").field("address", &self.address).finish_non_exhaustive()
    }
}

impl CancelToken {
    pub(crate) fn new(
        address: Address,
        message: Vec<u8>,
        secure: Option<(EncryptionMethod, Arc<Config>, usize)>,
    ) -> Self {
        Self { address, message, secure }
    }

    /// Asks the server to cancel the session's running statement, and waits until the server has
    /// taken note, so that a later statement is not hit. When a signal arrives meanwhile, `go_on`
    /// decides whether to wait any longer.
    ///
    /// # Errors
    /// If the server cannot be reached within `timeout`, or `go_on` said no. The request may still
    /// be on its way then.
    pub fn send(
        &self,
        timeout: Option<Duration>,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<(), Error> {
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        self.try_send(&mut Waiting { deadline, go_on }).map_err(|reason| {
            Error::Connect(vec![FailedAttempt::Address {
                address: self.address.clone(),
                reason,
                note: None,
            }])
        })
    }

    fn connect(&self, waiting: &mut Waiting<'_>) -> Result<Stream, Reason> {
        let connecting = Stream::connect(&self.address, &TcpOptions::default());
        match connecting.map_err(Reason::Unreachable)? {
            Connecting::Done(stream) => Ok(stream),
            Connecting::Begun(stream) => {
                waiting.ready(stream.as_raw_fd(), Interest::WRITE)?;
                stream.connected().map_err(Reason::Unreachable)?;
                Ok(stream)
            }
            Connecting::Queued(queue) => loop {
                waiting.ready(queue.fd(), Interest::READ)?;
                if let Some(stream) = queue.poll().map_err(Reason::Unreachable)? {
                    return Ok(stream);
                }
            },
        }
    }

    /// Encrypts the stream as the session is encrypted: a cancel request holds the session's secret
    /// key. As in libpq, there is no fallback to clear text here.
    fn encrypted(&self, stream: Stream, waiting: &mut Waiting<'_>) -> Result<Stream, Reason> {
        let Some((method, config, host)) = &self.secure else { return Ok(stream) };
        let mut setup = EncryptionSetup::new(stream, *method, config, *host)?;
        loop {
            match setup.advance(config, *host)? {
                EncryptionProgress::Wait(interest) => {
                    waiting.ready(setup.stream().as_raw_fd(), interest)?
                }
                EncryptionProgress::Done => return Ok(setup.into_stream()),
                EncryptionProgress::Refused => {
                    return Err(Reason::refused(*method));
                }
            }
        }
    }

    fn try_send(&self, waiting: &mut Waiting<'_>) -> Result<(), Reason> {
        let stream = self.connect(waiting)?;
        let mut stream = self.encrypted(stream, waiting)?;
        let mut rest = self.message.as_slice();
        while !rest.is_empty() {
            match stream.send(rest) {
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(error) => waiting.out(&error, &stream, Interest::WRITE)?,
            }
        }
        // The server closes the connection when it has sent the signal.
        let mut space = [0; 64];
        loop {
            match stream.receive(&mut space) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error)
                    if error.kind() == io::ErrorKind::ConnectionReset
                        || TlsFailure::of(&error).is_some()
                        || GssFailure::of(&error).is_some() =>
                {
                    return Ok(());
                }
                Err(error) => waiting.out(&error, &stream, Interest::READ)?,
            }
        }
    }
}

/// How long to wait, and whether to go on after a signal.
struct Waiting<'a> {
    deadline: Option<Instant>,
    /// Called when a signal arrived.
    go_on: &'a mut dyn FnMut() -> bool,
}

impl Waiting<'_> {
    /// Waits if the error says that the socket would block; returns other errors.
    fn out(
        &mut self,
        error: &io::Error,
        stream: &Stream,
        interest: Interest,
    ) -> Result<(), Reason> {
        match error.kind() {
            io::ErrorKind::WouldBlock => self.ready(stream.as_raw_fd(), interest),
            io::ErrorKind::Interrupted => Ok(()),
            kind => Err(Reason::Socket(
                error
                    .raw_os_error()
                    .map_or_else(|| io::Error::from(kind), io::Error::from_raw_os_error),
            )),
        }
    }

    fn ready(&mut self, fd: RawFd, interest: Interest) -> Result<(), Reason> {
        loop {
            match wait(fd, interest, self.deadline) {
                Ok(Readiness::Ready) => return Ok(()),
                Ok(Readiness::Expired) => return Err(Reason::Timeout),
                Err(error) if error.kind() == io::ErrorKind::Interrupted && (self.go_on)() => {}
                Err(error) => return Err(Reason::Socket(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::socket::full::FullServer;

    fn token(server: &FullServer) -> CancelToken {
        CancelToken::new(server.address(), b"stop".to_vec(), None)
    }

    #[test]
    fn a_cancel_request_waits_for_room_in_the_queue() {
        let server = FullServer::start();
        let token = token(&server);
        let sender = std::thread::spawn(move || token.send(None, &mut || true));
        server.make_room();
        let mut message = [0; 4];
        server.accept().read_exact(&mut message).unwrap();
        assert_eq!(&message, b"stop");
        sender.join().unwrap().unwrap();
    }

    #[test]
    fn the_wait_for_room_is_bounded() {
        let server = FullServer::start();
        let error = token(&server).send(Some(Duration::from_millis(20)), &mut || true);
        assert!(error.unwrap_err().to_string().ends_with("failed: timeout expired"));
    }
}
