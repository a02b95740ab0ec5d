//! Connection strings: written again as keywords and values, and read again, they give the same.

use psycoxide_net::{Config, ConnInfo, Environment, OnDemand};

/// A target's name and function.
type Target = (&'static str, fn(&[u8]));

/// All targets of this file.
pub const TARGETS: &[Target] = &[("dsn", dsn), ("uri", uri)];

pub fn dsn(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let read = match ConnInfo::parse(text) {
        Ok(read) => read,
        Err(error) => {
            assert!(error.is_syntax() && !error.to_string().is_empty());
            return;
        }
    };
    let again = ConnInfo::parse(written(&read)).unwrap();
    assert!(pairs(&again).eq(pairs(&read)));
    if !pairs(&read).any(|(name, _)| reads_files(name)) {
        let nothing = std::iter::empty().collect::<Environment>();
        if let Ok(config) = Config::of(read, &nothing, OnDemand::default()) {
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

fn pairs(read: &ConnInfo) -> impl Iterator<Item = (&str, &str)> {
    read.options().map(|(keyword, value)| (keyword.name, value))
}

fn written(read: &ConnInfo) -> String {
    let quoted = |value: &str| value.replace('\\', "\\\\").replace('\'', "\\'");
    let pairs: Vec<_> =
        pairs(read).map(|(name, value)| format!("{name}='{}'", quoted(value))).collect();
    pairs.join(" ")
}
