//! Links to a server that misbehaves: a listener that sends a few scripted bytes.
#![allow(clippy::disallowed_methods)]

mod common;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use common::{connect, query, refusal, value};
use psycoxide_net::{Error, Progress};
use psycoxide_proto::{Error as ProtoError, Event};

/// A listener that plays `scene` with each of `visits` clients, one after the other.
struct Fake {
    port: u16,
    player: JoinHandle<()>,
}

impl Fake {
    fn play(visits: usize, scene: impl Fn(usize, &mut TcpStream) + Send + 'static) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let player = std::thread::spawn(move || {
            for visit in 0..visits {
                let (mut stream, _) = listener.accept().unwrap();
                stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
                scene(visit, &mut stream);
            }
        });
        Fake { port, player }
    }

    fn dsn(&self) -> String {
        format!(
            "host=127.0.0.1 port={} user=me dbname=d connect_timeout=5 sslmode=disable",
            self.port
        )
    }
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[kind], &length.to_be_bytes()[..], body].concat()
}

/// Reads a message without a type byte: the startup packet, or a cancel request.
fn read_untyped(stream: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut body = vec![0; u32::from_be_bytes(length) as usize - 4];
    stream.read_exact(&mut body).unwrap();
    body
}

fn read_typed(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut kind = [0];
    stream.read_exact(&mut kind).unwrap();
    (kind[0], read_untyped(stream))
}

/// AuthenticationOk, some parameters, a cancel key, ReadyForQuery.
fn welcome(stream: &mut TcpStream, parameters: &[(&str, &str)]) {
    let mut bytes = message(b'R', &0_u32.to_be_bytes());
    for (name, value) in
        [("DateStyle", "ISO, MDY"), ("client_encoding", "UTF8")].iter().chain(parameters)
    {
        bytes.extend(message(b'S', format!("{name}\0{value}\0").as_bytes()));
    }
    bytes.extend(message(b'K', b"\0\0\0\x07abcd"));
    bytes.extend(message(b'Z', b"I"));
    stream.write_all(&bytes).unwrap();
}

/// One row of one text column.
fn answer(text: &str) -> Vec<u8> {
    let column = [
        &b"\0\x01c\0"[..],
        &[0; 6],
        &25_u32.to_be_bytes(),
        &(-1_i16).to_be_bytes(),
        &[255; 4],
        &[0; 2],
    ];
    let length = u32::try_from(text.len()).unwrap();
    let row = [&b"\0\x01"[..], &length.to_be_bytes(), text.as_bytes()].concat();
    [
        message(b'T', &column.concat()),
        message(b'D', &row),
        message(b'C', b"SELECT 1\0"),
        message(b'Z', b"I"),
    ]
    .concat()
}

fn error(severity: &str, code: &str, text: &str) -> Vec<u8> {
    message(b'E', format!("S{severity}\0V{severity}\0C{code}\0M{text}\0\0").as_bytes())
}

#[test]
fn the_startup_packet_holds_what_was_asked_for() {
    let fake = Fake::play(1, |_, stream| {
        let packet = read_untyped(stream);
        assert_eq!(packet[..4], [0, 3, 0, 0]);
        let strings: Vec<_> = packet[4..]
            .split(|byte| *byte == 0)
            .map(|s| String::from_utf8_lossy(s).into_owned())
            .collect();
        assert_eq!(strings, ["user", "me", "database", "d", "application_name", "a b", "", ""]);
        welcome(stream, &[]);
        assert_eq!(read_typed(stream), (b'X', vec![]));
    });
    let mut link = connect(&format!("{} application_name='a b'", fake.dsn())).unwrap();
    link.close();
    fake.player.join().unwrap();
}

