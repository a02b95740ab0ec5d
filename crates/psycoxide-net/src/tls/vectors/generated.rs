//! Random constraints and names, judged here and by OpenSSL.

use super::super::mint::value::name_constraints;
use super::super::mint::{CN, EMAIL, O, UTF8, directory_name};
use super::constraints::{NAME_CONSTRAINTS, directory, email, ip, uri};
use super::*;

/// How many chains are tried; each of them runs a program.
const COUNT: usize = 300;

/// xorshift64*: the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % end
    }

    /// Up to this many of these.
    fn some(&mut self, of: &[Vec<u8>], most: usize) -> Vec<Vec<u8>> {
        (0..self.below(most + 1)).map(|_| of[self.below(of.len())].clone()).collect()
    }
}

/// Without the names that OpenSSL is known to judge differently.
fn names() -> Vec<Vec<u8>> {
    let unit = |text: &[u8]| directory(&[(O, UTF8, text)]);
    vec![
        dns("db.example.org"),
        dns("EXAMPLE.org"),
        dns("db.example.com"),
        dns(""),
        email("me@example.org"),
        email("me@db.example.org"),
        email("You@example.com"),
        email("nobody"),
        uri("http://example.org/x"),
        uri("https://db.example.org:5432"),
        uri("urn:x"),
        ip(&[10, 1, 2, 3]),
        ip(&[192, 168, 0, 1]),
        ip(&[0; 16]),
        unit(b"Example"),
        unit(b" eXAMPLE"),
        unit(b"Other"),
    ]
}

fn trees() -> Vec<Vec<u8>> {
    let unit = |text: &[u8]| directory(&[(O, UTF8, text)]);
    vec![
        dns("example.org"),
        dns(".example.org"),
        dns("com"),
        dns(""),
        email("example.org"),
        email(".example.org"),
        email("me@example.org"),
        email("@example.com"),
        uri("example.org"),
        uri(".example.org"),
        ip(&[10, 0, 0, 0, 255, 0, 0, 0]),
        ip(&[0; 8]),
        ip(&[0; 32]),
        unit(b"example"),
        unit(b"Other"),
    ]
}

fn subjects() -> Vec<Vec<u8>> {
    const IA5: u8 = 22;
    let (unit, mail) = ((O, UTF8, &b"Example"[..]), (EMAIL, IA5, &b"me@example.org"[..]));
    vec![
        directory_name(&[]),
        directory_name(&[unit]),
        directory_name(&[unit, (CN, UTF8, b"db.example.org")]),
        directory_name(&[(CN, UTF8, b"db.example.com"), mail]),
        directory_name(&[(CN, UTF8, b"The database")]),
        directory_name(&[(O, UTF8, b"Other"), mail, (EMAIL, IA5, b"x@y.org")]),
    ]
}

#[test]
fn constraints_mean_what_they_mean_to_openssl() {
    let openssl = OpenSsl::new();
    let (names, trees, subjects) = (names(), trees(), subjects());
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let (mut wrong, mut trusted) = (Vec::new(), 0);
    for number in 0..COUNT {
        let constraints = |random: &mut Random| {
            let (permitted, excluded) = (random.some(&trees, 3), random.some(&trees, 2));
            Extension::new(NAME_CONSTRAINTS, name_constraints(&permitted, &excluded))
        };
        let subject = subjects[random.below(subjects.len())].clone();
        let mut leaf = Draft { subject, ..leaf() };
        leaf = match random.some(&names, 3) {
            none if none.is_empty() => leaf,
            some => leaf.with(named(&some)),
        };
        let middle = middle().with(constraints(&mut random));
        let root =
            if random.below(4) == 0 { root().with(constraints(&mut random)) } else { root() };
        let case = case("", &[leaf, middle, root], Ok(()));
        let (ours, theirs) = (verdict(&case.chain), theirs(&openssl, &case.chain));
        trusted += usize::from(theirs);
        if ours.is_ok() != theirs {
            wrong.push(format!("{number}: {ours:?}, OpenSSL: {theirs}, {:02x?}", case.chain));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!((COUNT / 10..COUNT).contains(&trusted), "all or nothing: {trusted}");
}
