//! The outbox: messages wait here until the socket takes them.

use zeroize::Zeroize;

use super::writer::Refused;

/// The first capacity: the first messages of a connection fit, and growing step by step would cost
/// more than they do.
const FIRST: usize = 256;
/// A larger buffer is freed once it is sent.
const MAX_KEPT: usize = 256 << 10;
/// Up to this many sent bytes may stay in front of the unsent ones before these are moved.
const SLACK: usize = 64 << 10;

/// From this length on, bytes are moved into an empty buffer instead of being copied.
pub(crate) const LONG: usize = MAX_KEPT;

/// Appends bytes that the caller no longer needs.
pub(crate) fn append_to(out: &mut Vec<u8>, bytes: Vec<u8>) {
    if out.is_empty() && bytes.len() >= LONG {
        *out = bytes;
    } else {
        out.extend_from_slice(&bytes);
    }
}

/// Bytes to send, of which the first `sent` are sent already.
#[derive(Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
    /// Where the last message begins, if it may be extended.
    open: Option<usize>,
    /// The bytes may contain a password: wipe them once they are sent.
    secret: bool,
}

impl Outbox {
    /// The bytes to send.
    pub(crate) fn pending(&self) -> &[u8] {
        self.bytes.get(self.sent..).unwrap_or_default()
    }

    /// Marks the first `n` pending bytes as sent.
    pub(crate) fn sent(&mut self, n: usize) {
        self.sent = self.bytes.len().min(self.sent.saturating_add(n));
        if self.sent < self.bytes.len() {
            return;
        }
        self.clear();
        if self.bytes.capacity() > MAX_KEPT {
            self.bytes = Vec::new();
        }
    }

    /// Appends what `write` writes, or nothing at all if it refuses.
    pub(crate) fn append(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        self.open = None;
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

    /// Lets [`Outbox::extend`] add to the last message, which has this length.
    pub(crate) fn leave_open(&mut self, length: usize) {
        self.open = self.bytes.len().checked_sub(length);
    }

    /// Adds to the last message if it was left open, none of it is sent, and it stays within `most`
    /// bytes. Returns whether it did.
    pub(crate) fn extend(&mut self, data: &[u8], most: usize) -> bool {
        let Some(start) = self.open.filter(|start| *start >= self.sent) else { return false };
        let length = self.bytes.len() - start + data.len();
        // The length does not count the type byte.
        let Ok(count) = i32::try_from(length - 1) else { return false };
        let Some(field) = self.bytes.get_mut(start + 1..start + 5).filter(|_| length <= most)
        else {
            return false;
        };
        field.copy_from_slice(&count.to_be_bytes());
        self.bytes.extend_from_slice(data);
        true
    }

    /// Has the buffer wiped once it is sent, because a secret comes next.
    pub(crate) fn mark_secret(&mut self) {
        self.secret = true;
    }

    /// Drops all bytes.
    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.secret) {
            self.bytes.zeroize();
        }
        self.bytes.clear();
        self.sent = 0;
        self.open = None;
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
        append(&mut outbox, &vec![b'x'; MAX_KEPT + 1]);
        outbox.sent(SLACK + 1);
        append(&mut outbox, b"y");
        assert_eq!(outbox.pending().len(), MAX_KEPT - SLACK + 1);
        outbox.sent(MAX_KEPT);
        assert_eq!(outbox.bytes.capacity(), 0);
    }

    #[test]
    fn a_message_may_grow_until_some_of_it_is_sent() {
        let mut outbox = Outbox::default();
        assert!(!outbox.extend(b"x", 99), "there is none");
        append(&mut outbox, b"S\0\0\0\x04");
        assert!(!outbox.extend(b"x", 99), "it was not left open");
        append(&mut outbox, b"d\0\0\0\x05a");
        outbox.leave_open(6);
        outbox.sent(5);
        assert!(outbox.extend(b"bc", 8));
        assert_eq!(outbox.pending(), b"d\0\0\0\x07abc");
        assert!(!outbox.extend(b"d", 8), "it is long enough");
        outbox.sent(1);
        assert!(!outbox.extend(b"d", 99), "its length may be gone");
        append(&mut outbox, b"d\0\0\0\x05a");
        outbox.leave_open(6);
        append(&mut outbox, b"c\0\0\0\x04");
        assert!(!outbox.extend(b"b", 99), "another one follows it");
        append(&mut outbox, b"d\0\0\0\x05a");
        outbox.leave_open(6);
        outbox.sent(99);
        assert!(!outbox.extend(b"b", 99), "it is sent");
        assert_eq!(outbox.pending(), b"");
    }

    #[test]
    fn long_bytes_are_moved() {
        for (length, moved) in [(10, false), (LONG - 1, false), (LONG, true)] {
            let bytes = vec![b'x'; length];
            let memory = bytes.as_ptr();
            let mut out = Vec::new();
            append_to(&mut out, bytes);
            assert_eq!((out.len(), out.as_ptr() == memory), (length, moved));
            append_to(&mut out, vec![b'y'; LONG]);
            assert!(out.len() == length + LONG && out.ends_with(b"yy"));
        }
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
