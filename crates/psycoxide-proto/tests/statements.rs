//! Statements that get names by themselves, against a model of a server.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use common::*;
use psycoxide_proto::{
    BoundStatement, Engine, Error, Event, Formats, Outcome, Parameters, Phase, PrepareWhen,
    Request, StatementSettings, TransactionStatus, Written,
};

use PrepareWhen::{Never, Now, Often};

const BEGIN: &[u8] = b"BEGIN";
const PROBE: &[u8] = b"SELECT pg_catalog.pg_backend_pid()";

/// A server that keeps prepared statements.
struct Server {
    /// What `pg_backend_pid()` returns; `None`: no row.
    pid: Option<&'static [u8]>,
    /// The statements that have a name, and whether their results have changed since.
    named: BTreeMap<Vec<u8>, (Vec<u8>, bool)>,
    /// The most statements with a name at any time.
    most: usize,
    unnamed: Vec<u8>,
    bound: Vec<u8>,
    status: u8,
    skipping: bool,
    /// Errors of the next messages of a type: SQLSTATE, and fields behind the message.
    errors: Vec<(char, &'static str, &'static str)>,
    columns: &'static [&'static str],
    /// All messages since this was looked at.
    heard: String,
    codes: Vec<i16>,
}

impl Server {
    fn new() -> Server {
        Server {
            pid: Some(b"7"),
            named: BTreeMap::new(),
            most: 0,
            unnamed: Vec::new(),
            bound: Vec::new(),
            status: b'I',
            skipping: false,
            errors: Vec::new(),
            columns: &["a"],
            heard: String::new(),
            codes: Vec::new(),
        }
    }

    /// The replies to these messages.
    fn hear(&mut self, mut bytes: &[u8]) -> Vec<u8> {
        let mut replies = Vec::new();
        while let [kind, a, b, c, d, rest @ ..] = bytes {
            let length = usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])).unwrap() - 4;
            let (body, rest) = rest.split_at(length);
            self.heard.push(char::from(*kind));
            if *kind == b'S' {
                self.skipping = false;
                replies.extend(ready(self.status));
            } else if !self.skipping {
                replies.extend(self.reply(char::from(*kind), body));
            }
            bytes = rest;
        }
        self.most = self.most.max(self.named.len());
        replies
    }

    fn reply(&mut self, kind: char, body: &[u8]) -> Vec<u8> {
        if let Some(at) = self.errors.iter().position(|(at, ..)| *at == kind) {
            let (_, state, fields) = self.errors.remove(at);
            return self.fail(state, fields);
        }
        if self.status == b'E' && "PBE".contains(kind) {
            return self.fail("25P02", "");
        }
        let mut strings = body.split(|byte| *byte == 0).map(<[u8]>::to_vec);
        let mut string = || strings.next().unwrap();
        match kind {
            'P' => {
                let (name, sql) = (string(), string());
                if sql == b"wrong" {
                    return self.fail("42601", "");
                }
                if name.is_empty() {
                    self.unnamed = sql;
                } else if self.named.insert(name, (sql, false)).is_some() {
                    return self.fail("42P05", "");
                }
                parsed()
            }
            'B' => {
                let (portal, name) = (string(), string());
                assert_eq!(portal, b"");
                self.bound = match self.named.get(&name) {
                    None if name.is_empty() => self.unnamed.clone(),
                    None => return self.fail("26000", ""),
                    Some((_, true)) => return self.fail("0A000", "RRevalidateCachedQuery\0"),
                    Some((sql, false)) => sql.clone(),
                };
                // One parameter of one byte at most: its codes and lengths are known.
                self.codes = formats_of(&body[name.len() + 2..]);
                bound()
            }
            'D' => match self.bound.starts_with(b"INSERT") {
                true => no_data(),
                false => self.description(),
            },
            'E' => self.execute(),
            'C' => {
                if body[0] == b'S' {
                    self.named.remove(&body[1..body.len() - 1]);
                }
                closed()
            }
            'Q' => {
                let mut reply = self.command(&string());
                // Only extended messages are skipped, up to the Sync.
                self.skipping = false;
                reply.extend(ready(self.status));
                reply
            }
            _ => panic!("{kind}"),
        }
    }

    fn description(&self) -> Vec<u8> {
        let mut message = row_description(self.columns);
        if let Some(code) = self.codes.first() {
            let end = message.len();
            message[end - 2..].copy_from_slice(&code.to_be_bytes());
        }
        message
    }

    fn execute(&mut self) -> Vec<u8> {
        let sql = self.bound.clone();
        if sql == PROBE {
            let row = self.pid.map(|pid| data_row(&[Some(pid)]));
            return [row.unwrap_or_default(), complete("SELECT 1")].concat();
        }
        if sql == BEGIN {
            return self.run(BEGIN);
        }
        if sql.starts_with(b"fail") {
            return self.fail("22012", "");
        }
        match sql.starts_with(b"INSERT") {
            true => complete("INSERT 0 1"),
            false => [data_row(&vec![Some(&b"x"[..]); self.columns.len()]), complete("SELECT 1")]
                .concat(),
        }
    }

    fn command(&mut self, sql: &[u8]) -> Vec<u8> {
        match sql {
            b"fail" => self.fail("22012", ""),
            _ if self.status == b'E' && sql != b"ROLLBACK" => self.fail("25P02", ""),
            sql => self.run(sql),
        }
    }

    /// A command whose text is its tag.
    fn run(&mut self, sql: &[u8]) -> Vec<u8> {
        match sql {
            b"BEGIN" => self.status = b'T',
            b"COMMIT" | b"ROLLBACK" => self.status = b'I',
            b"DISCARD ALL" | b"DEALLOCATE ALL" => self.named.clear(),
            _ => {}
        }
        complete(std::str::from_utf8(sql).unwrap())
    }

    fn fail(&mut self, state: &str, fields: &str) -> Vec<u8> {
        self.skipping = true;
        if self.status == b'T' {
            self.status = b'E';
        }
        message(b'E', format!("SERROR\0VERROR\0C{state}\0Mno\0{fields}\0").as_bytes())
    }

    /// Somebody else changes a table.
    fn change(&mut self) {
        self.named.values_mut().for_each(|(_, changed)| *changed = true);
    }

    fn heard(&mut self) -> String {
        std::mem::take(&mut self.heard)
    }
}

