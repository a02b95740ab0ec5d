//! Connecting: tries one host after the other, and every address of each, until a server of the
//! kind asked for lets us in.
//!
//! <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-MULTIPLE-HOSTS>: "the
//! connection parameters […] are tried in the order specified until a working one is found. […] If a
//! connection is established successfully, but authentication fails, the remaining hosts in the list
//! are not tried."

mod attempt;
mod order;
mod target;

use std::collections::VecDeque;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::Instant;

use psycoxide_proto::{
    Answer, Ask, AuthError, Engine, Error as ProtoError, Interest, Outcome, ProtocolVersion,
};

use crate::config::{Config, TargetSession};
use crate::conn_status::ConnStatus;
use crate::error::{Error, FailedAttempt, Reason};
use crate::resolve::{Lookup, Resolved, resolve};
use crate::socket::Stream;
use crate::socket::address::Address;
use attempt::{Attempt, Methods};

/// `cannot_connect_now`: the server is starting up or shutting down; another one may be up.
const CANNOT_CONNECT_NOW: &[u8] = b"57P03";

/// `invalid_password`
const INVALID_PASSWORD: &[u8] = b"28P01";

/// A connection in the making.
#[derive(Debug)]
pub(crate) struct Dial {
    config: Arc<Config>,
    /// The hosts still to be tried, as indices into the configuration's list.
    hosts: VecDeque<usize>,
    /// The host being tried.
    host: usize,
    /// Its addresses still to be tried.
    addresses: VecDeque<Address>,
    /// The lookup of the host's name, while it goes on.
    lookup: Option<Lookup>,
    attempt: Option<Attempt>,
    /// What the host said about where to get a bearer token.
    discovered: Option<Vec<u8>>,
    failures: Vec<FailedAttempt>,
    wanted: TargetSession,
}

/// How far connecting came. An attempt and a whole dial both say it this way.
#[derive(Debug)]
pub(crate) enum DialProgress {
    /// The socket has to be ready for this first.
    Wait(Interest),
    /// There is more to do; this call has done its share of it.
    Yield,
    /// Authentication needs something that the caller has to get.
    Ask(Ask),
    /// A session is set up, with the outcome of the start-up.
    Connected(Box<Connected>, Outcome),
}

/// A session that is set up.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) stream: Stream,
    /// Ready for requests.
    pub(crate) engine: Box<Engine>,
    /// Where the server is.
    pub(crate) address: Address,
    /// The host's index in the configuration's list.
    pub(crate) host: usize,
}

/// What to try after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Onward {
    NextAddress,
    NextHost,
    Nowhere,
}

impl Dial {
    /// Begins with the first host that has an address, or a name that may have one.
    ///
    /// # Errors
    /// [`Error::Connect`] if there is no such host, or none can even be tried.
    pub(crate) fn new(config: Arc<Config>) -> Result<Dial, Error> {
        let wanted = config.settings().target_session;
        let mut dial = Dial {
            hosts: VecDeque::new(),
            host: 0,
            addresses: VecDeque::new(),
            lookup: None,
            attempt: None,
            discovered: None,
            failures: Vec::new(),
            wanted,
            config,
        };
        dial.refill()?;
        dial.next()?;
        Ok(dial)
    }

    /// The descriptor of the attempt under way, or -1.
    pub(crate) fn fd(&self) -> RawFd {
        let attempt = self.attempt.as_ref().map_or(-1, Attempt::fd);
        self.lookup.as_ref().map_or(attempt, Lookup::fd)
    }

    /// Whether a name is being looked up.
    pub(crate) fn is_looking_up(&self) -> bool {
        self.lookup.is_some()
    }

