//! Chains about single fields of their certificates.

use super::super::mint::{CN, SEQUENCE, UTF8, directory_name};
use super::*;

const SUBJECT_KEY: u8 = 14;
const KEY_USAGE: u8 = 15;
const AUTHORITY_KEY: u8 = 35;
const PURPOSES: u8 = 37;

const PRINTABLE: u8 = 19;

pub(super) fn cases() -> Vec<Case> {
    [authorities(), servers(), serials_and_times(), issuers()].into_iter().flatten().collect()
}

/// A bit string of named bits: the number of unused bits, and the bits.
fn bits(unused: u8, bits: &[u8]) -> Vec<u8> {
    tlv(3, &[&[unused], bits])
}

const DIGITAL_SIGNATURE: (u8, &[u8]) = (7, &[0x80]);
const CERTIFICATE_SIGNING: (u8, &[u8]) = (2, &[4]);
const LIST_SIGNING: (u8, &[u8]) = (1, &[2]);

fn usage((unused, usage): (u8, &[u8])) -> Extension {
    Extension::new(KEY_USAGE, bits(unused, usage)).critical()
}

/// PKIX purposes, by their numbers.
fn purposes(numbers: &[u8]) -> Extension {
    let oids = numbers.iter().map(|number| tlv(6, &[&[0x2b, 6, 1, 5, 5, 7, 3, *number]]));
    Extension::new(PURPOSES, tlv(SEQUENCE, &[&oids.collect::<Vec<_>>().concat()]))
}

/// `subjectKeyIdentifier`
fn key_of(identifier: &[u8]) -> Extension {
    Extension::new(SUBJECT_KEY, tlv(4, &[identifier]))
}

/// `authorityKeyIdentifier`. Without both identifiers OpenSSL takes a self-issued certificate for
/// self-signed.
fn signed_by(identifier: &[u8]) -> Extension {
    Extension::new(AUTHORITY_KEY, tlv(SEQUENCE, &[&tlv(0x80, &[identifier])]))
}

fn authorities() -> Vec<Case> {
    use Distrust as No;
    let none = || Draft::new("middle", "root");
    let with = |extension: Extension| none().with(extension);
    let plain = |flag: Vec<u8>| Extension::new(BASIC_CONSTRAINTS, flag);
    let chain = |what, middle: Draft, ours| case(what, &[leaf(), middle, root()], ours);
    let lower = || authority("lower", "middle");
    let below = || Draft::new("db.example.org", "lower");
    let long = |what, middle: Draft, lower: Draft, ours| {
        case(what, &[below(), lower, middle, root()], ours)
    };
    let renewed = || authority("middle", "middle").with(key_of(b"new")).with(signed_by(b"old"));
    let old = || none().with(is_authority(Some(0))).with(key_of(b"old"));
    vec![
        chain("an authority", middle(), Ok(())),
        chain(
            "an authority that does not say so critically",
            with(plain(basic_constraints(true, None))),
            Ok(()),
        ),
        chain("an authority that says nothing", none(), Err(No::NotAnAuthority)),
        chain("no authority", with(plain(basic_constraints(false, None))), Err(No::NotAnAuthority)),
        chain("an authority of version 1", Draft { version: 0, ..none() }, Err(No::NotAnAuthority)),
        chain("constraints that are empty", with(plain(vec![])), Err(No::Unreadable)),
        chain(
            "constraints with something behind",
            with(plain(vec![0x30, 3, 1, 1, 0xff, 0])),
            Err(No::Unreadable),
        )
        .differs("it does not look there"),
        chain(
            "a usage for signing certificates",
            middle().with(usage(CERTIFICATE_SIGNING)),
            Ok(()),
        ),
        chain("a usage for lists", middle().with(usage(LIST_SIGNING)), Err(No::KeyUsage)),
        chain("a usage for handshakes", middle().with(usage(DIGITAL_SIGNATURE)), Err(No::KeyUsage)),
        chain(
            "a usage that is no bit string",
            middle().with(Extension::new(KEY_USAGE, vec![5, 0])),
            Err(No::Unreadable),
        ),
        chain("for servers", middle().with(purposes(&[1])), Ok(())),
        chain("for clients", middle().with(purposes(&[2])), Err(No::Purpose)),
        chain("a path of no length", none().with(is_authority(Some(0))), Ok(())),
        long(
            "a path of no length with an authority below",
            none().with(is_authority(Some(0))),
            lower(),
            Err(No::PathLength),
        ),
        long("a path of one", none().with(is_authority(Some(1))), lower(), Ok(())),
        long(
            "a path of no length below",
            middle(),
            Draft::new("lower", "middle").with(is_authority(Some(0))),
            Ok(()),
        ),
        case("a key that was renewed does not count", &[leaf(), renewed(), old(), root()], Ok(())),
        case(
            "the root's path",
            &[leaf(), middle(), Draft::new("root", "root").with(is_authority(Some(0)))],
            Err(No::PathLength),
        ),
        chain(
            "a path of negative length",
            with(plain(vec![0x30, 6, 1, 1, 0xff, 2, 1, 0xff])),
            Err(No::Unreadable),
        ),
        chain(
            "a path's length of what is no authority",
            with(plain(vec![0x30, 3, 2, 1, 0])),
            Err(No::NotAnAuthority),
        ),
        case(
            "a root that says nothing",
            &[leaf(), middle(), Draft::new("root", "root")],
            Err(No::NotAnAuthority),
        ),
        case(
            "a root of version 1",
            &[leaf(), middle(), Draft { version: 0, ..Draft::new("root", "root") }],
            Ok(()),
        ),
        case(
            "a root that is for clients",
            &[leaf(), middle(), root().with(purposes(&[2]))],
            Err(No::Purpose),
        ),
        case("only the server's own, which is trusted", &[root()], Ok(())),
    ]
}

