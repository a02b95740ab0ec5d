//! A scripted server's bytes, and a driver that records everything that an engine reports.
#![allow(dead_code)]

use psycoxide_proto::{
    Engine, Error, Event, Outcome, Parameters, Request, Secret, Startup, Written,
};

/// A message of the server.
pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[kind], &length.to_be_bytes()[..], body].concat()
}

/// `T`, for columns of type text with these names.
pub fn row_description(names: &[&str]) -> Vec<u8> {
    let mut body = u16::try_from(names.len()).unwrap().to_be_bytes().to_vec();
    for name in names {
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(b"\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0");
    }
    message(b'T', &body)
}

/// `D`.
pub fn data_row(fields: &[Option<&[u8]>]) -> Vec<u8> {
    let mut body = u16::try_from(fields.len()).unwrap().to_be_bytes().to_vec();
    for field in fields {
        match field {
            Some(value) => {
                body.extend_from_slice(&u32::try_from(value.len()).unwrap().to_be_bytes());
                body.extend_from_slice(value);
            }
            None => body.extend_from_slice(&[0xff; 4]),
        }
    }
    message(b'D', &body)
}

/// `C`.
pub fn complete(tag: &str) -> Vec<u8> {
    message(b'C', format!("{tag}\0").as_bytes())
}

/// `Z`.
pub fn ready(status: u8) -> Vec<u8> {
    message(b'Z', &[status])
}

/// `E`.
pub fn error(severity: &str, sqlstate: &str, text: &str) -> Vec<u8> {
    message(b'E', format!("S{severity}\0V{severity}\0C{sqlstate}\0M{text}\0\0").as_bytes())
}

/// `N`.
pub fn notice(text: &str) -> Vec<u8> {
    message(b'N', format!("SNOTICE\0VNOTICE\0C00000\0M{text}\0\0").as_bytes())
}

/// `S`.
pub fn parameter(name: &str, value: &str) -> Vec<u8> {
    message(b'S', format!("{name}\0{value}\0").as_bytes())
}

/// `R`.
pub fn authentication(code: u32, rest: &[u8]) -> Vec<u8> {
    message(b'R', &[&code.to_be_bytes(), rest].concat())
}

/// `A`.
pub fn notification(pid: u32, channel: &str, payload: &str) -> Vec<u8> {
    let body = [&pid.to_be_bytes()[..], format!("{channel}\0{payload}\0").as_bytes()].concat();
    message(b'A', &body)
}

/// ParseComplete.
pub fn parsed() -> Vec<u8> {
    message(b'1', b"")
}

/// BindComplete.
pub fn bound() -> Vec<u8> {
    message(b'2', b"")
}

/// CloseComplete.
pub fn closed() -> Vec<u8> {
    message(b'3', b"")
}

/// NoData.
pub fn no_data() -> Vec<u8> {
    message(b'n', b"")
}

/// The replies to a BEGIN by the extended query protocol.
pub fn begun() -> Vec<u8> {
    [parsed(), bound(), complete("BEGIN")].concat()
}

/// An error of a statement.
pub fn failure() -> Vec<u8> {
    error("ERROR", "22012", "division by zero")
}

/// A result with two columns and this many rows.
pub fn table(rows: usize) -> Vec<u8> {
    let row = |n: usize| data_row(&[Some(n.to_string().as_bytes()), None]);
    let rows: Vec<u8> = (0..rows).flat_map(row).collect();
    [row_description(&["a", "b"]), rows, complete("SELECT")].concat()
}

/// The server's messages up to the first ReadyForQuery.
pub fn welcome() -> Vec<u8> {
    welcome_reporting(&[])
}

/// The same, from a server that also reports these parameters.
pub fn welcome_reporting(names: &[&str]) -> Vec<u8> {
    let reported: Vec<_> = names.iter().map(|name| parameter(name, "x")).collect();
    [
        authentication(0, b""),
        parameter("client_encoding", "UTF8"),
        parameter("DateStyle", "ISO, MDY"),
        reported.concat(),
        message(b'K', b"\0\0\0\x07abcd"),
        ready(b'I'),
    ]
    .concat()
}

/// A start-up with a password.
pub fn startup() -> Startup {
    let mut startup = Startup::new(b"tester", "rOprNGfwEbeRWgbNEkqO".to_owned());
    startup.password = Some(Secret::from("pencil"));
    startup
}

/// An idle engine that has nothing to send.
pub fn idle() -> Engine {
    idle_with(&[])
}

fn idle_with(reported: &[&str]) -> Engine {
    let mut engine = Engine::new(startup());
    engine.receive(&welcome_reporting(reported));
    assert_eq!(events(&mut engine), [Event::Done(Outcome::default())]);
    assert!(engine.is_idle(), "{engine:?}");
    sent(&mut engine);
    engine
}

/// The parameters that PostgreSQL reports since 9.0, beside those of [`welcome`].
pub const REPORTED: [&str; 8] = [
    "server_version",
    "server_encoding",
    "is_superuser",
    "session_authorization",
    "IntervalStyle",
    "TimeZone",
    "integer_datetimes",
    "standard_conforming_strings",
];

