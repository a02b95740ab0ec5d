//! Lists as arrays.
//!
//! The elements' type is found while they are written: when one of them turns out to need a wider
//! type than those before it, all are written again. A list that has no array of one type is left to
//! the merged form, `ARRAY[…]`, whose meaning and errors are the server's.

use psycoxide_proto::Written;
use psycoxide_sql::oid::{self, Oid};
use psycoxide_sql::parameter::array::{MAX_DEPTH, write_quoted};
use psycoxide_sql::quote::number;
use pyo3::prelude::*;
use pyo3::types::PyList;

use super::{Dumped, Dumper};
use crate::adapt::registry::Native;

/// The number of bytes of an element's length.
const LENGTH: usize = 4;

/// What all elements are written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Element {
    oid: Oid,
    /// As text, so that the array is text, too.
    text: bool,
}

/// Why writing stopped.
enum Stop {
    /// There is no array for this list.
    Unfit,
    /// The elements have to be written as this.
    Wider(Element),
    Raised(PyErr),
}

impl From<PyErr> for Stop {
    fn from(error: PyErr) -> Self {
        Stop::Raised(error)
    }
}

/// An array that is being written.
struct Array {
    /// The number of elements in each dimension, as far as it is known.
    sizes: [Option<usize>; MAX_DEPTH],
    depth: usize,
    element: Option<Element>,
    has_nulls: bool,
}

impl Array {
    /// Whether it is written in the text format.
    fn is_text(&self) -> bool {
        self.element.is_some_and(|element| element.text)
    }

    /// Appends the header of the binary format.
    fn write_header(&self, out: &mut [u8], element: Oid) -> Option<()> {
        let sizes = self.sizes.get(..self.depth)?.iter();
        let dimensions = sizes.flat_map(|size| [i32::try_from(size.unwrap_or(0)).ok(), Some(1)]);
        let words = [i32::try_from(self.depth).ok(), Some(i32::from(self.has_nulls))];
        let words = words.into_iter().chain([Some(element.cast_signed())]).chain(dimensions);
        for (place, word) in out.as_chunks_mut().0.iter_mut().zip(words) {
            *place = word?.to_be_bytes();
        }
        Some(())
    }
}

