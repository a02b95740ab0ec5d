//! The password file.
//!
//! <https://www.postgresql.org/docs/current/libpq-pgpass.html>

use std::path::Path;

use super::environment::Environment;

/// What a line of the file is compared with.
#[derive(Clone, Copy, Debug)]
pub struct Server<'a> {
    /// The host's name or address; `localhost` for the default socket directory.
    pub host: &'a str,
    /// The port.
    pub port: u16,
    /// The database's name.
    pub dbname: &'a str,
    /// The user's name.
    pub user: &'a str,
}

/// The password of the first line that fits. A file that others can read is ignored, as libpq does.
pub fn find(path: &Path, server: Server<'_>, environment: &impl Environment) -> Option<String> {
    let content = environment.read(path)?;
    if environment.is_exposed(path) {
        return None;
    }
    content.lines().find_map(|line| password(line, server))
}

/// The password of a line, if the line is about this server.
fn password(line: &str, server: Server<'_>) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let mut fields = fields(line.trim_end_matches('\r')).into_iter();
    let port = server.port.to_string();
    for wanted in [server.host, &port, server.dbname, server.user] {
        let field = fields.next()?;
        if field.raw != "*" && field.value != wanted {
            return None;
        }
    }
    fields.next().map(|field| field.value)
}

/// A field of a line; `raw` is how it stands there, since only a bare `*` is a wildcard.
struct Field<'a> {
    raw: &'a str,
    value: String,
}

/// The fields of a line, separated by colons; a backslash takes the next character as it is.
fn fields(line: &str) -> Vec<Field<'_>> {
    let mut fields = Vec::new();
    let mut value = String::new();
    let mut start = 0;
    let mut characters = line.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '\\' => value.extend(characters.next().map(|(_, character)| character)),
            // The password is the last field: a colon belongs to it only behind a backslash.
            ':' => {
                let raw = line.get(start..index).unwrap_or_default();
                fields.push(Field { raw, value: std::mem::take(&mut value) });
                start = index + 1;
            }
            character => value.push(character),
        }
    }
    fields.push(Field { raw: line.get(start..).unwrap_or_default(), value });
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: Server<'_> = Server { host: "db", port: 5432, dbname: "x", user: "u" };

    #[test]
    fn lines_that_fit() {
        for line in ["db:5432:x:u:pw", "*:*:*:*:pw", "db:*:x:*:pw", "d\\b:5432:x:u:p\\w"] {
            assert_eq!(password(line, SERVER).as_deref(), Some("pw"), "{line}");
        }
        assert_eq!(password("*:*:*:*:p\\:w\\\\", SERVER).as_deref(), Some("p:w\\"));
        assert_eq!(password("*:*:*:*:", SERVER).as_deref(), Some(""));
    }

    #[test]
    fn lines_that_do_not() {
        for line in
            ["", "#*:*:*:*:pw", "other:*:*:*:pw", "*:5433:*:*:pw", "*:*:*:*", "\\*:*:*:*:pw"]
        {
            assert_eq!(password(line, SERVER), None, "{line}");
        }
    }
}
