//! Configuration: where to connect to and how, from all the places that say so.
//!
//! What is given explicitly comes before what a service file says, that before the environment,
//! and that before the defaults, as in libpq.

mod dsn;
mod encryption;
mod env;
mod error;
mod hosts;
mod keywords;
mod last;
mod passfile;
mod secret;
mod service;
mod settings;
mod uri;
mod values;
#[cfg(test)]
mod vectors;

use std::path::Path;
use std::time::Duration;

use once_cell::race::OnceBox;
use psycoxide_proto::{ChannelBinding, KeyCache, Secret, Startup};
use zeroize::Zeroizing;

pub(crate) use encryption::{
    Binding, CertificateMode, Encryption, Root, SslMode, SystemStore, TlsVersion,
};
pub use env::Surroundings;
pub(crate) use env::user_name_of;
pub use error::Error;
pub use hosts::Host;
pub(crate) use hosts::{FALLBACK_SOCKET_DIRECTORY, socket_path};
pub use keywords::{KEYWORDS, Keyword, is_option, is_secret};
pub(crate) use secret::shown_host;
pub(crate) use settings::{Gss, GssMode, Keepalive, Settings, TargetSession};
use values::Values;

/// Everything that is needed to connect, checked.
#[derive(Clone, Debug)]
pub struct Config {
    values: Values,
    hosts: Vec<Host>,
    settings: Settings,
    passwords: Passwords,
    session_parameters: Vec<(&'static str, String)>,
    warnings: Vec<String>,
    on_demand: OnDemand,
}

/// What the caller gives when a server asks for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OnDemand {
    /// The password; that of the options, the environment and the password file does not count then.
    pub password: bool,
    /// A bearer token of OAuth.
    pub token: bool,
}

/// Which password goes to which host.
#[derive(Clone, Debug)]
enum Passwords {
    /// The same one to each host, or none.
    Given(Option<Secret>),
    /// The password file's, by the host's position.
    File(Vec<Option<Secret>>),
}

impl Config {
    /// Reads a connection string (keyword/value or URI) and completes it from the service file, the
    /// environment of the process, the password file and the defaults.
    ///
    /// # Errors
    /// When the string cannot be read or an option has no acceptable value.
    pub fn parse(dsn: &str) -> Result<Config, Error> {
        Config::parse_with(dsn, OnDemand::default())
    }

    /// The same for a caller that gives some things when a server asks for them.
    ///
    /// # Errors
    /// When the string cannot be read or an option has no acceptable value.
    pub fn parse_with(dsn: &str, on_demand: OnDemand) -> Result<Config, Error> {
        Surroundings::of_process(|surroundings| {
            let mut config = Config::parse_in(dsn, surroundings)?;
            if on_demand.password {
                config.passwords = Passwords::Given(None);
                config.values.unset("password");
            }
            config.on_demand = on_demand;
            Ok(config)
        })
    }

    /// The same in given surroundings.
    ///
    /// # Errors
    /// When the string cannot be read or an option has no acceptable value.
    pub fn parse_in(dsn: &str, surroundings: &Surroundings<'_>) -> Result<Config, Error> {
        Config::of_values(explicit(dsn)?, surroundings).map_err(|error| error.of_read(dsn))
    }

    fn of_values(mut values: Values, surroundings: &Surroundings<'_>) -> Result<Config, Error> {
        service::apply(&mut values, surroundings)?;
        complete(&mut values, surroundings)?;
        let hosts = hosts::list(&values)?;
        let mut warnings = Vec::new();
        let passwords = passwords(&mut values, &hosts, surroundings, &mut warnings)?;
        let settings = Settings::read(&values, surroundings)?;
        let session_parameters = session_parameters(surroundings);
        Ok(Config {
            values,
            hosts,
            settings,
            passwords,
            session_parameters,
            warnings,
            on_demand: OnDemand::default(),
        })
    }

    /// The options that a connection string gives, in the order of [`KEYWORDS`], and nothing else.
    ///
    /// # Errors
    /// When the string cannot be read; all of these answer `true` to [`Error::is_syntax`].
    pub fn parse_dsn(dsn: &str) -> Result<Vec<(String, String)>, Error> {
        Ok(explicit(dsn)?.pairs())
    }

    /// The options in effect, as libpq's `PQconninfo` gives them. The password is among them; the
    /// service and its file are not, since what they stand for is (libpq 17).
    pub fn parameters(&self) -> Vec<(String, String)> {
        let stands_for_others = |name: &str| matches!(name, "service" | "servicefile");
        self.values.pairs().into_iter().filter(|(name, _)| !stands_for_others(name)).collect()
    }

