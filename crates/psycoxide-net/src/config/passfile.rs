//! The password file: `hostname:port:database:username:password`, one line each.
//!
//! <https://www.postgresql.org/docs/current/libpq-pgpass.html>

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use psycoxide_proto::Secret;
use zeroize::Zeroizing;

use super::hosts::{DEFAULT_SOCKET_DIRECTORY, is_socket_path};

/// The connection for which a password is looked up.
pub(super) struct Target<'a> {
    /// The host's name, else its address, else empty.
    pub(super) host: &'a str,
    pub(super) port: &'a str,
    pub(super) database: &'a str,
    pub(super) user: &'a str,
}

/// The contents of a password file; `None` if it does not exist.
///
/// # Errors
/// The reason, for the user, why an existing file is ignored: others can read it, or it is no file.
pub(super) fn load(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
    let Ok(mut file) = File::open(path) else { return Ok(None) };
    let Ok(metadata) = file.metadata() else { return Ok(None) };
    if !metadata.is_file() {
        return Err(format!("password file \"{}\" is not a plain file", path.display()));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(format!(
            "password file \"{}\" has group or world access; permissions should be u=rw (0600) or less",
            path.display()
        ));
    }
    let mut contents = Zeroizing::new(Vec::new());
    match file.read_to_end(&mut contents) {
        Ok(_) => Ok(Some(contents)),
        Err(error) => Err(format!("could not read password file \"{}\": {error}", path.display())),
    }
}

/// The password in the first line that matches.
pub(super) fn find(contents: &[u8], target: &Target<'_>) -> Option<Secret> {
    // "The host name localhost is also searched for when the connection is a Unix-domain socket
    // connection and the host parameter is the default socket directory."
    let host = match target.host {
        "" => "localhost",
        host if is_socket_path(host) && host == DEFAULT_SOCKET_DIRECTORY => "localhost",
        host => host,
    };
    contents.split(|byte| *byte == b'\n').find_map(|line| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.first() == Some(&b'#') {
            return None;
        }
        let rest = field(line, host)?;
        let rest = field(rest, target.port)?;
        let rest = field(rest, target.database)?;
        let password = field(rest, target.user)?;
        Some(Secret::new(unescape(password)))
    })
}

/// The rest of `line` after its first field, if that field matches `wanted`.
///
/// "Each of the first four fields can be a literal value, or *, which matches anything. […] If an
/// entry needs to contain : or \, escape this character with \."
fn field<'a>(line: &'a [u8], wanted: &str) -> Option<&'a [u8]> {
    if let Some(rest) = line.strip_prefix(b"*:") {
        return Some(rest);
    }
    let mut wanted = wanted.as_bytes();
    let mut line = line;
    loop {
        line = match line {
            [b':', rest @ ..] => return wanted.is_empty().then_some(rest),
            [b'\\', rest @ ..] => rest,
            _ => line,
        };
        let (byte, rest) = line.split_first()?;
        wanted = wanted.strip_prefix(std::slice::from_ref(byte))?;
        line = rest;
    }
}

/// The first field of `text`, without its backslashes: each stands for the byte after it. Like
/// every field, the password ends at a colon without a backslash.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b':' => break,
            b'\\' => plain.push(*bytes.next().unwrap_or(byte)),
            byte => plain.push(*byte),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn look_up(file: &str, host: &str) -> Option<Vec<u8>> {
        let target = Target { host, port: "5432", database: "db", user: "me:too" };
        find(file.as_bytes(), &target).map(|secret| secret.expose().to_vec())
    }

    #[test]
    fn the_first_line_that_fits_counts() {
        let file = "# h:5432:db:*:comment\nother:*:*:*:no\nh:5433:*:*:no\nh:*:db:me\\:too:yes\n*:*:*:*:late";
        assert_eq!(look_up(file, "h").unwrap(), b"yes");
        assert_eq!(look_up(file, "x").unwrap(), b"late");
    }

    #[test]
    fn escapes_are_taken_away() {
        assert_eq!(look_up("*:*:*:*:a\\:b\\\\c\\d\r\n", "h").unwrap(), b"a:b\\cd");
        assert_eq!(look_up("::1:5432:*:*:no\n\\:\\:1:5432:*:*:yes", "::1").unwrap(), b"yes");
        assert_eq!(look_up("*:*:*:*:end\\", "h").unwrap(), b"end\\");
        assert_eq!(look_up("*:*:*:*:before:behind", "h").unwrap(), b"before");
        assert_eq!(look_up("*:*:*:*:", "h").unwrap(), b"");
    }

    #[test]
    fn localhost_stands_for_the_default_socket() {
        let file = "localhost:*:*:*:yes";
        assert_eq!(look_up(file, "").unwrap(), b"yes");
        assert_eq!(look_up(file, DEFAULT_SOCKET_DIRECTORY).unwrap(), b"yes");
        assert_eq!(look_up(file, "/elsewhere"), None);
        assert_eq!(look_up("/elsewhere:*:*:*:dir", "/elsewhere").unwrap(), b"dir");
    }

    #[test]
    fn damaged_lines_are_passed_over() {
        for line in ["", ":", "h", "h:", "h:5432", "h:::", "*:*", "hh:*:*:*:x", "*h:*:*:*:x", "\\"]
        {
            assert_eq!(look_up(line, "h"), None, "{line:?}");
        }
    }

    #[test]
    fn others_must_not_read_the_file() {
        let path = std::env::temp_dir().join(format!("psycoxide-pgpass-{}", std::process::id()));
        std::fs::write(&path, "*:*:*:*:x\n").unwrap();
        let mode = |mode| std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        mode(0o600);
        assert_eq!(load(&path).unwrap().unwrap().as_slice(), b"*:*:*:*:x\n");
        mode(0o640);
        assert!(load(&path).unwrap_err().contains("has group or world access"));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(load(&path).unwrap(), None);
        assert!(load(&std::env::temp_dir()).unwrap_err().ends_with("is not a plain file"));
    }
}
