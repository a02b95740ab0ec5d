//! `sslkeylogfile`: writes the keys of sessions down for a network analyser.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;

use rustls::KeyLog;

/// A file in NSS's key log format.
#[derive(Debug)]
pub(super) struct KeyLogFile(File);

impl KeyLogFile {
    /// Opens the file for appending; nobody else can read it.
    pub(super) fn open(path: &str) -> io::Result<Self> {
        OpenOptions::new().append(true).create(true).mode(0o600).open(path).map(Self)
    }
}

impl KeyLog for KeyLogFile {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let mut line = format!("{label} ");
        for (bytes, end) in [(client_random, ' '), (secret, '\n')] {
            for byte in bytes {
                // Writing to a string does not fail.
                let _ = write!(line, "{byte:02x}");
            }
            line.push(end);
        }
        // One write for each line, so that lines of several connections stay whole. A missing line
        // is no reason to end a connection.
        let _ = (&self.0).write_all(line.as_bytes());
    }
}
