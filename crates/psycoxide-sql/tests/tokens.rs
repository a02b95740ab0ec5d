//! The lexer and the server's own, token by token. `PSYCOXIDE_TEST_DSN` names the server; without it
//! nothing is tested.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the test is the driver: it connects"
)]

#[allow(dead_code)]
mod common;
mod numbers;

use common::Session;
use numbers::Numbers;
use psycoxide_sql::encoding;
use psycoxide_sql::lex::{Lexer, Syntax, Token, TokenKind};
use psycoxide_sql::quote::StringStyle;

/// Behind these words the server takes nothing but LEVEL. So it names the next token, whatever that
/// is, in a syntax error.
const BEFORE: &[u8] = b"SHOW TRANSACTION ISOLATION ";

/// What the server says of the first token of a text.
#[derive(Debug, PartialEq, Eq)]
enum First {
    /// Its bytes.
    Token(Vec<u8>),
    /// There is none.
    End,
    /// Something is open at the end.
    Unfinished,
    /// Its lexer refuses the text for another reason.
    Refused,
}

fn server_first(session: &mut Session, text: &[u8]) -> First {
    let report = session.query(&[BEFORE, text].concat()).expect_err("no statement");
    let message = report.message().unwrap();
    if let Some(rest) = message.strip_prefix(b"syntax error at or near \"") {
        return First::Token(rest.strip_suffix(b"\"").unwrap().to_vec());
    }
    match message {
        b"syntax error at end of input" => First::End,
        _ if message.starts_with(b"unterminated ") => First::Unfinished,
        _ => First::Refused,
    }
}

fn our_first(text: &[u8], syntax: Syntax) -> (First, Option<Token>) {
    let blank = |token: &Token| matches!(token.kind, TokenKind::Space | TokenKind::Comment);
    let token = Lexer::new(text, syntax).find(|token| !blank(token) || !token.finished);
    let first = match token {
        None => First::End,
        Some(token) if !token.finished => First::Unfinished,
        Some(token) => First::Token(text[token.start..token.end].to_vec()),
    };
    (first, token)
}

/// Compares all tokens of a text, until one is refused. Returns how many were compared.
fn compare(session: &mut Session, text: &[u8], syntax: Syntax) -> usize {
    let mut rest = text;
    let mut count = 0;
    loop {
        let theirs = server_first(session, rest);
        let (ours, token) = our_first(rest, syntax);
        let said = || format!("{} of {}", rest.escape_ascii(), text.escape_ascii());
        match (&theirs, token) {
            (First::Refused, _) => return count,
            // Older servers take a word that is glued to a number for a token of its own.
            (First::Token(number), Some(Token { kind: TokenKind::Number, start, .. })) => {
                assert!(rest[start..].starts_with(number), "{}", said());
            }
            // For the server the prefix of N'...' is a keyword before a string.
            (First::Token(word), Some(Token { kind: TokenKind::String, start, .. }))
                if word.eq_ignore_ascii_case(b"n") =>
            {
                assert!(rest[start..].starts_with(word), "{}", said());
                rest = &rest[start + 1..];
                continue;
            }
            // Behind U&'...' it looks for UESCAPE, and may find something that is open.
            (First::Unfinished, Some(Token { finished: true, start, end, .. }))
                if rest[start..].get(1) == Some(&b'&') =>
            {
                let (behind, _) = our_first(&rest[end..], syntax);
                assert_eq!(behind, First::Unfinished, "{}", said());
            }
            _ => assert_eq!(theirs, ours, "{}", said()),
        }
        count += 1;
        match token {
            Some(token) if token.finished => rest = &rest[token.end..],
            _ => return count,
        }
    }
}

/// Pieces of which texts are made: all that is special, in every encoding.
const PIECES: &[&[u8]] = &[
    b"'", b"'", b"'", b"''", b"\\", b"\\'", b"\"", b"E'", b"e", b"B'", b"x'", b"n'", b"U&'",
    b"u&\"", b"u&", b"$", b"$$", b"$a$", b"$a$", b"$1", b"$b", b"-", b"--", b"/*", b"*/", b"*",
    b"/", b"/**/", b"\n", b"\r", b" ", b"\t", b" \n ", b"+", b"=", b"<>", b"@", b"|", b"%", b"?",
    b":", b"::", b":=", b"=>", b".", b"..", b",", b";", b"(", b"]", b"1", b"12.5", b".5", b"1e5",
    b"_", b"a", b"b", b"xyz", b"select", b"null",
];

fn random_text(numbers: &mut Numbers, wide: &[&'static [u8]]) -> Vec<u8> {
    let mut text = Vec::new();
    for _ in 0..1 + numbers.below(12) {
        let from = if !wide.is_empty() && numbers.below(5) == 0 { wide } else { PIECES };
        text.extend_from_slice(numbers.choose(from));
    }
    text
}

fn compare_random(name: &str, strings: StringStyle, wide: &[&'static [u8]], seed: u64) {
    let Some(mut session) = Session::open() else { return };
    let on = if strings == StringStyle::Standard { "on" } else { "off" };
    for set in [
        format!("SET standard_conforming_strings = {on}"),
        format!("SET client_encoding = '{name}'"),
        "SET escape_string_warning = off".to_owned(),
        "SET lc_messages = 'C'".to_owned(),
    ] {
        session.query(set.as_bytes()).unwrap();
    }
    let encoding = encoding::by_name(name).unwrap();
    let syntax = Syntax { encoding, strings };
    let mut numbers = Numbers(seed);
    let mut count = 0;
    for _ in 0..2_000 {
        count += compare(&mut session, &random_text(&mut numbers, wide), syntax);
    }
    println!("{count} tokens");
    assert!(count > 2_000, "most texts are refused: {count}");
}

#[test]
fn the_server_cuts_standard_text_alike() {
    let wide: &[&[u8]] = &["é".as_bytes(), "漢".as_bytes(), "$é$".as_bytes()];
    compare_random("UTF8", StringStyle::Standard, wide, 0x5eed);
}

#[test]
fn the_server_cuts_text_with_escapes_alike() {
    compare_random("UTF8", StringStyle::Escape, &["é".as_bytes()], 0xe5ca);
}

#[test]
fn the_server_cuts_text_alike_whose_characters_hold_backslashes() {
    // Characters whose second byte is a backslash, a bracket, a letter or a digit.
    let sjis: &[&[u8]] = &[b"\x95\x5c", b"\x83\x5b", b"\x83\x41", b"\xb1", b"$\x83\x5b$"];
    compare_random("SJIS", StringStyle::Standard, sjis, 0x51);
    compare_random("SJIS", StringStyle::Escape, sjis, 0x52);
    let gb: &[&[u8]] = &[b"\x81\x30\x81\x30", b"\xd5\x5c", b"\xc4\x5b", b"$\xd5\x5c$"];
    compare_random("GB18030", StringStyle::Escape, gb, 0x53);
    compare_random(
        "BIG5",
        StringStyle::Escape,
        &[b"\xa5\x5c", b"\xa4\x7c", b"$\xa5\x5c$"],
        0x99154,
    );
    compare_random("UHC", StringStyle::Escape, &[b"\xb0\xa1", b"\x81\x41"], 0x55);
}