/// The formats of columns in a Bind with at most one parameter, behind its names.
fn formats_of(rest: &[u8]) -> Vec<i16> {
    let word = |at: usize| i16::from_be_bytes([rest[at], rest[at + 1]]);
    let mut at = 2 + 2 * usize::try_from(word(0)).unwrap();
    let values = word(at);
    at += 2;
    for _ in 0..values {
        let length = i32::from_be_bytes(rest[at..at + 4].try_into().unwrap());
        at += 4 + usize::try_from(length.max(0)).unwrap();
    }
    (0..usize::try_from(word(at)).unwrap()).map(|n| word(at + 2 + 2 * n)).collect()
}

/// A session with its server.
struct Session {
    engine: Engine,
    server: Server,
}

impl Session {
    fn new() -> Session {
        Session { engine: idle_postgresql(), server: Server::new() }
    }

    fn with(threshold: Option<u32>, max: usize) -> Session {
        let mut session = Session::new();
        session.engine.set_statement_settings(StatementSettings { threshold, max });
        session
    }

    /// One whose names are known to last.
    fn proven(threshold: Option<u32>, max: usize) -> Session {
        let mut session = Session::with(threshold, max);
        session.ask(now("proof"));
        assert_eq!(session.engine.statement_names_last(), Some(true));
        session.server.heard();
        session
    }

    /// The server hears what was sent, and its replies arrive.
    fn turn(&mut self) {
        let replies = self.server.hear(&sent(&mut self.engine));
        self.engine.receive(&replies);
    }

    fn take(&mut self) -> Outcome {
        match self.engine.poll_event() {
            Some(Event::Done(outcome)) => outcome,
            other => panic!("{other:?}, {:?}", self.engine),
        }
    }

    /// A request alone.
    fn ask(&mut self, request: Request) -> Outcome {
        self.engine.submit(request).unwrap();
        self.turn();
        let outcome = self.take();
        assert!(self.engine.is_idle());
        outcome
    }

    /// The messages of a request that succeeds.
    fn messages(&mut self, request: Request) -> String {
        self.server.heard();
        let outcome = self.ask(request);
        assert!(outcome.error.is_none(), "{outcome:?}");
        self.server.heard()
    }

    /// The messages of a request that fails, its SQLSTATE, and whether it was the name's fault.
    fn failure(&mut self, request: Request) -> (String, String, bool) {
        self.server.heard();
        let outcome = self.ask(request);
        let state = state(&outcome).expect("an error").to_owned();
        (self.server.heard(), state, outcome.again)
    }

    fn named(&self) -> usize {
        self.engine.named_statements()
    }

    /// The texts of the statements that the server has under a name.
    fn texts(&self) -> BTreeSet<String> {
        let texts = self.server.named.values().map(|(sql, _)| sql.clone());
        texts.map(|sql| String::from_utf8(sql).unwrap()).collect()
    }
}

fn state(outcome: &Outcome) -> Option<&str> {
    outcome.error.as_ref()?.sqlstate()
}

fn statement(sql: &str) -> Arc<BoundStatement> {
    Arc::new(BoundStatement::new(sql.as_bytes().into(), one(b"1")))
}

fn ask(sql: &str, prepare: PrepareWhen) -> Request {
    Request::bound(statement(sql), prepare, None)
}

fn often(sql: &str) -> Request {
    ask(sql, Often)
}

fn now(sql: &str) -> Request {
    ask(sql, Now)
}

fn unsynced(sql: &str, prepare: PrepareWhen) -> Request {
    Request::unsynced_bound(statement(sql), prepare)
}

fn query(sql: &str) -> Request {
    Request::query(sql.as_bytes().to_vec())
}

/// Parsed and run; named; run under its name with a description; the same when that is known.
const UNNAMED: &str = "PBDES";
const KNOWN: &str = "BES";

// ---- how it is sent ----------------------------------------------------------------------------

#[test]
fn the_sixth_run_has_a_name_and_the_seventh_knows_its_columns() {
    let mut session = Session::new();
    let runs: Vec<String> = (0..8).map(|_| session.messages(often("SELECT"))).collect();
    let probe = "PBEPBDES";
    assert_eq!(runs, [UNNAMED, UNNAMED, UNNAMED, UNNAMED, probe, UNNAMED, KNOWN, KNOWN]);
    assert_eq!((session.named(), session.server.named.len()), (1, 1));
    let (name, _) = session.server.named.first_key_value().unwrap();
    assert!(name.starts_with(b"_px_") && name.len() == 36);
}

