//! Links to a real server: the one that `PSYCOXIDE_TEST_DSN` names.
#![allow(clippy::disallowed_methods)]

mod common;

use std::net::TcpListener;
use std::time::{Duration, Instant};

use common::{connect, drive, query, refusal, texts, value};
use psycoxide_net::{Config, Error, Progress};
use psycoxide_proto::{Error as ProtoError, Event, Request};

/// The server's DSN; without one the test says so and is skipped.
macro_rules! server {
    () => {
        match std::env::var("PSYCOXIDE_TEST_DSN") {
            Ok(dsn) => dsn,
            Err(_) => {
                eprintln!("skipped: PSYCOXIDE_TEST_DSN names no server");
                return;
            }
        }
    };
}

fn option(dsn: &str, name: &str) -> String {
    Config::parse(dsn).unwrap().get(name).unwrap_or_default().to_owned()
}

/// The roles that the project's own servers have for each method of authentication.
fn has_role(dsn: &str, role: &str) -> bool {
    let sql = format!("select count(*) from pg_roles where rolname = '{role}'");
    let found = value(&mut connect(dsn).unwrap(), &sql) == "1";
    if !found {
        eprintln!("skipped: the server has no role {role}");
    }
    found
}

/// How errors name the server; its host must be an address.
fn place(dsn: &str) -> String {
    format!("connection to server at \"{}\", port {}", option(dsn, "host"), option(dsn, "port"))
}

/// A port at which nobody listens.
fn dead_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_query_is_answered() {
    let dsn = server!();
    let mut link = connect(&dsn).unwrap();
    let outcome = query(&mut link, "select 1, null, 'x' || 'y'").unwrap();
    assert_eq!(texts(&outcome), [[Some("1".into()), None, Some("xy".into())]]);
    assert_eq!(link.port().unwrap().to_string(), option(&dsn, "port"));
    assert_eq!(link.host().unwrap(), option(&dsn, "host"));
    assert!(link.engine().unwrap().parameter("server_version").is_some());
    assert!(link.fd() >= 0 && link.deadline().is_none());
    link.close();
    link.close();
    assert_eq!(link.fd(), -1);
    assert!(matches!(query(&mut link, "select 1"), Err(Error::Protocol(_))));
}

#[test]
fn an_error_leaves_the_link_usable() {
    let mut link = connect(&server!()).unwrap();
    let outcome = query(&mut link, "select 1/0").unwrap();
    assert_eq!(outcome.error.unwrap().field(b'C'), Some(&b"22012"[..]));
    assert_eq!(value(&mut link, "select 2"), "2");
}

#[test]
fn every_way_to_authenticate() {
    let dsn = server!();
    for (user, password) in [("md5user", "md5pw"), ("clearuser", "clearpw"), ("trustuser", "")] {
        if !has_role(&dsn, user) {
            continue;
        }
        let good = format!("{dsn} user={user} password='{password}'");
        let mut link = connect(&good).unwrap();
        assert_eq!(value(&mut link, "select current_user"), user);
        assert_eq!(link.engine().unwrap().password_used(), !password.is_empty());
        if !password.is_empty() {
            let place = place(&dsn);
            assert_eq!(
                refusal(&format!("{dsn} user={user} password=wrong sslmode=disable")),
                format!(
                    "{place} failed: FATAL:  password authentication failed for user \"{user}\""
                )
            );
            assert_eq!(
                refusal(&format!("{dsn} user={user} password='' passfile=/nonexistent")),
                format!("{place} failed: fe_sendauth: no password supplied")
            );
        }
    }
}

#[test]
fn a_unix_socket_is_as_good() {
    let dsn = server!();
    let mut link = connect(&dsn).unwrap();
    let directories = value(&mut link, "show unix_socket_directories");
    let directory = directories.split(',').next().unwrap().trim();
    if directory.is_empty() {
        eprintln!("skipped: the server listens on no Unix socket");
        return;
    }
    let mut link = connect(&format!("{dsn} host='{directory}'")).unwrap();
    assert_eq!(value(&mut link, "select inet_server_addr() is null"), "t");
    assert_eq!(link.host().as_deref(), Some(directory));
    assert_eq!(link.hostaddr(), None);
    let error = refusal(&format!("{dsn} host='{directory}' requirepeer=nobody-of-this-name"));
    assert!(error.contains("requirepeer specifies \"nobody-of-this-name\", but actual"), "{error}");
    // The server accepts connections at its own pace: a burst must not fail.
    let links: Vec<_> = (0..20).map(|_| connect(&format!("{dsn} host='{directory}'"))).collect();
    assert!(links.iter().all(Result::is_ok));
}

