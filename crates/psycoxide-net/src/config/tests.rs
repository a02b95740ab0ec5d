//! Tests of configuration as a whole, with environments of their own.

use psycoxide_proto::{AuthMethods, ProtocolVersion};

use super::vectors::VECTORS;
use super::*;

fn config(dsn: &str, environment: &[(&str, &str)]) -> Result<Config, Error> {
    let given = environment.iter().chain(&[("HOME", "/nonexistent")]);
    let mut environment: Environment =
        given.map(|(name, value)| (name.into(), value.into())).collect();
    environment.user = 0;
    Config::of(ConnInfo::parse(dsn)?, &environment, OnDemand::default())
}

fn named<'a>(
    options: impl Iterator<Item = (&'static Keyword, &'a str)>,
) -> Vec<(&'static str, &'a str)> {
    options.map(|(keyword, value)| (keyword.name, value)).collect()
}

fn refusal(dsn: &str) -> String {
    config(dsn, &[]).unwrap_err().to_string()
}

#[test]
fn strings_are_read_as_libpq_reads_them() {
    for (dsn, answer) in VECTORS {
        match (ConnInfo::parse(*dsn), answer) {
            (Ok(read), Ok(expected)) => {
                assert_eq!(&named(read.options()), expected, "{dsn:?}");
                assert_eq!(read.text(), *dsn);
            }
            (Err(error), Err(expected)) => {
                assert_eq!(&error.to_string(), expected, "{dsn:?}");
                assert!(error.is_syntax(), "{dsn:?}");
            }
            (read, _) => panic!("{dsn:?} gives {:?} and not {answer:?}", read.err()),
        }
    }
}

#[test]
fn a_uri_of_another_scheme_is_not_shown() {
    let error = ConnInfo::parse("mysql://me:hush@host/db").err();
    assert_eq!(error, Some(Error::MissingEquals("***".into())));
}

#[test]
fn nul_is_refused() {
    assert_eq!(ConnInfo::parse("host=a\0user=b").err(), Some(Error::Nul));
    assert_eq!(ConnInfo::parse("postgresql://a\0b").err(), Some(Error::Nul));
}

#[test]
fn defaults_are_those_of_libpq() {
    let read = config("host=127.0.0.1 password=x", &[]).unwrap();
    assert_eq!(
        named(read.parameters()),
        [
            ("user", "root"),
            ("password", "x"),
            ("channel_binding", "prefer"),
            ("dbname", "root"),
            ("host", "127.0.0.1"),
            ("port", "5432"),
            ("options", ""),
            ("sslmode", "prefer"),
            ("sslnegotiation", "postgres"),
            ("sslcompression", "0"),
            ("sslcertmode", "allow"),
            ("sslsni", "1"),
            ("ssl_min_protocol_version", "TLSv1.2"),
            ("gssencmode", "prefer"),
            ("krbsrvname", "postgres"),
            ("gssdelegation", "0"),
            ("target_session_attrs", "any"),
            ("load_balance_hosts", "disable"),
        ]
    );
    let parameters = config("user=u dbname=''", &[]).unwrap();
    assert_eq!(parameters.get("dbname"), Some("u"));
    assert_eq!(parameters.get("host"), None);
    assert_eq!(parameters.get("passfile"), Some("/nonexistent/.pgpass"));
    assert_eq!(parameters.hosts()[0].name, "/var/run/postgresql");
    assert!(parameters.hosts()[0].is_default && parameters.hosts()[0].is_local());
}

