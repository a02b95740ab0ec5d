//! The address of a server.

use std::fmt;
use std::net::SocketAddr;

/// One address to try. `Display` names it as libpq's messages do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A TCP address, with the name that it was found by.
    Tcp {
        /// The host as it was given: a name or an address.
        host: String,
        /// The address itself.
        address: SocketAddr,
    },
    /// The path of a Unix socket; a leading `@` names one in the abstract namespace.
    Unix {
        /// The path of the socket file itself.
        path: String,
    },
}

impl fmt::Display for Address {
    /// As in libpq's messages: `at "localhost" (127.0.0.1), port 5432`, `on socket "/…"`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, address } => {
                write!(f, "at \"{host}\"")?;
                let ip = address.ip().to_string();
                if ip != *host {
                    write!(f, " ({ip})")?;
                }
                write!(f, ", port {}", address.port())
            }
            Self::Unix { path } => write!(f, "on socket \"{path}\""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, address: &str) -> Address {
        Address::Tcp { host: host.to_owned(), address: address.parse().unwrap() }
    }

    #[test]
    fn messages_name_the_host_and_its_address() {
        assert_eq!(tcp("db", "10.0.0.1:1").to_string(), "at \"db\" (10.0.0.1), port 1");
        assert_eq!(tcp("10.0.0.1", "10.0.0.1:1").to_string(), "at \"10.0.0.1\", port 1");
        assert_eq!(tcp("::1", "[::1]:5432").to_string(), "at \"::1\", port 5432");
        let unix = Address::Unix { path: "/run/.s.PGSQL.5432".to_owned() };
        assert_eq!(unix.to_string(), "on socket \"/run/.s.PGSQL.5432\"");
    }
}
