//! Rows in short form: what is kept of a large result once its rows were read.
//!
//! A DataRow spends four bytes on each field's length and writes numbers in decimal. Here a field is
//! a number in as few bytes as it needs, or eight bytes, or as it came: which of them, the reader
//! knows of the column. But any field may be as it came. A row is
//!
//! * the number of bytes that follow,
//! * a bit for each field, set if it is not in the form that its column has,
//! * the fields; as they came with the length plus one before them, 0 alone for NULL.
//!
//! Numbers say in the trailing zeros of their first byte how many bytes follow it: one takes a byte
//! for every seven bits, nine at most, and is written without a branch for each.

mod walk;
mod writer;

#[cfg(test)]
mod tests;

pub use walk::{PackedField, PackedRow, PackedWalk};
pub use writer::{Packing, RowWriter};

use std::iter;

use super::marks::Marks;
use super::rows::{Position, Rows};
use crate::wire::buffer::Buffer;

/// The first rows of a result, in short form.
#[derive(Debug)]
pub struct Packed {
    chunks: Vec<Chunk>,
    rows: usize,
    width: usize,
}

/// Rows that follow each other.
#[derive(Debug)]
struct Chunk {
    bytes: Buffer,
    used: usize,
    rows: usize,
    marks: Marks,
}

impl Packed {
    /// No rows yet, of so many fields each.
    pub fn new(width: usize) -> Self {
        Self { chunks: Vec::new(), rows: 0, width }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// How many bytes the rows hold in memory.
    pub fn memory(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.bytes.len()).sum()
    }

    /// Adds what was made of the next rows of the result, and forgets these: they are the first ones
    /// of `raw`, up to `end`. Answers where to go on; nothing, and does nothing, if a row was larger
    /// than it was said to be.
    ///
    /// The rows that follow are written where these lay: that memory is mapped already.
    pub fn append(&mut self, packing: Packing, raw: &mut Rows, end: Position) -> Option<Packing> {
        let mut chunk = packing.finish()?;
        let freed = raw.release(end, chunk.rows);
        let next = Packing::within(freed, self.width);
        if chunk.rows > 0 {
            if chunk.used < chunk.bytes.len() / 4 * 3 {
                chunk.bytes.cut(chunk.used);
            }
            self.rows += chunk.rows;
            self.chunks.push(chunk);
        }
        Some(next)
    }

    /// The position of a row counted from 0; past the last one, the end.
    ///
    /// Costs what [`Rows::seek`] does.
    pub fn seek(&self, row: usize) -> Position {
        let mut left = row;
        let mut position = Position::default();
        for chunk in &self.chunks {
            if left < chunk.rows {
                let positions = || self.positions(position).take(chunk.rows);
                (position, left) = chunk.marks.nearest(left, position, positions);
                break;
            }
            left -= chunk.rows;
            position.block += 1;
        }
        let mut walk = self.walk(position);
        walk.by_ref().take(left).for_each(drop);
        walk.position()
    }

    /// Where the rows begin, from a position on.
    fn positions(&self, start: Position) -> impl Iterator<Item = Position> {
        let mut walk = self.walk(start);
        iter::from_fn(move || {
            let position = walk.position();
            walk.next().map(|_| position)
        })
    }

    /// The rows from a position on.
    pub fn walk(&self, position: Position) -> PackedWalk<'_> {
        PackedWalk::begin(self, position)
    }
}

impl Chunk {
    fn rows(&self) -> &[u8] {
        self.bytes.get(..self.used).unwrap_or_default()
    }
}

/// A bit for each field takes so many bytes.
#[inline]
fn marks(width: usize) -> usize {
    width.div_ceil(8)
}
