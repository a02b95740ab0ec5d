//! Sessions over a real server: the one that `PSYCOXIDE_TEST_DSN` names.
#![allow(clippy::disallowed_methods)]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use psycoxide_net::{Closed, Config, Error, Link, Readiness, Session, Step, Stop, wait};
use psycoxide_proto::{Engine, Error as ProtoError, Event, Outcome, Request};

/// No operation of these tests takes this long.
const BOUND: Duration = Duration::from_secs(30);

/// A connected session; without a server the test says so and is skipped.
macro_rules! session {
    () => {
        match std::env::var("PSYCOXIDE_TEST_DSN") {
            Ok(dsn) => {
                let session = dialed(&dsn);
                done(&session).unwrap();
                session
            }
            Err(_) => {
                eprintln!("skipped: PSYCOXIDE_TEST_DSN names no server");
                return;
            }
        }
    };
}

fn dialed(dsn: &str) -> Session {
    Session::new(Link::dial(Arc::new(Config::parse(dsn).unwrap())).unwrap())
}

/// Where an operation stops for its caller.
fn stop(session: &Session) -> Result<Stop, Error> {
    let until = Instant::now() + BOUND;
    loop {
        match session.drive(Some(until))? {
            Stop::Interrupted => {}
            Stop::Expired => panic!("no end in sight"),
            stop => return Ok(stop),
        }
    }
}

fn done(session: &Session) -> Result<Outcome, Error> {
    match stop(session)? {
        Stop::Event(Event::Done(outcome)) => Ok(outcome),
        other => panic!("it came to {other:?}"),
    }
}

fn query(session: &Session, sql: &str) -> Result<Outcome, Error> {
    session.start(Request::query(sql.into()))?;
    done(session)
}

fn sqlstate(outcome: &Outcome) -> Option<&[u8]> {
    outcome.error.as_ref().and_then(|report| report.field(b'C'))
}

#[test]
fn a_session_is_open_until_it_is_closed() {
    let session = session!();
    assert!(session.closed() == Closed::Open && session.is_at_rest());
    assert_eq!(query(&session, "select 1").unwrap().result.unwrap().rows.len(), 1);
    session.close();
    assert_eq!(session.closed(), Closed::ByUser);
    assert!(query(&session, "select 1").is_err());
    session.mark_broken();
    assert_eq!(session.closed(), Closed::ByUser, "the first verdict stands");
}

#[test]
fn a_session_that_the_server_ends_is_broken() {
    let session = session!();
    let ended = query(&session, "select pg_terminate_backend(pg_backend_pid())");
    let told = ended.as_ref().is_err() || sqlstate(ended.as_ref().unwrap()) == Some(b"57P01");
    assert!(told, "{ended:?}");
    assert_eq!(session.closed(), Closed::Broken);
}

#[test]
fn a_cancelled_operation_is_drained_and_the_session_goes_on() {
    let session = session!();
    session.start(Request::query(b"select pg_sleep(60)".to_vec())).unwrap();
    let soon = Instant::now() + Duration::from_millis(100);
    assert!(matches!(session.drive(Some(soon)).unwrap(), Stop::Expired));
    let outcome = session.cancel_and_drain(BOUND).expect("the server's answer");
    assert_eq!(sqlstate(&outcome), Some(&b"57014"[..]));
    assert_eq!(session.closed(), Closed::Open);
    assert!(query(&session, "select 1").unwrap().error.is_none());
}

#[test]
fn an_operation_that_takes_too_long_closes_the_session() {
    let session = session!();
    session.set_timeout(Some(Duration::from_millis(100)));
    session.start(Request::query(b"select pg_sleep(60)".to_vec())).unwrap();
    assert!(matches!(session.drive(session.until()).unwrap(), Stop::Expired));
    session.expire();
    assert_eq!(session.closed(), Closed::Broken);
}

