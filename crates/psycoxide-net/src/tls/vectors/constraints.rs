//! Name constraints.

use super::super::mint::value::name_constraints;
use super::super::mint::{CN, EMAIL, O, SEQUENCE, UTF8, common_name, directory_name};
use super::*;

pub(super) const NAME_CONSTRAINTS: u8 = 30;

const PRINTABLE: u8 = 19;
const IA5: u8 = 22;
const BMP: u8 = 30;

pub(super) fn cases() -> Vec<Case> {
    [hosts(), people(), other_names(), odd_constraints()].into_iter().flatten().collect()
}

pub(super) fn email(name: &str) -> Vec<u8> {
    tlv(0x81, &[name.as_bytes()])
}

pub(super) fn uri(name: &str) -> Vec<u8> {
    tlv(0x86, &[name.as_bytes()])
}

pub(super) fn ip(bytes: &[u8]) -> Vec<u8> {
    tlv(0x87, &[bytes])
}

pub(super) fn directory(parts: &[(&[u8], u8, &[u8])]) -> Vec<u8> {
    tlv(0xa4, &[&directory_name(parts)])
}

/// `otherName` with a private identifier.
fn private(last: u8) -> Vec<u8> {
    tlv(0xa0, &[&tlv(6, &[&[0x2a, 3, last]]), &tlv(0xa0, &[&tlv(UTF8, &[b"x"])])])
}

/// `id-on-SmtpUTF8Mailbox`
fn wide_email(name: &str) -> Vec<u8> {
    let kind = tlv(6, &[&[0x2b, 6, 1, 5, 5, 7, 8, 9]]);
    tlv(0xa0, &[&kind, &tlv(0xa0, &[&tlv(UTF8, &[name.as_bytes()])])])
}

fn registered() -> Vec<u8> {
    tlv(0x88, &[&[0x2a, 3]])
}

/// Chains under an authority with constraints: the permitted and the excluded names, the server's
/// certificate, the verdict.
fn constrained(
    what: &'static str,
    permitted: &[Vec<u8>],
    excluded: &[Vec<u8>],
    leaf: Draft,
    ours: Result<(), Distrust>,
) -> Case {
    let constraints = name_constraints(permitted, excluded);
    let extension = Extension::new(NAME_CONSTRAINTS, constraints).critical();
    case(what, &[leaf, middle().with(extension), root()], ours)
}

fn hosts() -> Vec<Case> {
    use Distrust as No;
    let org = || [dns("example.org")];
    let is = |names: &[Vec<u8>]| leaf().with(named(names));
    let called = |name: &str| Draft { subject: common_name(name), ..leaf() };
    let net = || ip(&[10, 0, 0, 0, 255, 0, 0, 0]);
    let (inside, outside) = (|| ip(&[10, 1, 2, 3]), || ip(&[11, 1, 2, 3]));
    vec![
        constrained("a host in the domain", &org(), &[], is(&[dns("db.example.org")]), Ok(())),
        constrained("the domain itself", &org(), &[], is(&[dns("Example.ORG")]), Ok(())),
        constrained(
            "a host that only ends so",
            &org(),
            &[],
            is(&[dns("badexample.org")]),
            Err(No::NotPermitted),
        ),
        constrained(
            "a host elsewhere",
            &org(),
            &[],
            is(&[dns("db.example.com")]),
            Err(No::NotPermitted),
        ),
        constrained(
            "one of two elsewhere",
            &org(),
            &[],
            is(&[dns("db.example.org"), dns("x")]),
            Err(No::NotPermitted),
        ),
        constrained(
            "in the second domain",
            &[dns("com"), dns("org")],
            &[],
            is(&[dns("db.org")]),
            Ok(()),
        ),
        constrained("any domain", &[dns("")], &[], is(&[dns("db.org")]), Ok(())),
        constrained(
            "a dot in front",
            &[dns(".example.org")],
            &[],
            is(&[dns("db.example.org")]),
            Ok(()),
        ),
        constrained(
            "a dot in front of the host",
            &[dns(".example.org")],
            &[],
            is(&[dns("example.org")]),
            Err(No::NotPermitted),
        ),
        constrained("a wildcard in the domain", &org(), &[], is(&[dns("*.example.org")]), Ok(())),
        constrained("not excluded", &[], &org(), is(&[dns("db.example.com")]), Ok(())),
        constrained("excluded", &[], &org(), is(&[dns("db.EXAMPLE.org")]), Err(No::Excluded)),
        constrained(
            "permitted and excluded",
            &org(),
            &[dns("db.example.org")],
            is(&[dns("db.example.org")]),
            Err(No::Excluded),
        ),
        constrained("all excluded", &[], &[dns("")], is(&[dns("db")]), Err(No::Excluded)),
        constrained("a common name in the domain", &org(), &[], called("db.example.org"), Ok(())),
        constrained(
            "a common name elsewhere",
            &org(),
            &[],
            called("db.example.com"),
            Err(No::NotPermitted),
        ),
        constrained("a common name that is no host's", &org(), &[], called("The database"), Ok(())),
        constrained(
            "a common name that does not count",
            &org(),
            &[],
            called("db.example.com").with(named(&[dns("db.example.org")])),
            Ok(()),
        ),
        constrained(
            "a common name beside an address",
            &org(),
            &[],
            called("db.example.com").with(named(&[inside()])),
            Err(No::NotPermitted),
        ),
        constrained("an address in the net", &[net()], &[], is(&[inside()]), Ok(())),
        constrained("an address elsewhere", &[net()], &[], is(&[outside()]), Err(No::NotPermitted)),
        constrained("an address excluded", &[], &[net()], is(&[inside()]), Err(No::Excluded)),
        constrained("an address not excluded", &[], &[net()], is(&[outside()]), Ok(())),
        constrained(
            "an address of the other length",
            &[net()],
            &[],
            is(&[ip(&[0; 16])]),
            Err(No::NotPermitted),
        ),
        constrained("an address of no length", &[net()], &[], is(&[ip(&[])]), Err(No::NameSyntax)),
        constrained("a net, and hosts only", &[net()], &[], is(&[dns("db.example.org")]), Ok(())),
    ]
}

