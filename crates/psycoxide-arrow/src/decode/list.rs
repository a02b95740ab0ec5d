//! Arrays, multiranges and vectors: lists.

use std::sync::Arc;

use arrow_array::{ArrayRef, FixedSizeListArray, GenericListArray, OffsetSizeTrait};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, FieldRef};
use psycoxide_sql::binary::array::{Array, size};
use psycoxide_sql::binary::range::Ranges;
use psycoxide_sql::text::array::{Item, Items, unescape};
use psycoxide_sql::text::range;

use super::build::{Build, Nulls};
use super::vector;
use crate::error::Fault;

/// How a list is written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    Array,
    /// An array as text, with this delimiter.
    ArrayText(u8),
    /// `int2vector` and `oidvector` as text.
    Spaces,
    Multirange,
    MultirangeText,
    /// pgvector's types, with numbers of this many bytes.
    Vector(usize),
    VectorText,
}

/// Lists of items, or of lists of them.
struct Lists<O: OffsetSizeTrait> {
    form: Form,
    /// The fields of the items, from the outermost list inwards.
    fields: Vec<FieldRef>,
    /// The offsets of each level.
    levels: Vec<Vec<O>>,
    nulls: Nulls,
    items: Box<dyn Build>,
    scratch: Vec<u8>,
}

/// A builder of lists, with as many levels as there are dimensions. `None` if the Arrow type is
/// another one.
pub(super) fn lists(
    form: Form,
    to: &DataType,
    dimensions: usize,
    item: &DataType,
    items: Box<dyn Build>,
) -> Option<Box<dyn Build>> {
    let is_large = matches!(to, DataType::LargeList(_));
    let mut fields = Vec::new();
    let mut inner = to;
    for _ in 0..dimensions {
        let field = match inner {
            DataType::List(field) if !is_large => field,
            DataType::LargeList(field) if is_large => field,
            _ => return None,
        };
        fields.push(Arc::clone(field));
        inner = field.data_type();
    }
    if inner != item {
        return None;
    }
    Some(if is_large {
        Box::new(Lists::<i64>::new(form, fields, items))
    } else {
        Box::new(Lists::<i32>::new(form, fields, items))
    })
}

impl<O: OffsetSizeTrait> Lists<O> {
    fn new(form: Form, fields: Vec<FieldRef>, items: Box<dyn Build>) -> Self {
        let levels = fields.iter().map(|_| vec![O::zero()]).collect();
        Self { form, fields, levels, nulls: Nulls::default(), items, scratch: Vec::new() }
    }

    /// The number of lists of a level; that of items behind the last one.
    fn count(&self, level: usize) -> usize {
        self.levels.get(level).map_or_else(|| self.items.len(), |offsets| offsets.len() - 1)
    }

    /// Ends a list of a level: what was added below since the one before is in it.
    fn close(&mut self, level: usize) -> Result<(), Fault> {
        let end = O::from_usize(self.count(level + 1))
            .ok_or("the column has more than 2^31 items: choose large_list for it in schema")?;
        if let Some(offsets) = self.levels.get_mut(level) {
            offsets.push(end);
        }
        Ok(())
    }

    fn other_dimensions(&self, found: &str) -> Fault {
        format!(
            "the array has {found} dimensions, the column {}: choose dims={{...: {found}}}, or \
             utf8 in schema if they vary",
            self.levels.len()
        )
        .into()
    }

    fn array(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let mut array = Array::parse(bytes)?;
        let sizes: Vec<usize> = array.dimensions.iter().copied().map(size).collect();
        if sizes.is_empty() {
            return self.finished(array.is_at_end());
        }
        if sizes.len() != self.levels.len() {
            return Err(self.other_dimensions(&sizes.len().to_string()));
        }
        // It was checked that there are no more elements than bytes.
        let mut lists = 1;
        for (level, size) in sizes.iter().enumerate().skip(1) {
            lists *= sizes.get(level - 1).copied().unwrap_or_default();
            let start = self.count(level + 1);
            for list in 1..=lists {
                let end = O::from_usize(start + list * size).ok_or("the array is too large")?;
                if let Some(offsets) = self.levels.get_mut(level) {
                    offsets.push(end);
                }
            }
        }
        for _ in 0..sizes.iter().product() {
            self.items.append(array.next_element()?)?;
        }
        self.finished(array.is_at_end())
    }

    /// Ends an outermost list that is read from binary.
    fn finished(&mut self, is_at_end: bool) -> Result<(), Fault> {
        if is_at_end { self.close(0) } else { Err("malformed binary value".into()) }
    }

    fn array_text(&mut self, text: &[u8], delimiter: u8) -> Result<(), Fault> {
        let mut items = Items::with_delimiter(text, delimiter);
        let mut depth: usize = 0;
        let levels = self.levels.len();
        while let Some(item) = items.step()? {
            match item {
                Item::Open if depth == levels => return Err(self.other_dimensions("more")),
                Item::Open => depth += 1,
                Item::Close => {
                    depth = depth.saturating_sub(1);
                    self.close(depth)?;
                }
                _ if depth < levels => return Err(self.other_dimensions("fewer")),
                Item::Null => self.items.append(None)?,
                Item::Plain(element) => self.items.append(Some(element))?,
                Item::Escaped(element) => {
                    unescape(element, &mut self.scratch);
                    self.items.append(Some(&self.scratch))?;
                }
            }
        }
        Ok(())
    }
}