#[test]
fn a_polled_operation_is_ended_by_the_watchdog() {
    let session = session!();
    session.set_timeout(Some(Duration::from_millis(100)));
    session.start(Request::query(b"select pg_sleep(60)".to_vec())).unwrap();
    session.begin_polled();
    assert!(session.is_polled() && !session.is_at_rest());
    let began = Instant::now();
    while !session.expire_polled() {
        assert!(began.elapsed() < BOUND, "no end in sight");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(began.elapsed() >= Duration::from_millis(90));
    assert_eq!((session.closed(), session.is_polled()), (Closed::Broken, false));
}

#[test]
fn copy_from_is_hungry_until_it_is_ended() {
    let session = session!();
    query(&session, "create temp table t (x int)").unwrap();
    session.start(Request::query(b"copy t from stdin".to_vec())).unwrap();
    assert!(matches!(stop(&session).unwrap(), Stop::Event(Event::CopyIn(_))));
    for _ in 0..3 {
        session.with_engine(|engine| engine.copy_chunk(b"1\n2\n")).unwrap();
        assert!(matches!(stop(&session).unwrap(), Stop::Hungry));
    }
    session.with_engine(Engine::copy_done).unwrap();
    assert_eq!(done(&session).unwrap().result.unwrap().affected(), Some(6));
}

#[test]
fn an_abandoned_answer_is_drained_with_its_copies() {
    let session = session!();
    query(&session, "create temp table t (x int)").unwrap();
    let sql = "copy t from stdin; copy (select generate_series(1, 100000)) to stdout";
    session.start(Request::query(sql.into())).unwrap();
    assert!(matches!(stop(&session).unwrap(), Stop::Event(Event::CopyIn(_))));
    let outcome = session.finish(BOUND).expect("the end of the answer");
    assert_eq!(sqlstate(&outcome), Some(&b"57014"[..]), "the COPY was refused");
    assert!(query(&session, "select 1").unwrap().error.is_none());
}

/// Where an operation stops, step by step, as an event loop drives it.
fn stop_of_steps(session: &Session) -> Result<Stop, Error> {
    let until = Instant::now() + BOUND;
    loop {
        match session.step()? {
            Step::Stop(stop) => return Ok(stop),
            Step::Wait(interest) => {
                let readiness = wait(session.fd(), interest, Some(until)).unwrap();
                assert_eq!(readiness, Readiness::Ready, "no end in sight");
            }
            Step::Yield => assert!(Instant::now() < until, "no end in sight"),
        }
    }
}

fn done_by_steps(session: &Session) -> Outcome {
    match stop_of_steps(session).unwrap() {
        Stop::Event(Event::Done(outcome)) => outcome,
        other => panic!("it came to {other:?}"),
    }
}

#[test]
fn no_step_waits() {
    let Ok(dsn) = std::env::var("PSYCOXIDE_TEST_DSN") else {
        return eprintln!("skipped: PSYCOXIDE_TEST_DSN names no server");
    };
    let session = dialed(&dsn);
    assert!(matches!(session.step().unwrap(), Step::Wait(_)));
    done_by_steps(&session);
    session.start(Request::query(b"select pg_sleep(0.3)".to_vec())).unwrap();
    let began = Instant::now();
    assert!(matches!(session.step().unwrap(), Step::Wait(_)));
    assert!(matches!(session.step().unwrap(), Step::Wait(_)));
    assert!(began.elapsed() < Duration::from_millis(250));
    assert!(done_by_steps(&session).error.is_none());
}

#[test]
fn steps_stop_where_the_driver_is_needed() {
    let session = session!();
    query(&session, "create temp table t (x int)").unwrap();
    session.start(Request::query(b"copy t from stdin".to_vec())).unwrap();
    assert!(matches!(stop_of_steps(&session).unwrap(), Stop::Event(Event::CopyIn(_))));
    session.with_engine(|engine| engine.copy_chunk(b"1\n2\n")).unwrap();
    assert!(matches!(stop_of_steps(&session).unwrap(), Stop::Hungry));
    session.with_engine(Engine::copy_done).unwrap();
    assert_eq!(done_by_steps(&session).result.unwrap().affected(), Some(2));

    let sql = "select repeat('x', 1000) from generate_series(1, 20000)";
    session.start(Request::query(sql.into()).offering(320)).unwrap();
    assert!(matches!(stop_of_steps(&session).unwrap(), Stop::Rows));
    session.keep_rows();
    assert_eq!(done_by_steps(&session).result.unwrap().rows.len(), 20_000);

    let sql = "do $$ begin for i in 1..5000 loop raise notice '%', i; end loop; end $$";
    session.start(Request::query(sql.into())).unwrap();
    assert!(matches!(stop_of_steps(&session).unwrap(), Stop::Backlog));
    let mut notices = 0;
    let outcome = loop {
        notices += session.link().take_async_messages().notices.len();
        match stop_of_steps(&session).unwrap() {
            Stop::Backlog => {}
            Stop::Event(Event::Done(outcome)) => break outcome,
            other => panic!("it came to {other:?}"),
        }
    };
    notices += session.link().take_async_messages().notices.len();
    assert_eq!((outcome.error, notices), (None, 5000));
}

/// Starts these queries, each behind the other.
fn pipeline(session: &Session, queries: &[&str]) {
    for sql in queries {
        session.start(Request::query((*sql).into()).pipelined()).unwrap();
    }
}

#[test]
fn the_rest_of_a_pipeline_is_drained_too() {
    let session = session!();
    pipeline(&session, &["select pg_sleep(60)", "select 1", "select 1/0"]);
    let soon = Instant::now() + Duration::from_millis(100);
    assert!(matches!(session.drive(Some(soon)).unwrap(), Stop::Expired));
    let outcome = session.cancel_and_drain(BOUND).expect("the server's answer");
    assert_eq!(sqlstate(&outcome), Some(&b"57014"[..]));
    assert_eq!(query(&session, "select 2").unwrap().result.unwrap().rows.len(), 1);
}

#[test]
fn the_requests_behind_the_end_of_a_session_learn_of_it() {
    let session = session!();
    let end = "select pg_terminate_backend(pg_backend_pid())";
    pipeline(&session, &["select 1", end, "select 2"]);
    assert!(done_by_steps(&session).error.is_none());
    assert_eq!(session.closed(), Closed::Open);
    let mut stopped = stop_of_steps(&session);
    if let Ok(Stop::Event(Event::Done(outcome))) = &stopped {
        assert_eq!((sqlstate(outcome), session.closed()), (Some(&b"57P01"[..]), Closed::Broken));
        stopped = stop_of_steps(&session);
    }
    let Err(Error::Protocol(ProtoError::Terminated(Some(report)))) = stopped else {
        panic!("{stopped:?}");
    };
    assert_eq!(report.field(b'C'), Some(&b"57P01"[..]));
    assert_eq!(session.fd(), -1);
}

/// Waits until the socket of an idle session is readable.
fn wait_idle(session: &Session) {
    let until = Instant::now() + BOUND;
    let readiness = wait(session.fd(), psycoxide_net::Interest::READ, Some(until)).unwrap();
    assert_eq!(readiness, Readiness::Ready);
}

#[test]
fn a_poke_hears_what_comes_between_operations() {
    let (session, other) = (session!(), session!());
    query(&session, "listen psycoxide_session").unwrap();
    session.poke().unwrap();
    query(&other, "notify psycoxide_session, 'hello'").unwrap();
    wait_idle(&session);
    session.poke().unwrap();
    let heard = session.link().take_async_messages().notifications;
    assert_eq!(heard.iter().map(|heard| &heard.payload[..]).collect::<Vec<_>>(), [b"hello"]);
    assert!(session.is_at_rest());
}

#[test]
fn a_poke_finds_the_end_of_the_session() {
    let (session, other) = (session!(), session!());
    let pid = session.ask(|engine| engine.cancel_key().unwrap().pid).unwrap();
    query(&other, &format!("select pg_terminate_backend({pid})")).unwrap();
    let error = loop {
        wait_idle(&session);
        if let Err(error) = session.poke() {
            break error;
        }
    };
    let Error::Protocol(ProtoError::Terminated(Some(report))) = error else { panic!("{error:?}") };
    assert_eq!(report.field(b'C'), Some(&b"57P01"[..]));
    assert_eq!((session.closed(), session.fd()), (Closed::Broken, -1));
}
