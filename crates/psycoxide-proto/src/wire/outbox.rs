//! The out buffer: messages wait here until the socket takes them.

use zeroize::Zeroize;

use super::writer::Refused;

/// What a connection says first fits in this: growing to it would cost more than the message.
const FIRST: usize = 256;
/// A buffer that grew past this is given back once it is sent.
const KEPT: usize = 256 << 10;
/// So much of what is sent may stay in front of what is not, before it is moved.
const SLACK: usize = 64 << 10;

/// Bytes to send; `sent` of them are gone already.
#[derive(Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
    /// A password may be among the bytes: wipe them when they are sent.
    secret: bool,
}

impl Outbox {
    /// What is to be sent.
    pub(crate) fn pending(&self) -> &[u8] {
        self.bytes.get(self.sent..).unwrap_or_default()
    }

    /// So many bytes of that are sent.
    pub(crate) fn sent(&mut self, n: usize) {
        self.sent = self.bytes.len().min(self.sent.saturating_add(n));
        if self.sent < self.bytes.len() {
            return;
        }
        self.clear();
        if self.bytes.capacity() > KEPT {
            self.bytes = Vec::new();
        }
    }

    /// Appends what `write` writes, or nothing at all if it refuses.
    pub(crate) fn append(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        if self.sent > SLACK {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
        if self.bytes.capacity() == 0 {
            self.bytes.reserve(FIRST);
        }
        let end = self.bytes.len();
        let written = write(&mut self.bytes);
        if written.is_err() {
            self.bytes.truncate(end);
        }
        written
    }

    /// What is appended next is secret, so its buffer is wiped once it is sent.
    pub(crate) fn mark_secret(&mut self) {
        self.secret = true;
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.secret) {
            self.bytes.zeroize();
        }
        self.bytes.clear();
        self.sent = 0;
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(outbox: &mut Outbox, bytes: &[u8]) {
        let write = |out: &mut Vec<u8>| {
            out.extend_from_slice(bytes);
            Ok(())
        };
        outbox.append(write).unwrap();
    }

    #[test]
    fn bytes_leave_in_order() {
        let mut outbox = Outbox::default();
        append(&mut outbox, b"abc");
        outbox.sent(2);
        append(&mut outbox, b"d");
        assert_eq!(outbox.pending(), b"cd");
        outbox.sent(99);
        assert_eq!(outbox.pending(), b"");
        append(&mut outbox, &vec![b'x'; KEPT + 1]);
        outbox.sent(SLACK + 1);
        append(&mut outbox, b"y");
        assert_eq!(outbox.pending().len(), KEPT - SLACK + 1);
        outbox.sent(KEPT);
        assert_eq!(outbox.bytes.capacity(), 0);
    }

    #[test]
    fn a_refused_message_leaves_nothing() {
        let mut outbox = Outbox::default();
        append(&mut outbox, b"a");
        let refuse = |out: &mut Vec<u8>| {
            out.extend_from_slice(b"half");
            Err("no")
        };
        assert_eq!(outbox.append(refuse), Err("no"));
        assert_eq!(outbox.pending(), b"a");
    }
}
