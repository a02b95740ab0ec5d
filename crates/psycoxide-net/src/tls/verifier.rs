//! Answers rustls' questions about a server's certificate by libpq's rules.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, ServerName, SignatureVerificationAlgorithm, UnixTime};
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, PeerMisbehaved, SignatureScheme,
};

use super::certificate::Certificate;
use super::chain::Trust;
use super::distrust::Distrust;
use super::revocation::RevocationLists;

/// What the user trusts.
#[derive(Debug)]
pub(super) struct Anchors {
    /// The trusted certificates, as DER.
    pub(super) roots: Vec<Vec<u8>>,
    /// The revocation lists, if revocation is to be checked.
    pub(super) lists: Option<RevocationLists>,
}

/// Verifies the chain if there are trust anchors, and always the handshake's signature. The
/// server's name is checked after the handshake, as in libpq.
#[derive(Debug)]
pub(super) struct Verifier {
    pub(super) anchors: Option<Anchors>,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    fn chain(
        &self,
        anchors: &Anchors,
        leaf: &[u8],
        sent: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Distrust> {
        let leaf = Certificate::read(leaf).map_err(|_| Distrust::Unreadable)?;
        // A certificate that cannot be read cannot be part of a chain.
        let sent: Vec<_> = sent.iter().filter_map(|der| Certificate::read(der).ok()).collect();
        let roots = anchors.roots.iter().filter_map(|der| Certificate::read(der).ok());
        let trust = Trust {
            roots: &roots.collect::<Vec<_>>(),
            lists: anchors.lists.as_ref(),
            algorithms: &self.algorithms,
            now: std::time::Duration::from_secs(now.as_secs()),
        };
        trust.verify(&leaf, &sent)
    }

    /// Verifies the handshake's signature. rustls' own function needs a certificate of version 3.
    fn signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
        choose: impl FnOnce(&Candidates) -> &Candidates,
    ) -> Result<HandshakeSignatureValid, Error> {
        let scheme = |(known, _): &&(SignatureScheme, _)| *known == signed.scheme;
        let Some((_, candidates)) = self.algorithms.mapping.iter().find(scheme) else {
            return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        };
        let bad = |error| Error::InvalidCertificate(error);
        let certificate =
            Certificate::read(certificate).map_err(|_| bad(CertificateError::BadEncoding))?;
        let key = certificate.key;
        choose(candidates)
            .iter()
            .filter(|known| known.public_key_alg_id().as_ref() == key.algorithm)
            .find(|known| known.verify_signature(key.bits, message, signed.signature()).is_ok())
            .map(|_| HandshakeSignatureValid::assertion())
            .ok_or_else(|| bad(CertificateError::BadSignature))
    }
}

type Candidates = [&'static dyn SignatureVerificationAlgorithm];

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(anchors) = &self.anchors {
            self.chain(anchors, end_entity, intermediates, now).map_err(refusal)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(message, certificate, signed, |all| all)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if !is_for_tls13(signed.scheme) {
            return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        }
        // In TLS 1.3 a scheme means one curve, that of the first algorithm.
        self.signature(message, certificate, signed, |all| all.get(..1).unwrap_or_default())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// RFC 8446, section 4.2.3: the algorithms of PKCS #1 and SHA-1 "are not defined for use in signed
/// TLS handshake messages".
fn is_for_tls13(scheme: SignatureScheme) -> bool {
    !matches!(
        scheme,
        SignatureScheme::RSA_PKCS1_SHA1
            | SignatureScheme::RSA_PKCS1_SHA256
            | SignatureScheme::RSA_PKCS1_SHA384
            | SignatureScheme::RSA_PKCS1_SHA512
            | SignatureScheme::ECDSA_SHA1_Legacy
    )
}

/// The verdict as an error of rustls, so that the server gets the right alert.
fn refusal(why: Distrust) -> Error {
    Error::InvalidCertificate(match why {
        Distrust::Unreadable => CertificateError::BadEncoding,
        Distrust::UnknownIssuer => CertificateError::UnknownIssuer,
        Distrust::NotYetValid => CertificateError::NotValidYet,
        Distrust::Expired => CertificateError::Expired,
        Distrust::Revoked => CertificateError::Revoked,
        why => CertificateError::Other(OtherError(Arc::new(why))),
    })
}

/// The verdict inside an error of rustls, in OpenSSL's words.
pub(super) fn words(error: &CertificateError) -> String {
    match error {
        CertificateError::BadEncoding => Distrust::Unreadable.to_string(),
        CertificateError::UnknownIssuer => Distrust::UnknownIssuer.to_string(),
        CertificateError::NotValidYet => Distrust::NotYetValid.to_string(),
        CertificateError::Expired => Distrust::Expired.to_string(),
        CertificateError::Revoked => Distrust::Revoked.to_string(),
        CertificateError::BadSignature => "bad signature".to_owned(),
        CertificateError::Other(OtherError(why)) => why.to_string(),
        error => error.to_string(),
    }
}
