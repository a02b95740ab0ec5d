//! The configuration of a connection: what was given, completed from service file, environment
//! and defaults.
//!
//! The order of precedence is libpq's: given explicitly, service, environment, default.
//! <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS>

mod dsn;
pub mod environment;
mod error;
pub mod hosts;
mod keywords;
mod options;
mod passfile;
mod service;
mod uri;
mod validate;

use std::path::PathBuf;
use std::time::Duration;

use psycoxide_proto::ProtocolVersion;

use crate::socket::Keepalive;
use environment::{Environment, Process};
use hosts::Host;
use keywords::KEYWORDS;
use options::Options;

pub use error::Error;
pub use keywords::is_secret;

/// A complete configuration.
#[derive(Clone, Debug)]
pub struct Config {
    options: Options,
    hosts: Vec<Host>,
    user: String,
    time_settings: Vec<(&'static str, String)>,
}

/// Settings of a session that libpq takes from the environment.
const SESSION_VARIABLES: [(&str, &str); 3] =
    [("PGDATESTYLE", "datestyle"), ("PGTZ", "timezone"), ("PGGEQO", "geqo")];

impl Config {
    /// Parses a connection string (keywords and values, or a URI) and completes it.
    ///
    /// # Errors
    /// Any of [`Error`]'s; the message names the option.
    pub fn parse(dsn: &str) -> Result<Self, Error> {
        Self::with_environment(dsn, &Process)
    }

    /// The same in other surroundings.
    ///
    /// # Errors
    /// As [`Config::parse`].
    pub fn with_environment(dsn: &str, environment: &impl Environment) -> Result<Self, Error> {
        let mut options = parse_options(dsn)?;
        expand_dbname(&mut options)?;
        let service = options
            .filled("service")
            .map(str::to_owned)
            .or_else(|| environment.variable("PGSERVICE").filter(|name| !name.is_empty()));
        if let Some(name) = service {
            let service = service::find(&name, environment)?;
            for (name, value) in service.iter() {
                options.set_default(name, || Some(value.to_owned()));
            }
        }
        for keyword in KEYWORDS {
            options.set_default(keyword.name, || {
                let value = keyword.variable.and_then(|variable| environment.variable(variable));
                value.or_else(|| keyword.default.map(str::to_owned))
            });
        }
        let user = match options.filled("user") {
            Some(user) => user.to_owned(),
            None => environment.user().ok_or(Error::NoUser)?,
        };
        options.set("user", user.clone())?;
        if options.filled("dbname").is_none() {
            options.set("dbname", user.clone())?;
        }
        validate::validate(&options)?;
        let hosts = hosts::parse(&options, environment)?;
        let time_settings = SESSION_VARIABLES
            .into_iter()
            .filter_map(|(variable, name)| Some((name, environment.variable(variable)?)))
            .filter(|(_, value)| !value.eq_ignore_ascii_case("default"))
            .collect();
        Ok(Self { options, hosts, user, time_settings })
    }

    /// The options that a connection string gives, without defaults, in libpq's order.
    ///
    /// # Errors
    /// If the string is not valid.
    pub fn parse_dsn(dsn: &str) -> Result<Vec<(String, String)>, Error> {
        parse_options(dsn).map(Options::into_pairs)
    }

    /// Every option in force, secrets included, in libpq's order.
    pub fn parameters(&self) -> Vec<(String, String)> {
        self.options.clone().into_pairs()
    }

    /// The value of an option in force.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.options.get(name)
    }

    /// The role to log in as.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The hosts to try, in order.
    ///
    /// # Errors
    /// If they were to be in random order and the operating system has no random numbers.
    pub fn hosts(&self) -> Result<Vec<Host>, crate::Error> {
        let mut hosts = self.hosts.clone();
        if self.get("load_balance_hosts") == Some("random") {
            shuffle(&mut hosts)?;
        }
        Ok(hosts)
    }

    /// The bound on connecting to each host.
    pub fn connect_timeout(&self) -> Option<Duration> {
        let seconds: i64 = self.options.filled("connect_timeout")?.trim().parse().ok()?;
        u64::try_from(seconds).ok().filter(|seconds| *seconds > 0).map(Duration::from_secs)
    }

