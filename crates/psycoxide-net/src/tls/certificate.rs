//! A certificate, parsed as far as its verification needs.
//!
//! Version 1 is read as well: the commands in PostgreSQL's own manual make such certificates.

use std::time::Duration;

use rustls::crypto::WebPkiSupportedAlgorithms;
use x509_cert::der::asn1::{BitStringRef, IntRef, ObjectIdentifier};
use x509_cert::der::oid::AssociatedOid;
use x509_cert::der::{self, DateTime, Decode, ErrorKind, Reader, SliceReader, Tag, TagNumber};
use x509_cert::ext::Extensions;

use super::directory_name::DirectoryName;
use super::general_name::GeneralName;

/// `id-ce-subjectAltName`
const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");

/// `nsCertType`, Netscape's way to say what a certificate is for. OpenSSL still looks at it.
pub(super) const NETSCAPE_TYPE: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("2.16.840.1.113730.1.1");

const VERSION_1: u8 = 0;

/// A signed structure: a certificate or a revocation list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signed<'a> {
    /// The signed bytes themselves.
    pub(super) body: &'a [u8],
    /// The AlgorithmIdentifier, without its outer header.
    pub(super) algorithm: &'a [u8],
    signature: &'a [u8],
}

/// A public key: the parts of SubjectPublicKeyInfo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PublicKey<'a> {
    /// The AlgorithmIdentifier, without its outer header.
    pub(super) algorithm: &'a [u8],
    pub(super) bits: &'a [u8],
}

/// A certificate.
#[derive(Clone, Debug)]
pub(super) struct Certificate<'a> {
    pub(super) der: &'a [u8],
    pub(super) signed: Signed<'a>,
    version: u8,
    pub(super) serial: &'a [u8],
    pub(super) issuer: DirectoryName<'a>,
    pub(super) subject: DirectoryName<'a>,
    /// Seconds since 1970.
    pub(super) not_before: Duration,
    pub(super) not_after: Duration,
    pub(super) key: PublicKey<'a>,
    pub(super) extensions: Extensions,
}

impl<'a> Signed<'a> {
    /// Splits a signed structure into the body, the algorithm and the signature.
    pub(super) fn read(der: &'a [u8]) -> der::Result<Self> {
        let mut reader = SliceReader::new(der)?;
        let signed = reader.sequence(|reader| {
            let body = reader.tlv_bytes()?;
            let algorithm = algorithm(reader)?;
            let signature = BitStringRef::decode(reader)?;
            Ok::<_, der::Error>(Self { body, algorithm, signature: whole(signature)? })
        })?;
        reader.finish()?;
        Ok(signed)
    }

    /// Whether this key made the signature.
    pub(super) fn is_by(&self, key: &PublicKey<'_>, known: &WebPkiSupportedAlgorithms) -> bool {
        known
            .all
            .iter()
            .filter(|known| known.signature_alg_id().as_ref() == self.algorithm)
            .filter(|known| known.public_key_alg_id().as_ref() == key.algorithm)
            .any(|known| known.verify_signature(key.bits, self.body, self.signature).is_ok())
    }
}

impl<'a> PublicKey<'a> {
    pub(super) fn read(der: &'a [u8]) -> der::Result<Self> {
        SliceReader::new(der)?.sequence(|reader| {
            let algorithm = algorithm(reader)?;
            let bits = whole(BitStringRef::decode(reader)?)?;
            Ok::<_, der::Error>(Self { algorithm, bits })
        })
    }
}

impl<'a> Certificate<'a> {
    /// Reads a certificate.
    pub(super) fn read(der: &'a [u8]) -> der::Result<Self> {
        let signed = Signed::read(der)?;
        let mut reader = SliceReader::new(signed.body)?;
        let certificate = reader.sequence(|reader| {
            let version = match explicit(reader, 0)? {
                Some(version) => u8::from_der(version)?,
                None => VERSION_1,
            };
            let serial = IntRef::decode(reader)?.as_bytes();
            // The algorithm stands in the signed part and beside the signature, and must be the
            // same.
            if algorithm(reader)? != signed.algorithm {
                return Err(ErrorKind::Failed.into());
            }
            let issuer = DirectoryName::read(reader.tlv_bytes()?)?;
            let (not_before, not_after) =
                reader.sequence(|reader| Ok::<_, der::Error>((time(reader)?, time(reader)?)))?;
            let subject = DirectoryName::read(reader.tlv_bytes()?)?;
            let key = PublicKey::read(reader.tlv_bytes()?)?;
            let mut extensions = Vec::new();
            while !reader.is_finished() {
                // In theory, unique identifiers of issuer and subject come before the extensions.
                match explicit(reader, 3)? {
                    Some(list) => extensions = Extensions::from_der(list)?,
                    None => drop(reader.tlv_bytes()?),
                }
            }
            Ok::<_, der::Error>(Self {
                der,
                signed,
                version,
                serial,
                issuer,
                subject,
                not_before,
                not_after,
                key,
                extensions,
            })
        })?;
        reader.finish()?;
        Ok(certificate)
    }

