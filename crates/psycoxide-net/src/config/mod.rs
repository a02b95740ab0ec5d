//! Configuration: where to connect to, and how.
//!
//! As in libpq, the connection string overrides the service file, that the environment, and that
//! the defaults.

mod conn_info;
mod dsn;
mod encryption;
mod env;
mod error;
mod hosts;
mod keywords;
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

pub use conn_info::ConnInfo;
pub(crate) use encryption::{
    Binding, CertificateMode, Encryption, Root, SslMode, SystemStore, TlsVersion,
};
pub use env::Environment;
pub(crate) use env::user_name_of;
pub use error::Error;
pub use hosts::Host;
pub(crate) use hosts::{FALLBACK_SOCKET_DIRECTORY, socket_path};
pub use keywords::{KEYWORDS, Keyword, is_option};
use keywords::{Key, key};
pub(crate) use secret::shown_host;
pub use settings::ParameterBinding;
pub(crate) use settings::{Gss, GssMode, Keepalive, Settings, TargetSession};
use values::Values;

/// All options that are needed to connect, checked.
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

/// The secrets that the caller supplies when a server asks for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OnDemand {
    /// The password: those in options, the environment and the password file are not used then.
    pub password: bool,
    /// An OAuth bearer token.
    pub token: bool,
}

/// The passwords of the hosts.
#[derive(Clone, Debug)]
enum Passwords {
    /// The same for each host, or none.
    Given(Option<Secret>),
    /// Those in the password file, by the host's position.
    File(Vec<Option<Secret>>),
}

impl Config {
    /// Parses a connection string (keyword/value or URI), and completes it from the service file,
    /// the environment of the process, the password file and the defaults.
    ///
    /// # Errors
    /// If the string is malformed or an option's value is refused.
    pub fn parse(dsn: &str) -> Result<Config, Error> {
        let environment = std::env::vars_os().collect();
        let mut config = Config::of(ConnInfo::parse(dsn)?, &environment, OnDemand::default())?;
        config.find_system_store();
        Ok(config)
    }

    /// Completes a connection string's options. This reads files and looks accounts up, which may
    /// be slow. It does not read the process's environment, so the caller has to call
    /// [`Config::find_system_store`] afterwards, which does.
    ///
    /// # Errors
    /// If an option's value is refused.
    pub fn of(
        given: ConnInfo,
        environment: &Environment,
        on_demand: OnDemand,
    ) -> Result<Config, Error> {
        let dsn = given.text;
        let completed = Config::completed(given.values, environment, on_demand);
        completed.map_err(|error| error.of_read(&dsn))
    }

    fn completed(
        mut values: Values,
        environment: &Environment,
        on_demand: OnDemand,
    ) -> Result<Config, Error> {
        service::apply(&mut values, environment)?;
        complete(&mut values, environment)?;
        let hosts = hosts::list(&values)?;
        let home = environment.home();
        let mut warnings = Vec::new();
        let mut passwords = passwords(&mut values, &hosts, home.as_deref(), &mut warnings);
        // Unix sockets need no files of certificates.
        let home = home.filter(|_| !hosts.iter().all(Host::is_local));
        let settings = Settings::read(&values, environment, home.as_deref())?;
        if on_demand.password {
            passwords = Passwords::Given(None);
            values.unset(key!("password"));
        }
        let session_parameters = session_parameters(environment);
        Ok(Config { values, hosts, settings, passwords, session_parameters, warnings, on_demand })
    }

    /// Finds the certificates that the operating system trusts, if they are used. This is a step of
    /// its own because it uses a library that reads the environment.
    pub fn find_system_store(&mut self) {
        self.settings.encryption.root.find();
    }

    /// The options in effect, as libpq's `PQconninfo` returns them. The password is among them. The
    /// service and its file are not (as in libpq 17), as the service's options are.
    pub fn parameters(&self) -> impl Iterator<Item = (&'static Keyword, &str)> {
        let stands_for_others = |name: &str| matches!(name, "service" | "servicefile");
        self.values.pairs().filter(move |(keyword, _)| !stands_for_others(keyword.name))
    }

    /// An option's value in effect, if it has one.
    pub fn get(&self, keyword: &str) -> Option<&str> {
        self.values.get(Key::named(keyword)?)
    }

    /// The role to log in as.
    pub fn user(&self) -> &str {
        self.values.get(key!("user")).unwrap_or_default()
    }

    /// The time that connecting to each address may take, if it is limited.
    pub fn connect_timeout(&self) -> Option<Duration> {
        self.settings.connect_timeout
    }

    /// The time that an operation may take, if it is limited.
    pub fn operation_timeout(&self) -> Option<Duration> {
        self.settings.operation_timeout
    }

    /// Where parameters are bound to a query.
    pub fn binding(&self) -> ParameterBinding {
        self.settings.binding
    }

    /// How often a statement runs before it is prepared. `None`: none is by itself.
    pub fn prepare_threshold(&self) -> Option<u32> {
        self.settings.prepare_threshold
    }

    /// The servers to try, in the order given.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The host's name as it was given, which its certificate must have; empty if only an address
    /// was given.
    pub(crate) fn host_name(&self, host: usize) -> &str {
        self.hosts.get(host).map_or("", |host| &host.name)
    }

