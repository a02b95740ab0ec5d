//! The servers to try: the lists `host`, `hostaddr` and `port`, combined.
//!
//! <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-MULTIPLE-HOSTS>

use super::error::Error;
use super::keywords::key;
use super::values::Values;

/// The directory of the server's Unix socket, if no host is given.
pub(crate) const DEFAULT_SOCKET_DIRECTORY: &str = "/var/run/postgresql";

/// The directory that a server built from source uses. It is tried if no host is given and
/// [`DEFAULT_SOCKET_DIRECTORY`] has no socket.
pub(crate) const FALLBACK_SOCKET_DIRECTORY: &str = "/tmp";

const DEFAULT_PORT: u16 = 5432;

/// One server to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// The name, or the directory of the Unix socket, as given; empty if only an address was given.
    pub name: String,
    /// The address from `hostaddr`, if there is one.
    pub address: Option<String>,
    /// The port, which is also part of a Unix socket's name.
    pub port: u16,
    /// Whether no host was given, so that this is the default.
    pub is_default: bool,
}

impl Host {
    /// Whether this is a Unix socket.
    pub fn is_local(&self) -> bool {
        self.address.is_none() && is_socket_path(&self.name)
    }
}

/// The path of a server's Unix socket (an abstract one begins with `@`).
pub(crate) fn socket_path(directory: &str, port: u16) -> String {
    format!("{directory}/.s.PGSQL.{port}")
}

/// "[…] any name starting with / or, for abstract sockets, @."
pub(crate) fn is_socket_path(host: &str) -> bool {
    host.starts_with(['/', '@'])
}

/// The servers to try, in the order given.
pub(super) fn list(values: &Values) -> Result<Vec<Host>, Error> {
    let names = elements(values.filled(key!("host")));
    let addresses = elements(values.filled(key!("hostaddr")));
    let ports = elements(values.filled(key!("port")));
    let count = if addresses.is_empty() { names.len().max(1) } else { addresses.len() };
    if !names.is_empty() && names.len() != count {
        return Err(Error::Conflict(format!(
            "could not match {} host names to {count} hostaddr values",
            names.len()
        )));
    }
    if ports.len() > 1 && ports.len() != count {
        return Err(Error::Conflict(format!(
            "could not match {} port numbers to {count} hosts",
            ports.len()
        )));
    }
    (0..count)
        .map(|index| {
            let (name, address) = (at(&names, index), at(&addresses, index));
            let is_default = name.is_empty() && address.is_empty();
            let name = if is_default { DEFAULT_SOCKET_DIRECTORY } else { name }.to_owned();
            let port = port(at(&ports, if ports.len() == 1 { 0 } else { index }))?;
            let address = Some(address).filter(|address| !address.is_empty()).map(str::to_owned);
            Ok(Host { name, address, port, is_default })
        })
        .collect()
}

/// The elements of a comma-separated list, which may be absent or empty.
fn elements(list: Option<&str>) -> Vec<&str> {
    list.map(|list| list.split(',').collect()).unwrap_or_default()
}

fn at<'a>(list: &[&'a str], index: usize) -> &'a str {
    list.get(index).copied().unwrap_or_default()
}

fn port(text: &str) -> Result<u16, Error> {
    if text.is_empty() {
        return Ok(DEFAULT_PORT);
    }
    let number = super::settings::integer("port", text)?;
    match u16::try_from(number) {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(Error::Port(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(dsn: &str) -> Result<Vec<(String, Option<String>, u16)>, String> {
        let mut values = Values::new();
        super::super::dsn::parse(dsn, &mut values).unwrap();
        match list(&values) {
            Ok(hosts) => Ok(hosts.into_iter().map(|h| (h.name, h.address, h.port)).collect()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn lists_are_matched_by_position() {
        let named = |name: &str, port| (name.to_owned(), None, port);
        assert_eq!(hosts("").unwrap(), [named(DEFAULT_SOCKET_DIRECTORY, 5432)]);
        assert_eq!(hosts("host=a,b port=7").unwrap(), [named("a", 7), named("b", 7)]);
        assert_eq!(hosts("host=a,b port=,8").unwrap(), [named("a", 5432), named("b", 8)]);
        assert_eq!(
            hosts("host=a,").unwrap(),
            [named("a", 5432), named(DEFAULT_SOCKET_DIRECTORY, 5432)]
        );
        assert_eq!(
            hosts("hostaddr=1.1.1.1,2.2.2.2 host=a,b").unwrap(),
            [
                ("a".into(), Some("1.1.1.1".into()), 5432),
                ("b".into(), Some("2.2.2.2".into()), 5432)
            ]
        );
        assert_eq!(hosts("hostaddr=::1").unwrap(), [(String::new(), Some("::1".into()), 5432)]);
    }

    #[test]
    fn lists_that_do_not_match_are_refused() {
        for (dsn, error) in [
            ("host=a,b port=1,2,3", "could not match 3 port numbers to 2 hosts"),
            ("host=a,b hostaddr=1.1.1.1", "could not match 2 host names to 1 hostaddr values"),
            ("port=1,2", "could not match 2 port numbers to 1 hosts"),
            ("port=0", "invalid port number: \"0\""),
            ("port=99999", "invalid port number: \"99999\""),
            ("port=-1", "invalid port number: \"-1\""),
            ("port=x", "invalid integer value \"x\" for connection option \"port\""),
            ("port=12a", "invalid integer value \"12a\" for connection option \"port\""),
        ] {
            assert_eq!(hosts(dsn), Err(error.to_owned()), "{dsn}");
        }
    }
}
