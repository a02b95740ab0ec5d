//! A session with a real server, over a plain TCP connection.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the test is the driver: it connects"
)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use psycoxide_proto::{Engine, Event, Extended, Outcome, QueryResult, Request, Secret, Startup};

pub struct Session {
    engine: Engine,
    stream: TcpStream,
}

fn option<'a>(dsn: &'a str, name: &str) -> Option<&'a str> {
    dsn.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

impl Session {
    /// Connects to the server that `PSYCOXIDE_TEST_DSN` names. `None` if it names none that this
    /// session can reach: only a host name is understood here.
    pub fn open() -> Option<Session> {
        let dsn = std::env::var("PSYCOXIDE_TEST_DSN").ok()?;
        let host = option(&dsn, "host").filter(|host| !host.starts_with('/'))?;
        let port = option(&dsn, "port").unwrap_or("5432");
        let mut startup = Startup::new(option(&dsn, "user")?.as_bytes(), "nonce-of-a-test".into());
        startup.password = option(&dsn, "password").map(Secret::from);
        for (name, value) in [
            ("database", option(&dsn, "dbname")?),
            ("client_encoding", "UTF8"),
            ("datestyle", "ISO"),
            ("timezone", "Asia/Kolkata"),
        ] {
            startup.parameters.push((name.into(), value.into()));
        }
        let stream = TcpStream::connect(format!("{host}:{port}")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut session = Session { engine: Engine::new(startup), stream };
        let outcome = session.finish();
        assert_eq!(outcome, Outcome::default(), "{:?}", session.engine.error());
        Some(session)
    }

    fn finish(&mut self) -> Outcome {
        loop {
            while self.engine.work() {}
            let count = self.stream.write(self.engine.out()).unwrap();
            self.engine.sent(count);
            match self.engine.poll_event() {
                Some(Event::Done(outcome)) => return outcome,
                Some(other) => panic!("{other:?}"),
                None => assert_eq!(self.engine.error(), None),
            }
            if self.engine.out().is_empty() {
                let space = self.engine.space();
                match self.stream.read(space).unwrap() {
                    0 => self.engine.receive_eof(),
                    count => self.engine.filled(count),
                }
            }
        }
    }

    /// Runs statements. Returns whether they succeeded.
    pub fn run(&mut self, sql: &str) -> bool {
        self.engine.submit(Request::query(sql.into())).unwrap();
        self.finish().error.is_none()
    }

    /// The result of a query in one format.
    pub fn query(&mut self, sql: &str, binary: bool) -> QueryResult {
        self.query_in(sql, vec![i16::from(binary)])
    }

    /// The result of a query whose columns come in these formats.
    pub fn query_in(&mut self, sql: &str, result_formats: Vec<i16>) -> QueryResult {
        let extended = Extended { sql: Some(sql.into()), result_formats, ..Extended::default() };
        self.engine.submit(Request::extended(extended)).unwrap();
        let outcome = self.finish();
        assert_eq!(outcome.error, None, "{sql}");
        *outcome.result.unwrap()
    }

    /// The rows of a query as texts.
    pub fn texts(&mut self, sql: &str) -> Vec<Vec<Option<String>>> {
        let result = self.query(sql, false);
        let text = |field: Option<&[u8]>| Some(String::from_utf8(field?.to_vec()).unwrap());
        let rows = result.rows.iter_from(result.rows.start());
        rows.map(|row| row.fields().map(text).collect()).collect()
    }

    pub fn version(&mut self) -> i32 {
        self.texts("SHOW server_version_num")[0][0].as_deref().unwrap().parse().unwrap()
    }
}

/// The columns of a result.
pub fn columns(result: &QueryResult) -> Vec<psycoxide_arrow::ColumnSpec> {
    let described: Arc<_> = result.columns.clone().unwrap();
    let column = |column: &psycoxide_proto::Column| psycoxide_arrow::ColumnSpec {
        name: String::from_utf8(column.name.clone()).unwrap(),
        oid: column.type_oid,
        modifier: column.type_modifier,
        binary: column.format == 1,
    };
    described.iter().map(column).collect()
}
