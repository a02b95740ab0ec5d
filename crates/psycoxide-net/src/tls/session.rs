//! A session of TLS over a socket that never waits.
//!
//! rustls works on buffers that are ours: what arrives is decrypted where it lies and goes into the
//! reader's room, what leaves is encrypted into one buffer and sent with one call. libpq with
//! OpenSSL makes two system calls a record.

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

/// So much is encrypted at once. The rest waits unencrypted until that is sent.
const PORTION: usize = 64 << 10;

/// A record of 16 kB needs at most so much more.
const OVERHEAD: usize = 64;
const RECORD: usize = 16 << 10;

/// A session, which does not own its socket.
pub(crate) struct TlsSession {
    connection: UnbufferedClientConnection,
    incoming: Incoming,
    outgoing: Outgoing,
    /// Decrypted, but there was no room in the reader's buffer.
    held: Held,
    /// So many bytes of what is to be sent are in `outgoing`, encrypted.
    sealed: usize,
    /// The server has said that it sends no more.
    closed: bool,
    eof: bool,
    failure: Option<TlsFailure>,
    identity: Arc<Identity>,
    offered: (TlsVersion, TlsVersion),
}

/// How far the records that have come lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reached {
    /// The handshake needs more of them.
    Handshake,
    /// Data can be sent; all whole records are read, or the reader has no more room.
    Open,
}

/// What is to be encrypted.
#[derive(Clone, Copy)]
enum Write<'a> {
    Nothing,
    Data(&'a [u8]),
    Goodbye,
}

impl TlsSession {
    /// Begins a session with the server that is called `host`.
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

    /// Goes on with the handshake; what it waits for, or nothing when it is over.
    ///
    /// # Errors
    /// If the socket or the handshake fails.
    pub(crate) fn shake_hands(&mut self, socket: &Socket) -> io::Result<Option<Interest>> {
        loop {
            let reached = self.process(&mut [], Write::Nothing).map(|(reached, _)| reached);
            match self.outgoing.flush(socket) {
                // Why the handshake failed is worth more than that the server was not told.
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

    /// Looks at the server that the handshake was with.
    ///
    /// # Errors
    /// If its name is not the one asked for, or it speaks another protocol.
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

    /// `sslcertmode=require`: the server has to ask for the client's certificate and to get it.
    pub(crate) fn check_identity(&self, mode: CertificateMode) -> Result<(), &'static str> {
        match mode {
            CertificateMode::Require if !self.identity.was_requested() => Err(NOT_REQUESTED),
            CertificateMode::Require if !self.identity.was_sent() => {
                Err("server accepted connection without a valid SSL certificate")
            }
            _ => Ok(()),
        }
    }

    /// What channel binding binds to: nothing if the certificate has no usable hash.
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

    /// Whether there are data, or a failure, that the socket does not have any more.
    pub(crate) fn is_holding(&self) -> bool {
        !self.held.is_empty() || self.incoming.is_unread() || self.failure.is_some()
    }

    /// Whether something of the session's own waits to be sent.
    pub(crate) fn wants_write(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Sends; so many bytes are gone. After `WouldBlock` the same bytes have to be given again
    /// (there may be more behind them): their beginning may be encrypted already.
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

    /// Receives; 0 at the end. Where it gives less than there is room for, there is no more.
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
                        // The server is told what is wrong with it, if it still listens.
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

    /// Sends last words and the news that there are no more, as far as the socket takes them now.
    /// After `WouldBlock` the words are to begin with what was given to [`TlsSession::send`].
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

    /// Reads the records that have come into `room`, as far as they are whole and it lasts, then
    /// encrypts; how many bytes were read.
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
        // Where data are to be sent all records are read first; rustls wants it so.
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
                // It is sent with what is encrypted next, or before anything is waited for.
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
            // After an error there is the alert to encode that tells the server, and no more.
            if failed.is_some() && !self.connection.wants_write() {
                break Reached::Open;
            }
        };
        self.incoming.stall();
        if let Some(error) = failed {
            let failure = TlsFailure::from(error);
            self.failure = Some(failure.clone());
            // What came before it is read first.
            if filled == 0 {
                return Err(failure);
            }
        }
        Ok((reached, filled))
    }
}

/// What libpq says where the server did not ask for the certificate that it has to.
pub(crate) const NOT_REQUESTED: &str = "server did not request an SSL certificate";

/// The name as rustls wants it. Only names are sent to the server; an address stands for none.
fn server_name(host: &str) -> ServerName<'static> {
    let nobody = || ServerName::from(std::net::IpAddr::from([0, 0, 0, 0]));
    ServerName::try_from(host.to_owned()).unwrap_or_else(|_| nobody())
}

impl std::fmt::Debug for TlsSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsSession").field("info", &self.info()).finish_non_exhaustive()
    }
}
