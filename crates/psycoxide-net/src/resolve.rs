//! From a host of the configuration to the addresses that can be tried.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::fd::RawFd;
use std::path::Path;
use std::time::Instant;

use crate::config::{FALLBACK_SOCKET_DIRECTORY, Host, shown_host, socket_path};
use crate::error::FailedAttempt;
use crate::offload::{Offload, Offloaded};
use crate::socket::address::Address;

/// The longest path that fits into a Unix socket's address with the NUL behind it.
const MAX_SOCKET_PATH: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// The resolver's text for a name that it does not know.
const UNKNOWN_NAME: &str = "Name or service not known";

/// The addresses of a host, or how to wait for them.
#[derive(Debug)]
pub(crate) enum Resolved {
    /// In the resolver's order.
    Addresses(Vec<Address>),
    /// A name has to be looked up.
    Asking(Lookup),
}

/// Returns all addresses of a host, or begins to look its name up.
///
/// # Errors
/// If the host has no address.
pub(crate) fn resolve(host: &Host, deadline: Option<Instant>) -> Result<Resolved, FailedAttempt> {
    if host.is_local() {
        return local(host).map(|address| Resolved::Addresses(vec![address]));
    }
    if let Some(text) = &host.address {
        let address = numeric(text, host.port).ok_or_else(|| {
            FailedAttempt::Host(format!(
                "could not parse network address \"{text}\": {UNKNOWN_NAME}"
            ))
        })?;
        return Ok(Resolved::Addresses(vec![Address::Tcp { host: text.clone(), address }]));
    }
    let name = &host.name;
    match numeric(name, host.port) {
        Some(address) => {
            Ok(Resolved::Addresses(vec![Address::Tcp { host: name.clone(), address }]))
        }
        None => Lookup::begin(name, host.port, deadline)
            .map(Resolved::Asking)
            .map_err(|error| untranslated(name, &words(&error))),
    }
}

fn untranslated(name: &str, reason: &str) -> FailedAttempt {
    let name = shown_host(name);
    FailedAttempt::Host(format!("could not translate host name \"{name}\" to address: {reason}"))
}

/// The Unix socket of a host.
fn local(host: &Host) -> Result<Address, FailedAttempt> {
    let mut path = socket_path(&host.name, host.port);
    // A server built from source puts its socket elsewhere than one of a distribution.
    if host.is_default && !Path::new(&path).exists() {
        let other = socket_path(FALLBACK_SOCKET_DIRECTORY, host.port);
        if Path::new(&other).exists() {
            path = other;
        }
    }
    if path.len() > MAX_SOCKET_PATH {
        return Err(FailedAttempt::Host(format!(
            "Unix-domain socket path \"{path}\" is too long (maximum {MAX_SOCKET_PATH} bytes)"
        )));
    }
    Ok(Address::Unix { path })
}

/// Parses a numeric address; an IPv6 one may have a zone: `fe80::1%eth0`.
fn numeric(text: &str, port: u16) -> Option<SocketAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(SocketAddr::new(address, port));
    }
    let (address, _zone) = text.split_once('%')?;
    address.parse::<std::net::Ipv6Addr>().ok()?;
    // The resolver knows the numbers of zones, and asks nobody about a numeric address.
    (text, port).to_socket_addrs().ok()?.next()
}

/// A name that is being looked up, by the system's resolver.
#[derive(Debug)]
pub(crate) struct Lookup {
    name: String,
    resolver: Offload<io::Result<Vec<SocketAddr>>>,
    deadline: Option<Instant>,
}

impl Lookup {
    fn begin(name: &str, port: u16, deadline: Option<Instant>) -> io::Result<Lookup> {
        let asked = name.to_owned();
        let resolver = Offload::begin("psycoxide-resolve", move || {
            (asked.as_str(), port).to_socket_addrs().map(Iterator::collect)
        })?;
        Ok(Lookup { name: name.to_owned(), resolver, deadline })
    }

