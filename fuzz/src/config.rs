//! Connection strings: written again as keywords and values, and read again, they give the same.

use psycoxide_net::Config;
use psycoxide_net::config::Surroundings;

/// A target's name and function.
type Target = (&'static str, fn(&[u8]));

/// All targets of this file.
pub const TARGETS: &[Target] = &[("dsn", dsn), ("uri", uri)];

pub fn dsn(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let pairs = match Config::parse_dsn(text) {
        Ok(pairs) => pairs,
        Err(error) => {
            assert!(error.is_syntax() && !error.to_string().is_empty());
            return;
        }
    };
    assert_eq!(Config::parse_dsn(&written(&pairs)).as_ref(), Ok(&pairs));
    if !pairs.iter().any(|(name, _)| reads_files(name)) {
        let nothing = Surroundings { variable: &|_| None, user: &|| Ok("somebody".to_owned()) };
        if let Ok(config) = Config::parse_in(text, &nothing) {
            assert!(!config.hosts().is_empty());
        }
    }
}

pub fn uri(input: &[u8]) {
    dsn(&[b"postgresql://", input].concat());
}

/// Whether a keyword names a file: the fuzzer's input must not choose which files are read.
fn reads_files(name: &str) -> bool {
    name.starts_with("ssl") || matches!(name, "service" | "passfile")
}

fn written(pairs: &[(String, String)]) -> String {
    let quoted = |value: &str| value.replace('\\', "\\\\").replace('\'', "\\'");
    let pairs: Vec<_> =
        pairs.iter().map(|(name, value)| format!("{name}='{}'", quoted(value))).collect();
    pairs.join(" ")
}
