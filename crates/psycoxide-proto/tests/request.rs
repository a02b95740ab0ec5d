//! Requests and their replies.

mod common;

use std::sync::Arc;

use common::*;
use psycoxide_proto::{
    Batch, BoundStatement, Engine, Error, Event, Extended, Interest, Parameters, Phase, Repeat,
    Request, ResultKind, Tally, TransactionStatus, Violation,
};

/// Submits a request, checks the types of its messages, and feeds the server's reply.
fn ask(engine: &mut Engine, request: Request, messages: &str, answer: &[Vec<u8>]) {
    engine.submit(request).unwrap();
    assert_eq!(kinds(&sent(engine)), messages);
    assert_eq!(engine.interest(), Interest::READ);
    engine.receive(&answer.concat());
}

const BEGIN: &[u8] = b"BEGIN";

fn query(sql: &str) -> Request {
    Request::query(sql.as_bytes().to_vec())
}

fn extended() -> Request {
    Request::extended(Extended {
        sql: Some(b"SELECT $1".to_vec()),
        parameters: one(b"1"),
        closes: true,
        ..Extended::default()
    })
}

#[test]
fn rows_are_read_in_order() {
    let mut engine = idle();
    ask(
        &mut engine,
        query("SELECT …"),
        "Q",
        &[
            row_description(&["a", "b"]),
            data_row(&[Some(b"1"), None]),
            data_row(&[Some(b""), Some(b"x")]),
            complete("SELECT 2"),
            ready(b'T'),
        ],
    );
    let outcome = outcome(&mut engine);
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(rows(&outcome), [vec![text("1"), None], vec![text(""), text("x")]]);
    let result = outcome.result.unwrap();
    assert_eq!(result.kind, ResultKind::Tuples);
    assert_eq!(result.affected(), Some(2));
    assert_eq!(result.columns.unwrap()[1].name, b"b");
    assert_eq!(engine.transaction_status(), TransactionStatus::InTransaction);
    assert!(engine.is_idle());
}

#[test]
fn positions_lead_to_rows() {
    let mut engine = idle();
    let mut answer = vec![row_description(&["n"])];
    for n in 0..20_000 {
        answer.push(data_row(&[Some(n.to_string().as_bytes())]));
        if n % 1000 == 0 {
            answer.push(notice("in between"));
        }
    }
    answer.extend([complete("SELECT 20000"), ready(b'I')]);
    ask(&mut engine, query("SELECT n"), "Q", &answer);
    let result = outcome(&mut engine).result.unwrap();
    assert_eq!(result.rows.len(), 20_000);
    for n in [0, 1, 999, 1000, 1001, 7777, 19_999] {
        let mut position = result.rows.seek(n);
        let row = result.rows.next_row(&mut position).unwrap();
        assert_eq!(row.fields().next(), Some(Some(n.to_string().as_bytes())));
        assert_eq!(row.fields().len(), 1);
    }
    let mut end = result.rows.seek(20_000);
    assert_eq!(result.rows.next_row(&mut end), None);
    assert_eq!(result.rows.next_row(&mut result.rows.seek(usize::MAX)), None);
}

#[test]
fn the_last_of_several_results_wins() {
    let mut engine = idle();
    ask(
        &mut engine,
        query("SELECT 1; SELECT 2"),
        "Q",
        &[
            row_description(&["a"]),
            data_row(&[Some(b"1")]),
            complete("SELECT 1"),
            row_description(&["a"]),
            data_row(&[Some(b"2")]),
            complete("SELECT 1"),
            ready(b'I'),
        ],
    );
    assert_eq!(rows(&outcome(&mut engine)), [[Some("2".to_owned())]]);

    ask(
        &mut engine,
        query("SELECT 1; SET x"),
        "Q",
        &[
            row_description(&["a"]),
            data_row(&[Some(b"1")]),
            complete("SELECT 1"),
            complete("SET"),
            ready(b'I'),
        ],
    );
    let result = outcome(&mut engine).result.unwrap();
    assert_eq!((result.kind, result.rows.len()), (ResultKind::Command, 0));

    ask(&mut engine, query(""), "Q", &[message(b'I', b""), ready(b'I')]);
    assert_eq!(outcome(&mut engine).result.unwrap().kind, ResultKind::Empty);
}

