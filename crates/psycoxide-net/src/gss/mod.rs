//! Encryption by GSSAPI, which is Kerberos in practice: what TLS does, by tickets.
//!
//! <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-GSSAPI>

mod context;
mod failure;
mod library;
mod session;

use std::path::Path;

use crate::config::Gss;

pub use failure::GssFailure;
pub(crate) use session::GssSession;

/// The configuration file, and the settings in it, or in included files, that say where tickets are,
/// or how to get one. The environment may say so as well ([`Gss::names_tickets`]).
const CONFIGURATION: &str = "/etc/krb5.conf";
const SETTINGS: [&str; 3] = ["default_ccache_name", "default_client_keytab_name", "include"];

/// Whether there are tickets, or credentials to get one with.
pub(crate) fn has_credentials(options: &Gss) -> bool {
    (options.names_tickets || may_have_credentials())
        && library::library().is_ok_and(context::has_credentials)
}

/// A quick check: without any of these there is no ticket. Asking the library would cost each
/// connection a tenth of a millisecond, and hardly anybody has Kerberos.
fn may_have_credentials() -> bool {
    let user = rustix::process::getuid().as_raw();
    let files = [
        format!("/tmp/krb5cc_{user}"),
        format!("/etc/krb5/user/{user}/client.keytab"),
        format!("/var/lib/krb5/user/{user}/client.keytab"),
    ];
    let configured = || {
        let text = std::fs::read_to_string(CONFIGURATION).unwrap_or_default();
        SETTINGS.iter().any(|name| text.contains(name))
    };
    files.iter().any(|path| Path::new(path).exists()) || configured()
}
