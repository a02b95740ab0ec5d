//! Bytes between a socket and an engine, without ever waiting.

use std::io;

use psycoxide_proto::{Engine, Event, Interest, Phase};

use crate::error::Error;
use crate::socket::Stream;

/// So many reads one call does before it lets its caller look around: at 256 kB each, a few
/// megabytes, which take a millisecond or so.
const MAX_READS: usize = 16;

/// So many reads are spent on the last words of a server that takes no more from us. What it sent
/// before lies in the socket's buffer, which is smaller than this; a peer that goes on for ever is
/// none.
const MAX_LAST_READS: usize = 256;

/// What a call came to.
#[derive(Debug)]
pub(crate) enum Pumped {
    /// The engine has something to tell.
    Event(Event),
    /// The socket has to be ready for this first.
    Wait(Interest),
    /// There is more to do; this call has done its share.
    Yield,
}

/// Sends what the engine wants sent, and feeds it what the socket has, until an event comes out.
///
/// A request whose answer is short costs one `send`, a wait by the caller, and one `recv`.
///
/// # Errors
/// If the socket or the conversation fails, once all events before that are taken.
pub(crate) fn pump(stream: &Stream, engine: &mut Engine) -> Result<Pumped, Error> {
    for _ in 0..MAX_READS {
        // A slice at a time, so that the caller can look at the clock and at signals.
        if engine.work() {
            return Ok(Pumped::Yield);
        }
        let sent = flush(stream, engine)?;
        if let Some(event) = engine.poll_event() {
            return Ok(Pumped::Event(event));
        }
        fail(engine)?;
        let interest = engine.interest();
        // Right after a request there is no answer yet: a read would only find that out. While data
        // are being sent the server may have something to say at any time.
        let too_early = sent && engine.out().is_empty() && engine.phase() != Phase::CopyIn;
        if !interest.contains(Interest::READ) || too_early {
            return Ok(Pumped::Wait(interest));
        }
        let filled = fill(stream, engine)?;
        if engine.work() {
            return Ok(Pumped::Yield);
        }
        if let Some(event) = engine.poll_event() {
            return Ok(Pumped::Event(event));
        }
        fail(engine)?;
        // What the engine has to say next goes out before anything is waited for.
        let answers = filled != Filled::Nothing && !engine.out().is_empty();
        if filled != Filled::Full && !answers {
            return Ok(Pumped::Wait(engine.interest()));
        }
    }
    Ok(Pumped::Yield)
}

/// Sends what the socket takes; whether that was all.
///
/// # Errors
/// If the socket fails.
pub(crate) fn send(stream: &Stream, engine: &mut Engine) -> Result<bool, Error> {
    flush(stream, engine)?;
    fail(engine)?;
    Ok(engine.out().is_empty())
}

/// Reads what the server sent of its own accord.
///
/// # Errors
/// If the server ended the session.
pub(crate) fn poke(stream: &Stream, engine: &mut Engine) -> Result<(), Error> {
    for _ in 0..MAX_READS {
        let filled = fill(stream, engine)?;
        fail(engine)?;
        if filled != Filled::Full {
            break;
        }
    }
    Ok(())
}

/// The engine's failure, if it has failed.
fn fail(engine: &Engine) -> Result<(), Error> {
    match engine.error() {
        Some(error) => Err(Error::Protocol(error.clone())),
        None => Ok(()),
    }
}

/// Sends what the socket takes; whether it took anything.
fn flush(stream: &Stream, engine: &mut Engine) -> Result<bool, Error> {
    let mut sent = false;
    while !engine.out().is_empty() {
        match stream.send(engine.out()) {
            Ok(count) => {
                engine.sent(count);
                sent = true;
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => break,
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {
                    // What the server said before it went is worth more than that it went.
                    last_words(stream, engine);
                    break;
                }
                _ => return Err(Error::Send(error)),
            },
        }
    }
    Ok(sent)
}

/// What a read came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filled {
    /// The socket has nothing.
    Nothing,
    /// Less than there was room for: the socket has no more.
    Some,
    /// All of the room: there may be more.
    Full,
    /// The end.
    End,
}

fn fill(stream: &Stream, engine: &mut Engine) -> Result<Filled, Error> {
    loop {
        let space = engine.space();
        let room = space.len();
        if room == 0 {
            return Ok(Filled::End);
        }
        match stream.receive(space) {
            Ok(0) => {
                engine.receive_eof();
                return Ok(Filled::End);
            }
            Ok(count) => {
                engine.filled(count);
                return Ok(if count < room { Filled::Some } else { Filled::Full });
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
    for _ in 0..MAX_LAST_READS {
        match fill(stream, engine) {
            Ok(Filled::Some | Filled::Full) => {}
            Ok(Filled::End) => return,
            _ => break,
        }
    }
    engine.receive_eof();
}
