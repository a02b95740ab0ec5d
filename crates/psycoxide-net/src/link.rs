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
use crate::socket::address::Address;
use crate::socket::splice_pipe::SplicePipe;
use crate::tls::{TlsInfo, TlsSession};
use crate::wait;

/// A connection to a server.
#[derive(Debug)]
pub struct Link {
    config: Arc<Config>,
    stage: Stage,
    /// The host in the configuration's list that is, or was last, tried.
    host: usize,
    /// How the answer comes that is being read.
    coalescer: ReadCoalescer,
    /// What the server had said when the link was closed, for the driver to take.
    last_messages: AsyncMessages,
}

/// What the server says besides its answers: a shutdown announced in a warning, say.
#[derive(Debug, Default)]
pub struct AsyncMessages {
    /// The notices, in their order.
    pub notices: Vec<Report>,
    /// The notifications, in theirs.
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
        })
    }

    /// Hands over a request; [`Link::advance`] sends it.
    ///
    /// # Errors
    /// [`Error::Protocol`] if an operation is under way, or the link is closed; if the conversation
    /// has failed meanwhile, the link is closed then.
    pub fn start(&mut self, request: Request) -> Result<(), Error> {
        // One answer's pace says nothing of the next one's.
        self.coalescer = ReadCoalescer::default();
        let Some(engine) = self.engine_mut() else { return Err(Error::lost()) };
        let started = engine.submit(request);
        if started.is_err() && engine.error().is_some() {
            self.shut();
        }
        started.map_err(Error::from)
    }

    /// Goes on as far as that is possible without waiting.
    ///
    /// # Errors
    /// Any; the link is closed then.
    pub fn advance(&mut self) -> Result<Progress, Error> {
        let advanced = match &mut self.stage {
            Stage::Up(up) => {
                let pumped = pump::pump(&mut up.stream, &mut up.engine);
                // What came with the answer would not make the socket readable again. Should it be
                // bad, that is for the next operation to find out.
                if matches!(pumped, Ok(Progress::Event(Event::Done(_)))) && up.stream.is_holding() {
                    let _ = pump::poke(&mut up.stream, &mut up.engine);
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

    /// The same before the session stands.
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

    /// Looks names up as far as that is possible without waiting, and begins to connect to the first
    /// host that has an address. That goes on with [`Link::advance`].
    ///
    /// # Errors
    /// [`Error::Connect`] if there is none, or none can even be tried; the link is closed then.
    pub fn look_up(&mut self) -> Result<(), Error> {
        let Stage::Dialing(dial) = &mut self.stage else { return Ok(()) };
        let looked_up = dial.look_up();
        self.host = dial.host_index();
        if looked_up.is_err() {
            self.shut();
        }
        looked_up
    }

    /// How the connection is.
    pub fn status(&self) -> ConnStatus {
        match &self.stage {
            Stage::Up(_) => ConnStatus::Ok,
            Stage::Dialing(dial) => dial.status(),
            Stage::Closed => ConnStatus::Bad,
        }
    }

    /// Gives what [`Event::Ask`] asked for; [`Link::advance`] goes on with it.
    ///
    /// # Errors
    /// If that was not asked for.
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

    /// What the server said about where to get a bearer token, if it was asked.
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

    /// Gives the `length` bytes that a pipe holds as the next data of the COPY FROM under way:
    /// [`Link::advance`] sends them. `false` if that cannot be, since the stream is encrypted, say.
    pub fn splice_copy_data(&mut self, pipe: &Arc<SplicePipe>, length: u32) -> bool {
        let Stage::Up(up) = &mut self.stage else { return false };
        let (Some(header), Ok(length)) = (up.engine.copy_header(length), usize::try_from(length))
        else {
            return false;
        };
        up.stream.splice(&header, pipe, length)
    }

    /// Sends what the socket takes of what is to be sent; whether that was all.
    ///
    /// # Errors
    /// If the socket fails; the link is closed then.
    pub fn flush(&mut self) -> Result<bool, Error> {
        let Stage::Up(up) = &mut self.stage else { return Ok(true) };
        let flushed = pump::send(&mut up.stream, &mut up.engine);
        if flushed.is_err() {
            self.shut();
        }
        flushed
    }

    /// Reads what the server sent of its own accord, without waiting.
    ///
    /// # Errors
    /// If the server ended the session; the link is closed then.
    pub fn poke(&mut self) -> Result<(), Error> {
        let Stage::Up(up) = &mut self.stage else { return Ok(()) };
        let poked = pump::poke(&mut up.stream, &mut up.engine);
        if poked.is_err() {
            self.shut();
        }
        poked
    }

    /// The engine, once there is a connection; that of the attempt under way before.
    pub fn engine(&self) -> Option<&Engine> {
        match &self.stage {
            Stage::Up(up) => Some(&up.engine),
            Stage::Dialing(dial) => dial.engine(),
            Stage::Closed => None,
        }
    }

    /// The engine, to be worked on, once the session is set up.
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

    /// Ends the traffic, so that whoever waits for [`Link::fd`] wakes up and finds out.
    pub fn interrupt(&self) {
        wait::wake(self.fd());
    }

    /// Whether the name of a host is being looked up: what [`Link::fd`] gives is no socket then.
    pub fn is_looking_up(&self) -> bool {
        matches!(&self.stage, Stage::Dialing(dial) if dial.is_looking_up())
    }

    /// When the attempt under way has to be given up: [`Link::advance`] does that.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Dialing(dial) => dial.deadline(),
            _ => None,
        }
    }

    /// What it takes to cancel an operation from elsewhere.
    pub fn cancel_token(&self) -> Option<CancelToken> {
        let Stage::Up(up) = &self.stage else { return None };
        let key = up.engine.cancel_key()?;
        let secure =
            up.stream.encrypted().map(|method| (method, Arc::clone(&self.config), up.host));
        Some(CancelToken::new(up.address.clone(), key.request_message(), secure))
    }

    /// The host that is connected to, or was tried last, as libpq's `PQhost` has it: the name or
    /// socket directory that was given, else the address.
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

    /// The address that is connected to, as libpq's `PQhostaddr` has it; none for a Unix socket.
    pub fn hostaddr(&self) -> Option<String> {
        match &self.up()?.address {
            Address::Tcp { address, .. } => Some(address.ip().to_string()),
            Address::Unix { .. } => None,
        }
    }

    /// The port that is connected to, or was tried last; for a socket the number in its name.
    pub fn port(&self) -> Option<u16> {
        Some(self.config.hosts().get(self.host)?.port)
    }

    /// How long to let the answer gather before more of it is waited for: not at all, unless it is a
    /// long one that comes steadily.
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
            // An idle server reads that and leaves. Any other may be at work, or about to send what
            // nobody takes: the end of the traffic tells it.
            if !(idle && said) {
                up.stream.shutdown();
            }
        }
        self.shut();
    }

    /// Closes the socket. What the server said before stays.
    fn shut(&mut self) {
        self.last_messages = self.take_async_messages();
        self.stage = Stage::Closed;
    }

    /// The notices and notifications that have come, also when the link is closed.
    pub fn take_async_messages(&mut self) -> AsyncMessages {
        let mut messages = std::mem::take(&mut self.last_messages);
        if let Some(engine) = self.engine_mut() {
            messages.notices.extend(engine.take_notices());
            messages.notifications.extend(engine.take_notifications());
        }
        messages
    }

    /// Says goodbye and ends the traffic, so that whoever waits for [`Link::fd`] wakes up. The
    /// descriptor stays open until they have: another file could get its number.
    pub fn hang_up(&mut self) {
        if let Stage::Up(up) = &mut self.stage {
            up.engine.terminate();
            up.stream.say_goodbye(up.engine.out());
        }
        self.interrupt();
    }

    /// Closes the descriptor and nothing else: the conversation is another process's.
    pub fn abandon(&mut self) {
        // Closing a socket that another process shares sends nothing.
        self.stage = Stage::Closed;
    }

    /// What is known of TLS, if it is in use.
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
