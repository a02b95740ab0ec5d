//! The connection service file: named sets of options.
//!
//! <https://www.postgresql.org/docs/current/libpq-pgservice.html>

use std::path::PathBuf;

use super::Error;
use super::environment::Environment;
use super::options::Options;

/// Where Debian's PostgreSQL looks for the system's service file.
const SYSTEM_DIRECTORY: &str = "/etc/postgresql-common";

/// The options of a service.
///
/// # Errors
/// If no file defines it, or the file is not valid.
pub fn find(name: &str, environment: &impl Environment) -> Result<Options, Error> {
    for path in files(environment) {
        let Some(content) = environment.read(&path) else { continue };
        if let Some(options) = parse(&content, name, &path.display().to_string())? {
            return Ok(options);
        }
    }
    Err(Error::UnknownService(name.to_owned()))
}

/// The user's file, then the system's.
fn files(environment: &impl Environment) -> Vec<PathBuf> {
    let user = match environment.variable("PGSERVICEFILE") {
        Some(path) => Some(path.into()),
        None => environment.home().map(|home| home.join(".pg_service.conf")),
    };
    let directory =
        environment.variable("PGSYSCONFDIR").unwrap_or_else(|| SYSTEM_DIRECTORY.to_owned());
    user.into_iter().chain([PathBuf::from(directory).join("pg_service.conf")]).collect()
}

/// The section `[name]` of a file, if it has one.
fn parse(content: &str, name: &str, file: &str) -> Result<Option<Options>, Error> {
    let mut found: Option<Options> = None;
    for (index, line) in content.lines().enumerate() {
        let line = line.trim();
        let number = index + 1;
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(section) = line.strip_prefix('[') {
            if found.is_some() {
                break;
            }
            if section.strip_suffix(']') == Some(name) {
                found = Some(Options::default());
            }
            continue;
        }
        let Some(options) = &mut found else { continue };
        let syntax = || {
            Error::ServiceFile(format!("syntax error in service file \"{file}\", line {number}"))
        };
        let (key, value) = line.split_once('=').ok_or_else(syntax)?;
        if key == "service" {
            return Err(Error::ServiceFile(format!(
                "nested service specifications not supported in service file \"{file}\", line {number}"
            )));
        }
        // The first of several wins, as in libpq.
        if options.get(key).is_none() {
            options.set(key, value.to_owned()).map_err(|_| syntax())?;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# a comment\n[one]\nhost=h1\nport=1\nhost=h2\n\n[two]\nhost=h3\n[bad]\nnonsense\n[worse]\nservice=one\n";

    #[test]
    fn a_section_is_found() {
        let options = parse(FILE, "one", "f").unwrap().unwrap();
        assert_eq!((options.get("host"), options.get("port")), (Some("h1"), Some("1")));
        let options = parse(FILE, "two", "f").unwrap().unwrap();
        assert_eq!((options.get("host"), options.get("port")), (Some("h3"), None));
        assert_eq!(parse(FILE, "three", "f").unwrap(), None);
    }

    #[test]
    fn mistakes_are_told() {
        assert_eq!(
            parse(FILE, "bad", "f").unwrap_err().to_string(),
            "syntax error in service file \"f\", line 10"
        );
        assert!(parse(FILE, "worse", "f").unwrap_err().to_string().starts_with("nested service"));
    }
}