fn people() -> Vec<Case> {
    use Distrust as No;
    let is = |names: &[Vec<u8>]| leaf().with(named(names));
    let org = || [email("example.org")];
    let mailed = |tag, text: &[u8]| Draft {
        subject: directory_name(&[(CN, UTF8, b"db"), (EMAIL, tag, text)]),
        ..leaf()
    };
    vec![
        constrained("no address of mail", &org(), &org(), is(&[dns("db")]), Ok(())),
        constrained("an address at the host", &org(), &[], is(&[email("me@example.ORG")]), Ok(())),
        constrained(
            "an address below the host",
            &org(),
            &[],
            is(&[email("me@db.example.org")]),
            Err(No::NotPermitted),
        ),
        constrained(
            "an address in the domain",
            &[email(".example.org")],
            &[],
            is(&[email("me@db.example.org")]),
            Ok(()),
        ),
        constrained(
            "an address above the domain",
            &[email(".example.org")],
            &[],
            is(&[email("me@example.org")]),
            Err(No::NotPermitted),
        ),
        constrained(
            "the address",
            &[email("me@example.org")],
            &[],
            is(&[email("me@example.org")]),
            Ok(()),
        ),
        constrained(
            "somebody else's address",
            &[email("me@example.org")],
            &[],
            is(&[email("Me@example.org")]),
            Err(No::NotPermitted),
        ),
        constrained(
            "an address excluded",
            &[],
            &org(),
            is(&[email("me@example.org")]),
            Err(No::Excluded),
        ),
        constrained("an address not excluded", &[], &org(), is(&[email("me@example.com")]), Ok(())),
        constrained("no address at all", &org(), &[], is(&[email("me")]), Err(No::NameSyntax)),
        constrained(
            "an address in the subject",
            &org(),
            &[],
            mailed(IA5, b"me@example.org"),
            Ok(()),
        ),
        constrained(
            "another in the subject",
            &org(),
            &[],
            mailed(IA5, b"me@example.com"),
            Err(No::NotPermitted),
        ),
        constrained(
            "one excluded in the subject",
            &[],
            &org(),
            mailed(IA5, b"me@example.org"),
            Err(No::Excluded),
        ),
        constrained(
            "one in the subject in another alphabet",
            &[dns("db")],
            &[],
            mailed(UTF8, b"me@example.org"),
            Err(No::NameSyntax),
        ),
        constrained(
            "a wide address",
            &org(),
            &[],
            is(&[wide_email("é@example.org")]),
            Err(No::NameSyntax),
        )
        .differs("it compares them"),
        constrained(
            "a wide address and no constraint on mail",
            &[dns("db")],
            &[],
            is(&[wide_email("é@x"), dns("db")]),
            Ok(()),
        ),
    ]
}

