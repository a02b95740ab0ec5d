//! Replays the fuzzer's corpus, whole and truncated, through the fuzz targets for the text formats,
//! JSON, SQL and the template.
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
            count += 1;
        }
        assert!(count >= 3, "the corpus of {name} is missing");
    }
}
