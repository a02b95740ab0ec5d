//! Certificate revocation lists, CRLs (`sslcrl`, `sslcrldir`).
//!
//! When there are lists, every certificate of a chain must be covered by a list that is valid now:
//! libpq sets OpenSSL's flags `CRL_CHECK` and `CRL_CHECK_ALL`.

use std::time::Duration;

use rustls::crypto::WebPkiSupportedAlgorithms;
use x509_cert::certificate::Raw;
use x509_cert::crl::CertificateList;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::crl::dp::IssuingDistributionPoint;
use x509_cert::ext::pkix::name::DistributionPointName;
use x509_cert::ext::pkix::{BasicConstraints, CrlDistributionPoints, KeyUsage};

use super::certificate::{Certificate, Signed};
use super::directory_name::DirectoryName;
use super::distrust::Distrust;

/// `id-ce-issuingDistributionPoint`: which certificates a list covers.
const SCOPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.28");

/// Revocation lists, as DER.
#[derive(Debug, Default)]
pub(super) struct RevocationLists(Vec<Vec<u8>>);

impl RevocationLists {
    pub(super) fn new(lists: Vec<Vec<u8>>) -> Self {
        Self(lists)
    }

    /// Checks that a certificate is known not to be revoked.
    pub(super) fn check(
        &self,
        certificate: &Certificate<'_>,
        issuer: &Certificate<'_>,
        algorithms: &WebPkiSupportedAlgorithms,
        now: Duration,
    ) -> Result<(), Distrust> {
        let mut verdict = Err(Distrust::NoList);
        let mut newest = None;
        for der in &self.0 {
            let Some(list) = about(der, certificate, issuer) else { continue };
            if let Err(why) = check_list(der, &list, issuer, algorithms, now) {
                if verdict == Err(Distrust::NoList) {
                    verdict = Err(why);
                }
                continue;
            }
            // The newest list knows best: a certificate may only have been on hold. Of two lists of
            // the same age, one that names the certificate is enough.
            let written = list.tbs_cert_list.this_update.to_unix_duration();
            let is_revoked = names(&list, certificate);
            let of_now = (written, is_revoked);
            if newest.is_none_or(|newest| of_now > newest) {
                newest = Some(of_now);
                verdict = if is_revoked { Err(Distrust::Revoked) } else { Ok(()) };
            }
        }
        verdict
    }
}

/// Parses a list; `None` if that fails, or if it is not this issuer's or does not cover the
/// certificate.
fn about(
    der: &[u8],
    certificate: &Certificate<'_>,
    issuer: &Certificate<'_>,
) -> Option<CertificateList<Raw>> {
    let list = CertificateList::<Raw>::from_der(der).ok()?;
    let name = list.tbs_cert_list.issuer.to_der().ok()?;
    (DirectoryName::read(&name).ok()? == issuer.subject && covers(&list, certificate)?)
        .then_some(list)
}

/// Whether a list covers this certificate, since some lists cover only some; `None` if that cannot
/// be read.
fn covers(list: &CertificateList<Raw>, certificate: &Certificate<'_>) -> Option<bool> {
    let mut extensions = list.tbs_cert_list.crl_extensions.iter().flatten();
    let Some(scope) = extensions.find(|it| it.extn_id == SCOPE) else { return Some(true) };
    let scope = IssuingDistributionPoint::from_der(scope.extn_value.as_bytes()).ok()?;
    let is_authority = certificate.extension::<BasicConstraints>().ok()?.is_some_and(|it| it.ca);
    let kept_out =
        if is_authority { scope.only_contains_user_certs } else { scope.only_contains_ca_certs };
    let is_named = match &scope.distribution_point {
        None => true,
        Some(DistributionPointName::FullName(places)) => {
            let points = certificate.extension::<CrlDistributionPoints>().ok()?;
            let points = points.iter().flat_map(|points| &points.0);
            let mut own = points.filter_map(|point| match &point.distribution_point {
                Some(DistributionPointName::FullName(own)) => Some(own),
                _ => None,
            });
            own.any(|own| own.iter().any(|place| places.contains(place)))
        }
        Some(DistributionPointName::NameRelativeToCRLIssuer(_)) => false,
    };
    Some(is_named && !kept_out)
}

/// Whether [`covers`] fully understands a critical extension of a list.
fn is_understood(extension: &Extension) -> bool {
    extension.extn_id == SCOPE
        && IssuingDistributionPoint::from_der(extension.extn_value.as_bytes()).is_ok_and(|scope| {
            !scope.indirect_crl
                && !scope.only_contains_attribute_certs
                && scope.only_some_reasons.is_none()
        })
}

/// Checks that a list is genuine and valid now.
fn check_list(
    der: &[u8],
    list: &CertificateList<Raw>,
    issuer: &Certificate<'_>,
    algorithms: &WebPkiSupportedAlgorithms,
    now: Duration,
) -> Result<(), Distrust> {
    let usage = issuer.extension::<KeyUsage>().map_err(|_| Distrust::Unreadable)?;
    if usage.is_some_and(|usage| !usage.crl_sign()) {
        return Err(Distrust::ListSignature);
    }
    let signed = Signed::read(der).map_err(|_| Distrust::Unreadable)?;
    if !signed.is_by(&issuer.key, algorithms) {
        return Err(Distrust::ListSignature);
    }
    let body = &list.tbs_cert_list;
    // Delta lists, indirect lists and lists for some reasons only say so in a critical extension.
    let of_list = body.crl_extensions.iter().flatten();
    let entries = body.revoked_certificates.iter().flatten();
    let of_entries = entries.flat_map(|entry| entry.crl_entry_extensions.iter().flatten());
    if of_list.chain(of_entries).any(|it| it.critical && !is_understood(it)) {
        return Err(Distrust::ListExtension);
    }
    if now < body.this_update.to_unix_duration() {
        return Err(Distrust::ListNotYetValid);
    }
    match body.next_update {
        Some(next) if now > next.to_unix_duration() => Err(Distrust::ListExpired),
        _ => Ok(()),
    }
}

fn names(list: &CertificateList<Raw>, certificate: &Certificate<'_>) -> bool {
    let mut revoked = list.tbs_cert_list.revoked_certificates.iter().flatten();
    let wanted = serial(certificate.serial);
    revoked.any(|entry| serial(entry.serial_number.as_bytes()) == wanted)
}

/// A serial number without the zero that marks it as positive.
fn serial(bytes: &[u8]) -> &[u8] {
    match bytes {
        [0, rest @ ..] if !rest.is_empty() => rest,
        bytes => bytes,
    }
}
