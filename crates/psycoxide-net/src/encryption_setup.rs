//! Turns a connected socket into an encrypted stream, by TLS or by GSSAPI.
//!
//! <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL>, and the section
//! after it.

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use psycoxide_proto::{Error as ProtoError, Interest};

use crate::config::Config;
use crate::encryption_method::EncryptionMethod;
use crate::error::Reason;
use crate::gss::{GssFailure, GssSession};
use crate::socket::Stream;
use crate::tls::TlsSession;

/// A stream whose encryption is being set up.
#[derive(Debug)]
pub(crate) struct EncryptionSetup {
    stream: Stream,
    method: EncryptionMethod,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// This many bytes of the request are sent.
    Asking(usize),
    Awaiting,
    ShakingHands,
}

/// How far the set-up came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EncryptionProgress {
    /// The socket has to be ready for this first.
    Wait(Interest),
    /// The server does not offer this encryption; the conversation can go on without it.
    Refused,
    /// The stream is encrypted.
    Done,
}

impl EncryptionSetup {
    /// Begins the set-up; `host` is an index into the configuration's list.
    ///
    /// # Errors
    /// If TLS begins at once and a file that the options name is unfit.
    pub(crate) fn new(
        stream: Stream,
        method: EncryptionMethod,
        config: &Config,
        host: usize,
    ) -> Result<Self, Reason> {
        let mut setup = Self { stream, method, state: State::Asking(0) };
        if method == EncryptionMethod::Tls && config.settings().encryption.direct {
            setup.begin(config, host)?;
        }
        Ok(setup)
    }

    pub(crate) fn into_stream(self) -> Stream {
        self.stream
    }

    /// Does as much as is possible without waiting.
    ///
    /// # Errors
    /// [`Reason::Tls`] or [`Reason::Gss`] if the handshake failed; other reasons if going on
    /// without encryption makes no sense.
    pub(crate) fn advance(
        &mut self,
        config: &Config,
        host: usize,
    ) -> Result<EncryptionProgress, Reason> {
        loop {
            match self.state {
                State::Asking(sent) => {
                    let rest = self.method.request().get(sent..).unwrap_or_default();
                    if rest.is_empty() {
                        self.state = State::Awaiting;
                        continue;
                    }
                    match self.stream.send(rest) {
                        Ok(count) => self.state = State::Asking(sent + count),
                        Err(error) => return blocked(error, Interest::WRITE),
                    }
                }
                State::Awaiting => {
                    let mut answer = [0];
                    match self.stream.receive(&mut answer) {
                        Ok(0) => return Err(Reason::Protocol(ProtoError::Terminated(None))),
                        Ok(_) => {}
                        Err(error) => return blocked(error, Interest::READ),
                    }
                    match answer {
                        [yes] if yes == self.method.consent() => {
                            self.refuse_more()?;
                            self.begin(config, host)?;
                        }
                        [b'N'] => return Ok(EncryptionProgress::Refused),
                        [other] => return Err(self.unexpected(other)),
                    }
                }
                State::ShakingHands => {
                    return match self.stream.shake_hands() {
                        Ok(Some(interest)) => Ok(EncryptionProgress::Wait(interest)),
                        Ok(None) => {
                            if let Some(tls) = self.stream.tls() {
                                let options = &config.settings().encryption;
                                tls.check_server(options, config.host_name(host))
                                    .map_err(Reason::Tls)?;
                            }
                            Ok(EncryptionProgress::Done)
                        }
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                        Err(error) => Err(Reason::of_handshake(error, self.method)),
                    };
                }
            }
        }
    }

    fn begin(&mut self, config: &Config, host: usize) -> Result<(), Reason> {
        match self.method {
            EncryptionMethod::Tls => {
                let options = &config.settings().encryption;
                let session = TlsSession::new(options, config.host_name(host));
                self.stream.begin_tls(session.map_err(Reason::Tls)?);
            }
            EncryptionMethod::Gss => {
                let name = config.name_or_address(host).unwrap_or_default();
                let session = GssSession::new(&config.settings().gss, name);
                self.stream.begin_gss(session.map_err(Reason::Gss)?);
            }
        }
        self.state = State::ShakingHands;
        Ok(())
    }

    /// Nothing may follow the answer: we have not said anything yet, so it would be from somebody
    /// in between who wants it to be taken for encrypted (CVE-2021-23222).
    fn refuse_more(&mut self) -> Result<(), Reason> {
        match self.stream.receive(&mut [0]) {
            Ok(count) if count > 0 => {
                let (name, _) = self.method.names();
                Err(Reason::Protocol(ProtoError::Unsupported(format!(
                    "received unencrypted data after {name} response"
                ))))
            }
            _ => Ok(()),
        }
    }

    /// The reason for an answer that is neither yes nor no. The text of an error is not read: the
    /// peer has not proved yet that it is the server (CVE-2024-10977).
    fn unexpected(&self, answer: u8) -> Reason {
        let (_, exchange) = self.method.names();
        let text = match (answer, self.method) {
            (b'E', _) => format!("server sent an error response during {exchange} exchange"),
            (other, EncryptionMethod::Tls) => {
                format!("received invalid response to SSL negotiation: {}", char::from(other))
            }
            (other, EncryptionMethod::Gss) => {
                format!("received invalid response to GSSAPI negotiation: {}", char::from(other))
            }
        };
        match self.method {
            EncryptionMethod::Tls => Reason::Protocol(ProtoError::Unsupported(text)),
            // Servers before version 12 do not know the request: other methods are left.
            EncryptionMethod::Gss => Reason::Gss(GssFailure::new(text)),
        }
    }
}

impl AsRawFd for EncryptionSetup {
    fn as_raw_fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }
}

fn blocked(error: io::Error, interest: Interest) -> Result<EncryptionProgress, Reason> {
    match error.kind() {
        io::ErrorKind::WouldBlock => Ok(EncryptionProgress::Wait(interest)),
        // The caller handles signals and comes back.
        io::ErrorKind::Interrupted => Ok(EncryptionProgress::Wait(interest)),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            Err(Reason::Protocol(ProtoError::Terminated(None)))
        }
        _ => Err(Reason::Socket(error)),
    }
}
