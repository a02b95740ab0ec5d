//! Composite values and ranges: structs. hstore: a map.

use std::sync::Arc;

use arrow_array::builder::BooleanBufferBuilder;
use arrow_array::types::Utf8Type;
use arrow_array::{ArrayRef, BooleanArray, MapArray, StructArray};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Fields};
use psycoxide_sql::binary;
use psycoxide_sql::oid::Oid;
use psycoxide_sql::text::{composite, hstore, range};

use super::build::{Build, Nulls};
use super::strings::strings;
use crate::error::Fault;

/// Composite values.
struct Composites {
    is_binary: bool,
    fields: Fields,
    parts: Vec<(Oid, Box<dyn Build>)>,
    len: usize,
    nulls: Nulls,
}

/// A builder of composite values with these parts. `None` if the Arrow type is not theirs.
pub(super) fn composites(
    is_binary: bool,
    to: &DataType,
    parts: Vec<(Oid, &DataType, Box<dyn Build>)>,
) -> Option<Box<dyn Build>> {
    let DataType::Struct(fields) = to else { return None };
    let types = || parts.iter().map(|(_, data_type, _)| *data_type);
    if !fields.iter().map(|field| field.data_type()).eq(types()) {
        return None;
    }
    let fields = fields.clone();
    let parts = parts.into_iter().map(|(oid, _, part)| (oid, part)).collect();
    Some(Box::new(Composites { is_binary, fields, parts, len: 0, nulls: Nulls::default() }))
}

const CHANGED: &str =
    "the composite type has changed since it was looked up: its fields are others";

impl Build for Composites {
    fn append(&mut self, value: Option<&[u8]>) -> Result<(), Fault> {
        match value {
            None => {
                self.nulls.null_at(self.len);
                for (_, part) in &mut self.parts {
                    part.append(None)?;
                }
            }
            Some(bytes) if self.is_binary => {
                let mut fields = binary::composite::Fields::parse(bytes)?;
                for (oid, part) in &mut self.parts {
                    match fields.step()? {
                        Some((found, field)) if found == *oid => part.append(field)?,
                        _ => return Err(CHANGED.into()),
                    }
                }
                if fields.step()?.is_some() {
                    return Err(CHANGED.into());
                }
            }
            // A row without fields is written as one with a field that is NULL.
            Some(b"()") if self.parts.is_empty() => {}
            Some(text) => {
                let fields = composite::fields(text)?;
                if fields.len() != self.parts.len() {
                    return Err(CHANGED.into());
                }
                for (field, (_, part)) in fields.iter().zip(&mut self.parts) {
                    part.append(field.as_deref())?;
                }
            }
        }
        self.len += 1;
        Ok(())
    }

    fn len(&self) -> usize {
        self.len
    }

    fn size(&self) -> usize {
        self.parts.iter().map(|(_, part)| part.size()).max().unwrap_or_default()
    }

    fn finish(&mut self) -> Result<ArrayRef, (usize, Fault)> {
        let len = std::mem::take(&mut self.len);
        let arrays =
            self.parts.iter_mut().map(|(_, part)| part.finish()).collect::<Result<_, _>>()?;
        structs(self.fields.clone(), arrays, &mut self.nulls, len)
    }
}

fn structs(
    fields: Fields,
    arrays: Vec<ArrayRef>,
    nulls: &mut Nulls,
    len: usize,
) -> Result<ArrayRef, (usize, Fault)> {
    StructArray::try_new_with_length(fields, arrays, nulls.finish(len), len)
        .map(|array| Arc::new(array) as ArrayRef)
        .map_err(|error| (0, error.to_string().into()))
}

/// Ranges, as structs of `lower`, `upper`, `lower_inc`, `upper_inc` and `empty`.
struct Ranges {
    is_binary: bool,
    fields: Fields,
    bounds: [Box<dyn Build>; 2],
    flags: [BooleanBufferBuilder; 3],
    nulls: Nulls,
}

/// A builder of ranges. `None` if the Arrow type is not theirs.
pub(super) fn ranges(
    is_binary: bool,
    to: &DataType,
    bound: &DataType,
    bounds: [Box<dyn Build>; 2],
) -> Option<Box<dyn Build>> {
    let DataType::Struct(fields) = to else { return None };
    let flag = &DataType::Boolean;
    if !fields.iter().map(|field| field.data_type()).eq([bound, bound, flag, flag, flag]) {
        return None;
    }
    let flags = [(); 3].map(|()| BooleanBufferBuilder::new(0));
    Some(Box::new(Ranges {
        is_binary,
        fields: fields.clone(),
        bounds,
        flags,
        nulls: Nulls::default(),
    }))
}

impl Ranges {
    fn push(
        &mut self,
        lower: Option<&[u8]>,
        upper: Option<&[u8]>,
        flags: [bool; 3],
    ) -> Result<(), Fault> {
        for (builder, bound) in self.bounds.iter_mut().zip([lower, upper]) {
            builder.append(bound)?;
        }
        for (builder, flag) in self.flags.iter_mut().zip(flags) {
            builder.append(flag);
        }
        Ok(())
    }
}

