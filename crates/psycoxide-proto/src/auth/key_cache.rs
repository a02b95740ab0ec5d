//! The keys of passwords that were stretched before.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::scram::Keys;

/// So many roles a program logs in as, at most, before the first has to be stretched again.
const MOST: usize = 64;

/// SCRAM keys by what they were derived from: a password, a salt and a number of rounds. Stretching
/// is nearly all that connecting costs, and a pool does it again and again for the same password;
/// RFC 5802 (section 3) lets clients keep the keys.
///
/// Clones share one store. A server has to prove that it knows the password before its keys come
/// in. Passwords are not kept, and keys are wiped when they leave.
#[derive(Clone, Default)]
pub struct KeyCache(Arc<Mutex<VecDeque<Kept>>>);

type Kept = (Label, Arc<Keys>);

/// What keys were derived from, hashed.
#[derive(Clone, Copy)]
pub(crate) struct Label([u8; 32]);

impl Label {
    pub(crate) fn new(password: &[u8], salt: &[u8], iterations: u32) -> Label {
        // The lengths keep apart what a password and a salt could say together.
        let hash = Sha256::new()
            .chain_update(iterations.to_be_bytes())
            .chain_update(salt.len().to_be_bytes())
            .chain_update(salt)
            .chain_update(password);
        Label(hash.finalize().into())
    }
}

impl KeyCache {
    /// What is kept, unless another thread looks at it at this moment: then the password is
    /// stretched once more. To wait would be for ever in a child that was forked meanwhile.
    fn kept(&self) -> Option<MutexGuard<'_, VecDeque<Kept>>> {
        self.0.try_lock().ok()
    }

    pub(crate) fn get(&self, label: &Label) -> Option<Arc<Keys>> {
        let kept = self.kept()?;
        let found = kept.iter().find(|(known, _)| known.0.ct_eq(&label.0).into());
        found.map(|(_, keys)| Arc::clone(keys))
    }

    /// Keeps keys; the oldest go when there are too many.
    pub(crate) fn keep(&self, label: Label, keys: &Arc<Keys>) {
        if self.get(&label).is_some() {
            return;
        }
        let Some(mut kept) = self.kept() else { return };
        kept.truncate(MOST - 1);
        kept.push_front((label, Arc::clone(keys)));
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

    #[test]
    fn it_is_bounded_and_the_newest_stay() {
        let cache = KeyCache::default();
        let label = |number: u32| Label::new(b"p", b"s", number);
        let keys = Arc::new(Keys::new(&Default::default()));
        for number in 0..200 {
            cache.keep(label(number), &keys);
            cache.keep(label(number), &keys);
        }
        assert_eq!(cache.0.lock().unwrap().len(), MOST);
        assert!(cache.get(&label(199)).is_some() && cache.get(&label(136)).is_some());
        assert!(cache.get(&label(135)).is_none());
        assert_eq!(Arc::strong_count(&keys), 1 + MOST);
    }

    #[test]
    fn password_and_salt_are_told_apart() {
        assert_ne!(Label::new(b"bc", b"a", 1).0, Label::new(b"c", b"ab", 1).0);
        assert_eq!(format!("{:?}", KeyCache::default()), "KeyCache");
    }
}
