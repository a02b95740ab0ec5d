//! The lexer of SQL, and where it says that the server takes a parameter.

use psycoxide_sql::encoding;
use psycoxide_sql::lex::{Lexer, Syntax, TokenKind};
use psycoxide_sql::numbered::{Filled, Numbered, Place};
use psycoxide_sql::quote::StringStyle;
use psycoxide_sql::template::{Piece, Template};

/// A target's name and function.
type Target = (&'static str, fn(&[u8]));

/// All targets of this file.
pub const TARGETS: &[Target] = &[("tokens", tokens), ("numbered", numbered)];

/// The first byte of an input says how the session reads the rest.
fn syntax(choice: u8) -> Syntax {
    let names = ["UTF8", "SJIS", "GB18030", "BIG5", "UHC", "LATIN1", "EUC_JP", "JOHAB"];
    let name = names.get(usize::from(choice >> 1) % names.len()).copied().unwrap_or_default();
    let strings = if choice & 1 == 0 { StringStyle::Standard } else { StringStyle::Escape };
    Syntax { encoding: encoding::by_name(name).expect("known"), strings }
}

/// Tokens are the whole text, in order, none empty. One that has its end is read the same when it
/// stands alone. Only texts with backslashes depend on what these mean.
pub fn tokens(input: &[u8]) {
    let Some((choice, text)) = input.split_first() else { return };
    let here = syntax(*choice);
    let mut end = 0;
    let mut lexer = Lexer::new(text, here);
    let mut all = Vec::new();
    for token in lexer.by_ref() {
        assert!(token.start == end && token.end > end);
        end = token.end;
        let alone = &text[token.start..token.end];
        let again = Lexer::new(alone, here).next().expect("it has a token");
        assert_eq!(
            (again.kind, again.end, again.finished),
            (token.kind, alone.len(), token.finished)
        );
        assert!(token.finished || end == text.len());
        all.push(token);
    }
    assert_eq!(end, text.len());
    let other = syntax(choice ^ 1);
    if !lexer.met_backslashes() {
        assert!(Lexer::new(text, other).eq(all));
    }
}

/// What is written has all bytes of the query. A place where a value may be bound is a parameter
/// also in the final text, whatever constants are merged into the others.
pub fn numbered(input: &[u8]) {
    let Some((choice, text)) = input.split_first() else { return };
    let template = Template::parse(text);
    if template.reading_fault().is_some() || template.merging_fault().is_some() {
        return;
    }
    let syntax = syntax(*choice);
    let numbered = Numbered::of(&template, syntax);
    let merged = write(&numbered, |_| Some(b"(?)"));
    let mut expected = Vec::new();
    for piece in template.pieces() {
        match piece {
            Piece::Text(range) => expected.extend_from_slice(template.text(range)),
            Piece::Value(_) => expected.extend_from_slice(b"(?)"),
        }
    }
    if template.style().is_some() {
        assert_eq!(merged, expected);
        assert_eq!(write(&numbered, |_| None), numbered.text());
    } else {
        assert_eq!(numbered.text(), expected);
    }
    if numbered.whole().is_some() || numbered.fault().is_some() {
        assert_eq!(numbered.all_bound(), None);
        return;
    }
    let places = numbered.places();
    let bindable = places.iter().filter(|place| place.context.is_bindable()).count();
    assert_eq!(numbered.all_bound().is_some(), bindable == places.len());
    let constant: &[u8] = match syntax.strings {
        StringStyle::Standard => b"'it''s'",
        StringStyle::Escape => b"E'\\'it'",
    };
    let text = write(&numbered, |place| (!place.context.is_bindable()).then_some(constant));
    let parameters = Lexer::new(&text, syntax).filter(|token| token.kind == TokenKind::Parameter);
    assert_eq!(parameters.count(), bindable);
    let again = Numbered::of_native(&text, syntax);
    assert_eq!((again.whole(), again.kind()), (None, numbered.kind()));
    assert!(again.places().iter().all(|place| place.context.is_bindable()));
    assert_eq!(again.places().len(), bindable);
}

/// The text with these constants, and numbers for the other values.
fn write(numbered: &Numbered, constant: impl Fn(&Place) -> Option<&'static [u8]>) -> Vec<u8> {
    let (mut text, mut order) = (Vec::new(), Vec::new());
    let written = numbered.write::<()>(&mut text, &mut order, |place, out| {
        let Some(constant) = constant(place) else { return Ok(Filled::Bound) };
        out.extend_from_slice(constant);
        Ok(Filled::Merged)
    });
    assert_eq!(written, Ok(()));
    text
}
