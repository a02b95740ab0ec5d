//! The connection options of libpq 18: their names, variables and defaults.
//!
//! <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS>

/// A connection option.
#[derive(Debug)]
pub struct Keyword {
    /// The option's name.
    pub name: &'static str,
    /// The environment variable that it is taken from when it is not given.
    pub variable: Option<&'static str>,
    /// What it is when nothing says otherwise.
    pub default: Option<&'static str>,
}

const fn keyword(
    name: &'static str,
    variable: Option<&'static str>,
    default: Option<&'static str>,
) -> Keyword {
    Keyword { name, variable, default }
}

/// All options, in libpq's order, which is the order in which they are shown.
pub const KEYWORDS: &[Keyword] = &[
    keyword("service", Some("PGSERVICE"), None),
    keyword("user", Some("PGUSER"), None),
    keyword("password", Some("PGPASSWORD"), None),
    keyword("passfile", Some("PGPASSFILE"), None),
    keyword("channel_binding", Some("PGCHANNELBINDING"), Some("prefer")),
    keyword("connect_timeout", Some("PGCONNECT_TIMEOUT"), None),
    keyword("dbname", Some("PGDATABASE"), None),
    keyword("host", Some("PGHOST"), None),
    keyword("hostaddr", Some("PGHOSTADDR"), None),
    keyword("port", Some("PGPORT"), Some("5432")),
    keyword("client_encoding", Some("PGCLIENTENCODING"), None),
    keyword("options", Some("PGOPTIONS"), Some("")),
    keyword("application_name", Some("PGAPPNAME"), None),
    keyword("fallback_application_name", None, None),
    keyword("keepalives", None, None),
    keyword("keepalives_idle", None, None),
    keyword("keepalives_interval", None, None),
    keyword("keepalives_count", None, None),
    keyword("tcp_user_timeout", None, None),
    keyword("sslmode", Some("PGSSLMODE"), Some("prefer")),
    keyword("sslnegotiation", Some("PGSSLNEGOTIATION"), Some("postgres")),
    keyword("sslcompression", Some("PGSSLCOMPRESSION"), Some("0")),
    keyword("sslcert", Some("PGSSLCERT"), None),
    keyword("sslkey", Some("PGSSLKEY"), None),
    keyword("sslcertmode", Some("PGSSLCERTMODE"), Some("allow")),
    keyword("sslpassword", None, None),
    keyword("sslrootcert", Some("PGSSLROOTCERT"), None),
    keyword("sslcrl", Some("PGSSLCRL"), None),
    keyword("sslcrldir", Some("PGSSLCRLDIR"), None),
    keyword("sslsni", Some("PGSSLSNI"), Some("1")),
    keyword("requirepeer", Some("PGREQUIREPEER"), None),
    keyword("require_auth", Some("PGREQUIREAUTH"), None),
    keyword("min_protocol_version", Some("PGMINPROTOCOLVERSION"), None),
    keyword("max_protocol_version", Some("PGMAXPROTOCOLVERSION"), None),
    keyword("ssl_min_protocol_version", Some("PGSSLMINPROTOCOLVERSION"), Some("TLSv1.2")),
    keyword("ssl_max_protocol_version", Some("PGSSLMAXPROTOCOLVERSION"), None),
    keyword("gssencmode", Some("PGGSSENCMODE"), Some("prefer")),
    keyword("krbsrvname", Some("PGKRBSRVNAME"), Some("postgres")),
    keyword("gsslib", Some("PGGSSLIB"), None),
    keyword("gssdelegation", Some("PGGSSDELEGATION"), Some("0")),
    keyword("replication", None, None),
    keyword("target_session_attrs", Some("PGTARGETSESSIONATTRS"), Some("any")),
    keyword("load_balance_hosts", Some("PGLOADBALANCEHOSTS"), Some("disable")),
    keyword("scram_client_key", None, None),
    keyword("scram_server_key", None, None),
    keyword("oauth_issuer", None, None),
    keyword("oauth_client_id", None, None),
    keyword("oauth_client_secret", None, None),
    keyword("oauth_scope", None, None),
    keyword("sslkeylogfile", None, None),
];

/// Where in [`KEYWORDS`] an option stands.
pub fn position(name: &str) -> Option<usize> {
    KEYWORDS.iter().position(|keyword| keyword.name == name)
}

/// Whether an option's value must not be shown.
pub fn is_secret(name: &str) -> bool {
    matches!(
        name,
        "password"
            | "sslpassword"
            | "oauth_client_secret"
            | "scram_client_key"
            | "scram_server_key"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        for (index, keyword) in KEYWORDS.iter().enumerate() {
            assert_eq!(position(keyword.name), Some(index));
        }
    }
}
