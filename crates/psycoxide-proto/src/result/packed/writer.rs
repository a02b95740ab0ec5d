//! Writing rows down.

use super::super::marks::Marks;
use super::{Chunk, marks};
use crate::wire::buffer::Buffer;

/// Where no buffer was freed that could be written to, rows go into one of this size; and no smaller
/// one is kept for them.
pub(super) const CHUNK: usize = 256 << 10;
/// A buffer is full when less than this is left, or than the largest row so far might take.
const SLACK: usize = 4 << 10;
/// At most so many bytes of a field are written beside those that came.
const MOST: usize = 9;

/// The next rows, while they are written down.
#[derive(Debug)]
pub struct Packing {
    pub(super) chunk: Chunk,
    width: usize,
    /// What is added to a row's size to have the most that it may take.
    beside: usize,
    /// The buffer is full when less is left.
    least: usize,
    /// A row was larger than it was said to be.
    failed: bool,
}

/// A row, while it is written down, field by field.
#[derive(Debug)]
pub struct RowWriter<'a> {
    /// Where the row's length and marks go.
    head: &'a mut [u8],
    /// Where the next field goes, and what follows.
    pub(super) rest: &'a mut [u8],
    field: usize,
    /// There was too little room.
    failed: bool,
}

impl Chunk {
    /// Adds a row of so many bytes that was written behind the others, and whose own length takes
    /// several: it is long, and moving it cheap beside the rest.
    #[cold]
    fn make_way(&mut self, size: usize) -> Option<()> {
        let (word, length) = number(size as u64 - 1);
        let room = self.bytes.get_mut(self.used..)?.get_mut(..size + length - 1)?;
        room.copy_within(1..size, length);
        let places = room.iter_mut().take(length);
        places.zip(word.to_le_bytes()).for_each(|(place, byte)| *place = byte);
        self.used += room.len();
        Some(())
    }

    #[cold]
    fn grow(&mut self, room: usize) {
        let mut larger = Buffer::zeroed(self.used + room);
        if let Some(start) = larger.get_mut(..self.used) {
            start.copy_from_slice(self.rows());
        }
        self.bytes = larger;
    }
}

impl Packing {
    /// No rows yet, of so many fields each.
    pub fn new(width: usize) -> Self {
        Self::within(Buffer::default(), width)
    }

    /// In this buffer, if it is worth while.
    pub(super) fn within(buffer: Buffer, width: usize) -> Self {
        let bytes = if buffer.len() < CHUNK { Buffer::zeroed(CHUNK) } else { buffer };
        let chunk = Chunk { bytes, used: 0, rows: 0, marks: Marks::default() };
        // The row's length, its marks, its fields, and what is written behind the last of them.
        let beside = MOST + marks(width) + width * MOST + 2 * MOST;
        Self { chunk, width, beside, least: SLACK, failed: false }
    }

    /// The rows; none if they are good for nothing.
    pub(super) fn finish(self) -> Option<Chunk> {
        (!self.failed).then_some(self.chunk)
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.chunk.rows
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.chunk.rows == 0
    }

    /// Whether the next rows should go elsewhere.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.chunk.bytes.len() - self.chunk.used < self.least
    }

    /// Adds a row, whose fields take `size` bytes as they came: `write` writes each of them. If it
    /// does not, the whole packing is good for nothing.
    #[inline]
    pub fn row<T>(&mut self, size: usize, write: impl FnOnce(&mut RowWriter<'_>) -> T) -> T {
        let (chunk, most) = (&mut self.chunk, self.beside + size);
        if chunk.bytes.len() - chunk.used < most {
            chunk.grow(most);
            self.least = self.least.max(most);
        }
        let room = chunk.bytes.get_mut(chunk.used..).unwrap_or_default();
        let size = room.len();
        let mut writer = RowWriter::begin(room, 1 + marks(self.width));
        let value = write(&mut writer);
        match writer.end(size) {
            Some((length, false)) => chunk.used += length,
            Some((length, true)) => self.failed |= chunk.make_way(length).is_none(),
            None => self.failed = true,
        }
        chunk.rows += 1;
        value
    }
}

/// The longest row whose length takes one byte, with that.
const MOST_SHORT: usize = 128;