#[test]
fn passwords_go_out_as_asked_for() {
    let fake = Fake::play(2, |visit, stream| {
        read_untyped(stream);
        if visit == 0 {
            stream.write_all(&message(b'R', &3_u32.to_be_bytes())).unwrap();
            assert_eq!(read_typed(stream), (b'p', b"secret\0".to_vec()));
        } else {
            stream.write_all(&message(b'R', b"\0\0\0\x05salt")).unwrap();
            // 'md5' || md5(md5('secret' || 'me') || 'salt')
            assert_eq!(
                read_typed(stream),
                (b'p', b"md541c83370953958037c7298c50b238bda\0".to_vec())
            );
        }
        welcome(stream, &[]);
    });
    for _ in 0..2 {
        let link = connect(&format!("{} password=secret", fake.dsn())).unwrap();
        assert!(link.engine().unwrap().password_used());
    }
    fake.player.join().unwrap();
}

#[test]
fn no_password_is_sent_where_it_was_forbidden() {
    let fake = Fake::play(1, |_, stream| {
        read_untyped(stream);
        stream.write_all(&message(b'R', &3_u32.to_be_bytes())).unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(!rest.windows(6).any(|window| window == b"secret"));
    });
    let error = refusal(&format!("{} password=secret require_auth=scram-sha-256", fake.dsn()));
    assert!(error.contains("authentication method requirement"), "{error}");
    fake.player.join().unwrap();
}

#[test]
fn a_peer_that_closes_at_once_is_told_as_libpq_tells_it() {
    let fake = Fake::play(1, |_, stream| {
        read_untyped(stream);
    });
    assert_eq!(
        refusal(&fake.dsn()),
        format!(
            "connection to server at \"127.0.0.1\", port {} failed: \
             server closed the connection unexpectedly\n\
             \tThis probably means the server terminated abnormally\n\
             \tbefore or while processing the request.",
            fake.port
        )
    );
    fake.player.join().unwrap();
}

#[test]
fn a_server_that_starts_up_makes_room_for_the_next() {
    let fake = Fake::play(2, |visit, stream| {
        read_untyped(stream);
        if visit == 0 {
            stream
                .write_all(&error("FATAL", "57P03", "the database system is starting up"))
                .unwrap();
        } else {
            welcome(stream, &[]);
        }
    });
    let (dsn, port) = (fake.dsn(), fake.port);
    connect(&format!("{dsn} host=127.0.0.1,127.0.0.1 port={port},{port}")).unwrap();
    fake.player.join().unwrap();
}

#[test]
fn a_server_that_says_no_ends_the_search() {
    let fake = Fake::play(1, |_, stream| {
        read_untyped(stream);
        stream.write_all(&error("FATAL", "28000", "no")).unwrap();
    });
    let (dsn, port) = (fake.dsn(), fake.port);
    let error = refusal(&format!("{dsn} host=127.0.0.1,127.0.0.1 port={port},{port}"));
    assert_eq!(
        error,
        format!("connection to server at \"127.0.0.1\", port {port} failed: FATAL:  no")
    );
    fake.player.join().unwrap();
}

#[test]
fn old_servers_are_asked_what_they_are() {
    let fake = Fake::play(3, |visit, stream| {
        read_untyped(stream);
        welcome(stream, &[("server_version", "13.14")]);
        let (kind, sql) = read_typed(stream);
        assert_eq!(kind, b'Q');
        let wants_writable = sql == b"SHOW transaction_read_only\0";
        assert!(wants_writable || sql == b"SELECT pg_catalog.pg_is_in_recovery()\0");
        let reply = match (visit, wants_writable) {
            (0, _) => "on",
            (1, _) => "off",
            (_, _) => "t",
        };
        stream.write_all(&answer(reply)).unwrap();
        if visit == 0 {
            assert_eq!(read_typed(stream).0, b'X', "a server that does not fit is left politely");
        }
    });
    let (dsn, port) = (fake.dsn(), fake.port);
    let two = format!("{dsn} host=127.0.0.1,127.0.0.1 port={port},{port}");
    connect(&format!("{two} target_session_attrs=read-write")).unwrap();
    connect(&format!("{dsn} target_session_attrs=standby")).unwrap();
    fake.player.join().unwrap();
}