    /// Whether it names itself as its issuer.
    pub(super) fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
    }

    pub(super) fn is_version_1(&self) -> bool {
        self.version == VERSION_1
    }

    /// An extension, if it is there.
    ///
    /// # Errors
    /// If it cannot be read, or is there more than once.
    pub(super) fn extension<T: AssociatedOid + for<'d> Decode<'d, Error = der::Error>>(
        &self,
    ) -> der::Result<Option<T>> {
        let Some(extension) = self.raw_extension(T::OID)? else { return Ok(None) };
        T::from_der(extension).map(Some)
    }

    /// The content of an extension, if it is there.
    pub(super) fn raw_extension(&self, oid: ObjectIdentifier) -> der::Result<Option<&[u8]>> {
        let mut found = self.extensions.iter().filter(|extension| extension.extn_id == oid);
        match (found.next(), found.next()) {
            (_, Some(_)) => Err(ErrorKind::Failed.into()),
            (found, None) => Ok(found.map(|extension| extension.extn_value.as_bytes())),
        }
    }

    /// Whether an extension is there more than once, which RFC 5280 (section 4.2) forbids: readers
    /// would differ about which one counts.
    pub(super) fn repeats_extension(&self) -> bool {
        let mut all: Vec<_> = self.extensions.iter().map(|it| it.extn_id).collect();
        all.sort_unstable();
        all.windows(2).any(|pair| pair.first() == pair.last())
    }

    /// The bits of Netscape's extension; the first bit is the highest.
    pub(super) fn netscape_type(&self) -> der::Result<Option<u8>> {
        let Some(extension) = self.raw_extension(NETSCAPE_TYPE)? else { return Ok(None) };
        let bits = BitStringRef::from_der(extension)?;
        Ok(Some(bits.raw_bytes().first().copied().unwrap_or_default()))
    }

    /// The names of the subjectAltName extension, in their order.
    pub(super) fn alternative_names(&self) -> der::Result<Vec<GeneralName<'_>>> {
        let Some(names) = self.raw_extension(SUBJECT_ALT_NAME)? else { return Ok(Vec::new()) };
        GeneralName::read_all(names)
    }
}

/// The content of the next value, if it has this explicit tag.
fn explicit<'a>(reader: &mut SliceReader<'a>, number: u32) -> der::Result<Option<&'a [u8]>> {
    if reader.is_finished() {
        return Ok(None);
    }
    match Tag::peek(reader)? {
        Tag::ContextSpecific { number: TagNumber(found), constructed: true } if found == number => {
            content(reader.tlv_bytes()?).map(Some)
        }
        _ => Ok(None),
    }
}

/// Reads a Time, as seconds since 1970; earlier times count as 1970.
fn time(reader: &mut SliceReader<'_>) -> der::Result<Duration> {
    let tag = Tag::peek(reader)?;
    let malformed = || der::Error::from(tag.value_error());
    let text = str::from_utf8(content(reader.tlv_bytes()?)?).map_err(|_| malformed())?;
    let digits = text.strip_suffix('Z').filter(|text| text.bytes().all(|it| it.is_ascii_digit()));
    let digits = match (tag, digits) {
        // Two digits of the year: 50 to 99 mean the 1900s, 00 to 49 the 2000s (RFC 5280,
        // 4.1.2.5.1).
        (Tag::UtcTime, Some(digits)) if digits < "5" => format!("20{digits}"),
        (Tag::UtcTime, Some(digits)) => format!("19{digits}"),
        (Tag::GeneralizedTime, Some(digits)) => digits.to_owned(),
        _ => return Err(malformed()),
    };
    let (Some(year), Some(rest), 14) = (digits.get(..4), digits.get(4..), digits.len()) else {
        return Err(malformed());
    };
    let pairs = rest.as_bytes().chunks_exact(2);
    let mut pairs = pairs.map(|pair| pair.iter().fold(0, |all, digit| all * 10 + (digit - b'0')));
    let mut next = || pairs.next().unwrap_or_default();
    let year: u16 = year.parse().map_err(|_| malformed())?;
    let is_early = year < 1970;
    let year = if is_early { 1972 } else { year };
    let time = DateTime::new(year, next(), next(), next(), next(), next())?;
    Ok(if is_early { Duration::ZERO } else { time.unix_duration() })
}

/// Reads an AlgorithmIdentifier, without its header.
fn algorithm<'a>(reader: &mut SliceReader<'a>) -> der::Result<&'a [u8]> {
    Tag::peek(reader)?.assert_eq(Tag::Sequence)?;
    content(reader.tlv_bytes()?)
}

/// The content of a value, after its header.
pub(super) fn content(der: &[u8]) -> der::Result<&[u8]> {
    let mut reader = SliceReader::new(der)?;
    let header = x509_cert::der::Header::decode(&mut reader)?;
    reader.read_slice(header.length())
}

fn whole(bits: BitStringRef<'_>) -> der::Result<&[u8]> {
    bits.as_bytes().ok_or_else(|| Tag::BitString.value_error().into())
}
