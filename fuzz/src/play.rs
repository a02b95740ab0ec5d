//! A driver that plays conversations with a server, given only the server's bytes.
//!
//! The fuzz targets use it, and the ordinary tests that replay their corpus.

use std::sync::Arc;

use psycoxide_proto::{
    Answer, Ask, BoundStatement, CancelKey, Engine, Error, Event, Extended, Formats, Outcome,
    Parameters, PrepareWhen, Request, Secret, Startup, StatementSettings,
};

/// The nonce of every conversation, so that a recorded SCRAM exchange can be replayed.
pub const NONCE: &str = "fyko+d2lbbFgONRv9qkxdawL";
/// The password of the recordings.
pub const PASSWORD: &str = "testerpw";
/// The role of the recordings.
pub const USER: &str = "tester";

/// The number of requests in one conversation.
const REQUESTS: usize = 16;

/// The most requests in flight in a conversation with pipelined requests.
const AHEAD: usize = 3;

/// From this choice of the first request on, the requests are statements that may get names.
const BOUND: u8 = 0x30;

/// From this choice of the first request on, some of those are pipelined, and some in groups.
const BOUND_AHEAD: u8 = 0x34;

/// How many statements may have names.
const NAMES: usize = 2;

/// From this choice of the first request on, the requests are pipelined.
const PIPELINED: u8 = 0x38;

/// From this choice of the first request on, some of them are in groups with one Sync.
const GROUPED: u8 = 0x3c;

/// Up to this many slices of a password's stretching are done: more would only be slow.
const SLICES: usize = 4;

/// A server's first messages if it trusts the client.
const WELCOME: &[u8] = b"R\0\0\0\x08\0\0\0\0S\0\0\0\x12DateStyle\0ISO\0";

/// The number of the server's process, 7, and a key.
const KEY: &[u8] = b"K\0\0\0\x0c\0\0\0\x07abcd";

/// The ReadyForQuery after the parameters.
const READY: &[u8] = b"Z\0\0\0\x05I";

/// More parameters that PostgreSQL reports, here each with the value `x`. A peer that reports them
/// may get a BEGIN by the extended query protocol.
const REPORTED: [&str; 10] = [
    "server_version",
    "server_encoding",
    "client_encoding",
    "is_superuser",
    "session_authorization",
    "IntervalStyle",
    "TimeZone",
    "integer_datetimes",
    "standard_conforming_strings",
    "in_hot_standby",
];

/// The results of a conversation.
#[derive(Debug, Default, PartialEq)]
pub struct Results {
    /// The events. Neighbouring blocks of a COPY are joined, because their sizes depend on the
    /// reads.
    pub events: Vec<Event>,
    pub error: Option<Error>,
    pub key: Option<CancelKey>,
    pub parameters: u64,
    /// The bytes sent. Empty if the engine failed before the server closed the connection, as it
    /// drops the bytes that it has not sent yet.
    pub sent: Vec<u8>,
}

/// An input: the choice of requests, the size of the pieces, the server's bytes.
struct Transcript<'a> {
    choice: u8,
    piece: usize,
    server: &'a [u8],
}

impl<'a> Transcript<'a> {
    fn parse(data: &'a [u8]) -> Option<Transcript<'a>> {
        let (&[choice, piece], server) = data.split_first_chunk::<2>()?;
        Some(Transcript { choice, piece: usize::from(piece) + 1, server })
    }
}

/// Plays an input in pieces of its size, with a driver that makes its next request at once.
pub fn conversation(data: &[u8]) {
    let Some(transcript) = Transcript::parse(data) else { return };
    let mut player = Player::new(transcript.choice);
    player.eager = true;
    player.hear(transcript.server, transcript.piece);
    player.end();
}

/// Plays an input whole and in pieces; both must give the same results.
pub fn pieces(data: &[u8]) {
    if let Some(transcript) = Transcript::parse(data) {
        let whole = play(transcript.choice, transcript.server, usize::MAX);
        let cut = play(transcript.choice, transcript.server, transcript.piece);
        assert_eq!(whole, cut);
    }
}

/// Plays a conversation in turns: the driver makes a request, and the server's bytes up to a
/// ReadyForQuery come in pieces of this size. So the time of each request does not depend on the
/// pieces.
pub fn play(choice: u8, mut server: &[u8], piece: usize) -> Results {
    let mut player = Player::new(choice);
    while !server.is_empty() {
        let (turn, rest) = server.split_at(turn(server));
        player.ask();
        player.listen();
        player.hear(turn, piece);
        server = rest;
    }
    player.end()
}

/// The length of the server's turn: complete messages, up to a ReadyForQuery.
fn turn(server: &[u8]) -> usize {
    let mut at = 0;
    while let Some([kind, a, b, c, d]) = server.get(at..).and_then(|rest| rest.first_chunk::<5>()) {
        let length = u32::from_be_bytes([*a, *b, *c, *d]);
        let Ok(length) = usize::try_from(length) else { break };
        at = at.saturating_add(1 + length.max(4));
        if *kind == b'Z' {
            break;
        }
    }
    if at == 0 { server.len() } else { at.min(server.len()) }
}

/// A driver.
struct Player {
    engine: Engine,
    choice: u8,
    /// Makes the next request as soon as the last one is done.
    eager: bool,
    /// A group is open.
    group: bool,
    requests: usize,
    slices: usize,
    results: Results,
}

impl Player {
    fn new(choice: u8) -> Player {
        let mut startup = Startup::new(USER.as_bytes(), NONCE.to_owned());
        startup.password = Some(Secret::from(PASSWORD));
        startup.ask_token = true;
        let mut engine = Engine::new(startup);
        // Bit 0x80 leaves the start-up to the input.
        if choice & 0x80 == 0 {
            engine.receive(WELCOME);
            // Bit 0x40 makes the server PostgreSQL.
            for name in REPORTED.iter().filter(|_| choice & 0x40 != 0) {
                let length = u32::try_from(name.len() + 7).unwrap_or_default();
                let name = [name.as_bytes(), b"\0x\0"].concat();
                engine.receive(&[b"S", &length.to_be_bytes()[..], &name].concat());
            }
            if binds(choice & 0x3f) {
                engine.receive(KEY);
            }
            engine.receive(READY);
        }
        if binds(choice & 0x3f) {
            let settings = StatementSettings { threshold: Some(1), max: NAMES };
            engine.set_statement_settings(settings);
        }
        let results = Results::default();
        let mut player =
            Player { engine, choice, eager: false, group: false, requests: 0, slices: 0, results };
        player.listen();
        player
    }