#[test]
fn a_standby_is_preferred_but_not_needed() {
    let fake = Fake::play(3, |_, stream| {
        read_untyped(stream);
        welcome(stream, &[("in_hot_standby", "off")]);
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    });
    let (dsn, port) = (fake.dsn(), fake.port);
    let two = format!("{dsn} host=127.0.0.1,127.0.0.1 port={port},{port}");
    let mut link = connect(&format!("{two} target_session_attrs=prefer-standby")).unwrap();
    link.close();
    fake.player.join().unwrap();
}

#[test]
fn an_answer_that_breaks_off_is_an_error() {
    for cut in [0, 3, 30, 40] {
        let fake = Fake::play(1, move |_, stream| {
            read_untyped(stream);
            welcome(stream, &[]);
            read_typed(stream);
            stream.write_all(&answer("whole")[..cut]).unwrap();
        });
        let mut link = connect(&fake.dsn()).unwrap();
        let error = query(&mut link, "select 1").unwrap_err();
        assert!(matches!(error, Error::Protocol(ProtoError::Terminated(None))), "{cut}: {error:?}");
        assert!(error.to_string().starts_with("server closed the connection unexpectedly\n"));
        assert!(query(&mut link, "select 1").is_err(), "a broken link stays broken");
        assert_eq!(link.fd(), -1);
        fake.player.join().unwrap();
    }
}

#[test]
fn an_answer_in_single_bytes_is_the_same() {
    let fake = Fake::play(1, |_, stream| {
        stream.set_nodelay(true).unwrap();
        read_untyped(stream);
        welcome(stream, &[]);
        read_typed(stream);
        for byte in answer("slow") {
            stream.write_all(&[byte]).unwrap();
        }
    });
    let mut link = connect(&fake.dsn()).unwrap();
    assert_eq!(value(&mut link, "select 1"), "slow");
    fake.player.join().unwrap();
}

#[test]
fn last_words_are_heard_when_sending_fails() {
    let fake = Fake::play(1, |_, stream| {
        read_untyped(stream);
        welcome(stream, &[]);
        stream.write_all(&error("FATAL", "57P01", "terminating connection")).unwrap();
        stream.shutdown(Shutdown::Both).unwrap();
    });
    let mut link = connect(&fake.dsn()).unwrap();
    fake.player.join().unwrap();
    std::thread::sleep(Duration::from_millis(50));
    // Too large for one call of send(2): the second call meets the closed socket.
    let sql = format!("select '{}'", "x".repeat(30_000_000));
    let report = match query(&mut link, &sql) {
        Ok(outcome) => outcome.error,
        Err(Error::Protocol(ProtoError::Terminated(report))) => report,
        Err(other) => panic!("{other:?}"),
    };
    assert_eq!(report.unwrap().field(b'C'), Some(&b"57P01"[..]));
}

