//! Makes certificates of every shape, valid or not, for tests and for the fuzzer: quickly, and the
//! same ones each time.

use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::crypto::ring::sign::any_eddsa_type;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::sign::SigningKey;

/// The types of a name's attributes: object identifiers without their header.
pub(super) const CN: &[u8] = &[0x55, 4, 3];
pub(super) const O: &[u8] = &[0x55, 4, 10];
pub(super) const EMAIL: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1];

/// An attribute of a name: its type, the tag of its text, the text.
pub(super) type Text<'a> = (&'a [u8], u8, &'a [u8]);

/// The identifier of an extension: `id-ce` with this number.
pub(super) const fn id_ce(number: u8) -> [u8; 3] {
    [0x55, 0x1d, number]
}

pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
pub(super) const UTF8: u8 = 12;
const OID: u8 = 6;
const INTEGER: u8 = 2;
const BITS: u8 = 3;
const OCTETS: u8 = 4;

/// The AlgorithmIdentifier of Ed25519, for keys and for signatures.
const ED25519: &[u8] = &[SEQUENCE, 5, OID, 3, 0x2b, 0x65, 0x70];

/// Encodes a value with its header.
pub(super) fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut der = vec![tag];
    match content.len().to_be_bytes() {
        [.., low @ 0..0x80] if content.len() < 0x80 => der.push(low),
        [.., low] if content.len() < 0x100 => der.extend([0x81, low]),
        [.., middle, low] if content.len() < 0x1_0000 => der.extend([0x82, middle, low]),
        [.., high, middle, low] => der.extend([0x83, high, middle, low]),
    }
    der.extend(content);
    der
}

/// A name with one attribute in each part.
pub(super) fn directory_name(parts: &[Text<'_>]) -> Vec<u8> {
    let part = |(kind, tag, text): &Text<'_>| {
        tlv(SET, &[&tlv(SEQUENCE, &[&tlv(OID, &[kind]), &tlv(*tag, &[text])])])
    };
    tlv(SEQUENCE, &[&parts.iter().map(part).collect::<Vec<_>>().concat()])
}

/// A name that only has a common name.
pub(super) fn common_name(text: &str) -> Vec<u8> {
    directory_name(&[(CN, UTF8, text.as_bytes())])
}

/// A key pair; the same seed gives the same pair.
pub(super) struct Pair {
    key: Arc<dyn SigningKey>,
    /// SubjectPublicKeyInfo
    public: Vec<u8>,
}

impl Pair {
    pub(super) fn new(seed: u8) -> Self {
        let private = tlv(OCTETS, &[&tlv(OCTETS, &[&[seed; 32]])]);
        let der = tlv(SEQUENCE, &[&[INTEGER, 1, 0], ED25519, &private]);
        let key = any_eddsa_type(&PrivatePkcs8KeyDer::from(der)).expect("a key of 32 bytes");
        let public = key.public_key().expect("Ed25519 has one").to_vec();
        Self { key, public }
    }

    fn sign(&self, body: &[u8]) -> Vec<u8> {
        let signer = self.key.choose_scheme(&[SignatureScheme::ED25519]).expect("it is its scheme");
        signer.sign(body).expect("Ed25519 signs anything")
    }

    /// Signs the body of a certificate or of a revocation list.
    fn seal(&self, body: &[u8]) -> Vec<u8> {
        tlv(SEQUENCE, &[body, ED25519, &tlv(BITS, &[&[0], &self.sign(body)])])
    }
}

/// An extension: its identifier without the header, whether it is critical, and its value.
#[derive(Clone)]
pub(super) struct Extension {
    pub(super) id: Vec<u8>,
    pub(super) critical: bool,
    pub(super) value: Vec<u8>,
}

impl Extension {
    pub(super) fn new(number: u8, value: Vec<u8>) -> Self {
        Self { id: id_ce(number).to_vec(), critical: false, value }
    }

    pub(super) fn critical(self) -> Self {
        Self { critical: true, ..self }
    }

    fn der(&self) -> Vec<u8> {
        let critical: &[u8] = if self.critical { &[1, 1, 0xff] } else { &[] };
        tlv(SEQUENCE, &[&tlv(OID, &[&self.id]), critical, &tlv(OCTETS, &[&self.value])])
    }
}