    /// When the attempt under way is given up.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let attempt = self.attempt.as_ref().and_then(Attempt::deadline);
        self.lookup.as_ref().map_or(attempt, Lookup::deadline)
    }

    /// The engine of the attempt under way, once it has one.
    pub(crate) fn engine(&self) -> Option<&Engine> {
        self.attempt.as_ref().and_then(Attempt::engine)
    }

    /// The name, or else the address, of the host that is being tried.
    pub(crate) fn host(&self) -> Option<&str> {
        self.config.name_or_address(self.host)
    }

    /// The index of that host in the configuration's list.
    pub(crate) fn host_index(&self) -> usize {
        self.host
    }

    /// The state of the attempt under way.
    pub(crate) fn status(&self) -> ConnStatus {
        self.attempt.as_ref().map_or(ConnStatus::Started, Attempt::status)
    }

    /// The address that is being tried.
    pub(crate) fn address(&self) -> Option<&Address> {
        self.attempt.as_ref().map(Attempt::address)
    }

    /// The host's answer to the question where to get a bearer token, if it was asked.
    pub(crate) fn discovered(&self) -> Option<&[u8]> {
        self.discovered.as_deref()
    }

    /// Supplies what authentication needs.
    ///
    /// # Errors
    /// If nothing was asked for.
    pub(crate) fn answer(&mut self, answer: Answer) -> Result<(), Error> {
        match &mut self.attempt {
            Some(attempt) => attempt.answer(answer).map_err(Error::Protocol),
            None => Err(Error::lost()),
        }
    }

    /// Does as much as is possible without waiting. After a failed attempt it begins the next.
    ///
    /// # Errors
    /// [`Error::Connect`] with every failed attempt, when all have failed.
    pub(crate) fn advance(&mut self) -> Result<DialProgress, Error> {
        loop {
            self.look_up()?;
            if self.is_looking_up() {
                return Ok(DialProgress::Wait(Interest::READ));
            }
            let Some(mut attempt) = self.attempt.take() else {
                return Err(self.give_up());
            };
            match attempt.advance(&self.config, self.host, self.wanted) {
                Ok(connected @ DialProgress::Connected(..)) => return Ok(connected),
                Ok(_) if attempt.is_late() => self.failed(attempt, Reason::Timeout)?,
                Ok(progress) => {
                    self.attempt = Some(attempt);
                    return Ok(progress);
                }
                Err(reason) => self.failed(attempt, reason)?,
            }
        }
    }

    /// Looks names up as far as is possible without waiting, then begins an attempt.
    ///
    /// # Errors
    /// [`Error::Connect`] if there is no host with an address, or none can even be tried.
    pub(crate) fn look_up(&mut self) -> Result<(), Error> {
        while let Some(lookup) = self.lookup.take() {
            let Some(found) = lookup.poll() else {
                self.lookup = Some(lookup);
                break;
            };
            self.found(found)?;
            self.next()?;
        }
        Ok(())
    }

    /// Notes a failure, and begins the next attempt if the failure allows one.
    fn failed(&mut self, attempt: Attempt, reason: Reason) -> Result<(), Error> {
        let reason = self.name_requirement(reason);
        let onward = onward(&reason);
        let discovered = attempt.engine().and_then(Engine::token_refusal).filter(|_| {
            // Only once: a second refusal is a failure.
            self.discovered.is_none()
        });
        if let Some(refusal) = discovered.filter(|refusal| refusal.asked) {
            self.discovered = Some(refusal.document.clone());
            let (deadline, methods) = (attempt.deadline(), attempt.methods());
            let address = attempt.give_up();
            return self.begin(address, deadline, methods).map_or_else(|| self.next(), Ok);
        }
        let note = self.note(&reason, attempt.engine());
        let other = attempt.other_methods().filter(|_| may_differ(&reason, attempt.engine()));
        let deadline = attempt.deadline();
        let address = attempt.give_up();
        if let Reason::Setup(report) = reason {
            // This is no failure to connect any more, but a statement's error with its own class.
            return Err(Error::Protocol(ProtoError::Server(report)));
        }
        if let Some(methods) = other {
            self.failures.push(FailedAttempt::Address { address: address.clone(), reason, note });
            return self.begin(address, deadline, methods).map_or_else(|| self.next(), Ok);
        }
        self.failures.push(FailedAttempt::Address { address, reason, note });
        match onward {
            Onward::NextAddress => {}
            Onward::NextHost => self.addresses.clear(),
            Onward::Nowhere => return Err(self.give_up()),
        }
        self.next()
    }

    /// Begins the next attempt, or the lookup of the next host's name.
    fn next(&mut self) -> Result<(), Error> {
        let timeout = self.config.settings().connect_timeout;
        loop {
            if let Some(address) = self.addresses.pop_front() {
                let deadline = timeout.map(|timeout| Instant::now() + timeout);
                match Methods::of(&address, self.config.settings()) {
                    Ok(methods) => {
                        if self.begin(address, deadline, methods).is_some() {
                            return Ok(());
                        }
                    }
                    Err(failure) => {
                        self.failures.push(FailedAttempt::Host(failure.to_string()));
                        return Err(self.give_up());
                    }
                }
                continue;
            }
            let Some(host) = self.hosts.pop_front() else {
                if self.wanted != TargetSession::PreferStandby {
                    return Err(self.give_up());
                }
                // "If none of the listed hosts is a standby server, try again in any mode."
                self.wanted = TargetSession::Any;
                self.refill()?;
                continue;
            };
            self.host = host;
            self.discovered = None;
            let Some(given) = self.config.hosts().get(host) else { continue };
            let deadline = timeout.map(|timeout| Instant::now() + timeout);
            match resolve(given, deadline) {
                Ok(Resolved::Addresses(addresses)) => self.found(Ok(addresses))?,
                Ok(Resolved::Asking(lookup)) => {
                    self.lookup = Some(lookup);
                    return Ok(());
                }
                Err(failure) => self.found(Err(failure))?,
            }
        }
    }

    /// Stores the addresses of a host, or notes why it has none.
    fn found(&mut self, found: Result<Vec<Address>, FailedAttempt>) -> Result<(), Error> {
        match found {
            Ok(mut addresses) => {
                if self.config.settings().load_balance {
                    order::shuffle(&mut addresses)?;
                }
                self.addresses = addresses.into();
            }
            Err(failure) => self.failures.push(failure),
        }
        Ok(())
    }

    /// Begins an attempt. If it fails at once, notes the failure and returns `None`.
    fn begin(
        &mut self,
        address: Address,
        deadline: Option<Instant>,
        methods: Methods,
    ) -> Option<()> {
        match Attempt::begin(address, &self.config, deadline, methods) {
            Ok(attempt) => {
                self.attempt = Some(attempt);
                Some(())
            }
            Err((address, error)) => {
                let reason = Reason::Unreachable(error);
                self.failures.push(FailedAttempt::Address { address, reason, note: None });
                None
            }
        }
    }

    /// Queues all hosts again, in the order that the configuration wants.
    fn refill(&mut self) -> Result<(), Error> {
        let mut hosts: Vec<usize> = (0..self.config.hosts().len()).collect();
        if self.config.settings().load_balance {
            order::shuffle(&mut hosts)?;
        }
        self.hosts = hosts.into();
        Ok(())
    }

    fn give_up(&mut self) -> Error {
        Error::Connect(std::mem::take(&mut self.failures))
    }

    /// Words a refusal by `require_auth` like libpq, which quotes the option.
    fn name_requirement(&self, reason: Reason) -> Reason {
        match reason {
            Reason::Protocol(ProtoError::Auth(AuthError::NotAllowed(why))) => {
                let required = self.config.get("require_auth").unwrap_or_default();
                Reason::Protocol(ProtoError::Unsupported(format!(
                    "authentication method requirement \"{required}\" failed: {why}"
                )))
            }
            reason => reason,
        }
    }

    /// A hint for a failure that may be due to the password file, a bearer token, or the version of
    /// the protocol.
    fn note(&self, reason: &Reason, engine: Option<&Engine>) -> Option<String> {
        if let Some(refusal) = engine.and_then(Engine::token_refusal) {
            return Some(format!("server's answer to the token: {}", shown(&refusal.document)));
        }
        match reason {
            Reason::Protocol(ProtoError::Server(report))
                if report.field(b'C') == Some(INVALID_PASSWORD)
                    && engine.is_some_and(Engine::password_used) =>
            {
                let file = self.config.password_file(self.host)?;
                Some(format!("password retrieved from file \"{file}\""))
            }
            Reason::Protocol(ProtoError::Auth(AuthError::PasswordMissing)) => {
                let warnings = self.config.warnings();
                (!warnings.is_empty()).then(|| warnings.join("\n"))
            }
            // The peer hung up before it said anything.
            Reason::Protocol(ProtoError::Terminated(None)) | Reason::Socket(_)
                if engine.is_some_and(|engine| !engine.is_authenticated())
                    && self.config.settings().protocol_wanted > ProtocolVersion::V3_0 =>
            {
                Some(NEWER_PROTOCOL.to_owned())
            }
            _ => None,
        }
    }
}

