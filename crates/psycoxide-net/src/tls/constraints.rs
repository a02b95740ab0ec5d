//! Name constraints: for which names an authority may issue certificates (RFC 5280, 4.2.1.10), as
//! OpenSSL reads them.

use std::mem::discriminant;

use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{self, Reader, SliceReader, Tag, TagNumber};

use super::certificate::{Certificate, content};
use super::directory_name::{DirectoryName, Email};
use super::distrust::Distrust;
use super::general_name::GeneralName;

/// `id-ce-nameConstraints`
const NAME_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.30");

/// How many pairs of a name and a subtree are compared at most; OpenSSL's limit. Otherwise a stolen
/// authority could make clients spend a lot of time.
const MAX_COMPARED: usize = 1 << 20;

/// Checks that all names of the certificates below an authority are within its constraints.
pub(super) fn check(
    authority: &Certificate<'_>,
    below: &[&Certificate<'_>],
) -> Result<(), Distrust> {
    let Some(constraints) = read(authority).map_err(unreadable)? else { return Ok(()) };
    for (depth, certificate) in below.iter().enumerate() {
        // Self-issued certificates in between only renew a key.
        if depth == 0 || !certificate.is_self_issued() {
            constraints.check(&names(certificate, depth == 0)?)?;
        }
    }
    Ok(())
}

/// Reads the constraints of a certificate.
pub(super) fn read<'c>(certificate: &'c Certificate<'_>) -> der::Result<Option<Constraints<'c>>> {
    certificate.raw_extension(NAME_CONSTRAINTS)?.map(Constraints::read).transpose()
}

fn unreadable(_: der::Error) -> Distrust {
    Distrust::Unreadable
}

/// The subtrees of an extension.
pub(super) struct Constraints<'a> {
    permitted: Vec<Subtree<'a>>,
    excluded: Vec<Subtree<'a>>,
}

/// A name that stands for all names below it.
struct Subtree<'a> {
    base: Name<'a>,
    /// Whether it covers only some levels, which RFC 5280 forbids.
    is_bounded: bool,
}

