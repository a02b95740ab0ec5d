//! The memory that the socket fills.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use memmap2::MmapMut;

/// The size of a huge page, where there are such.
pub(crate) const HUGE: usize = 2 << 20;

/// Bytes in memory, all of them written to once at least.
#[derive(Default)]
pub(crate) struct Buffer(Memory);

enum Memory {
    Heap(Vec<u8>),
    /// Pages of the system's, as large ones as it has: a result of megabytes is written once and
    /// read once, so that a fault for each 4 kB is a good part of its price.
    Pages(MmapMut),
}

impl Default for Memory {
    fn default() -> Self {
        Self::Heap(Vec::new())
    }
}

impl Buffer {
    /// A buffer of zeros.
    pub(crate) fn zeroed(size: usize) -> Self {
        match (size == HUGE).then(huge_page).flatten() {
            Some(pages) => Self(Memory::Pages(pages)),
            None => Self(Memory::Heap(vec![0; size])),
        }
    }

    /// Only the first bytes, and no more memory than they need.
    pub(crate) fn cut(&mut self, length: usize) {
        match &mut self.0 {
            Memory::Heap(bytes) => {
                bytes.truncate(length);
                bytes.shrink_to_fit();
            }
            Memory::Pages(bytes) => {
                let head = bytes.get(..length).unwrap_or_default().to_vec();
                self.0 = Memory::Heap(head);
            }
        }
    }
}

/// A huge page, if the system has one at hand.
///
/// To clear one takes a tenth of a millisecond or two. In a virtual machine it may have to come from
/// the host, in small pieces, which takes milliseconds: more than all that it would save. Then the
/// memory that the allocator has is better for a while.
fn huge_page() -> Option<MmapMut> {
    const SLOW: Duration = Duration::from_millis(1);
    /// So many are not asked for after a slow one.
    const PAUSE: u32 = 32;
    static LEFT_OUT: AtomicU32 = AtomicU32::new(0);
    let left = LEFT_OUT.load(Ordering::Relaxed);
    if left > 0 {
        LEFT_OUT.store(left - 1, Ordering::Relaxed);
        return None;
    }
    let mut pages = MmapMut::map_anon(HUGE).ok()?;
    // Only advice: without it the pages are of the ordinary size.
    #[cfg(target_os = "linux")]
    let _ = pages.advise(memmap2::Advice::HugePage);
    let begun = Instant::now();
    if let Some(first) = pages.first_mut() {
        *first = 0;
    }
    if begun.elapsed() > SLOW {
        LEFT_OUT.store(PAUSE, Ordering::Relaxed);
    }
    Some(pages)
}

impl From<Vec<u8>> for Buffer {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Memory::Heap(bytes))
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Memory::Heap(bytes) => bytes,
            Memory::Pages(bytes) => bytes,
        }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        match &mut self.0 {
            Memory::Heap(bytes) => bytes,
            Memory::Pages(bytes) => bytes,
        }
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Self {
        Self::from(self.to_vec())
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heap_and_pages_are_alike() {
        for size in [0, 10, HUGE - 1, HUGE, HUGE + 1] {
            let mut buffer = Buffer::zeroed(size);
            assert!(buffer.len() == size && buffer.iter().all(|byte| *byte == 0));
            // A huge page is not always at hand.
            assert!(size == HUGE || matches!(buffer.0, Memory::Heap(_)));
            buffer.fill(7);
            assert_eq!(*buffer.clone(), *buffer);
            buffer.cut(size / 2);
            assert!(buffer.len() == size / 2 && buffer.iter().all(|byte| *byte == 7));
            assert!(matches!(buffer.0, Memory::Heap(_)));
        }
    }
}
