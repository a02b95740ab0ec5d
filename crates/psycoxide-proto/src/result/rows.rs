//! Raw rows: the bytes stay where the socket put them.

use std::iter;
use std::ops::Range;

use smallvec::SmallVec;

use super::row_index::RowIndex;

/// The length of a DataRow before its first field: type, length, number of fields.
const HEADER: usize = 7;

/// The rows of one result.
///
/// They lie in blocks: buffers that the socket filled, each with the places of its runs of DataRow
/// messages. There is no table of fields, and a sparse index of rows only if they are not read in
/// order. Every row was validated on arrival (its field count is the result's, its lengths add up),
/// so reading cannot fail.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// Most results lie in a single block.
    blocks: SmallVec<[Block; 1]>,
    /// How many blocks were freed, from the front.
    freed: usize,
    count: usize,
    /// How many rows of the result were taken before these.
    before: usize,
}

/// A buffer and the DataRow messages in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Block {
    bytes: Vec<u8>,
    pub(crate) runs: Runs,
    index: RowIndex,
}

impl Block {
    pub(crate) fn new(bytes: Vec<u8>, runs: Runs) -> Self {
        Self { bytes, runs, index: RowIndex::default() }
    }
}

/// The places of complete DataRow messages in a buffer. Mostly there is one run, so the first needs
/// no allocation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Runs {
    first: Range<usize>,
    more: Vec<Range<usize>>,
    /// How many rows the runs hold.
    pub(crate) rows: usize,
}

/// The place where the next row starts. The default is the first row of any result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    pub(super) block: usize,
    pub(super) run: usize,
    pub(super) offset: usize,
}

/// An iterator over rows.
#[derive(Clone, Debug)]
pub struct RowIter<'a> {
    rows: &'a Rows,
    /// The current run; the offset is the run's end.
    at: Position,
    /// The unread part of the run.
    rest: &'a [u8],
}

/// One row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    body: &'a [u8],
    len: usize,
}

/// The fields of a row: `None` is NULL.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
    left: usize,
}

impl Rows {
    /// The number of rows.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many rows of the result the driver took before these: see `Engine::take_rows`.
    pub fn before(&self) -> usize {
        self.before
    }

    /// The memory of the rows in bytes.
    pub fn memory(&self) -> usize {
        self.blocks.iter().map(|block| block.bytes.len()).sum()
    }

    /// The position of the first row.
    pub fn start(&self) -> Position {
        Position::default()
    }

    /// The position of a row counted from 0; the end if there are fewer rows.
    ///
    /// Takes a step for each earlier block and up to 16 rows. The first such call for a block
    /// passes over all its rows, to index them.
    pub fn seek(&self, row: usize) -> Position {
        let mut left = row;
        let mut position = self.start();
        for block in &self.blocks {
            if left < block.runs.rows {
                let positions = || self.positions(position).take(block.runs.rows);
                (position, left) = block.index.nearest(left, position, positions);
                break;
            }
            left -= block.runs.rows;
            position.block += 1;
        }
        let mut iter = self.iter_from(position);
        iter.by_ref().take(left).for_each(drop);
        iter.position()
    }

    /// The positions of the rows from a position on.
    fn positions(&self, start: Position) -> impl Iterator<Item = Position> {
        let mut iter = self.iter_from(start);
        iter::from_fn(move || {
            let position = iter.position();
            iter.next().map(|_| position)
        })
    }

    /// The row at a position, which is then advanced to the next one; `None` at the end.
    pub fn next_row<'a>(&'a self, position: &mut Position) -> Option<Row<'a>> {
        let mut iter = self.iter_from(*position);
        let row = iter.next();
        *position = iter.position();
        row
    }

    /// The rows from a position on.
    pub fn iter_from(&self, position: Position) -> RowIter<'_> {
        let mut iter = RowIter { rows: self, at: position, rest: &[] };
        iter.enter_run();
        iter
    }

    /// Adds the rows that come after these.
    pub fn append(&mut self, rows: Rows) {
        self.count += rows.count;
        self.blocks.extend(rows.blocks);
    }

    /// Frees the buffers before a position and returns how many rows were in them. The positions of
    /// the other rows stay valid.
    pub fn release(&mut self, before: Position) -> usize {
        let blocks = self.blocks.get_mut(self.freed..before.block).unwrap_or_default();
        let rows = blocks.iter_mut().map(|block| std::mem::take(block).runs.rows).sum();
        self.freed += blocks.len();
        self.count -= rows;
        rows
    }

    pub(crate) fn push(&mut self, block: Block) {
        self.count += block.runs.rows;
        self.blocks.push(block);
    }

    pub(crate) fn set_before(&mut self, before: usize) {
        self.before = before;
    }

    /// The buffers, for reuse.
    pub(crate) fn into_buffers(self) -> impl Iterator<Item = Vec<u8>> {
        self.blocks.into_iter().map(|block| block.bytes)
    }
}

