//! Measures how fast the engine takes rows, the cost of a round trip, and SCRAM's usual number of
//! rounds: `cargo run --release -p psycoxide-proto --example throughput`.
#![expect(clippy::disallowed_methods, reason = "it measures time")]

use std::time::{Duration, Instant};

use psycoxide_proto::{Engine, Event, Outcome, Request, Startup, auth};

const WELCOME: &[u8] = b"R\0\0\0\x08\0\0\0\0S\0\0\0\x12DateStyle\0ISO\0Z\0\0\0\x05I";
const COLUMNS: &[u8] = b"T\0\0\0\x1a\0\x01n\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0";
const END: &[u8] = b"C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I";

/// About the most that a socket returns at once.
const READ: usize = 200 << 10;

fn idle() -> Engine {
    let mut engine = Engine::new(Startup::new(b"tester", "nonce".to_owned()));
    engine.receive(WELCOME);
    engine.sent(engine.out().len());
    engine.poll_event();
    engine
}

/// Feeds one reply, in reads as from a socket, and returns the outcome.
fn ask(engine: &mut Engine, answer: &[u8]) -> Outcome {
    let submitted = engine.submit(Request::query(b"SELECT 1".to_vec()));
    assert_eq!(submitted, Ok(()));
    engine.sent(engine.out().len());
    let mut rest = answer;
    while !rest.is_empty() {
        let space = engine.space();
        let count = space.len().min(rest.len()).min(READ);
        let (now, later) = rest.split_at(count);
        space.iter_mut().zip(now).for_each(|(to, from)| *to = *from);
        engine.filled(count);
        rest = later;
    }
    match engine.poll_event() {
        Some(Event::Done(outcome)) => outcome,
        other => panic!("{other:?} {engine:?}"),
    }
}

/// The best of several runs.
fn best(mut run: impl FnMut()) -> Duration {
    let time = |run: &mut dyn FnMut()| {
        let start = Instant::now();
        run();
        start.elapsed()
    };
    (0..9).map(|_| time(&mut run)).min().unwrap_or_default()
}

fn main() {
    const ROWS: u32 = 1_000_000;
    let mut answer = COLUMNS.to_vec();
    for n in 0..ROWS {
        let digits = n.to_string();
        let length = u32::try_from(digits.len()).unwrap_or_default();
        answer.push(b'D');
        answer.extend_from_slice(&(10 + length).to_be_bytes());
        answer.extend_from_slice(&1_u16.to_be_bytes());
        answer.extend_from_slice(&length.to_be_bytes());
        answer.extend_from_slice(digits.as_bytes());
    }
    answer.extend_from_slice(END);

    let mut engine = idle();
    let copy = best(|| {
        let mut chunks = Vec::new();
        answer.chunks(1 << 20).for_each(|chunk| chunks.push(chunk.to_vec()));
        std::hint::black_box(chunks);
    });
    let mut result = None;
    let take = best(|| result = ask(&mut engine, &answer).result);
    let rows = result.unwrap_or_default().rows;
    assert_eq!(rows.len(), 1_000_000);
    let walk = best(|| {
        let mut position = rows.start();
        let mut sum = 0;
        while let Some(row) = rows.next_row(&mut position) {
            sum += row.fields().flatten().map(<[u8]>::len).sum::<usize>();
        }
        std::hint::black_box(sum);
    });
    let report = |what: &str, time: Duration| {
        let megabytes = f64::from(u32::try_from(answer.len()).unwrap_or(u32::MAX)) / 1e6;
        let seconds = time.as_secs_f64();
        let row = seconds * 1e9 / f64::from(ROWS);
        println!("{what:<28} {:7.0} MB/s {row:6.1} ns a row", megabytes / seconds);
    };
    report("memcpy into new buffers", copy);
    report("received into a result", take);
    report("walked", walk);

    let small = [COLUMNS, b"D\0\0\0\x0b\0\x01\0\0\0\x011", END].concat();
    const TRIPS: u32 = 100_000;
    let trips = best(|| {
        for _ in 0..TRIPS {
            std::hint::black_box(ask(&mut engine, &small));
        }
    });
    println!(
        "{:<28} {:7.0} ns",
        "SELECT 1, all but the socket",
        trips.as_secs_f64() * 1e9 / f64::from(TRIPS)
    );
    let scram = best(|| {
        std::hint::black_box(auth::scram::stored(b"password", b"0123456789abcdef", 4096).ok());
    });
    println!("{:<28} {:7.0} us", "4096 rounds of SCRAM", scram.as_secs_f64() * 1e6);
}
