//! Connecting: one host after the other, and every address of each, until a server lets us in.
//!
//! <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-MULTIPLE-HOSTS>

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::Instant;

use psycoxide_proto::{Engine, Error as ProtoError, Event, Interest, Outcome};

use crate::config::Config;
use crate::config::hosts::Host;
use crate::error::{Attempt, Error, Reason};
use crate::pump::{self, Pumped};
use crate::resolve::resolve;
use crate::socket::Stream;
use crate::socket::place::Place;
use crate::startup;
use crate::wait::{Readiness, wait};

/// `cannot_connect_now`: the server is starting up or shutting down; another may be up.
const CANNOT_CONNECT_NOW: &[u8] = b"57P03";

/// A connection in the making.
#[derive(Debug)]
pub struct Dial {
    config: Arc<Config>,
    hosts: VecDeque<Host>,
    host: Option<Host>,
    places: VecDeque<Place>,
    failures: Vec<Attempt>,
    attempt: Option<Trying>,
    /// When the current host is given up (`connect_timeout` counts for each).
    deadline: Option<Instant>,
}

#[derive(Debug)]
struct Trying {
    place: Place,
    stream: Stream,
    /// There once the socket is connected.
    engine: Option<Engine>,
}

/// How far connecting came.
#[derive(Debug)]
pub enum Dialing {
    /// The socket has to be ready for this first.
    Wait(Interest),
    /// A session is set up.
    Connected {
        /// The socket.
        stream: Stream,
        /// The engine, ready for requests.
        engine: Box<Engine>,
        /// Where the server is.
        place: Place,
        /// What came of setting the session up.
        outcome: Outcome,
    },
}

/// What one step of an attempt came to.
enum Step {
    Wait(Interest),
    Ready(Outcome),
}

impl Dial {
    /// Begins with the first host that has an address.
    ///
    /// # Errors
    /// [`Error::Connect`] if there is none, or none of them can even be tried.
    pub fn new(config: Arc<Config>) -> Result<Self, Error> {
        let hosts = config.hosts()?.into();
        let mut dial = Self {
            config,
            hosts,
            host: None,
            places: VecDeque::new(),
            failures: Vec::new(),
            attempt: None,
            deadline: None,
        };
        dial.next()?;
        Ok(dial)
    }

    /// The descriptor of the attempt under way, or -1.
    pub fn fd(&self) -> RawFd {
        self.attempt.as_ref().map_or(-1, |attempt| attempt.stream.as_raw_fd())
    }

    /// When the attempt under way is given up.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Closes the descriptor and nothing else.
    pub fn abandon(self) {
        if let Some(attempt) = self.attempt {
            attempt.stream.abandon();
        }
    }

    /// Goes on as far as that is possible without waiting; a failed attempt makes room for the
    /// next.
    ///
    /// # Errors
    /// [`Error::Connect`] with what every attempt came to, when all have failed.
    pub fn advance(&mut self) -> Result<Dialing, Error> {
        loop {
            let Some(mut attempt) = self.attempt.take() else {
                return Err(Error::Connect(std::mem::take(&mut self.failures)));
            };
            let stepped = self.step(&mut attempt);
            match (stepped, attempt.engine.take()) {
                (Ok(Step::Ready(outcome)), Some(engine)) => {
                    let Trying { stream, place, .. } = attempt;
                    let engine = Box::new(engine);
                    return Ok(Dialing::Connected { stream, engine, place, outcome });
                }
                (Ok(Step::Ready(_)), None) => self.failed(attempt.place, Reason::Timeout)?,
                (Ok(Step::Wait(interest)), engine) => {
                    if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                        self.places.clear();
                        self.failed(attempt.place, Reason::Timeout)?;
                    } else {
                        self.attempt = Some(Trying { engine, ..attempt });
                        return Ok(Dialing::Wait(interest));
                    }
                }
                (Err(reason), _) => self.failed(attempt.place, reason)?,
            }
        }
    }

    fn step(&self, attempt: &mut Trying) -> Result<Step, Reason> {
        let engine = match &mut attempt.engine {
            Some(engine) => engine,
            None => {
                let now = Some(Instant::now());
                let fd = attempt.stream.as_raw_fd();
                match wait(fd, Interest::WRITE, now) {
                    Ok(Readiness::Ready) => {}
                    Ok(Readiness::Expired) => return Ok(Step::Wait(Interest::WRITE)),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                        return Ok(Step::Wait(Interest::WRITE));
                    }
                    Err(error) => return Err(Reason::Socket(error)),
                }
                attempt.stream.connected().map_err(Reason::Socket)?;
                let startup =
                    startup::startup(&self.config, self.host.as_ref()).map_err(Reason::Socket)?;
                attempt.engine.insert(Engine::new(startup))
            }
        };
        match pump::pump(&attempt.stream, engine) {
            Ok(Pumped::Event(Event::Done(outcome))) => match outcome.error {
                Some(report) => Err(Reason::Protocol(ProtoError::Server(report))),
                None => Ok(Step::Ready(outcome)),
            },
            Ok(Pumped::Event(_)) => {
                Err(Reason::Protocol(ProtoError::Misuse("a COPY while connecting")))
            }
            Ok(Pumped::Wait(interest)) => Ok(Step::Wait(interest)),
            // What is left to read makes the socket ready at once.
            Ok(Pumped::Yield) => Ok(Step::Wait(Interest::READ)),
            Err(Error::Protocol(error)) => Err(Reason::Protocol(error)),
            Err(Error::Send(error) | Error::Receive(error) | Error::Io(error)) => {
                Err(Reason::Socket(error))
            }
            Err(_) => Err(Reason::Timeout),
        }
    }

    /// Notes a failure and goes on to the next address, unless the failure was a server's verdict.
    fn failed(&mut self, place: Place, reason: Reason) -> Result<(), Error> {
        let verdict = match &reason {
            Reason::Protocol(ProtoError::Server(report)) => {
                report.field(b'C') != Some(CANNOT_CONNECT_NOW)
            }
            Reason::Protocol(ProtoError::Auth(_)) => true,
            _ => false,
        };
        self.failures.push(Attempt::Place { place, reason });
        if verdict {
            return Err(Error::Connect(std::mem::take(&mut self.failures)));
        }
        self.next()
    }

    /// Begins the next attempt.
    fn next(&mut self) -> Result<(), Error> {
        loop {
            if let Some(place) = self.places.pop_front() {
                match Stream::connect(&place, &self.config.keepalive()) {
                    Ok(stream) => {
                        self.attempt = Some(Trying { place, stream, engine: None });
                        return Ok(());
                    }
                    Err(error) => {
                        let reason = Reason::Socket(error);
                        self.failures.push(Attempt::Place { place, reason });
                    }
                }
                continue;
            }
            let Some(host) = self.hosts.pop_front() else {
                return Err(Error::Connect(std::mem::take(&mut self.failures)));
            };
            self.deadline = self.config.connect_timeout().map(|timeout| Instant::now() + timeout);
            match resolve(&host) {
                Ok(places) => self.places = places.into(),
                Err(attempt) => self.failures.push(attempt),
            }
            self.host = Some(host);
        }
    }
}
