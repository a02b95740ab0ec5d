//! The byte stream to a server.

pub mod address;
mod connecting;
#[cfg(test)]
pub(crate) mod full;
pub mod lent_message;
mod queue;
pub mod splice_pipe;

use std::io::{self, Read};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use psycoxide_proto::Interest;
use socket2::{Domain, SockAddr, Socket, TcpKeepalive, Type};

use crate::config::Keepalive;
use crate::encryption_method::EncryptionMethod;
use crate::gss::GssSession;
use crate::sigpipe::send;
use crate::tls::TlsSession;
use address::Address;
pub(crate) use connecting::Connecting;
use lent_message::{Body, LentMessage};
use queue::Queue;

/// The options for TCP sockets.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TcpOptions {
    /// Keepalives, unless they are switched off.
    pub(crate) keepalive: Option<Keepalive>,
    /// `tcp_user_timeout`
    pub(crate) user_timeout: Option<Duration>,
}

/// A non-blocking stream socket, with its encryption once that is set up.
#[derive(Debug)]
pub struct Stream {
    socket: Socket,
    transport: Transport,
    received: u64,
    /// Is sent before anything else.
    lent: Option<LentMessage>,
    /// The last read emptied the socket, and nobody has waited since.
    pub(crate) drained: bool,
}

#[derive(Debug)]
enum Transport {
    Clear,
    Tls(Box<TlsSession>),
    Gss(Box<GssSession>),
}

impl From<Socket> for Stream {
    fn from(socket: Socket) -> Self {
        Self { socket, transport: Transport::Clear, received: 0, lent: None, drained: false }
    }
}

impl Stream {
    /// Begins to connect, without waiting.
    pub(crate) fn connect(address: &Address, options: &TcpOptions) -> io::Result<Connecting> {
        let (domain, target) = match address {
            Address::Tcp { address, .. } => {
                (Domain::for_address(*address), SockAddr::from(*address))
            }
            Address::Unix { path } => (Domain::UNIX, unix_address(path)?),
        };
        #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
        let socket = Socket::new(domain, Type::STREAM.nonblocking(), None)?;
        #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
        let socket = {
            let socket = Socket::new(domain, Type::STREAM, None)?;
            socket.set_nonblocking(true)?;
            socket
        };
        if let Address::Tcp { .. } = address {
            socket.set_tcp_nodelay(true)?;
            set_options(&socket, options)?;
        }
        match socket.connect(&target) {
            Ok(()) => Ok(Connecting::Done(Self::from(socket))),
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {
                Ok(Connecting::Begun(Self::from(socket)))
            }
            Err(error)
                if error.kind() == io::ErrorKind::WouldBlock
                    && matches!(address, Address::Unix { .. }) =>
            {
                Queue::join(target, queue::PATIENCE).map(Connecting::Queued)
            }
            Err(error) => Err(error),
        }
    }

    /// The result of connecting, once the socket is writable.
    pub fn connected(&self) -> io::Result<()> {
        match self.socket.take_error()? {
            Some(error) => Err(error),
            // A socket that is still connecting has no peer.
            None => self.socket.peer_addr().map(drop),
        }
    }

    /// Begins TLS; [`Stream::shake_hands`] continues it.
    pub(crate) fn begin_tls(&mut self, session: TlsSession) {
        self.transport = Transport::Tls(Box::new(session));
    }

    /// Begins encryption by GSSAPI; [`Stream::shake_hands`] continues it.
    pub(crate) fn begin_gss(&mut self, session: GssSession) {
        self.transport = Transport::Gss(Box::new(session));
    }

    /// Continues the set-up of encryption. Returns what it waits for, or `None` when it is over.
    pub(crate) fn shake_hands(&mut self) -> io::Result<Option<Interest>> {
        match &mut self.transport {
            Transport::Tls(session) => session.shake_hands(&self.socket),
            Transport::Gss(session) => session.shake_hands(&self.socket),
            Transport::Clear => Ok(None),
        }
    }

