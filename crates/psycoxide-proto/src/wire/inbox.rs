//! The inbox: the socket fills it, messages are read in place, and rows stay where they are.

use std::ops::Range;

use super::deframe::{self, Header};
use crate::backend::results::check_row;
use crate::error::Violation;
use crate::machine::transitions::Message;
use crate::result::rows::{Block, Rows, Runs};

/// A connection's first buffer: the start-up fits, and an allocator has pieces of this size at
/// hand.
const FIRST: usize = 1000;
/// The buffer between large results: most replies fit.
const SMALL: usize = 64 << 10;
/// The buffer once a read has filled the small one: about the most that a socket returns at once.
const MEDIUM: usize = 256 << 10;
/// The buffer once a result has filled several, so that there are fewer allocations.
const LARGE: usize = 1 << 20;
/// A result larger than this continues in large buffers, however slowly it arrives.
const MANY: usize = 4 * LARGE;
/// If less room than this is left and the unread tail is short, the tail is moved, as a short read
/// is not worth a system call.
const ROOM: usize = 4 << 10;
/// Fewer bytes of rows than this are copied at the end of a result, and the buffer stays.
const COPIED: usize = 16 << 10;

/// The inbox. The bytes `start..end` are unread; `runs` are rows before `start`.
#[derive(Default)]
pub(crate) struct Inbox {
    data: Vec<u8>,
    start: usize,
    end: usize,
    /// The current result's rows in `data`.
    runs: Runs,
    /// The current result's rows in earlier, full buffers.
    rows: Rows,
    /// How many rows of the current result were taken before it was complete.
    taken: usize,
    /// A buffer that was given back since the last result, if any: memory that is mapped and in the
    /// cache.
    spare: Vec<u8>,
    /// Whether the last read filled all its room: the peer probably has more.
    eager: bool,
}