fn servers() -> Vec<Case> {
    use Distrust as No;
    let chain = |what, leaf: Draft, ours| case(what, &[leaf, middle(), root()], ours);
    let raw = |number, value| leaf().with(Extension::new(number, value));
    let unknown = || Extension { id: vec![0x2a, 3, 4], critical: false, value: vec![5, 0] };
    vec![
        chain("nothing said", leaf(), Ok(())),
        chain("version 1", Draft { version: 0, ..leaf() }, Ok(())),
        chain("version 2", Draft { version: 1, ..leaf() }, Ok(())),
        chain("version 4", Draft { version: 3, ..leaf() }, Ok(())),
        chain(
            "version 1 with extensions",
            Draft { version: 0, ..leaf().with(named(&[dns("db")])) },
            Ok(()),
        ),
        chain("an authority", leaf().with(is_authority(None)), Ok(())),
        chain("for servers", leaf().with(purposes(&[1])), Ok(())),
        chain(
            "for servers and clients, critically",
            leaf().with(purposes(&[2, 1]).critical()),
            Ok(()),
        ),
        chain("for clients", leaf().with(purposes(&[2])), Err(No::Purpose)),
        chain("for nothing", leaf().with(purposes(&[])), Err(No::Purpose)),
        chain(
            "for any purpose",
            raw(PURPOSES, tlv(SEQUENCE, &[&tlv(6, &[&[0x55, 0x1d, 0x25, 0]])])),
            Err(No::Purpose),
        ),
        chain("purposes that are none", raw(PURPOSES, vec![5, 0]), Err(No::Unreadable)),
        chain("a usage for handshakes", leaf().with(usage(DIGITAL_SIGNATURE)), Ok(())),
        chain(
            "a usage for certificates",
            leaf().with(usage(CERTIFICATE_SIGNING)),
            Err(No::Purpose),
        ),
        chain("a usage for nothing", raw(KEY_USAGE, bits(0, &[])), Err(No::Purpose)),
        chain("a usage that is none", raw(KEY_USAGE, vec![5, 0]), Err(No::Unreadable)),
        chain("constraints that are none", raw(BASIC_CONSTRAINTS, vec![5, 0]), Err(No::Unreadable)),
        chain("names that are none", raw(ALTERNATIVE_NAMES, vec![5, 0]), Err(No::Unreadable)),
        chain("no names", leaf().with(named(&[])), Ok(())),
        chain("an extension that nobody knows", leaf().with(unknown()), Ok(())),
        chain("the same, critical", leaf().with(unknown().critical()), Err(No::CriticalExtension)),
        chain(
            "an extension twice",
            leaf().with(named(&[dns("db")])).with(named(&[dns("x")])),
            Err(No::Unreadable),
        ),
        chain(
            "purposes twice",
            leaf().with(purposes(&[1])).with(purposes(&[1])),
            Err(No::Unreadable),
        ),
        chain(
            "an unknown extension twice",
            leaf().with(unknown()).with(unknown()),
            Err(No::Unreadable),
        )
        .differs("it looks at those only that it knows"),
        chain("another authority's key", leaf().with(signed_by(b"other")), Ok(())),
    ]
}

