//! PEM files: the blocks between `-----BEGIN …-----` and `-----END …-----`.
//!
//! This is a reader of our own, because files with several kinds of blocks, text around them, and
//! the headers of old encrypted keys are all in use, and because buffers that held a key have to be
//! wiped.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// One block of a PEM file.
pub(super) struct Block<'a> {
    /// The label: `CERTIFICATE`, `PRIVATE KEY`, …
    pub(super) label: &'a str,
    /// The headers of RFC 1421, which only old encrypted keys have.
    headers: Vec<(&'a str, &'a str)>,
    /// The decoded content.
    pub(super) der: Zeroizing<Vec<u8>>,
}

impl Block<'_> {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| *found == name).map(|(_, value)| *value)
    }
}

/// The blocks of a file, in their order. Blocks that cannot be decoded are left out.
pub(super) fn blocks(text: &[u8]) -> Vec<Block<'_>> {
    // Text around a block may be in any encoding.
    let lines =
        text.split(|byte| *byte == b'\n').map(|line| std::str::from_utf8(line).map(str::trim));
    let mut lines = lines.map(Result::unwrap_or_default);
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        let Some(label) = marked(line, "-----BEGIN ") else { continue };
        let inside = lines.by_ref().take_while(|line| !line.starts_with("-----END "));
        found.extend(block(label, inside));
    }
    found
}

fn marked<'a>(line: &'a str, start: &str) -> Option<&'a str> {
    line.strip_prefix(start)?.strip_suffix("-----")
}

fn block<'a>(label: &'a str, lines: impl Iterator<Item = &'a str>) -> Option<Block<'a>> {
    let mut headers = Vec::new();
    let mut body = Zeroizing::new(String::with_capacity(8 << 10));
    for line in lines {
        match line.split_once(':') {
            Some((name, value)) => headers.push((name, value.trim())),
            None => body.push_str(line),
        }
    }
    let der = Zeroizing::new(STANDARD.decode(body.as_bytes()).ok()?);
    Some(Block { label, headers, der })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_among_other_text() {
        let text = b"Certificate: \xff\r\n-----BEGIN A-----\r\nAQ\r\nID\r\n-----END A-----\n\
            -----BEGIN B-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: X,00\n\nBA==\n-----END B-----";
        let blocks = blocks(text);
        assert_eq!(blocks.len(), 2);
        assert_eq!((blocks[0].label, blocks[0].der.as_slice()), ("A", &[1, 2, 3][..]));
        assert_eq!((blocks[1].label, blocks[1].der.as_slice()), ("B", &[4][..]));
        assert_eq!(blocks[1].header("DEK-Info"), Some("X,00"));
    }

    #[test]
    fn blocks_that_are_not_base64_are_left_out() {
        assert!(blocks(b"-----BEGIN A-----\n!\n-----END A-----\n").is_empty());
        assert!(blocks(b"-----BEGIN A-----\nAQID").len() <= 1);
    }
}
