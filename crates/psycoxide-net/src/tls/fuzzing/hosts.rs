//! Host names: a host, then the names of a certificate, one in each line.

use std::net::IpAddr;

use super::super::general_name::GeneralName;
use super::super::name::examine;

/// The first line is the host. Each other line begins with the kind of a name: `d` for a DNS name,
/// `i` for an address, `e` for an e-mail address, `c` for the common name.
pub fn hosts(input: &[u8]) {
    let mut lines = input.split(|byte| *byte == b'\n');
    let Ok(host) = std::str::from_utf8(lines.next().unwrap_or_default()) else { return };
    let (mut names, mut common) = (Vec::new(), None);
    for line in lines {
        match line {
            [b'd', name @ ..] => names.push(GeneralName::Dns(name)),
            [b'i', address @ ..] => names.push(GeneralName::Ip(address)),
            [b'c', name @ ..] => common = Some(name),
            line => names.push(GeneralName::Email(line)),
        }
    }
    match examine(&names, common, host) {
        Ok(()) => assert!(
            names.iter().any(|name| fits(name, host))
                || common.is_some_and(|name| fits(&GeneralName::Dns(name), host)),
            "no name is the host's"
        ),
        Err(text) => assert!(!text.is_empty()),
    }
    // A single name must match by the rule.
    for name in &names {
        if !matches!(name, GeneralName::Dns(name) if name.contains(&0)) {
            assert_eq!(examine(&[*name], None, host).is_ok(), fits(name, host), "{name:?}");
        }
    }
}

/// The rule for DNS names, label by label, and for addresses.
fn fits(name: &GeneralName<'_>, host: &str) -> bool {
    match name {
        GeneralName::Dns(name) => {
            let labels = |text: &[u8]| -> Vec<Vec<u8>> {
                text.split(|byte| *byte == b'.').map(<[u8]>::to_ascii_lowercase).collect()
            };
            let (name, host) = (labels(name), labels(host.as_bytes()));
            name == host
                || (name.len() > 1
                    && name[0] == b"*"
                    && name[1..] != [b""]
                    && !host[0].is_empty()
                    && name[1..] == host[1..])
        }
        GeneralName::Ip(bytes) => match host.parse() {
            Ok(IpAddr::V4(address)) => address.octets() == *bytes,
            Ok(IpAddr::V6(address)) => address.octets() == *bytes,
            // C's shorter forms.
            Err(_) => bytes.len() == 4 && is_address_of(host, bytes),
        },
        _ => false,
    }
}

/// Whether a host is this address as C's `inet_aton` reads it.
fn is_address_of(host: &str, address: &[u8]) -> bool {
    let Ok(text) = std::ffi::CString::new(host) else { return false };
    let mut found = libc::in_addr { s_addr: 0 };
    // glibc takes the text after a space for a comment. SAFETY: the text ends in NUL, and there is
    // room for the address.
    !host.contains(|c: char| c.is_ascii_whitespace())
        && unsafe { inet_aton(text.as_ptr(), &raw mut found) } == 1
        && found.s_addr.to_ne_bytes() == *address
}

// SAFETY: this is the C library's declaration.
unsafe extern "C" {
    fn inet_aton(text: *const libc::c_char, address: *mut libc::in_addr) -> libc::c_int;
}
