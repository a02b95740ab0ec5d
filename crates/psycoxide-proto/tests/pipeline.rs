//! Requests that are sent before the ones in front of them are answered.

mod common;

use std::sync::Arc;

use common::*;
use psycoxide_proto::{
    Batch, Engine, Error, Event, Extended, Interest, Outcome, Phase, Repeat, Request,
    TransactionStatus, Violation,
};

const BEGIN: &[u8] = b"BEGIN";

fn query() -> Request {
    Request::query(b"SELECT".to_vec())
}

fn statement() -> Request {
    Request::statement(b"SELECT".to_vec())
}

fn extended(closes: bool) -> Request {
    Request::extended(Extended {
        sql: Some(b"SELECT $1".to_vec()),
        parameters: one(b"1"),
        closes,
        ..Extended::default()
    })
}

fn prepared() -> Request {
    Request::extended(Extended { statement: b"s".to_vec(), closes: true, ..Extended::default() })
}

fn batch() -> Request {
    let mut batch = Batch::default();
    for sql in [b"a", b"b"] {
        batch.text().extend_from_slice(sql);
        assert!(batch.end_statement());
    }
    Request::batch(Arc::new(batch))
}

fn repeat() -> Request {
    let mut repeat = Repeat::new(b"a".as_slice().into(), 0);
    repeat.end_row().unwrap();
    repeat.end_row().unwrap();
    Request::repeat(repeat)
}

/// Requests, each with the server's reply up to its ReadyForQuery.
fn exchanges() -> Vec<(Request, Vec<u8>)> {
    let begin = |request: Request| request.begin(BEGIN);
    let mut exchanges = Vec::new();
    let mut add = |request: &Request, replies: &[Vec<u8>]| {
        for reply in replies {
            exchanges.push((request.clone(), reply.clone()));
        }
    };
    add(&query(), &[table(2), table(0), complete("SET"), message(b'I', b""), failure()]);
    add(&statement(), &[table(1), [row_description(&["a"]), failure()].concat()]);
    let head = || [parsed(), bound()].concat();
    for tail in [closed(), vec![]] {
        let request = extended(!tail.is_empty());
        add(
            &request,
            &[
                [head(), table(3), tail.clone()].concat(),
                [head(), no_data(), complete("INSERT 0 1"), tail.clone()].concat(),
                [head(), no_data(), complete("INSERT 0 1"), tail.clone(), failure()].concat(),
                [head(), no_data(), message(b'I', b""), tail.clone()].concat(),
                [head(), no_data(), failure()].concat(),
                [parsed(), failure()].concat(),
                failure(),
            ],
        );
        add(
            &begin(request),
            &[
                [begun(), head(), table(3), tail.clone()].concat(),
                [begun(), parsed(), failure()].concat(),
                [parsed(), failure()].concat(),
                failure(),
            ],
        );
    }
    add(&begin(statement()), &[[begun(), head(), table(9), closed()].concat(), failure()]);
    add(&prepared(), &[[bound(), table(400), closed()].concat(), failure()]);
    let prepare = Request::prepare(b"s".to_vec(), b"SELECT".to_vec(), vec![]);
    let described = message(b't', b"\0\x01\0\0\0\x17");
    add(&prepare, &[[parsed(), described, row_description(&["a"])].concat(), failure()]);
    add(&Request::close_statement(b"s".to_vec()), &[closed()]);
    add(&Request::function(1, vec![]), &[message(b'V', b"\0\0\0\x02hi"), failure()]);
    let inserted = || [bound(), complete("INSERT 0 1")].concat();
    add(
        &batch(),
        &[
            [parsed(), inserted(), parsed(), inserted()].concat(),
            [parsed(), inserted(), failure()].concat(),
        ],
    );
    add(&repeat(), &[[parsed(), inserted().repeat(2)].concat(), failure()]);
    exchanges
}

/// What the driver sees of a request.
type Seen = (Outcome, bool);

/// Submits requests one after another.
fn one_by_one(exchanges: &[(Request, Vec<u8>)]) -> (Vec<Seen>, Vec<u8>) {
    let mut engine = idle_postgresql();
    let mut messages = Vec::new();
    let seen = exchanges.iter().map(|(request, reply)| {
        engine.submit(request.clone()).unwrap();
        messages.extend(sent(&mut engine));
        engine.receive(reply);
        let done = outcome(&mut engine);
        assert!(engine.is_idle());
        (done, engine.has_begun())
    });
    (seen.collect(), messages)
}

