//! Cancelling an operation, by a separate connection that carries one message.
//!
//! <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS>

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use psycoxide_proto::{Error as ProtoError, Interest};

use crate::config::Config;
use crate::encryption_method::EncryptionMethod;
use crate::encryption_setup::{EncryptionProgress, EncryptionSetup};
use crate::error::{Error, FailedAttempt, Reason};
use crate::gss::GssFailure;
use crate::socket::address::Address;
use crate::socket::{Connecting, Stream, TcpOptions};
use crate::tls::TlsFailure;
use crate::wait::{Readiness, wait};

/// The most reads of one step. A server that takes a cancel request sends nothing; only a hostile
/// peer goes on for ever.
const MAX_READS: usize = 16;

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

    /// Begins to ask the server to cancel the session's running statement.
    /// [`Cancelling::advance`] goes on with it.
    ///
    /// # Errors
    /// If connecting fails at once.
    pub fn begin(&self) -> Result<Cancelling, Error> {
        let connecting = Stream::connect(&self.address, &TcpOptions::default())
            .map_err(|error| self.failed(Reason::Unreachable(error)))?;
        Ok(Cancelling { token: self.clone(), stage: Stage::Connecting(connecting) })
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
        let mut cancelling = self.begin()?;
        while let CancelProgress::Wait(interest) = cancelling.advance()? {
            wait_on(cancelling.fd(), interest, deadline, go_on)
                .map_err(|reason| self.failed(reason))?;
        }
        Ok(())
    }

    fn failed(&self, reason: Reason) -> Error {
        let address = self.address.clone();
        Error::Connect(vec![FailedAttempt::Address { address, reason, note: None }])
    }
}

/// A cancel request on its way.
///
/// Dropping it closes its connection at once. The request may have been sent then, or not.
#[derive(Debug)]
pub struct Cancelling {
    token: CancelToken,
    stage: Stage,
}

/// How far a cancel request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelProgress {
    /// [`Cancelling::fd`] has to be ready for this first.
    Wait(Interest),
    /// The server has taken note: a later statement is not hit.
    Done,
}

#[derive(Debug)]
enum Stage {
    /// The socket is being connected.
    Connecting(Connecting),
    /// Encryption is being set up.
    Encrypting(Box<EncryptionSetup>),
    /// This many bytes of the message are sent. After the last one the server's end is awaited.
    Sending(Stream, usize),
    /// The request is over.
    Done,
    Failed,
}

impl Cancelling {
    /// The descriptor to wait for, or -1 when the request is over.
    ///
    /// [`Cancelling::advance`] may close it, and wait for another one next: an event loop stops
    /// watching it before each step.
    pub fn fd(&self) -> RawFd {
        match &self.stage {
            Stage::Connecting(connecting) => connecting.fd(),
            Stage::Encrypting(setup) => setup.as_raw_fd(),
            Stage::Sending(stream, _) => stream.as_raw_fd(),
            Stage::Done | Stage::Failed => -1,
        }
    }

    /// Does as much as is possible without waiting. There is no time limit: that is the caller's.
    ///
    /// # Errors
    /// If the server cannot be reached. This is final; the request may still be on its way.
    pub fn advance(&mut self) -> Result<CancelProgress, Error> {
        self.step().map_err(|reason| {
            self.stage = Stage::Failed;
            self.token.failed(reason)
        })
    }

