//! Requests that share one Sync.

mod common;

use common::*;
use psycoxide_proto::{
    Engine, Error, Event, Extended, Interest, Outcome, Phase, Request, TransactionStatus, Violation,
};

const BEGIN: &[u8] = b"BEGIN";

fn statement(closes: bool) -> Extended {
    Extended { sql: Some(b"SELECT".to_vec()), closes, ..Extended::default() }
}

fn unsynced() -> Request {
    Request::unsynced(statement(true))
}

fn query() -> Request {
    Request::query(b"SELECT".to_vec())
}

/// The replies to a statement with this many rows.
fn reply(rows: usize, closes: bool) -> Vec<u8> {
    [parsed(), bound(), table(rows), if closes { closed() } else { vec![] }].concat()
}

fn take(engine: &mut Engine) -> Outcome {
    match engine.poll_event() {
        Some(Event::Done(outcome)) => outcome,
        other => panic!("{other:?}, {engine:?}"),
    }
}

fn state(outcome: &Outcome) -> Option<&str> {
    outcome.error.as_ref()?.sqlstate()
}

fn skipped() -> Outcome {
    Outcome { skipped: true, ..Outcome::default() }
}

#[test]
fn a_group_has_one_sync_and_an_outcome_for_each_request() {
    let mut engine = idle_postgresql();
    engine.submit(unsynced().begin(BEGIN)).unwrap();
    engine.submit(Request::unsynced(statement(false))).unwrap();
    assert!(!engine.accepts_pipelined() && engine.requests_in_flight() == 2);
    engine.submit(Request::sync()).unwrap();
    assert!(engine.accepts_pipelined());
    engine.submit(query().pipelined()).unwrap();
    assert_eq!(kinds(&sent(&mut engine)), "PBEPBDECPBDESQ");
    assert_eq!((engine.interest(), engine.requests_in_flight()), (Interest::READ, 4));
    engine.receive(&begun());
    assert_eq!(engine.poll_event(), None);
    engine.receive(&[reply(2, true), reply(3, false), ready(b'T'), table(4), ready(b'T')].concat());
    let first = take(&mut engine);
    assert_eq!((rows(&first).len(), first.begun, engine.has_begun()), (2, true, true));
    let second = take(&mut engine);
    assert_eq!((rows(&second).len(), engine.has_begun()), (3, false));
    assert_eq!(engine.transaction_status(), TransactionStatus::InTransaction);
    assert_eq!(take(&mut engine), Outcome::default());
    assert_eq!(rows(&take(&mut engine)).len(), 4);
    assert!(engine.is_idle());
}

/// Each outcome comes as soon as the request's own replies are complete.
#[test]
fn a_request_of_a_group_ends_with_its_own_last_reply() {
    let empty = [parsed(), bound(), no_data(), message(b'I', b"")].concat();
    let command = [parsed(), bound(), no_data(), complete("SET")].concat();
    for (closes, reply) in [
        (false, reply(1, false)),
        (true, reply(1, true)),
        (false, command.clone()),
        (true, [command, closed()].concat()),
        (false, empty.clone()),
        (true, [empty, closed()].concat()),
    ] {
        let mut engine = idle();
        engine.submit(Request::unsynced(statement(closes))).unwrap();
        let (last, before) = reply.split_last().unwrap();
        engine.receive(before);
        assert_eq!((engine.poll_event(), engine.requests_in_flight()), (None, 1));
        engine.receive(&[*last]);
        assert_eq!(engine.requests_in_flight(), 1);
        assert!(take(&mut engine).result.is_some());
        // Nothing is awaited, but the group is open.
        assert_eq!((engine.phase(), engine.requests_in_flight()), (Phase::Group, 0));
        assert!(!engine.is_idle());
        sent(&mut engine);
        assert_eq!(engine.interest(), Interest::NONE);
        engine.submit(Request::sync()).unwrap();
        assert_eq!(kinds(&sent(&mut engine)), "S");
        engine.receive(&ready(b'I'));
        assert_eq!(take(&mut engine), Outcome::default());
        assert!(engine.is_idle());
    }
}

