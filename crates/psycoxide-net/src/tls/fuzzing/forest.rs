//! Chains: certificates that sign each other in any order, some of them tampered with.

use super::super::algorithms::algorithms;
use super::super::certificate::Certificate;
use super::super::chain::Trust;
use super::super::mint::value::{basic_constraints, general_names, name_constraints};
use super::super::mint::{CN, Draft, EMAIL, Extension, O, directory_name, long_validity, tlv};
use super::super::revocation::RevocationLists;
use super::{Choices, NOW, pair};

/// The most certificates: so few that the verifier can try them in every order.
const MAX_CERTIFICATES: usize = 5;

/// A certificate, and how it was made.
struct Node {
    der: Vec<u8>,
    /// The number of its own key.
    key: usize,
    /// The number of the key that signed it.
    signer: usize,
    is_root: bool,
    is_tampered: bool,
}

/// The parts of a certificate that are chosen before its signer is known.
struct Plan {
    draft: Draft,
    key: usize,
    issuer: usize,
    is_root: bool,
    is_tampered: bool,
}

/// Every accepted chain must be signed, link by link, up to a trusted certificate.
pub fn chain(input: &[u8]) {
    judge(input);
}

/// Whether the first certificate is trusted.
pub(super) fn judge(input: &[u8]) -> bool {
    let mut choices = Choices(input);
    let nodes = grow(&mut choices);
    let read = |of: &dyn Fn(&Node) -> bool| -> Vec<Certificate<'_>> {
        let nodes = nodes.iter().filter(|node| of(node));
        nodes.filter_map(|node| Certificate::read(&node.der).ok()).collect()
    };
    let (roots, mut sent) = (read(&|node| node.is_root), read(&|node| !node.is_root));
    let Ok(leaf) = Certificate::read(&nodes[0].der) else { return false };
    let algorithms = &algorithms();
    let trust = Trust { roots: &roots, lists: None, algorithms, now: NOW };
    let is_trusted = trust.verify(&leaf, &sent).is_ok();
    sent.reverse();
    assert_eq!(trust.verify(&leaf, &sent).is_ok(), is_trusted, "the order makes no difference");
    let none = Trust { roots: &[], ..trust };
    assert!(none.verify(&leaf, &sent).is_err(), "nobody is trusted");
    if !is_trusted {
        return false;
    }
    assert!(is_signed(&nodes, 0, &mut vec![false; nodes.len()]), "the chain is forged");
    assert!(leaf.not_before <= NOW && NOW <= leaf.not_after);
    let lists = RevocationLists::default();
    let checked = Trust { roots: &roots, lists: Some(&lists), algorithms, now: NOW };
    assert!(checked.verify(&leaf, &sent).is_err(), "there is no list of revoked certificates");
    if !is_root(&nodes, &nodes[0].der) {
        let mut forged = nodes[0].der.clone();
        choices.tamper(&mut forged);
        let read = Certificate::read(&forged);
        let is_trusted = read.is_ok_and(|read| trust.verify(&read, &sent).is_ok());
        assert!(!is_trusted || is_root(&nodes, &forged), "the server's certificate is forged");
    }
    true
}

/// Whether this very certificate is trusted; a tampered one may equal another.
fn is_root(nodes: &[Node], der: &[u8]) -> bool {
    nodes.iter().any(|node| node.is_root && node.der == der)
}

/// Whether signatures lead from a certificate to a trusted one.
fn is_signed(nodes: &[Node], at: usize, seen: &mut [bool]) -> bool {
    if is_root(nodes, &nodes[at].der) {
        return true;
    }
    if nodes[at].is_tampered || std::mem::replace(&mut seen[at], true) {
        return false;
    }
    let signers = (0..nodes.len()).filter(|other| nodes[*other].key == nodes[at].signer);
    signers.collect::<Vec<_>>().into_iter().any(|signer| is_signed(nodes, signer, seen))
}

fn grow(choices: &mut Choices<'_>) -> Vec<Node> {
    let count = 1 + choices.below(MAX_CERTIFICATES);
    let plans: Vec<_> = (0..count).map(|_| plan(choices, count)).collect();
    let mut nodes = Vec::new();
    for plan in &plans {
        let issuer = &plans[plan.issuer];
        let draft = Draft { issuer: issuer.draft.subject.clone(), ..plan.draft.clone() };
        let mut der = draft.sign(pair(plan.key), pair(issuer.key));
        if plan.is_tampered {
            choices.tamper(&mut der);
        }
        let Plan { key, is_root, is_tampered, .. } = *plan;
        nodes.push(Node { der, key, signer: issuer.key, is_root, is_tampered });
    }
    nodes
}

