//! The options that this crate acts on, as values of the right types.
//!
//! A demand on authentication that cannot be met is an error: none is ignored.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use psycoxide_proto::{AuthMethods, ProtocolVersion, Secret};
use zeroize::Zeroizing;

use super::encryption::Encryption;
use super::env::Environment;
use super::error::Error;
use super::keywords::{Key, key};
use super::values::Values;

/// The options, in the types that the rest of the crate works with.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The time that an attempt to connect may take, if it is limited.
    pub(crate) connect_timeout: Option<Duration>,
    /// The time that an operation may take, connecting included, if it is limited.
    pub(crate) operation_timeout: Option<Duration>,
    pub(crate) binding: ParameterBinding,
    /// How often a statement runs before it is prepared. `None`: none is by itself.
    pub(crate) prepare_threshold: Option<u32>,
    pub(crate) keepalive: Option<Keepalive>,
    /// The time that sent data may stay unacknowledged.
    pub(crate) tcp_user_timeout: Option<Duration>,
    pub(crate) target_session: TargetSession,
    /// Whether to try hosts and addresses in random order.
    pub(crate) load_balance: bool,
    pub(crate) protocol_wanted: ProtocolVersion,
    pub(crate) protocol_least: ProtocolVersion,
    pub(crate) allowed_auth: AuthMethods,
    pub(crate) encryption: Encryption,
    pub(crate) gss: Gss,
    /// SCRAM's client key and server key, instead of a password.
    pub(crate) scram_keys: Option<(Secret, Secret)>,
    /// The operating system user that the server behind a Unix socket must run as.
    pub(crate) require_peer: Option<String>,
}

/// TCP keepalives; the operating system has defaults for absent values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Keepalive {
    pub(crate) idle: Option<Duration>,
    pub(crate) interval: Option<Duration>,
    pub(crate) count: Option<u32>,
}

/// The length of a SCRAM-SHA-256 key in bytes.
const SCRAM_KEY: usize = 32;

/// Where parameters are bound to a query (`binding`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterBinding {
    /// Here: they are merged into its text.
    Client,
    /// On the server, where that makes no difference for the program.
    Auto,
}

/// The options of GSSAPI encryption.
#[derive(Clone, Debug)]
pub(crate) struct Gss {
    pub(crate) mode: GssMode,
    /// The service part of the server's Kerberos name, before the host.
    pub(crate) service: String,
    /// Whether the server may act on the user's behalf (delegation).
    pub(crate) delegate: bool,
    /// Whether the environment says where tickets are, or how to get one.
    pub(crate) names_tickets: bool,
}

/// `gssencmode`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GssMode {
    Disable,
    Prefer,
    Require,
}

/// The kind of server to accept (`target_session_attrs`).
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
        environment: &Environment,
        home: Option<&str>,
    ) -> Result<Settings, Error> {
        let allowed_auth = require_auth(values.filled(key!("require_auth")).unwrap_or(""))?;
        let encryption = Encryption::read(values, home)?;
        let (protocol_least, protocol_wanted) = protocol_versions(values)?;
        Ok(Settings {
            connect_timeout: positive(values, key!("connect_timeout"))?.map(seconds),
            operation_timeout: fraction(values, key!("operation_timeout"))?,
            binding: word(
                values,
                key!("binding"),
                &[
                    ("", ParameterBinding::Client),
                    ("client", ParameterBinding::Client),
                    ("auto", ParameterBinding::Auto),
                ],
            )?,
            prepare_threshold: threshold(values)?,
            keepalive: keepalive(values)?,
            tcp_user_timeout: positive(values, key!("tcp_user_timeout"))?
                .map(|number| Duration::from_millis(number.into())),
            target_session: word(
                values,
                key!("target_session_attrs"),
                &[
                    ("any", TargetSession::Any),
                    ("read-write", TargetSession::ReadWrite),
                    ("read-only", TargetSession::ReadOnly),
                    ("primary", TargetSession::Primary),
                    ("standby", TargetSession::Standby),
                    ("prefer-standby", TargetSession::PreferStandby),
                ],
            )?,
            load_balance: word(
                values,
                key!("load_balance_hosts"),
                &[("disable", false), ("random", true)],
            )?,
            protocol_wanted,
            protocol_least,
            allowed_auth,
            encryption,
            scram_keys: scram_keys(values)?,
            gss: gss(values, environment)?,
            require_peer: values.filled(key!("requirepeer")).map(str::to_owned),
        })
    }
}