#[test]
fn only_its_own_requests_enter_an_open_group() {
    let refused = |engine: &mut Engine| {
        assert!(!engine.accepts_pipelined() && !engine.is_idle());
        let extended = || Request::extended(statement(true));
        for request in [
            query(),
            query().pipelined(),
            extended().pipelined(),
            extended(),
            unsynced().begin(BEGIN),
            Request::sync().begin(BEGIN),
        ] {
            let sent = engine.out().len();
            assert!(matches!(engine.submit(request), Err(Error::Misuse(_))));
            assert_eq!(engine.out().len(), sent);
        }
    };
    let mut engine = idle_postgresql();
    engine.submit(query().pipelined()).unwrap();
    engine.submit(unsynced()).unwrap();
    refused(&mut engine);
    engine.receive(&[table(1), ready(b'I')].concat());
    refused(&mut engine);
    take(&mut engine);
    refused(&mut engine);
    engine.receive(&reply(1, true));
    refused(&mut engine);
    take(&mut engine);
    refused(&mut engine);
    engine.submit(unsynced()).unwrap();
    engine.receive(&failure());
    refused(&mut engine);
    take(&mut engine);
    refused(&mut engine);
    engine.submit(unsynced()).unwrap();
    refused(&mut engine);
    assert_eq!(take(&mut engine), skipped());
    refused(&mut engine);
    engine.submit(Request::sync()).unwrap();
    engine.submit(query().pipelined()).unwrap();
    engine.receive(&[ready(b'I'), table(1), ready(b'I')].concat());
    assert_eq!(take(&mut engine), Outcome::default());
    assert_eq!(rows(&take(&mut engine)).len(), 1);
    // Another request in flight that may not be followed.
    engine.submit(query()).unwrap();
    assert!(matches!(engine.submit(unsynced()), Err(Error::Misuse(_))));
    assert!(matches!(engine.submit(Request::sync()), Err(Error::Misuse(_))));
}

/// A BEGIN in a group needs a peer that is known to understand that.
#[test]
fn a_group_does_not_wait_for_its_begin() {
    for mut engine in [idle(), idle_reporting(), idle_unproven()] {
        assert!(matches!(engine.submit(unsynced().begin(BEGIN)), Err(Error::Misuse(_))));
        assert!(engine.is_idle() && engine.out().is_empty());
    }
    // A group that succeeds shows that the peer knows the extended query protocol, a Sync does not.
    let mut engine = idle_unproven();
    for (request, reply, pipelines) in
        [(Request::sync(), ready(b'I'), false), (unsynced(), reply(1, true), true)]
    {
        engine.submit(request).unwrap();
        engine.receive(&reply);
        take(&mut engine);
        assert_eq!(engine.pipelines(), pipelines);
    }
}

#[test]
fn a_sync_alone_is_answered() {
    let mut engine = idle();
    engine.submit(Request::sync()).unwrap();
    engine.submit(Request::sync()).unwrap();
    assert_eq!(kinds(&sent(&mut engine)), "SS");
    engine.receive(&ready(b'I').repeat(2));
    assert_eq!((take(&mut engine), take(&mut engine)), Default::default());
    assert!(engine.is_idle());
}

/// The implicit COMMIT happens at Sync.
#[test]
fn an_error_at_the_sync_is_its_own() {
    let mut engine = idle();
    engine.submit(unsynced()).unwrap();
    engine.submit(Request::sync()).unwrap();
    let deferred = error("ERROR", "23503", "deferred");
    engine.receive(&[reply(1, true), deferred, ready(b'I')].concat());
    assert_eq!(rows(&take(&mut engine)).len(), 1);
    assert_eq!(state(&take(&mut engine)), Some("23503"));
    assert!(engine.is_idle());
    // While nothing of the group is in flight, an error can only be reported with the Sync.
    engine.submit(unsynced()).unwrap();
    engine.receive(&[reply(1, true), error("ERROR", "57014", "no")].concat());
    assert_eq!(rows(&take(&mut engine)).len(), 1);
    engine.submit(unsynced()).unwrap();
    assert_eq!(take(&mut engine), skipped());
    engine.submit(Request::sync()).unwrap();
    engine.receive(&ready(b'I'));
    assert_eq!(state(&take(&mut engine)), Some("57014"));
    assert!(engine.is_idle());
}

/// A request, the server's reply, and the outcome.
struct Part {
    request: Request,
    reply: Vec<u8>,
    outcome: Outcome,
}

/// The outcome of a request alone.
fn alone(request: Request, reply: &[u8]) -> Outcome {
    let mut engine = idle_postgresql();
    engine.submit(request).unwrap();
    engine.receive(&[reply, &ready(b'I')].concat());
    outcome(&mut engine)
}

