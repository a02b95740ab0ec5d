//! A certificate, taken apart as far as its verification needs it.
//!
//! Version 1 is read as well: it is what PostgreSQL's own manual makes servers' certificates with.

use std::time::Duration;

use rustls::crypto::WebPkiSupportedAlgorithms;
use x509_cert::der::asn1::{AnyRef, BitStringRef, ObjectIdentifier};
use x509_cert::der::oid::AssociatedOid;
use x509_cert::der::{self, Decode, ErrorKind, Reader, SliceReader, Tag, TagNumber};
use x509_cert::ext::{Extension, Extensions};
use x509_cert::time::Time;

/// `id-at-commonName`
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
/// `id-ce-subjectAltName`
const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");

/// `nsCertType`, Netscape's way to say what a certificate is for. OpenSSL still looks at it.
pub(super) const NETSCAPE_TYPE: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("2.16.840.1.113730.1.1");

const VERSION_1: u8 = 0;

/// What somebody signed: a certificate, or a list of revoked ones.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signed<'a> {
    /// The signed bytes themselves.
    pub(super) body: &'a [u8],
    /// The AlgorithmIdentifier, without its outer header.
    pub(super) algorithm: &'a [u8],
    signature: &'a [u8],
}

/// A public key: SubjectPublicKeyInfo, taken apart.
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
    pub(super) issuer: &'a [u8],
    pub(super) subject: &'a [u8],
    /// Seconds since 1970.
    pub(super) not_before: Duration,
    pub(super) not_after: Duration,
    pub(super) key: PublicKey<'a>,
    pub(super) extensions: Extensions,
}

/// A name in a certificate that a host can be compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AltName<'a> {
    Dns(&'a [u8]),
    Ip(&'a [u8]),
    /// An address of electronic mail, a URI, a directory's name, …
    Other,
}

impl<'a> Signed<'a> {
    /// Takes apart what every signed thing is: the body, the algorithm, the signature.
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
            let serial = content(reader.tlv_bytes()?)?;
            // It stands in the signed part and beside the signature, and has to be the same.
            if algorithm(reader)? != signed.algorithm {
                return Err(ErrorKind::Failed.into());
            }
            let issuer = reader.tlv_bytes()?;
            let (not_before, not_after) = reader.sequence(|reader| {
                let not_before = Time::decode(reader)?.to_unix_duration();
                Ok::<_, der::Error>((not_before, Time::decode(reader)?.to_unix_duration()))
            })?;
            let subject = reader.tlv_bytes()?;
            let key = PublicKey::read(reader.tlv_bytes()?)?;
            let mut extensions = Vec::new();
            while !reader.is_finished() {
                // Unique identifiers of issuer and subject come before them, in theory.
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
        T::from_der(extension.extn_value.as_bytes()).map(Some)
    }

    fn raw_extension(&self, oid: ObjectIdentifier) -> der::Result<Option<&Extension>> {
        let mut found = self.extensions.iter().filter(|extension| extension.extn_id == oid);
        match (found.next(), found.next()) {
            (_, Some(_)) => Err(ErrorKind::Failed.into()),
            (found, None) => Ok(found),
        }
    }

    /// The bits of Netscape's extension, the first the highest.
    pub(super) fn netscape_type(&self) -> der::Result<Option<u8>> {
        let Some(extension) = self.raw_extension(NETSCAPE_TYPE)? else { return Ok(None) };
        let bits = BitStringRef::from_der(extension.extn_value.as_bytes())?;
        Ok(Some(bits.raw_bytes().first().copied().unwrap_or_default()))
    }

    /// The names of the subjectAltName extension, in their order.
    pub(super) fn alternative_names(&self) -> der::Result<Vec<AltName<'_>>> {
        let Some(extension) = self.raw_extension(SUBJECT_ALT_NAME)? else { return Ok(Vec::new()) };
        general_names(extension.extn_value.as_bytes())
    }

    /// The subject's first common name, in whatever alphabet it is written.
    pub(super) fn common_name(&self) -> der::Result<Option<&'a [u8]>> {
        SliceReader::new(self.subject)?.sequence(|names| {
            let mut found = None;
            while !names.is_finished() {
                let mut set = SliceReader::new(content(names.tlv_bytes()?)?)?;
                while !set.is_finished() {
                    let (kind, value) = set.sequence(|pair| {
                        let kind = ObjectIdentifier::decode(pair)?;
                        Ok::<_, der::Error>((kind, AnyRef::decode(pair)?))
                    })?;
                    if kind == COMMON_NAME && found.is_none() {
                        found = Some(value.value());
                    }
                }
            }
            Ok::<_, der::Error>(found)
        })
    }
}

/// The names of a GeneralNames value.
fn general_names(der: &[u8]) -> der::Result<Vec<AltName<'_>>> {
    SliceReader::new(der)?.sequence(|names| {
        let mut found = Vec::new();
        while !names.is_finished() {
            let tag = Tag::peek(names)?;
            let value = content(names.tlv_bytes()?)?;
            found.push(match tag {
                Tag::ContextSpecific { number: TagNumber(2), .. } => AltName::Dns(value),
                Tag::ContextSpecific { number: TagNumber(7), .. } => AltName::Ip(value),
                _ => AltName::Other,
            });
        }
        Ok::<_, der::Error>(found)
    })
}

/// What is inside the next value if that carries this explicit tag.
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

/// The AlgorithmIdentifier that comes next, without its header.
fn algorithm<'a>(reader: &mut SliceReader<'a>) -> der::Result<&'a [u8]> {
    Tag::peek(reader)?.assert_eq(Tag::Sequence)?;
    content(reader.tlv_bytes()?)
}

/// What is behind the header of a value.
pub(super) fn content(der: &[u8]) -> der::Result<&[u8]> {
    let mut reader = SliceReader::new(der)?;
    let header = x509_cert::der::Header::decode(&mut reader)?;
    reader.read_slice(header.length())
}

fn whole(bits: BitStringRef<'_>) -> der::Result<&[u8]> {
    bits.as_bytes().ok_or_else(|| Tag::BitString.value_error().into())
}