    /// The value in effect of an option, if it has one.
    pub fn get(&self, keyword: &str) -> Option<&str> {
        self.values.get(keyword)
    }

    /// The role to log in as.
    pub fn user(&self) -> &str {
        self.values.get("user").unwrap_or_default()
    }

    /// How long connecting to each address may take; for ever if there is no bound.
    pub fn connect_timeout(&self) -> Option<Duration> {
        self.settings.connect_timeout
    }

    /// How long an operation may take; for ever if there is no bound.
    pub fn operation_timeout(&self) -> Option<Duration> {
        self.settings.operation_timeout
    }

    /// The servers to try, in the order given.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The name that a host was given by, which its certificate has to have; empty if there is only
    /// an address.
    pub(crate) fn host_name(&self, host: usize) -> &str {
        self.hosts.get(host).map_or("", |host| &host.name)
    }

    /// The host's name or else its address, which is libpq's `PQhost` before there is a connection:
    /// what its service is called in Kerberos.
    pub(crate) fn name_or_address(&self, host: usize) -> Option<&str> {
        let host = self.hosts.get(host)?;
        let name = Some(host.name.as_str()).filter(|name| !name.is_empty());
        name.or(host.address.as_deref())
    }

    /// What a user should know: a password file that is ignored because others can read it.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Whether this is a replication connection.
    pub fn is_replication(&self) -> bool {
        self.values.filled("replication").is_some()
    }

    /// The password for a host, as libpq's `PQpass` gives it after connecting.
    pub fn password(&self, host: usize) -> Option<&Secret> {
        match &self.passwords {
            Passwords::Given(password) => password.as_ref(),
            Passwords::File(passwords) => passwords.get(host)?.as_ref(),
        }
    }

    /// Whether there is, or will be, anything that authentication by SCRAM could begin with.
    pub(crate) fn has_secret(&self, host: usize) -> bool {
        let keys = self.settings.scram_keys.is_some();
        keys || self.on_demand.password || self.password(host).is_some()
    }

    /// Whether all servers are reached through Unix sockets.
    pub fn is_local(&self) -> bool {
        self.hosts.iter().all(Host::is_local)
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The password file that the password for this host came from.
    pub(crate) fn password_file(&self, host: usize) -> Option<&str> {
        match self.passwords {
            Passwords::File(_) if self.password(host).is_some() => self.values.get("passfile"),
            _ => None,
        }
    }

    /// How the conversation with a host begins. The order of the parameters is libpq's.
    ///
    /// `end_point` is what TLS offers for channel binding, if TLS is in use; it may be empty.
    pub(crate) fn startup(
        &self,
        host: usize,
        nonce: String,
        end_point: Option<Vec<u8>>,
    ) -> Startup {
        let mut startup = Startup::new(self.user().as_bytes(), nonce);
        let mut add = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                startup.parameters.push((name.into(), value.into()));
            }
        };
        for (name, keyword) in
            [("database", "dbname"), ("replication", "replication"), ("options", "options")]
        {
            add(name, self.values.filled(keyword));
        }
        let application = self.values.filled("application_name");
        add(
            "application_name",
            application.or_else(|| self.values.filled("fallback_application_name")),
        );
        add("client_encoding", self.values.filled("client_encoding"));
        for (name, value) in &self.session_parameters {
            add(name, Some(value));
        }
        startup.password = self.password(host).cloned();
        startup.keys = scram_keys();
        startup.ask_password = self.on_demand.password;
        startup.scram_keys = self.settings.scram_keys.clone();
        startup.ask_token = self.on_demand.token;
        startup.protocol = self.settings.protocol_wanted;
        startup.session_setup = !self.is_replication();
        startup.allowed_auth = self.settings.allowed_auth;
        startup.channel_binding = match (self.settings.encryption.channel_binding, end_point) {
            (Binding::Require, end_point) => ChannelBinding::Required(end_point),
            (Binding::Prefer, Some(end_point)) => ChannelBinding::Preferred(end_point),
            _ => ChannelBinding::Absent,
        };
        startup
    }
}

/// The options that a connection string gives.
fn explicit(dsn: &str) -> Result<Values, Error> {
    if dsn.contains('\0') {
        return Err(Error::Nul);
    }
    let mut values = Values::new();
    let read = match uri::strip_designator(dsn) {
        Some(_) => uri::parse(dsn, &mut values),
        None => dsn::parse(dsn, &mut values),
    };
    read.map_err(|error| error.of_unread(dsn))?;
    Ok(values)
}