    fn step(&mut self) -> Result<CancelProgress, Reason> {
        loop {
            match &mut self.stage {
                Stage::Connecting(connecting) => {
                    if let Some(interest) = connecting.advance().map_err(Reason::Unreachable)? {
                        return Ok(CancelProgress::Wait(interest));
                    }
                    self.connected()?;
                }
                Stage::Encrypting(setup) => {
                    let Some((method, config, host)) = &self.token.secure else {
                        return Err(Error::lost().into());
                    };
                    match setup.advance(config, *host)? {
                        EncryptionProgress::Wait(interest) => {
                            return Ok(CancelProgress::Wait(interest));
                        }
                        EncryptionProgress::Refused => return Err(Reason::refused(*method)),
                        EncryptionProgress::Done => self.encrypted(),
                    }
                }
                Stage::Sending(stream, sent) => {
                    let rest = self.token.message.get(*sent..).unwrap_or_default();
                    if rest.is_empty() {
                        if !has_ended(stream)? {
                            return Ok(CancelProgress::Wait(Interest::READ));
                        }
                        self.stage = Stage::Done;
                        continue;
                    }
                    match stream.send(rest) {
                        Ok(count) => *sent += count,
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                            return Ok(CancelProgress::Wait(Interest::WRITE));
                        }
                        Err(error) => return Err(Error::of_stream(error, Error::Send).into()),
                    }
                }
                Stage::Done => return Ok(CancelProgress::Done),
                Stage::Failed => {
                    let misuse = ProtoError::Misuse("the cancel request has failed");
                    return Err(Reason::Protocol(misuse));
                }
            }
        }
    }

    /// The socket is connected: begins to encrypt it as the session is encrypted, because the
    /// request holds the session's secret key. As in libpq, there is no fallback to clear text.
    fn connected(&mut self) -> Result<(), Reason> {
        let Some(stream) = self.take_stream() else { return Ok(()) };
        self.stage = match &self.token.secure {
            None => Stage::Sending(stream, 0),
            Some((method, config, host)) => {
                let setup = EncryptionSetup::new(stream, *method, config, *host)?;
                Stage::Encrypting(Box::new(setup))
            }
        };
        Ok(())
    }

    fn encrypted(&mut self) {
        if let Some(stream) = self.take_stream() {
            self.stage = Stage::Sending(stream, 0);
        }
    }

    fn take_stream(&mut self) -> Option<Stream> {
        match std::mem::replace(&mut self.stage, Stage::Failed) {
            Stage::Connecting(connecting) => connecting.into_stream(),
            Stage::Encrypting(setup) => Some(setup.into_stream()),
            _ => None,
        }
    }
}

/// Whether the server has closed the connection, which it does when it has sent the signal.
fn has_ended(stream: &mut Stream) -> Result<bool, Reason> {
    for _ in 0..MAX_READS {
        match stream.receive(&mut [0; 64]) {
            Ok(0) => return Ok(true),
            Ok(_) => {}
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => break,
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::ConnectionReset => return Ok(true),
                _ if TlsFailure::of(&error).is_some() || GssFailure::of(&error).is_some() => {
                    return Ok(true);
                }
                _ => return Err(Reason::Socket(error)),
            },
        }
    }
    Ok(false)
}