#[test]
fn slow_drips_do_not_outlive_the_timeout() {
    let fake = Fake::play(1, |_, stream| {
        read_untyped(stream);
        stream.write_all(&message(b'R', &0_u32.to_be_bytes())).unwrap();
        for byte in message(b'S', &[b'k'; 500]) {
            if stream.write_all(&[byte]).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    let start = Instant::now();
    let error = refusal(&fake.dsn().replace("connect_timeout=5", "connect_timeout=1"));
    assert!(error.ends_with("failed: timeout expired"), "{error}");
    assert!((1..3).contains(&start.elapsed().as_secs()));
    fake.player.join().unwrap();
}

#[test]
fn a_flood_yields_and_does_not_outlive_the_timeout() {
    let fake = Fake::play(1, |_, stream| {
        read_untyped(stream);
        stream.write_all(&message(b'R', &0_u32.to_be_bytes())).unwrap();
        let notices = message(b'N', b"SNOTICE\0C00000\0Mx\0\0").repeat(10_000);
        while stream.write_all(&notices).is_ok() {}
    });
    let start = Instant::now();
    let error = refusal(&fake.dsn().replace("connect_timeout=5", "connect_timeout=1"));
    assert!(error.ends_with("failed: timeout expired"), "{error}");
    assert!((1..3).contains(&start.elapsed().as_secs()));
    fake.player.join().unwrap();
}

#[test]
fn a_cancel_request_is_bounded() {
    let fake = Fake::play(3, |visit, stream| match visit {
        0 => {
            read_untyped(stream);
            welcome(stream, &[]);
        }
        1 => assert_eq!(read_untyped(stream), b"\x04\xd2\x16\x2e\0\0\0\x07abcd"),
        _ => std::thread::sleep(Duration::from_secs(2)),
    });
    let link = connect(&fake.dsn()).unwrap();
    let token = link.cancel_token().unwrap();
    token.send(Some(Duration::from_secs(5)), &mut || true).unwrap();
    let start = Instant::now();
    let error = token.send(Some(Duration::from_millis(300)), &mut || true).unwrap_err();
    assert!(error.to_string().ends_with("failed: timeout expired"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(2));
    fake.player.join().unwrap();
}

#[test]
fn a_child_leaves_its_parents_link_alone() {
    let fake = Fake::play(1, |_, stream| {
        read_untyped(stream);
        welcome(stream, &[]);
        stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let mut byte = [0];
        assert!(matches!(stream.read(&mut byte), Ok(0)), "nothing was sent before the end");
    });
    let mut link = connect(&fake.dsn()).unwrap();
    link.abandon();
    assert_eq!(link.fd(), -1);
    fake.player.join().unwrap();
}

#[test]
fn the_first_step_of_a_dialed_link_waits_for_its_socket() {
    let fake = Fake::play(1, |_, stream| {
        read_untyped(stream);
        welcome(stream, &[]);
    });
    let config = std::sync::Arc::new(psycoxide_net::Config::parse(&fake.dsn()).unwrap());
    let mut link = psycoxide_net::Link::dial(config).unwrap();
    assert!(link.fd() >= 0 && link.deadline().is_some());
    assert!(matches!(link.advance().unwrap(), Progress::Wait(_)));
    assert!(matches!(common::drive(&mut link).unwrap(), Progress::Event(Event::Done(_))));
    fake.player.join().unwrap();
}

#[test]
fn an_answer_too_many_is_not_taken_for_the_next_one() {
    let fake = Fake::play(1, |_, stream| {
        read_untyped(stream);
        welcome(stream, &[]);
        read_typed(stream);
        stream.write_all(&[answer("first"), answer("second")].concat()).unwrap();
        let _ = stream.read(&mut [0]);
    });
    let mut link = connect(&fake.dsn()).unwrap();
    assert_eq!(value(&mut link, "select 1"), "first");
    let error = query(&mut link, "select 2").unwrap_err();
    assert!(matches!(error, Error::Protocol(ProtoError::Violation(_))), "{error:?}");
    assert_eq!(link.fd(), -1);
    fake.player.join().unwrap();
}

#[cfg(target_os = "linux")]
/// The number of the file that a descriptor belongs to, if it is open.
fn file_of(fd: std::os::fd::RawFd) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(format!("/proc/self/fd/{fd}")).ok().map(|metadata| metadata.ino())
}

#[cfg(target_os = "linux")]
#[test]
fn an_event_loop_has_time_to_forget_a_failed_socket() {
    for keeps in [true, false] {
        let fake = Fake::play(1, |_, stream| {
            read_untyped(stream);
            welcome(stream, &[]);
        });
        let mut link = connect(&fake.dsn()).unwrap();
        if keeps {
            link.keep_failed_socket();
        }
        let (fd, file) = (link.fd(), file_of(link.fd()));
        assert!(file.is_some());
        fake.player.join().unwrap();
        assert!(query(&mut link, "select 1").is_err());
        assert_eq!(link.fd(), -1);
        assert_eq!(file_of(fd) == file, keeps);
        link.close();
        assert_ne!(file_of(fd), file);
    }
}
