//! What makes an array of values.

use arrow_array::ArrayRef;
use arrow_array::builder::BooleanBufferBuilder;
use arrow_buffer::NullBuffer;
use psycoxide_proto::Fields;

use crate::error::Fault;

/// Makes an array of a column's values, or of those of a part of them.
pub(crate) trait Build: Send + Sync {
    /// Adds a value; `None` is NULL. After an error there is no array.
    fn append(&mut self, value: Option<&[u8]>) -> Result<(), Fault>;

    /// Takes the next field off each row, and adds it. Returns the place of the row that failed.
    fn fill(&mut self, rows: &mut [Fields<'_>]) -> Result<(), (usize, Fault)> {
        // A loop for each builder, without a call by a pointer for each value.
        for (place, row) in rows.iter_mut().enumerate() {
            self.append(row.field()).map_err(|fault| (place, fault))?;
        }
        Ok(())
    }

    /// The number of values.
    fn len(&self) -> usize;

    /// The size of the longest buffer whose length is limited, in bytes or values.
    fn size(&self) -> usize {
        self.len()
    }

    /// Takes the values.
    ///
    /// # Errors
    /// A value that is found to be wrong only now, with its place.
    fn finish(&mut self) -> Result<ArrayRef, (usize, Fault)>;
}

/// Which values are NULL.
#[derive(Debug, Default)]
pub(crate) struct Nulls {
    /// A bit for each value up to the last NULL.
    bits: Option<BooleanBufferBuilder>,
}

impl Nulls {
    /// Notes that the value at this place is NULL. Those after the last one before it are not.
    #[inline]
    pub(crate) fn null_at(&mut self, place: usize) {
        let bits = self.bits.get_or_insert_with(|| BooleanBufferBuilder::new(place + 1));
        bits.append_n(place.saturating_sub(bits.len()), true);
        bits.append(false);
    }

    /// The bits of this many values; `None` if none of them is NULL.
    pub(crate) fn finish(&mut self, len: usize) -> Option<NullBuffer> {
        let mut bits = self.bits.take()?;
        bits.append_n(len.saturating_sub(bits.len()), true);
        Some(NullBuffer::new(bits.finish()))
    }
}