/// Waits until the descriptor is ready. When a signal arrives, `go_on` decides whether to go on.
fn wait_on(
    fd: RawFd,
    interest: Interest,
    deadline: Option<Instant>,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<(), Reason> {
    loop {
        // A peer that never stops sending would keep the socket ready for ever.
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(Reason::Timeout);
        }
        match wait(fd, interest, deadline) {
            Ok(Readiness::Ready) => return Ok(()),
            Ok(Readiness::Expired) => return Err(Reason::Timeout),
            Err(error) if error.kind() == io::ErrorKind::Interrupted && go_on() => {}
            Err(error) => return Err(Reason::Socket(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::thread::JoinHandle;

    use rustls::{ServerConnection, StreamOwned};

    use super::*;
    use crate::socket::full::FullServer;
    use crate::tls::OpenSsl;

    /// No request of these tests takes this long.
    const BOUND: Duration = Duration::from_secs(30);

    fn token(server: &FullServer) -> CancelToken {
        CancelToken::new(server.address(), b"stop".to_vec(), None)
    }

    /// A server that plays `scene` with one client, and a token for it.
    fn play<T: Send + 'static>(
        scene: impl FnOnce(TcpStream) -> T + Send + 'static,
    ) -> (CancelToken, JoinHandle<T>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let player = std::thread::spawn(move || scene(listener.accept().unwrap().0));
        let address = Address::Tcp { host: "db".to_owned(), address };
        (CancelToken::new(address, b"stop".to_vec(), None), player)
    }

    /// The token for a session that is encrypted by TLS, with a server that `authority` vouches
    /// for.
    fn secure(token: &CancelToken, authority: &str) -> CancelToken {
        let dsn = format!("host=db sslmode=verify-full sslrootcert='{authority}'");
        let config = Arc::new(Config::parse(&dsn).unwrap());
        CancelToken { secure: Some((EncryptionMethod::Tls, config, 0)), ..token.clone() }
    }

    /// Advances as an event loop does, up to the end or to a wait of `patience`.
    fn drive(cancelling: &mut Cancelling, patience: Duration) -> Result<CancelProgress, Error> {
        loop {
            let progress = cancelling.advance()?;
            let CancelProgress::Wait(interest) = progress else { return Ok(progress) };
            let until = Some(Instant::now() + patience);
            if wait(cancelling.fd(), interest, until).unwrap() == Readiness::Expired {
                return Ok(progress);
            }
        }
    }

    fn read_all(mut stream: impl Read) -> Vec<u8> {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        bytes
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

    #[test]
    fn no_step_waits_for_room_in_the_queue() {
        let server = FullServer::start();
        let mut cancelling = token(&server).begin().unwrap();
        let queued = cancelling.fd();
        assert_eq!(cancelling.advance().unwrap(), CancelProgress::Wait(Interest::READ));
        server.make_room();
        wait(queued, Interest::READ, Some(Instant::now() + BOUND)).unwrap();
        assert_eq!(cancelling.advance().unwrap(), CancelProgress::Wait(Interest::READ));
        assert_ne!(cancelling.fd(), queued, "the socket is waited for now");
        let mut stream = server.accept();
        let mut message = [0; 4];
        stream.read_exact(&mut message).unwrap();
        assert_eq!(&message, b"stop");
        drop(stream);
        assert_eq!(drive(&mut cancelling, BOUND).unwrap(), CancelProgress::Done);
    }

    #[test]
    fn a_request_that_is_dropped_while_it_queues_is_never_sent() {
        let server = FullServer::start();
        let mut cancelling = token(&server).begin().unwrap();
        assert_eq!(cancelling.advance().unwrap(), CancelProgress::Wait(Interest::READ));
        drop(cancelling);
        server.make_room();
        // The thread that waited for room gets its place, and leaves.
        assert_eq!(read_all(server.accept()), b"");
    }

    #[test]
    fn a_server_that_never_answers_does_not_block() {
        let (token, player) = play(read_all);
        let mut cancelling = token.begin().unwrap();
        let reached = drive(&mut cancelling, Duration::from_millis(100)).unwrap();
        assert_eq!(reached, CancelProgress::Wait(Interest::READ));
        // The server reads to the end that this makes.
        drop(cancelling);
        assert_eq!(player.join().unwrap(), b"stop");
    }

    #[test]
    fn a_server_that_closes_at_once_ends_the_request() {
        let (token, player) = play(drop);
        let mut cancelling = token.begin().unwrap();
        player.join().unwrap();
        for _ in 0..3 {
            assert_eq!(drive(&mut cancelling, BOUND).unwrap(), CancelProgress::Done);
            assert_eq!(cancelling.fd(), -1);
        }
    }

    #[test]
    fn a_failure_is_final() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let address = Address::Tcp { host: "db".to_owned(), address };
        let token = CancelToken::new(address, b"stop".to_vec(), None);
        let error = match token.begin() {
            Err(error) => error,
            Ok(mut cancelling) => {
                let error = drive(&mut cancelling, BOUND).unwrap_err();
                assert_eq!(cancelling.fd(), -1);
                assert!(cancelling.advance().is_err());
                error
            }
        };
        assert!(error.to_string().contains("failed: Connection refused"), "{error}");
    }

    #[test]
    fn a_peer_that_never_stops_sending_does_not_outlive_the_timeout() {
        let (token, player) = play(|mut stream| while stream.write_all(&[b'.'; 4096]).is_ok() {});
        let error = token.send(Some(Duration::from_millis(100)), &mut || true).unwrap_err();
        assert!(error.to_string().ends_with("failed: timeout expired"), "{error}");
        player.join().unwrap();
    }

    #[test]
    fn a_request_is_encrypted_as_its_session_is() {
        let openssl = OpenSsl::new();
        openssl.authority("db");
        let config = Arc::new(openssl.server("db"));
        let (token, player) = play(|mut stream| {
            let mut request = [0; 8];
            stream.read_exact(&mut request).unwrap();
            assert_eq!(request, psycoxide_proto::SSL_REQUEST);
            stream.write_all(b"S").unwrap();
            let server = ServerConnection::new(config).unwrap();
            let mut message = [0; 4];
            StreamOwned::new(server, stream).read_exact(&mut message).unwrap();
            message
        });
        let mut cancelling = secure(&token, &openssl.path("db.crt")).begin().unwrap();
        assert_eq!(drive(&mut cancelling, BOUND).unwrap(), CancelProgress::Done);
        assert_eq!(&player.join().unwrap(), b"stop");
    }

    #[test]
    fn a_request_is_not_sent_in_clear_text_instead() {
        let openssl = OpenSsl::new();
        openssl.authority("db");
        let (token, player) = play(|mut stream| {
            stream.read_exact(&mut [0; 8]).unwrap();
            stream.write_all(b"N").unwrap();
            read_all(stream)
        });
        let mut cancelling = secure(&token, &openssl.path("db.crt")).begin().unwrap();
        let error = drive(&mut cancelling, BOUND).unwrap_err();
        assert!(error.to_string().contains("server does not support SSL"), "{error}");
        assert_eq!(player.join().unwrap(), b"");
    }
}