impl<'py> Dumper<'_, 'py> {
    /// A list: an array if all its elements have one type.
    pub(super) fn list(
        &mut self,
        object: &Bound<'py, PyAny>,
        out: &mut Vec<u8>,
    ) -> PyResult<Dumped> {
        let start = out.len();
        // A list inside an adapter inside a list is an array with an own type: not here.
        if !self.in_array
            && let Ok(list) = object.cast::<PyList>()
        {
            if let Some(dumped) = self.array(list, None, out)? {
                return Ok(dumped);
            }
            out.truncate(start);
        }
        self.as_sql(Native::List, object, out)
    }

    /// Writes a list as an array of the type `oid` in binary. Returns false if it has another type.
    pub(super) fn list_of(
        &mut self,
        list: &Bound<'py, PyList>,
        oid: Oid,
        out: &mut Vec<u8>,
    ) -> PyResult<bool> {
        let element = (oid == oid::INT8_ARRAY).then_some(Element { oid: oid::INT8, text: false });
        let written = self.array(list, element, out)?;
        Ok(written == Some(Dumped::Bound(oid, Written::Binary)))
    }

    /// Writes an array, whose elements are at least as wide as `element`. `None` if there is no
    /// array of one type.
    fn array(
        &mut self,
        list: &Bound<'py, PyList>,
        element: Option<Element>,
        out: &mut Vec<u8>,
    ) -> PyResult<Option<Dumped>> {
        let Some(depth) = self.depth(list)? else { return Ok(None) };
        let was_in_array = std::mem::replace(&mut self.in_array, true);
        let written = self.elements(list, depth, element, out);
        self.in_array = was_in_array;
        written
    }

    fn elements(
        &mut self,
        list: &Bound<'py, PyList>,
        depth: usize,
        mut element: Option<Element>,
        out: &mut Vec<u8>,
    ) -> PyResult<Option<Dumped>> {
        let start = out.len();
        loop {
            let mut array = Array { sizes: [None; MAX_DEPTH], depth, element, has_nulls: false };
            out.truncate(start);
            if !array.is_text() {
                out.resize(start + 12 + 8 * depth, 0);
            }
            match self.items(list, 0, &mut array, out) {
                Ok(()) => {}
                Err(Stop::Unfit) => return Ok(None),
                Err(Stop::Wider(wider)) => {
                    element = Some(wider);
                    continue;
                }
                Err(Stop::Raised(error)) => return Err(error),
            }
            // There is none if all elements are NULL.
            let Some(element) = array.element else { return Ok(None) };
            let Some(oid) = oid::array_of(element.oid) else { return Ok(None) };
            if element.text {
                return Ok(Some(Dumped::Bound(oid, Written::Text)));
            }
            let header = out.get_mut(start..start + 12 + 8 * depth).unwrap_or_default();
            let written = array.write_header(header, element.oid);
            return Ok(written.map(|()| Dumped::Bound(oid, Written::Binary)));
        }
    }

    /// How deep lists are nested, by the first item of each. `None` if that is too deep, or if one
    /// of them is empty.
    fn depth(&mut self, list: &Bound<'py, PyList>) -> PyResult<Option<usize>> {
        let mut list = list.clone();
        for depth in 1..=MAX_DEPTH {
            if list.is_empty() {
                return Ok(None);
            }
            match self.inner_list(&list.get_item(0)?)? {
                Some(inner) => list = inner,
                None => return Ok(Some(depth)),
            }
        }
        Ok(None)
    }

    /// The list that an item is, if lists are adapted as usual.
    fn inner_list(&mut self, item: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyList>>> {
        let Ok(list) = item.cast_exact::<PyList>() else { return Ok(None) };
        let usual = self.quoter.native_for(item)? == Some(Native::List);
        Ok(usual.then(|| list.clone()))
    }

    /// Writes the items of a list that is `level` lists deep.
    fn items(
        &mut self,
        list: &Bound<'py, PyList>,
        level: usize,
        array: &mut Array,
        out: &mut Vec<u8>,
    ) -> Result<(), Stop> {
        let text = array.is_text();
        if text {
            out.push(b'{');
        }
        let mut index = 0;
        // The length is read anew each time: an adapter may change the list.
        while index < list.len() {
            if text && index > 0 {
                out.push(b',');
            }
            let item = list.get_item(index)?;
            if level + 1 < array.depth {
                let inner = self.inner_list(&item)?.ok_or(Stop::Unfit)?;
                self.items(&inner, level + 1, array, out)?;
            } else {
                self.item(&item, array, out)?;
            }
            index += 1;
        }
        if text {
            out.push(b'}');
        }
        let size = array.sizes.get_mut(level).ok_or(Stop::Unfit)?.get_or_insert(index);
        if index > 0 && *size == index { Ok(()) } else { Err(Stop::Unfit) }
    }

    #[inline]
    fn item(
        &mut self,
        item: &Bound<'py, PyAny>,
        array: &mut Array,
        out: &mut Vec<u8>,
    ) -> Result<(), Stop> {
        if item.is_instance_of::<PyList>() {
            return Err(Stop::Unfit);
        }
        let text = array.is_text();
        let before = out.len();
        if !text {
            out.extend_from_slice(&(-1_i32).to_be_bytes());
        }
        let start = out.len();
        let found = match self.value(item, out)? {
            Dumped::Literal => return Err(Stop::Unfit),
            Dumped::Bound(_, Written::Null) => {
                array.has_nulls = true;
                if text {
                    out.extend_from_slice(b"NULL");
                }
                return Ok(());
            }
            // Strings alone make an array of texts, whose binary format is the text.
            Dumped::Bound(0, _) => Element { oid: oid::TEXT, text: false },
            Dumped::Bound(oid, written) => Element { oid, text: written == Written::Text },
        };
        match array.element {
            Some(element) if element == found => {}
            Some(element) => self.convert(found, element, start, out)?,
            None if found.text => return Err(Stop::Wider(found)),
            None => array.element = Some(found),
        }
        if !text {
            let length = i32::try_from(out.len() - start).map_err(|_| Stop::Unfit)?;
            let place = out.get_mut(before..).and_then(<[u8]>::first_chunk_mut::<LENGTH>);
            *place.ok_or(Stop::Unfit)? = length.to_be_bytes();
        } else if !out.get(start..).is_some_and(is_plain) {
            self.sql.clear();
            self.sql.extend_from_slice(out.get(start..).unwrap_or_default());
            out.truncate(start);
            write_quoted(out, &self.sql, self.dialect.encoding).map_err(|_| Stop::Unfit)?;
        }
        Ok(())
    }

    /// Converts an element that was written at `start` to the type of the others, or asks for all
    /// to be written as this one is. The wider type is the one that the server chooses.
    ///
    /// <https://www.postgresql.org/docs/current/typeconv-union-case.html>
    fn convert(
        &self,
        found: Element,
        wanted: Element,
        start: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Stop> {
        let (Some(rank), Some(wanted_rank)) = (number_rank(found.oid), number_rank(wanted.oid))
        else {
            return Err(Stop::Unfit);
        };
        if rank > wanted_rank {
            return Err(Stop::Wider(found));
        }
        let bytes = out.get(start..).unwrap_or_default();
        if is_integer(found.oid) && !found.text {
            let value = integer(bytes).ok_or(Stop::Unfit)?;
            out.truncate(start);
            match wanted.oid {
                oid::INT8 => out.extend_from_slice(&value.to_be_bytes()),
                oid::FLOAT8 if !wanted.text => {
                    let float = exact_float(value).ok_or(Stop::Unfit)?;
                    out.extend_from_slice(&float.to_be_bytes());
                }
                oid::NUMERIC => {
                    number::write_plain_integer(out, value);
                }
                _ => return Err(Stop::Unfit),
            }
            return Ok(());
        }
        // A decimal keeps its digits, unless its literal would lose them in the same place.
        if found.oid == oid::NUMERIC
            && wanted.oid == oid::FLOAT8
            && self.literal_types
            && !wanted.text
        {
            let text = str::from_utf8(bytes).map_err(|_| Stop::Unfit)?;
            let float: f64 = text.parse().map_err(|_| Stop::Unfit)?;
            if !float.is_finite() {
                return Err(Stop::Unfit);
            }
            out.truncate(start);
            // A numeric constant has no negative zero.
            out.extend_from_slice(&(float + 0.0).to_be_bytes());
            return Ok(());
        }
        Err(Stop::Unfit)
    }
}

/// The order in which types of numbers give way to each other.
fn number_rank(oid: Oid) -> Option<u8> {
    Some(match oid {
        oid::INT4 => 0,
        oid::INT8 => 1,
        oid::NUMERIC => 2,
        oid::FLOAT8 => 3,
        _ => return None,
    })
}

/// Whether an element needs no quotes in an array's text.
fn is_plain(text: &[u8]) -> bool {
    let plain =
        |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
    !text.is_empty() && text.iter().all(plain)
}

pub(super) fn is_integer(oid: Oid) -> bool {
    matches!(oid, oid::INT4 | oid::INT8)
}

/// The value of an `int4` or `int8` in binary.
pub(super) fn integer(bytes: &[u8]) -> Option<i64> {
    match <[u8; 4]>::try_from(bytes) {
        Ok(four) => Some(i64::from(i32::from_be_bytes(four))),
        Err(_) => Some(i64::from_be_bytes(bytes.try_into().ok()?)),
    }
}

/// The float that equals an integer, if there is one.
fn exact_float(value: i64) -> Option<f64> {
    const MOST: u64 = 1 << 53;
    #[expect(clippy::cast_precision_loss, reason = "it is not so large")]
    (value.unsigned_abs() <= MOST).then_some(value as f64)
}
