//! JSON: a value that is written again and read again is the same.

use std::convert::Infallible;

use psycoxide_sql::text::json::{Build, Text, read};

/// A target's name and function.
type Target = (&'static str, fn(&[u8]));

/// All targets of this file.
pub const TARGETS: &[Target] = &[("json", json)];

pub fn json(input: &[u8]) {
    let Ok(written) = read(input, &mut Writer) else { return };
    assert_eq!(read(written.as_bytes(), &mut Writer).as_ref(), Ok(&written));
}

/// Writes values in their shortest form.
struct Writer;

impl Build for Writer {
    type Value = String;
    type Key = String;
    type List = String;
    type Object = String;
    type Error = Infallible;

    fn null(&mut self) -> Result<String, Infallible> {
        Ok("null".to_owned())
    }

    fn boolean(&mut self, value: bool) -> Result<String, Infallible> {
        Ok(value.to_string())
    }

    fn integer(&mut self, value: i64) -> Result<String, Infallible> {
        Ok(value.to_string())
    }

    fn float(&mut self, value: f64) -> Result<String, Infallible> {
        assert!(!value.is_nan(), "JSON has no such number");
        Ok(if value.is_infinite() {
            format!("{}e999", value.signum())
        } else {
            format!("{value:e}")
        })
    }

    fn string(&mut self, text: Text<'_>) -> Result<String, Infallible> {
        let text = match &text {
            Text::Ascii(text) => {
                assert!(text.is_ascii());
                std::str::from_utf8(text).expect("ASCII is UTF-8")
            }
            Text::Plain(text) => text,
            Text::Unescaped(text) => text,
        };
        let mut written = "\"".to_owned();
        for c in text.chars() {
            match c {
                '"' | '\\' => written.extend(['\\', c]),
                '\0'..' ' => written.push_str(&format!("\\u{:04x}", u32::from(c))),
                c => written.push(c),
            }
        }
        Ok(written + "\"")
    }

    fn list(&mut self) -> Result<String, Infallible> {
        Ok("[".to_owned())
    }

    fn push(&mut self, list: &mut String, value: String) -> Result<(), Infallible> {
        if list.len() > 1 {
            list.push(',');
        }
        list.push_str(&value);
        Ok(())
    }

    fn end_list(&mut self, list: String) -> String {
        list + "]"
    }

    fn object(&mut self) -> Result<String, Infallible> {
        Ok("{".to_owned())
    }

    fn key(&mut self, text: Text<'_>) -> Result<String, Infallible> {
        self.string(text)
    }

    fn insert(
        &mut self,
        object: &mut String,
        key: String,
        value: String,
    ) -> Result<(), Infallible> {
        if object.len() > 1 {
            object.push(',');
        }
        object.push_str(&format!("{key}:{value}"));
        Ok(())
    }

    fn end_object(&mut self, object: String) -> String {
        object + "}"
    }
}
