//! Whether a certificate is for the host that was asked for (`sslmode=verify-full`).
//!
//! These are libpq's rules. They differ from the web's: a common name counts if there is no
//! alternative name of the host's kind, and it may be an address.
//!
//! <https://www.postgresql.org/docs/current/libpq-ssl.html#LIBQ-SSL-CERTIFICATES>

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::certificate::Certificate;
use super::general_name::GeneralName;

/// Checks the name; the error is libpq's text.
pub(super) fn check(certificate: &[u8], host: &str) -> Result<(), String> {
    if host.is_empty() {
        return Err("host name must be specified for a verified SSL connection".to_owned());
    }
    let unreadable = |_| "could not get server's host name from server certificate".to_owned();
    let certificate = Certificate::read(certificate).map_err(unreadable)?;
    let alternative = certificate.alternative_names().map_err(unreadable)?;
    examine(&alternative, certificate.subject.common_names().next(), host)
}

pub(super) fn examine(
    alternative: &[GeneralName<'_>],
    common: Option<&[u8]>,
    host: &str,
) -> Result<(), String> {
    let is_address = address(host).is_some();
    let mut examined = Vec::new();
    let mut common_counts = true;
    for name in alternative {
        let matches = match name {
            GeneralName::Dns(name) => {
                common_counts &= is_address;
                examined.push(String::from_utf8_lossy(name).into_owned());
                is_name_of(name, host)?
            }
            GeneralName::Ip(bytes) => {
                common_counts &= !is_address;
                examined.push(shown_address(bytes)?);
                is_address_of(bytes, host)
            }
            _ => false,
        };
        if matches {
            return Ok(());
        }
    }
    if let Some(name) = common.filter(|_| common_counts) {
        examined.push(String::from_utf8_lossy(name).into_owned());
        if is_name_of(name, host)? {
            return Ok(());
        }
    }
    let others = examined.len().saturating_sub(1);
    Err(match (examined.first(), others) {
        (None, _) => "could not get server's host name from server certificate".to_owned(),
        (Some(first), 0) => {
            format!("server certificate for \"{first}\" does not match host name \"{host}\"")
        }
        (Some(first), others) => {
            let plural = if others == 1 { "name" } else { "names" };
            format!(
                "server certificate for \"{first}\" (and {others} other {plural}) \
                 does not match host name \"{host}\""
            )
        }
    })
}

/// Whether a name equals the host's, or is a wildcard that matches it.
fn is_name_of(name: &[u8], host: &str) -> Result<bool, String> {
    if name.contains(&0) {
        return Err("SSL certificate's name contains embedded null".to_owned());
    }
    Ok(name.eq_ignore_ascii_case(host.as_bytes()) || is_wildcard_of(name, host.as_bytes()))
}

/// A wildcard is a `*` that is the whole first label; it matches one label.
fn is_wildcard_of(name: &[u8], host: &[u8]) -> bool {
    let Some(domain) = name.strip_prefix(b"*").filter(|domain| domain.starts_with(b".")) else {
        return false;
    };
    if domain.len() < 2 {
        return false;
    }
    let Some(dot) = host.iter().position(|byte| *byte == b'.') else { return false };
    dot > 0 && host.get(dot..).is_some_and(|rest| rest.eq_ignore_ascii_case(domain))
}

fn is_address_of(bytes: &[u8], host: &str) -> bool {
    match address(host) {
        Some(IpAddr::V4(address)) => address.octets() == bytes,
        Some(IpAddr::V6(address)) => address.octets() == bytes,
        None => false,
    }
}

fn shown_address(bytes: &[u8]) -> Result<String, String> {
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
        Ok(Ipv4Addr::from(bytes).to_string())
    } else if let Ok(bytes) = <[u8; 16]>::try_from(bytes) {
        Ok(Ipv6Addr::from(bytes).to_string())
    } else {
        Err(format!("certificate contains IP address with invalid length {}", bytes.len()))
    }
}

/// The address, if the host is an address and not a name.
fn address(host: &str) -> Option<IpAddr> {
    host.parse().ok().or_else(|| inet_aton(host).map(IpAddr::V4))
}

/// Parses an address in a form that C's `inet_aton` accepts: `127.1`, `0x7f000001`.
fn inet_aton(host: &str) -> Option<Ipv4Addr> {
    let numbers: Vec<u32> = host.split('.').map(number).collect::<Option<_>>()?;
    let (last, first) = numbers.split_last()?;
    let room = 32_usize.checked_sub(first.len() * 8).filter(|room| *room > 0)?;
    if first.iter().any(|byte| *byte > 255) || u64::from(*last) >> room != 0 {
        return None;
    }
    let first = first.iter().fold(0, |all, byte| all << 8 | u64::from(*byte));
    u32::try_from(first << room | u64::from(*last)).ok().map(Ipv4Addr::from)
}

