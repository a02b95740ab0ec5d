//! Whether a chain leads from a server's certificate to a trusted one, by the rules that OpenSSL
//! applies for libpq.
//!
//! They differ from the web's rules, which rustls' own verifier follows: certificates of version 1
//! are common here, and so are self-signed ones that are an authority's and a server's certificate
//! at once. On the other hand a chain must end at a self-signed certificate, and that can expire
//! too. Unknown critical extensions are refused.

use std::time::Duration;

use rustls::crypto::WebPkiSupportedAlgorithms;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages};

use super::certificate::{Certificate, NETSCAPE_TYPE};
use super::constraints;
use super::distrust::Distrust;
use super::revocation::RevocationLists;

/// How many authorities may stand between a server's certificate and a trusted one.
const MAX_LENGTH: usize = 10;

/// How many signatures are verified at most: a server could send many certificates with one name.
const MAX_SIGNATURES: usize = 100;

/// `id-kp-serverAuth`
const SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");

/// Bits of Netscape's extension: for servers, and for authorities of servers.
const NETSCAPE_SERVER: u8 = 0x40;
const NETSCAPE_AUTHORITY: u8 = 0x04;

/// The extensions that may be critical. Policies matter only to clients that ask for one, and libpq
/// does not; where to get revocation lists is up to the user.
const KNOWN_EXTENSIONS: [ObjectIdentifier; 11] = [
    ObjectIdentifier::new_unwrap("2.5.29.15"), // keyUsage
    ObjectIdentifier::new_unwrap("2.5.29.17"), // subjectAltName
    ObjectIdentifier::new_unwrap("2.5.29.19"), // basicConstraints
    ObjectIdentifier::new_unwrap("2.5.29.30"), // nameConstraints
    ObjectIdentifier::new_unwrap("2.5.29.31"), // cRLDistributionPoints
    ObjectIdentifier::new_unwrap("2.5.29.32"), // certificatePolicies
    ObjectIdentifier::new_unwrap("2.5.29.33"), // policyMappings
    ObjectIdentifier::new_unwrap("2.5.29.36"), // policyConstraints
    ObjectIdentifier::new_unwrap("2.5.29.37"), // extKeyUsage
    ObjectIdentifier::new_unwrap("2.5.29.54"), // inhibitAnyPolicy
    NETSCAPE_TYPE,
];

/// The data to verify a certificate against.
pub(super) struct Trust<'a> {
    /// The certificates that the user trusts.
    pub(super) roots: &'a [Certificate<'a>],
    /// The revocation lists, if revocation is to be checked.
    pub(super) lists: Option<&'a RevocationLists>,
    pub(super) algorithms: &'a WebPkiSupportedAlgorithms,
    /// Since 1970.
    pub(super) now: Duration,
}

impl<'a> Trust<'a> {
    /// Verifies a server's certificate; `sent` are the other certificates that the server sent.
    pub(super) fn verify(
        &'a self,
        leaf: &'a Certificate<'a>,
        sent: &'a [Certificate<'a>],
    ) -> Result<(), Distrust> {
        let mut search = Search { trust: self, sent, signatures: MAX_SIGNATURES, verdict: None };
        let mut chain = vec![leaf];
        if search.complete(&mut chain) {
            return Ok(());
        }
        Err(search.verdict.unwrap_or(Distrust::UnknownIssuer))
    }

    fn is_root(&self, certificate: &Certificate<'_>) -> bool {
        self.roots.iter().any(|root| root.der == certificate.der)
    }

    /// Checks a whole chain, the server's certificate first. Its signatures are verified already.
    fn check(&self, chain: &[&Certificate<'_>]) -> Result<(), Distrust> {
        for (depth, certificate) in chain.iter().enumerate() {
            self.check_one(certificate)?;
            if depth > 0 {
                check_authority(certificate, chain.get(..depth).unwrap_or_default())?;
            }
        }
        let Some(lists) = self.lists else { return Ok(()) };
        for (depth, certificate) in chain.iter().enumerate() {
            // The last certificate is self-signed.
            let issuer = chain.get(depth + 1).unwrap_or(certificate);
            lists.check(certificate, issuer, self.algorithms, self.now)?;
        }
        Ok(())
    }

    /// Checks what every certificate of a chain must fulfil.
    fn check_one(&self, certificate: &Certificate<'_>) -> Result<(), Distrust> {
        check_extensions(certificate)?;
        let unknown = |extension: &x509_cert::ext::Extension| {
            extension.critical && !KNOWN_EXTENSIONS.contains(&extension.extn_id)
        };
        if certificate.extensions.iter().any(unknown) {
            return Err(Distrust::CriticalExtension);
        }
        if self.now < certificate.not_before {
            return Err(Distrust::NotYetValid);
        }
        if self.now > certificate.not_after {
            return Err(Distrust::Expired);
        }
        let purposes = certificate.extension::<ExtendedKeyUsage>().map_err(unreadable)?;
        if purposes.is_some_and(|purposes| !purposes.0.contains(&SERVER_AUTH)) {
            return Err(Distrust::Purpose);
        }
        Ok(())
    }
}

