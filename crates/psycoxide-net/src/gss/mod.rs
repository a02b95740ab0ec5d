//! Encryption by GSSAPI, which is Kerberos in practice: what TLS does, by tickets.
//!
//! <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-GSSAPI>

mod context;
mod library;
mod session;

use std::fmt;
use std::io;
use std::path::Path;

pub(crate) use session::Session;

/// Why encryption by GSSAPI did not come about, or failed later; libpq's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(String);

impl Failure {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The failure that an error of a stream carries, if it is one of GSSAPI.
    pub(crate) fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        io::Error::other(failure)
    }
}

/// What Kerberos has to be set up with, or where its tickets lie; without all of these there are
/// none, and the library need not be loaded to say so.
const ENVIRONMENT: [&str; 3] = ["KRB5CCNAME", "KRB5_CONFIG", "KRB5_CLIENT_KTNAME"];
const CONFIGURATION: &str = "/etc/krb5.conf";

/// Whether there are tickets, or something that tickets can be got with.
pub(crate) fn has_credentials() -> bool {
    is_set_up() && library::library().is_ok_and(context::has_credentials)
}

/// Asking the library costs a good part of a millisecond, and it reads the same files first.
fn is_set_up() -> bool {
    let tickets = format!("/tmp/krb5cc_{}", rustix::process::getuid().as_raw());
    ENVIRONMENT.iter().any(|name| std::env::var_os(name).is_some())
        || [CONFIGURATION, &tickets].iter().any(|path| Path::new(path).exists())
}
