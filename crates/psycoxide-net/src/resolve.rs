//! From a host of the configuration to the addresses that can be tried.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use crate::config::hosts::Host;
use crate::error::Attempt;
use crate::socket::place::Place;

/// All addresses of a host, in the resolver's order. Blocks while a name is looked up, as libpq
/// does.
pub fn resolve(host: &Host) -> Result<Vec<Place>, Attempt> {
    if let Some(directory) = host.socket_directory() {
        let separator = if directory.ends_with('/') { "" } else { "/" };
        return Ok(vec![Place::Unix {
            path: format!("{directory}{separator}.s.PGSQL.{}", host.port),
        }]);
    }
    let label = host.label();
    let name = host.hostaddr.as_deref().unwrap_or(&host.host);
    let failed = |reason: String| Attempt::Name { host: name.to_owned(), reason };
    if let Ok(address) = name.parse::<IpAddr>() {
        let address = SocketAddr::new(address, host.port);
        return Ok(vec![Place::Tcp { host: label.to_owned(), address }]);
    }
    let found = (name, host.port).to_socket_addrs().map_err(|error| failed(words(&error)))?;
    let places: Vec<Place> =
        found.map(|address| Place::Tcp { host: label.to_owned(), address }).collect();
    if places.is_empty() {
        return Err(failed("Name or service not known".to_owned()));
    }
    Ok(places)
}

/// The resolver's own words: `Name or service not known`.
fn words(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.rsplit(": ").next().unwrap_or(&text).to_owned()
}
