//! The options of TLS.
//!
//! <https://www.postgresql.org/docs/current/libpq-ssl.html>

use std::path::PathBuf;

use psycoxide_proto::Secret;
use rustls_native_certs::{CertificateResult, load_certs_from_paths};

use super::error::Error;
use super::keywords::{Key, key};
use super::settings::word;
use super::values::Values;

/// The options of TLS, checked.
#[derive(Clone, Debug)]
pub(crate) struct Encryption {
    pub(crate) mode: SslMode,
    /// Whether TLS begins at once, without asking the server (`sslnegotiation=direct`).
    pub(crate) direct: bool,
    /// The root certificates to trust.
    pub(crate) root: Root,
    /// The file with certificate revocation lists.
    pub(crate) crl_file: Option<String>,
    /// The folder of files with certificate revocation lists.
    pub(crate) crl_folder: Option<String>,
    /// The file of the client's certificate, which need not exist.
    pub(crate) certificate: Option<String>,
    /// The file of the certificate's key.
    pub(crate) key: Option<String>,
    /// The password that the key is encrypted with.
    pub(crate) key_password: Option<Secret>,
    pub(crate) certificate_mode: CertificateMode,
    /// Whether the server is told the host name that was given (SNI).
    pub(crate) send_name: bool,
    pub(crate) least: TlsVersion,
    pub(crate) most: TlsVersion,
    pub(crate) channel_binding: Binding,
    /// The file to which session keys are written, for an analyser of network traffic.
    pub(crate) key_log: Option<String>,
}

/// `sslmode`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SslMode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// `sslcertmode`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CertificateMode {
    Disable,
    Allow,
    Require,
}

/// `channel_binding`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binding {
    Disable,
    Prefer,
    Require,
}

/// `sslrootcert`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    /// The certificates that the operating system trusts.
    System(SystemStore),
    /// The certificates in a file. If the file does not exist, modes that do not demand
    /// verification do without it.
    File(String),
    /// No file: the user has no home directory to look in.
    Nowhere,
}

/// The paths of the certificates that the operating system trusts.
///
/// They are found after the other options were read ([`Root::find`]); the files are read when a
/// connection needs them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SystemStore {
    file: Option<PathBuf>,
    folders: Vec<PathBuf>,
}

impl Root {
    /// Finds the system's store, if it is used. This reads the environment.
    pub(super) fn find(&mut self) {
        if let Self::System(store) = self {
            *store = SystemStore::find();
        }
    }
}

impl SystemStore {
    /// The paths in `SSL_CERT_FILE` and `SSL_CERT_DIR`, else the usual ones.
    fn find() -> Self {
        let found = openssl_probe::probe();
        Self { file: found.cert_file, folders: found.cert_dir }
    }

    /// Reads the certificates.
    pub(crate) fn load(&self) -> CertificateResult {
        #[cfg(target_os = "macos")]
        if self.file.is_none() && self.folders.is_empty() {
            // macOS has them in its keychain.
            return rustls_native_certs::load_native_certs();
        }
        let mut all = load_certs_from_paths(self.file.as_deref(), None);
        for folder in &self.folders {
            let found = load_certs_from_paths(None, Some(folder));
            all.certs.extend(found.certs);
            all.errors.extend(found.errors);
        }
        all
    }
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TlsVersion {
    V1_0,
    V1_1,
    V1_2,
    V1_3,
}

impl TlsVersion {
    fn name(self) -> &'static str {
        match self {
            Self::V1_0 => "TLSv1",
            Self::V1_1 => "TLSv1.1",
            Self::V1_2 => "TLSv1.2",
            Self::V1_3 => "TLSv1.3",
        }
    }
}