#[test]
fn each_run_has_its_result() {
    let mut session = Session::with(Some(1), 10);
    for _ in 0..5 {
        let outcome = session.ask(often("SELECT"));
        assert_eq!(rows(&outcome), [[Some("x".to_owned())]]);
        let result = outcome.result.unwrap();
        assert_eq!(result.columns.unwrap()[0].name, b"a");
        let result = session.ask(often("INSERT")).result.unwrap();
        assert_eq!((result.affected(), result.columns), (Some(1), None));
    }
    assert_eq!(session.named(), 2);
}

#[test]
fn thresholds() {
    for (threshold, first) in [(0, 1), (1, 1), (2, 2), (3, 3), (5, 5)] {
        let mut session = Session::with(Some(threshold), 10);
        for run in 0..8 {
            assert_eq!(session.named(), usize::from(run > first), "{threshold}, {run}");
            session.ask(often("SELECT"));
        }
        // The question has been answered: the threshold is exact.
        for run in 0..8 {
            let named = session.named() - 1;
            assert_eq!(named, usize::from(run > threshold), "{threshold}, {run}");
            session.ask(often("SELECT 2"));
        }
    }
    let mut session = Session::with(None, 10);
    for _ in 0..8 {
        assert_eq!(session.messages(often("SELECT")), UNNAMED);
    }
    assert_eq!(session.messages(now("SELECT")), "PBEPBDES");
    assert_eq!(session.messages(now("SELECT")), UNNAMED);
    assert_eq!(session.messages(now("SELECT")), KNOWN);
}

#[test]
fn never_and_now() {
    let mut session = Session::proven(Some(5), 10);
    assert_eq!(session.messages(now("SELECT")), UNNAMED);
    assert_eq!(session.named(), 1);
    assert_eq!(session.messages(ask("SELECT", Never)), UNNAMED);
    assert_eq!(session.messages(often("SELECT")), KNOWN);
    for _ in 0..10 {
        assert_eq!(session.messages(ask("SELECT 2", Never)), UNNAMED);
    }
    assert_eq!(session.messages(often("SELECT 2")), UNNAMED);
    assert_eq!(session.named(), 1);
}

#[test]
fn types_tell_statements_apart() {
    let mut session = Session::proven(Some(0), 10);
    for oid in [23, 20, 0] {
        let mut parameters = Parameters::default();
        parameters.push(oid, Some((b"1", Written::Text)));
        let statement = Arc::new(BoundStatement::new(b"SELECT"[..].into(), parameters));
        assert_eq!(session.messages(Request::bound(statement, Often, None)), UNNAMED);
    }
    assert_eq!((session.named(), session.server.named.len()), (3, 3));
}

#[test]
fn portals_are_closed_where_a_transaction_stays_open() {
    let mut session = Session::proven(Some(0), 10);
    assert_eq!(session.messages(often("SELECT").begin(BEGIN)), "PBEPBDECS");
    assert_eq!(session.messages(often("SELECT")), "BECS");
    assert_eq!(session.messages(often("INSERT")), "PBDECS");
    assert_eq!(session.messages(often("INSERT")), "BECS");
    assert_eq!(session.messages(ask("SELECT", Never)), "PBDECS");
    session.ask(query("COMMIT"));
    assert_eq!(session.messages(often("SELECT")), KNOWN);
    assert_eq!(session.messages(ask("SELECT", Never)), UNNAMED);
}

#[test]
fn formats_count_once_the_columns_are_known() {
    let mut session = Session::proven(Some(0), 10);
    let statement = statement("SELECT");
    let none = || Request::bound(Arc::clone(&statement), Often, None);
    assert!(session.engine.known_columns(&statement).is_none());
    session.ask(none());
    let known = Arc::clone(session.engine.known_columns(&statement).unwrap());
    let formats = Arc::new(Formats::new(Arc::clone(&known), vec![1]));
    let outcome = session.ask(Request::bound(Arc::clone(&statement), Often, Some(formats.clone())));
    assert_eq!(outcome.result.unwrap().columns.unwrap()[0].format, 1);
    assert_eq!(session.server.codes, [1]);
    // Formats for other columns do not count, even if they look the same.
    let other = Arc::new((*known).clone());
    let other = Arc::new(Formats::new(other, vec![1]));
    let outcome = session.ask(Request::bound(Arc::clone(&statement), Often, Some(other)));
    assert_eq!(outcome.result.unwrap().columns.unwrap()[0].format, 0);
    assert_eq!(session.server.codes, []);
    session.ask(query("ALTER TABLE"));
    session.ask(Request::bound(Arc::clone(&statement), Often, Some(formats)));
    assert_eq!(session.server.codes, []);
}

/// The server describes a portal with the formats that were asked for. The next run may ask for others.
#[test]
fn forced_formats_count_without_a_name_and_do_not_stick() {
    let mut session = Session::proven(Some(1), 10);
    let statement = statement("SELECT");
    let described = session.ask(often("other")).result.unwrap().columns.unwrap();
    let formats = Arc::new(Formats::new(described, vec![1]));
    for _ in 0..4 {
        let request = Request::bound_in(Arc::clone(&statement), Often, Arc::clone(&formats));
        let outcome = session.ask(request);
        assert_eq!(session.server.codes, [1]);
        assert_eq!(outcome.result.unwrap().columns.unwrap()[0].format, 1);
    }
    assert_eq!(session.engine.known_columns(&statement).unwrap()[0].format, 0);
    let outcome = session.ask(often("SELECT"));
    assert_eq!(session.server.codes, []);
    assert_eq!(outcome.result.unwrap().columns.unwrap()[0].format, 0);
}

// ---- how many ----------------------------------------------------------------------------------

