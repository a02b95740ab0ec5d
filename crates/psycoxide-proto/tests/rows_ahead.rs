//! Rows that a request offers while they arrive.

mod common;

use common::*;
use psycoxide_proto::{Engine, Event, Request, Rows};

const LONG: usize = 100;

fn submit(engine: &mut Engine) {
    engine.submit(Request::query(b"SELECT 1".to_vec()).offering(LONG)).unwrap();
    engine.sent(engine.out().len());
}

/// A row with one field of this length, which begins with the row's number.
fn row(number: usize, length: usize) -> Vec<u8> {
    let mut field = number.to_string().into_bytes();
    field.resize(field.len().max(length), b'x');
    data_row(&[Some(&field)])
}

fn values(rows: &Rows) -> Vec<usize> {
    let mut position = rows.start();
    std::iter::from_fn(|| rows.next_row(&mut position))
        .map(|row| {
            let field = row.fields().next().unwrap().unwrap();
            let digits = field.iter().take_while(|byte| byte.is_ascii_digit()).count();
            std::str::from_utf8(&field[..digits]).unwrap().parse().unwrap()
        })
        .collect()
}

/// Feeds rows and takes all that are offered. Checks that each block knows how many rows came
/// before it.
fn feed(engine: &mut Engine, numbers: std::ops::Range<usize>, length: usize) -> Vec<usize> {
    let mut taken = Vec::new();
    for number in numbers {
        engine.receive(&row(number, length));
        if engine.offers_rows() {
            let (columns, rows) = engine.take_rows().unwrap();
            assert_eq!(columns.len(), 1);
            if rows.before() == 0 {
                taken.clear();
            }
            assert_eq!(rows.before(), taken.len());
            taken.extend(values(&rows));
            engine.give_back(rows);
            assert!(!engine.offers_rows() && engine.take_rows().is_none());
        }
    }
    taken
}

#[test]
fn the_rows_taken_and_the_rows_left_are_the_result() {
    for length in [LONG, 5_000, 300_000] {
        let mut engine = idle();
        for count in [3_000_000 / length, 1_000_000 / length] {
            submit(&mut engine);
            engine.receive(&row_description(&["a"]));
            let mut taken = feed(&mut engine, 0..count, length);
            assert!(!taken.is_empty());
            engine.receive(&[complete("SELECT"), ready(b'I')].concat());
            assert!(!engine.offers_rows());
            let rest = outcome(&mut engine).result.unwrap().rows;
            assert_eq!(rest.before(), taken.len());
            taken.extend(values(&rest));
            assert!(taken.into_iter().eq(0..count), "{length}");
        }
    }
}

#[test]
fn rows_of_another_statement_count_from_zero() {
    let mut engine = idle();
    submit(&mut engine);
    for _ in 0..2 {
        engine.receive(&row_description(&["a"]));
        assert!(!feed(&mut engine, 0..200, 5_000).is_empty());
        engine.receive(&complete("SELECT"));
        assert!(!engine.offers_rows(), "the statement is complete");
    }
    engine.receive(&row_description(&["a"]));
    engine.receive(&[row(7, 10), complete("SELECT"), ready(b'I')].concat());
    let rows = outcome(&mut engine).result.unwrap().rows;
    assert_eq!((rows.before(), values(&rows)), (0, vec![7]));
}

#[test]
fn rows_before_an_error_belong_to_no_result() {
    let mut engine = idle();
    submit(&mut engine);
    engine.receive(&row_description(&["a"]));
    assert!(!feed(&mut engine, 0..200, 5_000).is_empty());
    engine.receive(&[error("ERROR", "22012", "division by zero"), ready(b'I')].concat());
    let failed = outcome(&mut engine);
    assert!(failed.error.is_some() && failed.result.is_none());
    submit(&mut engine);
    engine.receive(&row_description(&["a"]));
    engine.receive(&[row(1, 10), complete("SELECT"), ready(b'I')].concat());
    assert_eq!(outcome(&mut engine).result.unwrap().rows.before(), 0);
}

#[test]
fn only_long_fields_are_offered_and_only_on_request() {
    let mut engine = idle();
    submit(&mut engine);
    engine.receive(&row_description(&["a"]));
    for number in 0..50_000 {
        engine.receive(&row(number, LONG - 20));
        assert!(!engine.offers_rows());
    }
    engine.receive(&[complete("SELECT"), ready(b'I')].concat());
    assert_eq!(outcome(&mut engine).result.unwrap().rows.len(), 50_000);

    engine.submit(Request::query(b"SELECT 1".to_vec())).unwrap();
    engine.receive(&row_description(&["a"]));
    assert!(feed(&mut engine, 0..500, 5_000).is_empty());
    engine.receive(&[complete("SELECT"), ready(b'I')].concat());
    assert_eq!(outcome(&mut engine).result.unwrap().rows.len(), 500);
}