/// As [`idle`], with a peer that reports what PostgreSQL 13 does, or Odyssey in front of any
/// server.
pub fn idle_reporting() -> Engine {
    idle_with(&REPORTED)
}

/// As [`idle`], with a peer that reports what PostgreSQL does since 14, and has not shown yet that
/// it knows the extended query protocol.
pub fn idle_unproven() -> Engine {
    idle_with(&[&REPORTED[..], &["in_hot_standby"]].concat())
}

/// As [`idle`], with a peer that reports what PostgreSQL does since 14, and has shown that it knows
/// the extended query protocol.
pub fn idle_postgresql() -> Engine {
    let mut engine = idle_unproven();
    assert!(!engine.pipelines());
    engine.submit(Request::close_statement(b"s".to_vec())).unwrap();
    sent(&mut engine);
    engine.receive(&[message(b'3', b""), ready(b'I')].concat());
    outcome(&mut engine);
    assert!(engine.pipelines());
    engine
}

/// All events. Taking one lets the engine read on, so they come one after another.
pub fn events(engine: &mut Engine) -> Vec<Event> {
    while engine.work() {}
    std::iter::from_fn(|| engine.poll_event()).collect()
}

/// Takes the bytes to send.
pub fn sent(engine: &mut Engine) -> Vec<u8> {
    let bytes = engine.out().to_vec();
    engine.sent(bytes.len());
    bytes
}

/// The types of the messages in these bytes.
pub fn kinds(mut bytes: &[u8]) -> String {
    let mut kinds = String::new();
    while let [kind, a, b, c, d, ..] = *bytes {
        kinds.push(char::from(kind));
        let length = u32::from_be_bytes([a, b, c, d]);
        bytes = &bytes[1 + usize::try_from(length).unwrap()..];
    }
    assert!(bytes.is_empty(), "half a message: {bytes:?}");
    kinds
}

/// The outcome, which must be the only event.
pub fn outcome(engine: &mut Engine) -> Outcome {
    match events(engine).as_slice() {
        [Event::Done(outcome)] => outcome.clone(),
        other => panic!("not one outcome: {other:?}, {:?}", engine.error()),
    }
}

/// All rows of a result, as text.
pub fn rows(outcome: &Outcome) -> Vec<Vec<Option<String>>> {
    let result = outcome.result.as_ref().expect("a result");
    let mut position = result.rows.start();
    std::iter::from_fn(|| result.rows.next_row(&mut position))
        .map(|row| {
            let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
            row.fields().map(|field| field.map(text)).collect()
        })
        .collect()
}

/// Everything that a conversation produced, to compare two ways of feeding it.
#[derive(Debug, PartialEq)]
pub struct Record {
    /// Events; neighbouring blocks of a COPY are joined, because their sizes depend on the reads.
    pub events: Vec<Event>,
    pub error: Option<Error>,
    pub sent: Vec<u8>,
    pub notices: usize,
    pub notifications: usize,
    pub parameters: u64,
}

/// Feeds a transcript in pieces of this size. `drive` answers as a driver does, after each piece
/// and each event.
pub fn replay(
    mut engine: Engine,
    transcript: &[u8],
    piece: usize,
    mut drive: impl FnMut(&mut Engine, Option<&Event>),
) -> Record {
    let mut record = Record {
        events: Vec::new(),
        error: None,
        sent: Vec::new(),
        notices: 0,
        notifications: 0,
        parameters: 0,
    };
    drive(&mut engine, None);
    for bytes in transcript.chunks(piece).map(Some).chain([None]) {
        match bytes {
            Some(bytes) => engine.receive(bytes),
            None => engine.receive_eof(),
        }
        while engine.work() {}
        while let Some(event) = engine.poll_event() {
            drive(&mut engine, Some(&event));
            match (record.events.last_mut(), event) {
                (Some(Event::CopyData(block)), Event::CopyData(more)) => block.extend(more),
                (_, event) => record.events.push(event),
            }
        }
        record.sent.extend(sent(&mut engine));
        record.notices += engine.take_notices().len();
        record.notifications += engine.take_notifications().len();
    }
    record.error = engine.error().cloned();
    record.parameters = engine.parameters_version();
    record
}

/// Numbers that look random, the same in each run.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

/// Where the messages in these bytes begin.
pub fn boundaries(bytes: &[u8]) -> Vec<usize> {
    let mut at = 0;
    let next = |at: &mut usize| {
        let length = bytes.get(*at + 1..*at + 5)?;
        let begin = *at;
        *at += 1 + usize::try_from(u32::from_be_bytes(length.try_into().unwrap())).unwrap();
        Some(begin)
    };
    std::iter::from_fn(|| next(&mut at)).collect()
}

/// Parameters of types that the server chooses.
pub fn parameters(values: &[Option<(&[u8], Written)>]) -> Parameters {
    let mut parameters = Parameters::default();
    for value in values {
        parameters.push(0, *value);
    }
    parameters
}

/// A single parameter in text.
pub fn one(value: &[u8]) -> Parameters {
    parameters(&[Some((value, Written::Text))])
}
