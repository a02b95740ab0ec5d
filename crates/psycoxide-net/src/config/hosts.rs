//! The hosts to try: lists of names, addresses and ports.

use super::Error;
use super::environment::Environment;
use super::options::Options;

/// Where Debian's servers, and then those of a plain build, put their sockets.
const SOCKET_DIRECTORIES: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// One host of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// A name, an address, or a socket's directory. Empty only where an address stands instead.
    pub host: String,
    /// An address to connect to instead of looking the name up.
    pub hostaddr: Option<String>,
    /// The port, or the number in a socket's name.
    pub port: u16,
}

impl Host {
    /// The directory of a Unix socket, if the host is one; a leading `@` is an abstract name.
    pub fn socket_directory(&self) -> Option<&str> {
        let is_path = self.host.starts_with(['/', '@']);
        (self.hostaddr.is_none() && is_path).then_some(self.host.as_str())
    }

    /// How messages name the host.
    pub fn label(&self) -> &str {
        self.hostaddr.as_deref().unwrap_or(&self.host)
    }

    /// How the password file names the host: the default socket directory is `localhost`.
    pub fn password_label(&self) -> &str {
        if self.host.is_empty() {
            return self.label();
        }
        if SOCKET_DIRECTORIES.contains(&self.host.as_str()) { "localhost" } else { &self.host }
    }
}

/// The hosts that the options name.
///
/// # Errors
/// If the lists do not fit each other, or a port is not one.
pub fn parse(options: &Options, environment: &impl Environment) -> Result<Vec<Host>, Error> {
    let list = |name| -> Vec<&str> {
        options.filled(name).map(|value| value.split(',').collect()).unwrap_or_default()
    };
    let (names, addresses, ports) = (list("host"), list("hostaddr"), list("port"));
    if !names.is_empty() && !addresses.is_empty() && names.len() != addresses.len() {
        return Err(Error::Lists(format!(
            "could not match {} host names to {} hostaddr values",
            names.len(),
            addresses.len()
        )));
    }
    let count = names.len().max(addresses.len()).max(1);
    if ports.len() > 1 && ports.len() != count {
        return Err(Error::Lists(format!(
            "could not match {} port numbers to {count} hosts",
            ports.len()
        )));
    }
    (0..count)
        .map(|index| {
            let hostaddr = addresses.get(index).filter(|address| !address.is_empty());
            let name = names.get(index).copied().unwrap_or_default();
            let host = if name.is_empty() && hostaddr.is_none() {
                default_host(environment)
            } else {
                name.to_owned()
            };
            let port = ports.get(index).or(ports.first()).copied().unwrap_or_default();
            Ok(Host {
                host,
                hostaddr: hostaddr.map(|&address| address.to_owned()),
                port: parse_port(port)?,
            })
        })
        .collect()
}

fn default_host(environment: &impl Environment) -> String {
    let [first, rest @ ..] = SOCKET_DIRECTORIES;
    let there = |directory: &&str| environment.is_directory(std::path::Path::new(directory));
    if there(&first) {
        return first.to_owned();
    }
    rest.iter().copied().find(there).unwrap_or(first).to_owned()
}

fn parse_port(text: &str) -> Result<u16, Error> {
    if text.is_empty() {
        return Ok(5432);
    }
    let number: i64 = text
        .trim()
        .parse()
        .map_err(|_| Error::Integer { option: "port", value: text.to_owned() })?;
    u16::try_from(number).ok().filter(|port| *port > 0).ok_or_else(|| Error::Port(text.to_owned()))
}
