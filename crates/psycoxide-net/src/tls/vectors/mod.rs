//! The rules for chains, one in each row. Each row is judged here and by OpenSSL's program.
//!
//! The rows follow RFC 5280. Decision 6 says whose rules count.

mod constraints;
mod fields;
mod generated;

use std::fs;
use std::time::Duration;

use super::algorithms::algorithms;
use super::certificate::Certificate;
use super::chain::Trust;
use super::distrust::Distrust;
use super::mint::value::{basic_constraints, general_names};
use super::mint::{Draft, Extension, Pair, tlv};
use super::openssl::OpenSsl;

/// The time of all verdicts, in 2030. A certificate is valid then unless its row says otherwise.
const NOW: Duration = Duration::from_secs(1_893_456_000);

const ALTERNATIVE_NAMES: u8 = 17;
const BASIC_CONSTRAINTS: u8 = 19;

/// A chain, and the verdict on it.
struct Case {
    what: &'static str,
    /// The server's certificate first, the trusted root last; the root is not sent.
    chain: Vec<Vec<u8>>,
    ours: Result<(), Distrust>,
    /// Why OpenSSL's verdict differs, if it does.
    differs: Option<&'static str>,
}

impl Case {
    fn differs(self, why: &'static str) -> Self {
        Self { differs: Some(why), ..self }
    }
}

/// A chain of these certificates, with keys made here: the server's first, the root last.
fn case(what: &'static str, drafts: &[Draft], ours: Result<(), Distrust>) -> Case {
    let keys: Vec<_> = (1..).take(drafts.len()).map(Pair::new).collect();
    let signed = drafts
        .iter()
        .enumerate()
        .map(|(at, draft)| draft.sign(&keys[at], keys.get(at + 1).unwrap_or(&keys[at])));
    Case { what, chain: signed.collect(), ours, differs: None }
}

fn authority(subject: &str, issuer: &str) -> Draft {
    Draft::new(subject, issuer).with(is_authority(None))
}

fn is_authority(path_length: Option<u8>) -> Extension {
    Extension::new(BASIC_CONSTRAINTS, basic_constraints(true, path_length)).critical()
}

fn root() -> Draft {
    authority("root", "root")
}

fn middle() -> Draft {
    authority("middle", "root")
}

fn leaf() -> Draft {
    Draft::new("db.example.org", "middle")
}

fn dns(name: &str) -> Vec<u8> {
    tlv(0x82, &[name.as_bytes()])
}

fn named(names: &[Vec<u8>]) -> Extension {
    Extension::new(ALTERNATIVE_NAMES, general_names(names))
}

fn all() -> Vec<Case> {
    [fields::cases(), constraints::cases()].into_iter().flatten().collect()
}

/// All chains, grouped by their subject.
pub(super) fn chains() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    all().into_iter().map(|case| (case.what, case.chain)).collect()
}

fn verdict(chain: &[Vec<u8>]) -> Result<(), Distrust> {
    let read: Result<Vec<_>, _> = chain.iter().map(|der| Certificate::read(der)).collect();
    let read = read.map_err(|_| Distrust::Unreadable)?;
    let (roots, sent) = read.split_last().map(|(last, sent)| (vec![last.clone()], sent)).unwrap();
    let algorithms = &algorithms();
    let trust = Trust { roots: &roots, lists: None, algorithms, now: NOW };
    match sent {
        [] => trust.verify(&roots[0], &[]),
        [leaf, others @ ..] => trust.verify(leaf, others),
    }
}

/// OpenSSL's verdict.
fn theirs(openssl: &OpenSsl, chain: &[Vec<u8>]) -> bool {
    let pem = |der: &Vec<u8>| {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
    };
    let (root, sent) = chain.split_last().unwrap();
    let leaf = sent.first().unwrap_or(root);
    for (name, text) in [
        ("root", pem(root)),
        ("leaf", pem(leaf)),
        ("sent", sent.iter().map(pem).collect::<Vec<_>>().concat()),
    ] {
        fs::write(openssl.0.join(name), text).unwrap();
    }
    let untrusted = if sent.is_empty() { "" } else { "-untrusted sent" };
    let at = NOW.as_secs();
    openssl.runs(&format!("verify -purpose sslserver -attime {at} -CAfile root {untrusted} leaf"))
}

#[test]
fn every_rule_holds_and_openssl_agrees_unless_noted() {
    let openssl = OpenSsl::new();
    let mut wrong = Vec::new();
    for Case { what, chain, ours, differs } in all() {
        let found = verdict(&chain);
        if found != ours {
            wrong.push(format!("{what}: {found:?} instead of {ours:?}"));
        }
        let theirs = theirs(&openssl, &chain);
        if differs.is_none() && theirs != found.is_ok() {
            wrong.push(format!("{what}: {found:?}, OpenSSL: {theirs}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
