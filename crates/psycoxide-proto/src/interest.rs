//! What an engine waits for, as a set.

use std::ops::BitOr;

/// The directions in which the engine waits for its socket, as a set.
///
/// It is a set because the engine must also read while it sends: a server that blocks on sending
/// notices would otherwise never read the rest of the request.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Interest(u8);

impl Interest {
    /// Nothing to wait for: the driver has the next move.
    pub const NONE: Interest = Interest(0);
    /// The engine awaits bytes from the server.
    pub const READ: Interest = Interest(1);
    /// The engine has bytes to send.
    pub const WRITE: Interest = Interest(2);

    /// Whether all of `other` is in this set.
    pub fn contains(self, other: Interest) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether the engine awaits nothing.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl BitOr for Interest {
    type Output = Interest;

    fn bitor(self, other: Interest) -> Interest {
        Interest(self.0 | other.0)
    }
}

impl std::fmt::Debug for Interest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match (self.contains(Interest::READ), self.contains(Interest::WRITE)) {
            (false, false) => "NONE",
            (true, false) => "READ",
            (false, true) => "WRITE",
            (true, true) => "READ | WRITE",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Interest;

    #[test]
    fn is_a_set() {
        let both = Interest::READ | Interest::WRITE;
        assert!(both.contains(Interest::READ) && both.contains(Interest::WRITE));
        assert!(!Interest::READ.contains(both));
        assert!(Interest::NONE.is_empty() && !both.is_empty());
        assert_eq!(format!("{both:?}"), "READ | WRITE");
    }
}
