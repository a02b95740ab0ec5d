//! COPY in, out and both ways.

mod common;

use common::*;
use psycoxide_proto::{
    CopyFormat, Engine, Error, Event, Extended, Interest, Phase, Request, ResultKind,
};

const FORMAT: &[u8] = b"\0\0\x01\0\0";

fn format() -> CopyFormat {
    CopyFormat { binary: false, columns: vec![0] }
}

/// An engine in a COPY that began with a message of this type; its event has been taken.
fn copying(kind: u8) -> Engine {
    let mut engine = idle();
    engine.submit(Request::query(b"COPY t".to_vec())).unwrap();
    sent(&mut engine);
    engine.receive(&message(kind, FORMAT));
    assert!(!engine.interest().contains(Interest::READ), "the event must be taken first");
    let expected = match kind {
        b'G' => Event::CopyIn(format()),
        b'H' => Event::CopyOut(format()),
        _ => Event::CopyBoth(format()),
    };
    assert_eq!(engine.poll_event(), Some(expected));
    engine
}

fn data(payload: &[u8]) -> Vec<u8> {
    message(b'd', payload)
}

#[test]
fn data_go_in() {
    let mut engine = copying(b'G');
    assert_eq!(engine.interest(), Interest::READ);
    engine.copy_chunk(b"1\n").unwrap();
    assert_eq!(engine.interest(), Interest::READ | Interest::WRITE);
    engine.copy_chunk(b"").unwrap();
    engine.copy_chunk(b"2\n").unwrap();
    assert_eq!(sent(&mut engine), b"d\0\0\0\x081\n2\n");
    engine.copy_chunk(b"3\n").unwrap();
    engine.copy_done().unwrap();
    assert_eq!(sent(&mut engine), b"d\0\0\0\x063\nc\0\0\0\x04");
    engine.receive(&[complete("COPY 2"), ready(b'I')].concat());
    let result = outcome(&mut engine).result.unwrap();
    assert_eq!((result.kind, result.affected()), (ResultKind::CopyIn, Some(2)));
}

#[test]
fn a_driver_can_fail_a_copy() {
    let mut engine = copying(b'G');
    assert!(matches!(engine.copy_fail(b"a\0b"), Err(Error::Misuse(_))));
    assert_eq!(engine.phase(), Phase::CopyIn);
    engine.copy_fail(b"file is gone").unwrap();
    assert_eq!(sent(&mut engine), b"f\0\0\0\x11file is gone\0");
    engine.receive(&[error("ERROR", "57014", "COPY from stdin failed"), ready(b'E')].concat());
    assert_eq!(outcome(&mut engine).error.unwrap().sqlstate(), Some("57014"));
    assert!(engine.is_idle());
}

#[test]
fn a_server_can_refuse_a_copy_at_any_time() {
    let mut engine = copying(b'G');
    engine.copy_chunk(b"junk\n").unwrap();
    sent(&mut engine);
    engine.receive(&error("ERROR", "22P02", "invalid input syntax"));
    let late = |engine: &mut Engine| {
        engine.copy_chunk(b"more\n").unwrap();
        engine.copy_done().unwrap();
        engine.copy_fail(b"why").unwrap();
        assert!(sent(engine).is_empty(), "late data are dropped");
    };
    late(&mut engine);
    engine.receive(&ready(b'E'));
    late(&mut engine);
    assert_eq!(outcome(&mut engine).error.unwrap().sqlstate(), Some("22P02"));
    assert!(matches!(engine.copy_chunk(b"x"), Err(Error::Misuse(_))));
}

#[test]
fn data_come_out_in_blocks_of_whole_messages() {
    let mut engine = copying(b'H');
    let line = data(&[b'x'; 99]);
    engine.receive(&line.repeat(3));
    engine.receive(&line[..50]);
    assert_eq!(engine.interest(), Interest::NONE, "back-pressure");
    assert_eq!(engine.poll_event(), Some(Event::CopyData(vec![b'x'; 297])));
    assert_eq!(engine.poll_event(), None);
    assert_eq!(engine.interest(), Interest::READ);
    engine.receive(&[&line[50..], &data(b""), &message(b'c', b"")].concat());
    assert_eq!(engine.poll_event(), Some(Event::CopyData(vec![b'x'; 99])));
    engine.receive(&[complete("COPY 4"), ready(b'I')].concat());
    let result = outcome(&mut engine).result.unwrap();
    assert_eq!((result.kind, result.affected()), (ResultKind::CopyOut, Some(4)));
}

#[test]
fn blocks_are_bounded_but_a_message_is_never_cut() {
    let mut engine = copying(b'H');
    engine.receive(&data(&[b'y'; 1000]).repeat(1000));
    let mut total = 0;
    while let Some(event) = engine.poll_event() {
        let Event::CopyData(block) = event else { panic!("{event:?}") };
        assert!(block.len() % 1000 == 0 && block.len() < 264_000, "{}", block.len());
        total += block.len();
    }
    assert_eq!(total, 1_000_000);
    engine.receive(&data(&vec![b'z'; 2_000_000]));
    assert_eq!(engine.poll_event(), Some(Event::CopyData(vec![b'z'; 2_000_000])));
}

