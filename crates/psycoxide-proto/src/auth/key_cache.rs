//! The keys of passwords that were stretched before.
#![expect(clippy::disallowed_types, reason = "the store is the caller's, which hands it in")]

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use hmac::Mac;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::keys::{Keys, keyed};

/// So many roles a program logs in as, at most, before the first has to be stretched again.
const MOST: usize = 64;

/// SCRAM keys by what they were derived from: a password, a salt and a number of rounds. Stretching
/// is nearly all that connecting costs, and a pool does it again and again for the same password;
/// RFC 5802 (section 3) lets clients keep the keys.
///
/// Clones share one store; [`KeyCache::default`] keeps nothing. A server has to prove that it knows
/// the password before its keys come in. Passwords are not kept, and keys are wiped when they leave.
#[derive(Clone, Default)]
pub struct KeyCache(Option<Arc<Store>>);

struct Store {
    /// What labels are made with, so that a label alone, in a dump of memory or in a page that was
    /// swapped out, is nothing to try passwords against.
    secret: Zeroizing<[u8; 32]>,
    entries: Mutex<VecDeque<Entry>>,
}

type Entry = (Label, Arc<Keys>);

/// What keys were derived from, under the store's secret.
#[derive(Clone, Copy)]
pub(crate) struct Label([u8; 32]);

impl KeyCache {
    /// An empty store. `secret` is random, and known to nobody else.
    pub fn new(secret: Zeroizing<[u8; 32]>) -> KeyCache {
        KeyCache(Some(Arc::new(Store { secret, entries: Mutex::default() })))
    }

    /// What keys derived from this are found by; none where nothing is kept.
    pub(crate) fn label(&self, password: &[u8], salt: &[u8], iterations: u32) -> Option<Label> {
        let store = self.0.as_ref()?;
        // The length keeps apart what a salt and a password could say together.
        let mac = keyed(&*store.secret)
            .chain_update(iterations.to_be_bytes())
            .chain_update(salt.len().to_be_bytes())
            .chain_update(salt)
            .chain_update(password);
        Some(Label(mac.finalize().into_bytes().into()))
    }

    /// What is kept, unless another thread looks at it at this moment: then the password is
    /// stretched once more. To wait would be for ever in a child that was forked meanwhile.
    fn entries(&self) -> Option<MutexGuard<'_, VecDeque<Entry>>> {
        self.0.as_ref()?.entries.try_lock().ok()
    }

    pub(crate) fn get(&self, label: &Label) -> Option<Arc<Keys>> {
        let entries = self.entries()?;
        let found = entries.iter().find(|(known, _)| known.0.ct_eq(&label.0).into());
        found.map(|(_, keys)| Arc::clone(keys))
    }

    /// Keeps keys; the oldest go when there are too many.
    pub(crate) fn keep(&self, label: Label, keys: &Arc<Keys>) {
        if self.get(&label).is_some() {
            return;
        }
        let Some(mut entries) = self.entries() else { return };
        entries.truncate(MOST - 1);
        entries.push_front((label, Arc::clone(keys)));
    }
}

/// Prints none of it.
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
        assert_eq!(cache.entries().unwrap().len(), MOST);
        assert!(cache.get(&label(199)).is_some() && cache.get(&label(136)).is_some());
        assert!(cache.get(&label(135)).is_none());
        assert_eq!(Arc::strong_count(&keys), 1 + MOST);
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

    /// A child that was forked while another thread held the lock finds it held for ever.
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