/// The search for a chain.
struct Search<'a> {
    trust: &'a Trust<'a>,
    sent: &'a [Certificate<'a>],
    /// How many more signatures may be verified.
    signatures: usize,
    /// Why the first chain that was tried failed.
    verdict: Option<Distrust>,
}

impl<'a> Search<'a> {
    /// Extends the chain to a trusted end, if there is one.
    fn complete(&mut self, chain: &mut Vec<&'a Certificate<'a>>) -> bool {
        let Some(last) = chain.last().copied() else { return false };
        if last.is_self_issued() && self.trust.is_root(last) {
            return match self.check_all(chain) {
                Ok(()) => true,
                Err(verdict) => self.fail(verdict),
            };
        }
        if chain.len() > MAX_LENGTH {
            return self.fail(Distrust::TooLong);
        }
        // Trusted issuers are tried before those that were sent.
        let (trust, sent) = (self.trust, self.sent);
        for issuer in trust.roots.iter().chain(sent) {
            let known = |other: &&Certificate<'_>| other.der == issuer.der;
            if issuer.subject != last.issuer || chain.iter().any(known) {
                continue;
            }
            if self.signatures == 0 {
                return self.fail(Distrust::TooLong);
            }
            self.signatures -= 1;
            if !last.signed.is_by(&issuer.key, trust.algorithms) {
                continue;
            }
            chain.push(issuer);
            if self.complete(chain) {
                return true;
            }
            chain.pop();
        }
        self.fail(match (last.is_self_issued(), chain.len()) {
            (true, 1) => Distrust::SelfSigned,
            (true, _) => Distrust::SelfSignedInChain,
            (false, _) => Distrust::UnknownIssuer,
        })
    }

    fn check_all(&self, chain: &[&Certificate<'_>]) -> Result<(), Distrust> {
        if let Some(leaf) = chain.first() {
            check_server(leaf)?;
        }
        self.trust.check(chain)
    }

    /// Keeps the verdict, unless there is one already: the first one is reported.
    fn fail(&mut self, verdict: Distrust) -> bool {
        self.verdict.get_or_insert(verdict);
        false
    }
}

/// The extensions that count must be readable, even if the certificate's place in the chain does
/// not use them.
fn check_extensions(certificate: &Certificate<'_>) -> Result<(), Distrust> {
    if certificate.repeats_extension() {
        return Err(Distrust::Unreadable);
    }
    let readable = || {
        certificate.extension::<BasicConstraints>()?;
        certificate.extension::<KeyUsage>()?;
        certificate.extension::<ExtendedKeyUsage>()?;
        certificate.netscape_type()?;
        certificate.alternative_names()?;
        constraints::read(certificate)
    };
    readable().map(drop).map_err(unreadable)
}

/// Checks what the server's own certificate must fulfil.
fn check_server(leaf: &Certificate<'_>) -> Result<(), Distrust> {
    let usage = leaf.extension::<KeyUsage>().map_err(unreadable)?;
    let any = KeyUsages::DigitalSignature | KeyUsages::KeyEncipherment | KeyUsages::KeyAgreement;
    if usage.is_some_and(|usage| usage.0.is_disjoint(any)) {
        return Err(Distrust::Purpose);
    }
    match leaf.netscape_type().map_err(unreadable)? {
        Some(bits) if bits & NETSCAPE_SERVER == 0 => Err(Distrust::Purpose),
        _ => Ok(()),
    }
}

/// Checks what a certificate that signed another must fulfil; `below` are the certificates under
/// it.
fn check_authority(
    certificate: &Certificate<'_>,
    below: &[&Certificate<'_>],
) -> Result<(), Distrust> {
    let usage = certificate.extension::<KeyUsage>().map_err(unreadable)?;
    if usage.is_some_and(|usage| !usage.key_cert_sign()) {
        return Err(Distrust::KeyUsage);
    }
    match certificate.extension::<BasicConstraints>().map_err(unreadable)? {
        Some(constraints) if !constraints.ca => return Err(Distrust::NotAnAuthority),
        Some(constraints) => {
            // The server's own certificate does not count, nor do certificates that only renew a
            // key.
            let between = below.iter().skip(1).filter(|below| !below.is_self_issued()).count();
            if constraints.path_len_constraint.is_some_and(|most| between > most.into()) {
                return Err(Distrust::PathLength);
            }
        }
        None if certificate.is_self_issued() && is_old_authority(certificate)? => {}
        None => return Err(Distrust::NotAnAuthority),
    }
    constraints::check(certificate, below)
}

/// Whether a certificate without basicConstraints is an authority's; only a trusted root may be
/// that old. Before version 3 there was no way to say it.
fn is_old_authority(certificate: &Certificate<'_>) -> Result<bool, Distrust> {
    let usage = certificate.extension::<KeyUsage>().map_err(unreadable)?;
    let netscape = certificate.netscape_type().map_err(unreadable)?;
    Ok(certificate.is_version_1()
        || usage.is_some_and(|usage| usage.key_cert_sign())
        || netscape.is_some_and(|bits| bits & NETSCAPE_AUTHORITY != 0))
}

fn unreadable(_: x509_cert::der::Error) -> Distrust {
    Distrust::Unreadable
}