#[test]
fn an_error_ends_a_copy_out() {
    let mut engine = copying(b'H');
    engine.receive(
        &[data(b"1\n"), error("ERROR", "22012", "division by zero"), ready(b'E')].concat(),
    );
    assert_eq!(engine.poll_event(), Some(Event::CopyData(b"1\n".to_vec())));
    assert_eq!(outcome(&mut engine).error.unwrap().sqlstate(), Some("22012"));
}

#[test]
fn a_copy_among_other_statements() {
    let mut engine = copying(b'H');
    engine.receive(
        &[
            message(b'c', b""),
            complete("COPY 0"),
            row_description(&["a"]),
            data_row(&[Some(b"1")]),
            complete("SELECT 1"),
            ready(b'I'),
        ]
        .concat(),
    );
    assert_eq!(rows(&outcome(&mut engine)), [[Some("1".to_owned())]]);
}

fn extended() -> Engine {
    let mut engine = idle();
    let copy = Extended { sql: Some(b"COPY t".to_vec()), ..Extended::default() };
    engine.submit(Request::extended(copy)).unwrap();
    sent(&mut engine);
    engine.receive(&[message(b'1', b""), message(b'2', b""), message(b'n', b"")].concat());
    engine
}

#[test]
fn copy_in_by_the_extended_protocol_is_refused_and_synced_again() {
    let mut engine = extended();
    engine.receive(&message(b'G', FORMAT));
    assert_eq!(engine.poll_event(), None);
    assert_eq!(kinds(&sent(&mut engine)), "fS");
    engine.receive(&[error("ERROR", "57014", "COPY from stdin failed"), ready(b'I')].concat());
    assert!(outcome(&mut engine).error.is_some());
    assert!(engine.is_idle());
}

#[test]
fn copy_out_by_the_extended_protocol_ends_with_its_sync() {
    let mut engine = extended();
    engine.receive(&[message(b'H', FORMAT), data(b"1\n"), message(b'c', b"")].concat());
    assert_eq!(events(&mut engine).len(), 2);
    engine.receive(&complete("COPY 1"));
    assert_eq!(engine.phase(), Phase::Sync);
    engine.receive(&ready(b'I'));
    assert_eq!(outcome(&mut engine).result.unwrap().kind, ResultKind::CopyOut);
}

#[test]
fn a_stream_keeps_its_messages_apart() {
    let mut engine = copying(b'W');
    engine.receive(&[data(b"one"), data(b"two")].concat());
    assert_eq!(engine.poll_event(), Some(Event::CopyData(b"one".to_vec())));
    engine.copy_chunk(b"status").unwrap();
    assert_eq!(engine.poll_event(), Some(Event::CopyData(b"two".to_vec())));
    assert_eq!(sent(&mut engine), b"d\0\0\0\x0astatus");
    assert_eq!(engine.interest(), Interest::READ);
}

#[test]
fn a_stream_ends_from_either_side() {
    // The client ends the stream; data may still be on their way.
    let mut engine = copying(b'W');
    engine.copy_done().unwrap();
    engine.copy_chunk(b"too late").unwrap();
    assert_eq!(sent(&mut engine), b"c\0\0\0\x04");
    engine.receive(&[data(b"late"), message(b'c', b""), complete("COPY 0"), ready(b'I')].concat());
    assert_eq!(engine.poll_event(), Some(Event::CopyData(b"late".to_vec())));
    assert_eq!(outcome(&mut engine).result.unwrap().kind, ResultKind::CopyBoth);

    // The server ends the stream, at the end of a timeline: a result with rows names the next one.
    let mut engine = copying(b'W');
    engine.receive(&message(b'c', b""));
    assert_eq!(sent(&mut engine), b"c\0\0\0\x04");
    let timeline = [
        row_description(&["next_tli"]),
        data_row(&[Some(b"2")]),
        complete("SELECT"),
        complete("START_STREAMING"),
        ready(b'I'),
    ];
    engine.receive(&timeline.concat());
    assert_eq!(outcome(&mut engine).result.unwrap().tag[..], *b"START_STREAMING");

    // The server shuts down: it sends no CopyDone before the end.
    let mut engine = copying(b'W');
    engine.receive(&complete("COPY 0"));
    engine.receive_eof();
    assert_eq!(engine.error(), Some(&Error::Terminated(None)));

    let mut engine = copying(b'W');
    engine.receive(&[error("ERROR", "58P01", "segment is gone"), ready(b'I')].concat());
    assert_eq!(outcome(&mut engine).error.unwrap().sqlstate(), Some("58P01"));
}

#[test]
fn copy_needs_a_copy() {
    let mut engine = idle();
    assert!(matches!(engine.copy_chunk(b"x"), Err(Error::Misuse(_))));
    assert!(matches!(engine.copy_done(), Err(Error::Misuse(_))));
    assert!(matches!(engine.copy_fail(b"x"), Err(Error::Misuse(_))));
    engine.submit(Request::function(1, vec![])).unwrap();
    assert!(matches!(engine.copy_chunk(b"x"), Err(Error::Misuse(_))));
    assert_eq!(kinds(&sent(&mut engine)), "F");
}

#[test]
fn the_wrong_direction_is_a_violation() {
    for (begun, wrong) in [(b'G', b'd'), (b'G', b'c'), (b'H', b'G'), (b'H', b'C'), (b'G', b'C')] {
        let mut engine = copying(begun);
        engine.receive(&message(wrong, b"x\0"));
        assert!(matches!(engine.error(), Some(Error::Violation(_))), "{begun} {wrong}");
    }
}