/// A group of `length` statements and its Sync, of which the one at `fails_at` fails, after
/// `before` of its replies.
fn group(length: usize, begins: bool, fails_at: usize, before: usize, noise: &[u8]) -> Vec<Part> {
    let mut parts = Vec::new();
    for n in 0..length {
        let closes = n % 2 == 0;
        let begin = |request: Request| match begins && n == 0 {
            true => request.begin(BEGIN),
            false => request,
        };
        let opening = if begins && n == 0 { begun() } else { vec![] };
        let whole = [opening, reply(n, closes)].concat();
        let reply = if n == fails_at {
            let ends = boundaries(&whole);
            [&whole[..ends[before.min(ends.len() - 1)]], &failure()].concat()
        } else if n > fails_at {
            vec![]
        } else {
            whole
        };
        let outcome = match n > fails_at {
            true => skipped(),
            false => alone(begin(Request::extended(statement(closes))), &reply),
        };
        let request = begin(Request::unsynced(statement(closes)));
        parts.push(Part { request, reply: [noise, &reply].concat(), outcome });
    }
    let reply = [noise, &ready(b'T')].concat();
    parts.push(Part { request: Request::sync(), reply, outcome: Outcome::default() });
    parts
}

/// An error at each place of a group, and however the requests and the replies are cut.
#[test]
fn the_outcomes_do_not_depend_on_when_requests_and_replies_come() {
    let mut dice = Dice(11);
    for round in 0..4_000 {
        let mut parts = Vec::new();
        for _ in 0..1 + dice.roll(3) {
            let length = dice.roll(5);
            // Beyond the last statement: nothing fails.
            let fails_at = dice.roll(length + 2);
            let noise = [vec![], notice("n"), notification(1, "c", "")];
            let noise = &noise[dice.roll(9).min(2)];
            parts.extend(group(length, dice.roll(2) == 0, fails_at, dice.roll(9), noise));
            if dice.roll(2) == 0 {
                let reply = [noise, &table(1)[..], &ready(b'T')].concat();
                let outcome = alone(query(), &table(1));
                parts.push(Part { request: query().pipelined(), reply, outcome });
            }
        }
        let mut engine = idle_postgresql();
        let (mut unsent, mut unread, mut seen) = (parts.iter(), Vec::new(), 0);
        let power = 1 + dice.roll(9);
        while seen < parts.len() {
            assert_eq!(engine.error(), None, "round {round}");
            assert_eq!(engine.requests_in_flight(), parts.len() - unsent.len() - seen);
            match dice.roll(3) {
                0 => {
                    let Some(part) = unsent.next() else { continue };
                    engine.submit(part.request.clone()).unwrap();
                    unread.extend_from_slice(&part.reply);
                }
                1 => {
                    let count = unread.len().min(1 + dice.roll(1 << power));
                    engine.receive(&unread[..count]);
                    unread.drain(..count);
                }
                _ => match engine.poll_event() {
                    Some(Event::Done(outcome)) => {
                        assert_eq!(outcome, parts[seen].outcome, "round {round}, {seen}");
                        assert_eq!(engine.has_begun(), outcome.begun);
                        seen += 1;
                    }
                    Some(other) => panic!("{other:?}"),
                    None => {}
                },
            }
        }
        assert!(engine.is_idle() && unread.is_empty());
        engine.submit(query()).unwrap();
        engine.receive(&[table(1), ready(b'I')].concat());
        assert_eq!(rows(&outcome(&mut engine)).len(), 1);
    }
}

