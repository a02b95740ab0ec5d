//! Runs a protocol engine with any commands in any order, between any bytes of a server.

use psycoxide_proto::{Engine, Extended, Request, Secret, Startup};

/// Up to this many slices of a password's stretching are done: more would only be slow.
const SLICES: usize = 4;

/// Runs an input: each byte is a command, and some commands take the bytes after it as data.
pub fn engine(mut input: &[u8]) {
    let mut startup = Startup::new(b"tester", "fyko+d2lbbFgONRv9qkxdawL".to_owned());
    startup.password = Some(Secret::from("testerpw"));
    let mut engine = Engine::new(startup);
    let mut slices = 0;
    while let Some((&command, rest)) = input.split_first() {
        input = rest;
        let length = usize::from(command >> 4);
        match command & 15 {
            // Most commands feed bytes of the server.
            0..=3 => engine.receive(take(&mut input, 1 + length * length)),
            4 => {
                let bytes = take(&mut input, 1 + length);
                let space = engine.space();
                let count = bytes.len().min(space.len());
                space[..count].copy_from_slice(&bytes[..count]);
                engine.filled(count);
            }
            5 => drop(engine.submit(request(length, take(&mut input, length)))),
            6 => drop(engine.copy_chunk(take(&mut input, length))),
            7 => drop(engine.copy_done()),
            8 => drop(engine.copy_fail(take(&mut input, length))),
            9 => engine.sent(engine.out().len().min(length)),
            10 => engine.sent(engine.out().len()),
            11 => drop(engine.poll_event()),
            12 if slices < SLICES => {
                slices += usize::from(engine.work());
            }
            13 => {
                drop((engine.take_notices(), engine.take_notifications()));
                drop(engine.take_arrived_rows());
            }
            14 if length == 15 => engine.receive_eof(),
            15 if length == 15 => engine.terminate(),
            _ => while engine.poll_event().is_some() {},
        }
        look(&mut engine);
    }
}

/// Calls the getters that a driver may call at any time. A failed engine keeps its error.
fn look(engine: &mut Engine) {
    let error = engine.error().cloned();
    let _ = (engine.phase(), engine.interest(), engine.backlog(), engine.transaction_status());
    let _ = (engine.parameter("client_encoding"), engine.cancel_key(), engine.password_needed());
    assert!(!engine.is_idle() || engine.accepts_pipelined() && engine.requests_in_flight() == 0);
    if error.is_some() {
        assert!(!engine.accepts_pipelined());
        assert!(engine.submit(request(0, b"")).is_err());
        assert_eq!(engine.error().cloned(), error);
    }
}

fn take<'a>(input: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, rest) = input.split_at(length.min(input.len()));
    *input = rest;
    taken
}

fn request(kind: usize, text: &[u8]) -> Request {
    let sql = text.to_vec();
    let unsynced =
        |sql, closes| Request::unsynced(Extended { sql: Some(sql), closes, ..Extended::default() });
    match kind {
        0 => Request::query(sql),
        1 => Request::query(sql).begin(b"BEGIN"),
        2 => Request::script(vec![sql.clone(), sql]),
        3 => Request::function(952, vec![sql]),
        4 => Request::prepare(b"s".to_vec(), sql, vec![]),
        5 => Request::close_statement(sql),
        6 | 7 => Request::sync(),
        8 => Request::query(sql).pipelined(),
        9 => Request::query(sql).begin(b"BEGIN").pipelined(),
        10 => Request::close_statement(sql).begin(b"BEGIN").pipelined(),
        11 => Request::function(952, vec![sql]).pipelined(),
        12 | 13 => unsynced(sql, kind == 12),
        _ => unsynced(sql, kind == 14).begin(b"BEGIN"),
    }
}
