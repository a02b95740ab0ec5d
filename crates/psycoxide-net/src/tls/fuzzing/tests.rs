//! Replays the fuzzer's corpus, whole and cut off at many places.

use std::fs;
use std::path::PathBuf;

use super::super::distrust::Distrust;
use super::{TARGETS, forest, lists};

pub(super) fn corpus(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name)
}

/// The inputs reach the code they are for: the targets check accepted input most closely.
#[test]
fn the_corpus_has_what_is_trusted_and_what_is_not() {
    let input = |target, name: &str| fs::read(corpus(target).join(name)).unwrap();
    for (name, expected) in [
        ("two", true),
        ("three", true),
        ("path-too-long", false),
        ("forged", false),
        ("named", true),
        ("for-servers", true),
        ("version-1", true),
        ("expired", false),
        ("round", true),
    ] {
        assert_eq!(forest::judge(&input("chain", name)), expected, "{name}");
    }
    for (name, expected) in [
        ("good", Ok(())),
        ("revoked", Err(Distrust::Revoked)),
        ("newer", Ok(())),
        ("of-another", Err(Distrust::ListSignature)),
        ("expired", Err(Distrust::ListExpired)),
        ("numbered", Ok(())),
        ("changes-only", Err(Distrust::ListExtension)),
        ("users-only", Ok(())),
    ] {
        assert_eq!(lists::judge(&input("revocation", name)), expected, "{name}");
    }
}

#[test]
fn the_targets_accept_the_whole_corpus() {
    for (name, target) in TARGETS {
        let mut count = 0;
        for entry in fs::read_dir(corpus(name)).unwrap() {
            let path = entry.unwrap().path();
            println!("{}", path.display());
            let input = fs::read(path).unwrap();
            // Cutting the larger inputs at every place would take minutes.
            let step = input.len() / 50 + 1;
            for end in (0..input.len()).step_by(step).chain([input.len()]) {
                target(&input[..end]);
            }
            count += 1;
        }
        assert!(count >= 3, "the corpus of {name} is missing");
    }
}
