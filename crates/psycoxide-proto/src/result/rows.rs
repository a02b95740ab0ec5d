//! Rows as they came off the wire: the bytes stay where the socket put them.

use std::ops::Range;

/// The bytes before a DataRow's first field: type, length, number of fields.
const HEADER: usize = 7;

/// The rows of one result.
///
/// They lie in blocks, each a buffer that the socket filled, with the places where runs of DataRow
/// messages lie in it. There is no table of rows or fields: rows are read in order, and every row
/// was validated when it came (its field count is the result's, its lengths add up), so reading
/// is total.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    blocks: Vec<Block>,
    count: usize,
}

/// A buffer and the DataRow messages in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Block {
    pub(crate) bytes: Vec<u8>,
    pub(crate) runs: Runs,
}

/// Where whole DataRow messages lie in a buffer. Nearly always they lie together, so the first
/// run needs no allocation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Runs {
    first: Range<usize>,
    more: Vec<Range<usize>>,
    /// How many rows the runs hold.
    pub(crate) rows: usize,
}

/// Where the next row starts. The default is the first row of any result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    block: usize,
    run: usize,
    offset: usize,
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
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many bytes the rows hold in memory.
    pub fn memory(&self) -> usize {
        self.blocks.iter().map(|block| block.bytes.capacity()).sum()
    }

    /// The position of the first row.
    pub fn start(&self) -> Position {
        Position::default()
    }

    /// The position of a row counted from 0; past the last one, the end.
    ///
    /// Costs a step for every block before it and one for every row before it in its block.
    pub fn seek(&self, row: usize) -> Position {
        let mut left = row;
        let mut position = self.start();
        for block in &self.blocks {
            if left < block.runs.rows {
                break;
            }
            left -= block.runs.rows;
            position.block += 1;
        }
        for _ in 0..left {
            if self.next_row(&mut position).is_none() {
                break;
            }
        }
        position
    }

    /// The row at a position, which then moves on to the next one; `None` at the end.
    pub fn next_row<'a>(&'a self, position: &mut Position) -> Option<Row<'a>> {
        loop {
            let block = self.blocks.get(position.block)?;
            let Some(run) = block.runs.get(position.run) else {
                *position = Position { block: position.block + 1, run: 0, offset: 0 };
                continue;
            };
            let start = position.offset.max(run.start);
            if start >= run.end {
                position.run += 1;
                continue;
            }
            let message = block.bytes.get(start..run.end)?;
            let (header, _) = message.split_first_chunk::<HEADER>()?;
            let [_, a, b, c, d, high, low] = *header;
            let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()?;
            let end = length.checked_add(1)?;
            position.offset = start.checked_add(end)?;
            let body = message.get(HEADER..end)?;
            return Some(Row { body, len: usize::from(u16::from_be_bytes([high, low])) });
        }
    }

    pub(crate) fn push(&mut self, block: Block) {
        self.count += block.runs.rows;
        self.blocks.push(block);
    }
}

/// The same rows, wherever they lie.
impl PartialEq for Rows {
    fn eq(&self, other: &Rows) -> bool {
        if self.count != other.count {
            return false;
        }
        let (mut here, mut there) = (self.start(), other.start());
        (0..self.count).all(|_| self.next_row(&mut here) == other.next_row(&mut there))
    }
}

impl Runs {
    /// Notes `rows` whole messages that lie in this range.
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

    /// How many bytes the runs cover.
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

impl<'a> Row<'a> {
    /// How many fields the row has.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the row has no field, as in `SELECT FROM t`.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The fields, in order.
    pub fn fields(&self) -> Fields<'a> {
        Fields { rest: self.body, left: self.len }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Option<&'a [u8]>;

    #[inline]
    fn next(&mut self) -> Option<Option<&'a [u8]>> {
        self.left = self.left.checked_sub(1)?;
        let (length, rest) = self.rest.split_first_chunk::<4>()?;
        let length = i32::from_be_bytes(*length);
        // A length was checked on arrival: either it fits, or it is -1, the NULL.
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

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Fields<'_> {}
