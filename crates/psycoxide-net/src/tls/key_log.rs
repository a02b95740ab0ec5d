//! `sslkeylogfile`: the keys of sessions, written down for an analyser of network traffic.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;

use rustls::KeyLog;

/// A file in the format that began with NSS.
#[derive(Debug)]
pub(super) struct KeyLogFile(File);

impl KeyLogFile {
    /// Opens the file, readable for nobody else, to write at its end.
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
        // One write a line, so that lines of several connections stay whole. That one is missing
        // is no reason to end a connection.
        let _ = (&self.0).write_all(line.as_bytes());
    }
}
