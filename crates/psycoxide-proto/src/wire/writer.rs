//! Writing messages: every length goes through one checked place.

use crate::error::Error;

/// A message would be longer than its length can say. libpq's limit is the same.
const TOO_LONG: Error = Error::Misuse("a message to the server cannot be longer than 2 GiB");

/// Appends a message; nothing of it stays if it cannot be written.
pub(crate) fn message(
    out: &mut Vec<u8>,
    kind: u8,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), Error>,
) -> Result<(), Error> {
    let start = out.len();
    out.push(kind);
    let written = sized(out, write);
    if written.is_err() {
        out.truncate(start);
    }
    written
}

/// Appends what `write` appends, its length (which counts itself) in front.
pub(crate) fn sized(
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), Error>,
) -> Result<(), Error> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out)?;
    let length = i32::try_from(out.len() - start).map_err(|_| TOO_LONG)?;
    if let Some(slot) = out.get_mut(start..start + 4) {
        slot.copy_from_slice(&length.to_be_bytes());
    }
    Ok(())
}

/// A value with its own length in front; NULL is -1.
pub(crate) fn value(out: &mut Vec<u8>, value: Option<&[u8]>) -> Result<(), Error> {
    let Some(bytes) = value else {
        out.extend_from_slice(&(-1_i32).to_be_bytes());
        return Ok(());
    };
    let length = i32::try_from(bytes.len()).map_err(|_| TOO_LONG)?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}

/// A number of things, which the protocol counts in 16 bits.
pub(crate) fn count(out: &mut Vec<u8>, count: usize) -> Result<(), Error> {
    let count = u16::try_from(count).map_err(|_| Error::Misuse("more than 65535 parameters"))?;
    out.extend_from_slice(&count.to_be_bytes());
    Ok(())
}

/// A string, which must not hold the zero byte that ends it: the rest would be read as something
/// else.
pub(crate) fn string(out: &mut Vec<u8>, text: &[u8]) -> Result<(), Error> {
    if memchr::memchr(0, text).is_some() {
        return Err(Error::Misuse("text for the server cannot contain NUL (0x00) bytes"));
    }
    out.extend_from_slice(text);
    out.push(0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_count_themselves() {
        let mut out = Vec::new();
        message(&mut out, b'Q', |out| string(out, b"x")).unwrap();
        assert_eq!(out, b"Q\0\0\0\x06x\0");
    }

    #[test]
    fn nothing_stays_of_what_cannot_be_written() {
        let mut out = b"before".to_vec();
        assert!(message(&mut out, b'Q', |out| string(out, b"a\0b")).is_err());
        assert!(message(&mut out, b'B', |out| count(out, 65536)).is_err());
        assert_eq!(out, b"before");
    }

    #[test]
    fn null_has_no_bytes() {
        let mut out = Vec::new();
        value(&mut out, None).unwrap();
        value(&mut out, Some(b"")).unwrap();
        value(&mut out, Some(b"ab")).unwrap();
        assert_eq!(out, b"\xff\xff\xff\xff\0\0\0\0\0\0\0\x02ab");
    }
}
