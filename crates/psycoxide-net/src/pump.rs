//! Moves bytes between a socket and an engine, without ever waiting.

use std::io;

use psycoxide_proto::{Engine, Error as ProtoError, Event, Interest, Phase};

use crate::error::Error;
use crate::socket::Stream;
use crate::tls::TlsSession;

/// The most reads of one call, so that its caller can look around: at 256 kB each, a few megabytes,
/// which take about a millisecond.
const MAX_READS: usize = 16;

/// The most reads for the last words of a server that takes no more from us. They lie in the
/// socket's buffer, which is smaller than this; only a hostile peer goes on for ever.
const MAX_LAST_READS: usize = 256;

/// The result of a step.
#[derive(Debug)]
pub enum Progress {
    /// The operation has ended, or waits for the caller.
    Event(Event),
    /// The socket has to be ready for this first.
    Wait(Interest),
    /// There is more to do; this step has done its share.
    Yield,
}

/// Sends what the engine wants sent, and feeds it what the socket has, until an event comes out.
///
/// A request whose answer is short costs one `send`, a wait by the caller, and one `recv`.
///
/// # Errors
/// If the socket or the conversation fails, after all events before that were taken.
pub(crate) fn pump(stream: &mut Stream, engine: &mut Engine) -> Result<Progress, Error> {
    // After a read that emptied the socket, the events that it brought come one by one, and then
    // there is only a wait. But while data are sent, the server may report an error at any time.
    let drained = stream.drained && !matches!(engine.phase(), Phase::CopyIn | Phase::CopyBoth);
    for _ in 0..MAX_READS {
        // A slice at a time, so that the caller can look at the clock and at signals.
        if engine.work() {
            return Ok(Progress::Yield);
        }
        let sent = flush(stream, engine)?;
        if let Some(event) = engine.poll_event() {
            return Ok(Progress::Event(event));
        }
        fail(stream, engine)?;
        let interest = engine.interest();
        // Right after a request there is no answer yet: a read would only find that out. But while
        // COPY data are sent, the server may report an error at any time.
        let too_early = sent
            && engine.out().is_empty()
            && engine.phase() != Phase::CopyIn
            && !stream.is_holding();
        let interest = interest | stream.interest();
        if !interest.contains(Interest::READ) || too_early || drained {
            stream.drained = false;
            return Ok(Progress::Wait(interest));
        }
        let filled = fill(stream, engine)?;
        stream.drained = filled == Filled::Some && !stream.is_holding();
        if engine.work() {
            return Ok(Progress::Yield);
        }
        if let Some(event) = engine.poll_event() {
            return Ok(Progress::Event(event));
        }
        stream.drained = false;
        fail(stream, engine)?;
        if engine.offers_rows() || engine.is_flooded() {
            return Ok(Progress::Yield);
        }
        // The engine's reply goes out before anything is waited for.
        let answers = filled != Filled::Nothing && !engine.out().is_empty();
        if filled != Filled::Full && !answers && !stream.is_holding() {
            return Ok(Progress::Wait(engine.interest() | stream.interest()));
        }
    }
    Ok(Progress::Yield)
}

/// Sends as much as the socket takes. Returns whether that was all.
///
/// # Errors
/// If the socket fails.
pub(crate) fn send(stream: &mut Stream, engine: &mut Engine) -> Result<bool, Error> {
    flush(stream, engine)?;
    fail(stream, engine)?;
    Ok(engine.out().is_empty() && !stream.interest().contains(Interest::WRITE))
}

/// Reads what the server sent of its own accord.
///
/// # Errors
/// If the server ended the session.
pub(crate) fn poke(stream: &mut Stream, engine: &mut Engine) -> Result<(), Error> {
    stream.drained = false;
    for _ in 0..MAX_READS {
        let filled = fill(stream, engine)?;
        fail(stream, engine)?;
        if filled != Filled::Full {
            break;
        }
    }
    Ok(())
}

/// The engine's failure, if it has failed. If the server is gone without a word, TLS knows how it
/// went.
#[inline]
fn fail(stream: &Stream, engine: &Engine) -> Result<(), Error> {
    match engine.error() {
        None => Ok(()),
        Some(error) => Err(failure(stream, error)),
    }
}

#[cold]
fn failure(stream: &Stream, error: &ProtoError) -> Error {
    match (error, stream.tls().and_then(TlsSession::end)) {
        (ProtoError::Terminated(None), Some(end)) => Error::Tls(end),
        (error, _) => Error::Protocol(error.clone()),
    }
}

/// Sends as much as the socket takes. Returns whether it took anything.
fn flush(stream: &mut Stream, engine: &mut Engine) -> Result<bool, Error> {
    let mut sent = false;
    loop {
        let step = match stream.send_lent() {
            Ok(false) if engine.out().is_empty() => break,
            Ok(false) => stream.send(engine.out()),
            Ok(true) => Ok(0),
            Err(error) => Err(error),
        };
        match step {
            Ok(count) => {
                engine.sent(count);
                sent = true;
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => break,
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {
                    // What the server said before it went is worth more than the fact that it went.
                    last_words(stream, engine);
                    break;
                }
                _ => return Err(Error::of_stream(error, Error::Send)),
            },
        }
    }
    Ok(sent)
}