#[test]
fn the_one_that_was_not_used_for_longest_makes_room() {
    let mut session = Session::proven(Some(0), 3);
    for sql in ["a", "b", "c", "a"] {
        session.ask(often(sql));
    }
    assert_eq!(session.texts(), ["a", "b", "c"].map(str::to_owned).into());
    assert_eq!(session.messages(often("d")), "CPBDES");
    assert_eq!(session.texts(), ["a", "c", "d"].map(str::to_owned).into());
    assert_eq!(session.messages(often("a")), KNOWN);
    for n in 0..500 {
        session.ask(often(&n.to_string()));
        session.ask(often("a"));
    }
    assert_eq!((session.server.most, session.named()), (3, 3));
    assert_eq!(session.messages(often("a")), KNOWN);
}

#[test]
fn none_and_one() {
    let mut session = Session::with(Some(0), 0);
    for prepare in [Often, Now, Often, Now] {
        assert_eq!(session.messages(ask("SELECT", prepare)), UNNAMED);
    }
    assert_eq!(session.named(), 0);
    let mut session = Session::proven(Some(0), 1);
    for sql in ["a", "b", "a", "a", "b"] {
        session.ask(often(sql));
    }
    assert_eq!((session.server.most, session.named()), (1, 1));
}

/// Statements that lose their names because fewer are allowed are closed, too.
#[test]
fn fewer_names_from_now_on() {
    for max in [0, 1, 2] {
        let mut session = Session::proven(Some(0), 10);
        for n in 0..9 {
            session.ask(often(&n.to_string()));
        }
        assert_eq!(session.server.named.len(), 9);
        session.engine.set_statement_settings(StatementSettings { threshold: Some(0), max });
        assert_eq!(session.named(), max);
        session.ask(ask("SELECT", Never));
        assert_eq!(session.server.named.len(), max);
        for n in 0..9 {
            session.ask(often(&n.to_string()));
            assert!(session.server.named.len() <= max);
        }
    }
}

#[test]
fn what_is_counted_is_bounded() {
    let mut session = Session::with(Some(1), 10);
    session.ask(often("old"));
    for n in 0..5000 {
        session.ask(ask(&n.to_string(), Often));
    }
    // It was forgotten that this one has run before.
    assert_eq!(session.messages(often("old")), UNNAMED);
    assert_eq!(session.named(), 0);
    session.ask(often("old"));
    assert_eq!(session.named(), 1);
}

#[test]
fn all_are_getting_their_names() {
    let mut session = Session::proven(Some(0), 1);
    session.ask(query("DISCARD ALL"));
    for sql in ["a", "b", "c"] {
        session.engine.submit(often(sql).pipelined()).unwrap();
    }
    session.turn();
    for _ in 0..3 {
        assert!(session.take().error.is_none());
    }
    assert_eq!((session.named(), session.server.most), (1, 1));
}

// ---- poolers -----------------------------------------------------------------------------------

#[test]
fn names_are_given_only_where_they_last() {
    for pid in [Some(&b"8"[..]), Some(b"garbage"), Some(b""), Some(b"99999999999999"), None] {
        let mut session = Session::with(Some(0), 10);
        session.server.pid = pid;
        assert_eq!(session.messages(often("SELECT")), "PBEPBDES");
        assert_eq!(session.engine.statement_names_last(), Some(false));
        for prepare in [Often, Now, Never, Often] {
            assert_eq!(session.messages(ask("SELECT", prepare)), UNNAMED);
        }
        assert_eq!(session.named(), 0);
    }
}

#[test]
fn a_question_that_fails_is_not_asked_again_and_the_statement_is() {
    for kind in ['P', 'B', 'E'] {
        let mut session = Session::with(Some(0), 10);
        session.server.errors.push((kind, "42501", ""));
        let (messages, state, again) = session.failure(often("SELECT"));
        assert_eq!((messages.as_str(), state.as_str(), again), ("PBEPBDES", "42501", true));
        assert_eq!(session.engine.statement_names_last(), Some(false));
        assert_eq!(session.messages(often("SELECT")), UNNAMED);
    }
}

/// Errors that say nothing of the peer do not end names for good.
#[test]
fn a_question_that_was_not_answered_is_asked_again() {
    // In a transaction that has failed none is asked.
    let mut session = Session::with(Some(0), 10);
    session.ask(query("BEGIN"));
    session.ask(query("fail"));
    assert_eq!(session.failure(often("SELECT")), ("PBDECS".into(), "25P02".into(), false));
    session.ask(query("ROLLBACK"));
    assert_eq!(session.engine.statement_names_last(), None);
    assert_eq!(session.messages(often("SELECT")), "PBEPBDES");
    // A cancel request.
    let mut session = Session::with(Some(0), 10);
    session.server.errors.push(('E', "57014", ""));
    assert_eq!(session.failure(often("SELECT")), ("PBEPBDES".into(), "57014".into(), false));
    assert_eq!(session.messages(often("SELECT")), "PBEPBDES");
    // It fails behind a statement of the same transaction.
    let mut session = Session::with(Some(0), 10);
    session.ask(query("BEGIN"));
    session.engine.submit(query("fail").pipelined()).unwrap();
    session.engine.submit(often("SELECT").pipelined()).unwrap();
    session.turn();
    assert_eq!(state(&session.take()), Some("22012"));
    assert_eq!(state(&session.take()), Some("25P02"));
    session.ask(query("ROLLBACK"));
    assert_eq!(session.messages(often("SELECT")), "PBEPBDES");
    // The BEGIN in front of it fails.
    let mut session = Session::with(Some(0), 10);
    session.server.errors.push(('E', "0A000", ""));
    let (messages, state, again) = session.failure(often("SELECT").begin(BEGIN));
    assert_eq!((messages.as_str(), state.as_str(), again), ("PBEPBEPBDECS", "0A000", false));
    assert_eq!(session.messages(often("SELECT").begin(BEGIN)), "PBEPBEPBDECS");
    // The statement itself fails.
    let mut session = Session::with(Some(0), 10);
    assert_eq!(session.failure(often("fail")), ("PBEPBDES".into(), "22012".into(), false));
    assert_eq!(session.engine.statement_names_last(), Some(true));
}

