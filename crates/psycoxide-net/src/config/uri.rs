//! Connection URIs: `postgresql://user@host:port/dbname?option=value`.
//!
//! <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS>

use super::Error;
use super::options::Options;

/// What is behind the scheme, if the string is a URI.
pub fn strip_scheme(dsn: &str) -> Option<&str> {
    dsn.strip_prefix("postgresql://").or_else(|| dsn.strip_prefix("postgres://"))
}

/// Parses a URI.
pub fn parse(uri: &str) -> Result<Options, Error> {
    let mut options = Options::default();
    let mut rest = strip_scheme(uri).unwrap_or(uri);
    // The user is what is before the first @, if that comes before any part that follows.
    if let Some(at) = rest.find(['@', '/']).filter(|at| rest.get(*at..=*at) == Some("@")) {
        let (user_info, behind) = rest.split_at_checked(at).unwrap_or((rest, ""));
        rest = behind.get(1..).unwrap_or_default();
        let (user, password) = match user_info.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (user_info, None),
        };
        store(&mut options, "user", user)?;
        if let Some(password) = password {
            store(&mut options, "password", password)?;
        }
    }
    rest = hosts(uri, rest, &mut options)?;
    if let Some(path) = rest.strip_prefix('/') {
        let (dbname, behind) = cut(path, path.find('?').unwrap_or(path.len()));
        store(&mut options, "dbname", dbname)?;
        rest = behind;
    }
    if let Some(query) = rest.strip_prefix('?') {
        parameters(query, &mut options)?;
    }
    Ok(options)
}

fn cut(text: &str, at: usize) -> (&str, &str) {
    text.split_at_checked(at).unwrap_or((text, ""))
}

/// Stores a decoded part, unless it is empty.
fn store(options: &mut Options, name: &str, value: &str) -> Result<(), Error> {
    if value.is_empty() {
        return Ok(());
    }
    options.set(name, decode(value)?)
}

/// The list of hosts and ports; what is behind it.
fn hosts<'a>(uri: &str, text: &'a str, options: &mut Options) -> Result<&'a str, Error> {
    let (mut hosts, mut ports) = (Vec::new(), Vec::new());
    let mut rest = text;
    loop {
        let host;
        if let Some(bracketed) = rest.strip_prefix('[') {
            (host, rest) = ipv6(uri, bracketed)?;
        } else {
            (host, rest) = cut(rest, rest.find([':', '/', '?', ',']).unwrap_or(rest.len()));
        }
        hosts.push(host);
        let mut port = "";
        if let Some(behind) = rest.strip_prefix(':') {
            (port, rest) = cut(behind, behind.find(['/', '?', ',']).unwrap_or(behind.len()));
        }
        ports.push(port);
        match rest.strip_prefix(',') {
            Some(behind) => rest = behind,
            None => break,
        }
    }
    store(options, "host", &hosts.join(","))?;
    store(options, "port", &ports.join(","))?;
    Ok(rest)
}

/// The address between brackets; what is behind them.
fn ipv6<'a>(uri: &str, text: &'a str) -> Result<(&'a str, &'a str), Error> {
    let Some(end) = text.find(']') else {
        return Err(Error::Uri(format!(
            "end of string reached when looking for matching \"]\" in IPv6 host address in URI: \"{uri}\""
        )));
    };
    if end == 0 {
        return Err(Error::Uri(format!("IPv6 host address may not be empty in URI: \"{uri}\"")));
    }
    let (address, rest) = cut(text, end);
    let rest = rest.get(1..).unwrap_or_default();
    if let Some(character) = rest.chars().next().filter(|c| !matches!(c, ':' | '/' | '?' | ',')) {
        let position = uri.len() - rest.len() + 1;
        return Err(Error::Uri(format!(
            "unexpected character \"{character}\" at position {position} in URI (expected \":\" or \"/\"): \"{uri}\""
        )));
    }
    Ok((address, rest))
}

/// The options behind the question mark.
fn parameters(query: &str, options: &mut Options) -> Result<(), Error> {
    let mut rest = query;
    while !rest.is_empty() {
        let (pair, behind) = cut(rest, rest.find('&').unwrap_or(rest.len()));
        rest = behind.strip_prefix('&').unwrap_or(behind);
        let Some((name, value)) = pair.split_once('=') else {
            return Err(Error::Uri(format!(
                "missing key/value separator \"=\" in URI query parameter: \"{pair}\""
            )));
        };
        if value.contains('=') {
            return Err(Error::Uri(format!(
                "extra key/value separator \"=\" in URI query parameter: \"{name}\""
            )));
        }
        let (mut name, mut value) = (decode(name)?, decode(value)?);
        // As JDBC has it.
        if name == "ssl" && value == "true" {
            (name, value) = ("sslmode".to_owned(), "require".to_owned());
        }
        options.set(&name, value).map_err(|error| match error {
            Error::UnknownOption(name) => {
                Error::Uri(format!("invalid URI query parameter: \"{name}\""))
            }
            error => error,
        })?;
    }
    Ok(())
}

