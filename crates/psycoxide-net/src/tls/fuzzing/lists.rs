//! Revocation lists: by the right authority or another, valid now or not, tampered with or not.

use super::super::algorithms::algorithms;
use super::super::certificate::Certificate;
use super::super::distrust::Distrust;
use super::super::mint::value::basic_constraints;
use super::super::mint::{Draft, Extension, ListDraft, common_name, tlv};
use super::super::revocation::RevocationLists;
use super::{Choices, NOW, pair};

/// A server's certificate by the authority under test.
pub(super) fn leaf() -> Vec<u8> {
    Draft::new("db", "authority").sign(pair(1), pair(0))
}

/// A list, and how it was made.
struct Made {
    der: Vec<u8>,
    /// Whether the authority made it, and nobody changed it.
    is_genuine: bool,
    is_current: bool,
    names_leaf: bool,
}

/// A certificate may count as good, or as revoked, only by the authority's own lists.
pub fn revocation(input: &[u8]) {
    let _ = judge(input);
}

/// The lists' verdict on the certificate.
pub(super) fn judge(input: &[u8]) -> Result<(), Distrust> {
    let mut choices = Choices(input);
    let serial = vec![1 + choices.byte() % 4];
    let leaf = Draft { serial: serial.clone(), ..Draft::new("db", "authority") };
    let leaf = leaf.sign(pair(1), pair(0));
    let authority = Draft::new("authority", "authority")
        .with(Extension::new(19, basic_constraints(true, None)))
        .sign(pair(0), pair(0));
    let read = |der| Certificate::read(der).expect("it is sound");
    let (leaf, authority) = (read(&leaf), read(&authority));
    let made: Vec<_> = (0..choices.below(4)).map(|_| make(&mut choices, &serial)).collect();
    // The rest of the input is a list of unknown origin.
    let mut all: Vec<_> = made.iter().map(|list| list.der.clone()).collect();
    all.push(choices.0.to_vec());
    let algorithms = &algorithms();
    let verdict = RevocationLists::new(all.clone()).check(&leaf, &authority, algorithms, NOW);
    let genuine = || made.iter().filter(|list| list.is_genuine);
    match verdict {
        Ok(()) => assert!(genuine().any(|list| list.is_current && !list.names_leaf)),
        Err(Distrust::Revoked) => assert!(genuine().any(|list| list.is_current && list.names_leaf)),
        Err(_) => {}
    }
    all.reverse();
    let again = RevocationLists::new(all).check(&leaf, &authority, algorithms, NOW);
    assert_eq!(again.is_ok(), verdict.is_ok(), "the order makes no difference");
    verdict
}

fn make(choices: &mut Choices<'_>, serial: &[u8]) -> Made {
    let flags = choices.byte();
    let is = |bit: u8| flags & 1 << bit != 0;
    let serials: Vec<_> = (0..choices.below(4)).map(|_| vec![1 + choices.byte() % 4]).collect();
    let (signer, is_current) = (usize::from(is(0)), !is(2));
    let updates: [&[u8]; 2] = match (is_current, is(3)) {
        (true, false) => [b"250101000000Z", b"310101000000Z"],
        (true, true) => [b"260101000000Z", b"320101000000Z"],
        (false, false) => [b"250101000000Z", b"260101000000Z"],
        (false, true) => [b"310101000000Z", b"320101000000Z"],
    };
    let names_leaf = serials.iter().any(|each| each == serial);
    let draft = ListDraft {
        issuer: common_name(if is(1) { "another" } else { "Authority" }),
        updates: updates.map(|time| tlv(0x17, &[time])).concat(),
        serials,
        extensions: (0..choices.below(3)).map(|_| extension(choices)).collect(),
    };
    let mut der = draft.sign(pair(signer));
    let is_tampered = is(4);
    if is_tampered {
        choices.tamper(&mut der);
    }
    let is_genuine = !is_tampered && signer == 0 && !is(1);
    Made { der, is_genuine, is_current, names_leaf }
}

fn extension(choices: &mut Choices<'_>) -> Extension {
    // cRLNumber, deltaCRLIndicator, issuingDistributionPoint, authorityKeyIdentifier.
    const NUMBERS: [u8; 4] = [20, 27, 28, 35];
    let (number, length) = (choices.below(NUMBERS.len()), choices.below(32));
    let extension = Extension::new(NUMBERS[number], choices.bytes(length).to_vec());
    if choices.byte() & 1 == 1 { extension.critical() } else { extension }
}
