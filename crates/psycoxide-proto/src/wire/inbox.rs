//! The buffer that the socket fills. Rows stay where they came; a full buffer that holds rows is
//! given to their result and a new one takes its place.

use crate::result::rows::{Block, Rows, Runs};

/// The size of the first buffer: enough for most answers, and what an idle connection holds.
const FIRST: usize = 64 * 1024;
/// The size of the second, when the first did not do.
const SECOND: usize = 256 * 1024;
/// The size of all further ones: large enough to make system calls rare.
const LARGE: usize = 1024 * 1024;

/// Rows of no more bytes than this are copied out of the buffer, which stays.
const SMALL_RESULT: usize = 16 * 1024;

/// The receiving buffer: `start..filled` is yet to be parsed.
#[derive(Debug)]
pub(crate) struct Inbox {
    pub(crate) bytes: Vec<u8>,
    pub(crate) start: usize,
    pub(crate) filled: usize,
    /// Where the rows of the result under way lie, before `start`.
    pub(crate) runs: Runs,
}

impl Inbox {
    pub(crate) fn new() -> Self {
        Self { bytes: vec![0; FIRST], start: 0, filled: 0, runs: Runs::default() }
    }

    /// What stands in for an inbox that is being read.
    pub(crate) fn vacant() -> Self {
        Self { bytes: Vec::new(), start: 0, filled: 0, runs: Runs::default() }
    }

    /// Where the socket may write; `rows` gets the buffer if it is full of rows.
    ///
    /// The buffer grows with what has arrived, never with what a message declares.
    pub(crate) fn space(&mut self, rows: &mut Rows) -> &mut [u8] {
        if self.bytes.len() - self.filled < self.bytes.len() / 8 {
            self.make_room(rows);
        }
        self.bytes.get_mut(self.filled..).unwrap_or_default()
    }

    fn make_room(&mut self, rows: &mut Rows) {
        if self.runs.rows > 0 {
            let size = match self.bytes.len() {
                ..SECOND => SECOND,
                _ => LARGE,
            };
            let block = self.replace(size);
            rows.push(block);
        } else {
            self.bytes.copy_within(self.start..self.filled, 0);
            self.filled -= self.start;
            self.start = 0;
        }
        let len = self.bytes.len();
        if len - self.filled < len / 8 {
            self.bytes.resize(len.saturating_mul(2), 0);
        }
    }

    /// Puts a new buffer in place of this one, which becomes a block of rows.
    fn replace(&mut self, size: usize) -> Block {
        let tail = self.bytes.get(self.start..self.filled).unwrap_or_default();
        let mut fresh = vec![0; size.max(tail.len().saturating_mul(2))];
        if let Some(front) = fresh.get_mut(..tail.len()) {
            front.copy_from_slice(tail);
        }
        self.filled = tail.len();
        let mut bytes = std::mem::replace(&mut self.bytes, fresh);
        bytes.truncate(self.start);
        self.start = 0;
        Block { bytes, runs: std::mem::take(&mut self.runs) }
    }

    /// The rows that lie in the buffer, as their result is complete: copied if they are few, else
    /// with the buffer.
    pub(crate) fn take_rows(&mut self, rows: &mut Rows) {
        if self.runs.rows == 0 {
            return;
        }
        let size = self.runs.bytes();
        if size > SMALL_RESULT && size > self.bytes.len() / 4 {
            let block = self.replace(FIRST);
            rows.push(block);
            return;
        }
        let old = std::mem::take(&mut self.runs);
        let mut bytes = Vec::with_capacity(size);
        for run in old.iter() {
            bytes.extend_from_slice(self.bytes.get(run.clone()).unwrap_or_default());
        }
        let mut runs = Runs::default();
        runs.add(0..bytes.len(), old.rows);
        rows.push(Block { bytes, runs });
    }

    /// Forgets the rows in the buffer.
    pub(crate) fn drop_rows(&mut self) {
        self.runs = Runs::default();
    }

    /// Everything is parsed: begins at the front again, with a buffer of ordinary size.
    pub(crate) fn rewind(&mut self) {
        if self.start == self.filled && self.runs.rows == 0 {
            self.start = 0;
            self.filled = 0;
            if self.bytes.len() > LARGE {
                self.bytes = vec![0; FIRST];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(payload: usize) -> Vec<u8> {
        let body = payload + 6;
        let mut bytes = vec![b'D'];
        bytes.extend(u32::try_from(body + 4).unwrap().to_be_bytes());
        bytes.extend([0, 1]);
        bytes.extend(u32::try_from(payload).unwrap().to_be_bytes());
        bytes.resize(bytes.len() + payload, b'x');
        bytes
    }

    fn fill(inbox: &mut Inbox, rows: &mut Rows, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let space = inbox.space(rows);
            let count = space.len().min(rest.len());
            space[..count].copy_from_slice(&rest[..count]);
            inbox.filled += count;
            rest = &rest[count..];
        }
    }

    #[test]
    fn many_rows_keep_their_place() {
        let mut inbox = Inbox::new();
        let mut rows = Rows::default();
        for _ in 0..5000 {
            let message = row(100);
            fill(&mut inbox, &mut rows, &message);
            let start = inbox.start;
            inbox.runs.add(start..start + message.len(), 1);
            inbox.start += message.len();
        }
        inbox.take_rows(&mut rows);
        assert_eq!(rows.len(), 5000);
        let mut position = rows.start();
        while let Some(row) = rows.next_row(&mut position) {
            assert_eq!(row.fields().next(), Some(Some(&[b'x'; 100][..])));
        }
        inbox.rewind();
        assert_eq!((inbox.start, inbox.filled), (0, 0));
    }

    #[test]
    fn a_few_rows_are_copied() {
        let mut inbox = Inbox::new();
        let mut rows = Rows::default();
        let message = row(10);
        fill(&mut inbox, &mut rows, &message);
        inbox.runs.add(0..message.len(), 1);
        inbox.start = message.len();
        inbox.take_rows(&mut rows);
        assert!(rows.memory() < 100);
        assert_eq!(inbox.bytes.len(), FIRST);
    }

    #[test]
    fn a_long_message_grows_the_buffer_as_it_comes() {
        let mut inbox = Inbox::new();
        let mut rows = Rows::default();
        fill(&mut inbox, &mut rows, &vec![1; 1 << 21]);
        assert_eq!(inbox.filled, 1 << 21);
        assert!(inbox.bytes.len() <= 1 << 22);
        inbox.start = inbox.filled;
        inbox.rewind();
        assert_eq!(inbox.bytes.len(), FIRST);
    }
}