/// Whatever is sent ahead and however the replies are cut, each request has its own outcome.
#[test]
fn pipelined_requests_have_the_outcomes_that_they_have_one_by_one() {
    let known = exchanges();
    let mut dice = Dice(7);
    for round in 0..3_000 {
        let exchanges: Vec<_> = (0..1 + dice.roll(8))
            .map(|_| {
                let (request, reply) = &known[dice.roll(known.len())];
                let noise = [vec![], notice("n"), parameter("TimeZone", "UTC")];
                let noise = noise[dice.roll(20).min(2)].clone();
                let status = ready(b"ITE"[dice.roll(3)]);
                (request.clone(), [noise, reply.clone(), status].concat())
            })
            .collect();
        let (expected, messages) = one_by_one(&exchanges);

        let mut engine = idle_postgresql();
        let (mut unsent, mut unread) = (exchanges.as_slice(), Vec::new());
        let (mut seen, mut heard) = (Vec::new(), Vec::new());
        let power = 1 + dice.roll(12);
        let longest = 1 + dice.roll(1 << power);
        while seen.len() < exchanges.len() {
            assert_eq!(engine.error(), None, "round {round}");
            assert_eq!(engine.requests_in_flight(), exchanges.len() - unsent.len() - seen.len());
            assert!(engine.accepts_pipelined());
            match dice.roll(3) {
                0 => {
                    let Some(((request, reply), rest)) = unsent.split_first() else { continue };
                    engine.submit(request.clone().pipelined()).unwrap();
                    heard.extend(sent(&mut engine));
                    unread.extend_from_slice(reply);
                    unsent = rest;
                }
                1 => {
                    let count = unread.len().min(1 + dice.roll(longest));
                    engine.receive(&unread[..count]);
                    unread.drain(..count);
                }
                _ => match engine.poll_event() {
                    Some(Event::Done(outcome)) => seen.push((outcome, engine.has_begun())),
                    Some(other) => panic!("{other:?}"),
                    None => {}
                },
            }
        }
        assert!(seen == expected, "round {round}: {seen:?}\n{expected:?}");
        assert!(engine.is_idle() && engine.requests_in_flight() == 0 && unread.is_empty());
        assert_eq!(heard, messages);
        // The engine is as good as new.
        engine.submit(query()).unwrap();
        engine.receive(&[table(1), ready(b'I')].concat());
        assert_eq!(rows(&outcome(&mut engine)).len(), 1);
    }
}

#[test]
fn the_next_reply_is_not_read_before_an_outcome_is_taken() {
    let mut engine = idle();
    for _ in 0..2 {
        engine.submit(query().pipelined()).unwrap();
    }
    assert_eq!(kinds(&sent(&mut engine)), "QQ");
    assert_eq!((engine.requests_in_flight(), engine.interest()), (2, Interest::READ));
    engine.receive(&[table(1), ready(b'T'), notice("n"), table(2), ready(b'E')].concat());
    assert_eq!(engine.interest(), Interest::NONE);
    assert_eq!((engine.backlog(), engine.requests_in_flight()), (0, 2));
    assert_eq!(engine.transaction_status(), TransactionStatus::InTransaction);
    assert!(matches!(engine.poll_event(), Some(Event::Done(_))));
    assert_eq!((engine.backlog(), engine.requests_in_flight()), (1, 1));
    assert_eq!(engine.transaction_status(), TransactionStatus::InError);
    // While the last outcome waits, a request may follow, unless it is not pipelined.
    assert!(engine.accepts_pipelined() && !engine.is_idle());
    assert!(matches!(engine.submit(query()), Err(Error::Misuse(_))));
    engine.submit(query().pipelined()).unwrap();
    assert_eq!(kinds(&sent(&mut engine)), "Q");
    assert!(matches!(engine.poll_event(), Some(Event::Done(_))));
    engine.receive(&[table(3), ready(b'I')].concat());
    assert_eq!(rows(&outcome(&mut engine)).len(), 3);
}

