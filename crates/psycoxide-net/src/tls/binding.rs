//! Channel binding: the hash of the server's certificate for SCRAM-SHA-256-PLUS.

use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use x509_cert::der::asn1::{AnyRef, ObjectIdentifier};
use x509_cert::der::{self, Decode, Reader, SliceReader, Tag, TagNumber};

use super::certificate::{Signed, content};

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

/// `id-RSASSA-PSS`; its parameters name the hash.
const RSA_PSS: ObjectIdentifier = oid("1.2.840.113549.1.1.10");

/// The hashes of signature algorithms and of hash algorithms. MD5 and SHA-1 are replaced by
/// SHA-256.
const HASHES: [(ObjectIdentifier, Hash); 16] = [
    (oid("1.2.840.113549.1.1.4"), Hash::Sha256), // md5WithRSAEncryption
    (oid("1.2.840.113549.1.1.5"), Hash::Sha256), // sha1WithRSAEncryption
    (oid("1.2.840.113549.1.1.14"), Hash::Sha224), // sha224WithRSAEncryption
    (oid("1.2.840.113549.1.1.11"), Hash::Sha256),
    (oid("1.2.840.113549.1.1.12"), Hash::Sha384),
    (oid("1.2.840.113549.1.1.13"), Hash::Sha512),
    (oid("1.2.840.10045.4.1"), Hash::Sha256), // ecdsa-with-SHA1
    (oid("1.2.840.10045.4.3.1"), Hash::Sha224),
    (oid("1.2.840.10045.4.3.2"), Hash::Sha256),
    (oid("1.2.840.10045.4.3.3"), Hash::Sha384),
    (oid("1.2.840.10045.4.3.4"), Hash::Sha512),
    (oid("1.3.14.3.2.26"), Hash::Sha256), // id-sha1
    (oid("2.16.840.1.101.3.4.2.4"), Hash::Sha224),
    (oid("2.16.840.1.101.3.4.2.1"), Hash::Sha256),
    (oid("2.16.840.1.101.3.4.2.2"), Hash::Sha384),
    (oid("2.16.840.1.101.3.4.2.3"), Hash::Sha512),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

/// The `tls-server-end-point` of a certificate; `None` if its signature algorithm has no single
/// hash, like Ed25519.
///
/// RFC 5929, section 4.1: "The hash of the TLS server's certificate […] as it appears, octet for
/// octet, in the server's Certificate message", by the hash of the certificate's signature; "if
/// [that is] either MD5 or SHA-1, then use SHA-256".
pub(super) fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let signed = Signed::read(certificate).ok()?;
    Some(match hash_of(signed.algorithm).ok()?? {
        Hash::Sha224 => Sha224::digest(certificate).to_vec(),
        Hash::Sha256 => Sha256::digest(certificate).to_vec(),
        Hash::Sha384 => Sha384::digest(certificate).to_vec(),
        Hash::Sha512 => Sha512::digest(certificate).to_vec(),
    })
}

/// The hash that an AlgorithmIdentifier names; `algorithm` is without its outer header.
fn hash_of(algorithm: &[u8]) -> der::Result<Option<Hash>> {
    let mut reader = SliceReader::new(algorithm)?;
    let kind = ObjectIdentifier::decode(&mut reader)?;
    let known = |kind| HASHES.iter().find(|(known, _)| *known == kind).map(|(_, hash)| *hash);
    if kind != RSA_PSS {
        return Ok(known(kind));
    }
    // RFC 4055: hashAlgorithm [0] HashAlgorithm DEFAULT sha1Identifier.
    if reader.is_finished() {
        return Ok(Some(Hash::Sha256));
    }
    reader.sequence(|parameters| {
        let mut hash = Some(Hash::Sha256);
        while !parameters.is_finished() {
            let tag = Tag::peek(parameters)?;
            let value = content(parameters.tlv_bytes()?)?;
            if let Tag::ContextSpecific { number: TagNumber(0), .. } = tag {
                let identifier = AnyRef::from_der(value)?.value();
                let mut identifier = SliceReader::new(identifier)?;
                hash = known(ObjectIdentifier::decode(&mut identifier)?);
            }
        }
        Ok(hash)
    })
}