/// Reads `scram_client_key` and `scram_server_key`, which are base64.
fn scram_keys(values: &Values) -> Result<Option<(Secret, Secret)>, Error> {
    let decoded = |key, side| {
        let Some(text) = values.filled(key) else { return Ok(None) };
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
    match (
        decoded(key!("scram_client_key"), "client")?,
        decoded(key!("scram_server_key"), "server")?,
    ) {
        (Some(client), Some(server)) => Ok(Some((client, server))),
        (None, None) => Ok(None),
        // libpq accepts one of them, and fails when it needs the other.
        _ => Err(Error::Conflict(
            "scram_client_key and scram_server_key have to be given together".to_owned(),
        )),
    }
}

fn gss(values: &Values, environment: &Environment) -> Result<Gss, Error> {
    let mode = word(
        values,
        key!("gssencmode"),
        &[
            ("disable", GssMode::Disable),
            ("prefer", GssMode::Prefer),
            ("require", GssMode::Require),
        ],
    )?;
    Ok(Gss {
        mode,
        service: values.filled(key!("krbsrvname")).unwrap_or_default().to_owned(),
        delegate: values.get(key!("gssdelegation")) == Some("1"),
        names_tickets: environment.names_tickets(),
    })
}

/// The lowest version of the protocol to accept, and the one to ask for.
fn protocol_versions(values: &Values) -> Result<(ProtocolVersion, ProtocolVersion), Error> {
    let version = |key: Key| match values.get(key) {
        None => Ok(None),
        Some("3.0") => Ok(Some(ProtocolVersion::V3_0)),
        Some("3.2" | "latest") => Ok(Some(ProtocolVersion::V3_2)),
        Some(value) => Err(Error::Value { keyword: key.name(), value: value.to_owned() }),
    };
    let least = version(key!("min_protocol_version"))?.unwrap_or(ProtocolVersion::V3_0);
    // The default is not the latest, as some servers and poolers do not negotiate.
    let wanted = version(key!("max_protocol_version"))?.unwrap_or(least);
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

fn keepalive(values: &Values) -> Result<Option<Keepalive>, Error> {
    let settings = Keepalive {
        idle: positive(values, key!("keepalives_idle"))?.map(seconds),
        interval: positive(values, key!("keepalives_interval"))?.map(seconds),
        count: positive(values, key!("keepalives_count"))?,
    };
    match values.get(key!("keepalives")).map(|value| integer("keepalives", value)).transpose()? {
        Some(0) => Ok(None),
        _ => Ok(Some(settings)),
    }
}

/// The meaning of an option whose value is one of these words.
pub(super) fn word<T: Copy>(values: &Values, key: Key, words: &[(&str, T)]) -> Result<T, Error> {
    let value = values.get(key).unwrap_or_default();
    let meaning = words.iter().find(|(name, _)| *name == value).map(|(_, meaning)| *meaning);
    meaning.ok_or_else(|| Error::Value { keyword: key.name(), value: value.to_owned() })
}

/// The value of an option that is a positive integer; `None` for zero and less.
fn positive(values: &Values, key: Key) -> Result<Option<u32>, Error> {
    let Some(value) = values.get(key) else { return Ok(None) };
    let number = u32::try_from(integer(key.name(), value)?).unwrap_or(0);
    Ok(Some(number).filter(|number| *number > 0))
}

/// The value of an option in seconds, perhaps with a fraction; `None` for zero.
fn fraction(values: &Values, key: Key) -> Result<Option<Duration>, Error> {
    let Some(value) = values.filled(key) else { return Ok(None) };
    let seconds =
        value.trim().parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let duration =
        seconds.ok_or_else(|| Error::Value { keyword: key.name(), value: value.to_owned() })?;
    Ok(Some(duration).filter(|duration| !duration.is_zero()))
}

/// `prepare_threshold`, which is not negative.
fn threshold(values: &Values) -> Result<Option<u32>, Error> {
    let key = key!("prepare_threshold");
    let Some(value) = values.filled(key) else { return Ok(None) };
    let number = value.trim().parse();
    number.map(Some).map_err(|_| Error::Value { keyword: key.name(), value: value.to_owned() })
}

/// Parses a 32-bit integer as C's `strtol` does, with only blanks around it.
pub(super) fn integer(keyword: &'static str, value: &str) -> Result<i32, Error> {
    value
        .trim_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r'])
        .parse()
        .map_err(|_| Error::Integer { keyword, value: value.to_owned() })
}

fn seconds(number: u32) -> Duration {
    Duration::from_secs(number.into())
}
