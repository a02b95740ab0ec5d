//! SASLprep (RFC 4013) as PostgreSQL applies it to passwords.

use std::borrow::Cow;

/// The password as it goes into SCRAM. One that is not UTF-8 or holds prohibited characters is
/// used as it is: "the raw, unprepared password" (libpq's `pg_saslprep`), since the server does
/// the same.
pub(crate) fn prepare(password: &[u8]) -> Cow<'_, [u8]> {
    if password.is_ascii() {
        return Cow::Borrowed(password);
    }
    let Ok(text) = std::str::from_utf8(password) else { return Cow::Borrowed(password) };
    match stringprep::saslprep(text) {
        Ok(prepared) => Cow::Owned(prepared.into_owned().into_bytes()),
        Err(_) => Cow::Borrowed(password),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compatible_forms_are_one() {
        assert_eq!(prepare("I\u{AD}X".as_bytes()), &b"IX"[..]);
        assert_eq!(prepare("\u{2168}".as_bytes()), &b"IX"[..]);
        assert_eq!(prepare(b"user"), &b"user"[..]);
    }

    #[test]
    fn what_cannot_be_prepared_stays() {
        assert_eq!(prepare(b"\xff\xfe"), &b"\xff\xfe"[..]);
        let prohibited = "\u{e000}\u{7}é".as_bytes();
        assert_eq!(prepare(prohibited), prohibited);
    }
}
