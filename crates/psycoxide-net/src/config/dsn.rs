//! Connection strings of keywords and values: `host=localhost port=5432`.
//!
//! <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-KEYWORD-VALUE>

use super::Error;
use super::options::Options;

/// Parses a string of keywords and values.
pub fn parse(dsn: &str) -> Result<Options, Error> {
    let mut options = Options::default();
    let mut rest = dsn.trim_start_matches(is_space);
    while !rest.is_empty() {
        let (name, value, behind) = pair(rest)?;
        options.set(name, value)?;
        rest = behind.trim_start_matches(is_space);
    }
    Ok(options)
}

/// The white space of C's `isspace`, which is what separates options.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r')
}

/// One `name = value`, and what is behind it.
fn pair(text: &str) -> Result<(&str, String, &str), Error> {
    let end = text.find(|c| c == '=' || is_space(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    let Some(rest) = rest.trim_start_matches(is_space).strip_prefix('=') else {
        return Err(Error::MissingEquals(name.to_owned()));
    };
    let rest = rest.trim_start_matches(is_space);
    let (value, behind) = match rest.strip_prefix('\'') {
        Some(quoted) => quoted_value(quoted)?,
        None => plain_value(rest),
    };
    Ok((name, value, behind))
}

/// A value up to the next white space; a backslash takes the next character as it is.
fn plain_value(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.chars();
    loop {
        let behind = characters.as_str();
        match characters.next() {
            None => return (value, ""),
            Some(c) if is_space(c) => return (value, behind),
            Some('\\') => value.extend(characters.next()),
            Some(c) => value.push(c),
        }
    }
}

/// A value up to the closing quote.
fn quoted_value(text: &str) -> Result<(String, &str), Error> {
    let mut value = String::new();
    let mut characters = text.chars();
    loop {
        match characters.next() {
            None => return Err(Error::UnterminatedQuote),
            Some('\'') => return Ok((value, characters.as_str())),
            Some('\\') => value.extend(characters.next()),
            Some(c) => value.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(dsn: &str) -> Result<Vec<(String, String)>, Error> {
        parse(dsn).map(|options| options.into_pairs())
    }

    fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    #[test]
    fn what_libpq_accepts() {
        for (dsn, expected) in [
            ("", vec![]),
            (" ", vec![]),
            ("host=", vec![("host", "")]),
            ("host='a b' port=1", vec![("host", "a b"), ("port", "1")]),
            ("host='a\\'b'", vec![("host", "a'b")]),
            ("host=a\\ b", vec![("host", "a b")]),
            ("host=a\\", vec![("host", "a")]),
            ("host = x", vec![("host", "x")]),
            ("host=\t x", vec![("host", "x")]),
            ("host='x'port=5", vec![("host", "x"), ("port", "5")]),
            ("dbname='' user=\\'x", vec![("user", "'x"), ("dbname", "")]),
            ("host=a'b'", vec![("host", "a'b'")]),
            ("host=a host=b", vec![("host", "b")]),
        ] {
            assert_eq!(pairs(dsn), Ok(owned(&expected)), "{dsn:?}");
        }
    }

    #[test]
    fn what_libpq_refuses() {
        for (dsn, expected) in [
            ("a", "missing \"=\" after \"a\" in connection info string"),
            ("a=", "invalid connection option \"a\""),
            ("host=x y", "missing \"=\" after \"y\" in connection info string"),
            ("host='a", "unterminated quoted string in connection info string"),
            ("=x", "invalid connection option \"\""),
            ("host x", "missing \"=\" after \"host\" in connection info string"),
            ("DBNAME=x", "invalid connection option \"DBNAME\""),
            ("host='a'b", "missing \"=\" after \"b\" in connection info string"),
        ] {
            assert_eq!(pairs(dsn).unwrap_err().to_string(), expected, "{dsn:?}");
        }
    }
}
