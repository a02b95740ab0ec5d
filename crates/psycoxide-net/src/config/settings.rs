//! The options whose values have a meaning here, read and checked.
//!
//! Options of authentication that cannot be met are refused: none is ignored.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use psycoxide_proto::{AuthMethods, ProtocolVersion, Secret};
use zeroize::Zeroizing;

use super::encryption::Encryption;
use super::env::Surroundings;
use super::error::Error;
use super::values::Values;

/// What the options say, in the types that the rest of the crate works with.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// How long an attempt to connect may take; for ever if there is none.
    pub(crate) connect_timeout: Option<Duration>,
    /// How long an operation may take, connecting included; for ever if there is none.
    pub(crate) operation_timeout: Option<Duration>,
    pub(crate) keepalive: Option<Keepalive>,
    /// How long sent data may stay unacknowledged.
    pub(crate) tcp_user_timeout: Option<Duration>,
    pub(crate) target_session: TargetSession,
    /// Whether hosts and addresses are tried in random order.
    pub(crate) load_balance: bool,
    pub(crate) protocol_wanted: ProtocolVersion,
    pub(crate) protocol_least: ProtocolVersion,
    pub(crate) allowed_auth: AuthMethods,
    pub(crate) encryption: Encryption,
    pub(crate) gss: Gss,
    /// SCRAM's keys for the client and for the server, instead of a password.
    pub(crate) scram_keys: Option<(Secret, Secret)>,
    /// The operating system user that the server behind a Unix socket must run as.
    pub(crate) require_peer: Option<String>,
}

/// TCP keepalives; what is absent is the operating system's choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Keepalive {
    pub(crate) idle: Option<Duration>,
    pub(crate) interval: Option<Duration>,
    pub(crate) count: Option<u32>,
}

/// So many bytes are a key of SCRAM-SHA-256.
const SCRAM_KEY: usize = 32;

/// What the options say of encryption by GSSAPI.
#[derive(Clone, Debug)]
pub(crate) struct Gss {
    pub(crate) mode: GssMode,
    /// The server's name in Kerberos, before the host's.
    pub(crate) service: String,
    /// Whether the server may act on the user's behalf elsewhere.
    pub(crate) delegate: bool,
}

/// `gssencmode`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GssMode {
    Disable,
    Prefer,
    Require,
}

/// What a server must be to be taken (`target_session_attrs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TargetSession {
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    PreferStandby,
}

impl Settings {
    pub(super) fn read(
        values: &Values,
        surroundings: &Surroundings<'_>,
    ) -> Result<Settings, Error> {
        let allowed_auth = require_auth(values.filled("require_auth").unwrap_or(""))?;
        let encryption = Encryption::read(values, surroundings)?;
        let (protocol_least, protocol_wanted) = protocol_versions(values)?;
        Ok(Settings {
            connect_timeout: positive(values, "connect_timeout")?.map(seconds),
            operation_timeout: fraction(values, "operation_timeout")?,
            keepalive: keepalive(values)?,
            tcp_user_timeout: positive(values, "tcp_user_timeout")?
                .map(|number| Duration::from_millis(number.into())),
            target_session: target_session(values)?,
            load_balance: one_of(values, "load_balance_hosts", &["disable", "random"])? == "random",
            protocol_wanted,
            protocol_least,
            allowed_auth,
            encryption,
            scram_keys: scram_keys(values)?,
            gss: gss(values)?,
            require_peer: values.filled("requirepeer").map(str::to_owned),
        })
    }
}

/// `scram_client_key` and `scram_server_key`, in base64.
fn scram_keys(values: &Values) -> Result<Option<(Secret, Secret)>, Error> {
    let key = |keyword, side| {
        let Some(text) = values.filled(keyword) else { return Ok(None) };
        let key = Zeroizing::new(
            STANDARD
                .decode(text)
                .map_err(|_| Error::Conflict(format!("invalid SCRAM {side} key")))?,
        );
        match key.len() {
            SCRAM_KEY => Ok(Some(Secret::new(key.to_vec()))),
            length => Err(Error::Conflict(format!("invalid SCRAM {side} key length: {length}"))),
        }
    };
    match (key("scram_client_key", "client")?, key("scram_server_key", "server")?) {
        (Some(client), Some(server)) => Ok(Some((client, server))),
        (None, None) => Ok(None),
        // libpq takes one of them, and fails when it needs the other.
        _ => Err(Error::Conflict(
            "scram_client_key and scram_server_key have to be given together".to_owned(),
        )),
    }
}

fn gss(values: &Values) -> Result<Gss, Error> {
    let mode = match one_of(values, "gssencmode", &["disable", "prefer", "require"])? {
        "disable" => GssMode::Disable,
        "require" => GssMode::Require,
        _ => GssMode::Prefer,
    };
    Ok(Gss {
        mode,
        service: values.filled("krbsrvname").unwrap_or_default().to_owned(),
        delegate: values.get("gssdelegation") == Some("1"),
    })
}