/// Rows of any length, in pieces of any size, are offered at once when the socket is empty, and
/// those of full buffers while there is more to read.
#[test]
fn a_stream_has_all_rows_as_they_arrive() {
    for (length, count) in [(1, 5_000), (200, 3_000), (70_000, 60)] {
        for piece in [1, 13, 500, 40_000, 1 << 20] {
            if length * count / piece > 200_000 {
                continue;
            }
            let mut engine = idle();
            engine.submit(Request::query(b"SELECT 1".to_vec()).streaming()).unwrap();
            let rows: Vec<u8> = (0..count).flat_map(|number| row(number, length)).collect();
            let bytes = [row_description(&["a"]), rows].concat();
            let mut taken = Vec::new();
            for (number, piece) in bytes.chunks(piece).enumerate() {
                engine.receive(piece);
                // The socket has more, three times out of four.
                let next = match number % 4 {
                    0 => engine.offers_arrived_rows().then(|| engine.take_arrived_rows()),
                    _ => engine.offers_rows().then(|| engine.take_rows()),
                };
                if let Some(offered) = next {
                    let (columns, rows) = offered.unwrap();
                    assert_eq!((columns.len(), rows.before()), (1, taken.len()));
                    taken.extend(values(&rows));
                    engine.give_back(rows);
                    assert!(!engine.offers_rows() && engine.take_rows().is_none());
                }
                if number % 4 == 0 {
                    assert!(!engine.offers_arrived_rows() && engine.take_arrived_rows().is_none());
                }
            }
            assert!(!taken.is_empty());
            engine.receive(&[complete("SELECT"), ready(b'I')].concat());
            assert!(!engine.offers_arrived_rows() && engine.take_arrived_rows().is_none());
            let rest = outcome(&mut engine).result.unwrap().rows;
            assert_eq!(rest.before(), taken.len());
            taken.extend(values(&rest));
            assert!(taken.into_iter().eq(0..count), "{length} {piece}");
        }
    }
}

#[test]
fn only_a_stream_offers_rows_of_a_buffer_that_is_not_full() {
    let mut engine = idle();
    for request in [Request::query(vec![]), Request::query(vec![]).offering(0)] {
        engine.submit(request).unwrap();
        engine.receive(&[row_description(&["a"]), row(1, 1)].concat());
        assert!(!engine.offers_arrived_rows() && !engine.offers_rows());
        engine.receive(&[complete("SELECT 1"), ready(b'I')].concat());
        assert_eq!(outcome(&mut engine).result.unwrap().rows.len(), 1);
    }
    // Each of several results in one text counts for itself; rows before an error are of none.
    engine.submit(Request::query(vec![]).streaming()).unwrap();
    for _ in 0..2 {
        engine.receive(&[row_description(&["a"]), row(1, 1), row(2, 1)].concat());
        assert_eq!(engine.take_arrived_rows().unwrap().1.before(), 0);
        engine.receive(&row(3, 1));
        assert_eq!(engine.take_arrived_rows().unwrap().1.before(), 2);
        engine.receive(&complete("SELECT 3"));
    }
    engine.receive(&[row_description(&["a"]), row(1, 1)].concat());
    engine.keep_rows();
    assert!(!engine.offers_arrived_rows());
    engine.receive(&[error("ERROR", "22012", "no"), ready(b'I')].concat());
    assert!(outcome(&mut engine).result.is_none());
    // A request behind the stream has all its rows.
    let query = || Request::query(vec![]).pipelined();
    engine.submit(query().streaming()).unwrap();
    engine.submit(query()).unwrap();
    engine.receive(&[row_description(&["a"]), row(1, 1)].concat());
    assert_eq!(values(&engine.take_arrived_rows().unwrap().1), [1]);
    let end = || [complete("SELECT 1"), ready(b'I')].concat();
    engine.receive(&[end(), row_description(&["a"]), row(2, 1)].concat());
    let Some(Event::Done(first)) = engine.poll_event() else { panic!("no outcome") };
    let rows = first.result.unwrap().rows;
    assert_eq!((rows.before(), rows.len()), (1, 0));
    assert!(!engine.offers_arrived_rows());
    engine.receive(&end());
    let rows = outcome(&mut engine).result.unwrap().rows;
    assert_eq!((rows.before(), values(&rows)), (0, vec![2]));
}

#[test]
fn an_offer_can_be_declined() {
    let mut engine = idle();
    submit(&mut engine);
    engine.receive(&row_description(&["a"]));
    while !engine.offers_rows() {
        engine.receive(&row(1, 5_000));
    }
    engine.keep_rows();
    assert!(!engine.offers_rows());
    assert!(feed(&mut engine, 0..500, 5_000).is_empty());
}
