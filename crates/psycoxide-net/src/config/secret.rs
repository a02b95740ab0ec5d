//! Which errors may show a part of a connection string.
//!
//! A part that makes no sense may belong to a password: `password=two words`. So errors show no
//! part of a string that may have a password in it, in any form.

/// The text that errors have in place of a hidden part.
pub(super) const HIDDEN: &str = "***";

/// Parts of the names of secret options, and of the names that other software has for them.
const MARKS: [&str; 6] = ["pass", "pwd", "secret", "key", "token", "credential"];

/// Whether a text may have a password or another secret in it: it has the name of one, perhaps
/// percent-encoded, or looks like a URI with a password.
pub(super) fn may_be_in(text: &str) -> bool {
    let lower = decoded(text).to_ascii_lowercase();
    MARKS.iter().any(|mark| lower.contains(mark)) || may_be_in_uri(text)
}

/// Whether a text may be a URI, of any scheme, with a password before its path: `user:password@`. A
/// password with a `/` in it, or without an `@` after it, looks like a port.
pub(super) fn may_be_in_uri(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else { return false };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let credentials =
        decoded(rest).rsplit_once('@').is_some_and(|(before, _)| before.contains(':'));
    credentials || decoded(authority).split(',').any(|host| !has_plain_port(host))
}

/// Whether `host` has no port, or one that is a number.
fn has_plain_port(host: &str) -> bool {
    let behind = match host.strip_prefix('[') {
        // The colons in brackets belong to the address.
        Some(address) => address.split_once(']').map_or("", |(_, behind)| behind),
        None => host,
    };
    let port = behind.split_once(':').map_or("", |(_, port)| port);
    port.bytes().all(|byte| byte.is_ascii_digit())
}

/// A host's name, as errors show it: text before an `@` in it may belong to a password.
pub(crate) fn shown_host(name: &str) -> String {
    match name.rsplit_once('@') {
        Some((_, host)) => format!("{HIDDEN}@{host}"),
        None => name.to_owned(),
    }
}

/// Decodes percent-encoding; malformed parts stay as they are.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, behind)) = rest.split_first() {
        let encoded = behind.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match encoded.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(meant) if *byte == b'%' => {
                bytes.push(meant);
                rest = behind.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*byte);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_by_its_name_or_its_position() {
        for text in [
            "password=two words",
            "PassWord = x",
            "pwd=x",
            "h?%70assword=x",
            "sslpassword=x",
            "scram_client_key=x",
            "oauth_client_secret=x",
            "mysql://me:hush@host",
            "postgresql://me:hu/sh@host",
            "postgresql://me:hush",
            "postgresql://host,me:hush/db",
            "postgresql://me%3Ahush",
        ] {
            assert!(may_be_in(text), "{text}");
        }
        for text in [
            "",
            "host=h nosuch",
            "postgres://%zz@h/d",
            "postgresql://h:1,[::1]:2/db",
            "postgresql://[::1",
            "%",
            "%zz",
        ] {
            assert!(!may_be_in(text), "{text}");
        }
    }

    #[test]
    fn a_host_is_shown_without_what_was_in_a_password() {
        assert_eq!(shown_host("ss@w0rd@db.example"), "***@db.example");
        assert_eq!(shown_host("db.example"), "db.example");
    }
}