fn extensions(all: &[Extension]) -> Vec<u8> {
    tlv(SEQUENCE, &[&all.iter().map(Extension::der).collect::<Vec<_>>().concat()])
}

/// A certificate that is not signed yet.
#[derive(Clone)]
pub(super) struct Draft {
    /// The version's number minus one.
    pub(super) version: u8,
    pub(super) serial: Vec<u8>,
    pub(super) issuer: Vec<u8>,
    pub(super) subject: Vec<u8>,
    /// The two times, with their headers.
    pub(super) validity: Vec<u8>,
    pub(super) extensions: Vec<Extension>,
}

/// From 2020 to 2049.
pub(super) fn long_validity() -> Vec<u8> {
    [tlv(0x17, &[b"200101000000Z"]), tlv(0x17, &[b"491231235959Z"])].concat()
}

impl Draft {
    pub(super) fn new(subject: &str, issuer: &str) -> Self {
        Self {
            version: 2,
            serial: vec![0x2a],
            issuer: common_name(issuer),
            subject: common_name(subject),
            validity: long_validity(),
            extensions: Vec::new(),
        }
    }

    pub(super) fn with(mut self, extension: Extension) -> Self {
        self.extensions.push(extension);
        self
    }

    /// The certificate for the key `own`, signed by `by`.
    pub(super) fn sign(&self, own: &Pair, by: &Pair) -> Vec<u8> {
        let version = match self.version {
            0 => Vec::new(),
            version => tlv(0xa0, &[&[INTEGER, 1, version]]),
        };
        let added = match &*self.extensions {
            [] => Vec::new(),
            all => tlv(0xa3, &[&extensions(all)]),
        };
        by.seal(&tlv(
            SEQUENCE,
            &[
                &version,
                &tlv(INTEGER, &[&self.serial]),
                ED25519,
                &self.issuer,
                &tlv(SEQUENCE, &[&self.validity]),
                &self.subject,
                &own.public,
                &added,
            ],
        ))
    }
}

/// A list of revoked certificates.
pub(super) struct ListDraft {
    pub(super) issuer: Vec<u8>,
    /// The times of this list and of the next, with their headers.
    pub(super) updates: Vec<u8>,
    pub(super) serials: Vec<Vec<u8>>,
    pub(super) extensions: Vec<Extension>,
}

impl ListDraft {
    pub(super) fn sign(&self, by: &Pair) -> Vec<u8> {
        let date = tlv(0x17, &[b"200101000000Z"]);
        let entry = |serial: &Vec<u8>| tlv(SEQUENCE, &[&tlv(INTEGER, &[serial]), &date]);
        let entries = match &*self.serials {
            [] => Vec::new(),
            serials => tlv(SEQUENCE, &[&serials.iter().map(entry).collect::<Vec<_>>().concat()]),
        };
        let added = match &*self.extensions {
            [] => Vec::new(),
            all => tlv(0xa0, &[&extensions(all)]),
        };
        let version: &[u8] = &[INTEGER, 1, 1];
        let parts = [version, ED25519, &self.issuer, &self.updates, &entries, &added];
        by.seal(&tlv(SEQUENCE, &parts))
    }
}

/// Values of extensions.
pub(super) mod value {
    use super::{SEQUENCE, tlv};

    pub(crate) fn basic_constraints(is_authority: bool, path_length: Option<u8>) -> Vec<u8> {
        let is_authority: &[u8] = if is_authority { &[1, 1, 0xff] } else { &[] };
        let path_length = path_length.map_or(Vec::new(), |length| vec![2, 1, length]);
        tlv(SEQUENCE, &[is_authority, &path_length])
    }

    /// Permitted and excluded subtrees, from names with their headers.
    pub(crate) fn name_constraints(permitted: &[Vec<u8>], excluded: &[Vec<u8>]) -> Vec<u8> {
        let list = |tag, names: &[Vec<u8>]| match names {
            [] => Vec::new(),
            names => {
                let trees = names.iter().map(|name| tlv(SEQUENCE, &[name]));
                tlv(tag, &[&trees.collect::<Vec<_>>().concat()])
            }
        };
        tlv(SEQUENCE, &[&list(0xa0, permitted), &list(0xa1, excluded)])
    }

    /// GeneralNames.
    pub(crate) fn general_names(names: &[Vec<u8>]) -> Vec<u8> {
        tlv(SEQUENCE, &[&names.concat()])
    }
}