/// Equality of the rows, however they are laid out.
impl PartialEq for Rows {
    fn eq(&self, other: &Rows) -> bool {
        if self.count != other.count {
            return false;
        }
        self.iter_from(self.start()).eq(other.iter_from(other.start()))
    }
}

impl Runs {
    /// Adds a range that holds `rows` complete messages.
    pub(crate) fn add(&mut self, range: Range<usize>, rows: usize) {
        if rows == 0 {
            return;
        }
        let last = self.more.last_mut().unwrap_or(&mut self.first);
        if self.rows == 0 {
            *last = range;
        } else if last.end == range.start {
            last.end = range.end;
        } else {
            self.more.push(range);
        }
        self.rows += rows;
    }

    /// How many bytes the runs hold.
    pub(crate) fn bytes(&self) -> usize {
        self.iter().map(|run| run.end - run.start).sum()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Range<usize>> {
        std::iter::once(&self.first).chain(&self.more)
    }

    fn get(&self, index: usize) -> Option<&Range<usize>> {
        match index.checked_sub(1) {
            None => Some(&self.first),
            Some(index) => self.more.get(index),
        }
    }
}

impl<'a> RowIter<'a> {
    /// The position of the next row.
    pub fn position(&self) -> Position {
        Position { offset: self.at.offset - self.rest.len(), ..self.at }
    }

    /// Enters the run at the position, at its offset.
    fn enter_run(&mut self) {
        let Position { block, run, offset } = self.at;
        if let Some(block) = self.rows.blocks.get(block)
            && let Some(run) = block.runs.get(run)
            && let Some(rest) = block.bytes.get(offset.max(run.start)..run.end)
        {
            self.rest = rest;
            self.at.offset = run.end;
        }
    }

    /// Moves to the next run. Returns whether there is one.
    #[cold]
    fn next_run(&mut self) -> bool {
        let Position { block, run, .. } = self.at;
        let Some(current) = self.rows.blocks.get(block) else { return false };
        let more = current.runs.get(run + 1).is_some();
        self.at = if more {
            Position { block, run: run + 1, offset: 0 }
        } else {
            Position { block: block + 1, run: 0, offset: 0 }
        };
        self.rest = &[];
        self.enter_run();
        true
    }
}

impl<'a> Iterator for RowIter<'a> {
    type Item = Row<'a>;

    #[inline]
    fn next(&mut self) -> Option<Row<'a>> {
        while self.rest.is_empty() {
            if !self.next_run() {
                return None;
            }
        }
        let [_, a, b, c, d, high, low] = *self.rest.first_chunk::<HEADER>()?;
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()?;
        let (message, rest) = self.rest.split_at_checked(length.checked_add(1)?)?;
        let body = message.get(HEADER..)?;
        self.rest = rest;
        Some(Row { body, len: usize::from(u16::from_be_bytes([high, low])) })
    }
}

impl<'a> Row<'a> {
    /// The number of fields.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the row has no field, as in `SELECT FROM t`.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The size of its fields in bytes, lengths included.
    pub fn size(&self) -> usize {
        self.body.len()
    }

    /// The fields, in order.
    pub fn fields(&self) -> Fields<'a> {
        Fields { rest: self.body, left: self.len }
    }
}

