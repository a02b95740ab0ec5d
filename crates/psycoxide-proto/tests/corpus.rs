//! Replays the fuzzer's corpus, and mutations of it, through the fuzz targets.
#![expect(clippy::disallowed_methods, reason = "the corpus is a folder")]

#[path = "../../../fuzz/src/play.rs"]
#[allow(dead_code)]
mod play;

#[path = "../../../fuzz/src/commands.rs"]
mod commands;

use std::path::Path;

/// All inputs of conversations, by name.
fn corpus() -> Vec<(String, Vec<u8>)> {
    let inputs = corpus_of("conversation");
    assert!(inputs.len() >= 10, "the corpus is missing");
    inputs
}

fn corpus_of(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut inputs: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.display().to_string(), std::fs::read(&path).unwrap()))
        .collect();
    inputs.sort();
    inputs
}

#[test]
fn commands_in_any_order_are_obeyed_or_refused() {
    let inputs = corpus_of("engine");
    assert!(inputs.len() >= 3, "the corpus is missing");
    for (name, input) in inputs {
        println!("{name}");
        for end in 0..=input.len() {
            commands::engine(&input[..end]);
        }
    }
}

#[test]
fn the_corpus_gives_the_same_events_in_pieces_of_any_size() {
    for (name, input) in corpus() {
        println!("{name}");
        play::conversation(&input);
        let (head, server) = input.split_at(2);
        let whole = play::play(head[0], server, usize::MAX);
        for piece in [1, 2, 3, 5, 7, 64] {
            assert_eq!(play::play(head[0], server, piece), whole, "{name} in pieces of {piece}");
        }
    }
}

#[test]
fn truncated_conversations_end_cleanly() {
    for (name, input) in corpus() {
        println!("{name}");
        for end in (0..input.len()).step_by(1 + input.len() / 150) {
            play::conversation(&input[..end]);
        }
    }
}

/// A small pseudo-random generator with a fixed seed (xorshift): every run has the same mutations.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit).unwrap()).unwrap()
    }
}

#[test]
fn garbled_conversations_give_the_same_events_in_pieces_of_any_size() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for (_, input) in corpus().iter().filter(|(_, input)| input.len() < 20_000) {
        for _ in 0..100 {
            let mut input = input.clone();
            for _ in 0..=random.below(3) {
                let at = random.below(input.len());
                match random.below(5) {
                    0 => input[at] ^= 1 << random.below(8),
                    1 => input[at] = *[0, 1, 4, 0x7f, 0x80, 0xff].get(random.below(6)).unwrap(),
                    2 => drop(input.remove(at)),
                    3 => input.insert(at, u8::try_from(random.below(256)).unwrap()),
                    _ => {
                        let end = at + random.below(input.len() - at);
                        let again = input[at..end].to_vec();
                        input.splice(at..at, again);
                    }
                }
                input.truncate(40_000);
                if input.len() < 3 {
                    break;
                }
            }
            play::pieces(&input);
        }
    }
}
