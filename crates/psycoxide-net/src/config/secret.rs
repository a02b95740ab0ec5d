//! Where an error may show a part of a connection string.
//!
//! What cannot be read as it was meant may be a part of a password: `password=two words`. So nothing
//! of a string that may hold one is shown, in whatever form.

/// What stands in an error's text instead.
pub(super) const HIDDEN: &str = "***";

/// What is in the names of the options that are secret, and in what they are called elsewhere.
const MARKS: [&str; 6] = ["pass", "pwd", "secret", "key", "token", "credential"];

/// Whether a password or the like may be in a text: there is the name of one, perhaps with other
/// letters in it encoded, or what a URI has it between.
pub(super) fn may_be_in(text: &str) -> bool {
    let lower = decoded(text).to_ascii_lowercase();
    MARKS.iter().any(|mark| lower.contains(mark)) || may_be_in_uri(text)
}

/// The same for what a URI of any scheme has before its path: `user:password@`, or what was to be
/// that: a password with a `/` or without an `@` is taken for a port.
pub(super) fn may_be_in_uri(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else { return false };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let credentials =
        decoded(rest).rsplit_once('@').is_some_and(|(before, _)| before.contains(':'));
    credentials || decoded(authority).split(',').any(|host| !has_plain_port(host))
}

/// Whether nothing but a number follows the colon of `host:port`, if there is one.
fn has_plain_port(host: &str) -> bool {
    let behind = match host.strip_prefix('[') {
        // Of an address in brackets the colons are its own.
        Some(address) => address.split_once(']').map_or("", |(_, behind)| behind),
        None => host,
    };
    let port = behind.split_once(':').map_or("", |(_, port)| port);
    port.bytes().all(|byte| byte.is_ascii_digit())
}

/// A host's name as an error may show it: an `@` in it was in a password.
pub(crate) fn shown_host(name: &str) -> String {
    match name.rsplit_once('@') {
        Some((_, host)) => format!("{HIDDEN}@{host}"),
        None => name.to_owned(),
    }
}

/// Takes percent-encoding away, as far as there is any.
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
    fn a_secret_is_known_by_its_name_or_its_place() {
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