/// A name that constraints apply to.
enum Name<'a> {
    Directory(DirectoryName<'a>),
    /// An e-mail attribute of a directory name with the wrong string type.
    OddEmail,
    /// Any other name. A common name counts as a host's.
    General(GeneralName<'a>),
}

impl<'a> Constraints<'a> {
    fn read(der: &'a [u8]) -> der::Result<Self> {
        let mut constraints = Self { permitted: Vec::new(), excluded: Vec::new() };
        let mut reader = SliceReader::new(der)?;
        reader.sequence(|lists| {
            while !lists.is_finished() {
                let tag = Tag::peek(lists)?;
                let list = content(lists.tlv_bytes()?)?;
                match tag {
                    Tag::ContextSpecific { number: TagNumber(0), constructed: true } => {
                        constraints.permitted = subtrees(list)?;
                    }
                    Tag::ContextSpecific { number: TagNumber(1), constructed: true } => {
                        constraints.excluded = subtrees(list)?;
                    }
                    tag => return Err(tag.value_error().into()),
                }
            }
            Ok::<_, der::Error>(())
        })?;
        reader.finish()?;
        Ok(constraints)
    }

    /// Checks whether a certificate may have these names.
    fn check(&self, names: &[Name<'_>]) -> Result<(), Distrust> {
        let count = self.permitted.len() + self.excluded.len();
        if names.len().checked_mul(count).is_none_or(|pairs| pairs > MAX_COMPARED) {
            return Err(Distrust::TooManyNames);
        }
        for name in names {
            if let Name::OddEmail = name {
                return Err(Distrust::NameSyntax);
            }
            let mut is_bound = false;
            let mut is_permitted = false;
            for tree in self.permitted.iter().filter(|tree| name.is_of_kind(&tree.base)) {
                is_bound = true;
                is_permitted |= tree.holds(name)?;
            }
            if is_bound && !is_permitted {
                return Err(Distrust::NotPermitted);
            }
            for tree in self.excluded.iter().filter(|tree| name.is_of_kind(&tree.base)) {
                if tree.holds(name)? || tree.may_hold(name) {
                    return Err(Distrust::Excluded);
                }
            }
        }
        Ok(())
    }
}

/// The subtrees of a GeneralSubtrees value, without its header.
fn subtrees(list: &[u8]) -> der::Result<Vec<Subtree<'_>>> {
    let mut reader = SliceReader::new(list)?;
    let mut found = Vec::new();
    while !reader.is_finished() {
        found.push(reader.sequence(|tree| {
            let base = Name::read(GeneralName::read(tree)?)?;
            let mut is_bounded = false;
            while !tree.is_finished() {
                // A minimum of zero is no bound, even though DER would leave it out.
                is_bounded |= tree.tlv_bytes()? != [0x80, 1, 0];
            }
            Ok::<_, der::Error>(Subtree { base, is_bounded })
        })?);
    }
    Ok(found)
}

impl Subtree<'_> {
    /// Whether a name of the same kind is in the subtree.
    fn holds(&self, name: &Name<'_>) -> Result<bool, Distrust> {
        use GeneralName as General;
        if self.is_bounded {
            return Err(Distrust::SubtreeBounds);
        }
        match (name, &self.base) {
            (Name::Directory(name), Name::Directory(base)) => Ok(name.is_within(base)),
            (Name::General(name), Name::General(base)) => match (name, base) {
                (General::Dns(host), General::Dns(base)) => Ok(is_host_within(host, base)),
                (General::Ip(address), General::Ip(range)) => is_address_within(address, range),
                (General::Email(email), General::Email(base)) => {
                    is_email_within(email, base).ok_or(Distrust::NameSyntax)
                }
                (General::Uri(uri), General::Uri(base)) => {
                    let host = host_of_uri(uri).ok_or(Distrust::NameSyntax)?;
                    Ok(is_exactly_within(host, base))
                }
                (General::WideEmail, _) => Err(Distrust::NameSyntax),
                _ => Err(Distrust::UnknownConstraint),
            },
            _ => Err(Distrust::UnknownConstraint),
        }
    }

    /// Whether a wildcard name stands for names in the subtree.
    fn may_hold(&self, name: &Name<'_>) -> bool {
        let (
            Name::General(GeneralName::Dns([b'*', b'.', domain @ ..])),
            Name::General(GeneralName::Dns(base)),
        ) = (name, &self.base)
        else {
            return false;
        };
        // A wildcard stands for one label, so the subtree's top may be among its names.
        let dot = base.iter().position(|byte| *byte == b'.');
        dot.and_then(|dot| base.get(dot + 1..)).is_some_and(|it| it.eq_ignore_ascii_case(domain))
    }
}

impl<'a> Name<'a> {
    fn read(name: GeneralName<'a>) -> der::Result<Self> {
        Ok(match name {
            GeneralName::Directory(der) => Self::Directory(DirectoryName::read(der)?),
            name => Self::General(name),
        })
    }

    /// Whether a constraint with this `base` applies to this kind of name.
    fn is_of_kind(&self, base: &Name<'_>) -> bool {
        use GeneralName as General;
        match (self, base) {
            (Name::Directory(_), Name::Directory(_)) => true,
            (Name::General(name), Name::General(base)) => match (name, base) {
                (General::WideEmail, General::Email(_)) => true,
                (General::Private(kind), General::Private(base)) => kind == base,
                (General::Other(kind), General::Other(base)) => kind == base,
                (name, base) => discriminant(name) == discriminant(base),
            },
            _ => false,
        }
    }
}