impl<O: OffsetSizeTrait> Build for Lists<O> {
    fn append(&mut self, value: Option<&[u8]>) -> Result<(), Fault> {
        let Some(value) = value else {
            self.nulls.null_at(self.len());
            return self.close(0);
        };
        match self.form {
            Form::Array => return self.array(value),
            Form::ArrayText(delimiter) => return self.array_text(value, delimiter),
            Form::Spaces => {
                for item in value.split(u8::is_ascii_whitespace).filter(|item| !item.is_empty()) {
                    self.items.append(Some(item))?;
                }
            }
            Form::Multirange => {
                let mut ranges = Ranges::parse(value)?;
                while let Some(range) = ranges.step()? {
                    self.items.append(Some(range))?;
                }
            }
            Form::MultirangeText => {
                for range in range::multirange(value)? {
                    self.items.append(Some(range))?;
                }
            }
            Form::Vector(width) => {
                for item in vector::items(value, width)? {
                    self.items.append(Some(item))?;
                }
            }
            Form::VectorText => {
                for item in vector::items_of_text(value)? {
                    self.items.append(Some(item))?;
                }
            }
        }
        self.close(0)
    }

    fn len(&self) -> usize {
        self.count(0)
    }

    fn size(&self) -> usize {
        (0..=self.levels.len())
            .map(|level| self.count(level))
            .max()
            .unwrap_or(0)
            .max(self.items.size())
    }

    fn finish(&mut self) -> Result<ArrayRef, (usize, Fault)> {
        let len = self.len();
        let mut levels: Vec<Vec<O>> = self
            .levels
            .iter_mut()
            .map(|offsets| std::mem::replace(offsets, vec![O::zero()]))
            .collect();
        let mut array = self.items.finish().map_err(|(place, fault)| {
            let row = levels.iter().rev().fold(place, |place, offsets| {
                offsets.partition_point(|offset| offset.as_usize() <= place).saturating_sub(1)
            });
            (row, fault)
        })?;
        let mut nulls = self.nulls.finish(len);
        for (level, field) in self.fields.iter().enumerate().rev() {
            let offsets = levels.pop().unwrap_or_default();
            let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
            let nulls = if level == 0 { nulls.take() } else { None };
            array = GenericListArray::<O>::try_new(Arc::clone(field), offsets, array, nulls)
                .map(Arc::new)
                .map_err(|error| (0, error.to_string().into()))?;
        }
        Ok(array)
    }
}

/// Lists of the same length: vectors whose type has their length.
pub(super) struct FixedLists {
    form: Form,
    field: FieldRef,
    size: usize,
    len: usize,
    nulls: Nulls,
    items: Box<dyn Build>,
}

impl FixedLists {
    /// A builder of lists of this type. `None` if the Arrow type is another one.
    pub(super) fn boxed(
        form: Form,
        to: &DataType,
        item: &DataType,
        items: Box<dyn Build>,
    ) -> Option<Box<dyn Build>> {
        let DataType::FixedSizeList(field, size) = to else { return None };
        if field.data_type() != item {
            return None;
        }
        Some(Box::new(Self {
            form,
            field: Arc::clone(field),
            size: usize::try_from(*size).ok().filter(|size| *size > 0)?,
            len: 0,
            nulls: Nulls::default(),
            items,
        }))
    }
}

impl Build for FixedLists {
    fn append(&mut self, value: Option<&[u8]>) -> Result<(), Fault> {
        let end = self.items.len() + self.size;
        match (value, self.form) {
            (None, _) => {
                self.nulls.null_at(self.len);
                for _ in 0..self.size {
                    self.items.append(None)?;
                }
            }
            (Some(value), Form::Vector(width)) => {
                for item in vector::items(value, width)? {
                    self.items.append(Some(item))?;
                }
            }
            (Some(value), _) => {
                for item in vector::items_of_text(value)? {
                    self.items.append(Some(item))?;
                }
            }
        }
        if self.items.len() != end {
            let found = self.items.len() + self.size - end;
            return Err(format!(
                "the vector has {found} numbers, those of the column {}: choose list for it in schema",
                self.size
            )
            .into());
        }
        self.len += 1;
        Ok(())
    }

    fn len(&self) -> usize {
        self.len
    }

    fn size(&self) -> usize {
        self.items.size()
    }

    fn finish(&mut self) -> Result<ArrayRef, (usize, Fault)> {
        let len = std::mem::take(&mut self.len);
        let size = self.size;
        let items = self.items.finish().map_err(|(place, fault)| (place / size, fault))?;
        let width = i32::try_from(size).unwrap_or(i32::MAX);
        let nulls = self.nulls.finish(len);
        FixedSizeListArray::try_new_with_length(Arc::clone(&self.field), width, items, nulls, len)
            .map(|array| Arc::new(array) as ArrayRef)
            .map_err(|error| (0, error.to_string().into()))
    }
}
