//! The options of TLS.
//!
//! <https://www.postgresql.org/docs/current/libpq-ssl.html>

use std::path::{Path, PathBuf};

use psycoxide_proto::Secret;
use rustls_native_certs::{CertificateResult, load_certs_from_paths};

use super::env::Surroundings;
use super::error::Error;
use super::settings::one_of;
use super::values::Values;

/// What the options say of TLS.
#[derive(Clone, Debug)]
pub(crate) struct Encryption {
    pub(crate) mode: SslMode,
    /// Whether TLS is begun at once, without asking (`sslnegotiation=direct`).
    pub(crate) direct: bool,
    /// What to trust.
    pub(crate) root: Root,
    /// The file with lists of revoked certificates.
    pub(crate) crl_file: Option<String>,
    /// The folder of files with such lists.
    pub(crate) crl_folder: Option<String>,
    /// The client's certificate; that it is not there is no error.
    pub(crate) certificate: Option<String>,
    /// Its key.
    pub(crate) key: Option<String>,
    /// What the key is encrypted with.
    pub(crate) key_password: Option<Secret>,
    pub(crate) certificate_mode: CertificateMode,
    /// Whether the server is told the name that was asked for.
    pub(crate) send_name: bool,
    pub(crate) least: TlsVersion,
    pub(crate) most: TlsVersion,
    pub(crate) channel_binding: Binding,
    /// Where to write the sessions' keys for an analyser of network traffic.
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
    /// What the operating system trusts.
    System(SystemStore),
    /// The certificates in a file; without the file, nothing is verified where that may be.
    File(String),
    /// There is no home directory to look in.
    Nowhere,
}

/// Where the operating system has the certificates that it trusts.
///
/// It is looked up with the other options, since that reads the environment; the files are read
/// when a connection needs them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SystemStore {
    file: Option<PathBuf>,
    folders: Vec<PathBuf>,
}

impl SystemStore {
    /// What `SSL_CERT_FILE` and `SSL_CERT_DIR` say, else the usual places.
    fn find() -> Self {
        let found = openssl_probe::probe();
        Self { file: found.cert_file, folders: found.cert_dir }
    }

    /// Reads the certificates.
    pub(crate) fn load(&self) -> CertificateResult {
        #[cfg(target_os = "macos")]
        if self.file.is_none() && self.folders.is_empty() {
            // They are in the keychain.
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

impl std::fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::V1_0 => "TLSv1",
            Self::V1_1 => "TLSv1.1",
            Self::V1_2 => "TLSv1.2",
            Self::V1_3 => "TLSv1.3",
        })
    }
}

impl Encryption {
    pub(super) fn read(values: &Values, surroundings: &Surroundings<'_>) -> Result<Self, Error> {
        let channel_binding = word(
            values,
            "channel_binding",
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
            "sslcertmode",
            &[
                ("disable", CertificateMode::Disable),
                ("allow", CertificateMode::Allow),
                ("require", CertificateMode::Require),
            ],
        )?;
        let home = surroundings.home();
        let file = |keyword, default| {
            let given = values.filled(keyword).map(str::to_owned);
            given.or_else(|| home.as_deref().map(|home| in_home(home, default)))
        };
        let crl_folder = values.filled("sslcrldir").map(str::to_owned);
        let crl_file = match (values.filled("sslcrl"), &crl_folder) {
            (None, Some(_)) => None,
            _ => file("sslcrl", "root.crl"),
        };
        Ok(Self {
            mode,
            direct,
            root: match file("sslrootcert", "root.crt") {
                Some(path) if path == "system" => Root::System(SystemStore::find()),
                Some(path) => Root::File(path),
                None => Root::Nowhere,
            },
            crl_file,
            crl_folder,
            certificate: file("sslcert", "postgresql.crt"),
            key: file("sslkey", "postgresql.key"),
            key_password: values.filled("sslpassword").map(Secret::from),
            certificate_mode,
            send_name: values.get("sslsni").is_some_and(|value| value.starts_with('1')),
            least,
            most,
            channel_binding,
            key_log: values.filled("sslkeylogfile").map(str::to_owned),
        })
    }
}

/// `sslmode` and `sslnegotiation`, and what they demand of each other and of `sslrootcert`.
fn mode(values: &Values) -> Result<(SslMode, bool), Error> {
    let mode = word(
        values,
        "sslmode",
        &[
            ("disable", SslMode::Disable),
            ("allow", SslMode::Allow),
            ("prefer", SslMode::Prefer),
            ("require", SslMode::Require),
            ("verify-ca", SslMode::VerifyCa),
            ("verify-full", SslMode::VerifyFull),
        ],
    )?;
    let name = values.get("sslmode").unwrap_or_default();
    let direct = word(values, "sslnegotiation", &[("postgres", false), ("direct", true)])?;
    let weak = matches!(mode, SslMode::Disable | SslMode::Allow | SslMode::Prefer);
    if direct && weak {
        return Err(Error::Conflict(format!(
            "weak sslmode \"{name}\" may not be used with sslnegotiation=direct \
             (use \"require\", \"verify-ca\", or \"verify-full\")"
        )));
    }
    if values.get("sslrootcert") == Some("system") && mode != SslMode::VerifyFull {
        return Err(Error::Conflict(format!(
            "weak sslmode \"{name}\" may not be used with sslrootcert=system \
             (use \"verify-full\")"
        )));
    }
    Ok((mode, direct))
}

fn versions(values: &Values) -> Result<(TlsVersion, TlsVersion), Error> {
    let known = [TlsVersion::V1_0, TlsVersion::V1_1, TlsVersion::V1_2, TlsVersion::V1_3];
    let version = |keyword| match values.filled(keyword) {
        None => Ok(None),
        Some(value) => known
            .into_iter()
            .find(|known| known.to_string().eq_ignore_ascii_case(value))
            .map(Some)
            .ok_or_else(|| Error::Value { keyword, value: value.to_owned() }),
    };
    let least = version("ssl_min_protocol_version")?;
    let most = version("ssl_max_protocol_version")?;
    match (least, most) {
        (Some(least), Some(most)) if least > most => {
            Err(Error::Conflict("invalid SSL protocol version range".to_owned()))
        }
        _ => Ok((least.unwrap_or(TlsVersion::V1_0), most.unwrap_or(TlsVersion::V1_3))),
    }
}

fn in_home(home: &Path, name: &str) -> String {
    home.join(".postgresql").join(name).to_string_lossy().into_owned()
}

/// The meaning of an option that is one of some words.
fn word<T: Copy>(values: &Values, keyword: &'static str, words: &[(&str, T)]) -> Result<T, Error> {
    let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
    let value = one_of(values, keyword, &names)?;
    let meaning = words.iter().find(|(name, _)| *name == value).map(|(_, meaning)| *meaning);
    meaning.ok_or_else(|| Error::Value { keyword, value: value.to_owned() })
}
