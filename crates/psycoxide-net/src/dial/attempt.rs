//! One attempt: a socket to one address, and the conversation over it until the session is set up.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use psycoxide_proto::{Answer, Engine, Error as ProtoError, Event, Request};

use super::target::{self, Question, Verdict};
use super::{Connected, DialProgress};
use crate::config::{
    CertificateMode, Config, GssMode, Settings, SslMode, TargetSession, user_name_of,
};
use crate::conn_status::ConnStatus;
use crate::encryption_method::EncryptionMethod;
use crate::encryption_setup::{EncryptionProgress, EncryptionSetup};
use crate::error::{Error, Reason};
use crate::gss::{self, GssFailure};
use crate::pump::{self, Progress};
use crate::socket::address::Address;
use crate::socket::{Connecting, Stream, TcpOptions};
use crate::tls::{NOT_REQUESTED, TlsSession};

/// How many random bytes make a nonce for SCRAM, as in libpq.
const NONCE_LENGTH: usize = 18;

/// An attempt under way.
#[derive(Debug)]
pub(super) struct Attempt {
    address: Address,
    deadline: Option<Instant>,
    methods: Methods,
    stage: Stage,
}

/// The encryption methods for a server: the one in use, and those to try after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Methods {
    now: Method,
    later: &'static [Method],
}

/// How a stream is encrypted; `None` means that it is not.
type Method = Option<EncryptionMethod>;
const CLEAR: Method = None;
const TLS: Method = Some(EncryptionMethod::Tls);
const GSS: Method = Some(EncryptionMethod::Gss);

impl Methods {
    /// The methods that the options allow for this address, in libpq's order. Unix sockets are
    /// never encrypted.
    ///
    /// # Errors
    /// If GSSAPI is required but impossible.
    pub(super) fn of(address: &Address, settings: &Settings) -> Result<Self, GssFailure> {
        let unfit = |text: &str| Err(GssFailure::new(text));
        let without: &[Method] = match (address, settings.encryption.mode) {
            (Address::Unix { .. }, _) | (_, SslMode::Disable) => &[CLEAR],
            (_, SslMode::Allow) => &[CLEAR, TLS],
            (_, SslMode::Prefer) => &[TLS, CLEAR],
            (_, SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull) => &[TLS],
        };
        let later = match (address, settings.gss.mode) {
            (Address::Unix { .. }, GssMode::Require) => {
                return unfit(
                    "GSSAPI encryption required but it is not supported over a local socket",
                );
            }
            (Address::Unix { .. }, _) | (_, GssMode::Disable) => without,
            (_, GssMode::Prefer) if gss::has_credentials(&settings.gss) => {
                return Ok(Self { now: GSS, later: without });
            }
            (_, GssMode::Prefer) => without,
            (_, GssMode::Require) if gss::has_credentials(&settings.gss) => &[GSS],
            (_, GssMode::Require) => {
                return unfit("GSSAPI encryption required but no credential cache");
            }
        };
        Ok(Self { now: CLEAR, later }.next().unwrap_or(Self { now: CLEAR, later: &[] }))
    }

    /// The methods without the first, if any are left.
    pub(super) fn next(self) -> Option<Self> {
        let (now, later) = self.later.split_first()?;
        Some(Self { now: *now, later })
    }
}

#[derive(Debug)]
enum Stage {
    /// The socket is being connected.
    Connecting(Connecting),
    /// Encryption is being set up.
    Encrypting(Box<EncryptionSetup>),
    /// The session is being set up.
    Starting(Stream, Box<Engine>),
    /// The session is set up, and the server is being asked what kind of server it is.
    Asking(Stream, Box<Engine>, Question),
    /// The attempt is over.
    Over,
}

impl Attempt {
    /// Begins to connect.
    ///
    /// # Errors
    /// With the address, if connecting fails at once.
    pub(super) fn begin(
        address: Address,
        config: &Config,
        deadline: Option<Instant>,
        methods: Methods,
    ) -> Result<Attempt, (Address, io::Error)> {
        let settings = config.settings();
        let options =
            TcpOptions { keepalive: settings.keepalive, user_timeout: settings.tcp_user_timeout };
        match Stream::connect(&address, &options) {
            Ok(connecting) => {
                Ok(Attempt { address, deadline, methods, stage: Stage::Connecting(connecting) })
            }
            Err(error) => Err((address, error)),
        }
    }

