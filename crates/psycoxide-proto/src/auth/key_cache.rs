//! A cache of SCRAM keys.
#![expect(clippy::disallowed_types, reason = "the store is the caller's, which hands it in")]

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use hmac::Mac;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::keys::{Keys, keyed};

/// The capacity, in roles that a program logs in as.
const CAPACITY: usize = 64;

/// SCRAM keys by the password, the salt and the number of rounds that they were derived from.
/// Stretching the password is nearly the whole cost of connecting, and a pool repeats it for the
/// same password. RFC 5802 (section 3) lets clients keep the keys.
///
/// Clones share one store; [`KeyCache::default`] has none. Keys enter only after the server has
/// proved that it knows the password. Passwords are never stored, and keys are wiped when they
/// leave.
#[derive(Clone, Default)]
pub struct KeyCache(Option<Arc<Store>>);

struct Store {
    /// The key of the labels. Without it nobody who finds a label, in a memory dump or a swapped
    /// page, can try passwords against it.
    secret: Zeroizing<[u8; 32]>,
    entries: Mutex<VecDeque<Entry>>,
}

type Entry = (Label, Arc<Keys>);

/// An HMAC, under the store's secret, of what the keys were derived from.
#[derive(Clone, Copy)]
pub(crate) struct Label([u8; 32]);

impl KeyCache {
    /// An empty store. `secret` must be random, and known to nobody else.
    pub fn new(secret: Zeroizing<[u8; 32]>) -> KeyCache {
        KeyCache(Some(Arc::new(Store { secret, entries: Mutex::default() })))
    }

    /// The label of a password, a salt and a number of rounds; `None` if there is no store.
    pub(crate) fn label(&self, password: &[u8], salt: &[u8], iterations: u32) -> Option<Label> {
        let store = self.0.as_ref()?;
        // The salt's length keeps different pairs of salt and password apart.
        let mac = keyed(&*store.secret)
            .chain_update(iterations.to_be_bytes())
            .chain_update(salt.len().to_be_bytes())
            .chain_update(salt)
            .chain_update(password);
        Some(Label(mac.finalize().into_bytes().into()))
    }

    /// The entries, unless another thread holds the lock at this moment: then the password is
    /// stretched once more. Waiting could last for ever in a child that was forked meanwhile.
    fn entries(&self) -> Option<MutexGuard<'_, VecDeque<Entry>>> {
        self.0.as_ref()?.entries.try_lock().ok()
    }

    pub(crate) fn get(&self, label: &Label) -> Option<Arc<Keys>> {
        let entries = self.entries()?;
        let found = entries.iter().find(|(known, _)| known.0.ct_eq(&label.0).into());
        found.map(|(_, keys)| Arc::clone(keys))
    }

    /// Stores keys. Drops the oldest ones if there are too many.
    pub(crate) fn keep(&self, label: Label, keys: &Arc<Keys>) {
        if self.get(&label).is_some() {
            return;
        }
        let Some(mut entries) = self.entries() else { return };
        entries.truncate(CAPACITY - 1);
        entries.push_front((label, Arc::clone(keys)));
    }
}

/// Prints nothing of the contents.
impl fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyCache")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(secret: u8) -> KeyCache {
        KeyCache::new(Zeroizing::new([secret; 32]))
    }

    fn keys() -> Arc<Keys> {
        Arc::new(Keys::new(&Default::default()))
    }

    #[test]
    fn it_is_bounded_and_the_newest_stay() {
        let (cache, keys) = (cache(1), keys());
        let label = |number: u32| cache.label(b"p", b"s", number).unwrap();
        for number in 0..200 {
            cache.keep(label(number), &keys);
            cache.keep(label(number), &keys);
        }
        assert_eq!(cache.entries().unwrap().len(), CAPACITY);
        assert!(cache.get(&label(199)).is_some() && cache.get(&label(136)).is_some());
        assert!(cache.get(&label(135)).is_none());
        assert_eq!(Arc::strong_count(&keys), 1 + CAPACITY);
    }

    #[test]
    fn labels_tell_password_and_salt_apart_and_are_of_one_store() {
        let label = |secret, password: &[u8], salt: &[u8]| {
            cache(secret).label(password, salt, 1).unwrap().0
        };
        assert_eq!(label(1, b"bc", b"a"), label(1, b"bc", b"a"));
        assert_ne!(label(1, b"bc", b"a"), label(1, b"c", b"ab"));
        assert_ne!(label(1, b"bc", b"a"), label(2, b"bc", b"a"));
        assert_eq!(format!("{:?}", cache(1)), "KeyCache");
        assert!(KeyCache::default().label(b"p", b"s", 1).is_none());
    }

    /// A child that was forked while another thread held the lock finds it locked for ever.
    #[test]
    fn nobody_waits_for_the_store() {
        let (cache, keys) = (cache(1), keys());
        let label = cache.label(b"p", b"s", 1).unwrap();
        cache.keep(label, &keys);
        let held = cache.entries().unwrap();
        assert!(cache.get(&label).is_none());
        cache.keep(cache.label(b"p", b"s", 2).unwrap(), &keys);
        drop(held);
        assert!(cache.get(&label).is_some());
    }
}
