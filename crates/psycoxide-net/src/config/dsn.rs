//! Keyword/value connection strings: `host=localhost password='it\'s'`.
//!
//! <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-KEYWORD-VALUE>:
//! "Spaces around the equal sign are optional. To write an empty value, or a value containing
//! spaces, surround it with single quotes […]. Single quotes and backslashes within a value must
//! be escaped with a backslash."

use super::error::Error;
use super::values::Values;

/// Parses a keyword/value string into `values`.
pub(super) fn parse(text: &str, values: &mut Values) -> Result<(), Error> {
    let mut rest = text;
    loop {
        skip_blanks(&mut rest);
        if rest.is_empty() {
            return Ok(());
        }
        let name = name(&mut rest)?;
        skip_blanks(&mut rest);
        let value = match rest.strip_prefix('\'') {
            Some(inside) => {
                rest = inside;
                let value = value(&mut rest, |byte| byte == b'\'');
                rest = rest.strip_prefix('\'').ok_or(Error::UnterminatedQuote)?;
                value
            }
            None => value(&mut rest, is_blank),
        };
        values.set(name, value)?;
    }
}

/// Parses a name and the equal sign after it.
fn name<'a>(rest: &mut &'a str) -> Result<&'a str, Error> {
    let name = until(rest, |byte| byte == b'=' || is_blank(byte));
    skip_blanks(rest);
    *rest = rest.strip_prefix('=').ok_or_else(|| Error::MissingEquals(name.to_owned()))?;
    Ok(name)
}

/// Parses a value. A backslash removes the special meaning of the next character.
fn value(rest: &mut &str, ends: impl Fn(u8) -> bool) -> String {
    let mut value = until(rest, |byte| byte == b'\\' || ends(byte)).to_owned();
    while let Some(escaped) = rest.strip_prefix('\\') {
        let mut chars = escaped.chars();
        value.extend(chars.next());
        *rest = chars.as_str();
        value.push_str(until(rest, |byte| byte == b'\\' || ends(byte)));
    }
    value
}

fn skip_blanks(rest: &mut &str) {
    until(rest, |byte| !is_blank(byte));
}

/// Parses the text before the first byte for which `ends` is true. `ends` must be true only for
/// ASCII bytes, or for all others, so that the text ends at a character's boundary.
fn until<'a>(rest: &mut &'a str, ends: impl Fn(u8) -> bool) -> &'a str {
    let end = rest.bytes().position(ends).unwrap_or(rest.len());
    let (text, after) = rest.split_at_checked(end).unwrap_or((*rest, ""));
    *rest = after;
    text
}

/// C's `isspace` in the ASCII range.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}
