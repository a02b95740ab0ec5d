//! The connection service file: named sets of options.
//!
//! <https://www.postgresql.org/docs/current/libpq-pgservice.html>

use std::path::{Path, PathBuf};

use super::env::Environment;
use super::error::Error;
use super::keywords::key;
use super::values::Values;

/// Adds the options of the service in `values` or `PGSERVICE`, if there is one. Options that have a
/// value keep it.
pub(super) fn apply(values: &mut Values, environment: &Environment) -> Result<(), Error> {
    let Some(service) = values.get(key!("service")).or_else(|| environment.get("PGSERVICE")) else {
        return Ok(());
    };
    let service = service.to_owned();
    for (file, must_exist) in files(values, environment) {
        let text = match std::fs::read(&file) {
            Ok(bytes) => bytes,
            Err(_) if !must_exist => continue,
            Err(_) => {
                return Err(Error::NoServiceFile(file.display().to_string()));
            }
        };
        if read(&String::from_utf8_lossy(&text), &service, &file, values)? {
            return Ok(());
        }
    }
    Err(Error::ServiceNotFound(service))
}

/// The service files, the user's own first, and whether each must exist.
fn files(values: &Values, environment: &Environment) -> Vec<(PathBuf, bool)> {
    let given = values.get(key!("servicefile"));
    let own = match given.or_else(|| environment.get("PGSERVICEFILE")) {
        Some(file) => Some((PathBuf::from(file), true)),
        None => environment.home().map(|home| ((home + "/.pg_service.conf").into(), false)),
    };
    let shared = (environment.system_configuration().join("pg_service.conf"), false);
    own.into_iter().chain([shared]).collect()
}

/// Adds the options in the section `[service]`. Returns whether the file has that section.
///
/// The section ends at the next header. If it has an option twice, the first value counts.
fn read(text: &str, service: &str, file: &Path, values: &mut Values) -> Result<bool, Error> {
    let at = |line: usize, what: &str| Error::ServiceFile {
        what: what.to_owned(),
        file: file.display().to_string(),
        line,
    };
    let header = format!("[{service}]");
    let mut found = false;
    for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line.trim())) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.starts_with('[') {
            if found {
                break;
            }
            found = line.starts_with(&header);
            continue;
        }
        if !found {
            continue;
        }
        let syntax = || at(number, "syntax error");
        let (name, value) = line.split_once('=').ok_or_else(syntax)?;
        if value.contains('\0') {
            return Err(syntax());
        }
        match name {
            "service" => return Err(at(number, "nested service specifications not supported")),
            "servicefile" => {
                return Err(at(number, "nested \"servicefile\" specifications not supported"));
            }
            _ => {}
        }
        values.set_default(name, value.to_owned()).map_err(|_| syntax())?;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_service(text: &str, service: &str) -> Result<Option<Values>, String> {
        let mut values = Values::new();
        values.set("user", "explicit".into()).unwrap();
        match read(text, service, Path::new("/svc"), &mut values) {
            Ok(true) => Ok(Some(values)),
            Ok(false) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    const FILE: &str = "# comment\n\n[a]\nhost=h\nhost=second\nuser=u\n  port=1  \npassword=a b=c\n\
                        [b]\nnosuch=1\n[c]\nhost\n[d]\nservice=a\n[a]\ndbname=late\n[empty]\n\
                        [e]\nservicefile=/other\n";

    #[test]
    fn the_first_section_of_the_name_counts() {
        let values = read_service(FILE, "a").unwrap().unwrap();
        assert_eq!(
            values.pairs().map(|(keyword, value)| (keyword.name, value)).collect::<Vec<_>>(),
            [("user", "explicit"), ("password", "a b=c"), ("host", "h"), ("port", "1")]
        );
        assert_eq!(read_service(FILE, "nope"), Ok(None));
        assert_eq!(read_service(FILE, "empty").unwrap().unwrap().pairs().count(), 1);
    }

    #[test]
    fn errors_name_the_line() {
        for (service, error) in [
            ("b", "syntax error in service file \"/svc\", line 10"),
            ("c", "syntax error in service file \"/svc\", line 12"),
            ("d", "nested service specifications not supported in service file \"/svc\", line 14"),
            (
                "e",
                "nested \"servicefile\" specifications not supported in service file \"/svc\", line 19",
            ),
        ] {
            assert_eq!(read_service(FILE, service), Err(error.to_owned()));
        }
    }
}
