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

use super::rows::{Position, Rows};
use crate::wire::buffer::Buffer;

/// Where no buffer was freed that could be written to, rows go into one of this size; and no smaller
/// one is kept for them.
const CHUNK: usize = 256 << 10;
/// A buffer is full when less than this is left, or than the largest row so far might take.
const SLACK: usize = 4 << 10;
/// At most so many bytes of a field are written beside those that came.
const MOST: usize = 9;

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
}

/// The next rows, while they are written down.
#[derive(Debug)]
pub struct Packing {
    chunk: Chunk,
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
    rest: &'a mut [u8],
    field: usize,
    /// There was too little room.
    failed: bool,
}

/// Packed rows, one after another.
#[derive(Clone, Debug)]
pub struct PackedWalk<'a> {
    packed: &'a Packed,
    chunk: usize,
    /// What is left of the chunk.
    rest: &'a [u8],
}

/// One row; its fields are read in order.
#[derive(Clone, Debug)]
pub struct PackedRow<'a> {
    marks: &'a [u8],
    field: usize,
    rest: &'a [u8],
}

/// A field of a column whose fields are mostly short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackedField<'a> {
    /// In short form: [`PackedRow::number`] or [`PackedRow::eight`] reads it.
    Short,
    /// As it came; `None` is NULL.
    Whole(Option<&'a [u8]>),
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
        if packing.failed {
            return None;
        }
        let freed = raw.release(end, packing.len());
        let next = Packing::within(freed, self.width);
        let Packing { mut chunk, .. } = packing;
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
                break;
            }
            left -= chunk.rows;
            position.block += 1;
        }
        let mut walk = self.walk(position);
        walk.by_ref().take(left).for_each(drop);
        walk.position()
    }

    /// The rows from a position on.
    pub fn walk(&self, position: Position) -> PackedWalk<'_> {
        let mut walk = PackedWalk { packed: self, chunk: position.block, rest: &[] };
        walk.enter(position.offset);
        walk
    }
}

impl Chunk {
    fn rows(&self) -> &[u8] {
        self.bytes.get(..self.used).unwrap_or_default()
    }

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
    fn within(buffer: Buffer, width: usize) -> Self {
        let bytes = if buffer.len() < CHUNK { Buffer::zeroed(CHUNK) } else { buffer };
        let chunk = Chunk { bytes, used: 0, rows: 0 };
        // The row's length, its marks, its fields, and what is written behind the last of them.
        let beside = MOST + marks(width) + width * MOST + 2 * MOST;
        Self { chunk, width, beside, least: SLACK, failed: false }
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

/// A bit for each field takes so many bytes.
#[inline]
fn marks(width: usize) -> usize {
    width.div_ceil(8)
}

/// A number as it is written, and in how many bytes; above eight of them, the word says nothing.
#[inline]
fn number(value: u64) -> (u64, usize) {
    // The number of bits, less one, over seven, plus one: by shifts.
    let length = (9 * (value | 1).ilog2() + 73) >> 6;
    (value.wrapping_shl(length) | 1_u64.wrapping_shl(length - 1), length as usize)
}

impl<'a> RowWriter<'a> {
    #[inline]
    fn begin(room: &'a mut [u8], head: usize) -> Self {
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

impl PackedWalk<'_> {
    /// Where the next row starts.
    pub fn position(&self) -> Position {
        let length = self.packed.chunks.get(self.chunk).map_or(0, |chunk| chunk.used);
        Position { block: self.chunk, run: 0, offset: length - self.rest.len() }
    }

    fn enter(&mut self, offset: usize) {
        let chunk = self.packed.chunks.get(self.chunk);
        self.rest = chunk.and_then(|chunk| chunk.rows().get(offset..)).unwrap_or_default();
    }
}

impl<'a> Iterator for PackedWalk<'a> {
    type Item = PackedRow<'a>;

    #[inline]
    fn next(&mut self) -> Option<PackedRow<'a>> {
        while self.rest.is_empty() {
            if self.chunk >= self.packed.chunks.len() {
                return None;
            }
            self.chunk += 1;
            self.enter(0);
        }
        let row = take(&mut self.rest)?;
        let (marks, rest) = row.split_at_checked(marks(self.packed.width))?;
        Some(PackedRow { marks, field: 0, rest })
    }
}

impl<'a> PackedRow<'a> {
    /// The next field, of a column whose fields are all as they came. `None` is NULL.
    #[inline]
    pub fn plain(&mut self) -> Option<&'a [u8]> {
        self.field += 1;
        self.whole()
    }

    /// The next field, of a column with a short form. If it is in that, its number or its eight bytes
    /// are to be read next.
    #[inline]
    pub fn field(&mut self) -> PackedField<'a> {
        let mark = self.marks.get(self.field / 8).copied().unwrap_or_default();
        let whole = mark >> (self.field % 8) & 1 != 0;
        self.field += 1;
        if whole { PackedField::Whole(self.whole()) } else { PackedField::Short }
    }

