//! Properties of a session, noted for forked children.
//!
//! A child may ask about the connections that it inherits, but it cannot always look at the link:
//! if a thread of the parent had it locked at the fork, it stays locked for ever, perhaps half
//! changed.

use std::os::fd::RawFd;

use crate::link::Link;
use crate::tls::TlsInfo;

/// The properties of a session when its parameters last changed.
pub struct SessionSnapshot {
    /// The descriptor of its socket.
    pub fd: RawFd,
    /// The host, as libpq's `PQhost` has it.
    pub host: Option<String>,
    /// The port.
    pub port: Option<u16>,
    /// The properties of the TLS session, if there is one.
    pub tls: Option<TlsInfo>,
    /// The process id of the server.
    pub backend_pid: i32,
    /// The server's version.
    pub server_version: u32,
    /// The protocol's major version.
    pub protocol: u16,
    /// Whether the server asked for the password and got it.
    pub password_used: bool,
    /// Names and values, each ended by a NUL: none holds one.
    parameters: Vec<u8>,
}

impl SessionSnapshot {
    /// The properties of a link's session, if there is one.
    pub fn of(link: &Link) -> Option<Self> {
        let engine = link.engine()?;
        let mut parameters = Vec::with_capacity(512);
        for text in engine.parameters().flat_map(|(name, value)| [name, value]) {
            parameters.extend_from_slice(text);
            parameters.push(0);
        }
        Some(Self {
            fd: link.fd(),
            host: link.host(),
            port: link.port(),
            tls: link.tls(),
            backend_pid: engine.cancel_key().map_or(0, |key| key.pid),
            server_version: engine.server_version(),
            protocol: engine.protocol_version().major,
            password_used: engine.password_used(),
            parameters,
        })
    }

    /// A parameter's value, as the server reported it.
    pub fn parameter(&self, name: &str) -> Option<&[u8]> {
        let mut texts = self.parameters.split(|byte| *byte == 0);
        let mut pairs = std::iter::from_fn(|| Some((texts.next()?, texts.next()?)));
        pairs.find_map(|(known, value)| (known == name.as_bytes()).then_some(value))
    }
}
