//! From a host of the configuration to the addresses that can be tried.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Instant;

use crate::config::{FALLBACK_SOCKET_DIRECTORY, Host, socket_path};
use crate::error::Attempt;
use crate::socket::place::Place;

/// The longest path that fits into a Unix socket's address with the NUL behind it.
const MAX_SOCKET_PATH: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// What the resolver says of a name that it does not know.
const UNKNOWN_NAME: &str = "Name or service not known";

/// All addresses of a host, in the resolver's order.
///
/// Waits while a name is looked up, as libpq does, but not past `deadline`.
pub(crate) fn resolve(host: &Host, deadline: Option<Instant>) -> Result<Vec<Place>, Attempt> {
    if host.is_local() {
        return local(host).map(|place| vec![place]);
    }
    if let Some(text) = &host.address {
        let address = numeric(text, host.port).ok_or_else(|| {
            Attempt::Host(format!("could not parse network address \"{text}\": {UNKNOWN_NAME}"))
        })?;
        return Ok(vec![Place::Tcp { host: text.clone(), address }]);
    }
    let name = &host.name;
    let failed = |reason: &str| {
        Attempt::Host(format!("could not translate host name \"{name}\" to address: {reason}"))
    };
    let found = match numeric(name, host.port) {
        Some(address) => vec![address],
        None => look_up(name, host.port, deadline).map_err(|error| failed(&words(&error)))?,
    };
    if found.is_empty() {
        return Err(failed(UNKNOWN_NAME));
    }
    Ok(found.into_iter().map(|address| Place::Tcp { host: name.clone(), address }).collect())
}

/// The Unix socket of a host.
fn local(host: &Host) -> Result<Place, Attempt> {
    let mut path = socket_path(&host.name, host.port);
    // A server built from source puts its socket elsewhere than one of a distribution.
    if host.is_default && !Path::new(&path).exists() {
        let other = socket_path(FALLBACK_SOCKET_DIRECTORY, host.port);
        if Path::new(&other).exists() {
            path = other;
        }
    }
    if path.len() > MAX_SOCKET_PATH {
        return Err(Attempt::Host(format!(
            "Unix-domain socket path \"{path}\" is too long (maximum {MAX_SOCKET_PATH} bytes)"
        )));
    }
    Ok(Place::Unix { path })
}

/// An address in figures, IPv6 perhaps with a zone: `fe80::1%eth0`.
fn numeric(text: &str, port: u16) -> Option<SocketAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(SocketAddr::new(address, port));
    }
    let (address, _zone) = text.split_once('%')?;
    address.parse::<std::net::Ipv6Addr>().ok()?;
    // The resolver knows the zones' numbers; it asks nobody for an address in figures.
    (text, port).to_socket_addrs().ok()?.next()
}

/// Looks a name up. The system's resolver cannot be interrupted, so when there is a deadline it
/// runs in a thread, which is left to itself when the deadline passes.
fn look_up(name: &str, port: u16, deadline: Option<Instant>) -> io::Result<Vec<SocketAddr>> {
    let Some(deadline) = deadline else {
        return Ok((name, port).to_socket_addrs()?.collect());
    };
    let (sender, receiver) = mpsc::sync_channel(1);
    let name = name.to_owned();
    std::thread::Builder::new().name("psycoxide-resolve".to_owned()).spawn(move || {
        let found = (name.as_str(), port).to_socket_addrs();
        // Nobody listens any more when the deadline has passed.
        let _ = sender.send(found.map(Iterator::collect));
    })?;
    match receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        Ok(found) => found,
        Err(RecvTimeoutError::Timeout) => Err(io::Error::other("timeout expired")),
        Err(RecvTimeoutError::Disconnected) => Err(io::Error::other(UNKNOWN_NAME)),
    }
}

/// The resolver's own words: `Name or service not known`.
fn words(error: &io::Error) -> String {
    let text = crate::error::system(error);
    text.rsplit(": ").next().unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn host(name: &str, address: Option<&str>) -> Host {
        let address = address.map(str::to_owned);
        Host { name: name.to_owned(), address, port: 5432, is_default: false }
    }

    fn text(host: &Host) -> String {
        resolve(host, None).unwrap_err().to_string()
    }

    #[test]
    fn figures_need_no_resolver() {
        let places = resolve(&host("127.0.0.1", None), None).unwrap();
        assert_eq!(places[0].to_string(), "at \"127.0.0.1\", port 5432");
        let places = resolve(&host("::1", None), None).unwrap();
        assert_eq!(places[0].to_string(), "at \"::1\", port 5432");
        let places = resolve(&host("whatever.invalid", Some("127.0.0.1")), None).unwrap();
        assert_eq!(places[0].to_string(), "at \"127.0.0.1\", port 5432");
    }

    #[test]
    fn names_have_addresses() {
        let soon = Some(Instant::now() + Duration::from_secs(5));
        for deadline in [None, soon] {
            let places = resolve(&host("localhost", None), deadline).unwrap();
            assert!(places.iter().any(|place| place.to_string().contains("(127.0.0.1)")));
        }
    }

    #[test]
    fn what_cannot_be_an_address_is_told() {
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
        let error = look_up("no.such.host.invalid", 1, Some(Instant::now())).unwrap_err();
        assert!(!words(&error).is_empty());
    }
}
