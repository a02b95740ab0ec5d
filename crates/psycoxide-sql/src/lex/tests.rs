use super::*;
use crate::encoding;

fn tokens(text: &[u8], syntax: Syntax) -> Vec<(TokenKind, &[u8], bool)> {
    Lexer::new(text, syntax)
        .filter(|token| token.kind != TokenKind::Space)
        .map(|token| (token.kind, &text[token.start..token.end], token.finished))
        .collect()
}

/// The tokens between white space, all of them finished.
fn texts(text: &str) -> Vec<&str> {
    let found = tokens(text.as_bytes(), Syntax::default());
    assert!(found.iter().all(|(_, _, finished)| *finished), "{text}");
    found.into_iter().map(|(_, text, _)| str::from_utf8(text).unwrap()).collect()
}

#[test]
fn tokens_end_where_the_server_says() {
    for (text, expected) in [
        ("select 1", "select|1"),
        ("a.b,c::int[1:2]", "a|.|b|,|c|::|int|[|1|:|2|]"),
        ("f(a:=1,b=>2)", "f|(|a|:=|1|,|b|=>|2|)"),
        ("a=-1", "a|=|-|1"),
        ("a@-1", "a|@-|1"),
        ("a+-+1", "a|+|-|+|1"),
        ("a<>b!=c<=d", "a|<>|b|!=|c|<=|d"),
        ("a*-- x\n1", "a|*|-- x|1"),
        ("a+/* x */1", "a|+|/* x */|1"),
        ("/* /* */ */1", "/* /* */ */|1"),
        ("/*/*/ */ */1", "/*/*/ */ */|1"),
        ("/***/1", "/***/|1"),
        ("--\r1", "--|1"),
        ("'it''s'x", "'it''s'|x"),
        ("'a'\n'b' 'c'", "'a'\n'b'|'c'"),
        ("'a' -- x\n  -- y\n'b'", "'a' -- x\n  -- y\n'b'"),
        ("'a' --x", "'a'|--x"),
        ("'a' /* */\n'b'", "'a'|/* */|'b'"),
        ("E'a'\n'b\\'c'", "E'a'\n'b\\'c'"),
        ("e'\\'' 'x'", "e'\\''|'x'"),
        ("'\\' 'x'", "'\\'|'x'"),
        ("b'01'X'ff'n'a'", "b'01'|X'ff'|n'a'"),
        ("b'0''1' X'f'\n'f'", "b'0'|'1'|X'f'\n'f'"),
        ("U&'\\0041' U&\"a\"\"b\"u&c", "U&'\\0041'|U&\"a\"\"b\"|u|&|c"),
        ("\"a\"\"b\"", "\"a\"\"b\""),
        ("$$a$b$$ $x$ $$ $x$", "$$a$b$$|$x$ $$ $x$"),
        ("$é1$a$é1$", "$é1$a$é1$"),
        ("$1 $12+$3a", "$1|$12|+|$3|a"),
        ("a$b$c", "a$b$c"),
        ("$a b", "$|a|b"),
        ("1.5e10 .5 1. 1..10 1e5x 0x1F 1_000", "1.5e10|.5|1.|1|..|10|1e5x|0x1F|1_000"),
        ("1e 1e+ 1.5.2", "1e|1e|+|1.5|.2"),
        ("été_1", "été_1"),
        ("{\\", "{|\\"),
    ] {
        assert_eq!(texts(text).join("|"), expected, "{text}");
    }
}

#[test]
fn what_is_open_at_the_end_is_not_finished() {
    use TokenKind::{Comment, DollarString, QuotedName, String};
    for (text, kind) in [
        ("'", String),
        ("'a''", String),
        ("E'\\'", String),
        ("E'\\", String),
        ("'a'\n'b", String),
        ("U&'", String),
        ("\"", QuotedName),
        ("\"a\"\"", QuotedName),
        ("U&\"", QuotedName),
        ("/*", Comment),
        ("/* /* */", Comment),
        ("/*/", Comment),
        ("$$", DollarString),
        ("$a$ $b$ $$", DollarString),
    ] {
        assert_eq!(
            tokens(text.as_bytes(), Syntax::default()),
            [(kind, text.as_bytes(), false)],
            "{text}"
        );
    }
}

#[test]
fn a_backslash_means_what_the_session_says() {
    let text = br"'a\' || E'\'' || 'b'";
    let escaping = Syntax { strings: StringStyle::Escape, ..Syntax::default() };
    let count = |syntax| {
        let mut lexer = Lexer::new(text, syntax);
        (lexer.by_ref().count(), lexer.met_backslashes())
    };
    assert_eq!(count(Syntax::default()), (9, true));
    assert!(count(escaping).1);
    assert_ne!(count(escaping).0, 9);
    let mut lexer = Lexer::new(br"E'\\' || X'\' || U&'\' || $$\$$ || 'a'", escaping);
    assert_eq!((lexer.by_ref().count(), lexer.met_backslashes()), (17, false));
}

#[test]
fn half_a_character_is_no_token() {
    use TokenKind::{DollarString, String, Symbol, Word};
    let in_encoding =
        |name| Syntax { encoding: encoding::by_name(name).unwrap(), strings: StringStyle::Escape };
    let sjis = in_encoding("SJIS");
    assert_eq!(
        tokens(b"'\x95\x5c','a'", sjis),
        [(String, &b"'\x95\x5c'"[..], true), (Symbol(b','), b",", true), (String, b"'a'", true)]
    );
    assert_eq!(tokens(b"\x83\x5b", sjis), [(Word, &b"\x83\x5b"[..], true)]);
    assert_eq!(
        tokens(b"$\x83\x5b$;$\x83\x5b$", sjis),
        [(DollarString, &b"$\x83\x5b$;$\x83\x5b$"[..], true)]
    );
    let gb = in_encoding("GB18030");
    assert_eq!(tokens(b"'\x81\x30\x81\x30'", gb), [(String, &b"'\x81\x30\x81\x30'"[..], true)]);
    // In an encoding of single bytes, the same bytes are a character and a backslash.
    assert_eq!(tokens(b"'\x95\x5c','a'", in_encoding("LATIN1")).len(), 3);
    assert!(!tokens(b"'\x95\x5c','a'", in_encoding("LATIN1"))[2].2);
}

/// For every short text over an alphabet of what is special: tokens are the whole text, in order,
/// none empty; and what is finished is read the same when it stands alone.
#[test]
fn tokens_cover_every_short_text() {
    let alphabet = b"'\"$-/*\\ \nEa1";
    for syntax in [
        Syntax::default(),
        Syntax { strings: StringStyle::Escape, ..Syntax::default() },
        Syntax { encoding: encoding::by_name("SJIS").unwrap(), strings: StringStyle::Escape },
    ] {
        for length in 0..=5_u32 {
            for mut number in 0..alphabet.len().pow(length) {
                let mut text = Vec::new();
                for _ in 0..length {
                    text.push(alphabet[number % alphabet.len()]);
                    number /= alphabet.len();
                }
                let mut end = 0;
                for token in Lexer::new(&text, syntax) {
                    assert!(token.start == end && token.end > end, "{text:?}");
                    end = token.end;
                    let alone = &text[token.start..token.end];
                    let again = Lexer::new(alone, syntax).next().unwrap();
                    assert_eq!((again.kind, again.end), (token.kind, alone.len()), "{text:?}");
                }
                assert_eq!(end, text.len());
            }
        }
    }
}