#[test]
fn only_peers_that_report_what_postgresql_reports_are_asked() {
    for engine in [idle(), idle_reporting()] {
        let mut session = Session { engine, server: Server::new() };
        for _ in 0..10 {
            assert_eq!(session.messages(now("SELECT")), UNNAMED);
        }
        assert_eq!((session.named(), session.engine.statement_names_last()), (0, Some(false)));
    }
}

#[test]
fn one_question_at_a_time() {
    let mut session = Session::with(Some(0), 10);
    for sql in ["a", "b", "c"] {
        session.engine.submit(often(sql).pipelined()).unwrap();
    }
    session.turn();
    assert_eq!(session.server.heard(), "PBEPBDESPBDESPBDES");
    (0..3).for_each(|_| drop(session.take()));
    assert_eq!(session.messages(often("a")), UNNAMED);
    assert_eq!(session.named(), 1);
}

// ---- errors of names ---------------------------------------------------------------------------

#[test]
fn a_name_that_exists_is_the_same_statement() {
    let mut session = Session::proven(Some(0), 10);
    session.server.errors.push(('P', "42P05", ""));
    assert_eq!(session.failure(often("SELECT")), ("PBDES".into(), "42P05".into(), true));
    assert_eq!(session.named(), 1);
    // This server does not have it after all.
    assert_eq!(session.failure(often("SELECT")), ("BDES".into(), "26000".into(), true));
    assert_eq!(session.messages(often("SELECT")), UNNAMED);
    assert_eq!(session.messages(often("SELECT")), KNOWN);
}

/// There may be a pooler that has announced the process of a server, and has gone on to another one.
#[test]
fn names_that_are_gone_again_and_again_are_given_up() {
    let mut session = Session::proven(Some(0), 10);
    session.ask(often("a"));
    session.ask(often("b"));
    session.ask(often("c"));
    session.server.named.clear();
    assert_eq!(session.failure(often("a")), ("BES".into(), "26000".into(), true));
    assert_eq!(session.engine.statement_names_last(), Some(true));
    assert_eq!(session.failure(often("b")), ("BES".into(), "26000".into(), true));
    assert_eq!((session.named(), session.engine.statement_names_last()), (0, None));
    assert_eq!(session.messages(often("b")), "PBECPBDES");
    assert_eq!(session.engine.statement_names_last(), Some(true));
    assert_eq!(session.messages(often("b")), UNNAMED);
    assert_eq!(session.messages(often("b")), KNOWN);
}

#[test]
fn a_statement_that_is_gone_or_has_changed_is_parsed_again() {
    let mut session = Session::proven(Some(0), 10);
    session.ask(often("SELECT"));
    session.server.named.clear();
    assert_eq!(session.failure(often("SELECT")), ("BES".into(), "26000".into(), true));
    assert_eq!(session.messages(often("SELECT")), UNNAMED);
    assert_eq!(session.messages(often("SELECT")), KNOWN);
    session.server.change();
    session.server.columns = &["b", "c"];
    assert_eq!(session.failure(often("SELECT")), ("BES".into(), "0A000".into(), true));
    let outcome = session.ask(often("SELECT"));
    assert_eq!(session.server.heard(), "CPBDES");
    assert_eq!(outcome.result.unwrap().columns.unwrap().len(), 2);
    assert_eq!(rows(&session.ask(often("SELECT")))[0].len(), 2);
    assert_eq!(session.server.named.len(), session.named());
}

/// Somebody has dropped the type of a parameter. Its context names the parameter.
#[test]
fn a_statement_whose_values_cannot_be_bound_is_parsed_again() {
    let mut session = Session::proven(Some(0), 10);
    session.ask(often("SELECT"));
    let error = ('B', "XX000", "Wunnamed portal parameter $1\0");
    session.server.errors.push(error);
    assert_eq!(session.failure(often("SELECT")), ("BES".into(), "XX000".into(), true));
    assert_eq!(session.messages(often("SELECT")), "CPBDES");
    // Not if it has just been parsed.
    session.server.errors.push(error);
    assert_eq!(session.failure(ask("SELECT", Never)), (UNNAMED.into(), "XX000".into(), false));
    // A value without a type may be right for the type that its place has by now.
    session.server.errors.push(('B', "22P02", "Wunnamed portal parameter $1\0"));
    assert_eq!(session.failure(often("SELECT")), ("BES".into(), "22P02".into(), true));
    assert_eq!(session.messages(often("SELECT")), "CPBDES");
}

#[test]
fn other_errors_are_the_programs() {
    let errors = [
        ("0A000", ""),
        ("0A000", "RExecSomething\0"),
        ("22012", "RRevalidateCachedQuery\0"),
        ("42P05", ""),
        ("XX000", ""),
        // Of a function.
        ("26000", "WPL/pgSQL function f()\0"),
        ("0A000", "WPL/pgSQL function f()\0RRevalidateCachedQuery\0"),
    ];
    for (state, fields) in errors {
        let mut session = Session::proven(Some(0), 10);
        session.ask(often("SELECT"));
        session.server.errors.push(('E', state, fields));
        assert_eq!(session.failure(often("SELECT")), ("BES".into(), state.into(), false));
        assert_eq!(session.messages(often("SELECT")), KNOWN, "{state} {fields}");
    }
}