impl<'a> Fields<'a> {
    /// The next field, `None` for NULL. As [`Iterator::next`], but without counting fields, for
    /// callers that count the columns themselves.
    #[inline]
    pub fn field(&mut self) -> Option<&'a [u8]> {
        self.take_field().flatten()
    }

    #[inline]
    fn take_field(&mut self) -> Option<Option<&'a [u8]>> {
        let (length, rest) = self.rest.split_first_chunk::<4>()?;
        let length = i32::from_be_bytes(*length);
        // The length was checked on arrival: either it fits, or it is -1, which is NULL.
        match usize::try_from(length) {
            Ok(length) => {
                let (value, rest) = rest.split_at_checked(length)?;
                self.rest = rest;
                Some(Some(value))
            }
            Err(_) => {
                self.rest = rest;
                Some(None)
            }
        }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Option<&'a [u8]>;

    #[inline]
    fn next(&mut self) -> Option<Option<&'a [u8]>> {
        self.left = self.left.checked_sub(1)?;
        self.take_field()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Fields<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    /// DataRows of one field. Unless `together`, another byte precedes each.
    fn block(values: &[&[u8]], together: bool) -> Block {
        let mut bytes = Vec::new();
        let mut runs = Runs::default();
        for value in values {
            if !together {
                bytes.push(b'?');
            }
            let start = bytes.len();
            let length = u32::try_from(value.len()).unwrap();
            bytes.push(b'D');
            bytes.extend_from_slice(&(length + 10).to_be_bytes());
            bytes.extend_from_slice(&[0, 1]);
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(value);
            runs.add(start..bytes.len(), 1);
        }
        Block::new(bytes, runs)
    }

    fn rows(blocks: impl IntoIterator<Item = Block>) -> Rows {
        let mut rows = Rows::default();
        blocks.into_iter().for_each(|block| rows.push(block));
        rows
    }

    fn values(rows: &Rows, mut position: Position) -> Vec<&[u8]> {
        std::iter::from_fn(|| rows.next_row(&mut position))
            .map(|row| row.fields().next().unwrap().unwrap())
            .collect()
    }

    #[test]
    fn rows_are_the_same_however_they_lie() {
        let all: [&[u8]; 5] = [b"a", b"", b"ccc", b"d", b"e"];
        let together = rows([block(&all, true)]);
        assert_eq!(together.blocks[0].runs.more.len(), 0, "one run");
        for split in 0..=all.len() {
            let (head, tail) = all.split_at(split);
            let apart = rows([block(head, false), Block::default(), block(tail, true)]);
            assert_eq!(apart, together);
            assert_eq!(apart.len(), 5);
            for start in 0..=all.len() {
                assert_eq!(values(&apart, apart.seek(start)), all[start..], "{split} {start}");
            }
            assert!(values(&apart, apart.seek(usize::MAX)).is_empty());
        }
        assert_ne!(together, rows([block(&all[1..], true)]));
        assert_ne!(together, rows([block(&[b"a", b"", b"ccc", b"d", b"f"], true)]));
    }

    #[test]
    fn rows_are_released_from_the_front() {
        let all: [&[u8]; 6] = [b"a", b"", b"ccc", b"d", b"e", b"f"];
        let (head, tail) = all.split_at(4);
        for apart in [true, false] {
            let whole = rows([block(head, apart), Block::default(), block(tail, !apart)]);
            for first in 0..=all.len() {
                for second in first..=all.len() {
                    let mut rows = whole.clone();
                    let mut freed = 0;
                    for row in [first, second] {
                        freed += rows.release(whole.seek(row));
                        assert_eq!(freed, [0, 0, 0, 0, 4, 4, 6][row], "whole blocks");
                        assert_eq!(rows.len(), 6 - freed);
                    }
                    for row in second..=all.len() {
                        assert_eq!(values(&rows, whole.seek(row)), all[row..]);
                        assert_eq!(values(&rows, rows.seek(row - freed)), all[row..]);
                    }
                    assert_eq!(values(&rows, rows.start()), all[freed..]);
                    assert_eq!(rows.memory() < whole.memory(), freed > 0);
                }
            }
        }
    }

    #[test]
    fn rows_of_long_blocks_are_found_in_any_order() {
        let texts: Vec<_> = (0..1000).map(|number: usize| number.to_string()).collect();
        let all: Vec<_> = texts.iter().map(String::as_bytes).collect();
        let (first, rest) = all.split_at(300);
        let (second, third) = rest.split_at(1);
        for together in [true, false] {
            let mut rows =
                rows([block(first, together), block(second, true), block(third, !together)]);
            for read in [0, 290, 300, 302, 999] {
                rows.release(rows.seek(read - (1000 - rows.len())));
                let freed = 1000 - rows.len();
                for row in (freed..1000).rev() {
                    let mut position = rows.seek(row - freed);
                    let found = rows.next_row(&mut position).unwrap();
                    assert_eq!(found.fields().next().unwrap().unwrap(), all[row]);
                }
                assert_eq!(rows.next_row(&mut rows.seek(1000 - freed)), None);
            }
        }
    }

    #[test]
    fn no_rows_is_an_end() {
        let rows = Rows::default();
        assert!(rows.is_empty() && rows.memory() == 0);
        assert_eq!(rows.next_row(&mut rows.start()), None);
        assert_eq!(rows.next_row(&mut rows.seek(3)), None);
    }

    #[test]
    fn fields_are_counted_and_null_is_none() {
        let row = Row { body: b"\0\0\0\x02hi\xff\xff\xff\xff\0\0\0\0", len: 3 };
        let mut fields = row.fields();
        assert_eq!((row.len(), fields.len()), (3, 3));
        assert_eq!(fields.next(), Some(Some(&b"hi"[..])));
        assert_eq!(fields.next(), Some(None));
        assert_eq!(fields.len(), 1);
        assert_eq!(fields.next(), Some(Some(&b""[..])));
        assert_eq!(fields.next(), None);
        assert!(Row { body: b"", len: 0 }.is_empty());
        let mut uncounted = row.fields();
        let read = [(); 4].map(|()| uncounted.field());
        assert_eq!(read, [Some(&b"hi"[..]), None, Some(&b""[..]), None]);
    }

    /// Cannot happen after the check on arrival; reading does not fail all the same.
    #[test]
    fn a_row_that_was_not_checked_ends_early() {
        for body in [&b""[..], b"\0\0", b"\0\0\0\x05hi", b"\x7f\xff\xff\xff"] {
            assert_eq!(Row { body, len: 2 }.fields().count(), 0);
            assert_eq!(Row { body, len: 2 }.fields().field(), None);
        }
    }
}
