//! Bytes between a socket and an engine, without ever waiting.

use std::io;

use psycoxide_proto::{Engine, Event, Interest, Phase};

use crate::error::Error;
use crate::socket::Stream;

/// So many reads one call does before it lets its caller look around.
const MAX_READS: usize = 64;

/// What a call came to.
#[derive(Debug)]
pub enum Pumped {
    /// The engine has something to tell.
    Event(Event),
    /// The socket has to be ready for this first.
    Wait(Interest),
    /// There is more to read; this call has done its share.
    Yield,
}

/// Sends what the engine wants sent, and feeds it what the socket has, until an event comes out.
///
/// # Errors
/// If the socket or the conversation fails, once all events before that are taken.
pub fn pump(stream: &Stream, engine: &mut Engine) -> Result<Pumped, Error> {
    if let Some(event) = engine.poll_event() {
        return Ok(Pumped::Event(event));
    }
    let mut sent = false;
    for _ in 0..MAX_READS {
        while engine.work() {}
        let flushed = flush(stream, engine)?;
        sent |= flushed == Flushed::Sent;
        if let Some(event) = engine.poll_event() {
            return Ok(Pumped::Event(event));
        }
        fail(engine)?;
        let interest = engine.interest();
        // Right after a request there is no answer yet: a read would only find that out.
        let too_early = sent && engine.out().is_empty() && engine.phase() != Phase::CopyIn;
        if !interest.contains(Interest::READ) || too_early {
            return Ok(Pumped::Wait(interest));
        }
        match fill(stream, engine)? {
            Filled::Nothing => return Ok(Pumped::Wait(engine.interest())),
            Filled::Some | Filled::End => {}
        }
        sent = false;
        if let Some(event) = engine.poll_event() {
            return Ok(Pumped::Event(event));
        }
        fail(engine)?;
    }
    Ok(Pumped::Yield)
}

/// Sends what the socket takes; whether that was all.
///
/// # Errors
/// If the socket fails.
pub fn send(stream: &Stream, engine: &mut Engine) -> Result<bool, Error> {
    flush(stream, engine)?;
    fail(engine)?;
    Ok(engine.out().is_empty())
}

/// Reads what the server sent of its own accord.
///
/// # Errors
/// If the server ended the session.
pub fn poke(stream: &Stream, engine: &mut Engine) -> Result<(), Error> {
    for _ in 0..MAX_READS {
        if fill(stream, engine)? == Filled::Nothing {
            break;
        }
        fail(engine)?;
    }
    fail(engine)
}

/// The engine's failure, if it has failed.
fn fail(engine: &Engine) -> Result<(), Error> {
    match engine.error() {
        Some(error) => Err(Error::Protocol(error.clone())),
        None => Ok(()),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Flushed {
    Nothing,
    Sent,
}

fn flush(stream: &Stream, engine: &mut Engine) -> Result<Flushed, Error> {
    let mut flushed = Flushed::Nothing;
    while !engine.out().is_empty() {
        match stream.send(engine.out()) {
            Ok(count) => {
                engine.sent(count);
                flushed = Flushed::Sent;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => {
                // What the server said before it went is worth more than that it went.
                last_words(stream, engine);
                break;
            }
        }
    }
    Ok(flushed)
}

#[derive(Debug, PartialEq, Eq)]
enum Filled {
    Nothing,
    Some,
    End,
}

fn fill(stream: &Stream, engine: &mut Engine) -> Result<Filled, Error> {
    loop {
        match stream.receive(engine.space()) {
            Ok(0) => {
                engine.receive_eof();
                return Ok(Filled::End);
            }
            Ok(count) => {
                engine.filled(count);
                return Ok(Filled::Some);
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => return Ok(Filled::Nothing),
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                    engine.receive_eof();
                    return Ok(Filled::End);
                }
                _ => return Err(Error::Receive(error)),
            },
        }
    }
}

/// The peer takes no more: reads why, if it said so.
fn last_words(stream: &Stream, engine: &mut Engine) {
    for _ in 0..MAX_READS {
        match fill(stream, engine) {
            Ok(Filled::Some) => {}
            Ok(Filled::End) => return,
            _ => break,
        }
    }
    engine.receive_eof();
}