/// The names of a certificate. A server's common names count as host names if libpq could take them
/// for one.
fn names<'c>(certificate: &'c Certificate<'_>, is_leaf: bool) -> Result<Vec<Name<'c>>, Distrust> {
    let subject = &certificate.subject;
    let alternative = certificate.alternative_names().map_err(unreadable)?;
    let mut names = Vec::new();
    if !subject.is_empty() {
        names.push(Name::Directory(subject.clone()));
    }
    names.extend(subject.emails().map(|email| match email {
        Email::Plain(email) => Name::General(GeneralName::Email(email)),
        Email::Odd => Name::OddEmail,
    }));
    let has_host = alternative.iter().any(|name| matches!(name, GeneralName::Dns(_)));
    if is_leaf && !has_host {
        let hosts = subject.common_names().filter(|name| may_be_host(name));
        names.extend(hosts.map(|name| Name::General(GeneralName::Dns(name))));
    }
    for name in alternative {
        names.push(Name::read(name).map_err(unreadable)?);
    }
    Ok(names)
}

/// Whether libpq could take a common name for a host name.
fn may_be_host(name: &[u8]) -> bool {
    !name.iter().any(|byte| byte.is_ascii_whitespace())
}

/// "Any DNS name that can be constructed by simply adding zero or more labels to the left-hand side
/// of the name satisfies the name constraint."
fn is_host_within(host: &[u8], base: &[u8]) -> bool {
    let Some(start) = host.len().checked_sub(base.len()) else { return false };
    let (left, right) = host.split_at_checked(start).unwrap_or_default();
    right.eq_ignore_ascii_case(base)
        && (base.is_empty() || left.is_empty() || left.ends_with(b".") || base.starts_with(b"."))
}

/// The rule for e-mail and URIs: the base is a host or, with a dot in front, all hosts below it.
fn is_exactly_within(host: &[u8], base: &[u8]) -> bool {
    if base.starts_with(b".") {
        host.len() > base.len() && is_host_within(host, base)
    } else {
        host.eq_ignore_ascii_case(base)
    }
}

/// The base is an address, a host, or a domain. `None` if the name is not an e-mail address.
fn is_email_within(email: &[u8], base: &[u8]) -> Option<bool> {
    let split = |text: &[u8]| text.iter().rposition(|byte| *byte == b'@');
    let (local, host) = email.split_at_checked(split(email)?)?;
    let Some(at) = split(base) else { return Some(is_exactly_within(host.get(1..)?, base)) };
    let (base_local, base_host) = base.split_at_checked(at)?;
    // The part before the `@` is case-sensitive.
    let is_same = base_local.is_empty() || local == base_local;
    Some(is_same && host.eq_ignore_ascii_case(base_host))
}

/// The host of a URI; `None` if it has none, or an unusual one.
fn host_of_uri(uri: &[u8]) -> Option<&[u8]> {
    let colon = uri.iter().position(|byte| *byte == b':')?;
    let rest = uri.get(colon..)?.strip_prefix(b"://")?;
    let authority = rest.split(|byte| b"/?#".contains(byte)).next()?;
    let host = authority.rsplit(|byte| *byte == b'@').next()?;
    let mut parts = host.split(|byte| *byte == b':');
    let (host, port) = (parts.next()?, parts.next());
    let is_plain = port.is_none_or(|port| port.iter().all(u8::is_ascii_digit));
    (!host.is_empty() && is_plain && parts.next().is_none()).then_some(host)
}

