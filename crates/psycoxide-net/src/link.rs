//! One connection: dialing, then talking.

use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use psycoxide_proto::{Answer, Engine, Event, Notification, Phase, Report, Request};

use crate::cancel::CancelToken;
use crate::config::Config;
use crate::conn_status::ConnStatus;
use crate::dial::{Connected, Dial, DialProgress};
use crate::error::Error;
use crate::pump;
pub use crate::pump::Progress;
use crate::read_coalescing::ReadCoalescer;
use crate::socket::Stream;
use crate::socket::address::Address;
use crate::socket::lent_message::Body;
use crate::tls::{TlsInfo, TlsSession};
use crate::wait;

/// A connection to a server.
#[derive(Debug)]
pub struct Link {
    config: Arc<Config>,
    stage: Stage,
    /// The index, in the configuration's list, of the host that is tried or was tried last.
    host: usize,
    /// Decides how long to wait before the next read of a long answer.
    coalescer: ReadCoalescer,
    /// Messages that came before the link was closed, for the driver to take.
    last_messages: AsyncMessages,
    failed_socket: FailedSocket,
}

/// What becomes of the socket when the conversation over it fails.
#[derive(Debug, Default)]
enum FailedSocket {
    #[default]
    Close,
    /// It stays open until the link is closed.
    Keep(Option<Stream>),
}

/// Messages that answer no request, such as the warning that announces a shutdown.
#[derive(Debug, Default)]
pub struct AsyncMessages {
    /// The notices, oldest first.
    pub notices: Vec<Report>,
    /// The notifications, oldest first.
    pub notifications: Vec<Notification>,
}

#[derive(Debug)]
enum Stage {
    Dialing(Box<Dial>),
    Up(Box<Connected>),
    Closed,
}

impl Link {
    /// Begins to connect to the first of the configured hosts.
    ///
    /// # Errors
    /// [`Error::Connect`] if no host can even be tried.
    pub fn dial(config: Arc<Config>) -> Result<Self, Error> {
        let dial = Dial::new(Arc::clone(&config))?;
        let host = dial.host_index();
        let stage = Stage::Dialing(Box::new(dial));
        Ok(Self {
            config,
            stage,
            host,
            coalescer: ReadCoalescer::default(),
            last_messages: AsyncMessages::default(),
            failed_socket: FailedSocket::default(),
        })
    }

    /// Hands over a request; [`Link::advance`] sends it.
    ///
    /// # Errors
    /// [`Error::Protocol`] if the engine does not accept it now (an operation is under way, and one
    /// of the two is not pipelined), or the link is closed. If the conversation
    /// has failed meanwhile, this closes the link.
    pub fn start(&mut self, request: Request) -> Result<(), Error> {
        let Some(engine) = self.engine_mut() else { return Err(Error::lost()) };
        let started = engine.submit(request);
        if started.is_err() && engine.error().is_some() {
            self.shut();
        }
        started.map_err(Error::from)
    }

    /// Does as much as is possible without waiting.
    ///
    /// # Errors
    /// Any error closes the link.
    pub fn advance(&mut self) -> Result<Progress, Error> {
        let advanced = match &mut self.stage {
            Stage::Up(up) => {
                let pumped = pump::pump(&mut up.stream, &mut up.engine);
                if matches!(pumped, Ok(Progress::Event(Event::Done(_)))) {
                    // The next answer may come at another pace.
                    self.coalescer = ReadCoalescer::default();
                    // Bytes that came with the last answer will not make the socket readable again,
                    // so they are read now. If they are bad, the next operation finds out.
                    if up.stream.is_holding() && up.engine.requests_in_flight() == 0 {
                        let _ = pump::poke(&mut up.stream, &mut up.engine);
                    }
                }
                pumped
            }
            _ => self.advance_dialing(),
        };
        if advanced.is_err() {
            self.shut();
        }
        advanced
    }

    /// [`Link::advance`] while the session is not set up yet.
    #[cold]
    fn advance_dialing(&mut self) -> Result<Progress, Error> {
        let Stage::Dialing(dial) = &mut self.stage else { return Err(Error::lost()) };
        let advanced = dial.advance();
        self.host = dial.host_index();
        match advanced? {
            DialProgress::Wait(interest) => Ok(Progress::Wait(interest)),
            DialProgress::Yield => Ok(Progress::Yield),
            DialProgress::Ask(ask) => Ok(Progress::Event(Event::Ask(ask))),
            DialProgress::Connected(connected, outcome) => {
                self.stage = Stage::Up(connected);
                Ok(Progress::Event(Event::Done(outcome)))
            }
        }
    }

