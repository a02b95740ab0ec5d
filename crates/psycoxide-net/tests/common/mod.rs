//! Shared by the integration tests: drives a link to the end of an operation, with a time limit, so
//! that a test fails instead of hanging.
#![allow(dead_code)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use psycoxide_net::{Config, Error, Link, Progress, Readiness, wait};
use psycoxide_proto::{Event, Outcome, Request};

/// No operation of these tests takes this long.
const BOUND: Duration = Duration::from_secs(30);

/// Connects.
pub fn connect(dsn: &str) -> Result<Link, Error> {
    let config = Config::parse(dsn)?;
    let mut link = Link::dial(Arc::new(config))?;
    match drive(&mut link)? {
        Progress::Event(Event::Done(outcome)) => {
            assert!(outcome.error.is_none(), "{:?}", outcome.error)
        }
        other => panic!("connecting came to {other:?}"),
    }
    Ok(link)
}

/// The text of the error when connecting fails.
pub fn refusal(dsn: &str) -> String {
    match connect(dsn) {
        Ok(_) => panic!("{dsn} was let in"),
        Err(error) => error.to_string(),
    }
}

/// Advances until the operation ends or pauses, waiting where it must.
pub fn drive(link: &mut Link) -> Result<Progress, Error> {
    let bound = Instant::now() + BOUND;
    loop {
        assert!(Instant::now() < bound, "no end in sight");
        match link.advance()? {
            Progress::Wait(interest) => {
                assert!(!interest.is_empty(), "there is nothing to wait for");
                let deadline = link.deadline().map_or(bound, |deadline| deadline.min(bound));
                match wait(link.fd(), interest, Some(deadline)) {
                    Ok(Readiness::Ready | Readiness::Expired) => {}
                    Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::Interrupted),
                }
            }
            Progress::Yield => {}
            progress => return Ok(progress),
        }
    }
}

/// Runs a simple query.
pub fn query(link: &mut Link, sql: &str) -> Result<Outcome, Error> {
    link.start(Request::query(sql.into()))?;
    match drive(link)? {
        Progress::Event(Event::Done(outcome)) => Ok(outcome),
        other => panic!("{sql} came to {other:?}"),
    }
}

/// The rows of a result, as text.
pub fn texts(outcome: &Outcome) -> Vec<Vec<Option<String>>> {
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    let rows = &outcome.result.as_ref().expect("a result").rows;
    let mut position = rows.start();
    let mut texts = Vec::new();
    while let Some(row) = rows.next_row(&mut position) {
        let text = |field: Option<&[u8]>| {
            field.map(|bytes| String::from_utf8(bytes.to_vec()).expect("UTF-8"))
        };
        texts.push(row.fields().map(text).collect());
    }
    texts
}

/// The only field of the only row of a result.
pub fn value(link: &mut Link, sql: &str) -> String {
    let rows = texts(&query(link, sql).expect(sql));
    match rows.as_slice() {
        [row] => row.first().cloned().flatten().expect("a value"),
        rows => panic!("{sql} gave {} rows", rows.len()),
    }
}
