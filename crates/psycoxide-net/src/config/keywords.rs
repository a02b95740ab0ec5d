//! The options of a connection: all of libpq 19's, and our own.
//!
//! <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS>

/// One option of a connection.
#[derive(Debug)]
pub struct Keyword {
    /// Its name in connection strings and service files.
    pub name: &'static str,
    /// The environment variable that sets it, if any.
    pub env: Option<&'static str>,
    /// Its value if nothing sets it.
    pub default: Option<&'static str>,
    /// Whether its value must not be shown.
    pub secret: bool,
}

const fn option(
    name: &'static str,
    env: Option<&'static str>,
    default: Option<&'static str>,
) -> Keyword {
    Keyword { name, env, default, secret: false }
}

const fn secret(name: &'static str, env: Option<&'static str>) -> Keyword {
    Keyword { name, env, default: None, secret: true }
}

/// Every option, in the order in which libpq lists them (`PQconndefaults`), our own last.
///
/// The defaults of `user` and `dbname` are only known at run time.
#[rustfmt::skip]
pub static KEYWORDS: &[Keyword] = &[
    option("service", Some("PGSERVICE"), None),
    option("servicefile", Some("PGSERVICEFILE"), None),
    option("user", Some("PGUSER"), None),
    secret("password", Some("PGPASSWORD")),
    option("passfile", Some("PGPASSFILE"), None),
    option("channel_binding", Some("PGCHANNELBINDING"), Some("prefer")),
    option("connect_timeout", Some("PGCONNECT_TIMEOUT"), None),
    option("dbname", Some("PGDATABASE"), None),
    option("host", Some("PGHOST"), None),
    option("hostaddr", Some("PGHOSTADDR"), None),
    option("port", Some("PGPORT"), Some("5432")),
    option("client_encoding", Some("PGCLIENTENCODING"), None),
    option("options", Some("PGOPTIONS"), Some("")),
    option("application_name", Some("PGAPPNAME"), None),
    option("fallback_application_name", None, None),
    option("keepalives", None, None),
    option("keepalives_idle", None, None),
    option("keepalives_interval", None, None),
    option("keepalives_count", None, None),
    option("tcp_user_timeout", None, None),
    option("sslmode", Some("PGSSLMODE"), Some("prefer")),
    option("sslnegotiation", Some("PGSSLNEGOTIATION"), Some("postgres")),
    option("sslcompression", Some("PGSSLCOMPRESSION"), Some("0")),
    option("sslcert", Some("PGSSLCERT"), None),
    option("sslkey", Some("PGSSLKEY"), None),
    option("sslcertmode", Some("PGSSLCERTMODE"), Some("allow")),
    secret("sslpassword", None),
    option("sslrootcert", Some("PGSSLROOTCERT"), None),
    option("sslcrl", Some("PGSSLCRL"), None),
    option("sslcrldir", Some("PGSSLCRLDIR"), None),
    option("sslsni", Some("PGSSLSNI"), Some("1")),
    option("requirepeer", Some("PGREQUIREPEER"), None),
    option("require_auth", Some("PGREQUIREAUTH"), None),
    option("min_protocol_version", Some("PGMINPROTOCOLVERSION"), None),
    option("max_protocol_version", Some("PGMAXPROTOCOLVERSION"), None),
    option("ssl_min_protocol_version", Some("PGSSLMINPROTOCOLVERSION"), Some("TLSv1.2")),
    option("ssl_max_protocol_version", Some("PGSSLMAXPROTOCOLVERSION"), None),
    option("gssencmode", Some("PGGSSENCMODE"), Some("prefer")),
    option("krbsrvname", Some("PGKRBSRVNAME"), Some("postgres")),
    option("gsslib", Some("PGGSSLIB"), None),
    option("gssdelegation", Some("PGGSSDELEGATION"), Some("0")),
    option("replication", None, None),
    option("target_session_attrs", Some("PGTARGETSESSIONATTRS"), Some("any")),
    option("load_balance_hosts", Some("PGLOADBALANCEHOSTS"), Some("disable")),
    secret("scram_client_key", None),
    secret("scram_server_key", None),
    option("oauth_issuer", None, None),
    option("oauth_client_id", None, None),
    secret("oauth_client_secret", None),
    option("oauth_scope", None, None),
    option("oauth_ca_file", Some("PGOAUTHCAFILE"), None),
    option("sslkeylogfile", None, None),
    option("operation_timeout", None, None),
    option("binding", Some("PSYCOXIDE_BINDING"), None),
    option("prepare_threshold", Some("PSYCOXIDE_PREPARE_THRESHOLD"), None),
];

/// Whether there is an option of this name.
pub fn is_option(name: &str) -> bool {
    Key::named(name).is_some() || name == "requiressl"
}

/// An option that exists: its position in [`KEYWORDS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(pub(super) usize);

/// The [`Key`] of a name, looked up at compile time, as each connect needs dozens. An unknown name
/// does not compile.
macro_rules! key {
    ($name:literal) => {
        const { $crate::config::keywords::Key::of($name) }
    };
}
pub(crate) use key;

impl Key {
    /// For `key!`.
    #[expect(clippy::indexing_slicing, reason = "runs at compile time")]
    pub(crate) const fn of(name: &str) -> Key {
        let mut position = 0;
        while !same(KEYWORDS[position].name.as_bytes(), name.as_bytes()) {
            position += 1;
        }
        Key(position)
    }

    /// Looks an option up by its name.
    pub(super) fn named(name: &str) -> Option<Key> {
        KEYWORDS.iter().position(|keyword| keyword.name == name).map(Key)
    }

    /// Looks an option up by its environment variable.
    pub(super) fn of_variable(name: &str) -> Option<Key> {
        KEYWORDS.iter().position(|keyword| keyword.env == Some(name)).map(Key)
    }

    /// The options that have a default, and the default.
    pub(super) fn defaults() -> impl Iterator<Item = (Key, &'static str)> {
        KEYWORDS.iter().enumerate().filter_map(|(at, keyword)| Some((Key(at), keyword.default?)))
    }

    pub(super) fn name(self) -> &'static str {
        KEYWORDS.get(self.0).map_or("", |keyword| keyword.name)
    }
}

const fn same(one: &[u8], other: &[u8]) -> bool {
    match (one, other) {
        ([], []) => true,
        ([a, one @ ..], [b, other @ ..]) => *a == *b && same(one, other),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        for (index, keyword) in KEYWORDS.iter().enumerate() {
            assert_eq!(Key::named(keyword.name), Some(Key(index)), "{}", keyword.name);
        }
        assert_eq!(Key::named("tty"), None);
        assert_eq!(key!("host").name(), "host");
    }

    #[test]
    fn what_opens_something_is_secret() {
        let secrets: Vec<_> = KEYWORDS.iter().filter(|k| k.secret).map(|k| k.name).collect();
        assert_eq!(
            secrets,
            [
                "password",
                "sslpassword",
                "scram_client_key",
                "scram_server_key",
                "oauth_client_secret"
            ]
        );
    }
}
