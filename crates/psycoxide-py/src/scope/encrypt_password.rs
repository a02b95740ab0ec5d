//! `encrypt_password`: a password as the server stores it.

use psycoxide_proto::auth::{md5, scram};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::connection_of;
use crate::connection::Connection;
use crate::error;
use crate::imports;
use crate::text::text;

/// PostgreSQL's own defaults.
const SALT_LENGTH: usize = 16;
const ITERATIONS: u32 = 4096;

/// encrypt_password(password, user, scope=None, algorithm=None) -> str -- The encrypted form of a
/// password, for `ALTER ROLE`: the password itself never crosses the wire and shows in no log.
///
/// `algorithm` is `'md5'`, `'scram-sha-256'` or None; with None the server of `scope`, a connection
/// or a cursor, is asked for its `password_encryption`. Raises ProgrammingError for another
/// algorithm, and if a scope is needed and missing.
#[pyfunction]
#[pyo3(signature = (password, user, scope=None, algorithm=None))]
fn encrypt_password(
    py: Python<'_>,
    password: &Bound<'_, PyAny>,
    user: &Bound<'_, PyAny>,
    scope: Option<&Bound<'_, PyAny>>,
    algorithm: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    let connection =
        match scope.filter(|scope| !scope.is_none()) {
            Some(scope) => Some(connection_of(scope)?.ok_or_else(|| {
                PyTypeError::new_err("the scope must be a connection or a cursor")
            })?),
            None => None,
        };
    let (password, user) = (text(password)?, text(user)?);
    let algorithm = match algorithm.filter(|algorithm| !algorithm.is_none()) {
        Some(algorithm) => Some(text(algorithm)?),
        None => None,
    };
    if connection.is_none() && algorithm.as_deref() != Some("md5") {
        return Err(error::programming(
            "password encryption (other than 'md5' algorithm) requires a connection or cursor",
        ));
    }
    let algorithm = match (algorithm, connection) {
        (Some(algorithm), _) => algorithm,
        (None, Some(connection)) => server_algorithm(&connection)?,
        (None, None) => "md5".to_owned(),
    };
    match algorithm.as_str() {
        // `on` and `off` are the values of servers before 10.
        "md5" | "on" | "off" => Ok(md5::stored(user.as_bytes(), password.as_bytes())),
        "scram-sha-256" => {
            let salt = imports::TOKEN_BYTES.bind(py)?.call1((SALT_LENGTH,))?;
            let salt = salt.cast::<PyBytes>()?.as_bytes();
            scram::stored(password.as_bytes(), salt, ITERATIONS)
                .map_err(|error| error::programming(error.to_string()))
        }
        _ => Err(error::programming(format!(
            "password encryption failed: unrecognized password encryption algorithm \"{algorithm}\"\n"
        ))),
    }
}

/// The server's `password_encryption`.
fn server_algorithm(connection: &Bound<'_, Connection>) -> PyResult<String> {
    let cursor = connection.call_method0("cursor")?;
    cursor.call_method1("execute", ("SHOW password_encryption",))?;
    let row = cursor.call_method0("fetchone")?;
    row.get_item(0)?.extract()
}

/// Exports `encrypt_password`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(encrypt_password, module)?)
}
