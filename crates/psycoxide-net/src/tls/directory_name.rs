//! Directory names (X.501): of a certificate's subject and of its issuer.
//!
//! They are compared as OpenSSL compares them: the encoding of a text, the case of its ASCII
//! letters and the number of its spaces make no difference (much as in RFC 5280, section 7.1). If
//! their bytes were compared, an authority could write an excluded name in another form.

use x509_cert::der::asn1::{AnyRef, ObjectIdentifier};
use x509_cert::der::{self, Decode, Encode, Reader, SliceReader, Tag, Tagged};

use super::certificate::content;

/// `id-at-commonName`
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
/// `emailAddress` of PKCS #9
const EMAIL_ADDRESS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.1");

/// A name; its parts lead from the root of a directory downwards.
#[derive(Clone, Debug)]
pub(super) struct DirectoryName<'a> {
    attributes: Vec<Attribute<'a>>,
    /// The parts in order, with every text in its canonical form.
    canonical: Vec<u8>,
}

/// An attribute; most parts of a name have one, some have several.
#[derive(Clone, Copy, Debug)]
struct Attribute<'a> {
    kind: ObjectIdentifier,
    value: AnyRef<'a>,
}

/// An e-mail address that is an attribute of a name.
pub(super) enum Email<'a> {
    Plain(&'a [u8]),
    /// The address has another string type than IA5String.
    Odd,
}

impl<'a> DirectoryName<'a> {
    pub(super) fn read(der: &'a [u8]) -> der::Result<Self> {
        let mut name = Self { attributes: Vec::new(), canonical: Vec::new() };
        let mut reader = SliceReader::new(der)?;
        reader.sequence(|parts| {
            while !parts.is_finished() {
                let part = parts.tlv_bytes()?;
                Tag::peek(&SliceReader::new(part)?)?.assert_eq(Tag::Set)?;
                name.read_part(content(part)?)?;
            }
            Ok::<_, der::Error>(())
        })?;
        reader.finish()?;
        Ok(name)
    }

    /// Reads the attributes of a part.
    fn read_part(&mut self, set: &'a [u8]) -> der::Result<()> {
        let mut reader = SliceReader::new(set)?;
        let mut forms = Vec::new();
        while !reader.is_finished() {
            let (kind, value) = reader.sequence(|pair| {
                Ok::<_, der::Error>((ObjectIdentifier::decode(pair)?, AnyRef::decode(pair)?))
            })?;
            let attribute = Attribute { kind, value };
            forms.push(attribute.canonical()?);
            self.attributes.push(attribute);
        }
        forms.sort();
        wrap(Tag::Set, &forms.concat(), &mut self.canonical)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.attributes.is_empty()
    }

    /// Whether this name begins with the parts of `base`.
    pub(super) fn is_within(&self, base: &Self) -> bool {
        self.canonical.starts_with(&base.canonical)
    }

    /// The common names as they are written, whatever their string type.
    pub(super) fn common_names(&self) -> impl Iterator<Item = &'a [u8]> {
        self.of_kind(COMMON_NAME).map(|value| value.value())
    }

    /// The e-mail addresses.
    pub(super) fn emails(&self) -> impl Iterator<Item = Email<'a>> {
        self.of_kind(EMAIL_ADDRESS).map(|value| match value.tag() {
            Tag::Ia5String => Email::Plain(value.value()),
            _ => Email::Odd,
        })
    }

    fn of_kind(&self, kind: ObjectIdentifier) -> impl Iterator<Item = AnyRef<'a>> {
        self.attributes.iter().filter(move |it| it.kind == kind).map(|it| it.value)
    }
}

impl PartialEq for DirectoryName<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.canonical == other.canonical
    }
}

impl Attribute<'_> {
    fn canonical(&self) -> der::Result<Vec<u8>> {
        let mut pair = self.kind.to_der()?;
        match text(self.value)? {
            Some(text) => wrap(Tag::Utf8String, folded(&text).as_bytes(), &mut pair)?,
            None => pair.extend(self.value.to_der()?),
        }
        let mut whole = Vec::new();
        wrap(Tag::Sequence, &pair, &mut whole)?;
        Ok(whole)
    }
}

