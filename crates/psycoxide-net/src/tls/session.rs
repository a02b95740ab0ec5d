//! A TLS session over a non-blocking socket.
//!
//! rustls works on our buffers: incoming records are decrypted in place and copied into the
//! reader's room; outgoing data are encrypted into one buffer and sent with one call. libpq with
//! OpenSSL makes two system calls for each record.

use std::io;
use std::sync::Arc;

use psycoxide_proto::Interest;
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::unbuffered::{ConnectionState, UnbufferedStatus};
use socket2::Socket;

use super::buffers::{Held, Incoming, Outgoing};
use super::client::{ALPN, Client, Identity, client};
use super::failure::TlsFailure;
use super::info::TlsInfo;
use super::{binding, name};
use crate::config::{CertificateMode, Encryption, SslMode, TlsVersion};

/// How much is encrypted at once. The rest waits unencrypted until that is sent.
const PORTION: usize = 64 << 10;

/// How much longer a record of 16 kB is when it is encrypted, at most.
const OVERHEAD: usize = 64;
const RECORD: usize = 16 << 10;

/// A session, which does not own its socket.
pub(crate) struct TlsSession {
    connection: UnbufferedClientConnection,
    incoming: Incoming,
    outgoing: Outgoing,
    /// Decrypted, but the reader's buffer had no room for it.
    held: Held,
    /// How many bytes of the caller's data are in `outgoing`, encrypted.
    sealed: usize,
    /// The server has said that it sends no more.
    closed: bool,
    eof: bool,
    failure: Option<TlsFailure>,
    identity: Arc<Identity>,
    offered: (TlsVersion, TlsVersion),
}

/// The state after the received records were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reached {
    /// The handshake needs more records.
    Handshake,
    /// Data can be sent. All whole records are read, or the reader has no more room.
    Open,
}

/// What to encrypt.
#[derive(Clone, Copy)]
enum Write<'a> {
    Nothing,
    Data(&'a [u8]),
    Goodbye,
}

impl TlsSession {
    /// Begins a session with the server named `host`.
    ///
    /// # Errors
    /// If a file that the options name is unfit.
    pub(crate) fn new(options: &Encryption, host: &str) -> Result<Self, TlsFailure> {
        let Client { config, identity } = client(options)?;
        let connection = UnbufferedClientConnection::new(config, server_name(host))?;
        Ok(Self {
            connection,
            incoming: Incoming::default(),
            outgoing: Outgoing::default(),
            held: Held::default(),
            sealed: 0,
            closed: false,
            eof: false,
            failure: None,
            identity,
            offered: (options.least, options.most),
        })
    }