/// The connection ends at each byte of a group's replies, without a word or after a fatal error.
#[test]
fn the_end_of_the_connection_ends_a_group() {
    let fatal = error("FATAL", "57P01", "shutdown");
    for (begins, fails_at) in [(false, 9), (true, 9), (true, 0), (false, 1), (true, 2)] {
        let parts = group(3, begins, fails_at, 2, b"");
        let bytes: Vec<u8> = parts.iter().flat_map(|part| part.reply.clone()).collect();
        let ends = boundaries(&bytes);
        for (end, words) in
            (0..bytes.len()).map(|end| (end, false)).chain(ends.into_iter().map(|end| (end, true)))
        {
            let mut engine = idle_postgresql();
            for part in &parts {
                engine.submit(part.request.clone()).unwrap();
            }
            engine.receive(&bytes[..end]);
            if words {
                engine.receive(&fatal);
            }
            engine.receive_eof();
            let mut seen = Vec::new();
            while let Some(event) = engine.poll_event() {
                let Event::Done(outcome) = event else { panic!("{event:?}") };
                seen.push(outcome);
            }
            let expected = parts.iter().map(|part| &part.outcome);
            let good = seen.iter().zip(expected).take_while(|(seen, expected)| seen == expected);
            let good = good.count();
            // After what was answered, the fatal error, and what was skipped because of it.
            let mut rest = seen[good..].iter();
            if let Some(last) = rest.next() {
                assert!(words && state(last) == Some("57P01"), "{last:?}");
            }
            assert!(rest.all(|outcome| *outcome == skipped()));
            let Some(Error::Terminated(report)) = engine.error() else {
                panic!("{:?}", engine.error())
            };
            assert_eq!(report.is_some(), words);
            assert_eq!(engine.requests_in_flight(), 0);
            assert!(engine.submit(Request::sync()).is_err());
        }
    }
}

/// Nothing was asked that a ReadyForQuery could answer.
#[test]
fn a_ready_for_query_without_a_sync_fails_the_engine() {
    for before in [vec![], reply(1, true), failure()] {
        let mut engine = idle();
        engine.submit(unsynced()).unwrap();
        engine.receive(&before);
        while engine.poll_event().is_some() {}
        engine.receive(&ready(b'I'));
        assert!(matches!(
            engine.error(),
            Some(Error::Violation(Violation::Unexpected { message: b'Z', .. }))
        ));
        assert_eq!(engine.requests_in_flight(), 0);
    }
}

/// Odyssey answers the Parse of a text that it knows, though the server has skipped it.
#[test]
fn acknowledgements_of_what_is_skipped_are_ignored() {
    let mut engine = idle_postgresql();
    for request in [unsynced(), unsynced()] {
        engine.submit(request).unwrap();
    }
    let late = || [parsed(), bound(), closed()].concat();
    engine.receive(&[failure(), late()].concat());
    assert!(take(&mut engine).error.is_some());
    assert_eq!(take(&mut engine), skipped());
    engine.submit(Request::sync()).unwrap();
    engine.receive(&[late(), ready(b'I')].concat());
    assert_eq!(take(&mut engine), Outcome::default());
    assert!(engine.is_idle());
}

/// A COPY FROM in spite of the promise.
#[test]
fn a_copy_from_fails_its_group_or_the_engine() {
    let head = || [parsed(), bound(), no_data(), message(b'G', b"\0\0\0")].concat();
    let mut engine = idle();
    engine.submit(Request::unsynced(statement(false))).unwrap();
    sent(&mut engine);
    engine.receive(&head());
    assert_eq!(kinds(&sent(&mut engine)), "f", "no Sync was lost");
    engine.submit(unsynced()).unwrap();
    engine.submit(Request::sync()).unwrap();
    engine.receive(&[error("ERROR", "57014", "no"), ready(b'I')].concat());
    assert_eq!(state(&take(&mut engine)), Some("57014"));
    assert_eq!((take(&mut engine), take(&mut engine)), (skipped(), Outcome::default()));
    assert!(engine.is_idle());
    // A server may also complete it.
    engine.submit(Request::unsynced(statement(false))).unwrap();
    engine.receive(&[head(), complete("COPY 0")].concat());
    assert_eq!(take(&mut engine).result.unwrap().tag[..], *b"COPY 0");
    assert_eq!(engine.phase(), Phase::Group);

    let mut engine = idle();
    engine.submit(Request::unsynced(statement(false))).unwrap();
    engine.submit(Request::sync()).unwrap();
    engine.receive(&head());
    assert!(matches!(engine.error(), Some(Error::Violation(_))));
    assert_eq!((engine.poll_event(), engine.requests_in_flight()), (None, 0));
}

#[test]
fn a_good_bye_ends_a_group() {
    let mut engine = idle();
    engine.submit(unsynced()).unwrap();
    engine.submit(unsynced()).unwrap();
    engine.receive(&failure());
    engine.terminate();
    assert_eq!((engine.poll_event(), engine.requests_in_flight()), (None, 0));
    assert!(!engine.accepts_pipelined());
    assert!(matches!(engine.submit(Request::sync()), Err(Error::Misuse(_))));
}
