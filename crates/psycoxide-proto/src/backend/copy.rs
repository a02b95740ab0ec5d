//! `CopyInResponse`, `CopyOutResponse`, `CopyBothResponse`: the beginning of a COPY.

use crate::wire::reader::{Malformed, Reader};

/// The format of a COPY, as the server announces it (backend, `G`, `H` or `W`).
///
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-COPYINRESPONSE>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyFormat {
    /// Whether the data are in COPY's binary format; otherwise they are text.
    pub binary: bool,
    /// The format of each column: 0 is text, 1 is binary.
    pub columns: Vec<i16>,
}

impl CopyFormat {
    pub(crate) fn parse(body: &[u8]) -> Result<CopyFormat, Malformed> {
        let mut reader = Reader::new(body);
        let binary = match reader.byte()? {
            0 => false,
            1 => true,
            _ => return Err("an unknown COPY format"),
        };
        let count = reader.count()?;
        let mut columns = Vec::new();
        for _ in 0..count {
            columns.push(reader.int16()?);
        }
        reader.finish()?;
        Ok(CopyFormat { binary, columns })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_the_format_of_each_column() {
        let body = b"\x01\0\x02\0\x01\0\0";
        let format = CopyFormat::parse(body).unwrap();
        assert_eq!(format, CopyFormat { binary: true, columns: vec![1, 0] });
        for end in 0..body.len() {
            assert!(CopyFormat::parse(&body[..end]).is_err());
        }
        assert!(CopyFormat::parse(b"\x01\0\0x").is_err());
        assert!(CopyFormat::parse(b"\x02\0\0").is_err());
        assert!(CopyFormat::parse(b"\0\xff\xff\0\0").is_err());
    }
}
