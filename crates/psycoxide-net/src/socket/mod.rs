//! The byte stream to a server.

pub mod place;

use std::io::{self, Read};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, IntoRawFd, RawFd};
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, TcpKeepalive, Type};

use place::Place;

/// How a TCP socket notices that its peer is gone: libpq's options of the same names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// `keepalives`
    pub enabled: bool,
    /// `keepalives_idle`
    pub idle: Option<Duration>,
    /// `keepalives_interval`
    pub interval: Option<Duration>,
    /// `keepalives_count`
    pub count: Option<u32>,
    /// `tcp_user_timeout`
    pub user_timeout: Option<Duration>,
}

impl Default for Keepalive {
    fn default() -> Self {
        Self { enabled: true, idle: None, interval: None, count: None, user_timeout: None }
    }
}

/// A non-blocking stream socket. An enum, because a stream may come to be wrapped.
#[derive(Debug)]
pub enum Stream {
    /// Bytes go as they are.
    Plain(Socket),
}

impl Stream {
    /// Begins to connect; the socket becomes writable when that has succeeded or failed.
    pub fn connect(place: &Place, keepalive: &Keepalive) -> io::Result<Self> {
        let (domain, address) = match place {
            Place::Tcp { address, .. } => (Domain::for_address(*address), SockAddr::from(*address)),
            Place::Unix { path } => (Domain::UNIX, unix_address(path)?),
        };
        let socket = Socket::new(domain, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        if let Place::Tcp { .. } = place {
            socket.set_tcp_nodelay(true)?;
            set_keepalive(&socket, keepalive)?;
        }
        match socket.connect(&address) {
            Ok(()) => {}
            Err(error) if is_in_progress(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(Self::Plain(socket))
    }

    fn socket(&self) -> &Socket {
        match self {
            Self::Plain(socket) => socket,
        }
    }

    /// What came of connecting, once the socket is writable.
    pub fn connected(&self) -> io::Result<()> {
        match self.socket().take_error()? {
            Some(error) => Err(error),
            // A socket that is merely still connecting has no peer.
            None => self.socket().peer_addr().map(drop),
        }
    }

    /// Sends what the socket takes. A peer that is gone is an error, never a signal.
    pub fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.socket().send_with_flags(bytes, libc::MSG_NOSIGNAL)
    }

    /// Receives what the socket has; 0 at its end.
    pub fn receive(&self, space: &mut [u8]) -> io::Result<usize> {
        let mut socket = self.socket();
        socket.read(space)
    }

    /// Ends the conversation before the descriptor is closed, so that the peer learns of it even
    /// if a forked child still has the descriptor.
    pub fn shutdown(&self) {
        let _ = self.socket().shutdown(Shutdown::Both);
    }

    /// Closes the descriptor and nothing else: the conversation belongs to another process.
    pub fn abandon(self) {
        match self {
            // Closing a socket that another process shares sends nothing.
            Self::Plain(socket) => drop(socket),
        }
    }
}

impl AsRawFd for Stream {
    fn as_raw_fd(&self) -> RawFd {
        self.socket().as_raw_fd()
    }
}

impl IntoRawFd for Stream {
    fn into_raw_fd(self) -> RawFd {
        match self {
            Self::Plain(socket) => socket.into_raw_fd(),
        }
    }
}

fn is_in_progress(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(libc::EINPROGRESS)
}

/// The address of a Unix socket; a leading `@` names one in the abstract namespace.
fn unix_address(path: &str) -> io::Result<SockAddr> {
    match path.strip_prefix('@') {
        Some(name) => SockAddr::unix(format!("\0{name}")),
        None => SockAddr::unix(path),
    }
}

fn set_keepalive(socket: &Socket, options: &Keepalive) -> io::Result<()> {
    if options.enabled {
        let mut keepalive = TcpKeepalive::new();
        if let Some(idle) = options.idle {
            keepalive = keepalive.with_time(idle);
        }
        if let Some(interval) = options.interval {
            keepalive = keepalive.with_interval(interval);
        }
        if let Some(count) = options.count {
            keepalive = keepalive.with_retries(count);
        }
        socket.set_keepalive(true)?;
        socket.set_tcp_keepalive(&keepalive)?;
    }
    #[cfg(target_os = "linux")]
    if let Some(timeout) = options.user_timeout {
        socket.set_tcp_user_timeout(Some(timeout))?;
    }
    Ok(())
}
