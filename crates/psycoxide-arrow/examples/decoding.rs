//! Measures how fast rows become record batches: `cargo run --release -p psycoxide-arrow --example
//! decoding`. Times are the best of several runs, in nanoseconds for a value.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::expect_used,
    reason = "it measures time, and prints"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use psycoxide_arrow::{Catalog, ColumnSpec, Limits, Options, ResultLayout, RowDecoder};
use psycoxide_proto::{Engine, Event, Request, Rows, Startup};
use psycoxide_sql::oid::{self, Oid};

const WELCOME: &[u8] = b"R\0\0\0\x08\0\0\0\0S\0\0\0\x12DateStyle\0ISO\0Z\0\0\0\x05I";
/// The limits of a batch as programs use them.
const LIMITS: Limits = Limits { rows: 65_536, bytes: 16 << 20 };

fn message(out: &mut Vec<u8>, kind: u8, body: &[u8]) {
    out.push(kind);
    out.extend(u32::try_from(body.len() + 4).unwrap_or_default().to_be_bytes());
    out.extend(body);
}

/// The rows of an answer.
fn rows(columns: usize, count: usize, mut row: impl FnMut(usize) -> Vec<Vec<u8>>) -> Rows {
    let columns = u16::try_from(columns).unwrap_or_default().to_be_bytes();
    let mut answer = Vec::new();
    let mut described = columns.to_vec();
    for _ in 0..u16::from_be_bytes(columns) {
        described.extend(b"c\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0");
    }
    message(&mut answer, b'T', &described);
    for number in 0..count {
        let mut body = columns.to_vec();
        for field in row(number) {
            body.extend(u32::try_from(field.len()).unwrap_or_default().to_be_bytes());
            body.extend(field);
        }
        message(&mut answer, b'D', &body);
    }
    message(&mut answer, b'C', b"SELECT 1\0");
    message(&mut answer, b'Z', b"I");
    let mut engine = Engine::new(Startup::new(b"tester", "nonce".to_owned()));
    engine.receive(WELCOME);
    engine.sent(engine.out().len());
    engine.poll_event();
    engine.submit(Request::query(b"SELECT".to_vec())).expect("an idle engine");
    engine.sent(engine.out().len());
    for part in answer.chunks(200 << 10) {
        engine.receive(part);
    }
    match engine.poll_event() {
        Some(Event::Done(outcome)) => outcome.result.expect("rows").rows,
        other => panic!("{other:?}"),
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

fn measure(name: &str, columns: &[(Oid, bool)], rows: &Rows) {
    let spec = |(oid, binary): &(Oid, bool)| ColumnSpec {
        name: "c".into(),
        oid: *oid,
        modifier: if *oid == oid::NUMERIC { (12 << 16 | 2) + 4 } else { -1 },
        binary: *binary,
    };
    let specs = columns.iter().map(spec).collect();
    let layout = ResultLayout::new(specs, &Catalog::default(), &Options::default());
    let layout = Arc::new(layout.expect("a layout"));
    let time = best(|| {
        let mut decoder = RowDecoder::new(Arc::clone(&layout));
        let mut iter = rows.iter_from(rows.start());
        while decoder.append(&mut iter, LIMITS).expect("good values") {
            std::hint::black_box(decoder.finish().expect("a batch"));
        }
        std::hint::black_box(decoder.finish().expect("a batch"));
    });
    let values = rows.len() * columns.len();
    #[expect(clippy::cast_precision_loss)]
    let each = time.as_nanos() as f64 / values as f64;
    println!("{name:<28} {each:6.2} ns a value, {:7.2} ms in all", time.as_secs_f64() * 1e3);
}

/// A `numeric(12, 2)`.
fn numeric(cents: u16) -> Vec<u8> {
    let [high, low] = (cents / 100).to_be_bytes();
    let [fraction_high, fraction_low] = (cents % 100 * 100).to_be_bytes();
    vec![0, 2, 0, 0, 0, 0, 0, 2, high, low, fraction_high, fraction_low]
}

fn main() {
    const MANY: usize = 1_000_000;
    let number = |n: usize| u32::try_from(n).unwrap_or_default();
    let binary = rows(1, MANY, |n| vec![number(n).to_be_bytes().to_vec()]);
    let walk = best(|| {
        let sum: usize = binary.iter_from(binary.start()).map(|row| row.size()).sum();
        std::hint::black_box(sum);
    });
    println!("{:<28} {:7.2} ms in all", "walking over the rows", walk.as_secs_f64() * 1e3);
    measure("int4, binary", &[(oid::INT4, true)], &binary);
    let text = rows(1, MANY, |n| vec![n.to_string().into_bytes()]);
    measure("int4, text", &[(oid::INT4, false)], &text);
    measure("text", &[(oid::TEXT, true)], &text);
    measure("float8, text", &[(oid::FLOAT8, false)], &text);
    measure("numeric(12, 2), text", &[(oid::NUMERIC, false)], &text);
    let cents = rows(1, MANY, |n| vec![numeric(u16::try_from(n % 65_000).unwrap_or_default())]);
    measure("numeric(12, 2), binary", &[(oid::NUMERIC, true)], &cents);
    let moments = rows(1, MANY, |n| {
        vec![format!("2024-02-{:02} 12:{:02}:{:02}.25", n % 28 + 1, n % 60, n % 59).into()]
    });
    measure("timestamp, text", &[(oid::TIMESTAMP, false)], &moments);
    let arrays = rows(1, MANY / 10, |n| {
        let head = [1, 0, 23, 5, 1].map(u32::to_be_bytes).concat();
        let element = [4_u32.to_be_bytes(), number(n).to_be_bytes()].concat();
        vec![[head, element.repeat(5)].concat()]
    });
    measure("int4[] of five, binary", &[(oid::INT4_ARRAY, true)], &arrays);
    // 200,000 rows of ten columns, as in a table of orders.
    let mixed: [(Oid, bool); 10] = [
        (oid::INT8, true),
        (oid::INT4, true),
        (oid::TEXT, true),
        (oid::NUMERIC, true),
        (oid::TIMESTAMPTZ, true),
        (oid::BOOL, true),
        (oid::FLOAT8, true),
        (oid::DATE, true),
        (oid::UUID, true),
        (oid::TEXT, true),
    ];
    let orders = rows(10, 200_000, |n| {
        let small = number(n).to_be_bytes().to_vec();
        let large = (n as u64).to_be_bytes().to_vec();
        vec![
            large.clone(),
            small.clone(),
            format!("customer {n}").into_bytes(),
            numeric(u16::try_from(n % 65_000).unwrap_or_default()),
            large.clone(),
            vec![u8::from(n % 2 == 0)],
            (n as f64).to_be_bytes().to_vec(),
            small.clone(),
            large.repeat(2),
            b"a note of some length for each".to_vec(),
        ]
    });
    measure("ten columns, binary", &mixed, &orders);
}