/// Resolves `%XX`.
fn decode(text: &str) -> Result<String, Error> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        if byte != b'%' {
            bytes.push(byte);
            rest = behind;
            continue;
        }
        let digits = behind.first_chunk::<2>();
        let value = digits.and_then(|[high, low]| Some(hex(*high)? << 4 | hex(*low)?));
        match value {
            None => {
                return Err(Error::Uri(format!("invalid percent-encoded token: \"{text}\"")));
            }
            Some(0) => {
                return Err(Error::Uri(format!(
                    "forbidden value %00 in percent-encoded value: \"{text}\""
                )));
            }
            Some(value) => bytes.push(value),
        }
        rest = behind.get(2..).unwrap_or_default();
    }
    String::from_utf8(bytes)
        .map_err(|_| Error::Uri(format!("invalid percent-encoded token: \"{text}\"")))
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libpq_accepts() {
        for (uri, expected) in [
            ("postgresql://", ""),
            ("postgres://localhost", "host=localhost"),
            ("postgresql://localhost:5433/mydb", "dbname=mydb host=localhost port=5433"),
            ("postgresql://user:secret@localhost", "user=user password=secret host=localhost"),
            (
                "postgresql://other@localhost/otherdb?connect_timeout=10&application_name=myapp",
                "user=other connect_timeout=10 dbname=otherdb host=localhost application_name=myapp",
            ),
            ("postgresql://host1:123,host2:456/db", "dbname=db host=host1,host2 port=123,456"),
            ("postgresql:///mydb?host=localhost&port=5433", "dbname=mydb host=localhost port=5433"),
            ("postgresql://[2001:db8::1234]/database", "dbname=database host=2001:db8::1234"),
            ("postgresql://%2Fvar%2Flib/db", "dbname=db host=/var/lib"),
            ("postgresql://u%40:p%3A@h/d%20b", "user=u@ password=p: dbname=d b host=h"),
            ("postgresql://a?ssl=true", "host=a sslmode=require"),
            ("postgresql://a?sslmode=require&", "host=a sslmode=require"),
            ("postgresql://a/?", "host=a"),
            ("postgresql://u:@h", "user=u host=h"),
            ("postgresql://:p@h", "password=p host=h"),
            ("postgresql://@h", "host=h"),
            ("postgresql://h:/d", "dbname=d host=h"),
            ("postgresql://h:12x/d", "dbname=d host=h port=12x"),
            ("postgresql://a,b,c:5", "host=a,b,c port=,,5"),
            ("postgresql://a,,b", "host=a,,b port=,,"),
            ("postgresql://u:p:q@h", "user=u password=p:q host=h"),
            ("postgresql://u@v@h", "user=u host=v@h"),
            ("postgresql://h?application_name=a%20b%26c", "host=h application_name=a b&c"),
            ("postgresql://h/d/e", "dbname=d/e host=h"),
            ("postgresql://h?host=a&host=b", "host=b"),
            ("postgresql://user:pass/word@h/d", "dbname=word@h/d host=user port=pass"),
            ("postgres://[::1]:5,h:6/x", "dbname=x host=::1,h port=5,6"),
        ] {
            let pairs = parse(uri).unwrap().into_pairs();
            let shown: Vec<String> = pairs.iter().map(|(a, b)| format!("{a}={b}")).collect();
            assert_eq!(shown.join(" "), expected, "{uri}");
        }
    }

    #[test]
    fn what_libpq_refuses() {
        for (uri, expected) in [
            ("postgresql://h/d?foo=1", "invalid URI query parameter: \"foo\""),
            (
                "postgresql://h/d?host",
                "missing key/value separator \"=\" in URI query parameter: \"host\"",
            ),
            (
                "postgresql://h/d?host=a=b",
                "extra key/value separator \"=\" in URI query parameter: \"host\"",
            ),
            (
                "postgresql://[::1",
                "end of string reached when looking for matching \"]\" in IPv6 host address in URI: \"postgresql://[::1\"",
            ),
            (
                "postgresql://[]:5",
                "IPv6 host address may not be empty in URI: \"postgresql://[]:5\"",
            ),
            (
                "postgresql://[::1]x",
                "unexpected character \"x\" at position 19 in URI (expected \":\" or \"/\"): \"postgresql://[::1]x\"",
            ),
            ("postgresql://%zz", "invalid percent-encoded token: \"%zz\""),
            ("postgresql://%0", "invalid percent-encoded token: \"%0\""),
            ("postgresql://%00", "forbidden value %00 in percent-encoded value: \"%00\""),
            ("postgresql://a?&", "missing key/value separator \"=\" in URI query parameter: \"\""),
            ("postgresql://h?keepalives=1&=2", "invalid URI query parameter: \"\""),
            ("postgresql://a?ssl=false", "invalid URI query parameter: \"ssl\""),
        ] {
            assert_eq!(parse(uri).unwrap_err().to_string(), expected, "{uri}");
        }
    }
}