/// Whether an address is within a range, which is an address and a mask.
fn is_address_within(address: &[u8], range: &[u8]) -> Result<bool, Distrust> {
    if !matches!(address.len(), 4 | 16) {
        return Err(Distrust::NameSyntax);
    }
    // A range of another size is refused: it could be read to exclude nothing.
    let (8 | 32, Some((base, mask))) = (range.len(), range.split_at_checked(range.len() / 2))
    else {
        return Err(Distrust::UnknownConstraint);
    };
    Ok(address.len() == base.len()
        && address.iter().zip(base).zip(mask).all(|((a, b), mask)| a & mask == b & mask))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_within_their_domain() {
        for (host, base, within) in [
            ("db.example.org", "example.org", true),
            ("EXAMPLE.org", "example.org", true),
            ("badexample.org", "example.org", false),
            ("db.example.org", ".example.org", true),
            ("example.org", ".example.org", false),
            ("anything", "", true),
            ("org", "example.org", false),
        ] {
            assert_eq!(is_host_within(host.as_bytes(), base.as_bytes()), within, "{host} {base}");
        }
    }

    #[test]
    fn wildcards_may_stand_for_what_is_excluded() {
        for (host, base, may) in [
            ("*.example.org", "db.example.org", true),
            ("*.example.org", ".db.example.org", false),
            ("*.EXAMPLE.org", "db.example.ORG", true),
            ("*.example.org", "a.db.example.org", false),
            ("*.example.org", "db.example.com", false),
            ("*.example.org", "", false),
            ("db.example.org", "a.db.example.org", false),
        ] {
            let dns = |text: &'static str| Name::General(GeneralName::Dns(text.as_bytes()));
            let tree = Subtree { base: dns(base), is_bounded: false };
            assert_eq!(tree.may_hold(&dns(host)), may, "{host} {base}");
        }
    }

    #[test]
    fn the_number_of_compared_names_is_limited() {
        let dns = || Name::General(GeneralName::Dns(b"db"));
        let trees =
            |count| (0..count).map(|_| Subtree { base: dns(), is_bounded: false }).collect();
        let constraints = Constraints { permitted: trees(1024), excluded: Vec::new() };
        let names: Vec<_> = (0..1025).map(|_| dns()).collect();
        assert_eq!(constraints.check(&names[..1024]), Ok(()));
        assert_eq!(constraints.check(&names), Err(Distrust::TooManyNames));
    }

    #[test]
    fn addresses_of_mail_are_within_hosts_and_domains() {
        for (email, base, within) in [
            ("me@db.example.org", "me@db.example.org", Some(true)),
            ("me@DB.example.org", "me@db.EXAMPLE.org", Some(true)),
            ("Me@db.example.org", "me@db.example.org", Some(false)),
            ("you@db.example.org", "me@db.example.org", Some(false)),
            ("me@db.example.org", "@db.example.org", Some(true)),
            ("me@db.example.org", "db.example.org", Some(true)),
            ("me@db.example.org", "example.org", Some(false)),
            ("me@db.example.org", ".example.org", Some(true)),
            ("me@example.org", ".example.org", Some(false)),
            ("me@here@example.org", "example.org", Some(true)),
            ("me@example.org", "", Some(false)),
            ("me", "example.org", None),
        ] {
            let found = is_email_within(email.as_bytes(), base.as_bytes());
            assert_eq!(found, within, "{email} {base}");
        }
    }

    #[test]
    fn uris_have_hosts() {
        for (uri, host) in [
            ("http://db.example.org", Some("db.example.org")),
            ("http://db.example.org:80/x", Some("db.example.org")),
            ("http://me@db.example.org/a:b", Some("db.example.org")),
            ("http://db.example.org?x@y", Some("db.example.org")),
            ("http://a:b@db.example.org#f", Some("db.example.org")),
            ("http://a:b", None),
            ("http://[::1]/", None),
            ("http:///x", None),
            ("urn:x", None),
            ("mailto:a//b", None),
            ("", None),
        ] {
            assert_eq!(host_of_uri(uri.as_bytes()), host.map(str::as_bytes), "{uri}");
        }
    }

    #[test]
    fn addresses_are_within_their_net() {
        let net = [10, 1, 0, 0, 255, 255, 0, 0];
        assert_eq!(is_address_within(&[10, 1, 2, 3], &net), Ok(true));
        assert_eq!(is_address_within(&[10, 2, 2, 3], &net), Ok(false));
        assert_eq!(is_address_within(&[0; 16], &net), Ok(false));
        assert_eq!(is_address_within(&[0; 5], &net), Err(Distrust::NameSyntax));
        assert_eq!(is_address_within(&[0; 4], &net[..7]), Err(Distrust::UnknownConstraint));
    }
}
