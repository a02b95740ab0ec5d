//! The keys that SCRAM derives from a stretched password.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// A key, or the salted password.
pub(crate) type Key = Zeroizing<[u8; 32]>;

/// RFC 5802's ClientKey, StoredKey and ServerKey.
pub(crate) struct Keys {
    pub(super) client: Key,
    pub(super) stored: Key,
    pub(super) server: Key,
}

impl Keys {
    pub(super) fn new(salted: &Key) -> Keys {
        let client = Zeroizing::new(mac(&**salted, b"Client Key"));
        let stored = Zeroizing::new(Sha256::digest(*client).into());
        let server = Zeroizing::new(mac(&**salted, b"Server Key"));
        Keys { client, stored, server }
    }

    /// Keys given instead of a password.
    pub(crate) fn given(client: Key, server: Key) -> Keys {
        let stored = Zeroizing::new(Sha256::digest(*client).into());
        Keys { client, stored, server }
    }
}

pub(super) fn mac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = keyed(key);
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// HMAC takes a key of any length, so its constructor's error cannot happen. If it did, a key of
/// zeros would make authentication fail.
pub(super) fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).unwrap_or_else(|_| Hmac::new(&Default::default()))
}
