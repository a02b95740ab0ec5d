//! The fuzz targets for certificates, revocation lists, and keys.
//!
//! They are part of this crate because the code under test is private. `fuzz/` calls them, and the
//! tests of this crate replay `fuzz/corpus` through them.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod forest;
mod hosts;
mod lists;
#[cfg(test)]
mod seeds;
#[cfg(test)]
mod tests;

pub use forest::chain;
pub use hosts::hosts;
pub use lists::revocation;

use std::sync::OnceLock;
use std::time::Duration;

use psycoxide_proto::Secret;
use rustls::crypto::ring::default_provider;

use super::algorithms::algorithms;
use super::certificate::{Certificate, Signed};
use super::chain::Trust;
use super::mint::Pair;
use super::pem::{Block, blocks};
use super::revocation::RevocationLists;
use super::{binding, key, name};

/// The name of a target, and its function.
type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("certificate", certificate),
    ("chain", chain),
    ("hosts", hosts),
    ("pem", pem),
    ("private_key", private_key),
    ("revocation", revocation),
];

/// The time of all targets, in 2030.
const NOW: Duration = Duration::from_secs(1_893_456_000);

/// How many key pairs there are.
const PAIRS: usize = 4;

/// A key pair. They are made once, because that takes longer than making certificates.
fn pair(number: usize) -> &'static Pair {
    static ALL: OnceLock<Vec<Pair>> = OnceLock::new();
    &ALL.get_or_init(|| (1..).take(PAIRS).map(Pair::new).collect())[number % PAIRS]
}

/// An input as a sequence of choices; zeros after its end.
struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or_default()
    }

    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end
    }

    /// A position below `among`, which may be larger than a byte.
    fn place(&mut self, among: usize) -> usize {
        (self.below(0x100) << 8 | self.below(0x100)) % among.max(1)
    }

    /// The next `count` bytes, or as many as there are.
    fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (bytes, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        bytes
    }

    /// Flips one bit.
    fn tamper(&mut self, der: &mut [u8]) {
        let place = self.place(der.len());
        der[place] ^= 1 << self.below(8);
    }
}

/// A certificate, as a server may send it, goes through all its readers, and nothing may follow it.
pub fn certificate(input: &[u8]) {
    for host in ["db.example.org", "10.0.0.1", "::1", ""] {
        let _ = name::check(input, host);
    }
    if let Some(hash) = binding::end_point(input) {
        assert!(Signed::read(input).is_ok() && [28, 32, 48, 64].contains(&hash.len()));
    }
    let Ok(read) = Certificate::read(input) else { return };
    assert!(Certificate::read(&[input, &[0]].concat()).is_err());
    assert!(Certificate::read(&input[..input.len() - 1]).is_err());
    let algorithms = &algorithms();
    let trust = |roots, lists| Trust { roots, lists, algorithms, now: NOW };
    let roots = std::slice::from_ref(&read);
    assert!(trust(&[], None).verify(&read, roots).is_err(), "nothing is trusted");
    let verdict = trust(roots, None).verify(&read, &[]);
    assert!(verdict.is_err() || (read.is_self_issued() && read.not_after >= NOW));
    // Its name may equal that of the leaf's authority, but its key has signed nothing.
    let leaf = lists::leaf();
    let leaf = Certificate::read(&leaf).expect("it is sound");
    assert!(trust(roots, None).verify(&leaf, &[]).is_err());
    let lists = RevocationLists::new(vec![input.to_vec()]);
    assert!(lists.check(&read, &read, algorithms, NOW).is_err(), "it is no list");
}

/// A PEM file: the blocks that are found in it, written again, are found again.
pub fn pem(input: &[u8]) {
    use base64::Engine as _;
    let found = blocks(input);
    let mut written = String::new();
    for block in &found {
        let body = base64::engine::general_purpose::STANDARD.encode(&*block.der);
        let label = block.label;
        written.push_str(&format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n"));
        let _ = block.header("DEK-Info");
    }
    let again = blocks(written.as_bytes());
    let holds = |blocks: &[Block<'_>]| -> Vec<(String, Vec<u8>)> {
        blocks.iter().map(|block| (block.label.to_owned(), block.der.to_vec())).collect()
    };
    assert_eq!(holds(&again), holds(&found));
}

/// A file with a private key, encrypted or not.
pub fn private_key(input: &[u8]) {
    let password = Secret::from("sesame");
    let bare = key::read(input, None);
    let with = key::read(input, Some(&password));
    if let Ok(bare) = &bare {
        let with = with.as_ref().expect("a password that is not needed changes nothing");
        assert_eq!(with.secret_der(), bare.secret_der());
    }
    if let Ok(found) = with {
        let _ = default_provider().key_provider.load_private_key(found);
    }
}