impl Build for Ranges {
    fn append(&mut self, value: Option<&[u8]>) -> Result<(), Fault> {
        let Some(value) = value else {
            self.nulls.null_at(self.len());
            return self.push(None, None, [false; 3]);
        };
        if self.is_binary {
            match binary::range::range(value)? {
                binary::range::Range::Empty => self.push(None, None, [false, false, true]),
                binary::range::Range::Between {
                    lower,
                    upper,
                    lower_inclusive,
                    upper_inclusive,
                } => self.push(lower, upper, [lower_inclusive, upper_inclusive, false]),
            }
        } else {
            match range::range(value)? {
                range::Range::Empty => self.push(None, None, [false, false, true]),
                range::Range::Between { lower, upper, lower_inclusive, upper_inclusive } => {
                    let flags = [lower_inclusive, upper_inclusive, false];
                    self.push(lower.as_deref(), upper.as_deref(), flags)
                }
            }
        }
    }

    fn len(&self) -> usize {
        let [flag, ..] = &self.flags;
        flag.len()
    }

    fn size(&self) -> usize {
        self.bounds.iter().map(|bound| bound.size()).max().unwrap_or_default()
    }

    fn finish(&mut self) -> Result<ArrayRef, (usize, Fault)> {
        let len = self.len();
        let mut arrays = Vec::with_capacity(5);
        for bound in &mut self.bounds {
            arrays.push(bound.finish()?);
        }
        for flag in &mut self.flags {
            arrays.push(Arc::new(BooleanArray::new(flag.finish(), None)));
        }
        structs(self.fields.clone(), arrays, &mut self.nulls, len)
    }
}

/// hstore: maps of texts.
struct Maps {
    is_binary: bool,
    to: DataType,
    offsets: Vec<i32>,
    nulls: Nulls,
    keys: Box<dyn Build>,
    values: Box<dyn Build>,
}

/// A builder for hstore. `None` if the Arrow type is not a map of utf8.
pub(super) fn maps(is_binary: bool, to: &DataType) -> Option<Box<dyn Build>> {
    let DataType::Map(entries, _) = to else { return None };
    let DataType::Struct(fields) = entries.data_type() else { return None };
    if !fields.iter().map(|field| field.data_type()).eq([&DataType::Utf8; 2]) {
        return None;
    }
    let texts = || {
        strings::<Utf8Type>(|bytes, out| {
            out.extend_from_slice(bytes);
            Ok(())
        })
    };
    Some(Box::new(Maps {
        is_binary,
        to: to.clone(),
        offsets: vec![0],
        nulls: Nulls::default(),
        keys: texts(),
        values: texts(),
    }))
}

impl Build for Maps {
    fn append(&mut self, value: Option<&[u8]>) -> Result<(), Fault> {
        match value {
            None => self.nulls.null_at(self.len()),
            Some(bytes) if self.is_binary => {
                let mut pairs = binary::hstore::Pairs::parse(bytes)?;
                while let Some((key, value)) = pairs.step()? {
                    self.keys.append(Some(key))?;
                    self.values.append(value)?;
                }
            }
            Some(text) => {
                let mut pairs = hstore::Pairs::new(text);
                while let Some((key, value)) = pairs.step()? {
                    self.keys.append(Some(&key))?;
                    self.values.append(value.as_deref())?;
                }
            }
        }
        self.offsets.push(i32::try_from(self.keys.len()).map_err(|_| "too many pairs")?);
        Ok(())
    }

    fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    fn size(&self) -> usize {
        self.keys.size().max(self.values.size())
    }

    fn finish(&mut self) -> Result<ArrayRef, (usize, Fault)> {
        let DataType::Map(entries, _) = &self.to else { return Err((0, "no map".into())) };
        let DataType::Struct(fields) = entries.data_type() else {
            return Err((0, "no map".into()));
        };
        let len = self.len();
        let offsets = std::mem::replace(&mut self.offsets, vec![0]);
        let row = |(place, fault): (usize, Fault)| {
            let ended = |offset: &i32| usize::try_from(*offset).is_ok_and(|end| end <= place);
            (offsets.partition_point(ended).saturating_sub(1), fault)
        };
        let (keys, values) = (self.keys.finish(), self.values.finish());
        let arrays = vec![keys.map_err(row)?, values.map_err(row)?];
        let error = |error: arrow_schema::ArrowError| (0, error.to_string().into());
        let pairs = StructArray::try_new(fields.clone(), arrays, None).map_err(error)?;
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        MapArray::try_new(Arc::clone(entries), offsets, pairs, self.nulls.finish(len), false)
            .map(|array| Arc::new(array) as ArrayRef)
            .map_err(error)
    }
}
