//! MD5 password authentication.
//!
//! In SQL: `concat('md5', md5(concat(md5(concat(password, username)), random-salt)))`, where
//! `md5()` returns hexadecimal digits.
//! <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-START-UP>

use md5::{Digest, Md5};

/// The reply to AuthenticationMD5Password.
pub fn answer(user: &[u8], password: &[u8], salt: [u8; 4]) -> String {
    let inner = digest(&[password, user]);
    format!("md5{}", digest(&[inner.as_bytes(), &salt]))
}

/// The value that the server stores in `pg_authid.rolpassword`, as `PQencryptPasswordConn` makes
/// it.
pub fn stored(user: &[u8], password: &[u8]) -> String {
    format!("md5{}", digest(&[password, user]))
}

/// The hash of all parts, in hexadecimal digits.
fn digest(parts: &[&[u8]]) -> String {
    let mut hash = Md5::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values computed with PostgreSQL's own `md5()`.
    #[test]
    fn hashes_as_the_server_does() {
        assert_eq!(stored(b"tester", b"testerpw"), "md5c1e0c2805567b18464865f224f74709c");
        assert_eq!(answer(b"tester", b"testerpw", *b"salt"), "md59cbabb9c30dc365fd4d56559d6bd1ed9");
    }

    /// The results of libpq for these.
    #[test]
    fn stores_as_libpq_does() {
        assert_eq!(stored(b"b", b"a"), "md5187ef4436122d1cc2f40dc2b92f0eba0");
        assert_eq!(stored(b"ashesh", b"psycopg2"), "md594839d658c28a357126f105b9cb14cfc");
    }
}
