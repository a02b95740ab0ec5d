//! What a server asks for while connecting and only Python can give: a password or a token that is
//! fetched anew each time, and GSSAPI.

use psycoxide_net::Session;
use psycoxide_proto::{Answer, Ask, Secret};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};

use super::Connection;
use crate::error;
use crate::imports::Lazy;
use crate::text;

pub(super) static CREDENTIALS: Lazy = Lazy::new("psycoxide._credentials", "Credentials");

/// The options that say how to get a token.
const TOKEN_OPTIONS: [&str; 5] =
    ["oauth_issuer", "oauth_client_id", "oauth_client_secret", "oauth_scope", "oauth_ca_file"];

/// The `Credentials` that a connection string of `connect()` carries.
pub fn carried_by<'py>(dsn: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    if dsn.is_exact_instance_of::<PyString>() {
        return Ok(None);
    }
    dsn.getattr_opt("credentials")
}

/// Calls Python for the answer, and passes it on.
///
/// # Errors
/// The exception that Python raised.
pub fn give(connection: &Bound<'_, Connection>, session: &Session, ask: Ask) -> PyResult<()> {
    let py = connection.py();
    let this = connection.get();
    let (host, address, discovered) = {
        let link = session.link();
        let address = link.dialed_address().map(ToString::to_string);
        (link.dialed_host().map(str::to_owned), address, link.token_discovery().map(<[u8]>::to_vec))
    };
    let option = |name: &str| this.config.get().and_then(|config| config.get(name));
    let credentials = credentials(this, py)?;
    let answer = match ask {
        Ask::Password => Answer::Password(secret(&credentials.call_method0("password")?)?),
        Ask::GssToken(theirs) => {
            let service = option("krbsrvname");
            let delegate = option("gssdelegation") == Some("1");
            let arguments = (host, address, service, delegate, PyBytes::new(py, &theirs));
            let (token, complete): (Option<Vec<u8>>, bool) =
                credentials.call_method1("gss_token", arguments)?.extract()?;
            Answer::GssToken { token: token.map(Secret::new), complete }
        }
        Ask::BearerToken => {
            let options = PyDict::new(py);
            for name in TOKEN_OPTIONS.into_iter().chain(["user"]) {
                options.set_item(name, option(name).filter(|value| !value.is_empty()))?;
            }
            let discovered = discovered.map(|document| PyBytes::new(py, &document));
            let token = credentials.call_method1("bearer_token", (host, options, discovered))?;
            Answer::BearerToken(secret(&token)?)
        }
    };
    // The call may have forked the process.
    this.claim()?;
    session.link().answer(answer).map_err(|error| error::connecting(&error))
}

/// The connection's credentials. If its connection string is a plain str, they are made here.
fn credentials<'py>(connection: &Connection, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
    if let Some(found) = &connection.objects(py).credentials {
        return Ok(found.bind(py).clone());
    }
    // Outside of the lock: this runs Python.
    let made = CREDENTIALS.bind(py)?.call0()?;
    connection.objects(py).credentials = Some(made.clone().unbind());
    Ok(made)
}

/// A str or bytes that must not be shown; `None` if it is None.
fn secret(value: &Bound<'_, PyAny>) -> PyResult<Option<Secret>> {
    if value.is_none() {
        return Ok(None);
    }
    text::text(value).map(|text| Some(Secret::from(text)))
}
