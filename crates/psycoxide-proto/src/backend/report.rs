//! `ErrorResponse` and `NoticeResponse`: the server's reports.

use std::fmt;

use crate::wire::reader::{Malformed, Reader};

/// `ErrorResponse` (backend, `E`) or `NoticeResponse` (backend, `N`): a list of fields, each a
/// code and a text.
///
/// <https://www.postgresql.org/docs/current/protocol-error-fields.html>: "Since more field types
/// might be added in future, frontends should silently ignore fields of unrecognized type." They
/// are stored here, under their code. Texts are bytes: until the session's encoding is settled the
/// server may send any encoding, so UTF-8 is never assumed.
#[derive(Clone, PartialEq, Eq)]
pub struct Report {
    /// The fields as received, without the zero byte that ends the list.
    fields: Vec<u8>,
}

impl Report {
    /// Reads the body of the message.
    ///
    /// # Errors
    /// The text of a field has no end, an empty list has no end, or bytes follow the list. The
    /// list's final zero byte may be missing after a complete field, as libpq allows while it
    /// connects: pgagroal 2.1 counts one byte too few in its own reports.
    pub fn parse(body: &[u8]) -> Result<Report, Malformed> {
        let mut reader = Reader::new(body);
        loop {
            if reader.byte()? == 0 {
                reader.finish()?;
                let (_end, fields) = body.split_last().ok_or("the list of fields has no end")?;
                return Ok(Report { fields: fields.to_vec() });
            }
            reader.string()?;
            if reader.is_empty() {
                return Ok(Report { fields: body.to_vec() });
            }
        }
    }

    /// Adds a hint, behind the server's own if there is one.
    pub fn add_hint(&mut self, hint: &str) {
        let mut fields = Vec::with_capacity(self.fields.len() + hint.len() + 3);
        for (code, text) in self.iter().filter(|(code, _)| *code != b'H') {
            fields.push(code);
            fields.extend_from_slice(text);
            fields.push(0);
        }
        fields.push(b'H');
        if let Some(own) = self.field(b'H') {
            fields.extend_from_slice(own);
            fields.push(b' ');
        }
        fields.extend(hint.bytes().filter(|byte| *byte != 0));
        fields.push(0);
        self.fields = fields;
    }

    /// The text of the first field with this code.
    pub fn field(&self, code: u8) -> Option<&[u8]> {
        self.iter().find(|(other, _)| *other == code).map(|(_, text)| text)
    }

    /// All fields, in the server's order.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &[u8])> {
        let mut reader = Reader::new(&self.fields);
        std::iter::from_fn(move || {
            let code = reader.byte().ok()?;
            Some((code, reader.string().ok()?))
        })
    }

    /// The severity: `V`, which is never translated (servers since 9.6), or else `S`.
    pub fn severity(&self) -> Option<&[u8]> {
        self.field(b'V').or_else(|| self.field(b'S'))
    }

    /// The SQLSTATE code, if it is well formed: five digits or upper-case ASCII letters.
    pub fn sqlstate(&self) -> Option<&str> {
        let code = self.field(b'C')?;
        let shaped = code.len() == 5
            && code.iter().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
        if shaped { std::str::from_utf8(code).ok() } else { None }
    }

    /// The primary message.
    pub fn message(&self) -> Option<&[u8]> {
        self.field(b'M')
    }

    /// Whether the server ends the session after this report.
    pub fn is_fatal(&self) -> bool {
        matches!(self.severity(), Some(b"FATAL" | b"PANIC"))
    }

    /// The memory of the report in bytes.
    pub fn memory(&self) -> usize {
        self.fields.len()
    }
}

/// The severity as translated by the server, and the primary message, with everything that is not
/// UTF-8 replaced. Callers that know the session's encoding can do better with the fields.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = self.field(b'S').or_else(|| self.severity()).unwrap_or(b"ERROR");
        let message = self.message().unwrap_or(b"");
        write!(f, "{}:  {}", String::from_utf8_lossy(severity), String::from_utf8_lossy(message))
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(
                self.iter().map(|(code, text)| (char::from(code), String::from_utf8_lossy(text))),
            )
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_code() {
        let report = Report::parse(b"SFEHLER\0VERROR\0C42P01\0Mno such table\0P15\0\0").unwrap();
        assert_eq!(report.severity(), Some(&b"ERROR"[..]));
        assert_eq!(report.sqlstate(), Some("42P01"));
        assert_eq!(report.message(), Some(&b"no such table"[..]));
        assert_eq!(report.field(b'P'), Some(&b"15"[..]));
        assert_eq!(report.field(b'D'), None);
        assert_eq!(report.iter().count(), 5);
        assert!(!report.is_fatal());
        assert_eq!(report.to_string(), "FEHLER:  no such table");
    }

    #[test]
    fn an_empty_list_is_a_report_and_a_text_may_be_anything() {
        let report = Report::parse(b"\0").unwrap();
        assert_eq!(report.to_string(), "ERROR:  ");
        let report = Report::parse(b"M\xff\xfe\0C1234\0\0").unwrap();
        assert_eq!(report.message(), Some(&b"\xff\xfe"[..]));
        assert_eq!(report.sqlstate(), None);
    }

    #[test]
    fn refuses_every_cut_within_a_field_and_trailing_bytes() {
        let body = b"SERROR\0C42P01\0Mx\0\0";
        let whole = [7, 14, 17];
        for end in 0..body.len() {
            let report = Report::parse(&body[..end]);
            assert_eq!(report.is_ok(), whole.contains(&end), "{end}");
        }
        assert_eq!(Report::parse(&body[..17]), Report::parse(body));
        assert!(Report::parse(b"SERROR\0\0x").is_err());
    }
}