#[test]
fn an_error_discards_every_result() {
    let mut engine = idle();
    ask(
        &mut engine,
        query("SELECT 1; SELECT 1/n"),
        "Q",
        &[
            complete("SET"),
            row_description(&["a"]),
            data_row(&[Some(b"1")]),
            error("ERROR", "22012", "division by zero"),
            ready(b'E'),
        ],
    );
    let failed = outcome(&mut engine);
    assert_eq!(failed.result, None);
    assert_eq!(failed.error.unwrap().sqlstate(), Some("22012"));
    assert_eq!(engine.transaction_status(), TransactionStatus::InError);
    assert!(engine.is_idle() && engine.error().is_none());
    ask(
        &mut engine,
        query("SELECT"),
        "Q",
        &[row_description(&[]), data_row(&[]), complete("SELECT 1"), ready(b'I')],
    );
    let next = outcome(&mut engine);
    assert_eq!(next.error, None);
    assert_eq!(next.result.unwrap().rows.len(), 1);
}

#[test]
fn the_same_shape_is_shared() {
    let mut engine = idle();
    let mut shapes = Vec::new();
    for names in [["a"], ["a"], ["b"]] {
        ask(
            &mut engine,
            query("SELECT"),
            "Q",
            &[row_description(&names), complete("SELECT 0"), ready(b'I')],
        );
        shapes.push(outcome(&mut engine).result.unwrap().columns.unwrap());
    }
    assert!(Arc::ptr_eq(&shapes[0], &shapes[1]));
    assert_eq!(shapes[2][0].name, b"b");
}

#[test]
fn a_row_that_contradicts_its_description_fails_the_engine() {
    for row in [
        data_row(&[]),
        data_row(&[None]),
        data_row(&[None, None, None]),
        message(b'D', b""),
        message(b'D', b"\0"),
        message(b'D', b"\0\x02\xff\xff\xff\xff"),
        message(b'D', b"\0\x02\xff\xff\xff\xff\xff\xff\xff\xfe"),
        message(b'D', b"\0\x02\xff\xff\xff\xff\0\0\0\x05abcd"),
        message(b'D', b"\0\x02\xff\xff\xff\xff\0\0\0\x03abcd"),
    ] {
        let mut engine = idle();
        let good = data_row(&[None, None]);
        ask(&mut engine, query("SELECT"), "Q", &[row_description(&["a", "b"]), good, row]);
        assert!(
            matches!(
                engine.error(),
                Some(Error::Violation(Violation::Malformed { message: b'D', .. }))
            ),
            "{:?}",
            engine.error()
        );
        assert_eq!(engine.poll_event(), None);
    }
}

#[test]
fn rows_need_a_description() {
    let mut engine = idle();
    ask(&mut engine, query("SELECT"), "Q", &[data_row(&[])]);
    assert!(matches!(
        engine.error(),
        Some(Error::Violation(Violation::Unexpected { message: b'D', phase: Phase::Query }))
    ));
}

#[test]
fn a_script_stops_at_its_first_error() {
    let script = || Request::script(vec![b"a".to_vec(), b"b".to_vec(), b"c".to_vec()]);
    let mut engine = idle();
    ask(&mut engine, script(), "Q", &[complete("A"), ready(b'I')]);
    assert_eq!(sent(&mut engine), b"Q\0\0\0\x06b\0");
    engine.receive(&[complete("B"), ready(b'I')].concat());
    assert_eq!(sent(&mut engine), b"Q\0\0\0\x06c\0");
    engine.receive(&[complete("C"), ready(b'I')].concat());
    assert_eq!(outcome(&mut engine).result.unwrap().tag[..], *b"C");

    ask(&mut engine, script(), "Q", &[complete("A"), ready(b'I')]);
    sent(&mut engine);
    engine.receive(&[error("ERROR", "42601", "b?"), ready(b'I')].concat());
    assert_eq!(outcome(&mut engine).error.unwrap().sqlstate(), Some("42601"));
    assert!(sent(&mut engine).is_empty());
    assert!(engine.is_idle());
}

fn statement(sql: &str) -> Request {
    Request::statement(sql.as_bytes().to_vec())
}

#[test]
fn a_begin_goes_with_a_request_of_the_extended_protocol() {
    let mut engine = idle_postgresql();
    ask(
        &mut engine,
        statement("SELECT").begin(BEGIN),
        "PBEPBDECS",
        &[
            begun(),
            message(b'1', b""),
            message(b'2', b""),
            row_description(&["a"]),
            data_row(&[Some(b"1")]),
            complete("SELECT 1"),
            message(b'3', b""),
            ready(b'T'),
        ],
    );
    assert!(engine.has_begun());
    let done = outcome(&mut engine);
    assert_eq!(rows(&done), [[Some("1".to_owned())]]);
    assert_eq!(done.result.unwrap().tag[..], *b"SELECT 1");

    ask(
        &mut engine,
        extended().begin(BEGIN),
        "PBEPBDECS",
        &[
            begun(),
            message(b'1', b""),
            message(b'2', b""),
            message(b'n', b""),
            complete("INSERT 0 1"),
            message(b'3', b""),
            ready(b'T'),
        ],
    );
    assert_eq!(outcome(&mut engine).result.unwrap().affected(), Some(1));
}

