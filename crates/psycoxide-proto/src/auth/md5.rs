//! MD5 authentication.
//!
//! <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-START-UP>:
//! "concat('md5', md5(concat(md5(concat(password, username)), random-salt)))"

use md5::{Digest, Md5};

/// What the server stores, and `encrypt_password` gives: `md5` and 32 hexadecimal digits.
pub fn stored(user: &[u8], password: &[u8]) -> String {
    format!("md5{}", digest(&[password, user]))
}

/// What answers the server's question.
pub fn answer(user: &[u8], password: &[u8], salt: [u8; 4]) -> String {
    let inner = digest(&[password, user]);
    format!("md5{}", digest(&[inner.as_bytes(), &salt]))
}

fn digest(parts: &[&[u8]]) -> String {
    let mut hasher = Md5::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libpq_gives() {
        assert_eq!(stored(b"b", b"a"), "md5187ef4436122d1cc2f40dc2b92f0eba0");
        assert_eq!(stored(b"ashesh", b"psycopg2"), "md594839d658c28a357126f105b9cb14cfc");
    }

    #[test]
    fn the_salt_matters() {
        let answers = [answer(b"u", b"p", [1, 2, 3, 4]), answer(b"u", b"p", [1, 2, 3, 5])];
        assert!(answers.iter().all(|answer| answer.len() == 35 && answer.starts_with("md5")));
        assert_ne!(answers[0], answers[1]);
    }
}