#[test]
fn refusals_are_told_as_libpq_tells_them() {
    let dsn = server!();
    let place = format!("{} failed: ", place(&dsn));
    assert_eq!(
        refusal(&format!("{dsn} dbname=no_such_database")),
        format!("{place}FATAL:  database \"no_such_database\" does not exist")
    );
    let user = option(&dsn, "user");
    assert_eq!(
        refusal(&format!("{dsn} password=wrong sslmode=disable")),
        format!("{place}FATAL:  password authentication failed for user \"{user}\"")
    );
    assert_eq!(
        refusal(&format!("{dsn} target_session_attrs=standby")),
        format!("{place}server is not in hot standby mode")
    );
    let port = dead_port();
    assert_eq!(
        refusal(&format!("{dsn} port={port}")),
        format!(
            "connection to server at \"127.0.0.1\", port {port} failed: Connection refused\n\
             \tIs the server running on that host and accepting TCP/IP connections?"
        )
    );
    let error = refusal(&format!("{dsn} host=no.such.host.invalid"));
    assert!(
        error.starts_with("could not translate host name \"no.such.host.invalid\" to address: "),
        "{error}"
    );
    let error = refusal(&format!("{dsn} require_auth=md5"));
    assert!(error.contains("authentication method requirement"), "{error}");
    let error = refusal(&format!("{dsn} channel_binding=require sslmode=disable"));
    assert!(error.contains("channel binding required"), "{error}");
}

