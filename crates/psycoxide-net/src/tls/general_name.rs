//! GeneralName (RFC 5280, section 4.2.1.6): a name of one of many kinds.

use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{self, Decode, ErrorKind, Reader, SliceReader, Tag, TagNumber};

use super::certificate::content;

/// `id-on-SmtpUTF8Mailbox`: an e-mail address that is not all ASCII.
const SMTP_UTF8_MAILBOX: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.8.9");

/// A name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GeneralName<'a> {
    /// An e-mail address.
    Email(&'a [u8]),
    /// An e-mail address that is not all ASCII.
    WideEmail,
    Dns(&'a [u8]),
    /// A directory name, as DER.
    Directory(&'a [u8]),
    Uri(&'a [u8]),
    Ip(&'a [u8]),
    /// An `otherName`, with the identifier of its kind.
    Private(ObjectIdentifier),
    /// A name of another kind of RFC 5280, with the number of that kind.
    Other(u32),
}

impl<'a> GeneralName<'a> {
    pub(super) fn read(reader: &mut SliceReader<'a>) -> der::Result<Self> {
        let Tag::ContextSpecific { number: TagNumber(kind), .. } = Tag::peek(reader)? else {
            return Err(ErrorKind::Failed.into());
        };
        let value = content(reader.tlv_bytes()?)?;
        Ok(match kind {
            0 => match ObjectIdentifier::decode(&mut SliceReader::new(value)?)? {
                SMTP_UTF8_MAILBOX => Self::WideEmail,
                kind => Self::Private(kind),
            },
            1 => Self::Email(value),
            2 => Self::Dns(value),
            4 => Self::Directory(value),
            6 => Self::Uri(value),
            7 => Self::Ip(value),
            kind => Self::Other(kind),
        })
    }

    /// The names of a GeneralNames value.
    pub(super) fn read_all(der: &'a [u8]) -> der::Result<Vec<Self>> {
        let mut reader = SliceReader::new(der)?;
        let names = reader.sequence(|names| {
            let mut found = Vec::new();
            while !names.is_finished() {
                found.push(Self::read(names)?);
            }
            Ok::<_, der::Error>(found)
        })?;
        reader.finish()?;
        Ok(names)
    }
}
