//! A session with a real server.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use psycoxide_proto::{
    Engine, Event, Extended, Outcome, Parameters, Report, Request, Secret, Startup, Written,
};

/// What came of a statement: its rows, or the server's report.
pub type Answer = Result<Vec<Vec<Option<String>>>, Box<Report>>;

pub struct Session {
    engine: Engine,
    stream: TcpStream,
}

fn option<'a>(dsn: &'a str, name: &str) -> Option<&'a str> {
    dsn.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

impl Session {
    /// Connects to the server that `PSYCOXIDE_TEST_DSN` names. `None` if it names none, by a host
    /// and a port.
    pub fn open() -> Option<Session> {
        let dsn = std::env::var("PSYCOXIDE_TEST_DSN").ok()?;
        let host = option(&dsn, "host").filter(|host| !host.starts_with('/'))?;
        let port = option(&dsn, "port").unwrap_or("5432");
        let user = option(&dsn, "user")?;
        // A nonce must be new for each login only where someone listens.
        let mut startup = Startup::new(user.as_bytes(), "fyko+d2lbbFgONRv9qkxdawL".to_owned());
        startup.password = option(&dsn, "password").map(Secret::from);
        for (name, value) in [("database", option(&dsn, "dbname")?), ("client_encoding", "UTF8")] {
            startup.parameters.push((name.into(), value.into()));
        }
        let stream = TcpStream::connect(format!("{host}:{port}")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut session = Session { engine: Engine::new(startup), stream };
        session.finish();
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
                None => {}
            }
            assert_eq!(self.engine.error(), None);
            if self.engine.out().is_empty() {
                let space = self.engine.space();
                match self.stream.read(space).unwrap() {
                    0 => self.engine.receive_eof(),
                    count => self.engine.filled(count),
                }
            }
        }
    }

    fn run(&mut self, request: Request) -> Answer {
        self.engine.submit(request).unwrap();
        let outcome = self.finish();
        if let Some(error) = outcome.error {
            return Err(error);
        }
        let Some(result) = outcome.result else { return Ok(Vec::new()) };
        let mut position = result.rows.start();
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        Ok(std::iter::from_fn(|| result.rows.next_row(&mut position))
            .map(|row| row.fields().map(|field| field.map(text)).collect())
            .collect())
    }

    /// Runs a text by the simple query protocol.
    pub fn query(&mut self, sql: &[u8]) -> Answer {
        self.run(Request::query(sql.to_vec()))
    }

    /// Runs a statement with these values, as text, of these types.
    pub fn bind(&mut self, sql: &[u8], values: &[(u32, &str)]) -> Answer {
        let mut parameters = Parameters::default();
        for (oid, value) in values {
            parameters.push(*oid, Some((value.as_bytes(), Written::Text)));
        }
        self.run(Request::extended(Extended {
            sql: Some(sql.to_vec()),
            parameters,
            closes: true,
            ..Extended::default()
        }))
    }
}
