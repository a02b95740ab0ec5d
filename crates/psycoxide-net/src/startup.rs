//! How a conversation begins: what the engine needs, from the configuration.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use psycoxide_proto::{Secret, Startup};

use crate::config::Config;
use crate::config::hosts::Host;

/// So many random bytes make a nonce for SCRAM, as in libpq.
const NONCE_LENGTH: usize = 18;

/// What is said to a server first.
///
/// # Errors
/// If the operating system has no random numbers.
pub fn startup(config: &Config, host: Option<&Host>) -> io::Result<Startup> {
    let mut random = [0; NONCE_LENGTH];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let mut startup = Startup::new(config.user().as_bytes(), STANDARD.encode(random));
    startup.parameters = config.startup_parameters();
    startup.password = host
        .and_then(|host| config.password_for(host))
        .map(|password| Secret::new(password.into_bytes()));
    startup.protocol = config.protocol();
    startup.session_setup = !config.is_replication();
    Ok(startup)
}