    /// How the death of a peer is noticed.
    pub fn keepalive(&self) -> Keepalive {
        let number = |name| {
            self.options.filled(name)?.trim().parse::<u64>().ok().filter(|number| *number > 0)
        };
        Keepalive {
            enabled: self.options.filled("keepalives").is_none_or(|value| value.trim() != "0"),
            idle: number("keepalives_idle").map(Duration::from_secs),
            interval: number("keepalives_interval").map(Duration::from_secs),
            count: number("keepalives_count").and_then(|count| u32::try_from(count).ok()),
            user_timeout: number("tcp_user_timeout").map(Duration::from_millis),
        }
    }

    /// The version of the protocol to ask for.
    pub fn protocol(&self) -> ProtocolVersion {
        match self.options.filled("max_protocol_version") {
            Some("3.2" | "latest") => ProtocolVersion::V3_2,
            _ => match self.options.filled("min_protocol_version") {
                Some("3.2" | "latest") => ProtocolVersion::V3_2,
                _ => ProtocolVersion::V3_0,
            },
        }
    }

    /// Whether the session is a replication session, which runs no ordinary statements.
    pub fn is_replication(&self) -> bool {
        self.options.filled("replication").is_some()
    }

    /// The parameters of the StartupMessage: only what was asked for, since poolers refuse more.
    pub fn startup_parameters(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let application = self
            .options
            .filled("application_name")
            .or_else(|| self.options.filled("fallback_application_name"));
        let encoding = match self.options.filled("client_encoding") {
            // What the environment's locale would use; Python's text is best served by UTF-8.
            Some("auto") => Some("UTF8"),
            encoding => encoding,
        };
        let given = [
            ("user", Some(self.user.as_str())),
            ("database", self.options.filled("dbname")),
            ("replication", self.options.filled("replication")),
            ("options", self.options.filled("options")),
            ("application_name", application),
            ("client_encoding", encoding),
        ];
        let settings = self.time_settings.iter().map(|(name, value)| (*name, Some(value.as_str())));
        given
            .into_iter()
            .chain(settings)
            .filter_map(|(name, value)| {
                Some((name.as_bytes().to_vec(), value?.as_bytes().to_vec()))
            })
            .collect()
    }

    /// The password for a host: the one that was given, or the password file's.
    pub fn password_for(&self, host: &Host) -> Option<String> {
        self.password_in(host, &Process)
    }

    fn password_in(&self, host: &Host, environment: &impl Environment) -> Option<String> {
        if let Some(password) = self.options.filled("password") {
            return Some(password.to_owned());
        }
        let path = match self.options.filled("passfile") {
            Some(path) => PathBuf::from(path),
            None => environment.home()?.join(".pgpass"),
        };
        let server = passfile::Server {
            host: host.password_label(),
            port: host.port,
            dbname: self.get("dbname").unwrap_or_default(),
            user: &self.user,
        };
        passfile::find(&path, server, environment)
    }
}

fn parse_options(dsn: &str) -> Result<Options, Error> {
    match uri::strip_scheme(dsn) {
        Some(_) => uri::parse(dsn),
        None => dsn::parse(dsn),
    }
}

/// A `dbname` that is itself a connection string is taken apart, as libpq's PQconnectdbParams does
/// for programs that pass what their users typed.
fn expand_dbname(options: &mut Options) -> Result<(), Error> {
    let Some(dbname) = options
        .filled("dbname")
        .filter(|dbname| uri::strip_scheme(dbname).is_some() || dbname.contains('='))
    else {
        return Ok(());
    };
    let inner = parse_options(dbname)?;
    let mut expanded = Options::default();
    for (name, value) in options.iter().filter(|(name, _)| *name != "dbname").chain(inner.iter()) {
        expanded.set(name, value.to_owned())?;
    }
    *options = expanded;
    Ok(())
}

/// Puts hosts into a random order (Fisher and Yates).
fn shuffle(hosts: &mut [Host]) -> Result<(), crate::Error> {
    for index in (1..hosts.len()).rev() {
        let mut random = [0; 8];
        getrandom::fill(&mut random)
            .map_err(|error| crate::Error::Io(std::io::Error::other(error)))?;
        let bound = u64::try_from(index + 1).unwrap_or(u64::MAX);
        let other = usize::try_from(u64::from_ne_bytes(random) % bound).unwrap_or(index);
        hosts.swap(index, other);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