    /// The TLS session, if there is one.
    pub(crate) fn tls(&self) -> Option<&TlsSession> {
        match &self.transport {
            Transport::Tls(session) => Some(session),
            _ => None,
        }
    }

    /// How the stream is encrypted, if it is.
    pub(crate) fn encrypted(&self) -> Option<EncryptionMethod> {
        match &self.transport {
            Transport::Clear => None,
            Transport::Tls(_) => Some(EncryptionMethod::Tls),
            Transport::Gss(_) => Some(EncryptionMethod::Gss),
        }
    }

    /// Sends as much as the socket takes. A peer that is gone is an error, never a signal.
    ///
    /// After `WouldBlock` the caller has to pass the same bytes again, perhaps with more after
    /// them.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.transport {
            Transport::Clear => send(&self.socket, bytes),
            Transport::Tls(session) => session.send(&self.socket, bytes),
            Transport::Gss(session) => session.send(&self.socket, bytes),
        }
    }

    /// Queues a header and its data, where they lie, to be sent before anything else. Returns
    /// whether the stream can do that.
    pub(crate) fn lend(&mut self, header: &[u8], body: Body, length: usize) -> bool {
        if !matches!(self.transport, Transport::Clear) || self.lent.is_some() {
            return false;
        }
        self.lent = Some(LentMessage::new(header, body, length));
        true
    }

    /// Sends as much of the queued header and data as the socket takes. Returns whether there was
    /// any.
    pub(crate) fn send_lent(&mut self) -> io::Result<bool> {
        let Some(lent) = &mut self.lent else { return Ok(false) };
        if lent.send(&self.socket)? {
            self.lent = None;
        }
        Ok(true)
    }

    /// Receives what has come, or 0 at the end. If it does not fill `space`, no more has come.
    pub fn receive(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let count = match &mut self.transport {
            Transport::Clear => (&self.socket).read(space),
            Transport::Tls(session) => session.receive(&self.socket, space),
            Transport::Gss(session) => session.receive(&self.socket, space),
        }?;
        self.received = self.received.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        Ok(count)
    }

    /// How many bytes have been received.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Whether data have left the socket but were not received yet: the socket does not become
    /// readable for them.
    pub fn is_holding(&self) -> bool {
        match &self.transport {
            Transport::Clear => false,
            Transport::Tls(session) => session.is_holding(),
            Transport::Gss(session) => session.is_holding(),
        }
    }

    /// What the stream itself waits for, besides its user.
    pub fn interest(&self) -> Interest {
        let wants_write = match &self.transport {
            Transport::Clear => false,
            Transport::Tls(session) => session.wants_write(),
            Transport::Gss(session) => session.wants_write(),
        };
        if wants_write || self.lent.is_some() { Interest::WRITE } else { Interest::NONE }
    }

    /// Sends last words as far as is possible without waiting. Returns whether all of them were
    /// certainly sent.
    pub fn say_goodbye(&mut self, words: &[u8]) -> bool {
        match &mut self.transport {
            Transport::Clear => {
                let sent = send(&self.socket, words);
                !words.is_empty() && sent.is_ok_and(|sent| sent == words.len())
            }
            Transport::Tls(session) => {
                session.close(&self.socket, words);
                false
            }
            Transport::Gss(session) => {
                session.close(&self.socket, words);
                false
            }
        }
    }

    /// The user id of the peer's process on a Unix socket, if the system tells it.
    pub fn peer_user(&self) -> io::Result<u32> {
        #[cfg(target_os = "linux")]
        {
            let credentials = rustix::net::sockopt::socket_peercred(&self.socket)?;
            Ok(credentials.uid.as_raw())
        }
        #[cfg(not(target_os = "linux"))]
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Shuts the socket down before its descriptor is closed, so that the peer learns of the end
    /// even if a forked child still has the descriptor.
    pub fn shutdown(&self) {
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

impl AsRawFd for Stream {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// The address of a Unix socket; a leading `@` names one in the abstract namespace.
fn unix_address(path: &str) -> io::Result<SockAddr> {
    match path.strip_prefix('@') {
        Some(name) => SockAddr::unix(format!("\0{name}")),
        None => SockAddr::unix(path),
    }
}

fn set_options(socket: &Socket, options: &TcpOptions) -> io::Result<()> {
    if let Some(options) = options.keepalive {
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
        socket.set_tcp_keepalive(&keepalive)?;
    }
    #[cfg(target_os = "linux")]
    if let Some(timeout) = options.user_timeout {
        socket.set_tcp_user_timeout(Some(timeout))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::TcpListener;
    use std::os::fd::BorrowedFd;

    use super::*;
    use crate::wait::wait;

    fn listener() -> (TcpListener, Address) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        (listener, Address::Tcp { host: "127.0.0.1".to_owned(), address })
    }

    fn begin(address: &Address, options: &TcpOptions) -> io::Result<Stream> {
        match Stream::connect(address, options)? {
            Connecting::Done(stream) | Connecting::Begun(stream) => Ok(stream),
            Connecting::Queued(_) => panic!("there was no room"),
        }
    }

    fn connect(address: &Address, options: &TcpOptions) -> Stream {
        let stream = begin(address, options).unwrap();
        wait(stream.as_raw_fd(), Interest::WRITE, None).unwrap();
        stream.connected().unwrap();
        stream
    }

    #[test]
    fn options_reach_the_socket() {
        let (_listener, address) = listener();
        let keepalive = Keepalive {
            idle: Some(Duration::from_secs(11)),
            interval: Some(Duration::from_secs(7)),
            count: Some(3),
        };
        let user_timeout = Some(Duration::from_millis(1234));
        let options = TcpOptions { keepalive: Some(keepalive), user_timeout };
        let socket = connect(&address, &options).socket;
        assert!(socket.tcp_nodelay().unwrap() && socket.keepalive().unwrap());
        assert!(socket.nonblocking().unwrap());
        #[cfg(target_os = "linux")]
        {
            assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(11));
            assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(7));
            assert_eq!(socket.tcp_keepalive_retries().unwrap(), 3);
            assert_eq!(socket.tcp_user_timeout().unwrap(), user_timeout);
        }
        let socket = connect(&address, &TcpOptions::default()).socket;
        assert!(!socket.keepalive().unwrap());
    }

    #[test]
    fn child_programs_do_not_inherit_the_socket() {
        let (_listener, address) = listener();
        let stream = connect(&address, &TcpOptions::default());
        // SAFETY: the stream keeps the descriptor open for the time of the borrow.
        let fd = unsafe { BorrowedFd::borrow_raw(stream.as_raw_fd()) };
        assert!(rustix::io::fcntl_getfd(fd).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
    }

    #[test]
    fn a_peer_that_is_gone_is_an_error_and_not_a_signal() {
        let (listener, address) = listener();
        let mut stream = connect(&address, &TcpOptions::default());
        drop(listener.accept().unwrap());
        let error = loop {
            match stream.send(&[0; 65536]) {
                Ok(_) => std::thread::sleep(Duration::from_millis(5)),
                Err(error) => break error,
            }
        };
        assert!(matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset));
    }

    #[test]
    fn a_refused_connection_is_told_when_it_is_known() {
        let (listener, address) = listener();
        drop(listener);
        let error = match begin(&address, &TcpOptions::default()) {
            Err(error) => error,
            Ok(stream) => {
                wait(stream.as_raw_fd(), Interest::WRITE, None).unwrap();
                stream.connected().unwrap_err()
            }
        };
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn abstract_sockets_are_connected_to() {
        use std::os::linux::net::SocketAddrExt;
        use std::os::unix::net::{SocketAddr, UnixListener};
        let name = format!("psycoxide-test-{}/.s.PGSQL.1", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let _listener = UnixListener::bind_addr(&address).unwrap();
        let stream = connect(&Address::Unix { path: format!("@{name}") }, &TcpOptions::default());
        assert_eq!(stream.peer_user().unwrap(), rustix::process::geteuid().as_raw());
    }
}
