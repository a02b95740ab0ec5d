//! A TLS client as the options want it: what it trusts, who it is, what it offers.

use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use once_cell::race::OnceBox;
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, SignatureScheme, SupportedProtocolVersion, version};

use super::algorithms::algorithms;
use super::certificate::{Certificate, PublicKey};
use super::failure::TlsFailure;
use super::key_log::KeyLogFile;
use super::revocation::RevocationLists;
use super::verifier::{Anchors, Verifier};
use super::{key, pem};
use crate::config::{CertificateMode, Encryption, Root, SslMode, SystemStore, TlsVersion};
use crate::error::system;

/// PostgreSQL's protocol name for ALPN.
pub(super) const ALPN: &[u8] = b"postgresql";

/// The advice about a missing root certificate.
const ADVICE: &str = "Either provide the file, use the system's trusted roots with \
    sslrootcert=system, or change sslmode to disable server certificate verification.";

/// A client's configuration, and the client's identity.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) config: Arc<ClientConfig>,
    pub(super) identity: Arc<Identity>,
}

/// Who the client is, and whether the server wanted to know.
#[derive(Debug)]
pub(super) struct Identity {
    key: Option<Arc<CertifiedKey>>,
    requested: AtomicBool,
    sent: AtomicBool,
}

impl Identity {
    /// Whether the server asked for a certificate.
    pub(super) fn was_requested(&self) -> bool {
        self.requested.load(Ordering::Relaxed)
    }

    /// Whether a certificate was sent to it.
    pub(super) fn was_sent(&self) -> bool {
        self.sent.load(Ordering::Relaxed)
    }
}

impl ResolvesClientCert for Identity {
    fn resolve(&self, _: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.requested.store(true, Ordering::Relaxed);
        let key = self.key.as_ref().filter(|key| key.key.choose_scheme(schemes).is_some())?;
        self.sent.store(true, Ordering::Relaxed);
        Some(Arc::clone(key))
    }

    fn has_certs(&self) -> bool {
        // Without a certificate, too, we want to know whether the server asked.
        true
    }
}

fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceBox<Arc<CryptoProvider>> = OnceBox::new();
    Arc::clone(PROVIDER.get_or_init(|| Box::new(Arc::new(default_provider()))))
}

/// Reads the files that the options name, in libpq's order. Each connection reads them again,
/// because they may have changed.
///
/// # Errors
/// [`TlsFailure::Refused`] with libpq's text when a file is missing or unfit.
pub(super) fn client(options: &Encryption) -> Result<Client, TlsFailure> {
    let provider = provider();
    let versions = versions(options)?;
    let anchors = anchors(options).map_err(TlsFailure::Refused)?;
    let key = identity(options, &provider).map_err(TlsFailure::Refused)?;
    let (requested, sent) = (AtomicBool::new(false), AtomicBool::new(false));
    let identity = Arc::new(Identity { key, requested, sent });
    let algorithms = algorithms();
    let builder =
        ClientConfig::builder_with_provider(provider).with_protocol_versions(&versions)?;
    let mut config = builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier { anchors, algorithms }))
        .with_client_cert_resolver(Arc::clone(&identity) as Arc<dyn ResolvesClientCert>);
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.enable_sni = options.send_name;
    // Each connection shows its certificate, as with libpq.
    config.resumption = Resumption::disabled();
    if let Some(path) = &options.key_log {
        // libpq, too, goes on if it cannot open the file.
        if let Ok(file) = KeyLogFile::open(path) {
            config.key_log = Arc::new(file);
        }
    }
    Ok(Client { config: Arc::new(config), identity })
}

/// The versions that both the options and the library allow.
fn versions(options: &Encryption) -> Result<Vec<&'static SupportedProtocolVersion>, TlsFailure> {
    let (least, most) = (options.least, options.most);
    let known = [(TlsVersion::V1_3, &version::TLS13), (TlsVersion::V1_2, &version::TLS12)];
    let allowed = known.into_iter().filter(|(version, _)| (least..=most).contains(version));
    let allowed: Vec<_> = allowed.map(|(_, version)| version).collect();
    if allowed.is_empty() {
        return Err(TlsFailure::no_version(least, most));
    }
    Ok(allowed)
}

