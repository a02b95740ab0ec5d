//! The engine with a real server, over a plain TCP connection.
//!
//! `PSYCOXIDE_TEST_DSN="host=… port=… dbname=… user=… password=…"` names the server; without it
//! nothing is tested. If `PSYCOXIDE_RECORD` names a folder, the server's bytes are stored there as
//! input for the fuzzer.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the test is the driver: it connects"
)]

mod common;
#[path = "../../../fuzz/src/play.rs"]
#[allow(dead_code)]
mod play;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use common::{one, parameters, rows};
use psycoxide_proto::{
    Engine, Error, Event, Extended, Outcome, ProtocolVersion, Request, ResultKind, Secret, Startup,
    TransactionStatus, Written,
};

struct Session {
    engine: Engine,
    stream: TcpStream,
    /// Everything that the server has sent.
    heard: Vec<u8>,
}

fn option<'a>(dsn: &'a str, name: &str) -> Option<&'a str> {
    dsn.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

impl Session {
    /// Connects and opens the session. `None` if no server is named.
    fn open(change: impl FnOnce(&mut Startup)) -> Option<Session> {
        let dsn = std::env::var("PSYCOXIDE_TEST_DSN").ok()?;
        // Only a host name is understood here, neither a socket's folder nor a URI.
        let host = option(&dsn, "host").filter(|host| !host.starts_with('/'))?;
        let port = option(&dsn, "port").unwrap_or("5432");
        let user = option(&dsn, "user")?;
        let mut startup = Startup::new(user.as_bytes(), play::NONCE.to_owned());
        startup.password = option(&dsn, "password").map(Secret::from);
        for (name, value) in [("database", option(&dsn, "dbname")?), ("client_encoding", "UTF8")] {
            startup.parameters.push((name.into(), value.into()));
        }
        change(&mut startup);
        let stream = TcpStream::connect(format!("{host}:{port}")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut session = Session { engine: Engine::new(startup), stream, heard: Vec::new() };
        let outcome = session.finish();
        assert_eq!(outcome, Outcome::default(), "{:?}", session.engine.error());
        Some(session)
    }

    /// Sends and reads until there is an event.
    fn event(&mut self) -> Event {
        loop {
            while self.engine.work() {}
            let count = self.stream.write(self.engine.out()).unwrap();
            self.engine.sent(count);
            if let Some(event) = self.engine.poll_event() {
                return event;
            }
            assert_eq!(self.engine.error(), None);
            if self.engine.out().is_empty() {
                let space = self.engine.space();
                let count = self.stream.read(space).unwrap();
                self.heard.extend_from_slice(&space[..count]);
                match count {
                    0 => self.engine.receive_eof(),
                    _ => self.engine.filled(count),
                }
            }
        }
    }

    fn finish(&mut self) -> Outcome {
        match self.event() {
            Event::Done(outcome) => outcome,
            other => panic!("{other:?}"),
        }
    }

    fn run(&mut self, request: Request) -> Outcome {
        self.engine.submit(request).unwrap();
        self.finish()
    }

    fn query(&mut self, sql: &str) -> Outcome {
        self.run(Request::query(sql.into()))
    }

    /// Stores the server's bytes from byte `from` on.
    fn record(&self, name: &str, choice: u8, from: usize) {
        if let Ok(folder) = std::env::var("PSYCOXIDE_RECORD") {
            let head = [choice, 0];
            let input = [&head, &self.heard[from..]].concat();
            std::fs::write(format!("{folder}/recorded-{name}"), input).unwrap();
        }
    }
}

fn state(outcome: &Outcome) -> Option<&str> {
    outcome.error.as_ref()?.sqlstate()
}

#[test]
fn a_session_opens_and_answers() {
    let Some(mut session) = Session::open(|_| {}) else { return };
    assert_eq!(session.engine.parameter("client_encoding"), Some(&b"UTF8"[..]));
    assert!(session.engine.cancel_key().is_some());
    let outcome = session.query("SELECT 1, NULL, 'é'");
    let expected = [Some("1".to_owned()), None, Some("é".to_owned())];
    assert_eq!(rows(&outcome), [expected]);
    session.record("scram", 0x80, 0);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let Some(mut session) = Session::open(|_| {}) else { return };
    // A server that has answered the extended protocol may get a BEGIN with a statement.
    session.run(Request::close_statement(b"s".to_vec()));
    let requests = || {
        let query = |sql: &str| Request::query(sql.into());
        let statement = |sql: &str| Request::statement(sql.into());
        [
            query("SELECT 1"),
            statement("SELECT 2").begin(b"BEGIN"),
            query("SELECT 1/0"),
            query("SELECT 3"),
            query("ROLLBACK"),
            statement("SELECT 4"),
            query("CREATE TEMP TABLE p (a int)"),
            query("COPY p TO STDOUT"),
            query("SELECT 5"),
        ]
    };
    for request in requests() {
        assert!(session.engine.accepts_pipelined());
        session.engine.submit(request.pipelined()).unwrap();
    }
    let mut seen = Vec::new();
    while session.engine.requests_in_flight() > 0 {
        let Event::Done(outcome) = session.event() else { continue };
        seen.push(match &outcome.error {
            Some(_) => state(&outcome).unwrap().to_owned(),
            None => match rows(&outcome).first() {
                Some(row) => row[0].clone().unwrap(),
                None => String::from_utf8(outcome.result.unwrap().tag.to_vec()).unwrap(),
            },
        });
    }
    let begun = session.engine.pipelines();
    let failed = if begun { "25P02" } else { "3" };
    let expected = ["1", "2", "22012", failed, "ROLLBACK", "4", "CREATE TABLE", "COPY 0", "5"];
    assert_eq!(seen, expected);
    assert!(session.engine.is_idle());
}

#[test]
fn a_group_ends_at_its_first_error() {
    let Some(mut session) = Session::open(|_| {}) else { return };
    session.query("CREATE TEMP TABLE g (a int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED)");
    let statement =
        |sql: &str| Extended { sql: Some(sql.into()), closes: true, ..Extended::default() };
    session.run(Request::extended(statement("SELECT 1")));
    let pipelines = session.engine.pipelines();
    let run = |session: &mut Session, texts: &[&str], begins: bool| -> Vec<String> {
        for (number, sql) in texts.iter().enumerate() {
            let request = Request::unsynced(statement(sql));
            let begin = begins && number == 0;
            session.engine.submit(if begin { request.begin(b"BEGIN") } else { request }).unwrap();
        }
        session.engine.submit(Request::sync()).unwrap();
        let outcomes = (0..=texts.len()).map(|_| match session.finish() {
            outcome if outcome.skipped => "skipped".to_owned(),
            outcome if outcome.error.is_some() => state(&outcome).unwrap().to_owned(),
            Outcome { result: Some(result), .. } => String::from_utf8(result.tag.to_vec()).unwrap(),
            _ => "sync".to_owned(),
        });
        outcomes.collect()
    };
    let (insert, wrong) = ("INSERT INTO g VALUES (1)", "SELECT 1/0");
    let seen = run(&mut session, &[insert, "SELECT 5", wrong, insert, "SELEC"], false);
    assert_eq!(seen, ["INSERT 0 1", "SELECT 1", "22012", "skipped", "skipped", "sync"]);
    assert_eq!(rows(&session.query("SELECT count(*) FROM g")), [[Some("0".to_owned())]]);
    let seen = run(&mut session, &[insert, insert], false);
    assert_eq!(seen, ["INSERT 0 1", "INSERT 0 1", "23505"]);
    assert!(session.engine.is_idle());
    if pipelines {
        let seen = run(&mut session, &[insert, "SELECT 5"], true);
        assert_eq!(seen, ["INSERT 0 1", "SELECT 1", "sync"]);
        assert_eq!(session.engine.transaction_status(), TransactionStatus::InTransaction);
        let seen = run(&mut session, &[wrong, insert], false);
        assert_eq!(seen, ["22012", "skipped", "sync"]);
        assert_eq!(session.engine.transaction_status(), TransactionStatus::InError);
    }
}

/// A COPY FROM that the caller promised not to send.
#[test]
fn a_pipelined_copy_from_ends_in_an_error() {
    let copy = || Request::query(b"COPY p FROM STDIN".to_vec()).pipelined();
    let Some(mut session) = Session::open(|_| {}) else { return };
    session.query("CREATE TEMP TABLE p (a int)");
    assert_eq!(state(&session.run(copy())), Some("57014"));
    assert_eq!(rows(&session.query("SELECT 1")), [[Some("1".to_owned())]]);
    // A server that gets anything else instead of data ends the session.
    session.engine.submit(copy()).unwrap();
    session.engine.submit(Request::query(b"SELECT 1".to_vec()).pipelined()).unwrap();
    session.stream.write_all(session.engine.out()).unwrap();
    let mut heard = Vec::new();
    session.stream.read_to_end(&mut heard).unwrap();
    session.engine.receive(&heard);
    assert!(matches!(session.engine.error(), Some(Error::Violation(_))));
    assert_eq!(session.engine.poll_event(), None);
}

#[test]
fn dates_are_made_iso() {
    let set = |startup: &mut Startup| {
        startup.parameters.push((b"datestyle".to_vec(), b"German".to_vec()));
    };
    let Some(mut session) = Session::open(set) else { return };
    let style = session.query("SHOW datestyle");
    assert_eq!(rows(&style), [[Some("ISO, DMY".to_owned())]]);
    session.record("datestyle", 0x80, 0);
}

#[test]
fn the_newest_protocol_is_asked_for() {
    let ask = |startup: &mut Startup| startup.protocol = ProtocolVersion::V3_2;
    let Some(mut session) = Session::open(ask) else { return };
    let number: u32 =
        rows(&session.query("SHOW server_version_num"))[0][0].as_ref().unwrap().parse().unwrap();
    let (version, key) = match number {
        180_000.. => (ProtocolVersion::V3_2, 32),
        _ => (ProtocolVersion::V3_0, 4),
    };
    assert_eq!(session.engine.protocol_version(), version);
    assert_eq!(session.engine.cancel_key().unwrap().secret.len(), key);
}

#[test]
fn a_begin_travels_along() {
    let Some(mut session) = Session::open(|_| {}) else { return };
    let from = session.heard.len();
    let outcome = session.run(Request::query(b"SELECT current_query()".to_vec()).begin(b"BEGIN"));
    assert_eq!(rows(&outcome), [[Some("SELECT current_query()".to_owned())]]);
    assert_eq!(session.engine.transaction_status(), TransactionStatus::InTransaction);
    session.record("begin", 1, from);
    session.query("ROLLBACK");

    // A BEGIN that fails: the statement after it is not run, and the session stays usable.
    let from = session.heard.len();
    let request = Request::query(b"CREATE TABLE must_not_exist ()".to_vec());
    let outcome = session.run(request.begin(b"BEGIN ISOLATION LEVEL NONSENSE"));
    assert_eq!(state(&outcome), Some("42601"));
    assert_eq!(session.engine.transaction_status(), TransactionStatus::Idle);
    session.record("begin-fails", 1, from);
    let outcome = session.query("SELECT to_regclass('must_not_exist')");
    assert_eq!(rows(&outcome), [[None]]);

    // The same before a function call and before the extended protocol.
    let outcome = session.run(Request::function(1, vec![]).begin(b"nonsense"));
    assert_eq!(state(&outcome), Some("42601"));
    let select = Extended { sql: Some(b"SELECT 1".to_vec()), ..Extended::default() };
    let outcome = session.run(Request::extended(select.clone()).begin(b"nonsense"));
    assert_eq!(state(&outcome), Some("42601"));
    let outcome = session.run(Request::extended(select).begin(b"BEGIN"));
    assert_eq!(rows(&outcome), [[Some("1".to_owned())]]);
    assert_eq!(session.engine.transaction_status(), TransactionStatus::InTransaction);

    // A query that fails after its BEGIN leaves a failed transaction.
    session.query("ROLLBACK");
    let outcome = session.run(Request::query(b"SELEC".to_vec()).begin(b"BEGIN"));
    assert_eq!(state(&outcome), Some("42601"));
    assert_eq!(outcome.error.unwrap().field(b'P'), Some(&b"1"[..]));
    assert_eq!(session.engine.transaction_status(), TransactionStatus::InError);
}

#[test]
fn several_results_and_errors() {
    let Some(mut session) = Session::open(|_| {}) else { return };
    let from = session.heard.len();
    let outcome = session.query("SELECT 1; DO 'BEGIN RAISE NOTICE ''n''; END'; SELECT 2, 3");
    assert_eq!(rows(&outcome)[0].len(), 2);
    assert_eq!(session.engine.take_notices().len(), 1);
    session.record("several", 0, from);
    let from = session.heard.len();
    let outcome = session.query("SELECT 10 / (10 - n) FROM generate_series(1, 20) n");
    assert_eq!((state(&outcome), &outcome.result), (Some("22012"), &None));
    session.record("error-in-rows", 0, from);
    assert_eq!(session.query("").result.unwrap().kind, ResultKind::Empty);
    let script = vec![b"SELECT 1".to_vec(), b"nonsense".to_vec(), b"SELECT 3".to_vec()];
    assert_eq!(state(&session.run(Request::script(script))), Some("42601"));
}

#[test]
fn the_extended_protocol() {
    let Some(mut session) = Session::open(|_| {}) else { return };
    let from = session.heard.len();
    let outcome = session.run(Request::extended(Extended {
        sql: Some(b"SELECT $1::int + 1, $2::text".to_vec()),
        parameters: parameters(&[Some((&[0, 0, 0, 41], Written::Binary)), None]),
        ..Extended::default()
    }));
    assert_eq!(rows(&outcome), [[Some("42".to_owned()), None]]);
    session.record("extended", 4, from);
    let from = session.heard.len();
    let sql = b"SELECT $1::int8".to_vec();
    let outcome = session.run(Request::prepare(b"s".to_vec(), sql, vec![]));
    let result = outcome.result.unwrap();
    assert_eq!((result.parameter_types, result.columns.unwrap().len()), (vec![20], 1));
    session.record("prepare", 6, from);
    let outcome = session.run(Request::extended(Extended {
        statement: b"s".to_vec(),
        parameters: one(b"7"),
        result_formats: vec![1],
        ..Extended::default()
    }));
    let result = outcome.result.unwrap();
    let row = result.rows.next_row(&mut result.rows.start()).unwrap();
    assert_eq!(row.fields().next(), Some(Some(&7_u64.to_be_bytes()[..])));
    assert_eq!(result.columns.unwrap()[0].format, 1);
    assert_eq!(session.run(Request::close_statement(b"s".to_vec())).error, None);

    let copy = Extended { sql: Some(b"COPY (SELECT 1) TO STDOUT".to_vec()), ..Extended::default() };
    session.engine.submit(Request::extended(copy)).unwrap();
    assert!(matches!(session.event(), Event::CopyOut(_)));
    assert_eq!(session.event(), Event::CopyData(b"1\n".to_vec()));
    assert_eq!(session.finish().result.unwrap().affected(), Some(1));

    session.query("CREATE TEMP TABLE x (a int UNIQUE DEFERRABLE INITIALLY DEFERRED)");
    let copy = Extended { sql: Some(b"COPY x FROM STDIN".to_vec()), ..Extended::default() };
    assert_eq!(state(&session.run(Request::extended(copy))), Some("57014"));
    // The implicit COMMIT fails at Sync, after the CommandComplete.
    let sql = b"INSERT INTO x VALUES (1), (1)".to_vec();
    let insert = Extended { sql: Some(sql), ..Extended::default() };
    let outcome = session.run(Request::extended(insert));
    assert_eq!((state(&outcome), &outcome.result), (Some("23505"), &None));
    assert_eq!(session.query("SELECT FROM x").result.unwrap().rows.len(), 0);
}

#[test]
fn a_function_call() {
    let Some(mut session) = Session::open(|_| {}) else { return };
    let oid = rows(&session.query("SELECT 'int4pl'::regproc::oid"))[0][0].clone().unwrap();
    let from = session.heard.len();
    let args = vec![40_i32.to_be_bytes().to_vec(), 2_i32.to_be_bytes().to_vec()];
    let request = Request::function(oid.parse().unwrap(), args).begin(b"BEGIN");
    let result = session.run(request).result.unwrap();
    assert_eq!(result.function_value, Some(Some(42_i32.to_be_bytes().to_vec())));
    session.record("function", 3, from);
    assert_eq!(state(&session.run(Request::function(0, vec![]))), Some("42883"));
}

#[test]
fn copies() {
    let Some(mut session) = Session::open(|_| {}) else { return };
    session.query("CREATE TEMP TABLE t (a int, b text)");
    let from = session.heard.len();
    session.engine.submit(Request::query(b"COPY t FROM STDIN".to_vec())).unwrap();
    assert!(matches!(session.event(), Event::CopyIn(_)));
    for n in 0..1000 {
        session.engine.copy_chunk(format!("{n}\tline {n}\n").as_bytes()).unwrap();
    }
    session.engine.copy_done().unwrap();
    assert_eq!(session.finish().result.unwrap().affected(), Some(1000));
    session.record("copy-in", 0, from);

    let from = session.heard.len();
    session.engine.submit(Request::query(b"COPY t TO STDOUT".to_vec())).unwrap();
    assert!(matches!(session.event(), Event::CopyOut(_)));
    let mut lines = 0;
    let outcome = loop {
        match session.event() {
            Event::CopyData(block) => lines += block.iter().filter(|byte| **byte == b'\n').count(),
            Event::Done(outcome) => break outcome,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((lines, outcome.result.unwrap().affected()), (1000, Some(1000)));
    session.record("copy-out", 0, from);

    // The server refuses a line; then the driver itself gives up.
    session.engine.submit(Request::query(b"COPY t FROM STDIN".to_vec())).unwrap();
    session.event();
    session.engine.copy_chunk(b"not a number\tx\n").unwrap();
    session.engine.copy_done().unwrap();
    assert_eq!(state(&session.finish()), Some("22P02"));
    session.engine.submit(Request::query(b"COPY t FROM STDIN".to_vec())).unwrap();
    session.event();
    session.engine.copy_fail(b"because").unwrap();
    assert_eq!(state(&session.finish()), Some("57014"));
    assert_eq!(session.query("SELECT FROM t").result.unwrap().rows.len(), 1000);
}

#[test]
fn a_large_result() {
    let Some(mut session) = Session::open(|_| {}) else { return };
    let outcome = session.query(
        "SELECT n, repeat('x', n % 100), NULLIF(n % 3, 0) FROM generate_series(1, 200000) n",
    );
    let result = outcome.result.unwrap();
    assert_eq!((result.rows.len(), result.affected()), (200_000, Some(200_000)));
    let mut position = result.rows.start();
    for n in 1_usize..=200_000 {
        let row = result.rows.next_row(&mut position).unwrap();
        let mut fields = row.fields();
        assert_eq!(fields.next(), Some(Some(n.to_string().as_bytes())));
        assert_eq!(fields.next().unwrap().unwrap().len(), n % 100);
        assert_eq!(fields.next().unwrap().is_none(), n % 3 == 0);
    }
    let value = session.query("SELECT repeat('y', 20000000)").result.unwrap();
    let row = value.rows.next_row(&mut value.rows.start()).unwrap();
    assert_eq!(row.fields().next().unwrap().unwrap().len(), 20_000_000);
    assert!(value.rows.memory() < 24_000_000, "{}", value.rows.memory());
}

#[test]
fn notifications_and_the_end() {
    let Some(mut session) = Session::open(|_| {}) else { return };
    let from = session.heard.len();
    let outcome = session.query("LISTEN chan; NOTIFY chan, 'pay'");
    assert_eq!(outcome.error, None);
    assert_eq!(session.query("SELECT 1").error, None);
    let notifications = session.engine.take_notifications();
    assert_eq!(notifications[0].payload, b"pay");
    assert_eq!(notifications[0].pid, session.engine.cancel_key().unwrap().pid);
    session.record("notify", 0, from);
    let outcome = session.query("SELECT pg_terminate_backend(pg_backend_pid())");
    assert_eq!(state(&outcome), Some("57P01"));
    let Some(Error::Terminated(Some(report))) = session.engine.error() else {
        panic!("{:?}", session.engine);
    };
    assert_eq!(report.sqlstate(), Some("57P01"));
}
