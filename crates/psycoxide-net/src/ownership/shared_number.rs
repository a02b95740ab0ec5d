//! Memory that a process shares with the children that it will fork: a number for each session.
//!
//! The memory has to be shared before anybody knows whether there will be a fork, so it costs next
//! to nothing: one page for hundreds of sessions, and no lock, which a thread could hold at the
//! moment of a fork. A child takes no numbers from inherited pages, because its parent still does.

use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::{mem, ptr};

use super::fork::Epoch;

/// The size of a page, the smallest piece of memory that the kernel maps.
const PAGE_SIZE: usize = 4096;
const NUMBERS: usize = PAGE_SIZE / mem::size_of::<AtomicU64>();
const BITS: usize = 64;

/// A list of the pages of this process, followed by those of its parents. Pages are never freed.
static PAGES: AtomicPtr<Page> = AtomicPtr::new(ptr::null_mut());

#[derive(Debug)]
struct Page {
    /// The generation of the process that made the page.
    generation: u64,
    /// A bit for each number that is in use.
    used: [AtomicU64; NUMBERS / BITS],
    numbers: &'static [AtomicU64; NUMBERS],
    next: *const Page,
}

/// A number that is shared with the children to come.
#[derive(Debug)]
pub struct SharedNumber {
    number: &'static AtomicU64,
    page: &'static Page,
    place: usize,
}

// SAFETY: only the atomics of a page change after it is published, and it is never freed. `next` is
// only read, and points to a page that existed before.
unsafe impl Sync for Page {}

impl SharedNumber {
    /// Takes a number that no other session has; `None` if there is no memory.
    pub fn take() -> Option<Self> {
        let generation = Epoch::now().generation();
        let mut at = PAGES.load(Ordering::Acquire).cast_const();
        // SAFETY: the pages of the list were leaked, so they live for ever.
        while let Some(page) = unsafe { at.as_ref() }.filter(|page| page.generation == generation) {
            if let Some(shared) = page.take() {
                return Some(shared);
            }
            at = page.next;
        }
        Page::add(generation)?.take()
    }

    /// The number.
    pub fn number(&self) -> &AtomicU64 {
        self.number
    }
}

impl Drop for SharedNumber {
    fn drop(&mut self) {
        // A child must not give back what belongs to its parent.
        if self.page.generation == Epoch::now().generation()
            && let Some(used) = self.page.used.get(self.place / BITS)
        {
            used.fetch_and(!(1 << (self.place % BITS)), Ordering::AcqRel);
        }
    }
}

impl Page {
    /// Takes a number that nobody uses.
    fn take(&'static self) -> Option<SharedNumber> {
        for (word, used) in self.used.iter().enumerate() {
            let mut seen = used.load(Ordering::Relaxed);
            while seen != u64::MAX {
                let bit = seen.trailing_ones();
                let taken = seen | 1 << bit;
                match used.compare_exchange_weak(seen, taken, Ordering::AcqRel, Ordering::Relaxed) {
                    Ok(_) => {
                        let place = word * BITS + usize::try_from(bit).ok()?;
                        let number = self.numbers.get(place)?;
                        return Some(SharedNumber { number, page: self, place });
                    }
                    Err(now) => seen = now,
                }
            }
        }
        None
    }

    /// Adds a page. If two threads each add one at the same time, both pages are used.
    fn add(generation: u64) -> Option<&'static Self> {
        let numbers = shared()?;
        let used = [const { AtomicU64::new(0) }; NUMBERS / BITS];
        let page = Box::into_raw(Box::new(Self { generation, used, numbers, next: ptr::null() }));
        let mut next = PAGES.load(Ordering::Acquire);
        loop {
            // SAFETY: nobody else knows the page yet.
            unsafe { (*page).next = next };
            match PAGES.compare_exchange_weak(next, page, Ordering::AcqRel, Ordering::Acquire) {
                // SAFETY: it was leaked above, and only its atomics change from here on.
                Ok(_) => return unsafe { page.as_ref() },
                Err(now) => next = now,
            }
        }
    }
}

/// Maps numbers that parent and children share.
fn shared() -> Option<&'static [AtomicU64; NUMBERS]> {
    let (access, kind) =
        (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
    // SAFETY: the kernel chooses the address of new memory, so no other memory is touched.
    let memory = unsafe { libc::mmap(ptr::null_mut(), PAGE_SIZE, access, kind, -1, 0) };
    if memory == libc::MAP_FAILED {
        return None;
    }
    // SAFETY: the memory is as large as the array, aligned to a page, zeroed, and never unmapped.
    Some(unsafe { &*memory.cast() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_taken_once() {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                std::thread::spawn(|| {
                    (0..NUMBERS).map(|_| SharedNumber::take().unwrap()).collect::<Vec<_>>()
                })
            })
            .collect();
        let numbers: Vec<SharedNumber> =
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        let places: std::collections::HashSet<_> =
            numbers.iter().map(|shared| ptr::from_ref(shared.number())).collect();
        assert_eq!(places.len(), 4 * NUMBERS);
        // Numbers that were given back are taken again.
        drop(numbers);
        let again: Vec<_> = (0..NUMBERS).map(|_| SharedNumber::take().unwrap()).collect();
        assert!(again.iter().any(|shared| places.contains(&ptr::from_ref(shared.number()))));
    }
}
