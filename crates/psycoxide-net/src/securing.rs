//! From a connected socket to a stream over TLS.
//!
//! <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL>

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use psycoxide_proto::{Error as ProtoError, Interest, SSL_REQUEST};

use crate::config::Encryption;
use crate::error::Reason;
use crate::socket::Stream;
use crate::tls::Session;

/// A stream that is being secured.
#[derive(Debug)]
pub(crate) struct Securing {
    stream: Stream,
    step: Step,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// So many bytes of the request are sent.
    Asking(usize),
    Awaiting,
    ShakingHands,
}

/// How far it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secured {
    /// The socket has to be ready for this first.
    Wait(Interest),
    /// The server has no TLS; the conversation can go on in clear.
    Refused,
    /// TLS is set up.
    Done,
}

impl Securing {
    /// Begins; `host` is the name that was asked for, or empty.
    ///
    /// # Errors
    /// Where TLS is begun at once, if a file that the options name is unfit.
    pub(crate) fn new(stream: Stream, options: &Encryption, host: &str) -> Result<Self, Reason> {
        let mut securing = Self { stream, step: Step::Asking(0) };
        if options.direct {
            securing.begin(options, host)?;
        }
        Ok(securing)
    }

    pub(crate) fn into_stream(self) -> Stream {
        self.stream
    }

    pub(crate) fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Goes on as far as that is possible without waiting.
    ///
    /// # Errors
    /// [`Reason::Tls`] if TLS did not come about; others where there is no point in going on
    /// without it.
    pub(crate) fn advance(&mut self, options: &Encryption, host: &str) -> Result<Secured, Reason> {
        loop {
            match self.step {
                Step::Asking(sent) => {
                    let rest = SSL_REQUEST.get(sent..).unwrap_or_default();
                    if rest.is_empty() {
                        self.step = Step::Awaiting;
                        continue;
                    }
                    match self.stream.send(rest) {
                        Ok(count) => self.step = Step::Asking(sent + count),
                        Err(error) => return blocked(error, Interest::WRITE),
                    }
                }
                Step::Awaiting => {
                    let mut answer = [0];
                    match self.stream.receive(&mut answer) {
                        Ok(0) => return Err(Reason::Protocol(ProtoError::Terminated(None))),
                        Ok(_) => {}
                        Err(error) => return blocked(error, Interest::READ),
                    }
                    match answer {
                        [b'S'] => {
                            self.refuse_more()?;
                            self.begin(options, host)?;
                        }
                        [b'N'] => return Ok(Secured::Refused),
                        [other] => return Err(unexpected(other)),
                    }
                }
                Step::ShakingHands => {
                    return match self.stream.shake_hands() {
                        Ok(Some(interest)) => Ok(Secured::Wait(interest)),
                        Ok(None) => {
                            if let Some(tls) = self.stream.tls() {
                                tls.check_server(options, host).map_err(Reason::Tls)?;
                            }
                            Ok(Secured::Done)
                        }
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                        Err(error) => Err(Reason::of_handshake(error)),
                    };
                }
            }
        }
    }

    fn begin(&mut self, options: &Encryption, host: &str) -> Result<(), Reason> {
        self.stream.secure(Session::new(options, host).map_err(Reason::Tls)?);
        self.step = Step::ShakingHands;
        Ok(())
    }

    /// Nothing may follow the answer: we have not said anything yet, so it would be from somebody
    /// in between who wants it to be taken for encrypted (CVE-2021-23222).
    fn refuse_more(&mut self) -> Result<(), Reason> {
        match self.stream.receive(&mut [0]) {
            Ok(count) if count > 0 => Err(Reason::Protocol(ProtoError::Unsupported(
                "received unencrypted data after SSL response".to_owned(),
            ))),
            _ => Ok(()),
        }
    }
}

impl AsRawFd for Securing {
    fn as_raw_fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }
}

fn blocked(error: io::Error, interest: Interest) -> Result<Secured, Reason> {
    match error.kind() {
        io::ErrorKind::WouldBlock => Ok(Secured::Wait(interest)),
        // The caller looks at signals and comes back.
        io::ErrorKind::Interrupted => Ok(Secured::Wait(interest)),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            Err(Reason::Protocol(ProtoError::Terminated(None)))
        }
        _ => Err(Reason::Socket(error)),
    }
}

/// An answer that is neither yes nor no. The text of an error is not looked at: nobody has proved
/// yet to be the server (CVE-2024-10977).
fn unexpected(answer: u8) -> Reason {
    Reason::Protocol(ProtoError::Unsupported(match answer {
        b'E' => "server sent an error response during SSL exchange".to_owned(),
        other => {
            format!("received invalid response to SSL negotiation: {}", char::from(other))
        }
    }))
}