fn other_names() -> Vec<Case> {
    use Distrust as No;
    let is = |names: &[Vec<u8>]| leaf().with(named(names));
    let org = || [uri("example.org")];
    let unit = |text: &'static [u8]| [directory(&[(O, UTF8, text)])];
    let of = |tag, text: &[u8]| Draft {
        subject: directory_name(&[(O, tag, text), (CN, UTF8, b"db")]),
        ..leaf()
    };
    let nobody = || Draft { subject: directory_name(&[]), ..leaf().with(named(&[dns("db")])) };
    vec![
        constrained(
            "a URI of the host",
            &org(),
            &[],
            is(&[uri("http://example.org:80/x")]),
            Ok(()),
        ),
        constrained(
            "a URI below the host",
            &org(),
            &[],
            is(&[uri("http://db.example.org")]),
            Err(No::NotPermitted),
        ),
        constrained(
            "a URI in the domain",
            &[uri(".example.org")],
            &[],
            is(&[uri("http://db.example.org/")]),
            Ok(()),
        ),
        constrained(
            "a URI excluded",
            &[],
            &org(),
            is(&[uri("http://example.org/")]),
            Err(No::Excluded),
        ),
        constrained("a URI without a host", &org(), &[], is(&[uri("urn:x")]), Err(No::NameSyntax)),
        constrained("no URI", &org(), &[], is(&[dns("db")]), Ok(())),
        constrained("in the organization", &unit(b"Example"), &[], of(UTF8, b"Example"), Ok(())),
        constrained(
            "in the organization, in other letters",
            &unit(b"Example"),
            &[],
            of(PRINTABLE, b"EXAMPLE "),
            Ok(()),
        ),
        constrained(
            "in another organization",
            &unit(b"Example"),
            &[],
            of(UTF8, b"Other"),
            Err(No::NotPermitted),
        ),
        constrained(
            "an organization excluded",
            &[],
            &unit(b"Example"),
            of(UTF8, b"Example"),
            Err(No::Excluded),
        ),
        constrained(
            "one excluded in other letters",
            &[],
            &unit(b"Example"),
            of(UTF8, b"eXAMPLE"),
            Err(No::Excluded),
        ),
        constrained(
            "one excluded in another encoding",
            &[],
            &unit(b"Ex"),
            of(BMP, b"\0E\0x"),
            Err(No::Excluded),
        ),
        constrained("one not excluded", &[], &unit(b"Example"), of(UTF8, b"Other"), Ok(())),
        constrained(
            "an organization among the names",
            &[],
            &unit(b"Example"),
            is(&unit(b"example")),
            Err(No::Excluded),
        ),
        constrained("no subject", &unit(b"Example"), &[], nobody(), Ok(())),
        constrained("all subjects excluded", &[], &[directory(&[])], leaf(), Err(No::Excluded)),
        constrained("a constraint on private names", &[], &[private(1)], is(&[dns("db")]), Ok(())),
        constrained(
            "a private name of that kind",
            &[],
            &[private(1)],
            is(&[private(1)]),
            Err(No::UnknownConstraint),
        ),
        constrained(
            "a private name of another kind",
            &[],
            &[private(1)],
            is(&[private(2)]),
            Ok(()),
        ),
        constrained(
            "a registered name",
            &[],
            &[registered()],
            is(&[registered()]),
            Err(No::UnknownConstraint),
        ),
        constrained("no constraints at all", &[], &[], is(&[dns("db")]), Ok(())),
    ]
}

fn odd_constraints() -> Vec<Case> {
    use Distrust as No;
    let raw = |value: Vec<u8>| middle().with(Extension::new(NAME_CONSTRAINTS, value));
    let tree = |rest: &[u8]| {
        let list = tlv(SEQUENCE, &[&dns("example.org"), rest]);
        tlv(SEQUENCE, &[&tlv(0xa0, &[&list])])
    };
    let org = || Extension::new(NAME_CONSTRAINTS, name_constraints(&[dns("example.org")], &[]));
    let chain = |what, middle: Draft, ours| case(what, &[leaf(), middle, root()], ours);
    let (good, bad) = (leaf, || Draft::new("db.example.com", "middle"));
    vec![
        chain("constraints that are none", raw(vec![5, 0]), Err(No::Unreadable)),
        chain(
            "constraints with something behind",
            raw([tree(&[]), vec![5, 0]].concat()),
            Err(No::Unreadable),
        )
        .differs("it does not look there"),
        chain("a subtree from level 1 on", raw(tree(&[0x80, 1, 1])), Err(No::SubtreeBounds)),
        chain("a subtree down to level 1", raw(tree(&[0x81, 1, 1])), Err(No::SubtreeBounds)),
        chain("a subtree from level 0 on", raw(tree(&[0x80, 1, 0])), Ok(())),
        chain("constraints twice", middle().with(org()).with(org()), Err(No::Unreadable)),
        case("the root's constraints", &[good(), middle(), root().with(org())], Ok(())),
        case(
            "the root's constraints broken",
            &[bad(), middle(), root().with(org())],
            Err(No::NotPermitted),
        ),
        case(
            "an authority within constraints on directories",
            &[
                leaf(),
                middle(),
                root().with(Extension::new(
                    NAME_CONSTRAINTS,
                    name_constraints(&[], &[directory(&[(CN, UTF8, b"Middle")])]),
                )),
            ],
            Err(No::Excluded),
        ),
        case("constraints of the server's own", &[leaf().with(org()), middle(), root()], Ok(())),
    ]
}
