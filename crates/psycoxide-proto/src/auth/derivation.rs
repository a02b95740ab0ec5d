//! PBKDF2 with HMAC-SHA-256 and one block of output (RFC 8018), in slices, so that callers can look
//! at the clock in between.

use hmac::Mac;
use sha2::block_api::compress256;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::keys::{Key, keyed};
use crate::error::AuthError;

/// The greatest number of rounds that a server may ask for. PostgreSQL's default is 4096; a hostile
/// server could keep a client busy for hours (CVE-2026-42198).
pub const MAX_ITERATIONS: u32 = 10_000_000;

/// The state of SHA-256.
type State = [u32; 8];

/// The initial state of SHA-256 (FIPS 180-4, section 5.3.3).
const INITIAL: State = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// The rounds that one call of [`Derivation::work`] does at most: less than a millisecond, and
/// enough for a server's default.
const SLICE: u32 = 4096;

/// The stretching of a password, with its state.
///
/// A round is an HMAC of 32 bytes: two calls of SHA-256's compression function on a block that is
/// laid out once. General hashers would copy and pad their buffers in each round.
pub(crate) struct Derivation {
    /// The states after the key's inner and outer block.
    keyed: Zeroizing<[State; 2]>,
    /// The last round's output, padded to the next message block.
    block: Zeroizing<[u8; 64]>,
    sum: Key,
    left: u32,
}

impl Derivation {
    pub(crate) fn new(
        password: &[u8],
        salt: &[u8],
        iterations: u32,
    ) -> Result<Derivation, AuthError> {
        if !(1..=MAX_ITERATIONS).contains(&iterations) {
            return Err(AuthError::Iterations);
        }
        let mut first = keyed(password);
        first.update(salt);
        first.update(&1_u32.to_be_bytes());
        let sum: Key = Zeroizing::new(first.finalize().into_bytes().into());
        // The padding of FIPS 180-4, with the length in bits of the key's block and 32 bytes.
        let length = (96_u64 * 8).to_be_bytes();
        let padded = sum.iter().chain(&[0x80]).chain(&[0; 23]).chain(&length);
        let mut block = Zeroizing::new([0; 64]);
        block.iter_mut().zip(padded).for_each(|(byte, other)| *byte = *other);
        let keyed = Zeroizing::new([key_state(password, 0x36), key_state(password, 0x5c)]);
        Ok(Derivation { keyed, block, sum, left: iterations - 1 })
    }

    /// Does up to [`SLICE`] rounds. Returns the salted password after the last.
    pub(crate) fn work(&mut self) -> Option<Key> {
        let rounds = self.left.min(SLICE);
        for _ in 0..rounds {
            for key in self.keyed.iter() {
                let mut state = *key;
                compress256(&mut state, std::slice::from_ref(&*self.block));
                for (bytes, word) in self.block.chunks_exact_mut(4).zip(state) {
                    bytes.copy_from_slice(&word.to_be_bytes());
                }
            }
            for (byte, other) in self.sum.iter_mut().zip(self.block.iter()) {
                *byte ^= other;
            }
        }
        self.left -= rounds;
        if self.left == 0 { Some(Key::clone(&self.sum)) } else { None }
    }
}

/// The state after HMAC's first block: every byte of the key, XORed with `pad`.
fn key_state(key: &[u8], pad: u8) -> State {
    let mut block = Zeroizing::new([pad; 64]);
    let digest: Key;
    let key = if key.len() > block.len() {
        digest = Zeroizing::new(Sha256::digest(key).into());
        digest.as_slice()
    } else {
        key
    };
    block.iter_mut().zip(key).for_each(|(byte, other)| *byte ^= other);
    let mut state = INITIAL;
    compress256(&mut state, std::slice::from_ref(&*block));
    state
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8018's definition, word for word, for key lengths and round counts at the limits.
    #[test]
    fn it_is_pbkdf2() {
        for length in [0, 1, 31, 32, 63, 64, 65, 200] {
            let password = vec![b'p'; length];
            for rounds in [1, 2, 3, 100, SLICE + 2] {
                let mut mac = keyed(&password);
                mac.update(b"salt\0\0\0\x01");
                let mut last: [u8; 32] = mac.finalize().into_bytes().into();
                let mut sum = last;
                for _ in 1..rounds {
                    let mut mac = keyed(&password);
                    mac.update(&last);
                    last = mac.finalize().into_bytes().into();
                    sum.iter_mut().zip(last).for_each(|(byte, other)| *byte ^= other);
                }
                let mut derivation = Derivation::new(&password, b"salt", rounds).unwrap();
                let found = std::iter::repeat_with(|| derivation.work()).flatten().next();
                assert_eq!(*found.unwrap(), sum, "{length} {rounds}");
            }
        }
    }
}
