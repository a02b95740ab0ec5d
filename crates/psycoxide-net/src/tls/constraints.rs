//! Name constraints: which names an authority may give certificates to (RFC 5280, 4.2.1.10).

use x509_cert::der::Encode;
use x509_cert::ext::pkix::NameConstraints;
use x509_cert::ext::pkix::constraints::name::GeneralSubtree;
use x509_cert::ext::pkix::name::GeneralName;

use super::certificate::{AltName, Certificate};
use super::chain::Distrust;

/// Whether all names of the certificates below an authority are within its constraints.
///
/// Names of hosts, IP addresses and directory names are told apart; a constraint on anything else
/// is not understood, and nothing is trusted under it.
pub(super) fn check(
    authority: &Certificate<'_>,
    below: &[&Certificate<'_>],
) -> Result<(), Distrust> {
    let Some(constraints) =
        authority.extension::<NameConstraints>().map_err(|_| Distrust::Unreadable)?
    else {
        return Ok(());
    };
    let permitted = constraints.permitted_subtrees.unwrap_or_default();
    let excluded = constraints.excluded_subtrees.unwrap_or_default();
    if !permitted.iter().chain(&excluded).all(is_understood) {
        return Err(Distrust::UnknownConstraint);
    }
    for (depth, certificate) in below.iter().enumerate() {
        // The self-issued ones in between only renew a key.
        if depth > 0 && certificate.is_self_issued() {
            continue;
        }
        for name in names(certificate, depth == 0)? {
            if excluded.iter().any(|tree| name.is_within(&tree.base) == Some(true)) {
                return Err(Distrust::Excluded);
            }
            let mut of_kind = permitted.iter().filter_map(|tree| name.is_within(&tree.base));
            let first = of_kind.next();
            if first == Some(false) && !of_kind.any(|within| within) {
                return Err(Distrust::NotPermitted);
            }
        }
    }
    Ok(())
}

fn is_understood(tree: &GeneralSubtree) -> bool {
    let known = match &tree.base {
        GeneralName::DnsName(_) | GeneralName::DirectoryName(_) => true,
        GeneralName::IpAddress(range) => matches!(range.as_bytes().len(), 8 | 32),
        _ => false,
    };
    known && tree.minimum == 0 && tree.maximum.is_none()
}

/// A name that constraints apply to.
enum Name<'a> {
    Host(&'a [u8]),
    Address(&'a [u8]),
    Directory(&'a [u8]),
}

/// The names of a certificate. The common name counts as a host's when it may be taken for one.
fn names<'c>(certificate: &'c Certificate<'_>, is_leaf: bool) -> Result<Vec<Name<'c>>, Distrust> {
    let unreadable = |_| Distrust::Unreadable;
    let alternative = certificate.alternative_names().map_err(unreadable)?;
    let mut names = vec![Name::Directory(certificate.subject)];
    names.extend(alternative.iter().filter_map(|name| match name {
        AltName::Dns(host) => Some(Name::Host(host)),
        AltName::Ip(address) => Some(Name::Address(address)),
        AltName::Other => None,
    }));
    let has_host = alternative.iter().any(|name| matches!(name, AltName::Dns(_)));
    if is_leaf && !has_host {
        names.extend(certificate.common_name().map_err(unreadable)?.map(Name::Host));
    }
    Ok(names)
}

impl Name<'_> {
    /// Whether the name is in the subtree; none if that is about another kind of names.
    fn is_within(&self, tree: &GeneralName) -> Option<bool> {
        match (self, tree) {
            (Name::Host(host), GeneralName::DnsName(base)) => {
                Some(is_host_within(host, base.as_bytes()))
            }
            (Name::Address(address), GeneralName::IpAddress(range)) => {
                Some(is_address_within(address, range.as_bytes()))
            }
            (Name::Directory(name), GeneralName::DirectoryName(base)) => {
                Some(is_directory_within(name, base))
            }
            _ => None,
        }
    }
}

/// "Any DNS name that can be constructed by simply adding zero or more labels to the left-hand side
/// of the name satisfies the name constraint."
fn is_host_within(host: &[u8], base: &[u8]) -> bool {
    let Some(start) = host.len().checked_sub(base.len()) else { return false };
    let (left, right) = host.split_at_checked(start).unwrap_or_default();
    right.eq_ignore_ascii_case(base)
        && (base.is_empty() || left.is_empty() || left.ends_with(b".") || base.starts_with(b"."))
}

/// The range is an address and a mask.
fn is_address_within(address: &[u8], range: &[u8]) -> bool {
    let Some((base, mask)) = range.split_at_checked(range.len() / 2) else { return false };
    address.len() == base.len()
        && address.iter().zip(base).zip(mask).all(|((a, b), mask)| a & mask == b & mask)
}

/// The base's relative names are the first of the name's.
fn is_directory_within(name: &[u8], base: &x509_cert::name::Name) -> bool {
    let parts = |der: &[u8]| super::certificate::content(der).map(<[u8]>::to_vec);
    match (parts(name), base.to_der().and_then(|base| parts(&base))) {
        (Ok(name), Ok(base)) => name.starts_with(&base),
        _ => false,
    }
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
    fn addresses_are_within_their_net() {
        let net = [10, 1, 0, 0, 255, 255, 0, 0];
        assert!(is_address_within(&[10, 1, 2, 3], &net));
        assert!(!is_address_within(&[10, 2, 2, 3], &net));
        assert!(!is_address_within(&[0; 16], &net));
    }
}