/// Parses a number as C does: `0x` begins a hexadecimal one, `0` an octal one.
fn number(text: &str) -> Option<u32> {
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (text.get(2..)?, 16),
        [b'0', _, ..] => (text.get(1..)?, 8),
        _ => (text, 10),
    };
    let is_plain = digits.starts_with(|first: char| first.is_digit(radix));
    u32::from_str_radix(digits, radix).ok().filter(|_| is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dns(name: &str) -> GeneralName<'_> {
        GeneralName::Dns(name.as_bytes())
    }

    fn fits(alternative: &[GeneralName<'_>], common: Option<&str>, host: &str) -> bool {
        examine(alternative, common.map(str::as_bytes), host).is_ok()
    }

    #[test]
    fn names_match_whatever_their_case() {
        assert!(fits(&[dns("Db.Example.org")], None, "dB.example.ORG"));
        assert!(!fits(&[dns("db.example.org")], None, "db.example.or"));
        assert!(!fits(&[dns("db.example.org")], None, "xdb.example.org"));
    }

    #[test]
    fn a_wildcard_is_one_whole_label_on_the_left() {
        for (name, host, expected) in [
            ("*.example.org", "db.example.org", true),
            ("*.example.org", "a.b.example.org", false),
            ("*.example.org", "example.org", false),
            ("*.example.org", ".example.org", false),
            ("*", "db", false),
            ("*.", "db.", false),
            ("d*.example.org", "db.example.org", false),
            ("db.*.org", "db.example.org", false),
            ("*.org", "example.org", true),
        ] {
            assert_eq!(fits(&[dns(name)], None, host), expected, "{name} {host}");
        }
    }

    #[test]
    fn the_common_name_counts_without_an_alternative_name_of_that_kind() {
        let ip = GeneralName::Ip(&[127, 0, 0, 1]);
        assert!(fits(&[], Some("db"), "db"));
        assert!(fits(&[GeneralName::Email(b"me@db")], Some("db"), "db"));
        assert!(!fits(&[dns("other")], Some("db"), "db"));
        assert!(fits(&[ip], Some("db"), "db"), "an address does not stand in for names");
        assert!(fits(&[dns("other")], Some("10.0.0.1"), "10.0.0.1"), "as libpq has it");
        assert!(!fits(&[ip], Some("10.0.0.1"), "10.0.0.1"));
    }

    #[test]
    fn addresses_match_as_addresses() {
        let mut six = [0; 16];
        six[15] = 1;
        assert!(fits(&[GeneralName::Ip(&[10, 0, 0, 1])], None, "10.0.0.1"));
        assert!(fits(&[GeneralName::Ip(&six)], None, "0:0::1"));
        assert!(!fits(&[GeneralName::Ip(&[10, 0, 0, 1])], None, "db"));
        for host in ["10.1", "0xa.0.1", "012.0.0.1", "167772161", "0XA000001"] {
            assert!(fits(&[GeneralName::Ip(&[10, 0, 0, 1])], None, host), "{host}");
        }
        for host in
            ["", ".", "10.", "256.1", "10.0.0.256", "1.2.3.4.5", "4294967296", "+1", "0x", "08"]
        {
            assert_eq!(address(host), None, "{host}");
        }
        assert!(fits(&[dns("10.0.0.1")], None, "10.0.0.1"), "libpq compares the texts too");
        assert!(examine(&[GeneralName::Ip(&[1])], None, "x").unwrap_err().contains("length 1"));
    }

    #[test]
    fn the_error_names_the_first_name() {
        let text = |alternative: &[GeneralName<'_>]| examine(alternative, None, "db").unwrap_err();
        assert_eq!(
            text(&[dns("a")]),
            "server certificate for \"a\" does not match host name \"db\""
        );
        assert_eq!(
            text(&[dns("a"), GeneralName::Ip(&[1, 2, 3, 4])]),
            "server certificate for \"a\" (and 1 other name) does not match host name \"db\""
        );
        assert_eq!(
            text(&[dns("a"), dns("b"), dns("c")]),
            "server certificate for \"a\" (and 2 other names) does not match host name \"db\""
        );
        assert_eq!(text(&[]), "could not get server's host name from server certificate");
        assert_eq!(
            text(&[GeneralName::Dns(b"d\0b")]),
            "SSL certificate's name contains embedded null"
        );
    }
}