/// The result of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filled {
    /// The socket has nothing.
    Nothing,
    /// The read filled part of the room: the socket has no more.
    Some,
    /// The read filled the room: there may be more.
    Full,
    /// The peer sends no more.
    End,
}

fn fill(stream: &mut Stream, engine: &mut Engine) -> Result<Filled, Error> {
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
                _ => return Err(Error::of_stream(error, Error::Receive)),
            },
        }
    }
}

/// Reads what a peer that takes no more has said last, if anything.
fn last_words(stream: &mut Stream, engine: &mut Engine) {
    for _ in 0..MAX_LAST_READS {
        match fill(stream, engine) {
            Ok(Filled::Some | Filled::Full) => {}
            Ok(Filled::End) => return,
            _ => break,
        }
    }
    engine.receive_eof();
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use psycoxide_proto::{Request, Startup};
    use socket2::Socket;

    use super::*;

    const WELCOME: &[u8] = b"R\0\0\0\x08\0\0\0\0S\0\0\0\x12DateStyle\0ISO\0Z\0\0\0\x05I";
    const ANSWER: &[u8] = b"C\0\0\0\x08SET\0Z\0\0\0\x05I";
    const FAREWELL: &[u8] = b"E\0\0\0\x1dSFATAL\0VFATAL\0C57P01\0M.\0\0";

    /// An idle engine, its socket, and the server's end.
    fn session() -> (Engine, Stream, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let mut engine = Engine::new(Startup::new(b"me", "nonce".to_owned()));
        engine.sent(engine.out().len());
        engine.receive(WELCOME);
        assert!(matches!(engine.poll_event(), Some(Event::Done(_))));
        (engine, Stream::from(Socket::from(ours)), theirs)
    }

    #[test]
    fn a_request_is_sent_before_an_answer_is_looked_for() {
        let (mut engine, mut stream, mut server) = session();
        engine.submit(Request::query(b"set x".to_vec())).unwrap();
        // An answer that is there already shows whether it was read.
        server.write_all(ANSWER).unwrap();
        let Progress::Wait(interest) = pump(&mut stream, &mut engine).unwrap() else {
            panic!("the first step read");
        };
        assert_eq!(interest, Interest::READ);
        let mut request = [0; 11];
        server.read_exact(&mut request).unwrap();
        assert_eq!(&request, b"Q\0\0\0\x0aset x\0");
        let Progress::Event(Event::Done(outcome)) = pump(&mut stream, &mut engine).unwrap() else {
            panic!("the second step did not read it all");
        };
        assert_eq!(outcome.result.unwrap().tag[..], *b"SET");
    }

    #[test]
    fn the_answers_of_one_read_come_without_another() {
        let (mut engine, mut stream, mut server) = session();
        for _ in 0..3 {
            engine.submit(Request::query(b"set x".to_vec()).pipelined()).unwrap();
        }
        let done = |progress| matches!(progress, Ok(Progress::Event(Event::Done(_))));
        assert!(matches!(pump(&mut stream, &mut engine), Ok(Progress::Wait(_))));
        server.write_all(&ANSWER.repeat(2)).unwrap();
        assert!(done(pump(&mut stream, &mut engine)));
        // An answer that is there already shows whether it was read.
        server.write_all(ANSWER).unwrap();
        assert!(done(pump(&mut stream, &mut engine)));
        let Progress::Wait(interest) = pump(&mut stream, &mut engine).unwrap() else {
            panic!("the socket was empty, but was read");
        };
        assert_eq!(interest, Interest::READ);
        assert!(done(pump(&mut stream, &mut engine)));
        assert!(engine.is_idle());
    }

    #[test]
    fn the_servers_last_words_are_read_when_it_takes_no_more() {
        let (mut engine, mut stream, mut server) = session();
        server.write_all(FAREWELL).unwrap();
        drop(server);
        engine.submit(Request::query(b"set x".to_vec())).unwrap();
        let report = loop {
            match pump(&mut stream, &mut engine) {
                Ok(Progress::Event(Event::Done(outcome))) => break outcome.error,
                Ok(Progress::Wait(_) | Progress::Yield) => {}
                Err(Error::Protocol(ProtoError::Terminated(report))) => break report,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(report.unwrap().field(b'C'), Some(&b"57P01"[..]));
    }

    #[test]
    fn a_poke_finds_the_end_and_its_reason() {
        let (mut engine, mut stream, mut server) = session();
        poke(&mut stream, &mut engine).unwrap();
        server.write_all(FAREWELL).unwrap();
        drop(server);
        let error = loop {
            if let Err(error) = poke(&mut stream, &mut engine) {
                break error;
            }
        };
        let Error::Protocol(ProtoError::Terminated(Some(report))) = error else {
            panic!("{error:?}");
        };
        assert_eq!(report.field(b'C'), Some(&b"57P01"[..]));
    }

    #[test]
    fn a_failed_engine_reads_no_more() {
        let (mut engine, mut stream, mut server) = session();
        server.write_all(b"\xff\0\0\0\x04").unwrap();
        let violation = |error| matches!(error, Error::Protocol(ProtoError::Violation(_)));
        assert!(violation(poke(&mut stream, &mut engine).unwrap_err()));
        assert!(violation(poke(&mut stream, &mut engine).unwrap_err()));
        assert!(violation(pump(&mut stream, &mut engine).unwrap_err()));
    }
}
