//! The options of a connection: every one of libpq 19, and what we add to them.
//!
//! <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS>

/// One option of a connection.
#[derive(Debug)]
pub struct Keyword {
    /// Its name in connection strings and service files.
    pub name: &'static str,
    /// The environment variable that stands for it.
    pub env: Option<&'static str>,
    /// Its value when nothing gives one.
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
/// `user` and `dbname` have defaults that are found out at run time.
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
];

/// Whether an option's value must not be shown.
pub fn is_secret(name: &str) -> bool {
    KEYWORDS.iter().any(|keyword| keyword.name == name && keyword.secret)
}

/// Whether there is an option of this name.
pub fn is_option(name: &str) -> bool {
    position(name).is_some() || name == "requiressl"
}

/// Where an option stands in [`KEYWORDS`].
pub(super) fn position(name: &str) -> Option<usize> {
    KEYWORDS.iter().position(|keyword| keyword.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        for (index, keyword) in KEYWORDS.iter().enumerate() {
            assert_eq!(position(keyword.name), Some(index), "{}", keyword.name);
        }
        assert_eq!(position("tty"), None);
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
