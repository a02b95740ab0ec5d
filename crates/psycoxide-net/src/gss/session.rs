//! A session encrypted by GSSAPI, over a non-blocking socket.
//!
//! Tokens and messages both follow their length, four bytes in network order.

use std::io::{self, Read};

use psycoxide_proto::Interest;
use socket2::Socket;
use zeroize::Zeroize;

use super::context::Context;
use super::failure::GssFailure;
use crate::config::Gss;
use crate::sigpipe::send;

/// The longest token, its length included (`PQ_GSS_AUTH_BUFFER_SIZE`): tickets can be large.
const MAX_TOKEN: usize = 64 << 10;
/// The longest message, its length included (`PQ_GSS_MAX_PACKET_SIZE`): the server takes no longer.
const MAX_MESSAGE: usize = 16 << 10;
const LENGTH: usize = 4;

/// How much is read at once: several messages, or a whole token.
const INCOMING: usize = 64 << 10;
/// How much is sealed at once. The rest waits until that is sent.
const PORTION: usize = 64 << 10;

/// A session, which does not own its socket.
#[derive(Debug)]
pub(crate) struct GssSession {
    context: Context,
    /// Received but not opened: `start..end` of this buffer.
    incoming: Vec<u8>,
    start: usize,
    end: usize,
    /// Opened, but the reader's buffer had no room for it: from `taken` on.
    held: Vec<u8>,
    taken: usize,
    /// Sealed, but not sent: from `sent` on.
    outgoing: Vec<u8>,
    sent: usize,
    /// How many bytes of the caller's data are in `outgoing`, sealed.
    sealed: usize,
    /// How many bytes fit into a message; 0 until the context is established.
    limit: usize,
    begun: bool,
    failure: Option<GssFailure>,
}

impl GssSession {
    /// Begins a session with the server named `host`.
    ///
    /// # Errors
    /// If the system has no GSSAPI, or the name is empty.
    pub(crate) fn new(options: &Gss, host: &str) -> Result<Self, GssFailure> {
        if host.is_empty() {
            return Err(GssFailure::new("host name must be specified"));
        }
        Ok(Self {
            context: Context::new(&options.service, host, options.delegate)?,
            incoming: vec![0; INCOMING],
            start: 0,
            end: 0,
            held: Vec::new(),
            taken: 0,
            outgoing: Vec::new(),
            sent: 0,
            sealed: 0,
            limit: 0,
            begun: false,
            failure: None,
        })
    }

