//! Arrays in binary: the number of dimensions, the element type, the dimensions, then the elements.

use super::FAULT;
use crate::text::Malformed;
use crate::text::array::MAX_DEPTH;

/// An array: its shape, and its elements in row-major order.
///
/// The shape is checked against the bytes: it has no more elements than fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Array<'a> {
    /// The element's type.
    pub element: u32,
    /// The dimensions, of an array that is not empty.
    pub dimensions: &'a [Dimension],
    bytes: &'a [u8],
}

/// A dimension of an array: its size and its lower bound.
pub type Dimension = [u8; 8];

/// The number of elements in a dimension.
#[inline]
pub fn size([s1, s2, s3, s4, ..]: Dimension) -> usize {
    // It is not negative: `parse` has refused that.
    usize::try_from(i32::from_be_bytes([s1, s2, s3, s4])).unwrap_or(0)
}

impl<'a> Array<'a> {
    /// Reads the header of an array. Lower bounds are dropped.
    #[inline]
    pub fn parse(mut bytes: &'a [u8]) -> Result<Self, Malformed> {
        let depth = usize::try_from(int32(&mut bytes)?).map_err(|_| FAULT)?;
        let _has_nulls = int32(&mut bytes)?;
        let element = int32(&mut bytes)?.cast_unsigned();
        if depth > MAX_DEPTH {
            return Err(FAULT);
        }
        let (dimensions, bytes) = bytes.split_at_checked(depth * 8).ok_or(FAULT)?;
        let (dimensions, _): (&[Dimension], _) = dimensions.as_chunks();
        let mut count = usize::from(depth > 0);
        for [s1, s2, s3, s4, ..] in dimensions {
            let size = i32::from_be_bytes([*s1, *s2, *s3, *s4]);
            let size = usize::try_from(size).map_err(|_| FAULT)?;
            count = count.checked_mul(size).ok_or(FAULT)?;
        }
        // Each element takes at least four bytes, its length. An empty array has no dimensions.
        if count > bytes.len() / 4 || (depth > 0) != (count > 0) {
            return Err(FAULT);
        }
        Ok(Self { element, dimensions, bytes })
    }

    /// Takes the next element: its bytes, `None` for NULL.
    #[inline]
    pub fn next_element(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        let Ok(length) = usize::try_from(int32(&mut self.bytes)?) else { return Ok(None) };
        let (element, rest) = self.bytes.split_at_checked(length).ok_or(FAULT)?;
        self.bytes = rest;
        Ok(Some(element))
    }

    /// Takes the next element, of a type whose values have `N` bytes.
    #[inline(always)]
    pub fn next_fixed<const N: usize>(&mut self) -> Result<Option<[u8; N]>, Malformed> {
        let length = int32(&mut self.bytes)?;
        if length < 0 {
            return Ok(None);
        }
        let (element, rest) = self.bytes.split_first_chunk().ok_or(FAULT)?;
        if usize::try_from(length) != Ok(N) {
            return Err(FAULT);
        }
        self.bytes = rest;
        Ok(Some(*element))
    }

    /// Whether all elements have been taken.
    pub fn is_at_end(&self) -> bool {
        self.bytes.is_empty()
    }
}

#[inline]
fn int32(bytes: &mut &[u8]) -> Result<i32, Malformed> {
    let (first, rest) = bytes.split_first_chunk().ok_or(FAULT)?;
    *bytes = rest;
    Ok(i32::from_be_bytes(*first))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[i32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    #[test]
    fn shape_and_elements_are_read() {
        let bytes = words(&[2, 1, 23, 2, 1, 1, -5, 4, 7, -1]);
        let mut array = Array::parse(&bytes).unwrap();
        assert_eq!(array.element, 23);
        assert_eq!(array.dimensions.iter().copied().map(size).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(array.next_element(), Ok(Some(&[0, 0, 0, 7][..])));
        assert!(!array.is_at_end());
        assert_eq!(array.next_element(), Ok(None));
        assert!(array.is_at_end());
        let mut array = Array::parse(&bytes).unwrap();
        assert_eq!(array.clone().next_fixed::<2>(), Err(FAULT));
        assert_eq!(array.next_fixed(), Ok(Some([0, 0, 0, 7])));
        assert_eq!(array.next_fixed::<4>(), Ok(None));
        assert_eq!(array.next_fixed::<4>(), Err(FAULT));
        assert_eq!(array.next_element(), Err(FAULT));
        let empty = words(&[0, 0, 23]);
        let array = Array::parse(&empty).unwrap();
        assert!(array.dimensions.is_empty() && array.is_at_end());
    }

    #[test]
    fn contradictory_shapes_are_refused() {
        for bad in [
            vec![],
            vec![1],
            vec![1, 0, 23],
            vec![-1, 0, 23],
            vec![1, 0, 23, 0, 1],
            vec![1, 0, 23, -1, 1, -1],
            vec![1, 0, 23, 2, 1, -1],
            vec![1, 0, 23, i32::MAX, 1, -1],
            vec![3, 0, 23, i32::MAX, 1, i32::MAX, 1, i32::MAX, 1, -1],
        ] {
            assert_eq!(Array::parse(&words(&bad)), Err(FAULT), "{bad:?}");
        }
        let bytes = words(&[1, 0, 23, 1, 1, 5, 0]);
        assert_eq!(Array::parse(&bytes).unwrap().next_element(), Err(FAULT));
        for (depth, fits) in [(MAX_DEPTH, true), (MAX_DEPTH + 1, false)] {
            let mut nested = vec![i32::try_from(depth).unwrap(), 0, 23];
            nested.extend(std::iter::repeat_n(1, 2 * depth));
            nested.push(-1);
            assert_eq!(Array::parse(&words(&nested)).is_ok(), fits);
        }
    }
}