/// A number as it is written, and in how many bytes; above eight of them, the word says nothing.
#[inline]
fn number(value: u64) -> (u64, usize) {
    // The number of bits, less one, over seven, plus one: by shifts.
    let length = (9 * (value | 1).ilog2() + 73) >> 6;
    (value.wrapping_shl(length) | 1_u64.wrapping_shl(length - 1), length as usize)
}

impl<'a> RowWriter<'a> {
    #[inline]
    pub(super) fn begin(room: &'a mut [u8], head: usize) -> Self {
        let Some((head, rest)) = room.split_at_mut_checked(head) else {
            return Self { head: &mut [], rest: &mut [], field: 0, failed: true };
        };
        if let Some(few) = head.first_chunk_mut() {
            *few = [0; 2];
        }
        if head.len() > 2 {
            head.fill(0);
        }
        Self { head, rest, field: 0, failed: false }
    }

    /// A field that is a number.
    #[inline]
    pub fn number(&mut self, value: u64) {
        self.field += 1;
        self.put_number(value);
    }

    /// A field that is eight bytes.
    #[inline]
    pub fn eight(&mut self, value: u64) {
        self.field += 1;
        self.put_word(value, 8);
    }

    /// A field as it came, though its column has a short form.
    #[inline]
    pub fn whole(&mut self, field: Option<&[u8]>) {
        if let Some(mark) = self.head.get_mut(1 + self.field / 8) {
            *mark |= 1 << (self.field % 8);
        }
        self.plain(field);
    }

    /// A field of a column whose fields are all as they came.
    #[inline]
    pub fn plain(&mut self, field: Option<&[u8]>) {
        self.field += 1;
        match field {
            None => self.put_number(0),
            Some(field) if field.len() < 127 => {
                // In one byte.
                self.put_word(field.len() as u64 * 2 + 3, 1);
                self.put(field);
            }
            Some(field) => {
                self.put_number(field.len() as u64 + 1);
                self.put(field);
            }
        }
    }

    #[inline]
    fn put_number(&mut self, value: u64) {
        let (word, length) = number(value);
        if length > 8 {
            self.put_word(0, 1);
            self.put_word(value, 8);
        } else {
            self.put_word(word, length);
        }
    }

    /// The first bytes of a word. Eight at once are less work than as many as it takes.
    #[inline]
    fn put_word(&mut self, word: u64, length: usize) {
        let rest = std::mem::take(&mut self.rest);
        match rest.first_chunk_mut() {
            Some(place) => *place = word.to_le_bytes(),
            None => self.failed = true,
        }
        self.rest = rest.get_mut(length..).unwrap_or_default();
    }

    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        match std::mem::take(&mut self.rest).split_at_mut_checked(bytes.len()) {
            Some((place, rest)) => {
                copy(place, bytes);
                self.rest = rest;
            }
            None => self.failed = true,
        }
    }

    /// How many bytes of `size` were written, and whether the row's length, for which there is a byte,
    /// needs more. None if there was too little room.
    #[inline]
    fn end(self, size: usize) -> Option<(usize, bool)> {
        let written = size - self.rest.len();
        if self.failed {
            return None;
        }
        if written > MOST_SHORT {
            return Some((written, true));
        }
        let (word, _) = number(written as u64 - 1);
        let [first, ..] = word.to_le_bytes();
        *self.head.first_mut()? = first;
        Some((written, false))
    }
}

/// Copies bytes to a place of their length. Few need no call: what lies in the middle is written twice.
#[inline]
fn copy(place: &mut [u8], bytes: &[u8]) {
    match bytes.len() {
        8..=16 => copy_ends::<8>(place, bytes),
        17..=32 => copy_ends::<16>(place, bytes),
        _ => place.copy_from_slice(bytes),
    }
}

#[inline]
fn copy_ends<const N: usize>(place: &mut [u8], bytes: &[u8]) {
    if let (Some(from), Some(to)) = (bytes.first_chunk::<N>(), place.first_chunk_mut()) {
        *to = *from;
    }
    if let (Some(from), Some(to)) = (bytes.last_chunk::<N>(), place.last_chunk_mut()) {
        *to = *from;
    }
}