/// The text of a value; `None` if the value is not a text.
fn text(value: AnyRef<'_>) -> der::Result<Option<String>> {
    let malformed = || der::Error::from(value.tag().value_error());
    let bytes = value.value();
    Ok(Some(match value.tag() {
        Tag::Utf8String => str::from_utf8(bytes).map_err(|_| malformed())?.to_owned(),
        Tag::BmpString => {
            let units = bytes.chunks(2).map(|unit| match unit {
                [high, low] => char::from_u32(u32::from(*high) << 8 | u32::from(*low)),
                _ => None,
            });
            units.collect::<Option<_>>().ok_or_else(malformed)?
        }
        // Bytes beyond ASCII are read as Latin-1 in these types.
        Tag::PrintableString | Tag::TeletexString | Tag::Ia5String | Tag::VisibleString => {
            bytes.iter().copied().map(char::from).collect()
        }
        _ => return Ok(None),
    }))
}

/// A text in ASCII lower case, with single spaces between its words.
fn folded(text: &str) -> String {
    let is_space = |c: char| matches!(c, ' ' | '\t'..='\r');
    let words = text.split(is_space).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").to_ascii_lowercase()
}

/// Appends a value with its header.
fn wrap(tag: Tag, content: &[u8], out: &mut Vec<u8>) -> der::Result<()> {
    AnyRef::new(tag, content)?.encode_to_vec(out).map(drop)
}

#[cfg(test)]
mod tests {
    use super::super::mint::{CN, EMAIL, O, Text, directory_name};
    use super::*;

    const UTF8: u8 = 12;
    const PRINTABLE: u8 = 19;
    const TELETEX: u8 = 20;
    const IA5: u8 = 22;
    const BMP: u8 = 30;
    const OCTETS: u8 = 4;

    fn name(parts: &[Text<'_>]) -> DirectoryName<'static> {
        DirectoryName::read(directory_name(parts).leak()).unwrap()
    }

    fn organization(tag: u8, text: &[u8]) -> DirectoryName<'static> {
        name(&[(O, tag, text)])
    }

    #[test]
    fn names_are_equal_however_they_are_written() {
        let expected = organization(UTF8, "Example Gmbh é".as_bytes());
        for (tag, text) in [
            (UTF8, "EXAMPLE  gmbh\té".as_bytes()),
            (UTF8, " example gmbh é\n".as_bytes()),
            (TELETEX, b"example gmbh \xe9"),
            (PRINTABLE, b"Example Gmbh \xe9"),
            (BMP, b"\0E\0x\0a\0m\0p\0l\0e\0 \0G\0m\0b\0h\0 \0\xe9"),
        ] {
            assert_eq!(organization(tag, text), expected, "{tag} {text:?}");
        }
        for (tag, text) in [
            (UTF8, "ExampleGmbh é".as_bytes()),
            (UTF8, "Example Gmbh É".as_bytes()),
            (OCTETS, "example gmbh é".as_bytes()),
        ] {
            assert_ne!(organization(tag, text), expected, "{tag} {text:?}");
        }
    }

    #[test]
    fn invalid_texts_are_refused() {
        for (tag, text) in [(UTF8, &b"\xff"[..]), (BMP, b"abc"), (BMP, b"\xd8\0")] {
            assert!(DirectoryName::read(&directory_name(&[(O, tag, text)])).is_err());
        }
        for der in [&b""[..], b"\x30", b"\x31\0", b"\x30\x02\x30\0", b"\x30\0\0"] {
            assert!(DirectoryName::read(der).is_err(), "{der:?}");
        }
    }

    #[test]
    fn a_name_is_within_its_first_parts() {
        let (o, a, b) = ((O, UTF8, &b"o"[..]), (CN, UTF8, &b"a"[..]), (CN, UTF8, &b"b"[..]));
        let whole = name(&[o, a, b]);
        for parts in [&[][..], &[o], &[o, a], &[o, a, b]] {
            assert!(whole.is_within(&name(parts)));
        }
        for parts in [&[a][..], &[o, b], &[o, a, b, b]] {
            assert!(!whole.is_within(&name(parts)));
        }
        assert!(name(&[]).is_empty() && !whole.is_empty());
        assert_eq!(whole.common_names().collect::<Vec<_>>(), [b"a", b"b"]);
        let mails = name(&[(EMAIL, IA5, b"me@db"), (EMAIL, UTF8, b"me@db")]);
        let mails: Vec<_> = mails.emails().collect();
        assert!(matches!(mails[..], [Email::Plain(b"me@db"), Email::Odd]));
    }
}