    /// Continues to establish the context. Returns what it waits for, or `None` when the context is
    /// established.
    ///
    /// # Errors
    /// If the socket fails, or one side does not accept the other.
    pub(crate) fn shake_hands(&mut self, socket: &Socket) -> io::Result<Option<Interest>> {
        loop {
            match self.flush(socket) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Some(Interest::WRITE));
                }
                Err(error) => return Err(error),
                Ok(()) => {}
            }
            if self.context.is_complete() {
                self.limit = self.context.limit(MAX_MESSAGE - LENGTH)?;
                return Ok(None);
            }
            if !self.begun {
                self.begun = true;
                let token = self.context.step(&[])?;
                append(&mut self.outgoing, &token);
                continue;
            }
            if let Some(size) = self.announced(MAX_TOKEN)? {
                let theirs = self.incoming.get(self.start + LENGTH..self.start + LENGTH + size);
                let token = self.context.step(theirs.unwrap_or_default())?;
                self.start += LENGTH + size;
                if !token.is_empty() {
                    append(&mut self.outgoing, &token);
                }
                continue;
            }
            match self.read(socket) {
                Ok(0) => return Err(io::ErrorKind::ConnectionReset.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Some(Interest::READ));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether there are received data, or an error, for which the socket will not become readable
    /// again.
    pub(crate) fn is_holding(&self) -> bool {
        !self.held.is_empty() || matches!(self.announced(MAX_MESSAGE), Ok(Some(_)) | Err(_))
    }

    /// Whether sealed data wait to be sent.
    pub(crate) fn wants_write(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Sends some of the bytes, and returns how many. After `WouldBlock` the caller has to pass the
    /// same bytes again, perhaps with more after them: their beginning is sealed already.
    pub(crate) fn send(&mut self, socket: &Socket, bytes: &[u8]) -> io::Result<usize> {
        if self.sealed == 0 {
            self.flush(socket)?;
            let portion = bytes.get(..PORTION).unwrap_or(bytes);
            self.seal(portion)?;
            self.sealed = portion.len();
        }
        self.flush(socket)?;
        Ok(std::mem::take(&mut self.sealed))
    }

    /// Receives data, or 0 bytes at the end. If they do not fill `space`, no more have come.
    pub(crate) fn receive(&mut self, socket: &Socket, space: &mut [u8]) -> io::Result<usize> {
        let mut filled = self.take(space);
        let mut drained = false;
        while filled < space.len() {
            match self.next_message() {
                Ok(Some(message)) => {
                    self.held = message;
                    filled += self.take(space.get_mut(filled..).unwrap_or_default());
                    continue;
                }
                Ok(None) => {}
                Err(_) if filled > 0 => return Ok(filled),
                Err(failure) => return Err(failure.into()),
            }
            if drained && filled > 0 {
                break;
            }
            match self.read(socket) {
                Ok(0) => break,
                Ok(_) => drained = self.end < self.incoming.len(),
                Err(_) if filled > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    /// Sends last words, as far as the socket takes them without waiting.
    pub(crate) fn close(&mut self, socket: &Socket, words: &[u8]) {
        if self.limit > 0 && self.flush(socket).is_ok() && self.seal(words).is_ok() {
            let _ = self.flush(socket);
        }
    }

    /// Opens the next message, once all of it is there. After a failure nothing is opened any more.
    fn next_message(&mut self) -> Result<Option<Vec<u8>>, GssFailure> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        let opened = match self.announced(MAX_MESSAGE) {
            Ok(None) => return Ok(None),
            Ok(Some(size)) => {
                let from = self.start + LENGTH;
                let sealed = self.incoming.get(from..from + size).unwrap_or_default();
                self.start = from + size;
                self.context.open(sealed)
            }
            Err(failure) => Err(failure),
        };
        opened.map(Some).inspect_err(|failure| self.failure = Some(failure.clone()))
    }

    /// The size of the next token or message, once all of it is there.
    fn announced(&self, most: usize) -> Result<Option<usize>, GssFailure> {
        let unread = self.incoming.get(self.start..self.end).unwrap_or_default();
        let Some((length, rest)) = unread.split_first_chunk::<LENGTH>() else { return Ok(None) };
        // An error message instead of a token. It is not shown: the peer has not proved yet that it
        // is the server.
        if length.first() == Some(&b'E') && self.limit == 0 {
            return Err(GssFailure::new(
                "server sent an error response during GSS encryption exchange",
            ));
        }
        let (size, most) = (u32::from_be_bytes(*length), most - LENGTH);
        match usize::try_from(size) {
            Ok(size) if size <= most => Ok((rest.len() >= size).then_some(size)),
            _ => Err(GssFailure::new(format!(
                "oversize GSSAPI packet sent by the server ({size} > {most})"
            ))),
        }
    }

    fn seal(&mut self, data: &[u8]) -> Result<(), GssFailure> {
        for part in data.chunks(self.limit.max(1)) {
            let sealed = self.context.seal(part)?;
            if sealed.len() > MAX_MESSAGE - LENGTH {
                return Err(GssFailure::new(format!(
                    "client tried to send oversize GSSAPI packet ({} > {})",
                    sealed.len(),
                    MAX_MESSAGE - LENGTH
                )));
            }
            append(&mut self.outgoing, &sealed);
        }
        Ok(())
    }

    /// Copies as much of `held` into `room` as fits.
    fn take(&mut self, room: &mut [u8]) -> usize {
        let rest = self.held.get(self.taken..).unwrap_or_default();
        let count = rest.len().min(room.len());
        if let (Some(rest), Some(room)) = (rest.get(..count), room.get_mut(..count)) {
            room.copy_from_slice(rest);
        }
        self.taken += count;
        if self.taken == self.held.len() {
            self.held.zeroize();
            self.taken = 0;
        }
        count
    }

    /// Reads what the socket has, as far as there is room. The buffer is larger than the longest
    /// message.
    fn read(&mut self, mut socket: &Socket) -> io::Result<usize> {
        self.incoming.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        let count = socket.read(self.incoming.get_mut(self.end..).unwrap_or_default())?;
        self.end += count;
        Ok(count)
    }

    /// Sends all sealed data.
    ///
    /// # Errors
    /// `WouldBlock` when the socket takes no more.
    fn flush(&mut self, socket: &Socket) -> io::Result<()> {
        while let Some(rest) = self.outgoing.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match send(socket, rest) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.outgoing.clear();
        self.sent = 0;
        Ok(())
    }
}

/// Appends the length of a token or message, then the bytes.
fn append(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
}