    /// The number that stands next.
    #[inline]
    pub fn number(&mut self) -> u64 {
        take_number(&mut self.rest).unwrap_or_default()
    }

    /// The eight bytes that stand next.
    #[inline]
    pub fn eight(&mut self) -> u64 {
        let Some((bytes, rest)) = self.rest.split_first_chunk() else { return 0 };
        self.rest = rest;
        u64::from_le_bytes(*bytes)
    }

    fn whole(&mut self) -> Option<&'a [u8]> {
        let length = take_number(&mut self.rest)?.checked_sub(1)?;
        let (field, rest) = self.rest.split_at_checked(usize::try_from(length).ok()?)?;
        self.rest = rest;
        Some(field)
    }
}

/// Takes a length and as many bytes off the front.
#[inline]
fn take<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(take_number(bytes)?).ok()?;
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

#[inline]
fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let first = *bytes.first()?;
    if first == 0 {
        let (word, rest) = bytes.get(1..)?.split_first_chunk()?;
        *bytes = rest;
        return Some(u64::from_le_bytes(*word));
    }
    let length = first.trailing_zeros() + 1;
    let mut word = [0; 8];
    let (taken, rest) = bytes.split_at_checked(length as usize)?;
    match bytes.first_chunk::<8>() {
        Some(eight) => word = *eight,
        None => word.get_mut(..taken.len())?.copy_from_slice(taken),
    }
    *bytes = rest;
    let bits = u64::from_le_bytes(word) >> length;
    Some(bits & (u64::MAX >> (64 - 7 * length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    enum Value {
        Number(u64),
        Eight(u64),
        Whole(Option<Vec<u8>>),
        Plain(Option<Vec<u8>>),
    }

    use Value::{Eight, Number, Plain, Whole};

    fn write(packing: &mut Packing, row: &[Value]) {
        let size = row.iter().map(|value| match value {
            Whole(Some(field)) | Plain(Some(field)) => 4 + field.len(),
            _ => 4,
        });
        packing.row(size.sum(), |writer| {
            for value in row {
                match value {
                    Number(value) => writer.number(*value),
                    Eight(value) => writer.eight(*value),
                    Whole(field) => writer.whole(field.as_deref()),
                    Plain(field) => writer.plain(field.as_deref()),
                }
            }
        });
    }

    fn append(packed: &mut Packed, packing: Packing) {
        packed.append(packing, &mut Rows::default(), Position::default()).unwrap();
    }

    /// What a walk gives next, read as the values of this row say.
    fn read(walk: &mut PackedWalk<'_>, like: &[Value]) -> Vec<Value> {
        let mut row = walk.next().unwrap();
        let read = like.iter().map(|like| {
            if let Plain(_) = like {
                return Plain(row.plain().map(<[u8]>::to_vec));
            }
            match (row.field(), like) {
                (PackedField::Whole(field), _) => Whole(field.map(<[u8]>::to_vec)),
                (PackedField::Short, Eight(_)) => Eight(row.eight()),
                (PackedField::Short, _) => Number(row.number()),
            }
        });
        let read: Vec<Value> = read.collect();
        assert!(row.rest.is_empty(), "all of the row was read");
        read
    }

    /// In chunks of so many rows.
    fn packed(rows: &[Vec<Value>], each: usize) -> Packed {
        let width = rows.first().map_or(0, Vec::len);
        let mut packed = Packed::new(width);
        for rows in rows.chunks(each) {
            let mut packing = Packing::new(width);
            rows.iter().for_each(|row| write(&mut packing, row));
            assert_eq!(packing.len(), rows.len());
            append(&mut packed, packing);
        }
        packed
    }

    fn written(value: u64) -> Vec<u8> {
        let mut room = [0; 20];
        let mut writer = RowWriter::begin(&mut room, 1);
        writer.number(value);
        let end = 20 - writer.rest.len();
        room[1..end].to_vec()
    }

    #[test]
    fn numbers_take_a_byte_for_every_seven_bits() {
        for bits in 0..=64_u32 {
            let most = u64::MAX.checked_shr(64 - bits).unwrap_or_default();
            for value in [most, most ^ (most >> 1), most ^ (most >> 3)] {
                let bytes = written(value);
                let length = if bits > 56 { 9 } else { bits.max(1).div_ceil(7) as usize };
                assert_eq!(bytes.len(), length, "{value}");
                // With and without enough behind it.
                for more in [0, 1, 20] {
                    let mut long = bytes.clone();
                    long.resize(bytes.len() + more, 0xff);
                    let mut rest = &long[..];
                    assert_eq!(take_number(&mut rest), Some(value));
                    assert_eq!(rest.len(), more);
                }
                for short in 0..bytes.len() {
                    assert_eq!(take_number(&mut &bytes[..short]), None, "{value} cut");
                }
            }
        }
    }

    #[test]
    fn rows_are_read_as_they_were_written() {
        for width in [0, 1, 5, 8, 9, 40] {
            let value = |row: usize, column: usize| match (row * 7 + column * 3) % 11 {
                0 => Whole(None),
                1 => Whole(Some(vec![])),
                2 => Whole(Some((0..50).take(row).collect())),
                3 => Whole(Some(vec![9; row * 40])),
                4 => Eight(u64::MAX << column),
                5 => Number(u64::MAX >> (row % 64)),
                6 => Plain(None),
                7 => Plain(Some(vec![1; row])),
                _ => Number(row as u64),
            };
            let rows: Vec<Vec<Value>> =
                (0..50).map(|row| (0..width).map(|column| value(row, column)).collect()).collect();
            for each in [1, 7, 50] {
                let packed = packed(&rows, each);
                assert_eq!(packed.len(), rows.len());
                for start in 0..=rows.len() {
                    let mut walk = packed.walk(packed.seek(start));
                    for row in &rows[start..] {
                        let again = packed.walk(walk.position());
                        assert_eq!(read(&mut again.clone(), row), *row);
                        assert_eq!(read(&mut walk, row), *row);
                    }
                    assert!(walk.next().is_none());
                    assert!(packed.walk(walk.position()).next().is_none());
                }
                assert!(packed.walk(packed.seek(usize::MAX)).next().is_none());
            }
        }
    }

    #[test]
    fn a_row_of_numbers_is_short() {
        let row = vec![Number(1_000_000), Plain(Some(vec![b'x'; 20])), Eight(1), Whole(None)];
        let packed = packed(&[row], 1);
        assert_eq!(packed.memory(), 1 + 1 + 3 + 21 + 8 + 1);
    }

    #[test]
    fn a_buffer_is_full_before_it_grows() {
        let mut packing = Packing::new(1);
        while !packing.is_full() {
            write(&mut packing, &[Whole(Some(vec![0; 5000]))]);
        }
        assert_eq!(packing.chunk.bytes.len(), CHUNK);
        let long = Whole(Some(vec![1; 3 * CHUNK]));
        write(&mut packing, std::slice::from_ref(&long));
        let rows = packing.len();
        let mut packed = Packed::new(1);
        append(&mut packed, packing);
        append(&mut packed, Packing::new(1));
        assert_eq!((packed.len(), packed.chunks.len()), (rows, 1));
        let mut walk = packed.walk(packed.seek(rows - 1));
        assert_eq!(read(&mut walk, &[Whole(None)]), [long]);
    }

    /// Whatever is left of a buffer, down to nothing.
    #[test]
    fn a_row_fits_or_has_the_buffer_grow() {
        let row = [Number(5), Number(u64::MAX), Eight(6), Whole(Some(vec![3; 200])), Whole(None)];
        for left in 0..400 {
            let mut packing = Packing::new(row.len());
            packing.chunk.used = CHUNK - left;
            write(&mut packing, &row);
            let mut packed = Packed::new(row.len());
            append(&mut packed, packing);
            let start = Position { offset: CHUNK - left, ..Position::default() };
            assert_eq!(read(&mut packed.walk(start), &row), row);
        }
    }

    /// Not so if what is said of the row is true.
    #[test]
    fn a_row_larger_than_was_said_is_refused() {
        let mut packing = Packing::new(1);
        packing.row(5, |writer| writer.whole(Some(&[1; 2 * CHUNK])));
        let mut packed = Packed::new(1);
        assert!(packed.append(packing, &mut Rows::default(), Position::default()).is_none());
        assert!(packed.is_empty());
    }
}