/// Gives options that have no value the one of the environment, else their default.
fn complete(values: &mut Values, surroundings: &Surroundings<'_>) -> Result<(), Error> {
    for keyword in KEYWORDS {
        if values.get(keyword.name).is_some() {
            continue;
        }
        if let Some(value) = keyword.env.and_then(|name| surroundings.get(name)) {
            values.set(keyword.name, value)?;
        } else if keyword.name == "sslmode" {
            values.set("sslmode", default_sslmode(values, surroundings).to_owned())?;
        } else if let Some(default) = keyword.default {
            values.set(keyword.name, default.to_owned())?;
        }
    }
    if values.filled("user").is_none() {
        values.set("user", surroundings.user_name()?)?;
    }
    if values.filled("dbname").is_none() {
        let user = values.get("user").unwrap_or_default().to_owned();
        values.set("dbname", user)?;
    }
    if values.get("client_encoding") == Some("auto") {
        values.set("client_encoding", surroundings.locale_encoding().to_owned())?;
    }
    Ok(())
}

/// `PGREQUIRESSL` is the environment's way of old to ask for encryption, and trusting the system's
/// root certificates makes no sense without full verification.
fn default_sslmode(values: &Values, surroundings: &Surroundings<'_>) -> &'static str {
    let root = values
        .get("sslrootcert")
        .map_or_else(|| surroundings.get("PGSSLROOTCERT"), |value| Some(value.to_owned()));
    if surroundings.get("PGREQUIRESSL").is_some_and(|value| value.starts_with('1')) {
        "require"
    } else if root.as_deref() == Some("system") {
        "verify-full"
    } else {
        "prefer"
    }
}

/// The password given, else those of the password file.
fn passwords(
    values: &mut Values,
    hosts: &[Host],
    surroundings: &Surroundings<'_>,
    warnings: &mut Vec<String>,
) -> Result<Passwords, Error> {
    // "[…] an empty password is taken for none."
    if let Some(password) = values.filled("password") {
        return Ok(Passwords::Given(Some(Secret::from(password))));
    }
    if values.filled("passfile").is_none() {
        let Some(home) = surroundings.home() else { return Ok(Passwords::Given(None)) };
        values.set("passfile", home.join(".pgpass").to_string_lossy().into_owned())?;
    }
    let contents = match passfile::load(Path::new(values.get("passfile").unwrap_or_default())) {
        Ok(Some(contents)) => contents,
        Ok(None) => return Ok(Passwords::Given(None)),
        Err(warning) => {
            warnings.push(warning);
            return Ok(Passwords::Given(None));
        }
    };
    let find = |host: &Host| {
        let name = if host.name.is_empty() { host.address.as_deref() } else { Some(&*host.name) };
        let target = passfile::Target {
            host: name.unwrap_or_default(),
            port: &host.port.to_string(),
            database: values.get("dbname").unwrap_or_default(),
            user: values.get("user").unwrap_or_default(),
        };
        passfile::find(&contents, &target).filter(|password| !password.is_empty())
    };
    Ok(Passwords::File(hosts.iter().map(find).collect()))
}

/// The session's parameters that have environment variables but no option.
///
/// <https://www.postgresql.org/docs/current/libpq-envars.html>: "The following environment
/// variables can be used to specify default behavior for each PostgreSQL session."
fn session_parameters(surroundings: &Surroundings<'_>) -> Vec<(&'static str, String)> {
    [("PGDATESTYLE", "datestyle"), ("PGTZ", "timezone"), ("PGGEQO", "geqo")]
        .into_iter()
        .filter_map(|(variable, parameter)| {
            let value = surroundings.get(variable)?;
            (!value.eq_ignore_ascii_case("default")).then_some((parameter, value))
        })
        .collect()
}

/// The SCRAM keys of this process: connections to the same role stretch its password once. Without
/// randomness for the secret none are kept.
fn scram_keys() -> KeyCache {
    static KEYS: OnceBox<KeyCache> = OnceBox::new();
    let new = || {
        let mut secret = Zeroizing::new([0; 32]);
        let filled = getrandom::fill(&mut *secret);
        Box::new(filled.map_or_else(|_| KeyCache::default(), |()| KeyCache::new(secret)))
    };
    KEYS.get_or_init(new).clone()
}

#[cfg(test)]
mod tests;
