//! Cancelling an operation: a connection of its own that carries one message.
//!
//! <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS>

use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use psycoxide_proto::{Error as ProtoError, Interest};

use crate::config::Config;
use crate::error::{Attempt, Error, Reason};
use crate::securing::{Secured, Securing};
use crate::socket::place::Place;
use crate::socket::{Stream, TcpOptions};
use crate::tls::Failure;
use crate::wait::{Readiness, wait};

/// What it takes to cancel the operations of one session.
#[derive(Clone)]
pub struct CancelToken {
    place: Place,
    message: Vec<u8>,
    /// The configuration and the host in its list, if the session is encrypted: then this is too.
    secure: Option<(Arc<Config>, usize)>,
}

impl std::fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The message holds the session's secret key.
        f.debug_struct("CancelToken").field("place", &self.place).finish_non_exhaustive()
    }
}

impl CancelToken {
    pub(crate) fn new(
        place: Place,
        message: Vec<u8>,
        secure: Option<(Arc<Config>, usize)>,
    ) -> Self {
        Self { place, message, secure }
    }

    /// Asks the server to cancel what the session is running, and waits until it has taken note: a
    /// statement that is run afterwards is not hit.
    ///
    /// # Errors
    /// If the server cannot be reached within `timeout`.
    pub fn send(&self, timeout: Option<Duration>) -> Result<(), Error> {
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        self.try_send(deadline).map_err(|reason| {
            Error::Connect(vec![Attempt::Place { place: self.place.clone(), reason, note: None }])
        })
    }

    /// Begins to connect; over a Unix socket the server's queue may be full for a moment.
    fn connect(&self, deadline: Option<Instant>) -> Result<Stream, Reason> {
        let patience = Instant::now() + QUEUE_PATIENCE;
        let until = deadline.map_or(patience, |deadline| deadline.min(patience));
        loop {
            match Stream::connect(&self.place, &TcpOptions::default()) {
                Ok(stream) => return Ok(stream),
                Err(error)
                    if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < until =>
                {
                    std::thread::sleep(QUEUE_PAUSE);
                }
                Err(error) => return Err(Reason::Unreachable(error)),
            }
        }
    }

    /// The stream over TLS, if the session is: a cancel request holds the session's secret key. As
    /// with libpq, there is no going back to clear text here.
    fn secured(&self, stream: Stream, deadline: Option<Instant>) -> Result<Stream, Reason> {
        let Some((config, host)) = &self.secure else { return Ok(stream) };
        let (options, name) = (&config.settings().encryption, config.host_name(*host));
        let mut securing = Securing::new(stream, options, name)?;
        loop {
            match securing.advance(options, name)? {
                Secured::Wait(interest) => ready(securing.stream(), interest, deadline)?,
                Secured::Done => return Ok(securing.into_stream()),
                Secured::Refused => {
                    return Err(Reason::Protocol(ProtoError::Unsupported(
                        "server does not support SSL, but SSL was required".to_owned(),
                    )));
                }
            }
        }
    }

    fn try_send(&self, deadline: Option<Instant>) -> Result<(), Reason> {
        let stream = self.connect(deadline)?;
        ready(&stream, Interest::WRITE, deadline)?;
        stream.connected().map_err(Reason::Unreachable)?;
        let mut stream = self.secured(stream, deadline)?;
        let mut rest = self.message.as_slice();
        while !rest.is_empty() {
            match stream.send(rest) {
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(error) => wait_out(&error, &stream, Interest::WRITE, deadline)?,
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
                        || Failure::of(&error).is_some() =>
                {
                    return Ok(());
                }
                Err(error) => wait_out(&error, &stream, Interest::READ, deadline)?,
            }
        }
    }
}

/// So long a server whose queue of connections is full is asked again, and so often.
const QUEUE_PATIENCE: Duration = Duration::from_secs(2);
const QUEUE_PAUSE: Duration = Duration::from_millis(5);

/// Waits where an error says that this is all there is to do.
fn wait_out(
    error: &io::Error,
    stream: &Stream,
    interest: Interest,
    deadline: Option<Instant>,
) -> Result<(), Reason> {
    match error.kind() {
        io::ErrorKind::WouldBlock => ready(stream, interest, deadline),
        io::ErrorKind::Interrupted => Ok(()),
        kind => Err(Reason::Socket(
            error
                .raw_os_error()
                .map_or_else(|| io::Error::from(kind), io::Error::from_raw_os_error),
        )),
    }
}

fn ready(stream: &Stream, interest: Interest, deadline: Option<Instant>) -> Result<(), Reason> {
    loop {
        match wait(stream.as_raw_fd(), interest, deadline) {
            Ok(Readiness::Ready) => return Ok(()),
            Ok(Readiness::Expired) => return Err(Reason::Timeout),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Reason::Socket(error)),
        }
    }
}