    /// The descriptor that becomes readable when the lookup is over.
    pub(crate) fn fd(&self) -> RawFd {
        self.resolver.fd()
    }

    /// When the lookup is given up.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The addresses, in the resolver's order; `None` while the lookup goes on.
    pub(crate) fn poll(&self) -> Option<Result<Vec<Address>, FailedAttempt>> {
        let failed = |reason: &str| Some(Err(untranslated(&self.name, reason)));
        let tcp = |address| Address::Tcp { host: self.name.clone(), address };
        match self.resolver.poll() {
            Offloaded::Done(Ok(found)) if found.is_empty() => failed(UNKNOWN_NAME),
            Offloaded::Done(Ok(found)) => Some(Ok(found.into_iter().map(tcp).collect())),
            Offloaded::Done(Err(error)) => failed(&words(&error)),
            Offloaded::Lost => failed(UNKNOWN_NAME),
            Offloaded::Working if self.deadline.is_some_and(|at| at <= Instant::now()) => {
                failed("timeout expired")
            }
            Offloaded::Working => None,
        }
    }
}

/// The resolver's own text, such as `Name or service not known`.
fn words(error: &io::Error) -> String {
    let text = crate::error::system(error);
    text.rsplit(": ").next().unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use psycoxide_proto::Interest;

    use super::*;
    use crate::wait::wait;

    fn host(name: &str, address: Option<&str>) -> Host {
        let address = address.map(str::to_owned);
        Host { name: name.to_owned(), address, port: 5432, is_default: false }
    }

    fn text(host: &Host) -> String {
        resolve(host, None).unwrap_err().to_string()
    }

    fn at_once(host: &Host) -> Vec<Address> {
        match resolve(host, None).unwrap() {
            Resolved::Addresses(addresses) => addresses,
            Resolved::Asking(_) => panic!("a resolver was asked"),
        }
    }

    fn patiently(name: &str, deadline: Option<Instant>) -> Result<Vec<Address>, FailedAttempt> {
        let Resolved::Asking(lookup) = resolve(&host(name, None), deadline).unwrap() else {
            panic!("no resolver was asked");
        };
        loop {
            wait(lookup.fd(), Interest::READ, lookup.deadline()).unwrap();
            if let Some(found) = lookup.poll() {
                return found;
            }
        }
    }

    #[test]
    fn numeric_addresses_need_no_resolver() {
        let addresses = at_once(&host("127.0.0.1", None));
        assert_eq!(addresses[0].to_string(), "at \"127.0.0.1\", port 5432");
        let addresses = at_once(&host("::1", None));
        assert_eq!(addresses[0].to_string(), "at \"::1\", port 5432");
        let addresses = at_once(&host("whatever.invalid", Some("127.0.0.1")));
        assert_eq!(addresses[0].to_string(), "at \"127.0.0.1\", port 5432");
    }

    #[test]
    fn names_have_addresses() {
        let soon = Some(Instant::now() + Duration::from_secs(5));
        for deadline in [None, soon] {
            let addresses = patiently("localhost", deadline).unwrap();
            assert!(addresses.iter().any(|address| address.to_string().contains("(127.0.0.1)")));
        }
    }

    #[test]
    fn invalid_addresses_are_reported() {
        assert_eq!(
            text(&host("", Some("999.1.1.1"))),
            "could not parse network address \"999.1.1.1\": Name or service not known"
        );
        let long = format!("/{}", "x".repeat(100));
        assert_eq!(
            text(&host(&long, None)),
            format!(
                "Unix-domain socket path \"{long}/.s.PGSQL.5432\" is too long (maximum {MAX_SOCKET_PATH} bytes)"
            )
        );
    }

    #[test]
    fn a_lookup_ends_with_its_deadline() {
        let began = Instant::now();
        let error = patiently("no.such.host.invalid", Some(began)).unwrap_err().to_string();
        assert!(error.starts_with("could not translate host name"), "{error}");
        assert!(began.elapsed() < Duration::from_secs(2));
    }
}