/// The hint about a peer that hangs up instead of negotiating.
const NEWER_PROTOCOL: &str = "The reason may be protocol version 3.2, which was asked for: some \
     poolers and servers know only 3.0. Leave out max_protocol_version, or set it to 3.0.";

/// A server's document, made fit for an error's text.
fn shown(document: &[u8]) -> String {
    const MAX_SHOWN: usize = 1000;
    let text = String::from_utf8_lossy(document);
    let mut shown: String =
        text.chars().take(MAX_SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(MAX_SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// Whether the server may answer differently with encryption or without it: if encryption failed,
/// or the server refused us during authentication. libpq then tries the same server again, if
/// `sslmode` is `allow` or `prefer`.
fn may_differ(reason: &Reason, engine: Option<&Engine>) -> bool {
    match reason {
        Reason::Tls(_) | Reason::Gss(_) => true,
        Reason::Protocol(ProtoError::Server(report)) => {
            report.field(b'C') != Some(CANNOT_CONNECT_NOW)
                && engine.is_some_and(|engine| !engine.is_authenticated())
        }
        _ => false,
    }
}

/// What to try after this failure: another address or host if the server cannot be reached or is of
/// the wrong kind, but nothing if it said no.
fn onward(reason: &Reason) -> Onward {
    match reason {
        Reason::Unreachable(_) | Reason::Timeout => Onward::NextAddress,
        Reason::Unfit(_) => Onward::NextHost,
        Reason::Protocol(ProtoError::Server(report))
            if report.field(b'C') == Some(CANNOT_CONNECT_NOW) =>
        {
            Onward::NextHost
        }
        Reason::Protocol(_)
        | Reason::Socket(_)
        | Reason::Tls(_)
        | Reason::Gss(_)
        | Reason::Lost(_)
        | Reason::Setup(_) => Onward::Nowhere,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::socket::full::FullServer;
    use crate::wait::{Readiness, wait};

    fn dial(server: &FullServer, options: &str) -> Dial {
        let folder = server.folder.display();
        let dsn = format!("host={folder} port=5432 user=me dbname=db {options}");
        Dial::new(Arc::new(Config::parse(&dsn).unwrap())).unwrap()
    }

    #[test]
    fn dialing_waits_for_room_without_blocking() {
        let server = FullServer::start();
        let mut dial = dial(&server, "");
        for _ in 0..3 {
            assert!(matches!(dial.advance(), Ok(DialProgress::Wait(Interest::READ))));
            let readiness = wait(dial.fd(), Interest::READ, Some(Instant::now())).unwrap();
            assert_eq!(readiness, Readiness::Expired);
        }
        server.make_room();
        assert_eq!(wait(dial.fd(), Interest::READ, None).unwrap(), Readiness::Ready);
        // The startup message is on its way.
        assert!(matches!(dial.advance(), Ok(DialProgress::Wait(Interest::READ))));
        let mut length = [0; 4];
        server.accept().read_exact(&mut length).unwrap();
        assert!(u32::from_be_bytes(length) > 8);
    }

    #[test]
    fn the_wait_for_room_counts_for_connect_timeout() {
        let server = FullServer::start();
        let mut dial = dial(&server, "connect_timeout=1");
        let error = loop {
            match dial.advance() {
                Ok(DialProgress::Wait(interest)) => {
                    wait(dial.fd(), interest, dial.deadline()).unwrap();
                }
                Ok(other) => panic!("connecting came to {other:?}"),
                Err(error) => break error.to_string(),
            }
        };
        assert!(error.ends_with("failed: timeout expired"), "{error}");
    }
}
