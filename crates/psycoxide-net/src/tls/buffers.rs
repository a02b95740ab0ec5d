//! The buffers of a TLS session: for received records, records to be sent, and decrypted data.

use std::io::{self, Read};

use rustls::unbuffered::{EncodeError, EncryptError, InsufficientSizeError};
use socket2::Socket;

use super::failure::TlsFailure;
use crate::sigpipe::send;

/// Room for several incoming records, of at most 16 kB and a bit each. PostgreSQL's are 8 kB.
const INCOMING: usize = 64 << 10;

/// The room may grow to this for a longer handshake message, as rustls allows.
const MAX_INCOMING: usize = 256 << 10;

/// Received but not decrypted: `start..end` of the buffer.
#[derive(Default)]
pub(super) struct Incoming {
    data: Vec<u8>,
    start: usize,
    end: usize,
    /// The buffer holds no whole record.
    stalled: bool,
    /// The last read filled all its room.
    full: bool,
}

impl Incoming {
    pub(super) fn unread(&mut self) -> &mut [u8] {
        self.data.get_mut(self.start..self.end).unwrap_or_default()
    }

    /// Whether there may be a whole record.
    pub(super) fn is_unread(&self) -> bool {
        self.start < self.end && !self.stalled
    }

    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    pub(super) fn discard(&mut self, count: usize) {
        self.start = self.end.min(self.start + count);
    }

    pub(super) fn stall(&mut self) {
        self.stalled = true;
    }

    /// Reads what the socket has, as far as there is room.
    pub(super) fn read(&mut self, mut socket: &Socket) -> io::Result<usize> {
        let tail = self.end - self.start;
        self.data.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, tail);
        if self.data.is_empty() {
            self.data = vec![0; INCOMING];
        } else if tail == self.data.len() {
            if tail >= MAX_INCOMING {
                return Err(TlsFailure::from(rustls::Error::PeerSentOversizedRecord).into());
            }
            self.data.resize(tail * 2, 0);
        }
        let room = self.data.get_mut(tail..).unwrap_or_default();
        let count = socket.read(room)?;
        self.full = count == room.len();
        self.end += count;
        self.stalled = false;
        Ok(count)
    }
}

/// Encrypted but not sent: `sent..end` of the buffer.
#[derive(Default)]
pub(super) struct Outgoing {
    data: Vec<u8>,
    sent: usize,
    end: usize,
}

impl Outgoing {
    pub(super) fn is_empty(&self) -> bool {
        self.end == 0
    }

    /// Appends the output of `write`, which needs about `size` bytes.
    pub(super) fn append<E: NeedsRoom>(
        &mut self,
        size: usize,
        mut write: impl FnMut(&mut [u8]) -> Result<usize, E>,
    ) -> Result<(), rustls::Error> {
        self.make_room(size);
        loop {
            match write(self.data.get_mut(self.end..).unwrap_or_default()) {
                Ok(count) => {
                    self.end += count;
                    return Ok(());
                }
                Err(error) => self.make_room(error.room().ok_or(rustls::Error::EncryptError)?),
            }
        }
    }

    /// Makes room for `size` more bytes. The buffer never shrinks, so that it is zeroed only once.
    fn make_room(&mut self, size: usize) {
        if self.data.len() < self.end + size {
            self.data.resize(self.end + size, 0);
        }
    }

    /// Sends everything.
    ///
    /// # Errors
    /// `WouldBlock` when the socket takes no more.
    pub(super) fn flush(&mut self, socket: &Socket) -> io::Result<()> {
        while let Some(rest) = self.data.get(self.sent..self.end).filter(|rest| !rest.is_empty()) {
            match send(socket, rest) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        (self.sent, self.end) = (0, 0);
        Ok(())
    }
}

/// The errors of rustls that say how much room is needed.
pub(super) trait NeedsRoom {
    fn room(&self) -> Option<usize>;
}

impl NeedsRoom for EncodeError {
    fn room(&self) -> Option<usize> {
        match self {
            Self::InsufficientSize(InsufficientSizeError { required_size }) => Some(*required_size),
            Self::AlreadyEncoded => None,
        }
    }
}

impl NeedsRoom for EncryptError {
    fn room(&self) -> Option<usize> {
        match self {
            Self::InsufficientSize(InsufficientSizeError { required_size }) => Some(*required_size),
            Self::EncryptExhausted => None,
        }
    }
}

/// Decrypted data that the reader has not taken yet.
#[derive(Default)]
pub(super) struct Held {
    bytes: Vec<u8>,
    taken: usize,
}

impl Held {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Copies `payload` to `room`, and keeps the part that does not fit. Returns how many bytes
    /// fitted.
    pub(super) fn pour(&mut self, payload: &[u8], room: &mut [u8]) -> usize {
        let fits = if self.is_empty() { payload.len().min(room.len()) } else { 0 };
        if let (Some((head, tail)), Some(room)) =
            (payload.split_at_checked(fits), room.get_mut(..fits))
        {
            room.copy_from_slice(head);
            self.bytes.extend_from_slice(tail);
        }
        fits
    }

    /// Copies as much as fits into `room`.
    pub(super) fn take(&mut self, room: &mut [u8]) -> usize {
        let rest = self.bytes.get(self.taken..).unwrap_or_default();
        let count = rest.len().min(room.len());
        if let (Some(rest), Some(room)) = (rest.get(..count), room.get_mut(..count)) {
            room.copy_from_slice(rest);
        }
        self.taken += count;
        if self.taken == self.bytes.len() {
            self.bytes.clear();
            self.taken = 0;
        }
        count
    }
}
