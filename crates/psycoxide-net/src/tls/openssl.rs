//! OpenSSL's program, which makes certificates and keys for tests.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, SupportedProtocolVersion, version};

use super::pem;

/// The versions that the tests' servers speak.
pub(super) const BOTH: [&SupportedProtocolVersion; 2] = [&version::TLS12, &version::TLS13];

/// Runs `openssl` in a temporary folder, which is removed in the end.
pub(crate) struct OpenSsl(pub(super) PathBuf);

impl OpenSsl {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("psycoxide-tls-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_string_lossy().into_owned()
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }

    /// Runs `openssl` with these arguments, which are split at blanks.
    pub(super) fn run(&self, arguments: &str) -> Vec<u8> {
        let done = Command::new("openssl")
            .args(arguments.split_whitespace())
            .current_dir(&self.0)
            .output()
            .expect("these tests need the program openssl");
        assert!(done.status.success(), "{arguments}: {}", String::from_utf8_lossy(&done.stderr));
        done.stdout
    }

    pub(crate) fn authority(&self, name: &str) {
        self.run(&format!(
            "req -x509 -nodes -days 30 -subj /CN={name} -newkey ec -pkeyopt \
             ec_paramgen_curve:prime256v1 -keyout {name}.key -out {name}.crt"
        ));
    }

    /// Whether `openssl` succeeds with these arguments.
    pub(super) fn runs(&self, arguments: &str) -> bool {
        let arguments = arguments.split_whitespace();
        let done = Command::new("openssl").args(arguments).current_dir(&self.0).output();
        done.unwrap().status.success()
    }

    /// Makes a certificate for `name`. Without extensions it is one of version 1.
    pub(super) fn leaf(&self, name: &str, authority: &str, extensions: &str) {
        self.run(&format!(
            "req -new -nodes -subj /CN={name} -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 \
             -keyout {name}.key -out {name}.csr"
        ));
        self.sign(name, authority, extensions);
    }

    /// Signs a certificate for the key of `name`. It replaces a former one.
    pub(super) fn sign(&self, name: &str, authority: &str, extensions: &str) {
        self.write("extensions", extensions);
        let with = if extensions.is_empty() { "" } else { "-extfile extensions" };
        self.run(&format!(
            "x509 -req -in {name}.csr -days 20 -sha256 -CA {authority}.crt -CAkey {authority}.key \
             -CAcreateserial {with} -out {name}.crt"
        ));
    }

    pub(super) fn der(&self, name: &str) -> Vec<u8> {
        let text = fs::read(self.0.join(format!("{name}.crt"))).unwrap();
        pem::blocks(&text)[0].der.to_vec()
    }

    /// The configuration of a server that shows the certificate `name`.
    pub(crate) fn server(&self, name: &str) -> ServerConfig {
        let key = fs::read(self.0.join(format!("{name}.key"))).unwrap();
        let key = PrivateKeyDer::try_from(pem::blocks(&key)[0].der.to_vec()).unwrap();
        ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&BOTH)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![CertificateDer::from(self.der(name))], key)
            .unwrap()
    }
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