/// The request is not sent before the server has opened the transaction.
#[test]
fn anything_else_waits_for_its_begin() {
    let alone = || (idle_reporting(), "PBES", begun());
    let shown = || (idle_postgresql(), "PBES", begun());
    let unknown = || (idle(), "Q", complete("BEGIN"));
    for (peer, request, messages) in [
        (unknown as fn() -> (Engine, &'static str, Vec<u8>), query("SELECT"), "Q"),
        (unknown, statement("SELECT"), "Q"),
        (unknown, extended(), "PBDECS"),
        (unknown, batch(&["a"]), "PBES"),
        (alone, query("SELECT"), "Q"),
        (alone, statement("SELECT"), "Q"),
        (alone, extended(), "PBDECS"),
        (alone, Request::function(1, vec![]), "F"),
        (shown, query("SELECT"), "Q"),
        (shown, Request::script(vec![b"a".to_vec(), b"b".to_vec()]), "Q"),
        (shown, Request::function(1, vec![]), "F"),
    ] {
        let (mut engine, begin, answer) = peer();
        ask(&mut engine, request.clone().begin(BEGIN), begin, &[answer]);
        assert!(sent(&mut engine).is_empty());
        engine.receive(&ready(b'T'));
        assert!(engine.has_begun() && events(&mut engine).is_empty());
        assert_eq!(kinds(&sent(&mut engine)), messages);
        assert_eq!(engine.interest(), Interest::READ);
        engine.receive(&[error("ERROR", "22012", "no"), ready(b'E')].concat());
        assert_eq!(outcome(&mut engine).error.unwrap().sqlstate(), Some("22012"));
        assert!(engine.is_idle() && engine.has_begun());

        // If the BEGIN fails, the request is never sent.
        let (mut engine, begin, _) = peer();
        let refused = [error("ERROR", "57014", "no"), ready(b'I')];
        ask(&mut engine, request.begin(BEGIN), begin, &refused);
        assert_eq!(outcome(&mut engine).error.unwrap().sqlstate(), Some("57014"));
        assert!(engine.is_idle() && engine.out().is_empty() && !engine.has_begun());
    }
}

/// A BEGIN and a statement go together only to a peer that reports all the parameters that
/// PostgreSQL reports since 14 and has answered by the extended protocol, so the first BEGIN goes
/// alone. Later reports, by a pooler whose server has changed, do not count.
#[test]
fn a_begin_sent_alone_shows_what_the_peer_knows() {
    for (peer, messages) in
        [(idle_unproven as fn() -> Engine, "PBEPBDECS"), (idle_reporting, "PBES")]
    {
        let mut engine = peer();
        ask(&mut engine, query("SET x").begin(BEGIN), "PBES", &[begun(), ready(b'T')]);
        sent(&mut engine);
        let promoted = parameter("in_hot_standby", "off");
        engine.receive(&[complete("SET"), promoted, ready(b'T')].concat());
        outcome(&mut engine);
        ask(&mut engine, statement("SELECT").begin(BEGIN), messages, &[]);
    }
}

/// One Sync ends both, so the server skips the statement if the BEGIN fails.
#[test]
fn a_begin_that_fails_takes_the_statement_with_it() {
    let stages = [vec![], message(b'1', b""), [message(b'1', b""), message(b'2', b"")].concat()];
    for request in [statement("SELECT"), extended()] {
        for stage in &stages {
            let mut engine = idle_postgresql();
            let report = error("ERROR", "57014", "no");
            ask(&mut engine, request.clone().begin(BEGIN), "PBEPBDECS", &[stage.clone(), report]);
            assert!(sent(&mut engine).is_empty());
            engine.receive(&ready(b'I'));
            assert_eq!(outcome(&mut engine).error.unwrap().sqlstate(), Some("57014"));
            assert!(engine.is_idle() && !engine.has_begun());
        }
    }
}

/// A peer that looks like PostgreSQL and knows only the simple protocol. It may skip up to the Sync
/// or refuse each message, with the same error or different ones. It may send ReadyForQuery after
/// each refusal, after the Sync, or not at all.
#[test]
fn a_peer_that_refuses_to_parse_begin_gets_a_simple_one() {
    let refusal = |code: &str| error("ERROR", code, &format!("no {code}"));
    let codes = ["0A000", "42601", "25001", "0A000", "08P01"];
    for dialogue in ["EZSZ", "EEEE", "EEEZ", "EEZ", "EZSEZEZEZEZ", "Z"] {
        let mut engine = idle_reporting();
        ask(&mut engine, statement("SELECT").begin(BEGIN), "PBES", &[]);
        let mut refusals = codes.iter().cycle();
        for step in dialogue.chars() {
            match step {
                'E' => engine.receive(&refusal(refusals.next().unwrap())),
                'Z' => engine.receive(&ready(b'I')),
                _ => assert_eq!(kinds(&sent(&mut engine)), "S"),
            }
            assert!(!engine.has_begun() && events(&mut engine).is_empty(), "{dialogue}");
        }
        assert_eq!(sent(&mut engine), b"Q\0\0\0\x0aBEGIN\0", "{dialogue}");
        engine.receive(&[complete("BEGIN"), ready(b'T')].concat());
        assert_eq!(sent(&mut engine), b"Q\0\0\0\x0bSELECT\0");
        engine.receive(&[row_description(&["a"]), complete("SELECT 0"), ready(b'T')].concat());
        let done = outcome(&mut engine);
        assert!(done.error.is_none() && engine.has_begun() && engine.is_idle());
        // The engine remembers the refusal.
        let answer = [complete("BEGIN"), ready(b'T')];
        ask(&mut engine, statement("SELECT").begin(BEGIN), "Q", &answer);
        assert_eq!(kinds(&sent(&mut engine)), "Q");
    }
}

/// The BEGIN itself may be refused, with the same error by either protocol.
#[test]
fn a_begin_that_is_refused_twice_is_an_error() {
    let refusal = || error("ERROR", "58000", "no server");
    let mut engine = idle_reporting();
    ask(&mut engine, statement("SELECT").begin(BEGIN), "PBES", &[refusal(), ready(b'I')]);
    assert_eq!(kinds(&sent(&mut engine)), "S");
    engine.receive(&ready(b'I'));
    assert_eq!(kinds(&sent(&mut engine)), "Q");
    engine.receive(&[refusal(), ready(b'I')].concat());
    assert_eq!(outcome(&mut engine).error.unwrap().sqlstate(), Some("58000"));
    assert!(engine.is_idle() && engine.out().is_empty() && !engine.has_begun());
    // An error is final if the peer has shown that it knows the protocol, if it reports a cancel
    // request, or if the request itself needs the extended protocol.
    let canceled = error("ERROR", "57014", "no");
    for (mut engine, request, report) in [
        (idle_postgresql(), query("SELECT"), refusal()),
        (idle_reporting(), query("SELECT"), canceled),
        (idle_reporting(), extended(), refusal()),
    ] {
        ask(&mut engine, request.begin(BEGIN), "PBES", &[report, ready(b'I')]);
        assert!(outcome(&mut engine).error.is_some());
        assert!(engine.is_idle() && engine.out().is_empty() && !engine.has_begun());
    }
}

#[test]
fn replication_sessions_use_simple_queries_only() {
    let mut startup = startup();
    startup.parameters.push((b"replication".to_vec(), b"database".to_vec()));
    let mut engine = Engine::new(startup);
    sent(&mut engine);
    engine.receive(&welcome_reporting(&REPORTED));
    outcome(&mut engine);
    ask(&mut engine, statement("SELECT").begin(BEGIN), "Q", &[]);
}

/// Odyssey answers the Parse of a text that it knows, though the server has skipped it.
#[test]
fn acknowledgements_after_an_error_are_ignored() {
    let mut engine = idle();
    let late = [message(b'1', b""), message(b'2', b""), message(b'3', b"")].concat();
    let answer = [error("ERROR", "22012", "no"), late, ready(b'E')];
    ask(&mut engine, extended(), "PBDECS", &answer);
    assert_eq!(outcome(&mut engine).error.unwrap().sqlstate(), Some("22012"));
    assert!(engine.is_idle());
}

/// While idle, and between a BEGIN and the request that waits for it.
#[test]
fn a_surplus_ready_for_query_changes_nothing() {
    let mut engine = idle();
    engine.receive(&ready(b'I').repeat(3));
    assert!(engine.is_idle() && events(&mut engine).is_empty());
    let answer = [complete("SET"), ready(b'T'), ready(b'I')];
    ask(&mut engine, query("SET x"), "Q", &answer);
    outcome(&mut engine);
    assert_eq!(engine.transaction_status(), TransactionStatus::InTransaction);
    for (mut engine, messages, answer) in
        [(idle(), "Q", complete("BEGIN")), (idle_reporting(), "PBES", begun())]
    {
        let answer = [answer, ready(b'T').repeat(2)];
        ask(&mut engine, query("SELECT").begin(BEGIN), messages, &answer);
        assert_eq!(kinds(&sent(&mut engine)), "Q");
        let rows = [row_description(&["a"]), data_row(&[None]), complete("SELECT 1")].concat();
        engine.receive(&[rows, ready(b'T').repeat(2)].concat());
        assert_eq!(outcome(&mut engine).result.unwrap().rows.len(), 1);
        assert!(engine.is_idle() && engine.error().is_none());
    }
}

#[test]
fn a_second_row_description_begins_a_new_result() {
    let described = || [row_description(&["a"]), row_description(&["b"])].concat();
    let row = || data_row(&[Some(b"1")]);
    for (request, messages, before, after) in [
        (query("SELECT"), "Q", vec![], vec![]),
        (
            extended(),
            "PBDECS",
            [message(b'1', b""), message(b'2', b"")].concat(),
            message(b'3', b""),
        ),
    ] {
        let mut engine = idle();
        let answer = [before, described(), row(), complete("SELECT 1"), after, ready(b'I')];
        ask(&mut engine, request, messages, &answer);
        let done = outcome(&mut engine);
        assert_eq!(rows(&done), [[Some("1".to_owned())]]);
        assert_eq!(done.result.unwrap().columns.unwrap()[0].name, b"b");
    }
}

#[test]
fn an_error_after_a_begin_leaves_a_failed_transaction() {
    let mut engine = idle_postgresql();
    ask(
        &mut engine,
        statement("SELEC").begin(BEGIN),
        "PBEPBDECS",
        &[begun(), error("ERROR", "42601", "syntax error"), ready(b'E')],
    );
    assert!(sent(&mut engine).is_empty());
    assert_eq!(outcome(&mut engine).error.unwrap().sqlstate(), Some("42601"));
    assert_eq!(engine.transaction_status(), TransactionStatus::InError);
    assert!(engine.has_begun());
}

#[test]
fn a_statement_with_parameters() {
    let mut engine = idle();
    ask(
        &mut engine,
        extended(),
        "PBDECS",
        &[
            message(b'1', b""),
            message(b'2', b""),
            row_description(&["a"]),
            data_row(&[Some(b"1")]),
            complete("SELECT 1"),
            message(b'3', b""),
            ready(b'I'),
        ],
    );
    assert_eq!(rows(&outcome(&mut engine)), [[Some("1".to_owned())]]);
    ask(&mut engine, extended(), "PBDECS", &[error("ERROR", "42601", "syntax error"), ready(b'I')]);
    assert_eq!(outcome(&mut engine).error.unwrap().sqlstate(), Some("42601"));
}

/// The implicit COMMIT of an extended query happens at Sync, after CommandComplete.
#[test]
fn an_error_at_sync_discards_the_result() {
    let mut engine = idle();
    ask(
        &mut engine,
        extended(),
        "PBDECS",
        &[
            message(b'1', b""),
            message(b'2', b""),
            message(b'n', b""),
            complete("INSERT 0 1"),
            message(b'3', b""),
            error("ERROR", "23503", "deferred"),
            ready(b'I'),
        ],
    );
    let outcome = outcome(&mut engine);
    assert_eq!((outcome.result, outcome.error.unwrap().sqlstate()), (None, Some("23503")));
}

#[test]
fn statements_are_prepared_run_and_closed() {
    let mut engine = idle();
    let prepare = Request::prepare(b"s".to_vec(), b"SELECT $1".to_vec(), vec![23]);
    ask(
        &mut engine,
        prepare,
        "PDS",
        &[
            message(b'1', b""),
            message(b't', b"\0\x01\0\0\0\x17"),
            row_description(&["a"]),
            ready(b'I'),
        ],
    );
    let result = outcome(&mut engine).result.unwrap();
    assert_eq!((result.kind, result.parameter_types), (ResultKind::Command, vec![23]));
    assert_eq!(result.columns.unwrap().len(), 1);

    let run = Extended { statement: b"s".to_vec(), closes: true, ..Extended::default() };
    ask(
        &mut engine,
        Request::extended(run),
        "BDECS",
        &[
            message(b'2', b""),
            row_description(&["a"]),
            complete("SELECT 0"),
            message(b'3', b""),
            ready(b'I'),
        ],
    );
    assert_eq!(outcome(&mut engine).result.unwrap().kind, ResultKind::Tuples);

    let close = Request::close_statement(b"s".to_vec());
    ask(&mut engine, close, "CS", &[message(b'3', b""), ready(b'I')]);
    assert_eq!(outcome(&mut engine).result, None);
}

#[test]
fn a_function_is_called() {
    let mut engine = idle();
    for (answer, value) in [
        (message(b'V', b"\0\0\0\x02hi"), Some(b"hi".to_vec())),
        (message(b'V', b"\xff\xff\xff\xff"), None),
        (
            message(b'V', &[&70_000_u32.to_be_bytes()[..], &[b'x'; 70_000]].concat()),
            Some(vec![b'x'; 70_000]),
        ),
    ] {
        ask(&mut engine, Request::function(1, vec![vec![0]]), "F", &[answer, ready(b'I')]);
        let result = outcome(&mut engine).result.unwrap();
        assert_eq!((result.kind, result.function_value), (ResultKind::Function, Some(value)));
    }
    let report = error("ERROR", "42883", "no such function");
    ask(&mut engine, Request::function(0, vec![]), "F", &[report, ready(b'I')]);
    assert!(outcome(&mut engine).error.is_some());
    let liar = message(b'V', b"\0\0\x11\x70hi");
    ask(&mut engine, Request::function(1, vec![]), "F", &[liar]);
    assert!(matches!(engine.error(), Some(Error::Violation(_))));
}

#[test]
fn one_request_at_a_time() {
    let mut engine = idle();
    engine.submit(query("SELECT 1")).unwrap();
    assert!(matches!(engine.submit(query("SELECT 2")), Err(Error::Misuse(_))));
    engine.receive(&[complete("SELECT 0"), ready(b'I')].concat());
    assert!(!engine.is_idle(), "the outcome has not been taken");
    assert!(matches!(engine.submit(query("SELECT 2")), Err(Error::Misuse(_))));
    outcome(&mut engine);
    assert!(engine.submit(query("SELECT 2")).is_ok());
}

#[test]
fn a_request_that_cannot_be_written_is_refused_whole() {
    let mut engine = idle();
    for request in [
        query("SELECT 1\0; DROP TABLE t"),
        query("SELECT 1").begin(b"BEGIN\0"),
        Request::script(vec![]),
        Request::script(vec![b"\0".to_vec()]),
    ] {
        ask(&mut engine, query("x").begin(BEGIN), "Q", &[complete("BEGIN"), ready(b'T')]);
        assert!(engine.has_begun());
        sent(&mut engine);
        engine.receive(&[complete("x"), ready(b'I')].concat());
        outcome(&mut engine);
        assert!(matches!(engine.submit(request), Err(Error::Misuse(_))));
        assert!(engine.out().is_empty() && engine.is_idle() && !engine.has_begun());
    }
}

#[test]
fn notices_and_notifications_may_come_anywhere() {
    let mut engine = idle_postgresql();
    let noise = || [notice("n"), notification(1, "c", ""), parameter("TimeZone", "UTC")].concat();
    ask(
        &mut engine,
        statement("SELECT").begin(BEGIN),
        "PBEPBDECS",
        &[
            noise(),
            message(b'1', b""),
            noise(),
            message(b'2', b""),
            noise(),
            complete("BEGIN"),
            noise(),
            message(b'1', b""),
            noise(),
            message(b'2', b""),
            noise(),
            row_description(&["a"]),
            noise(),
            data_row(&[Some(b"1")]),
            noise(),
            data_row(&[Some(b"2")]),
            noise(),
            complete("SELECT 2"),
            noise(),
            message(b'3', b""),
            noise(),
            ready(b'T'),
            noise(),
        ],
    );
    assert_eq!(outcome(&mut engine).result.unwrap().rows.len(), 2);
    assert_eq!(engine.take_notices().len(), 12);
    assert_eq!(engine.take_notifications().len(), 12);
}

#[test]
fn a_done_event_holds_back_only_further_reading() {
    let mut engine = idle();
    ask(&mut engine, query("SELECT"), "Q", &[complete("SELECT 0"), ready(b'I'), notice("late")]);
    assert_eq!(engine.backlog(), 0);
    assert!(matches!(engine.poll_event(), Some(Event::Done(_))));
    assert_eq!(engine.backlog(), 1);
}

fn batch(statements: &[&str]) -> Request {
    let mut batch = Batch::default();
    for sql in statements {
        batch.text().extend_from_slice(sql.as_bytes());
        assert!(batch.end_statement());
    }
    batch.text().extend_from_slice(b"half");
    assert_eq!(batch.rest(), b"half");
    assert_eq!(batch.take_rest(), b"half");
    assert!(batch.iter().eq(statements.iter().map(|sql| sql.as_bytes())));
    assert_eq!(batch.len(), statements.len());
    Request::batch(Arc::new(batch))
}

#[test]
fn a_batch_counts_and_drops_rows() {
    let mut engine = idle_postgresql();
    let answer = [
        message(b'1', b""),
        message(b'2', b""),
        complete("BEGIN"),
        message(b'1', b""),
        message(b'2', b""),
        complete("INSERT 0 2"),
        message(b'1', b""),
        notice("in between"),
        message(b'2', b""),
        data_row(&[Some(b"1"), None]),
        data_row(&[]),
        complete("SELECT 2"),
        ready(b'T'),
    ];
    ask(&mut engine, batch(&["a", "b"]).begin(BEGIN), "PBEPBEPBES", &answer);
    let done = outcome(&mut engine);
    assert_eq!(
        done.batch,
        Tally { statements: 2, affected: 4, uncounted: false, ..Tally::default() }
    );
    let result = done.result.unwrap();
    assert_eq!((result.kind, result.tag.as_slice()), (ResultKind::Command, &b"SELECT 2"[..]));
    assert!(result.rows.is_empty() && engine.is_idle());
    let answer = [message(b'1', b""), message(b'2', b""), complete("SET"), ready(b'T')];
    ask(&mut engine, batch(&["a"]), "PBES", &answer);
    let tally = Tally { statements: 1, affected: 0, uncounted: true, ..Tally::default() };
    assert_eq!(outcome(&mut engine).batch, tally);
}

/// Identical replies are skipped unread, unless they arrive in pieces.
#[test]
fn repeated_replies_are_counted() {
    let again = |tag| [message(b'1', b""), message(b'2', b""), complete(tag)].concat();
    let plain = [message(b'1', b""), message(b'2', b"")].concat();
    let shown = [plain, data_row(&[Some(b"1")]), complete("INSERT 0 1")].concat();
    let one = || again("INSERT 0 1");
    let answers = [
        one(),
        one(),
        one(),
        again("INSERT 0 2"),
        again("INSERT 0 2"),
        notice("so much"),
        again("INSERT 0 2"),
        shown.clone(),
        one(),
        shown,
        again("SET"),
        again("SET"),
        again("UPDATE 0"),
        again("UPDATE 0"),
        again(""),
        again(""),
        one(),
        one(),
    ];
    let statements = vec!["x"; answers.len() - 1];
    let messages = format!("{}S", "PBE".repeat(statements.len()));
    for pieces in [usize::MAX, 100, 47, 26, 11, 1] {
        let mut engine = idle();
        let bytes = [answers.concat(), ready(b'T')].concat();
        let pieces: Vec<_> = bytes.chunks(pieces).map(<[u8]>::to_vec).collect();
        ask(&mut engine, batch(&statements), &messages, &pieces);
        let done = outcome(&mut engine);
        assert_eq!(
            done.batch,
            Tally { statements: 17, affected: 14, uncounted: true, ..Tally::default() }
        );
        assert_eq!(done.result.unwrap().tag.as_slice(), b"INSERT 0 1");
        // Nothing is left of the previous request.
        let answer = [again(""), one(), one(), ready(b'T')];
        ask(&mut engine, batch(&["x"; 3]), "PBEPBEPBES", &answer);
        let tally = Tally { statements: 3, affected: 2, uncounted: true, ..Tally::default() };
        assert_eq!(outcome(&mut engine).batch, tally);
    }
    let mut repeat = Repeat::new(b"x".as_slice().into(), 0);
    let again = [message(b'2', b""), complete("INSERT 0 1")].concat();
    for _ in 0..3 {
        repeat.end_row().unwrap();
    }
    let answer = [message(b'1', b""), again.repeat(3), ready(b'T')].concat();
    let mut engine = idle();
    ask(&mut engine, Request::repeat(repeat), "PBEBEBES", &[answer]);
    let tally = Tally { statements: 3, affected: 3, uncounted: false, ..Tally::default() };
    assert_eq!(outcome(&mut engine).batch, tally);
}

/// A statement with so many rows of parameters, none of them with a value, that keeps its rows. It
/// is parsed anew in front of each row that is listed.
fn kept(rows: usize, anew: &[usize]) -> (Request, String) {
    let mut repeat = Repeat::new(b"x".as_slice().into(), 0).keeping();
    let other = BoundStatement::new(b"y".as_slice().into(), Parameters::default());
    let mut messages = String::new();
    for row in 0..rows {
        if anew.contains(&row) {
            repeat.statement(&other).unwrap();
            messages.push_str("PDBE");
        } else {
            repeat.end_row().unwrap();
            messages.push_str(if row == 0 { "PDBE" } else { "BE" });
        }
    }
    messages.push('S');
    (Request::repeat(repeat), messages)
}

fn described(columns: Option<&[&str]>) -> Vec<u8> {
    let columns = columns.map_or_else(|| message(b'n', b""), row_description);
    [message(b'1', b""), message(b't', b"\0\0"), columns].concat()
}

#[test]
fn the_rows_of_all_runs_make_one_result() {
    let run = |values: &[&[u8]]| {
        let rows: Vec<_> = values.iter().map(|value| data_row(&[Some(value)])).collect();
        let tag = format!("INSERT 0 {}", values.len());
        [message(b'2', b""), rows.concat(), complete(&tag)].concat()
    };
    let answer = [
        described(Some(&["a"])),
        run(&[b"1"]),
        run(&[]),
        run(&[b"2", b"3"]),
        described(Some(&["a"])),
        run(&[b"4"]),
        ready(b'T'),
    ];
    let bytes = answer.concat();
    for pieces in [usize::MAX, 40, 7, 1] {
        let mut engine = idle();
        let pieces: Vec<_> = bytes.chunks(pieces).map(<[u8]>::to_vec).collect();
        let (request, messages) = kept(4, &[3]);
        ask(&mut engine, request, &messages, &pieces);
        let done = outcome(&mut engine);
        let tally = Tally { statements: 4, affected: 4, ..Tally::default() };
        assert!(done.batch == tally && done.error.is_none());
        assert_eq!(rows(&done), ["1", "2", "3", "4"].map(|value| vec![Some(value.to_owned())]));
        let result = done.result.unwrap();
        assert_eq!((result.kind, result.columns.unwrap().len()), (ResultKind::Tuples, 1));
        assert_eq!(result.tag.as_slice(), b"INSERT 0 1");
        assert!(engine.is_idle());
    }
}

#[test]
fn runs_that_return_nothing_leave_a_tag() {
    let run = [message(b'2', b""), complete("UPDATE 2")].concat();
    let (request, messages) = kept(2, &[]);
    let mut engine = idle();
    let answer = [described(None), run.clone(), run.clone(), ready(b'T')];
    ask(&mut engine, request, &messages, &answer);
    let done = outcome(&mut engine);
    assert_eq!(done.batch, Tally { statements: 2, affected: 4, ..Tally::default() });
    let result = done.result.unwrap();
    assert_eq!((result.kind, result.tag.as_slice()), (ResultKind::Command, &b"UPDATE 2"[..]));
    // A row has no place there.
    let (request, messages) = kept(1, &[]);
    engine.submit(request).unwrap();
    assert_eq!(kinds(&sent(&mut engine)), messages);
    engine.receive(&[described(None), message(b'2', b""), data_row(&[Some(b"1")])].concat());
    assert_eq!(engine.phase(), Phase::Failed);
}

#[test]
fn tables_of_different_columns_make_no_result() {
    let run =
        |row: &[Option<&[u8]>]| [message(b'2', b""), data_row(row), complete("SELECT 1")].concat();
    let (request, messages) = kept(2, &[1]);
    let mut engine = idle();
    let answer = [
        described(Some(&["a"])),
        run(&[Some(b"1")]),
        described(Some(&["a", "b"])),
        run(&[Some(b"1"), None]),
        ready(b'T'),
    ];
    ask(&mut engine, request, &messages, &answer);
    let done = outcome(&mut engine);
    assert_eq!(done.batch, Tally { statements: 2, affected: 2, mixed: true, ..Tally::default() });
    assert!(done.result.is_none() && done.error.is_none() && engine.is_idle());
}

#[test]
fn an_error_among_runs_leaves_no_rows() {
    let (request, messages) = kept(3, &[]);
    let mut engine = idle();
    let run = [message(b'2', b""), data_row(&[Some(b"1")])].concat();
    let answer = [
        described(Some(&["a"])),
        [run.clone(), complete("SELECT 1")].concat(),
        run,
        error("ERROR", "22012", "no"),
        ready(b'E'),
    ];
    ask(&mut engine, request, &messages, &answer);
    let done = outcome(&mut engine);
    assert_eq!(done.batch.statements, 1);
    assert!(done.error.is_some() && done.result.is_none());
    // Nothing is left of them.
    ask(&mut engine, Request::query(b"x".to_vec()), "Q", &[complete("SET"), ready(b'T')]);
    let result = outcome(&mut engine).result.unwrap();
    assert!(result.rows.is_empty() && result.columns.is_none());
}

#[test]
fn a_batch_ends_at_the_first_error() {
    for fails_at in 0..3 {
        let mut engine = idle();
        let mut answer = vec![message(b'1', b""), message(b'2', b""), complete("INSERT 0 1")];
        answer.extend([message(b'1', b""), message(b'2', b"")].into_iter().take(fails_at));
        answer.extend([error("ERROR", "22012", "no"), ready(b'E')]);
        ask(&mut engine, batch(&["a", "b", "c"]), "PBEPBEPBES", &answer);
        let done = outcome(&mut engine);
        assert_eq!(
            done.batch,
            Tally { statements: 1, affected: 1, uncounted: false, ..Tally::default() }
        );
        assert!(done.error.is_some() && done.result.is_none());
        assert!(engine.is_idle());
    }
    // If the BEGIN fails, nothing runs, and the Sync is already sent.
    let mut engine = idle_postgresql();
    let answer = [error("ERROR", "25001", "no"), ready(b'I')];
    ask(&mut engine, batch(&["a"]).begin(BEGIN), "PBEPBES", &answer);
    assert_eq!(outcome(&mut engine).batch, Tally::default());
    assert!(engine.out().is_empty());
}