    /// Looks host names up as far as is possible without waiting, and begins to connect to the
    /// first host that has an address. [`Link::advance`] continues from there.
    ///
    /// # Errors
    /// [`Error::Connect`] if no host has an address, or none can even be tried; this closes the
    /// link.
    pub fn look_up(&mut self) -> Result<(), Error> {
        let Stage::Dialing(dial) = &mut self.stage else { return Ok(()) };
        let looked_up = dial.look_up();
        self.host = dial.host_index();
        if looked_up.is_err() {
            self.shut();
        }
        looked_up
    }

    /// The state of the connection.
    pub fn status(&self) -> ConnStatus {
        match &self.stage {
            Stage::Up(_) => ConnStatus::Ok,
            Stage::Dialing(dial) => dial.status(),
            Stage::Closed => ConnStatus::Bad,
        }
    }

    /// Supplies what [`Event::Ask`] asked for; [`Link::advance`] continues with it.
    ///
    /// # Errors
    /// If nothing was asked for.
    pub fn answer(&mut self, answer: Answer) -> Result<(), Error> {
        match &mut self.stage {
            Stage::Dialing(dial) => dial.answer(answer),
            _ => Err(Error::lost()),
        }
    }

    /// The host that is being tried: its name, or else its address.
    pub fn dialed_host(&self) -> Option<&str> {
        match &self.stage {
            Stage::Dialing(dial) => dial.host(),
            _ => None,
        }
    }

    /// The server's answer to the question where to get a bearer token, if it was asked.
    pub fn token_discovery(&self) -> Option<&[u8]> {
        match &self.stage {
            Stage::Dialing(dial) => dial.discovered(),
            _ => None,
        }
    }

    /// The address that is being tried.
    pub fn dialed_address(&self) -> Option<&Address> {
        match &self.stage {
            Stage::Dialing(dial) => dial.address(),
            _ => None,
        }
    }

    /// Queues `length` bytes, where they lie, as the next data of the COPY FROM under way;
    /// [`Link::advance`] sends them. Returns `false` if the stream cannot send them from there, for
    /// example because it is encrypted.
    pub fn lend_copy_data(&mut self, body: Body, length: u32) -> bool {
        let Stage::Up(up) = &mut self.stage else { return false };
        let (Some(header), Ok(length)) = (up.engine.copy_header(length), usize::try_from(length))
        else {
            return false;
        };
        up.stream.lend(&header, body, length)
    }

    /// Sends as much of the pending data as the socket takes. Returns whether that was all.
    ///
    /// # Errors
    /// If the socket fails; this closes the link.
    pub fn flush(&mut self) -> Result<bool, Error> {
        let Stage::Up(up) = &mut self.stage else { return Ok(true) };
        let flushed = pump::send(&mut up.stream, &mut up.engine);
        if flushed.is_err() {
            self.shut();
        }
        flushed
    }

    /// Reads what the server sent of its own accord, without waiting for it.
    ///
    /// # Errors
    /// If the server ended the session; this closes the link.
    pub fn poke(&mut self) -> Result<(), Error> {
        let Stage::Up(up) = &mut self.stage else { return Ok(()) };
        let poked = pump::poke(&mut up.stream, &mut up.engine);
        if poked.is_err() {
            self.shut();
        }
        poked
    }

    /// The engine of the session or, while connecting, of the attempt under way.
    pub fn engine(&self) -> Option<&Engine> {
        match &self.stage {
            Stage::Up(up) => Some(&up.engine),
            Stage::Dialing(dial) => dial.engine(),
            Stage::Closed => None,
        }
    }

    /// The engine, mutably, once the session is set up.
    pub fn engine_mut(&mut self) -> Option<&mut Engine> {
        match &mut self.stage {
            Stage::Up(up) => Some(&mut up.engine),
            _ => None,
        }
    }

    /// The socket's descriptor, or -1. It changes while several addresses are tried.
    pub fn fd(&self) -> RawFd {
        match &self.stage {
            Stage::Dialing(dial) => dial.fd(),
            Stage::Up(up) => up.stream.as_raw_fd(),
            Stage::Closed => -1,
        }
    }

    /// Shuts the socket down, so that whoever waits for [`Link::fd`] wakes up and finds out.
    pub fn interrupt(&self) {
        wait::wake(self.fd());
    }

    /// Whether a host name is being looked up; [`Link::fd`] is not a socket then.
    pub fn is_looking_up(&self) -> bool {
        matches!(&self.stage, Stage::Dialing(dial) if dial.is_looking_up())
    }