#[test]
fn only_pipelined_requests_follow_and_are_followed() {
    let mut engine = idle();
    assert_eq!(engine.requests_in_flight(), 0);
    engine.submit(query()).unwrap();
    assert!(!engine.accepts_pipelined());
    assert!(matches!(engine.submit(query().pipelined()), Err(Error::Misuse(_))));
    assert_eq!(kinds(&sent(&mut engine)), "Q");
    engine.receive(&[table(1), ready(b'I')].concat());
    assert!(engine.accepts_pipelined());
    outcome(&mut engine);
    engine.submit(query().pipelined()).unwrap();
    assert!(matches!(engine.submit(query()), Err(Error::Misuse(_))));
    // A request that cannot be written is refused whole, and changes nothing.
    let broken = Request::query(b"\0".to_vec()).pipelined();
    assert!(matches!(engine.submit(broken), Err(Error::Misuse(_))));
    assert_eq!((kinds(&sent(&mut engine)).as_str(), engine.requests_in_flight()), ("Q", 1));
    engine.receive(&[table(1), ready(b'I')].concat());
    assert_eq!(rows(&outcome(&mut engine)).len(), 1);
    assert!(engine.is_idle());
}

#[test]
fn nothing_follows_a_request_of_which_a_part_is_to_be_sent() {
    let alone = || (idle_reporting(), "PBES", begun());
    let simple = || (idle(), "Q", complete("BEGIN"));
    for peer in [alone as fn() -> (Engine, &'static str, Vec<u8>), simple] {
        let (mut engine, begin, answer) = peer();
        engine.submit(query().pipelined()).unwrap();
        engine.submit(query().begin(BEGIN).pipelined()).unwrap();
        assert_eq!(kinds(&sent(&mut engine)), format!("Q{begin}"));
        let refused = |engine: &mut Engine| {
            assert!(!engine.accepts_pipelined());
            assert!(matches!(engine.submit(query().pipelined()), Err(Error::Misuse(_))));
            assert!(engine.out().is_empty());
        };
        refused(&mut engine);
        engine.receive(&[table(1), ready(b'I')].concat());
        refused(&mut engine);
        assert_eq!(rows(&outcome(&mut engine)).len(), 1);
        engine.receive(&answer);
        refused(&mut engine);
        engine.receive(&ready(b'T'));
        assert_eq!(kinds(&sent(&mut engine)), "Q");
        engine.submit(query().pipelined()).unwrap();
        engine.receive(&[table(2), ready(b'T')].concat());
        assert_eq!((rows(&outcome(&mut engine)).len(), engine.has_begun()), (2, true));
        engine.receive(&[table(3), ready(b'T')].concat());
        assert_eq!((rows(&outcome(&mut engine)).len(), engine.has_begun()), (3, false));

        // If the BEGIN fails, its request is not sent, and others may follow.
        let (mut engine, begin, _) = peer();
        engine.submit(query().begin(BEGIN).pipelined()).unwrap();
        assert_eq!(kinds(&sent(&mut engine)), begin);
        engine.receive(&[error("ERROR", "57014", "no"), ready(b'I')].concat());
        engine.submit(query().pipelined()).unwrap();
        assert_eq!(kinds(&sent(&mut engine)), "Q");
        assert!(outcome(&mut engine).error.is_some() && !engine.has_begun());
        engine.receive(&[table(3), ready(b'I')].concat());
        assert_eq!(rows(&outcome(&mut engine)).len(), 3);
    }
    // A script is followed once its last query is sent.
    let mut engine = idle();
    engine.submit(Request::script(vec![b"a".to_vec(), b"b".to_vec()]).pipelined()).unwrap();
    assert!(!engine.accepts_pipelined());
    engine.receive(&[complete("A"), ready(b'I')].concat());
    assert_eq!(engine.phase(), Phase::PipelinedQuery);
    assert!(engine.accepts_pipelined());
}

/// A peer that may not know the extended query protocol gets a simple BEGIN behind others, too.
#[test]
fn a_begin_is_sent_again_behind_other_requests() {
    let mut engine = idle_reporting();
    engine.submit(query().pipelined()).unwrap();
    engine.submit(query().begin(BEGIN).pipelined()).unwrap();
    assert_eq!(kinds(&sent(&mut engine)), "QPBES");
    engine.receive(&[complete("SET"), ready(b'I'), failure(), failure(), ready(b'I')].concat());
    outcome(&mut engine);
    assert!(!engine.accepts_pipelined());
    assert_eq!(kinds(&sent(&mut engine)), "Q");
    engine.receive(&[complete("BEGIN"), ready(b'T')].concat());
    assert_eq!(kinds(&sent(&mut engine)), "Q");
    assert!(engine.accepts_pipelined());
    engine.receive(&[table(2), ready(b'T')].concat());
    assert_eq!((rows(&outcome(&mut engine)).len(), engine.has_begun()), (2, true));
}

/// Whether a BEGIN has succeeded is told with the outcome of its request, and not before, although
/// more has been read.
#[test]
fn has_begun_is_about_the_outcome_taken_last() {
    let mut engine = idle_postgresql();
    engine.submit(extended(true).pipelined()).unwrap();
    engine.submit(extended(true).begin(BEGIN).pipelined()).unwrap();
    engine.submit(extended(true).pipelined()).unwrap();
    let reply = || [parsed(), bound(), table(1), closed(), ready(b'T')].concat();
    engine.receive(&[reply(), begun(), reply(), reply()].concat());
    for expected in [false, true, false] {
        assert!(!engine.has_begun() || !expected);
        let Some(Event::Done(outcome)) = engine.poll_event() else { panic!("no outcome") };
        assert_eq!((outcome.begun, engine.has_begun()), (expected, expected));
    }
    assert!(engine.is_idle());
}

/// A pipelined request's own reply comes first: a ReadyForQuery too many would give each request
/// the reply to the one before it.
#[test]
fn a_surplus_ready_for_query_between_replies_fails_the_engine() {
    for request in [query(), statement(), extended(true), prepared(), batch().begin(BEGIN)] {
        let mut engine = idle_postgresql();
        engine.submit(query().pipelined()).unwrap();
        engine.submit(request.pipelined()).unwrap();
        engine.submit(query().pipelined()).unwrap();
        sent(&mut engine);
        engine.receive(&[table(1), ready(b'I'), ready(b'I')].concat());
        assert_eq!(rows(&outcome(&mut engine)).len(), 1);
        let violation = engine.error().cloned();
        let Some(Error::Violation(Violation::Unexpected { message: b'Z', .. })) = violation else {
            panic!("{violation:?}");
        };
        assert_eq!(engine.requests_in_flight(), 0);
    }
    // Behind the last one it changes nothing.
    let mut engine = idle();
    engine.submit(query().pipelined()).unwrap();
    engine.receive(&[table(1), ready(b'I').repeat(3)].concat());
    outcome(&mut engine);
    assert!(engine.is_idle() && engine.error().is_none());
}

#[test]
fn one_statement_has_one_reply() {
    let mut engine = idle();
    engine.submit(query().pipelined()).unwrap();
    let twice = [row_description(&["a"]), data_row(&[None]), table(2), ready(b'I')];
    engine.receive(&twice.concat());
    assert_eq!(rows(&outcome(&mut engine)).len(), 2, "a rule may add a SELECT");
    engine.submit(query().pipelined()).unwrap();
    engine.receive(&[table(1), table(1), ready(b'I')].concat());
    assert!(matches!(engine.error(), Some(Error::Violation(_))));
}

/// A COPY FROM in spite of the promise.
#[test]
fn a_copy_from_fails_its_request_or_the_engine() {
    let copy = || message(b'G', b"\0\0\0");
    for (request, head, messages) in
        [(query(), vec![], "f"), (extended(false), [parsed(), bound(), no_data()].concat(), "fS")]
    {
        // The only request: the COPY is made to fail, and others may follow.
        let mut engine = idle_postgresql();
        engine.submit(request.clone().pipelined()).unwrap();
        sent(&mut engine);
        engine.receive(&[head.clone(), copy()].concat());
        assert_eq!(kinds(&sent(&mut engine)), messages);
        engine.submit(query().pipelined()).unwrap();
        engine.receive(&[error("ERROR", "57014", "no"), ready(b'I')].concat());
        assert_eq!(outcome(&mut engine).error.unwrap().sqlstate(), Some("57014"));
        engine.receive(&[table(1), ready(b'I')].concat());
        assert_eq!(rows(&outcome(&mut engine)).len(), 1);

        // A server may also complete it.
        engine.submit(request.clone().pipelined()).unwrap();
        engine.receive(&[head.clone(), copy(), complete("COPY 0"), ready(b'I')].concat());
        assert_eq!(outcome(&mut engine).result.unwrap().tag[..], *b"COPY 0");

        // Others were sent already: the server has taken them for data.
        engine.submit(request.pipelined()).unwrap();
        engine.submit(query().pipelined()).unwrap();
        engine.receive(&[head, copy()].concat());
        assert!(matches!(
            engine.error(),
            Some(Error::Violation(Violation::Unexpected { message: b'G', .. }))
        ));
        assert_eq!(engine.poll_event(), None);
        assert_eq!(engine.requests_in_flight(), 0);
    }
}

#[test]
fn a_copy_to_has_its_data() {
    let mut engine = idle();
    for _ in 0..2 {
        engine.submit(query().pipelined()).unwrap();
    }
    let copy = [message(b'H', b"\0\0\0"), message(b'd', b"1\n"), message(b'c', b"")].concat();
    engine.receive(&[copy, complete("COPY 1"), ready(b'I'), table(2), ready(b'I')].concat());
    let events = events(&mut engine);
    let [Event::CopyOut(_), Event::CopyData(data), Event::Done(_), Event::Done(next)] =
        events.as_slice()
    else {
        panic!("{events:?}")
    };
    assert_eq!((data.as_slice(), rows(next).len()), (&b"1\n"[..], 2));
}

/// The outcomes that were complete are given, then the engine has failed.
#[test]
fn the_end_of_the_connection_drops_all_that_wait() {
    let known = exchanges();
    let mut dice = Dice(3);
    for _ in 0..60 {
        let exchanges: Vec<_> = (0..4)
            .map(|_| {
                let (request, reply) = &known[dice.roll(known.len())];
                (request.clone(), [reply.clone(), ready(b'I')].concat())
            })
            .collect();
        let (expected, _) = one_by_one(&exchanges);
        let bytes: Vec<u8> = exchanges.iter().flat_map(|(_, reply)| reply.clone()).collect();
        let step = 1 + bytes.len() / 300;
        let anywhere = (0..bytes.len()).step_by(step).map(|end| (end, false));
        let between = boundaries(&bytes).into_iter().step_by(step).map(|end| (end, true));
        let fatal = error("FATAL", "57P01", "shutdown");
        for (end, words) in anywhere.chain(between) {
            let mut engine = idle_postgresql();
            for (request, _) in &exchanges {
                engine.submit(request.clone().pipelined()).unwrap();
            }
            sent(&mut engine);
            engine.receive(&bytes[..end]);
            if words {
                engine.receive(&fatal);
            }
            engine.receive_eof();
            let mut length = 0;
            let whole = exchanges.iter().take_while(|(_, reply)| {
                length += reply.len();
                length <= end
            });
            let whole = whole.count();
            let mut seen = 0;
            while let Some(event) = engine.poll_event() {
                let Event::Done(outcome) = event else { panic!("{event:?}") };
                if seen < whole {
                    assert_eq!(outcome, expected[seen].0);
                } else {
                    assert!(seen == whole && outcome.error.is_some());
                }
                seen += 1;
            }
            assert!(seen >= whole);
            assert!(matches!(engine.error(), Some(Error::Terminated(_))), "{:?}", engine.error());
            assert!(!engine.accepts_pipelined() && engine.requests_in_flight() == 0);
            assert!(engine.submit(query().pipelined()).is_err() && engine.out().is_empty());
        }
    }
}

#[test]
fn a_good_bye_drops_all_that_wait() {
    let mut engine = idle();
    for _ in 0..3 {
        engine.submit(query().pipelined()).unwrap();
    }
    engine.receive(&[table(1), ready(b'I')].concat());
    engine.terminate();
    assert_eq!((engine.requests_in_flight(), engine.poll_event()), (0, None));
    assert!(!engine.accepts_pipelined());
    assert!(matches!(engine.submit(query().pipelined()), Err(Error::Misuse(_))));
}

/// Each request offers its own rows, and none of another's.
#[test]
fn offers_are_of_the_request_in_flight() {
    let mut engine = idle();
    engine.submit(query().pipelined().offering(100)).unwrap();
    engine.submit(query().pipelined()).unwrap();
    engine.submit(query().pipelined().offering(100)).unwrap();
    let row = data_row(&[Some(&[b'x'; 5_000])]);
    let mut offered = Vec::new();
    for _ in 0..3 {
        engine.receive(&row_description(&["a"]));
        let mut taken = 0;
        for _ in 0..200 {
            engine.receive(&row);
            if engine.offers_rows() {
                taken += engine.take_rows().unwrap().1.len();
            }
        }
        engine.receive(&[complete("SELECT 200"), ready(b'I')].concat());
        let Some(Event::Done(outcome)) = engine.poll_event() else { panic!("no outcome") };
        let rest = outcome.result.unwrap().rows;
        assert_eq!((rest.before(), rest.len()), (taken, 200 - taken));
        offered.push(taken > 0);
    }
    assert_eq!(offered, [true, false, true]);
}
