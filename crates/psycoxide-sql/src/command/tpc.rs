//! Two-phase commit.
//!
//! <https://www.postgresql.org/docs/current/sql-prepare-transaction.html>.
//! Transaction identifiers must be quoted string literals.

/// `PREPARE TRANSACTION xid`
pub fn prepare(xid: &[u8]) -> Vec<u8> {
    [b"PREPARE TRANSACTION ", xid].concat()
}

/// `COMMIT PREPARED xid`
pub fn commit(xid: &[u8]) -> Vec<u8> {
    [b"COMMIT PREPARED ", xid].concat()
}

/// `ROLLBACK PREPARED xid`
pub fn rollback(xid: &[u8]) -> Vec<u8> {
    [b"ROLLBACK PREPARED ", xid].concat()
}

/// Lists the prepared transactions: `gid, prepared, owner, database`.
pub const RECOVER: &str = "SELECT gid, prepared, owner, database FROM pg_prepared_xacts";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands() {
        assert_eq!(prepare(b"'x'"), b"PREPARE TRANSACTION 'x'");
        assert_eq!(commit(b"'x'"), b"COMMIT PREPARED 'x'");
        assert_eq!(rollback(b"'x'"), b"ROLLBACK PREPARED 'x'");
    }
}