#[test]
fn a_statement_that_cannot_be_parsed_gets_no_name() {
    let mut session = Session::proven(Some(0), 2);
    session.ask(often("SELECT"));
    for _ in 0..2000 {
        assert_eq!(session.failure(often("wrong")).1, "42601");
    }
    assert!(session.named() <= 1);
    assert_eq!(session.server.named.len(), session.named());
}

#[test]
fn a_statement_that_fails_has_its_name_all_the_same() {
    let mut session = Session::proven(Some(0), 10);
    assert_eq!(session.failure(often("fail")), (UNNAMED.into(), "22012".into(), false));
    assert_eq!(session.failure(often("fail")), ("BDES".into(), "22012".into(), false));
    assert_eq!(session.failure(often("fail")), ("BDES".into(), "22012".into(), false));
}

/// Runs that are under way when the first of them finds the name gone fail for the same reason.
#[test]
fn all_runs_under_way_may_be_sent_again() {
    for changed in [false, true] {
        let mut session = Session::proven(Some(0), 10);
        session.ask(often("SELECT"));
        let pipelined = || often("SELECT").pipelined();
        (0..4).for_each(|_| session.engine.submit(pipelined()).unwrap());
        match changed {
            true => session.server.change(),
            false => session.server.named.clear(),
        }
        session.turn();
        // Each is sent again as soon as its error is known.
        for _ in 0..4 {
            let outcome = session.take();
            assert!(outcome.again, "{outcome:?}");
            session.engine.submit(pipelined()).unwrap();
        }
        session.turn();
        for _ in 0..4 {
            assert!(session.take().error.is_none());
        }
        assert_eq!(session.messages(often("SELECT")), KNOWN);
        let names = session.texts().contains("SELECT");
        assert!(names && session.engine.is_idle());
    }
}

// ---- commands that change or forget statements -------------------------------------------------

#[test]
fn discarded_statements_are_parsed_again() {
    for command in ["DISCARD ALL", "DEALLOCATE ALL"] {
        let mut session = Session::proven(Some(5), 10);
        session.ask(now("SELECT"));
        session.ask(query(command));
        assert_eq!(session.named(), 0);
        // It has its runs behind it.
        assert_eq!(session.messages(often("SELECT")), UNNAMED);
        assert_eq!(session.named(), 1);
        assert_eq!(session.messages(often("SELECT")), KNOWN);
    }
}

/// What is sent behind the command fails, or gets its name afterwards.
#[test]
fn statements_in_flight_behind_a_discard() {
    let mut session = Session::proven(Some(0), 10);
    session.ask(often("old"));
    for request in [query("DISCARD ALL"), often("old"), often("new"), often("new")] {
        session.engine.submit(request.pipelined()).unwrap();
    }
    session.turn();
    assert!(session.take().error.is_none());
    let old = session.take();
    assert_eq!((state(&old), old.again), (Some("26000"), true));
    assert!(session.take().error.is_none() && session.take().error.is_none());
    assert_eq!(session.messages(often("new")), KNOWN);
    assert_eq!(session.messages(often("old")), UNNAMED);
    assert_eq!(session.messages(often("old")), KNOWN);
    assert_eq!(session.named(), session.server.named.len());
}

#[test]
fn commands_that_may_change_results() {
    let changes = ["ALTER TABLE", "CREATE TABLE", "DROP TYPE", "DISCARD TEMP", "SELECT 3"];
    for (commands, changed) in changes.iter().map(|command| (vec![*command], true)).chain([
        (vec!["SET search_path TO x"], true),
        (vec!["set SCHEMA 'x'"], true),
        (vec!["RESET ALL"], true),
        (vec!["RESET search_path"], true),
        (vec!["SET x"], false),
        (vec!["UPDATE 1"], false),
        (vec!["BEGIN", "ROLLBACK"], false),
        (vec!["BEGIN", "COMMIT"], false),
        (vec!["BEGIN", "ALTER TABLE", "SELECT", "ROLLBACK"], true),
        (vec!["ALTER TABLE", "SELECT", "BEGIN", "ROLLBACK"], false),
        (vec!["BEGIN", "ALTER TABLE", "SELECT", "COMMIT", "BEGIN", "ROLLBACK"], false),
    ]) {
        let mut session = Session::proven(Some(0), 10);
        session.ask(often("SELECT"));
        for command in &commands {
            match *command {
                "SELECT" => session.ask(often("SELECT")),
                command => session.ask(query(command)),
            };
        }
        let expected = if changed { "CPBDES" } else { KNOWN };
        assert_eq!(session.messages(often("SELECT")), expected, "{commands:?}");
        assert_eq!(session.messages(often("SELECT")), KNOWN);
        assert_eq!(session.named(), session.server.named.len());
    }
}

/// The transaction may have changed tables before there was any name to outdate.
#[test]
fn the_first_name_is_given_in_a_transaction_that_is_rolled_back() {
    let mut session = Session::proven(Some(0), 10);
    session.ask(query("DISCARD ALL"));
    session.ask(query("BEGIN"));
    session.ask(query("ALTER TABLE"));
    session.ask(often("SELECT"));
    session.ask(query("ROLLBACK"));
    assert_eq!(session.messages(often("SELECT")), "CPBDES");
}

