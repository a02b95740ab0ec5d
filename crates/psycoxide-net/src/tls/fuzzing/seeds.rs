//! The first inputs of the corpus. `cargo test -p psycoxide-net -- --ignored the_corpus` writes
//! them.

use std::fs;

use super::super::openssl::OpenSsl;
use super::super::vectors;
use super::tests::corpus;

#[test]
#[ignore = "it writes into fuzz/corpus"]
fn the_corpus_is_begun() {
    let write = |target: &str, name: &str, input: &[u8]| {
        fs::create_dir_all(corpus(target)).unwrap();
        fs::write(corpus(target).join(name), input).unwrap();
    };
    // Every fifth chain: a few dozen, of all kinds.
    for (number, (_, chain)) in vectors::chains().iter().enumerate().filter(|(at, _)| at % 5 == 0) {
        write("certificate", &format!("server-{number}"), &chain[0]);
        if number % 2 == 0 {
            write("certificate", &format!("authority-{number}"), &chain[chain.len() / 2]);
        }
    }
    for (name, input) in FORESTS {
        write("chain", name, input);
    }
    for (name, input) in HOSTS {
        write("hosts", name, input.as_bytes());
    }
    for (name, input) in LISTS {
        write("revocation", name, input);
    }
    for (name, input) in keys() {
        write("pem", &name, &input);
        write("private_key", &name, &input);
    }
    write(
        "pem",
        "text-around",
        b"x\r\n-----BEGIN A-----\r\nAQ\r\nID\r\n-----END A-----\n-----BEGIN B-----\nBA==",
    );
}

/// The number of certificates, then for each: flags, the subject, the number of extensions, the
/// extensions, the key, the issuer. If the flags say so, a path length and a validity come before
/// the extensions.
const FORESTS: &[(&str, &[u8])] = &[
    ("two", &[1, 0, 3, 0, 1, 1, 0x12, 0, 0, 0, 1, 0, 90, 1]),
    ("three", &[2, 0, 3, 0, 2, 1, 2, 2, 0, 1, 2, 0x12, 0, 0, 0, 2, 1, 4, 7]),
    ("path-too-long", &[3, 0, 3, 0, 3, 1, 2, 2, 0, 2, 2, 6, 4, 0, 0, 1, 3, 0x12, 0, 0, 0, 3]),
    ("forged", &[1, 0x20, 3, 0, 1, 1, 0x12, 0, 0, 0, 1, 1, 0, 3]),
    ("named", &[1, 0, 3, 1, 0, 2, 0, 3, 0, 1, 1, 0x12, 0, 1, 1, 1, 2, 0, 1, 0, 1]),
    ("for-servers", &[1, 0, 3, 2, 3, 1, 2, 1, 2, 0, 0x80, 0, 1, 1, 0x12, 0, 0, 0, 1]),
    ("version-1", &[1, 1, 3, 0, 1, 1, 0x11, 0, 0, 0, 1, 0, 3, 2]),
    ("expired", &[1, 8, 3, 1, 0, 1, 1, 0x12, 0, 0, 0, 1]),
    ("round", &[4, 2, 0, 0, 0, 1, 2, 0, 0, 1, 2, 2, 0, 0, 2, 0, 2, 0, 0, 3, 3, 0x12, 1, 0, 0, 4]),
    ("raw-extension", &[1, 0, 3, 1, 5, 4, 4, 0x30, 2, 0x82, 0, 1, 1, 1, 0x12, 0, 0, 0, 1]),
];

const HOSTS: &[(&str, &str)] = &[
    ("name", "db.example.org\ndDB.example.ORG"),
    ("wildcard", "db.example.org\nd*.example.org\nd*.org"),
    ("common", "db\ncdb\neme@db"),
    ("common-does-not-count", "db\ncdb\ndx"),
    ("address", "10.0.0.1\ni\n\0\0\x01\nd10.0.0.1"),
    ("address-in-short", "0x7f.1\ni\x7f\0\0\x01"),
    ("six", "::1\ni\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"),
    ("zero", "db\nddb\0.example.org"),
];

/// The serial number, the number of lists, then for each: flags, the number of serial numbers,
/// these, the number of extensions, the extensions. The rest of the input is a list itself.
const LISTS: &[(&str, &[u8])] = &[
    ("good", &[0, 1, 0, 1, 1, 0]),
    ("revoked", &[0, 1, 0, 2, 1, 0, 0]),
    ("newer", &[0, 2, 0, 1, 0, 0, 8, 0, 0]),
    ("forged", &[0, 1, 0x10, 0, 0, 0, 100, 3]),
    ("of-another", &[0, 2, 1, 0, 0, 2, 0, 0]),
    ("expired", &[0, 1, 4, 0, 0]),
    ("numbered", &[0, 1, 0, 0, 1, 0, 3, 2, 1, 5, 0]),
    ("changes-only", &[0, 1, 0, 0, 1, 1, 3, 2, 1, 5, 1]),
    ("users-only", &[0, 1, 0, 0, 1, 2, 5, 0x30, 3, 0x81, 1, 0xff, 1]),
];

/// Keys in every format, made by OpenSSL; the password is `sesame`.
fn keys() -> Vec<(String, Vec<u8>)> {
    let openssl = OpenSsl::new();
    openssl.run("ecparam -name prime256v1 -genkey -noout -out sec1");
    openssl.run("pkcs8 -topk8 -nocrypt -in sec1 -out pkcs8");
    openssl.run("genpkey -algorithm ed25519 -out ed25519");
    openssl.run("genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:1024 -out rsa");
    for (name, command) in [
        ("pkcs1", "rsa -in rsa -traditional"),
        ("der", "pkcs8 -topk8 -nocrypt -in sec1 -outform der"),
        ("sec1-der", "ec -in sec1 -outform der"),
        ("old-aes128", "ec -in sec1 -passout pass:sesame -aes128"),
        ("old-aes256", "ec -in sec1 -passout pass:sesame -aes256"),
        ("old-des3", "ec -in sec1 -passout pass:sesame -des3"),
        ("aes", "pkcs8 -topk8 -in sec1 -passout pass:sesame -iter 10"),
        (
            "aes128-sha512",
            "pkcs8 -topk8 -in sec1 -passout pass:sesame -iter 10 -v2 aes-128-cbc -v2prf hmacWithSHA512",
        ),
        (
            "des3-sha1",
            "pkcs8 -topk8 -in sec1 -passout pass:sesame -iter 10 -v2 des3 -v2prf hmacWithSHA1",
        ),
        (
            "scrypt",
            "pkcs8 -topk8 -in sec1 -passout pass:sesame -scrypt -scrypt_N 16 -scrypt_r 1 -scrypt_p 1",
        ),
    ] {
        openssl.run(&format!("{command} -out {name}"));
    }
    let names = fs::read_dir(&openssl.0).unwrap().map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.into_string().unwrap());
    names.map(|name| (name.clone(), fs::read(openssl.path(&name)).unwrap())).collect()
}