    pub(super) fn fd(&self) -> RawFd {
        match &self.stage {
            Stage::Connecting(connecting) => connecting.fd(),
            Stage::Encrypting(setup) => setup.as_raw_fd(),
            Stage::Starting(stream, _) | Stage::Asking(stream, ..) => stream.as_raw_fd(),
            Stage::Over => -1,
        }
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether the time for this attempt is up.
    pub(super) fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// The state of the attempt.
    pub(super) fn status(&self) -> ConnStatus {
        match &self.stage {
            Stage::Connecting(Connecting::Done(_)) => ConnStatus::Made,
            Stage::Connecting(_) | Stage::Over => ConnStatus::Started,
            Stage::Encrypting(_) if self.methods.now == GSS => ConnStatus::GssStartup,
            Stage::Encrypting(_) => ConnStatus::SslStartup,
            Stage::Starting(_, engine) if engine.is_authenticated() => ConnStatus::AuthOk,
            Stage::Starting(..) => ConnStatus::AwaitingResponse,
            Stage::Asking(_, _, Question::ReadOnly) => ConnStatus::CheckWritable,
            Stage::Asking(_, _, Question::Standby) => ConnStatus::CheckStandby,
        }
    }

    pub(super) fn engine(&self) -> Option<&Engine> {
        match &self.stage {
            Stage::Starting(_, engine) | Stage::Asking(_, engine, _) => Some(engine),
            _ => None,
        }
    }

    /// Supplies what the server's authentication method needs.
    pub(super) fn answer(&mut self, answer: Answer) -> Result<(), ProtoError> {
        match &mut self.stage {
            Stage::Starting(_, engine) => engine.answer(answer),
            _ => Err(ProtoError::Misuse("nothing was asked for")),
        }
    }

    /// The methods, the one in use first.
    pub(super) fn methods(&self) -> Methods {
        self.methods
    }

    /// The methods that are left.
    pub(super) fn other_methods(&self) -> Option<Methods> {
        self.methods.next()
    }

    /// Ends a failed attempt, with a goodbye if the session was set up already.
    pub(super) fn give_up(mut self) -> Address {
        if let Stage::Starting(stream, engine) | Stage::Asking(stream, engine, _) = &mut self.stage
            && engine.is_idle()
        {
            engine.terminate();
            stream.say_goodbye(engine.out());
        }
        self.address
    }

    /// Does as much as is possible without waiting.
    ///
    /// # Errors
    /// If the attempt has failed.
    pub(super) fn advance(
        &mut self,
        config: &Config,
        host: usize,
        wanted: TargetSession,
    ) -> Result<DialProgress, Reason> {
        loop {
            let event = match &mut self.stage {
                Stage::Connecting(connecting) => {
                    if let Some(interest) = connecting.advance().map_err(Reason::Unreachable)? {
                        return Ok(DialProgress::Wait(interest));
                    }
                    self.connected(config, host)?;
                    continue;
                }
                Stage::Encrypting(setup) => {
                    match setup.advance(config, host)? {
                        EncryptionProgress::Wait(interest) => {
                            return Ok(DialProgress::Wait(interest));
                        }
                        EncryptionProgress::Refused => self.refused(config, host)?,
                        EncryptionProgress::Done => self.begin_session(config, host)?,
                    }
                    continue;
                }
                Stage::Starting(stream, engine) | Stage::Asking(stream, engine, _) => {
                    match pump::pump(stream, engine).map_err(Reason::from)? {
                        Progress::Event(event) => event,
                        Progress::Wait(interest) => return Ok(DialProgress::Wait(interest)),
                        Progress::Yield => return Ok(DialProgress::Yield),
                    }
                }
                Stage::Over => return Err(Error::lost().into()),
            };
            if let Some(progress) = self.happened(event, config, host, wanted)? {
                return Ok(progress);
            }
        }
    }

    /// The socket is connected: begins encryption, or the conversation.
    fn connected(&mut self, config: &Config, host: usize) -> Result<(), Reason> {
        let Some(method) = self.methods.now else { return self.begin_session(config, host) };
        let Some(stream) = self.take_stream() else { return Ok(()) };
        let setup = EncryptionSetup::new(stream, method, config, host)?;
        self.stage = Stage::Encrypting(Box::new(setup));
        Ok(())
    }

    /// The server refuses this encryption: goes on with the next method over the same socket, if
    /// there is one.
    fn refused(&mut self, config: &Config, host: usize) -> Result<(), Reason> {
        let method = self.methods.now.unwrap_or(EncryptionMethod::Tls);
        let Some(next) = self.methods.next() else { return Err(Reason::refused(method)) };
        match next.now {
            // Direct TLS must be the first thing on a connection.
            TLS if config.settings().encryption.direct => {
                Err(Reason::Gss(GssFailure::new("server doesn't support GSSAPI encryption")))
            }
            _ => {
                self.methods = next;
                self.connected(config, host)
            }
        }
    }

    /// The stream is encrypted or may stay clear: begins the conversation.
    fn begin_session(&mut self, config: &Config, host: usize) -> Result<(), Reason> {
        let Some(stream) = self.take_stream() else { return Ok(()) };
        if let (Address::Unix { .. }, Some(user)) = (&self.address, &config.settings().require_peer)
        {
            check_peer(&stream, user)?;
        }
        // Without a secret SCRAM cannot run, so no nonce is needed.
        let nonce = match config.has_secret(host) {
            true => nonce().map_err(Reason::Socket)?,
            false => String::new(),
        };
        let end_point = stream.tls().map(TlsSession::end_point);
        let mut startup = config.startup(host, nonce, end_point);
        startup.gss_encrypted = stream.encrypted() == GSS;
        let engine = Box::new(Engine::new(startup));
        self.stage = Stage::Starting(stream, engine);
        Ok(())
    }

    /// Handles an event of the engine: the end of the start-up, or the answer to a question.
    fn happened(
        &mut self,
        event: Event,
        config: &Config,
        host: usize,
        wanted: TargetSession,
    ) -> Result<Option<DialProgress>, Reason> {
        let outcome = match event {
            Event::Done(outcome) => outcome,
            Event::Ask(ask) => return Ok(Some(DialProgress::Ask(ask))),
            _ => return Err(Reason::Protocol(ProtoError::Misuse("a COPY while connecting"))),
        };
        if let Some(report) = outcome.error {
            return Err(match self.stage {
                Stage::Starting(..) => Reason::Setup(report),
                _ => Reason::Protocol(ProtoError::Server(report)),
            });
        }
        let verdict = match &self.stage {
            Stage::Starting(stream, engine) => {
                check_identity(config, stream)?;
                check_version(config, engine)?;
                target::judge(wanted, engine)
            }
            Stage::Asking(_, _, question) => match question.answer(outcome.result.as_deref()) {
                Some(answer) => target::weigh(wanted, answer),
                None => Verdict::Unfit("the server does not tell which kind it is"),
            },
            _ => Verdict::Fit,
        };
        match verdict {
            Verdict::Unfit(why) => Err(Reason::Unfit(why.to_owned())),
            Verdict::Ask(question) => self.ask(question).map(|()| None),
            Verdict::Fit => match std::mem::replace(&mut self.stage, Stage::Over) {
                Stage::Starting(stream, engine) | Stage::Asking(stream, engine, _) => {
                    let address = self.address.clone();
                    let connected = Connected { stream, engine, address, host };
                    Ok(Some(DialProgress::Connected(Box::new(connected), outcome)))
                }
                _ => Err(Error::lost().into()),
            },
        }
    }

    fn ask(&mut self, question: Question) -> Result<(), Reason> {
        let Stage::Starting(stream, mut engine) = std::mem::replace(&mut self.stage, Stage::Over)
        else {
            return Ok(());
        };
        engine.submit(Request::query(question.sql().into())).map_err(Reason::Protocol)?;
        self.stage = Stage::Asking(stream, engine, question);
        Ok(())
    }

    /// Takes the connected stream before the conversation over it has begun.
    fn take_stream(&mut self) -> Option<Stream> {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Connecting(connecting) => connecting.into_stream(),
            Stage::Encrypting(setup) => Some(setup.into_stream()),
            _ => None,
        }
    }
}