// ---- transactions, groups, pipelines -----------------------------------------------------------

#[test]
fn a_begin_that_fails_in_the_same_flush() {
    let mut session = Session::proven(Some(0), 1);
    session.ask(often("old"));
    // The name in front of it is not closed, and the new one is not given.
    session.server.errors.push(('E', "0A000", ""));
    let (messages, state, again) = session.failure(often("new").begin(BEGIN));
    assert_eq!((messages.as_str(), state.as_str(), again), ("PBECPBDECS", "0A000", false));
    assert_eq!((session.named(), session.texts()), (0, ["old".to_owned()].into()));
    assert_eq!(session.messages(often("new").begin(BEGIN)), "PBECPBDECS");
    assert_eq!((session.texts(), session.server.most), (["new".to_owned()].into(), 1));
    session.ask(query("COMMIT"));
    // Even an error that looks like one of a name is not of the name.
    session.server.errors.push(('E', "26000", ""));
    assert!(!session.failure(often("new").begin(BEGIN)).2);
    assert_eq!(session.messages(often("new")), KNOWN);
}

#[test]
fn a_stale_statement_behind_its_begin() {
    let mut session = Session::proven(Some(0), 10);
    session.ask(often("SELECT"));
    session.server.change();
    let outcome = session.ask(often("SELECT").begin(BEGIN));
    assert!(outcome.again && outcome.begun);
    assert_eq!(session.engine.transaction_status(), TransactionStatus::InError);
    session.ask(query("ROLLBACK"));
    assert_eq!(session.messages(often("SELECT").begin(BEGIN)), "PBECPBDECS");
}

#[test]
fn a_begin_that_waits() {
    let mut session = Session { engine: idle_unproven(), server: Server::new() };
    session.engine.set_statement_settings(StatementSettings { threshold: Some(0), max: 10 });
    session.engine.submit(often("SELECT").begin(BEGIN)).unwrap();
    session.turn();
    session.turn();
    assert!(session.take().begun);
    assert_eq!(session.server.heard(), "PBESPBDECS");
    session.ask(query("COMMIT"));
    assert_eq!(session.messages(often("SELECT")), "PBEPBDES");
}

#[test]
fn groups() {
    let mut session = Session::proven(Some(0), 10);
    session.ask(query("BEGIN"));
    session.server.heard();
    for sql in ["a", "b", "a"] {
        session.engine.submit(unsynced(sql, Often)).unwrap();
    }
    session.engine.submit(Request::sync()).unwrap();
    session.turn();
    // The third runs without a name, as that is not given yet.
    assert_eq!(session.server.heard(), "PBDECPBDECPBDECS");
    (0..4).for_each(|_| assert!(session.take().error.is_none()));
    session.engine.submit(unsynced("a", Often)).unwrap();
    session.engine.submit(Request::sync()).unwrap();
    session.turn();
    assert_eq!(session.server.heard(), "BECS");
    assert_eq!(rows(&session.take()).len(), 1);
    assert_eq!(session.named(), session.server.named.len());
}

/// What the server skips has not happened: the names that were to be closed and given included.
#[test]
fn a_group_that_fails() {
    let mut session = Session::proven(Some(0), 1);
    session.ask(often("old"));
    for sql in ["fail", "new"] {
        let prepare = if sql == "fail" { Never } else { Often };
        session.engine.submit(unsynced(sql, prepare)).unwrap();
    }
    session.engine.submit(Request::sync()).unwrap();
    session.turn();
    assert_eq!(state(&session.take()), Some("22012"));
    assert!(session.take().skipped);
    session.take();
    assert_eq!((session.named(), session.texts()), (0, ["old".to_owned()].into()));
    assert_eq!(session.messages(often("new")), "CPBDES");
    assert_eq!((session.server.named.len(), session.server.most), (1, 1));

    // A question that was skipped is asked again.
    let mut session = Session::with(Some(0), 10);
    for (sql, prepare) in [("fail", Never), ("a", Often), ("b", Often)] {
        session.engine.submit(unsynced(sql, prepare)).unwrap();
    }
    session.engine.submit(Request::sync()).unwrap();
    session.turn();
    (0..4).for_each(|_| drop(session.take()));
    assert_eq!(session.messages(often("a")), "PBEPBDES");
    assert_eq!(session.messages(often("a")), UNNAMED);
    assert_eq!(session.messages(often("a")), KNOWN);
}

#[test]
fn a_name_on_its_way_is_not_used() {
    let mut session = Session::proven(Some(0), 10);
    (0..3).for_each(|_| session.engine.submit(often("SELECT").pipelined()).unwrap());
    session.turn();
    assert_eq!(session.server.heard(), "PBDESPBDESPBDES");
    (0..3).for_each(|_| assert!(session.take().error.is_none()));
    assert_eq!(session.messages(often("SELECT")), KNOWN);
}

#[test]
fn a_change_in_front_of_a_statement_in_flight() {
    let mut session = Session::proven(Some(0), 10);
    session.ask(often("SELECT"));
    session.engine.submit(query("ALTER TABLE").pipelined()).unwrap();
    session.engine.submit(often("SELECT").pipelined()).unwrap();
    session.server.change();
    session.turn();
    assert!(session.take().error.is_none());
    assert!(session.take().again);
    assert_eq!(session.messages(often("SELECT")), "CPBDES");
}

// ---- what is refused, and the end --------------------------------------------------------------

