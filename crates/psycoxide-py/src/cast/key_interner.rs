//! Interning the keys of JSON objects and of `hstore` values.

use std::cell::RefCell;

use pyo3::prelude::*;

use crate::object::{Decoded, Raised};

/// The keys of the objects that a fetch has read so far: rows repeat them, and one `str` for all
/// saves memory and hashing.
#[derive(Default)]
pub struct KeyInterner {
    /// A direct-mapped cache: each key is in the slot of its hash, and the newest one stays.
    slots: RefCell<Vec<Option<Key>>>,
}

struct Key {
    text: Box<[u8]>,
    string: Py<PyAny>,
}

impl KeyInterner {
    /// Few rows have more keys; a power of two.
    const SLOTS: usize = 128;
    /// Longer keys are not likely to repeat.
    const LONGEST: usize = 64;

    /// The `str` for `text`: the one seen before, or a new one by `make`.
    pub fn intern<'py>(
        &self,
        py: Python<'py>,
        text: &[u8],
        make: impl FnOnce() -> Decoded,
    ) -> Result<Bound<'py, PyAny>, Raised> {
        if text.len() > Self::LONGEST {
            return Ok(make()?.into_bound(py));
        }
        let mut slots = self.slots.borrow_mut();
        if slots.is_empty() {
            slots.resize_with(Self::SLOTS, || None);
        }
        let Some(slot) = slots.get_mut(hash(text) % Self::SLOTS) else {
            return Ok(make()?.into_bound(py));
        };
        if let Some(key) = slot
            && *key.text == *text
        {
            return Ok(key.string.bind(py).clone());
        }
        let string = make()?.into_bound(py);
        *slot = Some(Key { text: text.into(), string: string.clone().unbind() });
        Ok(string)
    }
}

/// FNV-1a.
fn hash(text: &[u8]) -> usize {
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = text.iter().fold(0xcbf2_9ce4_8422_2325, mix);
    // The high bits are folded in, as the low ones alone mix poorly; the truncation is intended.
    (hash ^ (hash >> 32)) as usize
}
