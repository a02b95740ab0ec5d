//! Reading rows again.

use super::super::rows::Position;
use super::{Packed, marks};

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
    pub(super) rest: &'a [u8],
}

/// A field of a column whose fields are mostly short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackedField<'a> {
    /// In short form: [`PackedRow::number`] or [`PackedRow::eight`] reads it.
    Short,
    /// As it came; `None` is NULL.
    Whole(Option<&'a [u8]>),
}

impl<'a> PackedWalk<'a> {
    pub(super) fn begin(packed: &'a Packed, position: Position) -> Self {
        let mut walk = Self { packed, chunk: position.block, rest: &[] };
        walk.enter(position.offset);
        walk
    }

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
pub(super) fn take_number(bytes: &mut &[u8]) -> Option<u64> {
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