    /// Makes the next request, if the engine is idle; or several that are pipelined.
    fn ask(&mut self) {
        let first = self.choice & 0x3f;
        while self.requests < REQUESTS {
            if binds(first) {
                if !self.ask_bound(first >= BOUND_AHEAD) {
                    return;
                }
                continue;
            }
            let request = request(usize::from(first) + self.requests);
            let engine = &mut self.engine;
            let mut group = false;
            let request = if first < PIPELINED {
                if !engine.is_idle() {
                    return;
                }
                request
            } else {
                let accepted = engine.accepts_pipelined() || self.group && engine.error().is_none();
                if !accepted || engine.requests_in_flight() >= AHEAD {
                    return;
                }
                match self.requests % 4 {
                    _ if first < GROUPED => request.pipelined(),
                    2 | 3 if self.group => Request::sync(),
                    2 | 3 => request.pipelined(),
                    number => {
                        group = true;
                        let begins = number == 0 && engine.pipelines() && !self.group;
                        let request = Request::unsynced(statement(number == 0));
                        if begins { request.begin(b"BEGIN") } else { request }
                    }
                }
            };
            self.group = group;
            assert_eq!(engine.submit(request), Ok(()));
            self.requests += 1;
        }
    }

    /// Makes the next request of a conversation of statements that may get names. Returns whether one
    /// was made.
    fn ask_bound(&mut self, ahead: bool) -> bool {
        let engine = &mut self.engine;
        let accepted = match ahead {
            false => engine.is_idle(),
            true => engine.accepts_pipelined() || self.group && engine.error().is_none(),
        };
        if !accepted || engine.requests_in_flight() >= AHEAD {
            return false;
        }
        let (number, first) = (self.requests, usize::from(self.choice & 3));
        let mut group = false;
        let request = match number % 8 {
            3 | 7 if self.group => Request::sync(),
            5 | 6 if ahead => {
                group = true;
                Request::unsynced_bound(bound(number + first), PrepareWhen::Often)
            }
            4 if !self.group => Request::query(b"SET search_path TO x".to_vec()),
            _ if self.group => Request::sync(),
            _ => run(engine, number, first),
        };
        self.group = group;
        let request = if ahead { request.pipelined() } else { request };
        assert_eq!(engine.submit(request), Ok(()));
        self.requests += 1;
        true
    }

    fn hear(&mut self, bytes: &[u8], piece: usize) {
        for bytes in bytes.chunks(piece) {
            self.engine.receive(bytes);
            self.listen();
        }
    }

    /// Takes all events and answers as a driver does.
    fn listen(&mut self) {
        loop {
            while self.slices <= SLICES && self.engine.work() {
                self.slices += 1;
            }
            let out = self.engine.out();
            self.results.sent.extend_from_slice(out);
            let count = out.len();
            self.engine.sent(count);
            assert!(self.engine.named_statements() <= NAMES);
            let Some(event) = self.engine.poll_event() else { break };
            self.answer(&event);
            match (self.results.events.last_mut(), event) {
                // The messages of a stream are joined, like the blocks of a COPY TO.
                (Some(Event::CopyData(block)), Event::CopyData(more)) => block.extend(more),
                (_, event) => self.results.events.push(event),
            }
        }
        self.engine.take_notices();
        self.engine.take_notifications();
    }