#[test]
fn a_wrong_password_from_the_file_says_so() {
    use std::os::unix::fs::PermissionsExt;
    let dsn = server!();
    let path = std::env::temp_dir().join(format!("psycoxide-live-pgpass-{}", std::process::id()));
    let with_file = format!("{dsn} password='' passfile='{}'", path.display());
    let put = |password: &str, mode| {
        std::fs::write(&path, format!("*:*:*:*:{password}\n")).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    };
    put(&option(&dsn, "password"), 0o600);
    connect(&with_file).unwrap();
    put("wrong", 0o600);
    let error = refusal(&with_file);
    assert!(
        error.ends_with(&format!("\npassword retrieved from file \"{}\"", path.display())),
        "{error}"
    );
    put("wrong", 0o644);
    let error = refusal(&with_file);
    assert!(
        error.contains("no password supplied") && error.contains("group or world access"),
        "{error}"
    );
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn the_next_host_is_tried() {
    let dsn = server!();
    let (host, port, dead) = (option(&dsn, "host"), option(&dsn, "port"), dead_port());
    let link = connect(&format!("{dsn} host={host},{host} port={dead},{port}")).unwrap();
    assert_eq!(link.port().unwrap().to_string(), port);
    let error =
        refusal(&format!("{dsn} host={host},{host} port={dead},{port} dbname=no_such_database"));
    let lines: Vec<_> = error.lines().collect();
    assert_eq!(lines.len(), 3, "{error}");
    assert!(lines[0].contains(&dead.to_string()) && lines[2].contains("no_such_database"));
    // A server that refuses a password has answered: it is not asked again.
    let two = format!("{dsn} host={host},{host} port={port},{port} password=wrong");
    let error = refusal(&format!("{two} sslmode=disable"));
    assert_eq!(error.lines().count(), 1, "{error}");
    // Except when it may answer differently without encryption.
    let error = refusal(&format!("{two} sslmode=allow"));
    assert_eq!(error.lines().count(), 2, "{error}");
}

#[test]
fn a_server_of_the_wanted_kind_is_found() {
    let dsn = server!();
    for kind in ["any", "primary", "prefer-standby", "read-write"] {
        let mut link = connect(&format!("{dsn} target_session_attrs={kind}")).unwrap();
        assert_eq!(value(&mut link, "select 1"), "1");
    }
    let error = refusal(&format!("{dsn} target_session_attrs=read-only"));
    assert!(error.ends_with("failed: session is not read-only"), "{error}");
    let read_only = "options='-c default_transaction_read_only=on'";
    connect(&format!("{dsn} {read_only} target_session_attrs=read-only")).unwrap();
    let error = refusal(&format!("{dsn} {read_only} target_session_attrs=read-write"));
    assert!(error.ends_with("failed: session is read-only"), "{error}");
}

#[test]
fn a_silent_server_is_given_up() {
    let dsn = server!();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let start = Instant::now();
    assert_eq!(
        refusal(&format!("{dsn} port={port} connect_timeout=1")),
        format!("connection to server at \"127.0.0.1\", port {port} failed: timeout expired")
    );
    let good = option(&dsn, "port");
    connect(&format!("{dsn} host=127.0.0.1,127.0.0.1 port={port},{good} connect_timeout=1"))
        .unwrap();
    let taken = start.elapsed();
    assert!((Duration::from_secs(2)..Duration::from_secs(4)).contains(&taken), "{taken:?}");
}

#[test]
fn options_reach_the_session() {
    let dsn = server!();
    let mut link = connect(&format!(
        "{dsn} application_name='it\\'s' client_encoding=LATIN1 \
         options='-c statement_timeout=4321'"
    ))
    .unwrap();
    assert_eq!(value(&mut link, "show application_name"), "it's");
    assert_eq!(value(&mut link, "show client_encoding"), "LATIN1");
    assert_eq!(value(&mut link, "show statement_timeout"), "4321ms");
    let mut link = connect(&format!("{dsn} options='-c datestyle=German'")).unwrap();
    assert!(value(&mut link, "show datestyle").starts_with("ISO"), "dates are read in that style");
    // An old server answers with 3.0, a new one agrees.
    let mut link = connect(&format!("{dsn} max_protocol_version=latest")).unwrap();
    assert_eq!(value(&mut link, "select 1"), "1");
}

#[test]
fn a_large_result_is_whole() {
    let mut link = connect(&server!()).unwrap();
    let sql = "select g, repeat(chr(97 + g % 26), g % 500) from generate_series(1, 100000) g";
    let rows = texts(&query(&mut link, sql).unwrap());
    assert_eq!(rows.len(), 100_000);
    for (index, row) in rows.iter().enumerate() {
        let number = index + 1;
        assert_eq!(row[0].as_deref(), Some(number.to_string().as_str()));
        assert_eq!(row[1].as_ref().unwrap().len(), number % 500);
    }
}

#[test]
fn a_large_request_arrives() {
    let mut link = connect(&server!()).unwrap();
    let sql = format!("select length('{}')", "x".repeat(20_000_000));
    assert_eq!(value(&mut link, &sql), "20000000");
}

#[test]
fn a_short_statement_waits_once() {
    let mut link = connect(&server!()).unwrap();
    link.start(Request::query(b"select 1".to_vec())).unwrap();
    assert!(matches!(link.advance().unwrap(), Progress::Wait(_)), "the first step only sends");
    // By now the whole answer lies in the socket's buffer.
    std::thread::sleep(Duration::from_millis(100));
    assert!(
        matches!(link.advance().unwrap(), Progress::Event(Event::Done(_))),
        "the second one reads it all"
    );
}

#[test]
fn another_thread_cancels() {
    let dsn = server!();
    let mut link = connect(&dsn).unwrap();
    let token = link.cancel_token().unwrap();
    assert!(!format!("{token:?}").contains("message"));
    let start = Instant::now();
    let canceller = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        token.send(Some(Duration::from_secs(5)), &mut || true)
    });
    let outcome = query(&mut link, "select pg_sleep(20)").unwrap();
    assert_eq!(outcome.error.unwrap().field(b'C'), Some(&b"57014"[..]));
    assert!(start.elapsed() < Duration::from_secs(5));
    canceller.join().unwrap().unwrap();
    assert_eq!(value(&mut link, "select 1"), "1");
    // A cancel request that the server handled before it closed the connection hits no later
    // statement.
    let token = link.cancel_token().unwrap();
    for _ in 0..20 {
        token.send(Some(Duration::from_secs(5)), &mut || true).unwrap();
        assert_eq!(value(&mut link, "select 1"), "1");
    }
}