impl std::fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Encryption {
    pub(super) fn read(values: &Values, home: Option<&str>) -> Result<Self, Error> {
        let channel_binding = word(
            values,
            key!("channel_binding"),
            &[
                ("disable", Binding::Disable),
                ("prefer", Binding::Prefer),
                ("require", Binding::Require),
            ],
        )?;
        let (mode, direct) = mode(values)?;
        let (least, most) = versions(values)?;
        let certificate_mode = word(
            values,
            key!("sslcertmode"),
            &[
                ("disable", CertificateMode::Disable),
                ("allow", CertificateMode::Allow),
                ("require", CertificateMode::Require),
            ],
        )?;
        let file = |key, default| match values.filled(key) {
            Some(given) => Some(given.to_owned()),
            None => home.map(|home| [home, default].concat()),
        };
        let crl_folder = values.filled(key!("sslcrldir")).map(str::to_owned);
        let crl_file = match (values.filled(key!("sslcrl")), &crl_folder) {
            (None, Some(_)) => None,
            _ => file(key!("sslcrl"), "/.postgresql/root.crl"),
        };
        Ok(Self {
            mode,
            direct,
            root: match file(key!("sslrootcert"), "/.postgresql/root.crt") {
                Some(path) if path == "system" => Root::System(SystemStore::default()),
                Some(path) => Root::File(path),
                None => Root::Nowhere,
            },
            crl_file,
            crl_folder,
            certificate: file(key!("sslcert"), "/.postgresql/postgresql.crt"),
            key: file(key!("sslkey"), "/.postgresql/postgresql.key"),
            key_password: values.filled(key!("sslpassword")).map(Secret::from),
            certificate_mode,
            send_name: values.get(key!("sslsni")).is_some_and(|value| value.starts_with('1')),
            least,
            most,
            channel_binding,
            key_log: values.filled(key!("sslkeylogfile")).map(str::to_owned),
        })
    }
}

/// Reads `sslmode` and `sslnegotiation`, and checks that they and `sslrootcert` fit together.
fn mode(values: &Values) -> Result<(SslMode, bool), Error> {
    let mode = word(
        values,
        key!("sslmode"),
        &[
            ("disable", SslMode::Disable),
            ("allow", SslMode::Allow),
            ("prefer", SslMode::Prefer),
            ("require", SslMode::Require),
            ("verify-ca", SslMode::VerifyCa),
            ("verify-full", SslMode::VerifyFull),
        ],
    )?;
    let name = values.get(key!("sslmode")).unwrap_or_default();
    let direct = word(values, key!("sslnegotiation"), &[("postgres", false), ("direct", true)])?;
    let weak = matches!(mode, SslMode::Disable | SslMode::Allow | SslMode::Prefer);
    if direct && weak {
        return Err(Error::Conflict(format!(
            "weak sslmode \"{name}\" may not be used with sslnegotiation=direct \
             (use \"require\", \"verify-ca\", or \"verify-full\")"
        )));
    }
    if values.get(key!("sslrootcert")) == Some("system") && mode != SslMode::VerifyFull {
        return Err(Error::Conflict(format!(
            "weak sslmode \"{name}\" may not be used with sslrootcert=system \
             (use \"verify-full\")"
        )));
    }
    Ok((mode, direct))
}

fn versions(values: &Values) -> Result<(TlsVersion, TlsVersion), Error> {
    let known = [TlsVersion::V1_0, TlsVersion::V1_1, TlsVersion::V1_2, TlsVersion::V1_3];
    let version = |key: Key| match values.filled(key) {
        None => Ok(None),
        Some(value) => known
            .into_iter()
            .find(|known| known.name().eq_ignore_ascii_case(value))
            .map(Some)
            .ok_or_else(|| Error::Value { keyword: key.name(), value: value.to_owned() }),
    };
    let least = version(key!("ssl_min_protocol_version"))?;
    let most = version(key!("ssl_max_protocol_version"))?;
    match (least, most) {
        (Some(least), Some(most)) if least > most => {
            Err(Error::Conflict("invalid SSL protocol version range".to_owned()))
        }
        _ => Ok((least.unwrap_or(TlsVersion::V1_0), most.unwrap_or(TlsVersion::V1_3))),
    }
}
