//! Configurations in made-up surroundings.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::*;

#[derive(Default)]
struct Surroundings {
    variables: HashMap<&'static str, &'static str>,
    files: HashMap<&'static str, &'static str>,
    exposed: bool,
}

impl Environment for Surroundings {
    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).map(|value| (*value).to_owned())
    }

    fn user(&self) -> Option<String> {
        Some("me".to_owned())
    }

    fn home(&self) -> Option<PathBuf> {
        Some("/home/me".into())
    }

    fn read(&self, path: &Path) -> Option<String> {
        self.files.get(path.to_str()?).map(|content| (*content).to_owned())
    }

    fn is_exposed(&self, _path: &Path) -> bool {
        self.exposed
    }

    fn is_directory(&self, path: &Path) -> bool {
        path == Path::new("/tmp")
    }
}

fn config(dsn: &str) -> Config {
    Config::with_environment(dsn, &Surroundings::default()).unwrap()
}

fn failure(dsn: &str) -> String {
    Config::with_environment(dsn, &Surroundings::default()).unwrap_err().to_string()
}

#[test]
fn nothing_given() {
    let config = config("");
    assert_eq!(config.user(), "me");
    assert_eq!(config.get("dbname"), Some("me"));
    let hosts = config.hosts().unwrap();
    assert_eq!(hosts, [Host { host: "/tmp".to_owned(), hostaddr: None, port: 5432 }]);
    assert_eq!(
        config.startup_parameters(),
        [(b"user".to_vec(), b"me".to_vec()), (b"database".to_vec(), b"me".to_vec())]
    );
}

#[test]
fn precedence_is_explicit_service_environment_default() {
    let surroundings = Surroundings {
        variables: HashMap::from([
            ("PGHOST", "from-environment"),
            ("PGPORT", "3"),
            ("PGAPPNAME", "from-environment"),
            ("PGSERVICE", "s"),
        ]),
        files: HashMap::from([(
            "/home/me/.pg_service.conf",
            "[s]\nhost=from-service\nport=2\ndbname=d\n",
        )]),
        ..Surroundings::default()
    };
    let config = Config::with_environment("host=explicit", &surroundings).unwrap();
    assert_eq!(config.get("host"), Some("explicit"));
    assert_eq!(config.get("port"), Some("2"));
    assert_eq!(config.get("application_name"), Some("from-environment"));
    assert_eq!(config.get("dbname"), Some("d"));
    assert_eq!(config.get("sslmode"), Some("prefer"));
}

#[test]
fn the_password_file_is_for_the_owner_only() {
    let mut surroundings = Surroundings {
        files: HashMap::from([("/home/me/.pgpass", "h:*:*:*:first\nlocalhost:*:*:*:second\n")]),
        ..Surroundings::default()
    };
    let password = |dsn: &str, surroundings: &Surroundings| {
        let config = Config::with_environment(dsn, surroundings).unwrap();
        let hosts = config.hosts().unwrap();
        config.password_in(&hosts[0], surroundings)
    };
    assert_eq!(password("host=h", &surroundings).as_deref(), Some("first"));
    assert_eq!(password("", &surroundings).as_deref(), Some("second"));
    assert_eq!(password("host=other", &surroundings), None);
    assert_eq!(password("host=h password=given", &surroundings).as_deref(), Some("given"));
    surroundings.exposed = true;
    assert_eq!(password("host=h", &surroundings), None);
}

#[test]
fn hosts_ports_and_addresses_go_by_position() {
    let hosts = config("host=a,,/s hostaddr=1.1.1.1,2.2.2.2, port=1,2,3").hosts().unwrap();
    let host = |host: &str, hostaddr: Option<&str>, port| Host {
        host: host.to_owned(),
        hostaddr: hostaddr.map(str::to_owned),
        port,
    };
    assert_eq!(
        hosts,
        [host("a", Some("1.1.1.1"), 1), host("", Some("2.2.2.2"), 2), host("/s", None, 3)]
    );
    assert_eq!(hosts[2].socket_directory(), Some("/s"));
    let hosts = config("host=a,b port=7").hosts().unwrap();
    assert_eq!(hosts, [host("a", None, 7), host("b", None, 7)]);
}

#[test]
fn wrong_values_are_named() {
    for (dsn, expected) in [
        ("port=abc", "invalid integer value \"abc\" for connection option \"port\""),
        ("port=0", "invalid port number: \"0\""),
        ("port=70000", "invalid port number: \"70000\""),
        ("host=a,b port=1,2,3", "could not match 3 port numbers to 2 hosts"),
        ("host=a,b hostaddr=1.1.1.1", "could not match 2 host names to 1 hostaddr values"),
        ("sslmode=foo", "invalid sslmode value: \"foo\""),
        ("target_session_attrs=foo", "invalid target_session_attrs value: \"foo\""),
        ("channel_binding=x", "invalid channel_binding value: \"x\""),
        ("load_balance_hosts=x", "invalid load_balance_hosts value: \"x\""),
        ("service=nope", "definition of service \"nope\" not found"),
        ("ssl_min_protocol_version=x", "invalid \"ssl_min_protocol_version\" value: \"x\""),
        (
            "connect_timeout=x",
            "invalid integer value \"x\" for connection option \"connect_timeout\"",
        ),
        ("tabel=x", "invalid connection option \"tabel\""),
    ] {
        assert_eq!(failure(dsn), expected, "{dsn}");
    }
}

#[test]
fn what_would_be_ignored_is_refused() {
    for dsn in [
        "sslmode=require",
        "sslmode=verify-ca",
        "sslmode=verify-full",
        "channel_binding=require",
        "gssencmode=require",
        "require_auth=scram-sha-256",
        "target_session_attrs=primary",
    ] {
        assert!(failure(dsn).contains("not supported yet"), "{dsn}");
    }
}

#[test]
fn a_nul_cannot_smuggle_parameters() {
    assert!(failure("user=a\0b").contains("NUL"));
    assert!(failure("application_name='x\0user\0root'").contains("NUL"));
}

#[test]
fn passwords_are_not_printed() {
    let shown = format!("{:?}", config("password=sesame user=u"));
    assert!(!shown.contains("sesame"), "{shown}");
}

#[test]
fn startup_carries_only_what_was_asked_for() {
    let config =
        config("user=u dbname=d options='-c x=y' fallback_application_name=f replication=database");
    let names: Vec<String> = config
        .startup_parameters()
        .into_iter()
        .map(|(name, value)| {
            format!("{}={}", String::from_utf8(name).unwrap(), String::from_utf8(value).unwrap())
        })
        .collect();
    assert_eq!(
        names,
        ["user=u", "database=d", "replication=database", "options=-c x=y", "application_name=f"]
    );
    assert!(config.is_replication());
}

#[test]
fn a_dbname_may_be_a_connection_string() {
    let config = config("dbname='postgresql://h/inner' port=9");
    assert_eq!(
        (config.get("host"), config.get("dbname"), config.get("port")),
        (Some("h"), Some("inner"), Some("9"))
    );
}