    fn answer(&mut self, event: &Event) {
        let engine = &mut self.engine;
        match event {
            Event::CopyIn(_) => {
                assert_eq!(engine.copy_chunk(b"1\tone\n"), Ok(()));
                assert_eq!(engine.copy_done(), Ok(()));
            }
            Event::CopyBoth(_) if self.choice & 1 == 0 => {
                assert_eq!(engine.copy_chunk(b"status"), Ok(()));
                assert_eq!(engine.copy_done(), Ok(()));
            }
            Event::Done(outcome) => {
                read(outcome);
                if self.eager {
                    self.ask();
                }
            }
            Event::Ask(ask) => {
                let token = || Some(Secret::from("token"));
                let answer = match ask {
                    Ask::Password => Answer::Password(token()),
                    Ask::GssToken(theirs) => {
                        Answer::GssToken { token: token(), complete: !theirs.is_empty() }
                    }
                    Ask::BearerToken => Answer::BearerToken(token()),
                };
                assert_eq!(engine.answer(answer), Ok(()));
            }
            Event::CopyOut(_) | Event::CopyBoth(_) | Event::CopyData(_) => {}
        }
    }

    /// The server closes the connection.
    fn end(mut self) -> Results {
        let failed = self.engine.error().is_some();
        if self.slices <= SLICES {
            self.engine.receive_eof();
            self.listen();
            self.results.error = self.engine.error().cloned();
            assert!(self.results.error.is_some(), "a conversation that was cut off has failed");
            assert_eq!(self.engine.poll_event(), None);
            assert!(self.engine.space().is_empty());
            assert_eq!(self.engine.requests_in_flight(), 0);
        }
        if failed || self.results.error.is_none() {
            self.results.sent.clear();
        }
        self.results.key = self.engine.cancel_key().cloned();
        self.results.parameters = self.engine.parameters_version();
        self.results
    }
}

/// Reads a result as a cursor does: it has the number of rows, and of fields, that it claims.
fn read(outcome: &Outcome) {
    let Some(result) = &outcome.result else { return };
    assert!(outcome.error.is_none());
    let width = result.columns.as_ref().map_or(0, |columns| columns.len());
    let mut position = result.rows.start();
    let mut count = 0;
    while let Some(row) = result.rows.next_row(&mut position) {
        assert_eq!(row.fields().count(), width);
        count += 1;
    }
    assert_eq!(count, result.rows.len());
    let mut last = result.rows.seek(count.saturating_sub(1));
    assert_eq!(result.rows.next_row(&mut last).is_some(), count > 0);
    let _ = (result.affected(), result.inserted_oid());
}

/// Whether the requests are statements that may get names.
fn binds(first: u8) -> bool {
    (BOUND..PIPELINED).contains(&first)
}

/// One of a few statements.
fn bound(number: usize) -> Arc<BoundStatement> {
    let sql: &[u8] =
        [&b"SELECT 1"[..], b"SELECT 2", b"SELECT 3"].get(number % 3).unwrap_or(&&b""[..]);
    let mut parameters = Parameters::default();
    parameters.push(0, None);
    Arc::new(BoundStatement::new(sql.into(), parameters))
}

/// A run of one, in binary if its columns are known.
fn run(engine: &Engine, number: usize, first: usize) -> Request {
    let statement = bound(number * first);
    let prepare = match number % 5 {
        0 => PrepareWhen::Never,
        1 | 2 => PrepareWhen::Now,
        _ => PrepareWhen::Often,
    };
    let known = engine.known_columns(&statement).filter(|_| number.is_multiple_of(2));
    let formats =
        known.map(|columns| Arc::new(Formats::new(Arc::clone(columns), vec![1; columns.len()])));
    match formats {
        Some(formats) if number.is_multiple_of(4) => Request::bound_in(statement, prepare, formats),
        formats => Request::bound(statement, prepare, formats),
    }
}

/// One request of each kind.
fn request(index: usize) -> Request {
    let sql = || b"SELECT 1".to_vec();
    match index % 10 {
        0 => Request::query(sql()),
        1 => Request::query(sql()).begin(b"BEGIN"),
        2 => Request::script(vec![sql(), sql(), sql()]),
        3 => Request::function(1, vec![vec![0; 4]]),
        4 => Request::extended(statement(false)),
        5 => Request::extended(statement(false)).begin(b"BEGIN"),
        6 => Request::prepare(b"s".to_vec(), sql(), vec![]),
        7 => Request::statement(sql()),
        8 => Request::statement(sql()).begin(b"BEGIN"),
        _ => Request::close_statement(b"s".to_vec()),
    }
}

fn statement(closes: bool) -> Extended {
    let mut parameters = Parameters::default();
    parameters.push(0, None);
    Extended { sql: Some(b"SELECT 1".to_vec()), parameters, closes, ..Extended::default() }
}
