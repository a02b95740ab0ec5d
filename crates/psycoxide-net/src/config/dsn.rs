//! Keyword/value connection strings: `host=localhost password='it\'s'`.
//!
//! <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-KEYWORD-VALUE>:
//! "Spaces around the equal sign are optional. To write an empty value, or a value containing
//! spaces, surround it with single quotes […]. Single quotes and backslashes within a value must
//! be escaped with a backslash."

use std::iter::Peekable;
use std::str::Chars;

use super::error::Error;
use super::values::Values;

/// Reads the options of a keyword/value string into `values`.
pub(super) fn parse(text: &str, values: &mut Values) -> Result<(), Error> {
    let mut chars = text.chars().peekable();
    loop {
        skip_blanks(&mut chars);
        if chars.peek().is_none() {
            return Ok(());
        }
        let name = name(&mut chars)?;
        skip_blanks(&mut chars);
        let value =
            if chars.next_if_eq(&'\'').is_some() { quoted(&mut chars)? } else { bare(&mut chars) };
        values.set(&name, value)?;
    }
}

/// A name and the equal sign after it.
fn name(chars: &mut Peekable<Chars<'_>>) -> Result<String, Error> {
    let mut name = String::new();
    while let Some(char) = chars.next_if(|char| *char != '=' && !is_blank(*char)) {
        name.push(char);
    }
    skip_blanks(chars);
    match chars.next() {
        Some('=') => Ok(name),
        _ => Err(Error::MissingEquals(name)),
    }
}

/// A value up to the next blank. A backslash makes the next character an ordinary one.
fn bare(chars: &mut Peekable<Chars<'_>>) -> String {
    let mut value = String::new();
    while let Some(char) = chars.next_if(|char| !is_blank(*char)) {
        match char {
            '\\' => value.extend(chars.next()),
            _ => value.push(char),
        }
    }
    value
}

/// A value up to the closing quote; the opening one is behind us.
fn quoted(chars: &mut Peekable<Chars<'_>>) -> Result<String, Error> {
    let mut value = String::new();
    loop {
        match chars.next() {
            None => return Err(Error::UnterminatedQuote),
            Some('\'') => return Ok(value),
            Some('\\') => value.extend(chars.next()),
            Some(char) => value.push(char),
        }
    }
}

fn skip_blanks(chars: &mut Peekable<Chars<'_>>) {
    while chars.next_if(|char| is_blank(*char)).is_some() {}
}

/// C's `isspace` in the ASCII range.
fn is_blank(char: char) -> bool {
    matches!(char, ' ' | '\t'..='\r')
}
