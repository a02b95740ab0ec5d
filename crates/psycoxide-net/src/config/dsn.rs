//! Keyword/value connection strings: `host=localhost password='it\'s'`.
//!
//! <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-KEYWORD-VALUE>:
//! "Spaces around the equal sign are optional. To write an empty value, or a value containing
//! spaces, surround it with single quotes […]. Single quotes and backslashes within a value must
//! be escaped with a backslash."

use super::error::Error;
use super::values::Values;

/// Reads the options of a keyword/value string into `values`.
pub(super) fn parse(text: &str, values: &mut Values) -> Result<(), Error> {
    let mut rest = text.trim_start_matches(is_blank);
    while !rest.is_empty() {
        let name = name(&mut rest)?;
        rest = rest.trim_start_matches(is_blank);
        let value = match rest.strip_prefix('\'') {
            Some(inside) => {
                rest = inside;
                let value = take(&mut rest, |char| char == '\'');
                rest = rest.strip_prefix('\'').ok_or(Error::UnterminatedQuote)?;
                value
            }
            None => take(&mut rest, is_blank),
        };
        values.set(name, value)?;
        rest = rest.trim_start_matches(is_blank);
    }
    Ok(())
}

/// A name and the equal sign after it.
fn name<'a>(rest: &mut &'a str) -> Result<&'a str, Error> {
    let end = rest.find(|char| char == '=' || is_blank(char)).unwrap_or(rest.len());
    let (name, after) = rest.split_at(end);
    match after.trim_start_matches(is_blank).strip_prefix('=') {
        Some(after) => {
            *rest = after;
            Ok(name)
        }
        None => Err(Error::MissingEquals(name.to_owned())),
    }
}

/// A value up to where it ends. A backslash makes the next character an ordinary one.
fn take(rest: &mut &str, ends: impl Fn(char) -> bool) -> String {
    let mut value = String::new();
    loop {
        let end = rest.find(|char| char == '\\' || ends(char)).unwrap_or(rest.len());
        let (plain, after) = rest.split_at(end);
        value.push_str(plain);
        *rest = after;
        let Some(escaped) = after.strip_prefix('\\') else { return value };
        let mut chars = escaped.chars();
        value.extend(chars.next());
        *rest = chars.as_str();
    }
}

/// C's `isspace` in the ASCII range.
fn is_blank(char: char) -> bool {
    matches!(char, ' ' | '\t'..='\r')
}
