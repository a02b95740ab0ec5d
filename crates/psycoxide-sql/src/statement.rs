//! Classifies a statement, as far as the driver must know its kind before the server does.
//!
//! Nothing is parsed. Each question looks for bytes that mean themselves in every client encoding.
//! So each may return a false no (the byte is in a constant, the statement begins with a comment),
//! but never a false yes.

use crate::lex::{Lexer, Syntax, Token, TokenKind};

/// Statements that run in a transaction, leave it open, and are not COPY.
const PLAIN: [&[u8]; 7] =
    [b"insert", b"update", b"delete", b"merge", b"select", b"values", b"with"];

/// Statements that no rule of a table turns into several, and that read the same by the simple and
/// by the extended query protocol.
const READING: [&[u8]; 4] = [b"select", b"values", b"table", b"declare"];

/// Words that may follow WITH and write.
const WRITING: [&[u8]; 4] = [b"insert", b"update", b"delete", b"merge"];

/// Parts of the names of views that show traces of the extended query protocol: its portal, and the
/// memory of its statement.
const SHOWING: [&[u8]; 2] = [b"pg_cursor", b"memory_context"];

/// Whether a text is one statement without server-side parameters (`$1`). Semicolons may follow it.
pub fn is_single(text: &[u8]) -> bool {
    let closing = |byte: &u8| byte.is_ascii_whitespace() || *byte == b';';
    let end = text.iter().rposition(|byte| !closing(byte));
    let statement = end.and_then(|end| text.get(..=end)).unwrap_or_default();
    memchr::memchr2(b';', b'$', statement).is_none()
}

/// Whether a text is one statement that reads or writes rows and cannot end the transaction,
/// without server-side parameters or a semicolon.
pub fn is_plain(text: &[u8]) -> bool {
    begins_with(text, &PLAIN) && memchr::memchr2(b';', b'$', text).is_none()
}

/// Whether a text is one statement that may be sent while others are under way: it neither begins a
/// COPY, nor changes how the session reads text. Semicolons may follow it.
pub fn is_pipelinable(text: &[u8]) -> bool {
    let closing = |byte: &u8| byte.is_ascii_whitespace() || *byte == b';';
    let end = text.iter().rposition(|byte| !closing(byte));
    let statement = end.and_then(|end| text.get(..=end)).unwrap_or_default();
    (begins_with(text, &PLAIN) || begins_with(text, &[b"table"]))
        && memchr::memchr(b';', statement).is_none()
}

/// Whether a text is one statement with the same reply by the simple and by the extended query
/// protocol.
///
/// A SELECT qualifies, and so does a WITH that writes nothing. An INSERT, UPDATE, DELETE or MERGE may
/// not: if a rule of the table adds a SELECT, the simple protocol sends its rows, and the extended
/// one drops them ("There is no provision for Describe to send a RowDescription message when this
/// portal execution strategy is in effect", says the server's source). A FETCH from a binary cursor
/// does not qualify either. <https://www.postgresql.org/docs/current/sql-createrule.html>
pub fn is_protocol_independent(text: &[u8]) -> bool {
    is_reading(text) && is_single(text) && !SHOWING.iter().any(|name| holds(text, name))
}

/// Whether a text may hold a constant that means the time at which the server reads it: `'now'`,
/// `'today'`, `'tomorrow'` or `'yesterday'`. It may err on the side of yes.
/// <https://www.postgresql.org/docs/current/datatype-datetime.html#DATATYPE-DATETIME-SPECIAL-VALUES>
pub fn reads_clock(text: &[u8]) -> bool {
    const WORDS: [&[u8]; 4] = [b"now", b"today", b"tomorrow", b"yesterday"];
    memchr::memchr_iter(b'\'', text).any(|quote| {
        let behind = text.get(quote + 1..).unwrap_or_default().trim_ascii_start();
        let before = text.get(..quote).unwrap_or_default().trim_ascii_end();
        WORDS.iter().any(|word| {
            let ends = before.len().checked_sub(word.len()).and_then(|start| before.get(start..));
            begins_with(behind, &[word]) || ends.is_some_and(|end| end.eq_ignore_ascii_case(word))
        })
    })
}

/// Whether a text begins as a statement that writes nothing, but through functions that it calls.
pub fn is_reading(text: &[u8]) -> bool {
    begins_with(text, &READING)
        || begins_with(text, &[b"with"]) && !WRITING.iter().any(|word| holds(text, word))
}

/// Why a text cannot be sent together with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It holds a semicolon between two statements.
    Several,
    /// It is a COPY.
    Copy,
}

/// Checks that a text is one statement that is no COPY. Unlike the other questions it reads quotes
/// and comments, as a session does that has [these settings](Syntax::default). It may err for another
/// session: the server refuses several statements then.
///
/// # Errors
/// What the text is instead.
pub fn check_single(text: &[u8]) -> Result<(), Unfit> {
    if is_copy(text) {
        return Err(Unfit::Copy);
    }
    let mut ended = false;
    for token in tokens(text) {
        match token.kind {
            TokenKind::Symbol(b';') => ended = true,
            _ if ended => return Err(Unfit::Several),
            _ => {}
        }
    }
    Ok(())
}