/// Checks `sslcertmode=require`; a connection without TLS fails it too.
fn check_identity(config: &Config, stream: &Stream) -> Result<(), Reason> {
    let mode = config.settings().encryption.certificate_mode;
    let checked = match stream.tls() {
        Some(tls) => tls.check_identity(mode),
        None if mode == CertificateMode::Require => Err(NOT_REQUESTED),
        None => Ok(()),
    };
    checked.map_err(|text| Reason::Protocol(ProtoError::Unsupported(text.to_owned())))
}

/// `requirepeer`: "the client checks at the beginning of the connection that the server process is
/// running under the specified user name; if it is not, the connection is aborted with an error."
fn check_peer(stream: &Stream, user: &str) -> Result<(), Reason> {
    let unfit = |text| Reason::Protocol(ProtoError::Unsupported(text));
    let uid = stream.peer_user().map_err(|error| {
        unfit(format!("could not get peer credentials: {}", crate::error::system(&error)))
    })?;
    match user_name_of(uid) {
        Some(name) if name == user => Ok(()),
        Some(name) => Err(unfit(format!(
            "requirepeer specifies \"{user}\", but actual peer user name is \"{name}\""
        ))),
        None => Err(unfit(format!("local user with ID {uid} does not exist"))),
    }
}

fn check_version(config: &Config, engine: &Engine) -> Result<(), Reason> {
    let (least, actual) = (config.settings().protocol_least, engine.protocol_version());
    if actual >= least {
        return Ok(());
    }
    Err(Reason::Protocol(ProtoError::Unsupported(format!(
        "server only supports protocol version {}.{}, but \"min_protocol_version\" was set to {}.{}",
        actual.major, actual.minor, least.major, least.minor
    ))))
}

fn nonce() -> io::Result<String> {
    let mut random = [0; NONCE_LENGTH];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    Ok(STANDARD.encode(random))
}