    /// The host's name, else its address (libpq's `PQhost` before there is a connection): the host
    /// in the name of the Kerberos service.
    pub(crate) fn name_or_address(&self, host: usize) -> Option<&str> {
        let host = self.hosts.get(host)?;
        let name = Some(host.name.as_str()).filter(|name| !name.is_empty());
        name.or(host.address.as_deref())
    }

    /// Warnings for the user: a password file is ignored because others can read it.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Whether this is a replication connection.
    pub fn is_replication(&self) -> bool {
        self.values.filled(key!("replication")).is_some()
    }

    /// The password for a host, as libpq's `PQpass` returns it after connecting.
    pub fn password(&self, host: usize) -> Option<&Secret> {
        match &self.passwords {
            Passwords::Given(password) => password.as_ref(),
            Passwords::File(passwords) => passwords.get(host)?.as_ref(),
        }
    }

    /// Whether SCRAM is possible: there is a password or there are keys, or the caller supplies
    /// one.
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

    /// The password file that has the password for this host.
    pub(crate) fn password_file(&self, host: usize) -> Option<&str> {
        match self.passwords {
            Passwords::File(_) if self.password(host).is_some() => {
                self.values.get(key!("passfile"))
            }
            _ => None,
        }
    }

    /// The startup message for a host, and how to log in. The order of the parameters is libpq's.
    ///
    /// `end_point` is TLS's data for channel binding, if TLS is in use; it may be empty.
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
        add("database", self.values.filled(key!("dbname")));
        add("replication", self.values.filled(key!("replication")));
        add("options", self.values.filled(key!("options")));
        let application = self.values.filled(key!("application_name"));
        add(
            "application_name",
            application.or_else(|| self.values.filled(key!("fallback_application_name"))),
        );
        add("client_encoding", self.values.filled(key!("client_encoding")));
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

/// Sets options without a value from the environment, else to their default.
fn complete(values: &mut Values, environment: &Environment) -> Result<(), Error> {
    for (key, value) in environment.options() {
        values.put_default(key, value.to_owned());
    }
    values.put_default(key!("sslmode"), default_sslmode(values, environment));
    for (key, default) in Key::defaults() {
        values.put_default(key, default);
    }
    if values.filled(key!("user")).is_none() {
        values.put(key!("user"), environment.user_name()?);
    }
    if values.filled(key!("dbname")).is_none() {
        let user = values.get(key!("user")).unwrap_or_default().to_owned();
        values.put(key!("dbname"), user);
    }
    if values.get(key!("client_encoding")) == Some("auto") {
        values.put(key!("client_encoding"), environment.locale_encoding());
    }
    Ok(())
}

/// The default of `sslmode`. `PGREQUIRESSL` is an old variable that asks for encryption; trust in
/// the system's root certificates makes no sense without full verification.
fn default_sslmode(values: &Values, environment: &Environment) -> &'static str {
    if environment.get("PGREQUIRESSL").is_some_and(|value| value.starts_with('1')) {
        "require"
    } else if values.get(key!("sslrootcert")) == Some("system") {
        "verify-full"
    } else {
        "prefer"
    }
}

/// The password in the options, else those in the password file.
fn passwords(
    values: &mut Values,
    hosts: &[Host],
    home: Option<&str>,
    warnings: &mut Vec<String>,
) -> Passwords {
    // "[…] an empty password is taken for none."
    if let Some(password) = values.filled(key!("password")) {
        return Passwords::Given(Some(Secret::from(password)));
    }
    if values.filled(key!("passfile")).is_none() {
        let Some(home) = home else { return Passwords::Given(None) };
        values.put(key!("passfile"), [home, "/.pgpass"].concat());
    }
    let contents = match passfile::load(Path::new(values.get(key!("passfile")).unwrap_or_default()))
    {
        Ok(Some(contents)) => contents,
        Ok(None) => return Passwords::Given(None),
        Err(warning) => {
            warnings.push(warning);
            return Passwords::Given(None);
        }
    };
    let find = |host: &Host| {
        let name = if host.name.is_empty() { host.address.as_deref() } else { Some(&*host.name) };
        let target = passfile::Target {
            host: name.unwrap_or_default(),
            port: &host.port.to_string(),
            database: values.get(key!("dbname")).unwrap_or_default(),
            user: values.get(key!("user")).unwrap_or_default(),
        };
        passfile::find(&contents, &target).filter(|password| !password.is_empty())
    };
    Passwords::File(hosts.iter().map(find).collect())
}

/// The session's parameters that have an environment variable but no option.
///
/// <https://www.postgresql.org/docs/current/libpq-envars.html>: "The following environment
/// variables can be used to specify default behavior for each PostgreSQL session."
fn session_parameters(environment: &Environment) -> Vec<(&'static str, String)> {
    [("PGDATESTYLE", "datestyle"), ("PGTZ", "timezone"), ("PGGEQO", "geqo")]
        .into_iter()
        .filter_map(|(variable, parameter)| {
            let value = environment.get(variable)?;
            (!value.eq_ignore_ascii_case("default")).then(|| (parameter, value.to_owned()))
        })
        .collect()
}

/// The SCRAM keys of this process: connections as the same role derive the keys from its password
/// once. If the system has no randomness for the cache's secret, no keys are kept.
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
