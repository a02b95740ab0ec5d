//! Texts and byte strings: arrays of values of any length.

use std::sync::Arc;

use arrow_array::builder::GenericByteViewBuilder;
use arrow_array::types::{BinaryViewType, ByteArrayType, ByteViewType, StringViewType};
use arrow_array::{Array, ArrayRef, GenericByteArray, OffsetSizeTrait};
use arrow_buffer::{ArrowNativeType, Buffer, OffsetBuffer, ScalarBuffer};

use super::build::{Build, Nulls};
use crate::error::Fault;

const TOO_LONG: &str = "the column has more than 2 GiB: choose string=\"large\"";

/// An array of texts or byte strings, one after another in one buffer. `F` adds the bytes of one.
pub(super) struct Strings<T: ByteArrayType, F> {
    offsets: Vec<T::Offset>,
    bytes: Vec<u8>,
    nulls: Nulls,
    write: F,
}

/// A builder of an array of texts or byte strings.
pub(super) fn strings<T: ByteArrayType>(
    write: impl Fn(&[u8], &mut Vec<u8>) -> Result<(), Fault> + Send + Sync + 'static,
) -> Box<dyn Build> {
    Box::new(Strings::<T, _> {
        offsets: vec![T::Offset::default()],
        bytes: Vec::new(),
        nulls: Nulls::default(),
        write,
    })
}

impl<T: ByteArrayType, F> Build for Strings<T, F>
where
    F: Fn(&[u8], &mut Vec<u8>) -> Result<(), Fault> + Send + Sync,
{
    #[inline]
    fn append(&mut self, value: Option<&[u8]>) -> Result<(), Fault> {
        match value {
            Some(value) => (self.write)(value, &mut self.bytes)?,
            None => self.nulls.null_at(self.offsets.len() - 1),
        }
        self.offsets.push(T::Offset::from_usize(self.bytes.len()).ok_or(TOO_LONG)?);
        Ok(())
    }

    fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    fn size(&self) -> usize {
        if T::Offset::IS_LARGE { 0 } else { self.bytes.len().max(self.len()) }
    }

    fn finish(&mut self) -> Result<ArrayRef, (usize, Fault)> {
        let len = self.len();
        let mut empty = Vec::with_capacity(self.offsets.len());
        empty.push(T::Offset::default());
        let offsets = std::mem::replace(&mut self.offsets, empty);
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        let capacity = self.bytes.len();
        let bytes = Buffer::from(std::mem::take(&mut self.bytes));
        self.bytes.reserve(capacity);
        let nulls = self.nulls.finish(len);
        // This checks that texts are UTF-8, all at once.
        match GenericByteArray::<T>::try_new(offsets.clone(), bytes.clone(), nulls) {
            Ok(array) => Ok(Arc::new(array)),
            Err(_) => Err((first_that_is_not_utf8(&offsets, &bytes), NOT_UTF8.into())),
        }
    }
}

const NOT_UTF8: &str = "the text is not UTF-8: SET client_encoding = utf8";

/// The place of the first text that is not UTF-8.
fn first_that_is_not_utf8<O: ArrowNativeType>(offsets: &OffsetBuffer<O>, bytes: &[u8]) -> usize {
    let is_text = |bounds: &[O]| match bounds {
        [start, end] => bytes
            .get(start.as_usize()..end.as_usize())
            .is_some_and(|text| std::str::from_utf8(text).is_ok()),
        _ => false,
    };
    offsets.windows(2).position(|bounds| !is_text(bounds)).unwrap_or_default()
}

/// An array of views of texts or byte strings.
pub(super) struct Views<T: ByteViewType, F> {
    builder: GenericByteViewBuilder<T>,
    /// The bytes of a value.
    bytes: Vec<u8>,
    size: usize,
    write: F,
}

/// A builder of an array of views.
pub(super) fn views<T: View>(
    write: impl Fn(&[u8], &mut Vec<u8>) -> Result<(), Fault> + Send + Sync + 'static,
) -> Box<dyn Build> {
    Box::new(Views::<T, _> {
        builder: GenericByteViewBuilder::new(),
        bytes: Vec::new(),
        size: 0,
        write,
    })
}

/// What a view is of.
pub(super) trait View: ByteViewType {
    /// The value that these bytes are.
    fn of(bytes: &[u8]) -> Result<&Self::Native, Fault>;
}

impl View for StringViewType {
    fn of(bytes: &[u8]) -> Result<&str, Fault> {
        std::str::from_utf8(bytes).map_err(|_| NOT_UTF8.into())
    }
}

impl View for BinaryViewType {
    fn of(bytes: &[u8]) -> Result<&[u8], Fault> {
        Ok(bytes)
    }
}

impl<T: View, F> Build for Views<T, F>
where
    F: Fn(&[u8], &mut Vec<u8>) -> Result<(), Fault> + Send + Sync,
{
    fn append(&mut self, value: Option<&[u8]>) -> Result<(), Fault> {
        let Some(value) = value else {
            self.builder.append_null();
            return Ok(());
        };
        self.bytes.clear();
        (self.write)(value, &mut self.bytes)?;
        self.size = self.size.saturating_add(self.bytes.len());
        self.builder.try_append_value(T::of(&self.bytes)?).map_err(|error| error.to_string().into())
    }

    fn len(&self) -> usize {
        arrow_array::builder::ArrayBuilder::len(&self.builder)
    }

    fn size(&self) -> usize {
        self.size
    }

    fn finish(&mut self) -> Result<ArrayRef, (usize, Fault)> {
        self.size = 0;
        let array = self.builder.finish();
        debug_assert_eq!(array.offset(), 0);
        Ok(Arc::new(array))
    }
}