/// The least and the wanted version of the protocol.
fn protocol_versions(values: &Values) -> Result<(ProtocolVersion, ProtocolVersion), Error> {
    let version = |keyword| match values.get(keyword) {
        None => Ok(None),
        Some("3.0") => Ok(Some(ProtocolVersion::V3_0)),
        Some("3.2" | "latest") => Ok(Some(ProtocolVersion::V3_2)),
        Some(value) => Err(Error::Value { keyword, value: value.to_owned() }),
    };
    let least = version("min_protocol_version")?.unwrap_or(ProtocolVersion::V3_0);
    // Not the latest by default, as servers and poolers exist that do not negotiate.
    let wanted = version("max_protocol_version")?.unwrap_or(least);
    if least > wanted {
        return Err(Error::Conflict(
            "\"min_protocol_version\" is greater than \"max_protocol_version\"".to_owned(),
        ));
    }
    Ok((least, wanted))
}

/// `require_auth`: "Specifies the authentication method that the client requires from the server.
/// […] Methods may be negated with the addition of a ! prefix".
fn require_auth(text: &str) -> Result<AuthMethods, Error> {
    let nothing = AuthMethods::NONE - AuthMethods::ALL;
    if text.is_empty() {
        return Ok(AuthMethods::ALL);
    }
    let negative = text.starts_with('!');
    let mut named = nothing;
    let mut seen = Vec::new();
    for item in text.split(',') {
        let method = item.strip_prefix('!').unwrap_or(item);
        match (negative, item.starts_with('!')) {
            (false, true) => {
                return Err(Error::Conflict(format!(
                    "negative require_auth method \"{item}\" cannot be mixed with non-negative methods"
                )));
            }
            (true, false) => {
                return Err(Error::Conflict(format!(
                    "require_auth method \"{item}\" cannot be mixed with negative methods"
                )));
            }
            _ => {}
        }
        named = named
            | match method {
                "password" => AuthMethods::PASSWORD,
                "md5" => AuthMethods::MD5,
                "scram-sha-256" => AuthMethods::SCRAM_SHA_256,
                "gss" => AuthMethods::GSS,
                "sspi" => AuthMethods::SSPI,
                "oauth" => AuthMethods::OAUTH,
                "none" => AuthMethods::NONE,
                _ => {
                    let value = method.to_owned();
                    return Err(Error::Value { keyword: "require_auth", value });
                }
            };
        if seen.contains(&method) {
            return Err(Error::Conflict(format!(
                "require_auth method \"{item}\" is specified more than once"
            )));
        }
        seen.push(method);
    }
    Ok(if negative { AuthMethods::ALL - named } else { named })
}

fn target_session(values: &Values) -> Result<TargetSession, Error> {
    let known = [
        ("any", TargetSession::Any),
        ("read-write", TargetSession::ReadWrite),
        ("read-only", TargetSession::ReadOnly),
        ("primary", TargetSession::Primary),
        ("standby", TargetSession::Standby),
        ("prefer-standby", TargetSession::PreferStandby),
    ];
    let value = values.get("target_session_attrs").unwrap_or("any");
    known
        .iter()
        .find(|(name, _)| *name == value)
        .map(|(_, target)| *target)
        .ok_or_else(|| Error::Value { keyword: "target_session_attrs", value: value.to_owned() })
}

fn keepalive(values: &Values) -> Result<Option<Keepalive>, Error> {
    let settings = Keepalive {
        idle: positive(values, "keepalives_idle")?.map(seconds),
        interval: positive(values, "keepalives_interval")?.map(seconds),
        count: positive(values, "keepalives_count")?,
    };
    match values.get("keepalives").map(|value| integer("keepalives", value)).transpose()? {
        Some(0) => Ok(None),
        _ => Ok(Some(settings)),
    }
}

/// The value of an option that is one of some words.
pub(super) fn one_of<'a>(
    values: &'a Values,
    keyword: &'static str,
    words: &[&str],
) -> Result<&'a str, Error> {
    match values.get(keyword) {
        Some(value) if words.contains(&value) => Ok(value),
        value => Err(Error::Value { keyword, value: value.unwrap_or_default().to_owned() }),
    }
}

/// The value of an option that is a number; zero and less stand for none.
fn positive(values: &Values, keyword: &'static str) -> Result<Option<u32>, Error> {
    let Some(value) = values.get(keyword) else { return Ok(None) };
    let number = u32::try_from(integer(keyword, value)?).unwrap_or(0);
    Ok(Some(number).filter(|number| *number > 0))
}

/// The value of an option that is a number of seconds, perhaps with a fraction; zero stands for none.
fn fraction(values: &Values, keyword: &'static str) -> Result<Option<Duration>, Error> {
    let Some(value) = values.filled(keyword) else { return Ok(None) };
    let seconds =
        value.trim().parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let duration = seconds.ok_or_else(|| Error::Value { keyword, value: value.to_owned() })?;
    Ok(Some(duration).filter(|duration| !duration.is_zero()))
}

/// A 32-bit integer as C's `strtol` reads it, with nothing but blanks around it.
pub(super) fn integer(keyword: &'static str, value: &str) -> Result<i32, Error> {
    value
        .trim_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r'])
        .parse()
        .map_err(|_| Error::Integer { keyword, value: value.to_owned() })
}

fn seconds(number: u32) -> Duration {
    Duration::from_secs(number.into())
}