impl Inbox {
    /// The room to read into, never empty.
    ///
    /// It grows by doubling with what has arrived, never with the length that a message declares.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        let tail = self.end - self.start;
        if tail == 0 && self.runs.rows == 0 {
            self.start = 0;
            self.end = 0;
        }
        let room = self.data.len() - self.end;
        if room == 0 || (room < ROOM && tail < ROOM) {
            self.make_room();
        }
        self.data.get_mut(self.end..).unwrap_or_default()
    }

    /// Marks the first `n` bytes of the room as filled.
    pub(crate) fn fill(&mut self, n: usize) {
        let room = self.data.len() - self.end;
        self.eager = n >= room;
        self.end += n.min(room);
    }

    /// Whether everything received has been read.
    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// The header of the next message, once it is complete.
    pub(crate) fn header(&self, opening: bool) -> Result<Option<Header>, Violation> {
        deframe::header(self.unread(), opening)
    }

    /// The text of an error in the format of protocol 2, once it is complete: `E`, the text, a zero
    /// byte. A server that cannot even start a process for the session says so in this way.
    pub(crate) fn bare_error(&self) -> Option<String> {
        let text = self.unread().get(1..)?;
        let longest = usize::try_from(deframe::SHORT_LIMIT).unwrap_or(usize::MAX);
        let end = memchr::memchr(0, text).or((text.len() >= longest).then_some(longest))?;
        Some(String::from_utf8_lossy(text.get(..end)?).trim_end().to_owned())
    }

    /// Whether the whole message has arrived.
    pub(crate) fn holds(&self, header: Header) -> bool {
        header.total <= self.end - self.start
    }

    /// The body of the message.
    pub(crate) fn body(&self, header: Header) -> &[u8] {
        self.unread().get(deframe::HEADER..header.total).unwrap_or_default()
    }

    /// Moves on to the next message.
    pub(crate) fn consume(&mut self, header: Header) {
        self.start = self.end.min(self.start + header.total);
    }

    /// Skips these bytes, as often as they are next. Returns how often.
    pub(crate) fn skip(&mut self, bytes: &[u8]) -> usize {
        if bytes.is_empty() {
            return 0;
        }
        let chunks = self.unread().chunks_exact(bytes.len());
        let times = chunks.take_while(|chunk| *chunk == bytes).count();
        self.start += times * bytes.len();
        times
    }

    /// Adds the complete DataRow messages that come next to the result.
    ///
    /// # Errors
    /// A row that contradicts itself or the number of columns. The rows before it stay in the
    /// result.
    pub(crate) fn collect_rows(&mut self, columns: u16) -> Result<(), Violation> {
        let unread = self.data.get(self.start..self.end).unwrap_or_default();
        let mut rest = unread;
        let mut rows = 0;
        let mut broken = None;
        while let Some([b'D', a, b, c, d]) = rest.first_chunk::<{ deframe::HEADER }>() {
            let length = u32::from_be_bytes([*a, *b, *c, *d]);
            if !(4..=0x7fff_ffff).contains(&length) {
                broken = Some(Violation::Length { message: b'D', length });
                break;
            }
            let total = usize::try_from(length).unwrap_or(usize::MAX).saturating_add(1);
            let Some((message, after)) = rest.split_at_checked(total) else { break };
            let body = message.get(deframe::HEADER..).unwrap_or_default();
            if let Err(reason) = check_row(body, columns) {
                broken = Some(Violation::Malformed { message: b'D', reason });
                break;
            }
            rows += 1;
            rest = after;
        }
        let end = self.start + unread.len() - rest.len();
        self.runs.add(self.start..end, rows);
        self.start = end;
        broken.map_or(Ok(()), Err)
    }

    /// Takes the payloads of the complete CopyData messages that come next, until there are `limit`
    /// bytes.
    ///
    /// Whatever follows them is read, and complained about, later.
    #[inline(never)]
    pub(crate) fn take_copy_data(&mut self, limit: usize) -> Vec<u8> {
        let mut block = Vec::new();
        while block.len() < limit {
            let Ok(Some(header)) = self.header(false) else { break };
            if header.message != Message::CopyData || !self.holds(header) {
                break;
            }
            let left = self.end - self.start;
            let body = self.data.get(self.start + deframe::HEADER..self.start + header.total);
            let body = body.unwrap_or_default();
            if block.is_empty() {
                block.reserve(if body.len() < limit { left.min(limit) } else { body.len() });
            }
            block.extend_from_slice(body);
            self.consume(header);
        }
        block
    }

    /// Drops the rows of the current result.
    pub(crate) fn forget_rows(&mut self) {
        self.runs = Runs::default();
        self.rows = Rows::default();
        self.taken = 0;
    }

    /// The current result's rows in earlier, full buffers.
    pub(crate) fn full_rows(&self) -> &Rows {
        &self.rows
    }

    /// Takes these rows out of the result.
    pub(crate) fn take_full_rows(&mut self) -> Rows {
        let mut rows = std::mem::take(&mut self.rows);
        rows.set_before(self.taken);
        self.taken += rows.len();
        rows
    }

    /// Whether there are rows of the current result.
    pub(crate) fn holds_rows(&self) -> bool {
        self.runs.rows > 0 || !self.rows.is_empty()
    }

    /// Takes all rows out of the current result, which goes on.
    pub(crate) fn take_rows(&mut self) -> Rows {
        let rows = self.seal_rows();
        self.taken = rows.before() + rows.len();
        rows
    }

    /// Takes back the buffers of rows that have been read. Keeps the last one, as it is still in
    /// the cache.
    pub(crate) fn give_back(&mut self, rows: Rows) {
        let usual = |buffer: &Vec<u8>| (SMALL..=LARGE).contains(&buffer.len());
        if let Some(buffer) = rows.into_buffers().filter(usual).last() {
            self.spare = buffer;
        }
    }

    /// Returns the rows of the current result. The buffers that they fill go with them; a few rows
    /// are copied instead.
    pub(crate) fn seal_rows(&mut self) -> Rows {
        let mut rows = self.take_full_rows();
        self.taken = 0;
        let used = self.runs.bytes();
        if used == 0 {
            self.slim();
        } else if used < COPIED || used < self.data.len() / 4 {
            rows.push(self.copy_rows(used));
            self.slim();
        } else {
            let block = self.replace(SMALL.max(self.end - self.start + ROOM));
            rows.push(block);
        }
        self.spare = Vec::new();
        rows
    }

    fn unread(&self) -> &[u8] {
        self.data.get(self.start..self.end).unwrap_or_default()
    }

    /// A block with only the rows of the current buffer.
    fn copy_rows(&mut self, used: usize) -> Block {
        let mut bytes = Vec::with_capacity(used);
        let runs = std::mem::take(&mut self.runs);
        for run in runs.iter() {
            bytes.extend_from_slice(self.data.get(Range::clone(run)).unwrap_or_default());
        }
        let mut exact = Runs::default();
        exact.add(0..bytes.len(), runs.rows);
        Block::new(bytes, exact)
    }

    /// Replaces a large buffer by a small one once it is empty.
    fn slim(&mut self) {
        if self.data.len() > MEDIUM && self.end - self.start < ROOM {
            self.replace(SMALL);
        }
    }

    fn make_room(&mut self) {
        let tail = self.end - self.start;
        let level = match (self.eager, self.rows.is_empty()) {
            (_, false) if self.rows.memory() >= MANY => LARGE,
            (true, false) if self.data.len() >= MEDIUM => LARGE,
            (true, _) if self.data.len() >= SMALL => MEDIUM,
            (false, _) if self.data.is_empty() => FIRST,
            // Many connections only ever see short replies.
            (false, _) if self.data.len() < ROOM => ROOM,
            _ => SMALL,
        };
        let level = level.max(self.data.len().min(LARGE));
        let least = if self.data.is_empty() { FIRST } else { tail + ROOM };
        // The message is longer than the buffer: double it, but not beyond the message's end.
        let pending = deframe::header(self.unread(), false).ok().flatten();
        let declared = pending.map_or(0, |header| header.total.saturating_add(ROOM));
        let size = level.max(declared.min(tail.saturating_mul(2))).max(least);
        if self.runs.rows == 0 && size <= self.data.len() {
            self.data.copy_within(self.start..self.end, 0);
            self.start = 0;
            self.end = tail;
        } else {
            let block = self.replace(size);
            if block.runs.rows > 0 {
                self.rows.push(block);
            }
        }
    }

    /// Starts a new buffer of this size with the unread bytes. Returns the old one and the rows in
    /// it.
    fn replace(&mut self, size: usize) -> Block {
        let mut data = match self.spare.len() >= size {
            true => std::mem::take(&mut self.spare),
            false => vec![0; size],
        };
        let tail = self.unread();
        let length = tail.len();
        if let Some(head) = data.get_mut(..length) {
            head.copy_from_slice(tail);
        }
        let mut bytes = std::mem::replace(&mut self.data, data);
        let runs = std::mem::take(&mut self.runs);
        let used = runs.iter().last().map_or(0, |run| run.end);
        // Buffers of the usual size stay whole: they may be given back for the next result.
        if bytes.len() != SMALL && used < bytes.len() / 4 * 3 {
            bytes.truncate(used);
            bytes.shrink_to_fit();
        }
        self.start = 0;
        self.end = length;
        Block::new(bytes, runs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(inbox: &mut Inbox, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let space = inbox.space();
            let n = space.len().min(bytes.len());
            space[..n].copy_from_slice(&bytes[..n]);
            inbox.fill(n);
            bytes = &bytes[n..];
        }
    }

    fn row(value: &[u8]) -> Vec<u8> {
        let mut message = vec![b'D'];
        message.extend_from_slice(&u32::try_from(value.len() + 10).unwrap().to_be_bytes());
        message.extend_from_slice(&[0, 1]);
        message.extend_from_slice(&u32::try_from(value.len()).unwrap().to_be_bytes());
        message.extend_from_slice(value);
        message
    }

    fn values(rows: &Rows) -> Vec<Vec<u8>> {
        let mut position = rows.start();
        std::iter::from_fn(|| rows.next_row(&mut position))
            .map(|row| row.fields().next().unwrap().unwrap().to_vec())
            .collect()
    }

    /// Rows of all sizes come out as they went in, however a socket cuts them.
    #[test]
    fn rows_survive_the_change_of_buffers() {
        for width in [0, 1, 100, 5_000, 70_000, 700_000] {
            let mut inbox = Inbox::default();
            let count = 3_000_000 / (width + 200);
            let mut expected = Vec::new();
            for n in 0..count {
                let mut value = n.to_string().into_bytes();
                value.resize(value.len().max(width), b'x');
                feed(&mut inbox, &row(&value));
                inbox.collect_rows(1).unwrap();
                expected.push(value);
            }
            let rows = inbox.seal_rows();
            assert_eq!(rows.len(), count);
            assert!(values(&rows) == expected, "width {width}");
            assert_eq!(inbox.seal_rows().len(), 0);
        }
    }

    #[test]
    fn many_rows_fill_large_buffers() {
        let mut inbox = Inbox::default();
        let message = row(&[b'x'; 1000]);
        let count = 9_000;
        for _ in 0..count {
            feed(&mut inbox, &message);
            inbox.collect_rows(1).unwrap();
        }
        assert_eq!(inbox.data.len(), LARGE);
        let rows = inbox.seal_rows();
        assert_eq!((rows.len(), values(&rows).len()), (count, count));
        assert!(rows.memory() < count * message.len() + LARGE, "{}", rows.memory());
        assert_eq!(inbox.data.len(), SMALL);
    }

    #[test]
    fn few_rows_are_copied_and_many_take_the_buffer_with_them() {
        let mut inbox = Inbox::default();
        feed(&mut inbox, &row(b"one"));
        inbox.collect_rows(1).unwrap();
        let rows = inbox.seal_rows();
        assert_eq!(rows.memory(), 14);
        assert_eq!(inbox.data.len(), FIRST);
        feed(&mut inbox, &row(&[b'x'; 20_000]));
        inbox.collect_rows(1).unwrap();
        let rows = inbox.seal_rows();
        assert!((20_000..=SMALL).contains(&rows.memory()), "{}", rows.memory());
        assert_eq!(values(&rows)[0].len(), 20_000);
    }

    #[test]
    fn a_buffer_that_is_given_back_is_filled_again() {
        let mut inbox = Inbox::default();
        let mut before = Rows::default();
        for round in 0_u32..20 {
            for n in 0..2_000_u32 {
                feed(&mut inbox, &row((round * n).to_string().as_bytes()));
                inbox.collect_rows(1).unwrap();
            }
            let rows = inbox.seal_rows();
            let expected = (0..2_000).map(|n| (round * n).to_string().into_bytes());
            assert!(values(&rows).into_iter().eq(expected), "round {round}");
            // A new buffer is all zeros; a reused one has its old rows.
            assert_eq!(inbox.data.iter().any(|byte| *byte != 0), round > 1, "round {round}");
            inbox.give_back(std::mem::replace(&mut before, rows));
        }
        assert_eq!(inbox.spare.len(), SMALL);
        feed(&mut inbox, &row(b"few"));
        inbox.collect_rows(1).unwrap();
        inbox.seal_rows();
        assert!(inbox.spare.is_empty());
    }

    #[test]
    fn one_buffer_of_many_is_kept() {
        let mut inbox = Inbox::default();
        for _ in 0..9_000 {
            feed(&mut inbox, &row(&[b'x'; 1000]));
            inbox.collect_rows(1).unwrap();
        }
        let rows = inbox.seal_rows();
        assert!(rows.memory() > 2 * LARGE);
        inbox.give_back(rows);
        assert!((SMALL..=LARGE).contains(&inbox.spare.len()));
    }

    /// Rows taken while the result goes on, and the rest, are the result.
    #[test]
    fn rows_are_taken_as_they_arrive() {
        for width in [0, 100, 5_000, 70_000] {
            let mut inbox = Inbox::default();
            let count = 2_000_000 / (width + 200);
            let (mut taken, mut expected) = (Vec::new(), Vec::new());
            for n in 0..count {
                let mut value = n.to_string().into_bytes();
                value.resize(value.len().max(width), b'x');
                let message = row(&value);
                // The first half of a row may be there already.
                let (head, tail) = message.split_at(message.len() / 2);
                feed(&mut inbox, head);
                inbox.collect_rows(1).unwrap();
                if n % 7 == 0 || n % 1000 > 900 {
                    assert_eq!(inbox.holds_rows(), taken.len() < n);
                    let rows = inbox.take_rows();
                    assert_eq!((rows.before(), rows.len()), (taken.len(), n - taken.len()));
                    taken.extend(values(&rows));
                    assert!(!inbox.holds_rows() && inbox.take_rows().is_empty());
                }
                feed(&mut inbox, tail);
                inbox.collect_rows(1).unwrap();
                expected.push(value);
            }
            let rest = inbox.seal_rows();
            assert_eq!(rest.before(), taken.len());
            taken.extend(values(&rest));
            assert!(taken == expected, "width {width}");
            assert_eq!(inbox.seal_rows().before(), 0);
        }
    }

    #[test]
    fn bytes_after_the_rows_stay() {
        let mut inbox = Inbox::default();
        let mut bytes = row(&[b'x'; 40_000]);
        bytes.extend_from_slice(b"Z\0\0\0\x05I");
        feed(&mut inbox, &bytes);
        inbox.collect_rows(1).unwrap();
        assert_eq!(inbox.seal_rows().len(), 1);
        let header = inbox.header(false).unwrap().unwrap();
        assert_eq!(inbox.body(header), b"I");
    }

    #[test]
    fn room_grows_with_received_bytes_and_not_with_declared_lengths() {
        let mut inbox = Inbox::default();
        feed(&mut inbox, b"D\x7f\xff\xff\xf0");
        assert!(inbox.space().len() <= SMALL);
        for _ in 0..100 {
            feed(&mut inbox, &[0; 10_000]);
            assert!(inbox.data.len() <= MEDIUM.max(2 * (inbox.end + ROOM)));
        }
        let header = inbox.header(false).unwrap().unwrap();
        assert!(!inbox.holds(header));
    }

    #[test]
    fn a_large_buffer_is_given_back() {
        let mut inbox = Inbox::default();
        let mut message = vec![b'E', 0, 0x1f, 0xff, 0xff];
        message.resize(0x20_0000, b'x');
        feed(&mut inbox, &message);
        let header = inbox.header(false).unwrap().unwrap();
        assert_eq!(header.total, message.len());
        assert!(inbox.data.len() < message.len() + 2 * ROOM, "{}", inbox.data.len());
        inbox.consume(header);
        inbox.seal_rows();
        assert_eq!(inbox.data.len(), SMALL);
    }

    #[test]
    fn rows_interrupted_by_another_message_are_two_runs() {
        let mut inbox = Inbox::default();
        let mut bytes = row(b"a");
        bytes.extend_from_slice(b"N\0\0\0\x05\0");
        bytes.extend_from_slice(&row(b"b"));
        feed(&mut inbox, &bytes);
        inbox.collect_rows(1).unwrap();
        let notice = inbox.header(false).unwrap().unwrap();
        inbox.consume(notice);
        inbox.collect_rows(1).unwrap();
        assert_eq!(values(&inbox.seal_rows()), [b"a", b"b"]);
    }

    #[test]
    fn copy_data_come_in_blocks() {
        let mut inbox = Inbox::default();
        feed(&mut inbox, b"d\0\0\0\x06abd\0\0\0\x04d\0\0\0\x05cd\0\0\0\x09part");
        assert_eq!(inbox.take_copy_data(1), b"ab");
        assert_eq!(inbox.take_copy_data(100), b"c");
        assert_eq!(inbox.take_copy_data(100), b"");
        feed(&mut inbox, b"yc\0\0\0\x04");
        assert_eq!(inbox.take_copy_data(100), b"party");
        assert_eq!(inbox.take_copy_data(100), b"");
    }
}