#[test]
fn notifications_come_by_themselves() {
    let dsn = server!();
    let mut listener = connect(&dsn).unwrap();
    query(&mut listener, "listen psycoxide_live").unwrap();
    let mut sender = connect(&dsn).unwrap();
    query(&mut sender, "notify psycoxide_live, 'hello'").unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    let notifications = loop {
        listener.poke().unwrap();
        let notifications = listener.engine_mut().unwrap().take_notifications();
        if !notifications.is_empty() {
            break notifications;
        }
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(10));
    };
    assert_eq!(notifications[0].payload, b"hello");
    assert_eq!(notifications[0].channel, b"psycoxide_live");
}

#[test]
fn the_servers_reason_for_leaving_is_kept() {
    let dsn = server!();
    let mut admin = connect(&dsn).unwrap();
    let mut victim = connect(&dsn).unwrap();
    let pid = value(&mut victim, "select pg_backend_pid()");
    // The link is idle: the next statement finds the end.
    query(&mut admin, &format!("select pg_terminate_backend({pid})")).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let reason = match query(&mut victim, "select 1") {
        Ok(outcome) => outcome.error,
        Err(Error::Protocol(ProtoError::Terminated(report))) => report,
        Err(other) => panic!("{other:?}"),
    };
    assert_eq!(reason.unwrap().field(b'C'), Some(&b"57P01"[..]));
    assert!(query(&mut victim, "select 1").is_err());
    // The link is idle: a look finds the end.
    let mut victim = connect(&dsn).unwrap();
    let pid = value(&mut victim, "select pg_backend_pid()");
    query(&mut admin, &format!("select pg_terminate_backend({pid})")).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let mut poked = victim.poke();
    if poked.is_ok() {
        poked = victim.poke();
    }
    match poked {
        Err(Error::Protocol(ProtoError::Terminated(Some(report)))) => {
            assert_eq!(report.field(b'C'), Some(&b"57P01"[..]));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn copy_goes_both_ways() {
    let mut link = connect(&server!()).unwrap();
    query(&mut link, "create temp table t (x int)").unwrap();
    link.start(Request::query(b"copy t from stdin".to_vec())).unwrap();
    assert!(matches!(drive(&mut link).unwrap(), Progress::Event(Event::CopyIn(_))));
    for chunk in 0..100 {
        let data: String = (0..1000).map(|line| format!("{}\n", chunk * 1000 + line)).collect();
        link.engine_mut().unwrap().copy_chunk(data.as_bytes()).unwrap();
        while !link.flush().unwrap() {
            std::thread::yield_now();
        }
    }
    link.engine_mut().unwrap().copy_done().unwrap();
    assert!(matches!(drive(&mut link).unwrap(), Progress::Event(Event::Done(_))));
    assert_eq!(value(&mut link, "select sum(x) from t"), "4999950000");
    link.start(Request::query(b"copy t to stdout".to_vec())).unwrap();
    let mut bytes = 0;
    loop {
        match drive(&mut link).unwrap() {
            Progress::Event(Event::CopyOut(_)) => {}
            Progress::Event(Event::CopyData(data)) => bytes += data.len(),
            Progress::Event(Event::Done(outcome)) => break assert!(outcome.error.is_none()),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(bytes, (0..100_000).map(|number: u32| number.to_string().len() + 1).sum::<usize>());
}

#[test]
fn reading_goes_on_while_writing() {
    // For each row of the COPY the server sends a notice before it reads the next row. The sockets
    // hold neither all rows nor all notices: if the client only sent, both would wait for ever.
    let mut link = connect(&server!()).unwrap();
    let table = "create temp table t (x text); create function pg_temp.shout() returns trigger as \
         $$ begin raise notice '%', new.x; return new; end $$ language plpgsql; \
         create trigger shout before insert on t for each row execute function pg_temp.shout()";
    assert!(query(&mut link, table).unwrap().error.is_none());
    link.start(Request::query(b"copy t from stdin".to_vec())).unwrap();
    assert!(matches!(drive(&mut link).unwrap(), Progress::Event(Event::CopyIn(_))));
    let rows = format!("{}\n", "x".repeat(500)).repeat(60_000);
    link.engine_mut().unwrap().copy_chunk(rows.as_bytes()).unwrap();
    link.engine_mut().unwrap().copy_done().unwrap();
    assert!(matches!(drive(&mut link).unwrap(), Progress::Event(Event::Done(_))));
    assert_eq!(value(&mut link, "select count(*) from t"), "60000");
}
