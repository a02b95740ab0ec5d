//! Reads JSON as a tree, and writes it again.

use std::convert::Infallible;

use super::*;
use crate::text::mutation::hostile;

#[derive(Clone, Debug, PartialEq)]
enum Tree {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    String(String),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

struct Trees;

impl Build for Trees {
    type Value = Tree;
    type Key = String;
    type List = Vec<Tree>;
    type Object = Vec<(String, Tree)>;
    type Error = Infallible;

    fn null(&mut self) -> Result<Tree, Infallible> {
        Ok(Tree::Null)
    }

    fn boolean(&mut self, value: bool) -> Result<Tree, Infallible> {
        Ok(Tree::Boolean(value))
    }

    fn integer(&mut self, value: i64) -> Result<Tree, Infallible> {
        Ok(Tree::Integer(value))
    }

    fn float(&mut self, value: f64) -> Result<Tree, Infallible> {
        Ok(Tree::Float(value))
    }

    fn string(&mut self, text: Text<'_>) -> Result<Tree, Infallible> {
        self.key(text).map(Tree::String)
    }

    fn list(&mut self) -> Result<Vec<Tree>, Infallible> {
        Ok(Vec::new())
    }

    fn push(&mut self, list: &mut Vec<Tree>, value: Tree) -> Result<(), Infallible> {
        list.push(value);
        Ok(())
    }

    fn end_list(&mut self, list: Vec<Tree>) -> Tree {
        Tree::List(list)
    }

    fn object(&mut self) -> Result<Self::Object, Infallible> {
        Ok(Vec::new())
    }

    fn key(&mut self, text: Text<'_>) -> Result<String, Infallible> {
        Ok(match text {
            Text::Ascii(text) => String::from_utf8(text.to_vec()).unwrap(),
            Text::Plain(text) => text.to_owned(),
            Text::Unescaped(text) => text,
        })
    }

    fn insert(
        &mut self,
        object: &mut Self::Object,
        key: String,
        value: Tree,
    ) -> Result<(), Infallible> {
        object.push((key, value));
        Ok(())
    }

    fn end_object(&mut self, object: Self::Object) -> Tree {
        Tree::Object(object)
    }
}

fn tree(text: impl AsRef<[u8]>) -> Option<Tree> {
    read(text.as_ref(), &mut Trees).ok()
}

fn string(text: &str) -> Option<Tree> {
    Some(Tree::String(text.to_owned()))
}

#[test]
fn every_kind_of_value_is_read() {
    for (text, expected) in [
        ("null", Tree::Null),
        (" true\n", Tree::Boolean(true)),
        ("false", Tree::Boolean(false)),
        ("0", Tree::Integer(0)),
        ("-9223372036854775808", Tree::Integer(i64::MIN)),
        ("1.5", Tree::Float(1.5)),
        ("-0.0", Tree::Float(-0.0)),
        ("1e2", Tree::Float(100.0)),
        ("1E+2", Tree::Float(100.0)),
        ("12.5e-1", Tree::Float(1.25)),
        ("1e999", Tree::Float(f64::INFINITY)),
        ("[]", Tree::List(vec![])),
        ("{ }", Tree::Object(vec![])),
        ("[1,\t[null]\r]", Tree::List(vec![Tree::Integer(1), Tree::List(vec![Tree::Null])])),
    ] {
        assert_eq!(tree(text), Some(expected), "{text}");
    }
    let twice = vec![("a".to_owned(), Tree::Integer(1)), ("a".to_owned(), Tree::Integer(2))];
    assert_eq!(tree(r#"{"a": 1, "a" :2}"#), Some(Tree::Object(twice)));
}

#[test]
fn escapes_in_strings_are_decoded() {
    assert_eq!(tree(r#""""#), string(""));
    assert_eq!(tree(r#""a/é""#), string("a/é"));
    assert_eq!(tree(r#""é\"\\\/\b\f\n\r\t\u00e9\u20AC""#), string("é\"\\/\u{8}\u{c}\n\r\té€"));
    assert_eq!(tree(r#""\ud83d\ude00""#), string("😀"));
    assert_eq!(tree(r#""\u0000""#), string("\0"));
}

#[test]
fn unusual_json_is_left_to_the_caller() {
    for text in [
        "",
        " ",
        "nul",
        "nulll",
        "TRUE",
        "NaN",
        "Infinity",
        "-",
        "01",
        "-01",
        "1.",
        ".5",
        "1e",
        "1e+",
        "+1",
        "9223372036854775808",
        "1 2",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "]",
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{a:1}",
        "{1:1}",
        "\"",
        "\"a",
        "\"\n\"",
        "\"\\",
        "\"\\\"",
        "\"\\x\"",
        "\"\\\n\"",
        r#""\u12"#,
        r#""\u12g4""#,
        r#""\ud83d""#,
        r#""\ude00""#,
        r#""\ud83d\u0041""#,
        "\u{feff}1",
    ] {
        assert_eq!(tree(text), None, "{text}");
    }
    for text in [&b"\"\xff\""[..], b"\"\xed\xa0\x80\"", b"\"\\n\xff\"", b"{\"\xc3\":1}", b"\0"] {
        assert_eq!(tree(text), None, "{text:?}");
    }
    let nested = |levels| "[".repeat(levels) + &"]".repeat(levels);
    assert!(tree(nested(MAX_DEPTH)).is_some());
    assert!(tree(nested(MAX_DEPTH + 1)).is_none());
    assert!(tree("{\"a\":[".repeat(1_000_000)).is_none());
}

#[test]
fn an_error_of_the_builder_ends_the_reading() {
    struct Refusing;
    impl Build for Refusing {
        type Value = ();
        type Key = ();
        type List = ();
        type Object = ();
        type Error = &'static str;

        fn null(&mut self) -> Result<(), &'static str> {
            Err("no null")
        }

        fn boolean(&mut self, _: bool) -> Result<(), &'static str> {
            Ok(())
        }

        fn integer(&mut self, _: i64) -> Result<(), &'static str> {
            Ok(())
        }

        fn float(&mut self, _: f64) -> Result<(), &'static str> {
            Ok(())
        }

        fn string(&mut self, _: Text<'_>) -> Result<(), &'static str> {
            Ok(())
        }

        fn list(&mut self) -> Result<(), &'static str> {
            Ok(())
        }

        fn push(&mut self, (): &mut (), (): ()) -> Result<(), &'static str> {
            Ok(())
        }

        fn end_list(&mut self, (): ()) {}

        fn object(&mut self) -> Result<(), &'static str> {
            Ok(())
        }

        fn key(&mut self, _: Text<'_>) -> Result<(), &'static str> {
            Ok(())
        }

        fn insert(&mut self, (): &mut (), (): (), (): ()) -> Result<(), &'static str> {
            Err("no members")
        }

        fn end_object(&mut self, (): ()) {}
    }
    let stop = |text: &str| read(text.as_bytes(), &mut Refusing).unwrap_err();
    assert_eq!(stop("[true, 1, null, ]"), ReadError::Failed("no null"));
    assert_eq!(stop("{\"a\": 1"), ReadError::Failed("no members"));
    assert_eq!(stop("{\"a\" 1"), ReadError::Unusual);
}

#[test]
fn mutated_text_gives_a_value_or_is_unusual() {
    let seeds = [r#"{"a": [1, -2.5e3, "x\n\u00e9", null], "b": {"c": true}}"#, "[[[1],[2,3]],{}]"];
    let mut good = 0;
    hostile(&seeds, |text| good += usize::from(tree(text).is_some()));
    assert!(good > 100, "too few mutations were readable: {good}");
}
