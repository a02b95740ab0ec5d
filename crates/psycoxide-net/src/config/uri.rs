//! Connection URIs: `postgresql://user:secret@host1:5432,host2/dbname?param=value`.
//!
//! <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS>
//!
//! The texts of errors are libpq's.

use super::error::Error;
use super::secret::{self, HIDDEN};
use super::values::Values;

/// The rest of a connection URI after its scheme; `None` if `text` is no such URI.
pub(super) fn strip_designator(text: &str) -> Option<&str> {
    text.strip_prefix("postgresql://").or_else(|| text.strip_prefix("postgres://"))
}

/// Parses a connection URI into `values`. Does nothing if `uri` is no such URI.
pub(super) fn parse(uri: &str, values: &mut Values) -> Result<(), Error> {
    let Some(rest) = strip_designator(uri) else { return Ok(()) };
    let rest = credentials(rest, values)?;
    let rest = hosts(uri, rest, values)?;
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (rest, None),
    };
    // An empty name counts as none: PGDATABASE may give one.
    let dbname = path.strip_prefix('/').unwrap_or(path);
    if !dbname.is_empty() {
        values.set("dbname", decode(dbname)?)?;
    }
    query.map_or(Ok(()), |query| parameters(query, values))
}

/// Parses `user:password@`, if present. Returns the rest.
fn credentials<'a>(rest: &'a str, values: &mut Values) -> Result<&'a str, Error> {
    let Some((before, after)) = rest.split_once('@').filter(|(before, _)| !before.contains('/'))
    else {
        return Ok(rest);
    };
    let (user, password) = before.split_once(':').unwrap_or((before, ""));
    if !user.is_empty() {
        values.set("user", decode(user)?)?;
    }
    if !password.is_empty() {
        values.set("password", decode(password)?)?;
    }
    Ok(after)
}

/// Parses `host:port,host:port`. Returns the rest: nothing, `/dbname…` or `?parameters`.
fn hosts<'a>(uri: &str, mut rest: &'a str, values: &mut Values) -> Result<&'a str, Error> {
    let (mut hosts, mut ports) = (String::new(), String::new());
    loop {
        let (host, after) = match rest.strip_prefix('[') {
            Some(inside) => bracketed(uri, inside)?,
            None => cut(rest, &[':', '/', '?', ',']),
        };
        hosts.push_str(host);
        rest = after;
        if let Some(after) = rest.strip_prefix(':') {
            let (port, after) = cut(after, &['/', '?', ',']);
            ports.push_str(port);
            rest = after;
        }
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None => break,
        }
        hosts.push(',');
        ports.push(',');
    }
    if !hosts.is_empty() {
        values.set("host", decode(&hosts)?)?;
    }
    if !ports.is_empty() {
        values.set("port", decode(&ports)?)?;
    }
    Ok(rest)
}

/// Parses an IPv6 address and its closing bracket. Returns the address and the rest.
fn bracketed<'a>(uri: &str, inside: &'a str) -> Result<(&'a str, &'a str), Error> {
    let fault = |what: String| Err(Error::Uri { what, part: uri.to_owned() });
    let Some((host, after)) = inside.split_once(']') else {
        return fault(
            "end of string reached when looking for matching \"]\" in IPv6 host address in URI"
                .into(),
        );
    };
    if host.is_empty() {
        return fault("IPv6 host address may not be empty in URI".into());
    }
    match after.chars().next() {
        None | Some(':' | '/' | '?' | ',') => Ok((host, after)),
        Some(char) => {
            let char = if secret::may_be_in(uri) { HIDDEN.to_owned() } else { char.to_string() };
            let position = uri.len() - after.len() + 1;
            fault(format!(
                "unexpected character \"{char}\" at position {position} in URI \
                 (expected \":\" or \"/\")"
            ))
        }
    }
}

/// Parses `name=value&name=value`.
fn parameters(query: &str, values: &mut Values) -> Result<(), Error> {
    // A `&` may end the query; an empty parameter elsewhere is an error.
    let query = query.strip_suffix('&').filter(|rest| !rest.is_empty()).unwrap_or(query);
    if query.is_empty() {
        return Ok(());
    }
    for parameter in query.split('&') {
        let Some((name, value)) = parameter.split_once('=') else {
            return Err(fault(
                "missing key/value separator \"=\" in URI query parameter",
                parameter,
            ));
        };
        if value.contains('=') {
            return Err(fault("extra key/value separator \"=\" in URI query parameter", name));
        }
        let name = decode(name)?;
        let value = decode(value)?;
        let set = match (name.as_str(), value.as_str()) {
            // As JDBC has it: "[…] ssl=true is translated to sslmode=require".
            ("ssl", "true") => values.set("sslmode", "require".to_owned()),
            _ => values.set(&name, value),
        };
        set.map_err(|error| match error {
            Error::UnknownOption(name) => fault("invalid URI query parameter", &name),
            error => error,
        })?;
    }
    Ok(())
}

/// Splits a text before the first character in `ends`.
fn cut<'a>(text: &'a str, ends: &[char]) -> (&'a str, &'a str) {
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

fn fault(what: &str, part: &str) -> Error {
    Error::Uri { what: what.to_owned(), part: part.to_owned() }
}

/// Decodes percent-encoding.
fn decode(token: &str) -> Result<String, Error> {
    let invalid = || fault("invalid percent-encoded token", token);
    let mut decoded = Vec::with_capacity(token.len());
    let mut bytes = token.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let high = bytes.next().and_then(hex_digit).ok_or_else(invalid)?;
        let low = bytes.next().and_then(hex_digit).ok_or_else(invalid)?;
        match high << 4 | low {
            0 => return Err(fault("forbidden value %00 in percent-encoded value", token)),
            byte => decoded.push(byte),
        }
    }
    String::from_utf8(decoded)
        .map_err(|_| fault("percent-encoded value that is not valid UTF-8", token))
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(uri: &str) -> String {
        parse(uri, &mut Values::new()).unwrap_err().to_string()
    }

    #[test]
    fn what_is_no_utf_8_is_refused() {
        assert_eq!(
            error("postgresql://%ff/db"),
            "percent-encoded value that is not valid UTF-8: \"%ff\""
        );
    }
}