    /// Continues the handshake. Returns what it waits for, or `None` when it is over.
    ///
    /// # Errors
    /// If the socket or the handshake fails.
    pub(crate) fn shake_hands(&mut self, socket: &Socket) -> io::Result<Option<Interest>> {
        loop {
            let reached = self.process(&mut [], Write::Nothing).map(|(reached, _)| reached);
            match self.outgoing.flush(socket) {
                // The reason of a failed handshake is worth more than an error of sending its
                // alert.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && reached.is_ok() => {
                    return Ok(Some(Interest::WRITE));
                }
                Err(error) if reached.is_ok() => return Err(error),
                _ => {}
            }
            let (least, most) = self.offered;
            if reached.map_err(|failure| failure.with_versions(least, most))? == Reached::Open {
                return Ok(None);
            }
            match self.incoming.read(socket) {
                Ok(0) => return Err(TlsFailure::Eof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Some(Interest::READ));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Checks the server after the handshake.
    ///
    /// # Errors
    /// If its name is not the one asked for, or it negotiated another protocol.
    pub(crate) fn check_server(&self, options: &Encryption, host: &str) -> Result<(), TlsFailure> {
        let refused = |text: &str| Err(TlsFailure::Refused(text.to_owned()));
        match self.connection.alpn_protocol() {
            None if options.direct => {
                return refused(
                    "direct SSL connection was established without ALPN protocol negotiation \
                     extension",
                );
            }
            Some(protocol) if protocol != ALPN => {
                return refused("SSL connection was established with unexpected ALPN protocol");
            }
            _ => {}
        }
        if options.mode != SslMode::VerifyFull {
            return Ok(());
        }
        let Some(certificate) = self.certificate() else {
            return refused("certificate could not be obtained");
        };
        name::check(certificate, host).map_err(TlsFailure::Refused)
    }

    /// Checks `sslcertmode=require`: the server must have asked for the client's certificate and
    /// got it.
    pub(crate) fn check_identity(&self, mode: CertificateMode) -> Result<(), &'static str> {
        match mode {
            CertificateMode::Require if !self.identity.was_requested() => Err(NOT_REQUESTED),
            CertificateMode::Require if !self.identity.was_sent() => {
                Err("server accepted connection without a valid SSL certificate")
            }
            _ => Ok(()),
        }
    }

    /// The data for channel binding; empty if the certificate's signature has no usable hash.
    pub(crate) fn end_point(&self) -> Vec<u8> {
        self.certificate().and_then(binding::end_point).unwrap_or_default()
    }

    pub(crate) fn info(&self) -> TlsInfo {
        TlsInfo::of(&self.connection)
    }

    fn certificate(&self) -> Option<&[u8]> {
        self.connection.peer_certificates()?.first().map(|certificate| certificate.as_ref())
    }

    /// How the server ended the session, if it has.
    pub(crate) fn end(&self) -> Option<TlsFailure> {
        match (self.closed, self.eof) {
            (true, _) => Some(TlsFailure::Closed),
            (false, true) => Some(TlsFailure::Eof),
            (false, false) => None,
        }
    }

    /// Whether there are received data, or a failure, for which the socket will not become readable
    /// again.
    pub(crate) fn is_holding(&self) -> bool {
        !self.held.is_empty() || self.incoming.is_unread() || self.failure.is_some()
    }

    /// Whether encrypted data wait to be sent.
    pub(crate) fn wants_write(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Sends some of the bytes, and returns how many. After `WouldBlock` the caller has to pass the
    /// same bytes again, perhaps with more after them: their beginning may be encrypted already.
    pub(crate) fn send(&mut self, socket: &Socket, bytes: &[u8]) -> io::Result<usize> {
        if self.sealed == 0 {
            self.outgoing.flush(socket)?;
            let portion = bytes.get(..PORTION).unwrap_or(bytes);
            if self.process(&mut [], Write::Data(portion))?.0 != Reached::Open {
                return Err(io::ErrorKind::NotConnected.into());
            }
            self.sealed = portion.len();
        }
        self.outgoing.flush(socket)?;
        Ok(std::mem::take(&mut self.sealed))
    }

    /// Receives data, or 0 bytes at the end. If they do not fill `space`, no more have come.
    pub(crate) fn receive(&mut self, socket: &Socket, space: &mut [u8]) -> io::Result<usize> {
        let mut filled = self.held.take(space);
        let mut drained = false;
        loop {
            let room = space.get_mut(filled..).unwrap_or_default();
            if room.is_empty() {
                return Ok(filled);
            }
            if self.incoming.is_unread() || self.failure.is_some() {
                match self.process(room, Write::Nothing) {
                    Ok((_, count)) => filled += count,
                    Err(failure) => {
                        // Tells the server what is wrong, if it still listens.
                        let _ = self.outgoing.flush(socket);
                        return if filled > 0 { Ok(filled) } else { Err(failure.into()) };
                    }
                }
            }
            if self.wants_write() && self.sealed == 0 {
                let _ = self.outgoing.flush(socket);
            }
            let failed = self.failure.is_some();
            if self.closed || failed || filled == space.len() || (drained && filled > 0) {
                return Ok(filled);
            }
            match self.incoming.read(socket) {
                Ok(0) => {
                    self.eof = true;
                    return Ok(filled);
                }
                Ok(_) => drained = !self.incoming.is_full(),
                Err(_) if filled > 0 => return Ok(filled),
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends last words and the closing alert, as far as the socket takes them without waiting.
    /// After `WouldBlock` the words must begin with the bytes passed to [`TlsSession::send`].
    pub(crate) fn close(&mut self, socket: &Socket, words: &[u8]) {
        let mut rest = words;
        while !rest.is_empty() {
            let Ok(count) = self.send(socket, rest) else { return };
            rest = rest.get(count..).unwrap_or_default();
        }
        let sent = self.outgoing.flush(socket);
        if sent.is_ok() && self.process(&mut [], Write::Goodbye).is_ok() {
            let _ = self.outgoing.flush(socket);
        }
    }

    /// Decrypts all whole records, or as many as `room` takes, then encrypts `write`. Returns the
    /// state, and how many bytes were decrypted into `room`.
    fn process(
        &mut self,
        room: &mut [u8],
        write: Write<'_>,
    ) -> Result<(Reached, usize), TlsFailure> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        let mut filled = 0;
        let mut failed = None;
        // Before data can be encrypted, rustls wants all records to be read.
        let all = room.is_empty() || !matches!(write, Write::Nothing);
        let reached = loop {
            if !all && !self.held.is_empty() {
                return Ok((Reached::Open, filled));
            }
            let UnbufferedStatus { discard, state } =
                self.connection.process_tls_records(self.incoming.unread());
            let step = match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    let mut read = Ok(None);
                    while let Some(record) = traffic.next_record() {
                        let payload = match record {
                            Ok(record) => record.payload,
                            Err(error) => {
                                read = Err(error);
                                break;
                            }
                        };
                        let space = room.get_mut(filled..).unwrap_or_default();
                        filled += self.held.pour(payload, space);
                    }
                    read
                }
                Ok(ConnectionState::EncodeTlsData(mut message)) => {
                    self.outgoing.append(0, |space| message.encode(space)).map(|()| None)
                }
                // The bytes are sent together with the next data, or before the next wait.
                Ok(ConnectionState::TransmitTlsData(message)) => {
                    message.done();
                    Ok(None)
                }
                Ok(ConnectionState::PeerClosed) => {
                    self.closed = true;
                    Ok(None)
                }
                Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                    let written = match write {
                        Write::Nothing => Ok(()),
                        Write::Data(data) => {
                            let size = data.len() + (data.len() / RECORD + 1) * OVERHEAD;
                            self.outgoing.append(size, |space| traffic.encrypt(data, space))
                        }
                        Write::Goodbye => {
                            let alert = |space: &mut [u8]| traffic.queue_close_notify(space);
                            self.outgoing.append(OVERHEAD, alert)
                        }
                    };
                    written.map(|()| Some(Reached::Open))
                }
                Ok(ConnectionState::Closed) => Ok(Some(Reached::Open)),
                Ok(ConnectionState::BlockedHandshake) => Ok(Some(Reached::Handshake)),
                Ok(_) => Err(rustls::Error::General("unexpected state".to_owned())),
                Err(error) => Err(error),
            };
            self.incoming.discard(discard);
            match step {
                Ok(None) => {}
                Ok(Some(reached)) => break reached,
                Err(error) => failed = failed.or(Some(error)),
            }
            // After an error only the alert about it is still encoded.
            if failed.is_some() && !self.connection.wants_write() {
                break Reached::Open;
            }
        };
        self.incoming.stall();
        if let Some(error) = failed {
            let failure = TlsFailure::from(error);
            self.failure = Some(failure.clone());
            // Data that came before the error are read first.
            if filled == 0 {
                return Err(failure);
            }
        }
        Ok((reached, filled))
    }
}

/// libpq's text if the server did not ask for a certificate although it has to.
pub(crate) const NOT_REQUESTED: &str = "server did not request an SSL certificate";

/// The host as rustls wants it. Only names are sent to the server; an address means that none is
/// sent.
fn server_name(host: &str) -> ServerName<'static> {
    let nobody = || ServerName::from(std::net::IpAddr::from([0, 0, 0, 0]));
    ServerName::try_from(host.to_owned()).unwrap_or_else(|_| nobody())
}

impl std::fmt::Debug for TlsSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsSession").field("info", &self.info()).finish_non_exhaustive()
    }
}
