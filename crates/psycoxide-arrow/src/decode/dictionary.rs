//! Texts as numbers of the entries of a dictionary.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::types::{
    ArrowDictionaryKeyType, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{ArrayRef, DictionaryArray, LargeStringArray, PrimitiveArray, StringArray};
use arrow_buffer::{ArrowNativeType, ScalarBuffer};
use arrow_schema::DataType;

use super::build::{Build, Nulls};
use crate::error::Fault;

/// A dictionary's entries, and the numbers of them that are the values. `F` adds the bytes of a value.
struct Dictionary<K: ArrowDictionaryKeyType, F> {
    keys: Vec<K::Native>,
    nulls: Nulls,
    entries: HashMap<Box<[u8]>, K::Native>,
    /// The entries in order.
    texts: Vec<String>,
    /// How many entries a dictionary has from the start.
    fixed: usize,
    is_large: bool,
    buffer: Vec<u8>,
    write: F,
}

/// A builder of a dictionary that begins with these entries. `None` if the Arrow type is none of
/// texts, or its keys do not suffice.
pub(super) fn dictionary(
    key: &DataType,
    value: &DataType,
    labels: &[String],
    write: impl Fn(&[u8], &mut Vec<u8>) -> Result<(), Fault> + Send + Sync + 'static,
) -> Option<Box<dyn Build>> {
    let is_large = match value {
        DataType::Utf8 => false,
        DataType::LargeUtf8 => true,
        _ => return None,
    };
    match key {
        DataType::Int8 => of::<Int8Type>(is_large, labels, write),
        DataType::Int16 => of::<Int16Type>(is_large, labels, write),
        DataType::Int32 => of::<Int32Type>(is_large, labels, write),
        DataType::Int64 => of::<Int64Type>(is_large, labels, write),
        DataType::UInt8 => of::<UInt8Type>(is_large, labels, write),
        DataType::UInt16 => of::<UInt16Type>(is_large, labels, write),
        DataType::UInt32 => of::<UInt32Type>(is_large, labels, write),
        DataType::UInt64 => of::<UInt64Type>(is_large, labels, write),
        _ => None,
    }
}

fn of<K: ArrowDictionaryKeyType>(
    is_large: bool,
    labels: &[String],
    write: impl Fn(&[u8], &mut Vec<u8>) -> Result<(), Fault> + Send + Sync + 'static,
) -> Option<Box<dyn Build>> {
    let mut dictionary = Dictionary::<K, _> {
        keys: Vec::new(),
        nulls: Nulls::default(),
        entries: HashMap::new(),
        texts: Vec::new(),
        fixed: labels.len(),
        is_large,
        buffer: Vec::new(),
        write,
    };
    for label in labels {
        dictionary.add(label.as_bytes()).ok()?;
    }
    Some(Box::new(dictionary))
}

impl<K: ArrowDictionaryKeyType, F> Dictionary<K, F> {
    fn add(&mut self, text: &[u8]) -> Result<K::Native, Fault> {
        let key = K::Native::from_usize(self.texts.len()).ok_or(
            "the dictionary has more entries than its keys have numbers: choose wider ones",
        )?;
        let entry = std::str::from_utf8(text).map_err(|_| "the text is not UTF-8")?;
        self.texts.push(entry.to_owned());
        self.entries.insert(text.into(), key);
        Ok(key)
    }
}

impl<K: ArrowDictionaryKeyType, F> Build for Dictionary<K, F>
where
    F: Fn(&[u8], &mut Vec<u8>) -> Result<(), Fault> + Send + Sync,
{
    fn append(&mut self, value: Option<&[u8]>) -> Result<(), Fault> {
        let key = match value {
            Some(value) => {
                let mut text = std::mem::take(&mut self.buffer);
                text.clear();
                (self.write)(value, &mut text)?;
                let known = self.entries.get(text.as_slice()).copied();
                let key = known.map_or_else(|| self.add(&text), Ok)?;
                self.buffer = text;
                key
            }
            None => {
                self.nulls.null_at(self.keys.len());
                K::Native::default()
            }
        };
        self.keys.push(key);
        Ok(())
    }

    fn len(&self) -> usize {
        self.keys.len()
    }

    fn finish(&mut self) -> Result<ArrayRef, (usize, Fault)> {
        let len = self.len();
        let texts = self.texts.iter().map(|text| Some(text.as_str()));
        let values: ArrayRef = if self.is_large {
            Arc::new(texts.collect::<LargeStringArray>())
        } else {
            Arc::new(texts.collect::<StringArray>())
        };
        for text in self.texts.drain(self.fixed..) {
            self.entries.remove(text.as_bytes());
        }
        let keys = ScalarBuffer::from(std::mem::take(&mut self.keys));
        PrimitiveArray::<K>::try_new(keys, self.nulls.finish(len))
            .and_then(|keys| DictionaryArray::try_new(keys, values))
            .map(|array| Arc::new(array) as ArrayRef)
            .map_err(|error| (0, error.to_string().into()))
    }
}
