//! Statements that are sent together.

use crate::frontend::extended;
use crate::wire::writer::Refused;

/// The length of a Parse before its text: the type, the length, the empty name.
const PARSE_PREFIX: usize = 6;

/// Up to this much memory is kept for the next batch.
const KEPT_CAPACITY: usize = 1 << 20;

/// Statements without parameters, serialised one after another in one buffer.
///
/// <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING>
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Parse, Bind and Execute of each statement, then the unfinished Parse of the next one.
    messages: Vec<u8>,
    /// Where the messages of each statement end.
    ends: Vec<usize>,
}

impl Batch {
    /// The buffer to append the text of the next statement to, until [`Batch::end_statement`].
    /// Do not change the bytes that it already holds.
    pub fn text(&mut self) -> &mut Vec<u8> {
        let end = self.end();
        if self.messages.len() == end {
            extended::begin_parse(&mut self.messages);
        }
        &mut self.messages
    }

    /// Ends the statement under construction. Returns false and leaves the text in place if it has
    /// a NUL or is too long.
    #[must_use]
    pub fn end_statement(&mut self) -> bool {
        if memchr::memchr(0, self.rest()).is_some() {
            return false;
        }
        self.text();
        let start = self.end();
        let ended = extended::end_parse_and_run(&mut self.messages, start).is_ok();
        if ended {
            self.ends.push(self.messages.len());
        }
        ended
    }

    /// The text of the statement under construction.
    pub fn rest(&self) -> &[u8] {
        self.messages.get(self.end() + PARSE_PREFIX..).unwrap_or_default()
    }

    /// Removes and returns the text of the statement under construction.
    pub fn take_rest(&mut self) -> Vec<u8> {
        let rest = self.rest().to_vec();
        self.messages.truncate(self.end());
        rest
    }

    /// Removes all statements. Keeps the memory for the next ones, up to a limit.
    pub fn clear(&mut self) {
        self.messages.clear();
        self.messages.shrink_to(KEPT_CAPACITY);
        self.ends.clear();
    }

    /// The number of statements.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no statement.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The size of the statements' messages in bytes.
    pub fn size(&self) -> usize {
        self.end()
    }

    /// The texts of the statements, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &[u8]> + ExactSizeIterator {
        (0..self.ends.len()).map(|index| {
            let start = index.checked_sub(1).and_then(|before| self.ends.get(before));
            let start = start.copied().unwrap_or_default() + PARSE_PREFIX;
            let end = self.ends.get(index).map_or(0, |end| end - extended::PARSED_AND_RUN.len());
            self.messages.get(start..end).unwrap_or_default()
        })
    }

    /// Where the messages of the last statement end.
    fn end(&self) -> usize {
        self.ends.last().copied().unwrap_or_default()
    }

    /// Appends the messages and the Sync: after an error the server skips up to there.
    pub(crate) fn write(&self, out: &mut Vec<u8>) -> Result<(), Refused> {
        if self.is_empty() {
            return Err("a batch without a statement");
        }
        extended::write_synced(out, self.messages.get(..self.end()).unwrap_or_default());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_parsed_bound_and_executed() {
        let mut batch = Batch::default();
        assert!(batch.is_empty() && batch.write(&mut Vec::new()).is_err());
        let texts: [&[u8]; 3] = [b"insert", b"", b"update"];
        let mut expected = Vec::new();
        for text in texts {
            batch.text().extend_from_slice(text);
            assert_eq!(batch.rest(), text);
            assert!(batch.end_statement());
            extended::parse(&mut expected, b"", text, &[]).unwrap();
            extended::run_unnamed(&mut expected);
        }
        assert_eq!((batch.len(), batch.size()), (3, expected.len()));
        assert!(batch.iter().eq(texts));
        batch.text().extend_from_slice(b"half");
        let mut out = Vec::new();
        batch.write(&mut out).unwrap();
        extended::sync(&mut expected);
        assert_eq!(out, expected);
        batch.clear();
        assert_eq!((batch.len(), batch.rest()), (0, &b""[..]));
    }

    #[test]
    fn a_text_that_cannot_be_sent_does_not_become_a_statement() {
        let mut batch = Batch::default();
        for text in [&b"a\0b"[..], b"\0b", b"a\0", b"\0"] {
            batch.text().extend_from_slice(b"plain");
            assert!(batch.end_statement());
            batch.text().extend_from_slice(text);
            assert!(!batch.end_statement());
            assert_eq!(batch.take_rest(), text);
            assert_eq!(batch.rest(), b"");
        }
        assert_eq!(batch.len(), 4);
        assert!(batch.iter().all(|text| text == b"plain"));
    }
}
