//! Composite values: `(1,"a b",,"x""y")`.
//!
//! <https://www.postgresql.org/docs/current/rowtypes.html#ROWTYPES-IO-SYNTAX>

use super::Malformed;

const FAULT: Malformed = Malformed("malformed composite value");

/// The fields of a row, in order; `None` is NULL (an empty unquoted field).
///
/// `()` is one NULL field. A row without columns is written the same; callers that know the type
/// can tell.
pub fn fields(text: &[u8]) -> Result<Vec<Option<Vec<u8>>>, Malformed> {
    let mut rest = match text {
        [b'(', rest @ ..] => rest,
        _ => return Err(FAULT),
    };
    let mut fields = Vec::new();
    loop {
        fields.push(field(&mut rest)?);
        match rest {
            [b',', tail @ ..] => rest = tail,
            [b')'] => return Ok(fields),
            _ => return Err(FAULT),
        }
    }
}

/// Takes one field off the front of `text`, and the `,` or `)` after it.
fn field(text: &mut &[u8]) -> Result<Option<Vec<u8>>, Malformed> {
    if matches!(text.first(), Some(b',' | b')')) {
        return Ok(None);
    }
    let mut value = Vec::new();
    let mut quoted = false;
    loop {
        let (byte, rest) = text.split_first().ok_or(FAULT)?;
        match (byte, quoted) {
            (b',' | b')', false) => return Ok(Some(value)),
            (b'"', true) if rest.first() == Some(&b'"') => {
                value.push(b'"');
                *text = &rest[1..];
                continue;
            }
            (b'"', _) => quoted = !quoted,
            (b'\\', _) => {
                let (escaped, rest) = rest.split_first().ok_or(FAULT)?;
                value.push(*escaped);
                *text = rest;
                continue;
            }
            (byte, _) => value.push(*byte),
        }
        *text = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::mutation::hostile;

    fn read(text: &str) -> Option<Vec<Option<String>>> {
        let show = |field: Vec<u8>| String::from_utf8_lossy(&field).into_owned();
        let fields = fields(text.as_bytes()).ok()?;
        Some(fields.into_iter().map(|field| field.map(show)).collect())
    }

    #[test]
    fn the_servers_text_is_read() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(read("()"), Some(vec![None]));
        assert_eq!(read("(,)"), Some(vec![None, None]));
        assert_eq!(read("(1,\"\",)"), Some(vec![some("1"), some(""), None]));
        assert_eq!(read(r#"("a ""b"" \\c",d)"#), Some(vec![some(r#"a "b" \c"#), some("d")]));
        assert_eq!(read(r#"("(1,""2"")")"#), Some(vec![some(r#"(1,"2")"#)]));
    }

    #[test]
    fn malformed_text_is_refused() {
        for text in ["", "(", ")", "(1", "(1,", "(\"", "(\"a", "(1)x", "x(1)", "(\\", "(\"a\\"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn mutated_rows_give_fields_or_an_error() {
        hostile(&[r#"(1,"a ""b"" \\c",,d)"#, "(,)"], |text| {
            if let Ok(fields) = fields(text) {
                assert!(!fields.is_empty() && fields.len() <= text.len());
            }
        });
    }
}