fn plan(choices: &mut Choices<'_>, count: usize) -> Plan {
    let flags = choices.byte();
    let is = |bit: u8| flags & 1 << bit != 0;
    let mut draft = Draft::new("", "");
    draft.subject = subject(choices);
    draft.version = if is(0) { 0 } else { 2 };
    if is(1) {
        let path_length = is(2).then(|| choices.byte() % 4);
        draft = draft.with(Extension::new(19, basic_constraints(true, path_length)));
    }
    if is(3) {
        draft.validity = validity(choices);
    }
    for _ in 0..choices.below(4) {
        draft = draft.with(extension(choices));
    }
    let (key, issuer) = (choices.below(super::PAIRS), choices.below(count));
    Plan { draft, key, issuer, is_root: is(4), is_tampered: is(5) }
}

/// One of a few names, so that several are equal, in different spellings.
fn subject(choices: &mut Choices<'_>) -> Vec<u8> {
    const UTF8: u8 = 12;
    match choices.below(8) {
        0 => directory_name(&[(CN, UTF8, b"a")]),
        1 => directory_name(&[(CN, 19, b"A ")]),
        2 => directory_name(&[(CN, 30, b"\0b")]),
        3 => directory_name(&[(CN, UTF8, b"db.example.org")]),
        4 => directory_name(&[(O, UTF8, b"Example"), (EMAIL, 22, b"me@example.org")]),
        5 => directory_name(&[]),
        6 => directory_name(&[(O, choices.byte(), choices.bytes(8))]),
        _ => directory_name(&[(O, UTF8, b"Example"), (CN, UTF8, choices.bytes(8))]),
    }
}

fn validity(choices: &mut Choices<'_>) -> Vec<u8> {
    match choices.below(4) {
        0 => [tlv(0x17, &[b"310101000000Z"]), tlv(0x17, &[b"491231235959Z"])].concat(),
        1 => [tlv(0x17, &[b"200101000000Z"]), tlv(0x17, &[b"291231235959Z"])].concat(),
        2 => [tlv(0x18, &[choices.bytes(15)]), tlv(0x17, &[choices.bytes(13)])].concat(),
        _ => long_validity(),
    }
}

fn extension(choices: &mut Choices<'_>) -> Extension {
    // Extensions of RFC 5280 that are checked, and some that are ignored.
    const NUMBERS: [u8; 8] = [14, 15, 17, 19, 30, 35, 37, 99];
    let kind = choices.below(6);
    let extension = match kind {
        0 => Extension::new(17, general_names(&names(choices))),
        1 => Extension::new(30, name_constraints(&names(choices), &names(choices))),
        2 => Extension::new(15, tlv(3, &[&[choices.byte() % 8], choices.bytes(1)])),
        3 => Extension::new(37, tlv(0x30, &[&purpose(choices), &purpose(choices)])),
        _ => {
            let (number, length) = (choices.below(NUMBERS.len()), choices.below(32));
            Extension::new(NUMBERS[number], choices.bytes(length).to_vec())
        }
    };
    if choices.byte() & 1 == 1 { extension.critical() } else { extension }
}

fn purpose(choices: &mut Choices<'_>) -> Vec<u8> {
    tlv(6, &[&[0x2b, 6, 1, 5, 5, 7, 3, choices.byte() % 4]])
}

/// GeneralNames of all kinds.
fn names(choices: &mut Choices<'_>) -> Vec<Vec<u8>> {
    (0..choices.below(4))
        .map(|_| match choices.below(8) {
            0 => tlv(0x82, &[b"db.example.org"]),
            1 => tlv(0x82, &[b"*.example.org"]),
            2 => tlv(0x82, &[b"example.org"]),
            3 => tlv(0x87, &[&[10, 0, 0, 1]]),
            4 => tlv(0x87, &[&[10, 0, 0, 0, 255, 0, 0, 0]]),
            5 => tlv(0xa4, &[&subject(choices)]),
            _ => {
                let kind = choices.byte() % 9;
                let constructed = if matches!(kind, 0 | 3 | 4 | 5) { 0x20 } else { 0 };
                let length = choices.below(24);
                tlv(0x80 | constructed | kind, &[choices.bytes(length)])
            }
        })
        .collect()
}