/// Whether the first word behind comments is COPY.
pub fn is_copy(text: &[u8]) -> bool {
    let first = tokens(text).next();
    first.is_some_and(|token| begins_with(text.get(token.start..).unwrap_or_default(), &[b"copy"]))
}

/// The tokens of a text, but for white space and comments.
fn tokens(text: &[u8]) -> impl Iterator<Item = Token> {
    let is_blank = |token: &Token| matches!(token.kind, TokenKind::Space | TokenKind::Comment);
    Lexer::new(text, Syntax::default()).filter(move |token| !is_blank(token))
}

/// Whether the first word is one of these lower-case words.
fn begins_with(text: &[u8], words: &[&[u8]]) -> bool {
    let start = text.trim_ascii_start();
    let length = start
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_' || !byte.is_ascii())
        .count();
    let first = start.get(..length).unwrap_or_default();
    words.iter().any(|word| word.eq_ignore_ascii_case(first))
}

/// Whether this lower-case word occurs anywhere in the text, even inside another word.
fn holds(text: &[u8], word: &[u8]) -> bool {
    let Some(first) = word.first() else { return true };
    memchr::memchr2_iter(*first, first.to_ascii_uppercase(), text).any(|start| {
        text.get(start..start + word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_may_mean_the_time_at_which_they_are_read() {
        for text in
            ["select 'now'", "select ' Today '::date", "x = 'TOMORROW 10:00'", "E'yesterday'"]
        {
            assert!(reads_clock(text.as_bytes()), "{text}");
        }
        for text in ["select now()", "select 'a'", "", "'", "select 'nowhere' || x", "now"] {
            assert!(!reads_clock(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn a_single_statement_has_no_sign_of_another() {
        for text in ["select 1", "select 1 ; ; \n", "", ";", "set x = 'a'"] {
            assert!(is_single(text.as_bytes()), "{text}");
        }
        for text in ["select 1; select 2", "select ';'", "select $1", "do $$ $$", ";a"] {
            assert!(!is_single(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn statements_that_cannot_be_sent_together_are_found() {
        for text in [
            "",
            ";",
            "select 1 ; -- a; b\n ;",
            "select ';' || \";\"",
            "select 'it''s;'",
            "select $$a;b$$, $_a1$;$$;$_a1$",
            "select $1; ",
            "/* ; /* ; */ ; */ select 1",
            "select a$b;",
            "do $$ begin; end $$",
            "create function f() returns int as $x$ select 1; $x$ language sql;",
            "selec\u{e9} ';'",
            "copyright",
            "(select 1)",
            "'",
            "$",
            "$a",
            "$a$ ; ",
            "/*",
            "--",
        ] {
            assert_eq!(check_single(text.as_bytes()), Ok(()), "{text}");
        }
        for text in [
            "select 1; select 2",
            ";a",
            "select 'a'; 'b'",
            "select $1;$2;$3",
            "a$b;c$d",
            "$a$;$a$;b",
        ] {
            assert_eq!(check_single(text.as_bytes()), Err(Unfit::Several), "{text}");
        }
        for text in ["copy t from stdin", " -- a\n/* b */ Copy t to stdout; select 1"] {
            assert_eq!(check_single(text.as_bytes()), Err(Unfit::Copy), "{text}");
        }
    }

    #[test]
    fn a_plain_statement_begins_with_one_of_seven_words() {
        for text in ["insert into t", " \n\tUPDATE t", "With x", "values(1)", "merge"] {
            assert!(is_plain(text.as_bytes()), "{text}");
        }
        for text in [
            "copy t to stdout",
            "selection",
            "select_1",
            "selecté",
            "insert;",
            "insert $1",
            "/**/ select",
            "",
            "(select 1)",
            "commit",
        ] {
            assert!(!is_plain(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn only_reading_statements_are_protocol_independent() {
        for text in [
            "select 1",
            "SELECT 1;",
            "values (1), (2)",
            "table t",
            "DECLARE \"c\" CURSOR FOR SELECT 1",
            "with a as (select 1) select * from a",
            "select 'insert'",
        ] {
            assert!(is_protocol_independent(text.as_bytes()), "{text}");
        }
        for text in [
            "insert into t values (1)",
            "insert into t values (1) returning a",
            "with a as (INSERT into t values (1) returning *) select * from a",
            "with a as (select 1) delete from t",
            "with a as (select 'Merge') select * from a",
            "fetch all from c",
            "copy t to stdout",
            "select 1; select 2",
            "select $1",
            "explain select 1",
            "select * from PG_cursors",
            "select * from pg_backend_memory_contexts",
            "show all",
            "call p()",
            "",
        ] {
            assert!(!is_protocol_independent(text.as_bytes()), "{text}");
        }
    }
}