fn refused() -> Vec<Arc<BoundStatement>> {
    let nul = BoundStatement::new(b"SELECT \0"[..].into(), one(b"1"));
    let mut many = Parameters::default();
    (0..=65_535).for_each(|_| many.push(0, None));
    let many = BoundStatement::new(b"SELECT"[..].into(), many);
    vec![Arc::new(nul), Arc::new(many)]
}

#[test]
fn nothing_is_sent_of_a_request_that_is_refused() {
    for statement in refused() {
        for settings in [Session::with(Some(0), 1), Session::proven(Some(0), 1)] {
            let mut session = settings;
            for begin in [false, true] {
                for _ in 0..3 {
                    let request = Request::bound(Arc::clone(&statement), Often, None);
                    let request = if begin { request.begin(BEGIN) } else { request };
                    let refused = session.engine.submit(request);
                    assert!(matches!(refused, Err(Error::Misuse(_))), "{refused:?}");
                    assert!(session.engine.out().is_empty() && session.engine.is_idle());
                    let group = Request::unsynced_bound(Arc::clone(&statement), Now);
                    assert!(session.engine.submit(group).is_err());
                    assert!(session.engine.out().is_empty() && session.engine.is_idle());
                }
            }
            // What it would have closed or asked is closed and asked by the next one.
            (0..3).for_each(|_| drop(session.ask(often("SELECT"))));
            assert_eq!(session.texts(), ["SELECT".to_owned()].into());
            assert_eq!((session.named(), session.server.most), (1, 1));
        }
    }
}

/// A request that is refused does not take away a name that another one is getting.
#[test]
fn a_refusal_behind_a_name_in_flight() {
    let mut session = Session::proven(Some(0), 10);
    session.engine.submit(often("SELECT").pipelined()).unwrap();
    let mut large = Parameters::default();
    large.push(0, Some((b"1", Written::Text)));
    for statement in refused() {
        let request = Request::bound(statement, Often, None).pipelined();
        assert!(session.engine.submit(request).is_err());
    }
    session.turn();
    session.take();
    assert_eq!(session.messages(often("SELECT")), KNOWN);
}

#[test]
fn the_engine_fails_in_mid_flight() {
    for request in [often("SELECT"), often("SELECT").begin(BEGIN), unsynced("SELECT", Often)] {
        let mut session = Session::proven(Some(0), 1);
        session.engine.submit(request).unwrap();
        let replies = session.server.hear(&sent(&mut session.engine));
        session.engine.receive(&replies[..replies.len() / 2]);
        session.engine.receive_eof();
        events(&mut session.engine);
        assert_eq!(session.engine.phase(), Phase::Failed);
        assert!(session.engine.submit(often("SELECT")).is_err());
        assert!(session.named() <= 1);
    }
}

// ---- at random ---------------------------------------------------------------------------------

/// Whatever a program does, and whatever becomes of its statements: the server never has more names
/// than are allowed, a statement that is sent again succeeds, and the engine knows what the server has.
#[test]
fn at_random() {
    for seed in 0..300 {
        let mut dice = Dice(seed);
        let max = dice.roll(4);
        let mut session = Session::with(Some(u32::try_from(dice.roll(3)).unwrap()), max);
        for step in 0..120 {
            let sql = ["a", "b", "c", "INSERT", "fail", "wrong"][dice.roll(6)];
            let prepare = [Often, Often, Now, Never][dice.roll(4)];
            let what = format!("{seed}, {step}: {sql} {prepare:?}");
            match dice.roll(14) {
                0 => session.server.change(),
                1 => session.server.named.clear(),
                2 => drop(session.ask(query("DISCARD ALL"))),
                3 => drop(session.ask(query("ALTER TABLE"))),
                4 => drop(session.ask(query("BEGIN"))),
                5 => drop(session.ask(query("ROLLBACK"))),
                6 => {
                    let ahead = 1 + dice.roll(4);
                    for _ in 0..ahead {
                        let sql = ["a", "b", "c"][dice.roll(3)];
                        let change = dice.roll(5) == 0;
                        let request = if change { query("ALTER TABLE") } else { ask(sql, prepare) };
                        session.engine.submit(request.pipelined()).unwrap();
                    }
                    session.turn();
                    (0..ahead).for_each(|_| drop(session.take()));
                }
                7 => {
                    for _ in 0..3 {
                        let sql = ["a", "fail", "c"][dice.roll(3)];
                        session.engine.submit(unsynced(sql, prepare)).unwrap();
                    }
                    session.engine.submit(Request::sync()).unwrap();
                    session.turn();
                    (0..4).for_each(|_| drop(session.take()));
                }
                _ => {
                    let alone = session.server.status == b'I';
                    let mut outcome = session.ask(ask(sql, prepare));
                    let mut attempts = 0;
                    while outcome.again && alone {
                        attempts += 1;
                        assert!(attempts <= 2, "{what}");
                        outcome = session.ask(ask(sql, prepare));
                    }
                    let expected = match sql {
                        "fail" => Some("22012"),
                        "wrong" => Some("42601"),
                        _ => None,
                    };
                    assert!(!alone || state(&outcome) == expected, "{what}: {outcome:?}");
                }
            }
            assert!(session.engine.is_idle(), "{what}");
            assert!(session.server.most <= max && session.named() <= max, "{what}");
        }
        // Statements that others have removed are found missing when they are used.
        session.ask(query("ROLLBACK"));
        for sql in ["a", "b", "c", "INSERT"] {
            let mut tries = 0;
            while session.ask(ask(sql, Now)).again {
                tries += 1;
                assert!(tries <= 2);
            }
            assert!(session.server.named.len() <= max);
        }
    }
}