#[test]
fn explicit_beats_service_beats_environment() {
    let path = std::env::temp_dir().join(format!("psycoxide-service-{}", std::process::id()));
    std::fs::write(&path, "[a]\nhost=svc\nuser=svc\n").unwrap();
    let file = path.to_str().unwrap();
    let environment = [
        ("PGSERVICEFILE", file),
        ("PGHOST", "env"),
        ("PGUSER", "env"),
        ("PGDATABASE", "env"),
        ("PGPASSFILE", ""),
    ];
    let read = config("service=a host=explicit", &environment).unwrap();
    assert_eq!(read.get("host"), Some("explicit"));
    assert_eq!(read.get("user"), Some("svc"));
    assert_eq!(read.get("dbname"), Some("env"));
    let error = config("service=nope", &environment).unwrap_err();
    assert_eq!(error.to_string(), "definition of service \"nope\" not found");
    assert!(!error.is_syntax());
    std::fs::remove_file(&path).unwrap();
    let error = config("service=a", &environment).unwrap_err();
    assert_eq!(error.to_string(), format!("service file \"{file}\" not found"));
}

/// The errors of libpq 19.
#[test]
fn the_option_servicefile_beats_the_environment() {
    let folder = std::env::temp_dir().join(format!("psycoxide-servicefile-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for (name, text) in [
        ("a", "[s]\ndbname=of_a\n"),
        ("b", "[s]\ndbname=of_b\n[only_b]\ndbname=x\n"),
        ("pg_service.conf", "[shared]\ndbname=of_all\n"),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let at = |name: &str| folder.join(name).display().to_string();
    let (a, b, all) = (at("a"), at("b"), at(""));
    let environment = [("PGSERVICEFILE", &*b), ("PGSYSCONFDIR", &*all), ("PGUSER", "u")];
    for (dsn, dbname) in [
        (format!("service=s servicefile={a}"), "of_a"),
        (format!("postgresql:///?service=s&servicefile={a}"), "of_a"),
        ("service=s".to_owned(), "of_b"),
        (format!("service=shared servicefile={a}"), "of_all"),
        // The file is not read if no service is given.
        ("servicefile=/nowhere".to_owned(), "u"),
    ] {
        let read = config(&dsn, &environment).unwrap();
        assert_eq!(read.get("dbname"), Some(dbname), "{dsn}");
        assert!(!read.parameters().any(|(keyword, _)| keyword.name.starts_with("service")));
    }
    for (dsn, error) in [
        (format!("service=only_b servicefile={a}"), "definition of service \"only_b\" not found"),
        ("service=s servicefile=/nowhere".to_owned(), "service file \"/nowhere\" not found"),
        ("service=s servicefile=''".to_owned(), "service file \"\" not found"),
        // It may be a part of a password.
        ("service=s servicefile='/x password=hush'".to_owned(), "service file \"***\" not found"),
    ] {
        assert_eq!(config(&dsn, &environment).unwrap_err().to_string(), error, "{dsn}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn the_environment_reaches_the_startup_packet() {
    let environment = [
        ("PGTZ", "Asia/Tokyo"),
        ("PGDATESTYLE", "German"),
        ("PGGEQO", "Default"),
        ("PGAPPNAME", "app"),
        ("PGCLIENTENCODING", "auto"),
        ("LC_ALL", "en_GB.UTF-8"),
        ("PGOPTIONS", "-c a=b"),
    ];
    let dsn = "user=u dbname=d replication=database fallback_application_name=f password=p";
    let startup = config(dsn, &environment).unwrap().startup(0, "nonce".into(), None);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let parameters: Vec<_> =
        startup.parameters.iter().map(|(k, v)| format!("{}={}", text(k), text(v))).collect();
    assert_eq!(
        parameters,
        [
            "user=u",
            "database=d",
            "replication=database",
            "options=-c a=b",
            "application_name=app",
            "client_encoding=UTF8",
            "datestyle=German",
            "timezone=Asia/Tokyo"
        ]
    );
    assert!(!startup.session_setup);
    assert_eq!(startup.password.unwrap().expose(), b"p");
    let startup =
        config("user=u fallback_application_name=f", &[]).unwrap().startup(0, "n".into(), None);
    let names: Vec<_> = startup.parameters.iter().map(|(name, _)| text(name)).collect();
    assert_eq!(names, ["user", "database", "application_name"]);
    assert!(startup.session_setup);
}

#[test]
fn passwords_come_from_the_file_by_host() {
    use std::os::unix::fs::PermissionsExt;
    let path = std::env::temp_dir().join(format!("psycoxide-pgpass-all-{}", std::process::id()));
    std::fs::write(&path, "a:1:d:u:one\nb:*:d:u:two\n").unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    let dsn = format!("host=a,b,c port=1,2,3 user=u dbname=d passfile={}", path.display());
    let read = config(&dsn, &[]).unwrap();
    let password = |host| read.password(host).map(|secret| secret.expose().to_vec());
    assert_eq!(password(0).unwrap(), b"one");
    assert_eq!(password(1).unwrap(), b"two");
    assert_eq!(password(2), None);
    assert_eq!(read.password_file(1), path.to_str());
    assert_eq!(read.password_file(2), None);
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o604)).unwrap();
    let read = config(&dsn, &[]).unwrap();
    assert!(read.password(0).is_none() && read.warnings().len() == 1);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn values_are_checked() {
    for (dsn, error) in [
        ("sslmode=bogus", "invalid sslmode value: \"bogus\""),
        ("sslmode=''", "invalid sslmode value: \"\""),
        ("sslmode=require sslnegotiation=zz", "invalid sslnegotiation value: \"zz\""),
        ("sslcertmode=x", "invalid sslcertmode value: \"x\""),
        ("gssencmode=x", "invalid gssencmode value: \"x\""),
        ("target_session_attrs=x", "invalid target_session_attrs value: \"x\""),
        ("load_balance_hosts=x", "invalid load_balance_hosts value: \"x\""),
        ("channel_binding=x", "invalid channel_binding value: \"x\""),
        ("min_protocol_version=9", "invalid min_protocol_version value: \"9\""),
        ("max_protocol_version=3.1", "invalid max_protocol_version value: \"3.1\""),
        (
            "min_protocol_version=3.2 max_protocol_version=3.0",
            "\"min_protocol_version\" is greater than \"max_protocol_version\"",
        ),
        ("ssl_min_protocol_version=z", "invalid \"ssl_min_protocol_version\" value: \"z\""),
        (
            "ssl_min_protocol_version=TLSv1.3 ssl_max_protocol_version=TLSv1.2",
            "invalid SSL protocol version range",
        ),
        (
            "connect_timeout=x",
            "invalid integer value \"x\" for connection option \"connect_timeout\"",
        ),
        ("keepalives=''", "invalid integer value \"\" for connection option \"keepalives\""),
        (
            "tcp_user_timeout=99999999999",
            "invalid integer value \"99999999999\" for connection option \"tcp_user_timeout\"",
        ),
        ("require_auth=zz", "invalid require_auth value: \"zz\""),
        ("require_auth=!zz", "invalid require_auth value: \"zz\""),
        ("require_auth=,", "invalid require_auth value: \"\""),
        ("require_auth=md5,md5", "require_auth method \"md5\" is specified more than once"),
        (
            "require_auth=md5,!scram-sha-256",
            "negative require_auth method \"!scram-sha-256\" cannot be mixed with non-negative methods",
        ),
        (
            "require_auth=!md5,scram-sha-256",
            "require_auth method \"scram-sha-256\" cannot be mixed with negative methods",
        ),
        (
            "sslnegotiation=direct",
            "weak sslmode \"prefer\" may not be used with sslnegotiation=direct (use \"require\", \"verify-ca\", or \"verify-full\")",
        ),
        (
            "sslrootcert=system sslmode=prefer",
            "weak sslmode \"prefer\" may not be used with sslrootcert=system (use \"verify-full\")",
        ),
    ] {
        assert_eq!(refusal(dsn), error, "{dsn}");
        assert!(!config(dsn, &[]).unwrap_err().is_syntax());
    }
}

#[test]
fn scrams_keys_come_together_and_are_whole() {
    let key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let dsn = format!("scram_client_key={key} scram_server_key={key}");
    assert!(config(&dsn, &[]).unwrap().settings().scram_keys.is_some());
    assert_eq!(refusal("scram_client_key=?hush"), "invalid SCRAM client key");
    assert_eq!(refusal("scram_server_key=aHVzaA=="), "invalid SCRAM server key length: 4");
    assert!(refusal(&format!("scram_client_key={key}")).contains("given together"));
}

#[test]
fn the_options_of_tls_are_read() {
    let read = |dsn: &str, environment: &[(&str, &str)]| {
        config(dsn, environment).unwrap().settings().encryption.clone()
    };
    let tls = read("host=h", &[("HOME", "/home/me")]);
    assert_eq!((tls.mode, tls.direct), (SslMode::Prefer, false));
    assert_eq!(tls.root, Root::File("/home/me/.postgresql/root.crt".to_owned()));
    assert_eq!(tls.crl_file.as_deref(), Some("/home/me/.postgresql/root.crl"));
    assert_eq!(tls.certificate.as_deref(), Some("/home/me/.postgresql/postgresql.crt"));
    assert_eq!(tls.key.as_deref(), Some("/home/me/.postgresql/postgresql.key"));
    assert!(tls.send_name && tls.key_password.is_none());
    assert_eq!((tls.least, tls.most), (TlsVersion::V1_2, TlsVersion::V1_3));
    assert_eq!(read("", &[("PGREQUIRESSL", "1")]).mode, SslMode::Require);
    let tls = read("sslrootcert=system sslnegotiation=direct", &[]);
    assert_eq!((tls.mode, tls.direct), (SslMode::VerifyFull, true));
    assert!(matches!(tls.root, Root::System(_)));
    let tls = read("sslcrldir=/d sslsni=0 ssl_max_protocol_version=tlsv1.2", &[]);
    assert_eq!((tls.crl_file, tls.crl_folder.as_deref()), (None, Some("/d")));
    assert_eq!((tls.send_name, tls.most), (false, TlsVersion::V1_2));
    let shown = format!("{:?}", read("sslpassword=hush", &[]));
    assert!(!shown.contains("hush"), "{shown}");
}

#[test]
fn settings_are_read() {
    let settings = |dsn: &str| config(dsn, &[]).unwrap().settings().clone();
    let timeout = |dsn| settings(dsn).connect_timeout.map(|timeout| timeout.as_secs());
    assert_eq!(timeout("connect_timeout=' 7 '"), Some(7));
    assert_eq!(timeout("connect_timeout=-1"), None);
    assert_eq!(timeout("connect_timeout=0"), None);
    assert_eq!(timeout(""), None);
    assert!(settings("").keepalive.is_some() && settings("keepalives=0").keepalive.is_none());
    assert_eq!(settings("keepalives_count=3").keepalive.unwrap().count, Some(3));
    assert_eq!(settings("").protocol_wanted, ProtocolVersion::V3_0);
    assert_eq!(settings("max_protocol_version=latest").protocol_wanted, ProtocolVersion::V3_2);
    assert_eq!(settings("min_protocol_version=3.2").protocol_wanted, ProtocolVersion::V3_2);
    let auth = |dsn| settings(dsn).allowed_auth;
    assert_eq!(auth(""), AuthMethods::ALL);
    assert_eq!(auth("require_auth=md5,none"), AuthMethods::MD5 | AuthMethods::NONE);
    assert_eq!(
        auth("require_auth=!md5,!none,!gss,!sspi,!oauth"),
        AuthMethods::PASSWORD | AuthMethods::SCRAM_SHA_256
    );
    assert_eq!(auth("require_auth=gss"), AuthMethods::GSS);
    assert_eq!(auth("require_auth=sspi,oauth"), AuthMethods::SSPI | AuthMethods::OAUTH);
    assert_eq!(auth("require_auth=''"), AuthMethods::ALL);
    assert_eq!(
        settings("target_session_attrs=prefer-standby").target_session,
        TargetSession::PreferStandby
    );
}

#[test]
fn debug_shows_no_password() {
    let read = config("password=hush sslpassword=hush2", &[]).unwrap();
    assert!(!format!("{read:?}").contains("hush"));
}