fn serials_and_times() -> Vec<Case> {
    use Distrust as No;
    let chain = |what, leaf: Draft, ours| case(what, &[leaf, middle(), root()], ours);
    let serial = |serial: &[u8]| Draft { serial: serial.to_vec(), ..leaf() };
    let utc = |time: &str| tlv(0x17, &[time.as_bytes()]);
    let general = |time: &str| tlv(0x18, &[time.as_bytes()]);
    let valid = |from: Vec<u8>, to: Vec<u8>| Draft { validity: [from, to].concat(), ..leaf() };
    let from = || utc("200101000000Z");
    let to = || utc("491231235959Z");
    vec![
        chain("the serial number 0", serial(&[0]), Ok(())),
        chain("a negative serial number", serial(&[0xff]), Ok(())),
        chain("a serial number of 40 bytes", serial(&[1; 40]), Ok(())),
        chain("a serial number with a zero too many", serial(&[0, 1]), Err(No::Unreadable)),
        chain("no serial number", serial(&[]), Err(No::Unreadable)),
        chain("until the last second", valid(from(), utc("300101000000Z")), Ok(()))
            .differs("it counts that as too late"),
        chain("until a second ago", valid(from(), utc("291231235959Z")), Err(No::Expired)),
        chain("from now on", valid(utc("300101000000Z"), to()), Ok(())),
        chain("a second from now on", valid(utc("300101000001Z"), to()), Err(No::NotYetValid)),
        chain("never", valid(to(), from()), Err(No::NotYetValid)),
        chain("1950, as two figures say it", valid(utc("500101000000Z"), to()), Ok(())),
        chain("until 1969", valid(utc("500101000000Z"), utc("691231235959Z")), Err(No::Expired)),
        chain("a day that does not exist", valid(utc("200230000000Z"), to()), Err(No::Unreadable)),
        chain("the same, before 1970", valid(utc("600230000000Z"), to()), Err(No::Unreadable)),
        chain("no seconds", valid(utc("2001010000Z"), to()), Err(No::Unreadable)),
        chain("the time of a zone", valid(utc("200101000000+0100"), to()), Err(No::Unreadable)),
        chain("no times", valid(vec![5, 0], vec![5, 0]), Err(No::Unreadable)),
        chain("1601, in the long form", valid(general("16010101000000Z"), to()), Ok(())),
        chain("for ever", valid(from(), general("99991231235959Z")), Ok(())),
        chain("the long form too early", valid(general("20200101000000Z"), to()), Ok(())),
        case(
            "an authority that has expired",
            &[
                leaf(),
                Draft { validity: [from(), utc("250101000000Z")].concat(), ..middle() },
                root(),
            ],
            Err(No::Expired),
        ),
        case(
            "a root that has expired",
            &[
                leaf(),
                middle(),
                Draft { validity: [from(), utc("250101000000Z")].concat(), ..root() },
            ],
            Err(No::Expired),
        ),
    ]
}

fn issuers() -> Vec<Case> {
    let with = |subject: Vec<u8>, issuer: Vec<u8>| {
        [Draft { issuer, ..leaf() }, Draft { subject, ..middle() }, root()]
    };
    let name = |tag, text: &[u8]| directory_name(&[(CN, tag, text)]);
    let spelt = |what, issuer, ours| case(what, &with(name(UTF8, b"Some Authority"), issuer), ours);
    let unknown = Err(Distrust::UnknownIssuer);
    vec![
        spelt("the issuer in other letters", name(UTF8, b"some AUTHORITY"), Ok(())),
        spelt("the issuer in another encoding", name(PRINTABLE, b"Some Authority"), Ok(())),
        spelt("the issuer with more spaces", name(UTF8, b" Some  Authority "), Ok(())),
        spelt("the issuer without a space", name(UTF8, b"SomeAuthority"), unknown),
        spelt("another issuer", name(UTF8, b"Another"), unknown),
        case("nobody as the issuer", &with(directory_name(&[]), directory_name(&[])), Ok(())),
        case(
            "the server's name is its authority's",
            &[
                Draft::new("middle", "middle").with(key_of(b"own")).with(signed_by(b"it")),
                middle().with(key_of(b"it")),
                root(),
            ],
            Ok(()),
        ),
    ]
}