/// The trust anchors to verify the server's certificate against. `None` if there is no root
/// certificate and the mode does not need one.
fn anchors(options: &Encryption) -> Result<Option<Anchors>, String> {
    let must_verify = matches!(options.mode, SslMode::VerifyCa | SslMode::VerifyFull);
    match &options.root {
        Root::System(store) => system_anchors(store).map(Some),
        Root::File(path) if fs::metadata(path).is_ok() => {
            let failed =
                |why: &str| format!("could not read root certificate file \"{path}\": {why}");
            let contents = fs::read(path).map_err(|error| failed(&system(&error)))?;
            let (roots, lists) = certificates_and_lists(&contents);
            if roots.is_empty() && lists.is_empty() {
                return Err(failed("no certificate or crl found"));
            }
            Ok(Some(Anchors { roots, lists: revocation(options, lists) }))
        }
        Root::File(path) if must_verify => {
            Err(format!("root certificate file \"{path}\" does not exist\n{ADVICE}"))
        }
        Root::Nowhere if must_verify => {
            Err(format!("could not get home directory to locate root certificate file\n{ADVICE}"))
        }
        _ => Ok(None),
    }
}

fn system_anchors(store: &SystemStore) -> Result<Anchors, String> {
    let found = store.load();
    if let (true, Some(error)) = (found.certs.is_empty(), found.errors.first()) {
        return Err(format!("could not load system root certificate paths: {error}"));
    }
    let roots = found.certs.iter().map(|certificate| certificate.to_vec()).collect();
    Ok(Anchors { roots, lists: None })
}

/// The lists of revoked certificates. A file that cannot be read switches the check off, as it does
/// with libpq: "the default is to ignore" it. A folder switches the check on, even an empty one.
fn revocation(options: &Encryption, mut lists: Vec<Vec<u8>>) -> Option<RevocationLists> {
    if let Some(file) = &options.crl_file {
        let (certificates, found) = certificates_and_lists(&fs::read(file).ok()?);
        if certificates.is_empty() && found.is_empty() {
            return None;
        }
        lists.extend(found);
    } else if options.crl_folder.is_none() {
        return None;
    }
    let entries = options.crl_folder.iter().filter_map(|folder| fs::read_dir(folder).ok());
    for entry in entries.flatten().flatten() {
        if let Ok(contents) = fs::read(entry.path()) {
            lists.extend(certificates_and_lists(&contents).1);
        }
    }
    Some(RevocationLists::new(lists))
}

/// The certificates and the revocation lists in a PEM file.
fn certificates_and_lists(contents: &[u8]) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let (mut certificates, mut lists) = (Vec::new(), Vec::new());
    for block in pem::blocks(contents) {
        match block.label {
            "CERTIFICATE" | "X509 CERTIFICATE" => certificates.push(block.der.to_vec()),
            "X509 CRL" => lists.push(block.der.to_vec()),
            _ => {}
        }
    }
    (certificates, lists)
}

/// The client's certificate and key, if there is a certificate.
fn identity(
    options: &Encryption,
    provider: &CryptoProvider,
) -> Result<Option<Arc<CertifiedKey>>, String> {
    let Some(path) = &options.certificate else { return Ok(None) };
    if options.certificate_mode == CertificateMode::Disable {
        return Ok(None);
    }
    if let Err(error) = fs::metadata(path) {
        return match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(None),
            _ => Err(format!("could not open certificate file \"{path}\": {}", system(&error))),
        };
    }
    let failed = |why: &str| format!("could not read certificate file \"{path}\": {why}");
    let contents = fs::read(path).map_err(|error| failed(&system(&error)))?;
    let (chain, _) = certificates_and_lists(&contents);
    let first = chain.first().ok_or_else(|| failed("no start line"))?;
    let certificate = Certificate::read(first).map_err(|_| failed("malformed certificate"))?;
    let Some(key_path) = &options.key else { return Ok(None) };
    let key = key::load(key_path, options.key_password.as_ref(), provider)?;
    let public = key.public_key();
    let public = public.as_ref().and_then(|public| PublicKey::read(public).ok());
    if public.is_some_and(|public| public != certificate.key) {
        return Err(format!("could not load private key file \"{key_path}\": key values mismatch"));
    }
    let chain = chain.into_iter().map(CertificateDer::from).collect();
    Ok(Some(Arc::new(CertifiedKey::new(chain, key))))
}