    /// When [`Link::advance`] will give up the attempt under way.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Dialing(dial) => dial.deadline(),
            _ => None,
        }
    }

    /// A token that cancels the running operation over a connection of its own.
    pub fn cancel_token(&self) -> Option<CancelToken> {
        let Stage::Up(up) = &self.stage else { return None };
        let key = up.engine.cancel_key()?;
        let secure =
            up.stream.encrypted().map(|method| (method, Arc::clone(&self.config), up.host));
        Some(CancelToken::new(up.address.clone(), key.request_message(), secure))
    }

    /// The host of the connection, or the host tried last, like libpq's `PQhost`: the given name or
    /// socket directory, or else the address.
    pub fn host(&self) -> Option<String> {
        let address = match &self.stage {
            Stage::Up(up) => Some(&up.address),
            Stage::Dialing(dial) => dial.address(),
            Stage::Closed => None,
        };
        if let Some(Address::Unix { path }) = address {
            let directory = path.rsplit_once('/').map_or(path.as_str(), |(directory, _)| directory);
            return Some(directory.to_owned());
        }
        self.config.name_or_address(self.host).map(str::to_owned)
    }

    /// The address of the connection, like libpq's `PQhostaddr`; `None` for a Unix socket.
    pub fn hostaddr(&self) -> Option<String> {
        match &self.up()?.address {
            Address::Tcp { address, .. } => Some(address.ip().to_string()),
            Address::Unix { .. } => None,
        }
    }

    /// The port of the connection, or the port tried last; for a Unix socket, the number in its
    /// name.
    pub fn port(&self) -> Option<u16> {
        Some(self.config.hosts().get(self.host)?.port)
    }

    /// How long to sleep before waiting for more of the answer. `None` unless the answer is long
    /// and comes steadily.
    pub fn read_delay(&mut self) -> Option<Duration> {
        let up = self.up()?;
        let phase = up.engine.phase();
        if !matches!(phase, Phase::CopyOut | Phase::QueryRows | Phase::ExecuteRows) {
            return None;
        }
        let received = up.stream.received();
        self.coalescer.delay(Instant::now(), received)
    }

    /// The configuration that the link was dialed with.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// Says goodbye if that is possible without waiting, and closes. Closing twice is allowed.
    pub fn close(&mut self) {
        if let Stage::Up(up) = &mut self.stage {
            let idle = up.engine.is_idle();
            up.engine.terminate();
            let said = up.stream.say_goodbye(up.engine.out());
            // An idle server reads that and leaves. A busy one may be computing, or sending data
            // that nobody reads: the shutdown of the socket tells it.
            if !(idle && said) {
                up.stream.shutdown();
            }
        }
        self.shut();
        self.drop_failed_socket();
    }

    /// Keeps the socket of a conversation that fails open until [`Link::close`], for an event loop:
    /// it has to forget a descriptor before that is closed. If a forked child has the socket as
    /// well, some loops would otherwise report it for ever.
    pub fn keep_failed_socket(&mut self) {
        self.failed_socket = FailedSocket::Keep(None);
    }

    fn drop_failed_socket(&mut self) {
        if let FailedSocket::Keep(socket) = &mut self.failed_socket {
            *socket = None;
        }
    }

    /// Closes the socket, and keeps the messages that came before.
    fn shut(&mut self) {
        self.last_messages = self.take_async_messages();
        let stage = std::mem::replace(&mut self.stage, Stage::Closed);
        if let (FailedSocket::Keep(socket), Stage::Up(up)) = (&mut self.failed_socket, stage) {
            *socket = Some(up.stream);
        }
    }

    /// Takes the notices and notifications that have come, even after the link was closed.
    pub fn take_async_messages(&mut self) -> AsyncMessages {
        let mut messages = std::mem::take(&mut self.last_messages);
        if let Some(engine) = self.engine_mut() {
            messages.notices.extend(engine.take_notices());
            messages.notifications.extend(engine.take_notifications());
        }
        messages
    }

    /// Says goodbye and shuts the socket down, so that whoever waits for [`Link::fd`] wakes up. The
    /// descriptor stays open until then: another file could get its number.
    pub fn hang_up(&mut self) {
        if let Stage::Up(up) = &mut self.stage {
            up.engine.terminate();
            up.stream.say_goodbye(up.engine.out());
        }
        self.interrupt();
    }

    /// Only closes the descriptor: the conversation belongs to another process.
    pub fn abandon(&mut self) {
        // Closing a socket that another process shares sends nothing.
        self.stage = Stage::Closed;
        self.drop_failed_socket();
    }

    /// The properties of the TLS session, if there is one.
    pub fn tls(&self) -> Option<TlsInfo> {
        self.up()?.stream.tls().map(TlsSession::info)
    }

    fn up(&self) -> Option<&Connected> {
        match &self.stage {
            Stage::Up(up) => Some(up),
            _ => None,
        }
    }
}
