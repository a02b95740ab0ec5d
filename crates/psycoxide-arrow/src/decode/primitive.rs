//! Numbers, dates and times: arrays of values of a fixed width.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow_array::builder::BooleanBufferBuilder;
use arrow_array::{
    ArrayRef, ArrowPrimitiveType, BooleanArray, FixedSizeBinaryArray, NullArray, PrimitiveArray,
};
use arrow_buffer::{Buffer, MutableBuffer, ScalarBuffer};
use arrow_schema::DataType;
use psycoxide_proto::Fields;

use super::build::{Build, Nulls};
use crate::error::Fault;

/// An array of numbers. `F` reads one; `None` is NULL.
pub(super) struct Primitive<T: ArrowPrimitiveType, F> {
    data_type: DataType,
    values: MutableBuffer,
    nulls: Nulls,
    read: F,
    native: PhantomData<fn() -> T>,
}

/// A builder of an array of numbers.
pub(super) fn primitive<T: ArrowPrimitiveType>(
    data_type: &DataType,
    read: impl Fn(&[u8]) -> Result<Option<T::Native>, Fault> + Send + Sync + 'static,
) -> Box<dyn Build> {
    Box::new(Primitive::<T, _> {
        data_type: data_type.clone(),
        values: MutableBuffer::new(0),
        nulls: Nulls::default(),
        read,
        native: PhantomData,
    })
}

impl<T: ArrowPrimitiveType, F> Build for Primitive<T, F>
where
    F: Fn(&[u8]) -> Result<Option<T::Native>, Fault> + Send + Sync,
{
    #[inline]
    fn append(&mut self, value: Option<&[u8]>) -> Result<(), Fault> {
        let value = match value {
            Some(bytes) => (self.read)(bytes)?,
            None => None,
        };
        match value {
            Some(value) => self.values.push(value),
            None => {
                self.nulls.null_at(self.len());
                self.values.push(T::Native::default());
            }
        }
        Ok(())
    }

    fn fill(&mut self, rows: &mut [Fields<'_>]) -> Result<(), (usize, Fault)> {
        let start = self.values.len();
        let before = self.len();
        self.values.resize(start + width::<T>() * rows.len(), 0);
        let values = self.values.typed_data_mut::<T::Native>();
        let values = values.get_mut(before..).unwrap_or_default();
        for (place, (row, slot)) in rows.iter_mut().zip(values).enumerate() {
            let value = match row.field() {
                Some(bytes) => (self.read)(bytes).map_err(|fault| (place, fault))?,
                None => None,
            };
            match value {
                Some(value) => *slot = value,
                None => self.nulls.null_at(before + place),
            }
        }
        Ok(())
    }

    fn len(&self) -> usize {
        self.values.len() / width::<T>()
    }

    fn finish(&mut self) -> Result<ArrayRef, (usize, Fault)> {
        let len = self.len();
        let values = std::mem::replace(&mut self.values, MutableBuffer::new(0));
        let values = ScalarBuffer::new(Buffer::from(values), 0, len);
        let array = PrimitiveArray::<T>::try_new(values, self.nulls.finish(len))
            .map_err(|error| (0, error.to_string().into()))?;
        Ok(Arc::new(array.with_data_type(self.data_type.clone())))
    }
}

/// The width of a value.
const fn width<T: ArrowPrimitiveType>() -> usize {
    size_of::<T::Native>()
}

/// An array of booleans.
pub(super) struct Booleans<F> {
    pub(super) values: BooleanBufferBuilder,
    pub(super) nulls: Nulls,
    pub(super) read: F,
}

impl<F: Fn(&[u8]) -> Result<bool, Fault> + Send + Sync> Build for Booleans<F> {
    #[inline]
    fn append(&mut self, value: Option<&[u8]>) -> Result<(), Fault> {
        let value = match value {
            Some(bytes) => (self.read)(bytes)?,
            None => {
                self.nulls.null_at(self.values.len());
                false
            }
        };
        self.values.append(value);
        Ok(())
    }

    fn len(&self) -> usize {
        self.values.len()
    }

    fn finish(&mut self) -> Result<ArrayRef, (usize, Fault)> {
        let len = self.len();
        Ok(Arc::new(BooleanArray::new(self.values.finish(), self.nulls.finish(len))))
    }
}

/// An array of byte strings of the same length.
pub(super) struct FixedBinary<F> {
    pub(super) width: usize,
    pub(super) len: usize,
    pub(super) values: Vec<u8>,
    pub(super) nulls: Nulls,
    /// Adds the bytes of a value.
    pub(super) write: F,
}

impl<F: Fn(&[u8], &mut Vec<u8>) -> Result<(), Fault> + Send + Sync> Build for FixedBinary<F> {
    #[inline]
    fn append(&mut self, value: Option<&[u8]>) -> Result<(), Fault> {
        let end = self.values.len() + self.width;
        match value {
            Some(bytes) => (self.write)(bytes, &mut self.values)?,
            None => {
                self.nulls.null_at(self.len);
                self.values.resize(end, 0);
            }
        }
        if self.values.len() != end {
            let found = self.values.len() + self.width - end;
            return Err(format!(
                "has {found} bytes, not the {} of fixed_size_binary: choose another type for the column \
                 in schema",
                self.width
            )
            .into());
        }
        self.len += 1;
        Ok(())
    }

    fn len(&self) -> usize {
        self.len
    }

    fn finish(&mut self) -> Result<ArrayRef, (usize, Fault)> {
        let len = std::mem::take(&mut self.len);
        let values = Buffer::from(std::mem::take(&mut self.values));
        let width = i32::try_from(self.width).unwrap_or(i32::MAX);
        FixedSizeBinaryArray::try_new_with_len(width, values, self.nulls.finish(len), len)
            .map(|array| Arc::new(array) as ArrayRef)
            .map_err(|error| (0, error.to_string().into()))
    }
}

/// An array of NULLs only.
#[derive(Default)]
pub(super) struct Nothing {
    len: usize,
}

impl Build for Nothing {
    fn append(&mut self, _value: Option<&[u8]>) -> Result<(), Fault> {
        self.len += 1;
        Ok(())
    }

    fn len(&self) -> usize {
        self.len
    }

    fn finish(&mut self) -> Result<ArrayRef, (usize, Fault)> {
        Ok(Arc::new(NullArray::new(std::mem::take(&mut self.len))))
    }
}
