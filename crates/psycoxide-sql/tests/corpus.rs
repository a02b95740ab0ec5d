//! Replays the fuzzer's corpus, whole, truncated and with a byte changed, through the fuzz targets
//! for the formats of values, JSON, SQL and the template.
#![expect(clippy::disallowed_methods, reason = "the corpus is a folder")]

#[path = "../../../fuzz/src/json.rs"]
mod json;
#[path = "../../../fuzz/src/sql.rs"]
mod sql;
#[path = "../../../fuzz/src/texts.rs"]
mod texts;

use std::path::Path;

#[test]
fn the_corpus_is_read_the_same_when_written_again() {
    for (name, target) in texts::TARGETS.iter().chain(json::TARGETS).chain(sql::TARGETS) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
        let mut count = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            println!("{}", path.display());
            let input = std::fs::read(path).unwrap();
            for end in 0..=input.len() {
                target(&input[..end]);
            }
            for place in 0..input.len() {
                for byte in [0, 1, b'"', 0x7f, 0x80, 0xff] {
                    let mut changed = input.clone();
                    changed[place] = byte;
                    target(&changed);
                }
            }
            count += 1;
        }
        assert!(count >= 3, "the corpus of {name} is missing");
    }
}
