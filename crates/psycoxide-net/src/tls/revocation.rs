//! Lists of revoked certificates (`sslcrl`, `sslcrldir`).
//!
//! When there are lists, every certificate of a chain has to be covered by one that is valid now:
//! libpq sets OpenSSL's flags `CRL_CHECK` and `CRL_CHECK_ALL`.

use std::time::Duration;

use rustls::crypto::WebPkiSupportedAlgorithms;
use x509_cert::certificate::Raw;
use x509_cert::crl::CertificateList;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::KeyUsage;

use super::certificate::{Certificate, Signed};
use super::chain::Distrust;

/// `removeFromCRL`, the reason of an entry of a list of changes that takes one back.
const REASON_CODE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.21");

/// Lists of revoked certificates, as they were read from files.
#[derive(Debug, Default)]
pub(super) struct Lists(Vec<Vec<u8>>);

impl Lists {
    pub(super) fn new(lists: Vec<Vec<u8>>) -> Self {
        Self(lists)
    }

    /// Whether a certificate is known not to be revoked.
    pub(super) fn check(
        &self,
        certificate: &Certificate<'_>,
        issuer: &Certificate<'_>,
        algorithms: &WebPkiSupportedAlgorithms,
        now: Duration,
    ) -> Result<(), Distrust> {
        let mut verdict = Err(Distrust::NoList);
        for der in &self.0 {
            let Some(list) = about(der, issuer) else { continue };
            match check_list(der, &list, issuer, algorithms, now) {
                // One list that names it is enough, whatever another says.
                Ok(()) if names(&list, certificate) => return Err(Distrust::Revoked),
                Ok(()) => verdict = Ok(()),
                Err(why) if verdict == Err(Distrust::NoList) => verdict = Err(why),
                Err(_) => {}
            }
        }
        verdict
    }
}

/// The list, if it can be read and is this issuer's.
fn about(der: &[u8], issuer: &Certificate<'_>) -> Option<CertificateList<Raw>> {
    let list = CertificateList::<Raw>::from_der(der).ok()?;
    let name = list.tbs_cert_list.issuer.to_der().ok()?;
    (name == issuer.subject).then_some(list)
}

/// Whether a list is genuine and speaks of today.
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
    // Lists for some certificates only, of changes, or of several issuers say so critically.
    let of_list = body.crl_extensions.iter().flatten();
    let entries = body.revoked_certificates.iter().flatten();
    let of_entries = entries.flat_map(|entry| entry.crl_entry_extensions.iter().flatten());
    if of_list.chain(of_entries).any(|it| it.critical && it.extn_id != REASON_CODE) {
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
