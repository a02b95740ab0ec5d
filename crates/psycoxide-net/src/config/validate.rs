//! Options that have only certain values, and those that ask for what is not there.

use super::Error;
use super::options::Options;

/// Options that name one of a few words.
const CHOICES: &[(&str, &[&str])] = &[
    ("channel_binding", &["disable", "prefer", "require"]),
    ("sslmode", &["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]),
    ("sslnegotiation", &["postgres", "direct"]),
    ("sslcertmode", &["disable", "allow", "require"]),
    ("gssencmode", &["disable", "prefer", "require"]),
    (
        "target_session_attrs",
        &["any", "read-write", "read-only", "primary", "standby", "prefer-standby"],
    ),
    ("load_balance_hosts", &["disable", "random"]),
    ("min_protocol_version", &["3.0", "3.2", "latest"]),
    ("max_protocol_version", &["3.0", "3.2", "latest"]),
    ("ssl_min_protocol_version", &["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]),
    ("ssl_max_protocol_version", &["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]),
];

/// Options that are whole numbers.
const INTEGERS: &[&str] = &[
    "connect_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "tcp_user_timeout",
];

/// Checks every option that can be checked before anything is sent.
pub fn validate(options: &Options) -> Result<(), Error> {
    for &(option, choices) in CHOICES {
        if let Some(value) = options.filled(option)
            && !choices.contains(&value)
        {
            return Err(Error::Value { option, value: value.to_owned() });
        }
    }
    for &option in INTEGERS {
        if let Some(value) = options.filled(option)
            && value.trim().parse::<i32>().is_err()
        {
            return Err(Error::Integer { option, value: value.to_owned() });
        }
    }
    supported(options)
}

/// Refuses what would have to be ignored: a connection less safe than was asked for must not be.
fn supported(options: &Options) -> Result<(), Error> {
    let refuse = |option: &str, value: &str, why: &str| {
        Err(Error::Unsupported(format!("{option}={value} is not supported yet: {why}")))
    };
    if let Some(mode @ ("require" | "verify-ca" | "verify-full")) = options.filled("sslmode") {
        return refuse("sslmode", mode, "connections are not encrypted");
    }
    for (option, value, why) in [
        ("sslnegotiation", "direct", "connections are not encrypted"),
        ("sslcertmode", "require", "connections are not encrypted"),
        ("channel_binding", "require", "connections are not encrypted"),
        ("gssencmode", "require", "connections are not encrypted"),
    ] {
        if options.filled(option) == Some(value) {
            return refuse(option, value, why);
        }
    }
    for option in ["require_auth", "requirepeer"] {
        if let Some(value) = options.filled(option) {
            return refuse(option, value, "the server cannot be held to it");
        }
    }
    match options.filled("target_session_attrs") {
        None | Some("any") => Ok(()),
        Some(value) => refuse("target_session_attrs", value, "any server is taken"),
    }
}
