//! Tests with certificates and keys that OpenSSL has just made.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::slice::from_ref;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use psycoxide_proto::Secret;
use rustls::SignatureAlgorithm;
use rustls::crypto::ring::default_provider;

use super::algorithms::algorithms;
use super::binding::end_point;
use super::certificate::Certificate;
use super::chain::Trust;
use super::distrust::Distrust;
use super::general_name::GeneralName;
use super::openssl::OpenSsl;
use super::revocation::RevocationLists;
use super::{key, name, pem};

const DAY: Duration = Duration::from_secs(86_400);

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// The verdict on the first certificate of `sent`, at a given time.
fn verdict_at(
    sent: &[Vec<u8>],
    roots: &[Vec<u8>],
    lists: Option<&RevocationLists>,
    now: Duration,
) -> Result<(), Distrust> {
    let read = |all: &[Vec<u8>]| -> Vec<Certificate<'static>> {
        let leaked = all.iter().map(|der| &*der.clone().leak());
        leaked.map(|der| Certificate::read(der).unwrap()).collect()
    };
    let (sent, roots) = (read(sent), read(roots));
    let algorithms = &algorithms();
    Trust { roots: &roots, lists, algorithms, now }.verify(&sent[0], &sent[1..])
}

fn verdict(sent: &[Vec<u8>], roots: &[Vec<u8>]) -> Result<(), Distrust> {
    verdict_at(sent, roots, None, now())
}

#[test]
fn a_valid_chain_to_a_trusted_certificate_is_trusted() {
    let openssl = OpenSsl::new();
    openssl.authority("ca");
    openssl.authority("other");
    openssl.leaf("db", "ca", "subjectAltName=DNS:db,IP:10.0.0.1,email:me@db");
    let (leaf, ca, other) = (openssl.der("db"), openssl.der("ca"), openssl.der("other"));
    let at = |when| verdict_at(from_ref(&leaf), from_ref(&ca), None, when);
    assert_eq!(at(now()), Ok(()));
    assert_eq!(at(now() + 21 * DAY), Err(Distrust::Expired));
    assert_eq!(at(now() - DAY), Err(Distrust::NotYetValid));
    assert_eq!(verdict(from_ref(&leaf), &[other]), Err(Distrust::UnknownIssuer));
    assert_eq!(verdict(from_ref(&leaf), &[]), Err(Distrust::UnknownIssuer));
    // A chain must end at a self-signed certificate.
    assert_eq!(verdict(from_ref(&leaf), from_ref(&leaf)), Err(Distrust::UnknownIssuer));
    let sent = [leaf.clone(), ca];
    assert_eq!(verdict(&sent, &[]), Err(Distrust::SelfSignedInChain));
    let certificate = Certificate::read(&leaf).unwrap();
    let names =
        [GeneralName::Dns(b"db"), GeneralName::Ip(&[10, 0, 0, 1]), GeneralName::Email(b"me@db")];
    assert_eq!(certificate.alternative_names().unwrap(), names);
    assert_eq!(certificate.subject.common_names().collect::<Vec<_>>(), [b"db"]);
    assert_eq!(name::check(&leaf, "10.0.0.1"), Ok(()));
    assert!(name::check(&leaf, "10.0.0.2").is_err());
}

#[test]
fn certificates_as_the_manual_of_postgresql_makes_them_are_trusted() {
    let openssl = OpenSsl::new();
    // A self-signed certificate that says it is an authority's; then a leaf without any extension.
    openssl.authority("own");
    assert_eq!(verdict(&[openssl.der("own")], &[openssl.der("own")]), Ok(()));
    assert_eq!(verdict(&[openssl.der("own")], &[]), Err(Distrust::SelfSigned));
    openssl.leaf("plain", "own", "");
    let plain = openssl.der("plain");
    assert!(Certificate::read(&plain).unwrap().is_version_1());
    assert_eq!(verdict(from_ref(&plain), &[openssl.der("own")]), Ok(()));
    assert_eq!(name::check(&plain, "plain"), Ok(()));
    // A leaf of version 1 is no authority.
    openssl.leaf("below", "plain", "");
    let sent = [openssl.der("below"), plain];
    assert_eq!(verdict(&sent, &[openssl.der("own")]), Err(Distrust::NotAnAuthority));
}

#[test]
fn intermediates_have_to_be_authorities() {
    let openssl = OpenSsl::new();
    openssl.authority("root");
    let root = [openssl.der("root")];
    for (extensions, expected) in [
        ("basicConstraints=critical,CA:TRUE", Ok(())),
        ("basicConstraints=CA:TRUE\nkeyUsage=keyCertSign", Ok(())),
        ("basicConstraints=CA:TRUE\nkeyUsage=digitalSignature", Err(Distrust::KeyUsage)),
        ("basicConstraints=CA:FALSE", Err(Distrust::NotAnAuthority)),
        ("keyUsage=keyCertSign", Err(Distrust::NotAnAuthority)),
        ("basicConstraints=CA:TRUE\nextendedKeyUsage=clientAuth", Err(Distrust::Purpose)),
        (
            "basicConstraints=CA:TRUE\nnameConstraints=permitted;DNS:org",
            Err(Distrust::NotPermitted),
        ),
        ("basicConstraints=CA:TRUE\nnameConstraints=excluded;DNS:leaf", Err(Distrust::Excluded)),
        ("basicConstraints=CA:TRUE\nnameConstraints=permitted;DNS:leaf", Ok(())),
        ("basicConstraints=CA:TRUE\nnameConstraints=permitted;email:leaf", Ok(())),
        ("basicConstraints=CA:TRUE\n1.2.3.4=critical,DER:0500", Err(Distrust::CriticalExtension)),
        ("basicConstraints=CA:TRUE\n1.2.3.4=DER:0500", Ok(())),
    ] {
        openssl.leaf("middle", "root", extensions);
        openssl.leaf("leaf", "middle", "basicConstraints=CA:FALSE");
        let sent = [openssl.der("leaf"), openssl.der("middle")];
        assert_eq!(verdict(&sent, &root), expected, "{extensions}");
        assert_eq!(verdict(&sent[..1], &root), Err(Distrust::UnknownIssuer));
    }
    openssl.leaf("middle", "root", "basicConstraints=CA:TRUE,pathlen:0");
    openssl.leaf("lower", "middle", "basicConstraints=CA:TRUE");
    openssl.leaf("leaf", "lower", "basicConstraints=CA:FALSE");
    let sent = ["leaf", "lower", "middle"].map(|name| openssl.der(name));
    assert_eq!(verdict(&sent, &root), Err(Distrust::PathLength));
    assert_eq!(verdict(&sent[1..], &root), Ok(()));
}

#[test]
fn every_kind_of_signature_of_today_is_verified() {
    let openssl = OpenSsl::new();
    for (key, hashes) in [
        ("ec -pkeyopt ec_paramgen_curve:prime256v1", &["sha256", "sha384", "sha512"][..]),
        ("ec -pkeyopt ec_paramgen_curve:secp384r1", &["sha256", "sha384", "sha512"]),
        ("ec -pkeyopt ec_paramgen_curve:secp521r1", &["sha384", "sha512"]),
        ("rsa:2048", &["sha256", "sha384", "sha512"]),
        ("rsa:2048", &["sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:-1"]),
    ] {
        openssl.run(&format!(
            "req -x509 -nodes -subj /CN=ca -newkey {key} -keyout ca.key -out ca.crt"
        ));
        for hash in hashes {
            openssl.run("req -new -nodes -subj /CN=db -newkey ed25519 -keyout db.key -out db.csr");
            openssl.run(&format!(
                "x509 -req -in db.csr -{hash} -CA ca.crt -CAkey ca.key -CAcreateserial -out db.crt"
            ));
            let (leaf, ca) = (openssl.der("db"), openssl.der("ca"));
            assert_eq!(verdict(from_ref(&leaf), from_ref(&ca)), Ok(()), "{key} {hash}");
            let mut forged = leaf;
            let at = forged.windows(2).position(|bytes| bytes == b"db").unwrap();
            forged[at] = b'x';
            let expected = Err(Distrust::UnknownIssuer);
            assert_eq!(verdict(&[forged], &[ca]), expected, "{key} {hash}");
        }
    }
}

/// OpenSSL's security level 2, its default, has the same limits. Only SHA-224 is unknown here.
#[test]
fn weak_signatures_are_not_trusted() {
    let openssl = OpenSsl::new();
    for (key, hash, theirs) in [
        ("rsa:2048", "sha256", true),
        ("rsa:2048", "sha1", false),
        ("rsa:2048", "md5", false),
        ("rsa:1024", "sha256", false),
        ("ec -pkeyopt ec_paramgen_curve:prime256v1", "sha1", false),
        ("rsa:2048", "sha224", true),
    ] {
        openssl.run(&format!(
            "req -x509 -nodes -subj /CN=ca -newkey {key} -keyout ca.key -out ca.crt"
        ));
        openssl.run("req -new -nodes -subj /CN=db -newkey ed25519 -keyout db.key -out db.csr");
        openssl.run(&format!(
            "x509 -req -in db.csr -{hash} -CA ca.crt -CAkey ca.key -CAcreateserial -out db.crt"
        ));
        let ours = verdict(&[openssl.der("db")], &[openssl.der("ca")]);
        let is_sound = (key, hash) == ("rsa:2048", "sha256");
        let expected = if is_sound { Ok(()) } else { Err(Distrust::UnknownIssuer) };
        assert_eq!(ours, expected, "{key} {hash}");
        let verified = openssl.runs("verify -auth_level 2 -CAfile ca.crt db.crt");
        assert_eq!(verified, theirs, "OpenSSL: {key} {hash}");
    }
}

#[test]
fn a_certificate_for_another_purpose_is_refused() {
    let openssl = OpenSsl::new();
    openssl.authority("ca");
    let ca = [openssl.der("ca")];
    for (extensions, expected) in [
        ("extendedKeyUsage=serverAuth", Ok(())),
        ("extendedKeyUsage=clientAuth,serverAuth", Ok(())),
        ("extendedKeyUsage=clientAuth", Err(Distrust::Purpose)),
        ("keyUsage=digitalSignature", Ok(())),
        ("keyUsage=keyCertSign", Err(Distrust::Purpose)),
    ] {
        openssl.leaf("db", "ca", extensions);
        assert_eq!(verdict(&[openssl.der("db")], &ca), expected, "{extensions}");
    }
}

/// Extensions of a server's certificate, then of an authority's.
const OF_LEAVES: &[&str] = &[
    "basicConstraints=CA:FALSE",
    "basicConstraints=critical,CA:TRUE",
    "keyUsage=critical,digitalSignature",
    "keyUsage=keyAgreement",
    "keyUsage=keyEncipherment,dataEncipherment",
    "keyUsage=nonRepudiation",
    "keyUsage=cRLSign",
    "extendedKeyUsage=critical,serverAuth",
    "extendedKeyUsage=anyExtendedKeyUsage",
    "extendedKeyUsage=codeSigning",
    "extendedKeyUsage=clientAuth,timeStamping",
    "nsCertType=client",
    "nsCertType=server",
    "nsCertType=critical,client,server",
    "nsCertType=objCA",
    "subjectAltName=critical,DNS:leaf",
    "certificatePolicies=critical,1.2.3.4",
    "crlDistributionPoints=critical,URI:http://localhost/x",
    "inhibitAnyPolicy=critical,0",
    "policyConstraints=critical,requireExplicitPolicy:0",
    "subjectKeyIdentifier=critical,hash",
    "issuerAltName=critical,DNS:ca",
    "authorityInfoAccess=critical,OCSP;URI:http://localhost/",
    "tlsfeature=critical,status_request",
    "1.2.3.4=critical,DER:0500",
];
const OF_AUTHORITIES: &[&str] = &[
    "",
    "basicConstraints=CA:TRUE",
    "basicConstraints=critical,CA:TRUE,pathlen:0",
    "basicConstraints=critical,CA:FALSE",
    "subjectKeyIdentifier=hash",
    "keyUsage=keyCertSign",
    "keyUsage=cRLSign",
    "nsCertType=sslCA",
    "basicConstraints=CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign",
    "basicConstraints=CA:TRUE\nkeyUsage=cRLSign",
    "basicConstraints=CA:TRUE\nnsCertType=client",
    "basicConstraints=CA:TRUE\nnsCertType=emailCA",
    "basicConstraints=CA:TRUE\nnsCertType=sslCA",
    "basicConstraints=CA:TRUE\nextendedKeyUsage=serverAuth",
    "basicConstraints=CA:TRUE\nextendedKeyUsage=anyExtendedKeyUsage",
    "basicConstraints=CA:TRUE\nextendedKeyUsage=emailProtection",
    "basicConstraints=CA:TRUE\ncertificatePolicies=critical,1.2.3.4",
    "basicConstraints=CA:TRUE\npolicyConstraints=critical,requireExplicitPolicy:0",
    "basicConstraints=CA:TRUE\npolicyMappings=critical,1.2.3.4:1.2.3.5",
    "basicConstraints=CA:TRUE\ninhibitAnyPolicy=critical,0",
    "basicConstraints=CA:TRUE\nnameConstraints=critical,permitted;DNS:org",
    "basicConstraints=CA:TRUE\nnameConstraints=critical,permitted;DNS:.leaf.org",
    "basicConstraints=CA:TRUE\nnameConstraints=critical,excluded;DNS:LEAF.ORG",
    "basicConstraints=CA:TRUE\nnameConstraints=critical,excluded;DNS:other",
    "basicConstraints=CA:TRUE\nnameConstraints=permitted;IP:10.0.0.0/255.0.0.0",
    "basicConstraints=CA:TRUE\nnameConstraints=excluded;IP:10.0.0.0/255.0.0.0",
    "basicConstraints=CA:TRUE\n1.2.3.4=critical,DER:0500",
];

#[test]
fn verdicts_are_those_of_openssl() {
    let openssl = OpenSsl::new();
    openssl.authority("root");
    openssl.run("x509 -x509toreq -in root.crt -signkey root.key -out root.csr");
    openssl.leaf("middle", "root", "basicConstraints=CA:TRUE");
    let named = [
        "subjectAltName=DNS:leaf.org",
        "subjectAltName=IP:10.0.0.1",
        "keyUsage=critical,digitalSignature",
    ];
    openssl.leaf("leaf.org", "middle", "");
    let file = |number: usize| format!("leaf{number}");
    for (number, extensions) in named.iter().chain(OF_LEAVES).enumerate() {
        openssl.sign("leaf.org", "middle", extensions);
        fs::rename(openssl.path("leaf.org.crt"), openssl.path(&file(number)) + ".crt").unwrap();
    }
    let mut differences = Vec::new();
    let mut compare = |what: &str, leaves: usize| {
        let with = "verify -purpose sslserver -CAfile root.crt -untrusted middle.crt";
        for leaf in (0..leaves).map(file) {
            let theirs = openssl.runs(&format!("{with} {leaf}.crt"));
            let sent = [openssl.der(&leaf), openssl.der("middle")];
            let ours = verdict(&sent, &[openssl.der("root")]);
            if ours.is_ok() != theirs {
                differences.push(format!("{what}, {leaf}: {ours:?}, OpenSSL: {theirs}"));
            }
        }
    };
    compare("nothing odd", named.len() + OF_LEAVES.len());
    for extensions in OF_AUTHORITIES {
        openssl.sign("middle", "root", extensions);
        compare(&format!("authority with {extensions:?}"), named.len());
    }
    openssl.sign("middle", "root", "basicConstraints=CA:TRUE");
    for extensions in OF_AUTHORITIES {
        openssl.sign("root", "root", extensions);
        compare(&format!("root with {extensions:?}"), named.len());
    }
    assert!(differences.is_empty(), "{differences:#?}");
}

#[test]
fn a_certificate_with_a_changed_byte_is_not_trusted() {
    let openssl = OpenSsl::new();
    openssl.authority("ca");
    openssl.leaf("db", "ca", "basicConstraints=CA:FALSE\nsubjectAltName=DNS:db,IP:10.0.0.1");
    let (genuine, ca) = (openssl.der("db"), openssl.der("ca"));
    assert_eq!(verdict(from_ref(&genuine), from_ref(&ca)), Ok(()));
    let roots = [Certificate::read(&ca).unwrap()];
    let algorithms = &algorithms();
    let trust = Trust { roots: &roots, lists: None, algorithms, now: now() };
    for at in 0..genuine.len() {
        for change in [1, 0x80] {
            let mut forged = genuine.clone();
            forged[at] ^= change;
            let read = Certificate::read(&forged);
            let trusted = read.is_ok_and(|leaf| trust.verify(&leaf, &[]).is_ok());
            assert!(!trusted, "byte {at} changed by {change:#x}");
            // The other readers do not panic either.
            let _ = name::check(&forged, "db");
            let _ = end_point(&forged);
        }
        let cut = genuine.get(..at).unwrap_or_default();
        assert!(Certificate::read(cut).is_err());
    }
}

#[test]
fn revoked_and_doubtful_certificates_are_refused() {
    let openssl = OpenSsl::new();
    openssl.authority("ca");
    openssl.leaf("good", "ca", "basicConstraints=CA:FALSE");
    openssl.leaf("bad", "ca", "basicConstraints=CA:FALSE");
    openssl.write("index.txt", "");
    openssl.write("number", "01");
    openssl.write(
        "ca.cnf",
        "[ca]\ndefault_ca=a\n[a]\ndatabase=index.txt\ndefault_md=sha256\ncrlnumber=number\n\
         default_crl_days=10\n[users]\nissuingDistributionPoint=critical,@users_only\n[users_only]\n\
         onlyuser=TRUE\n[cas]\nissuingDistributionPoint=critical,@cas_only\n[cas_only]\nonlyCA=TRUE\n\
         [place]\nissuingDistributionPoint=critical,@named\n[named]\nfullname=URI:http://x/\n",
    );
    let with = "ca -config ca.cnf -keyfile ca.key -cert ca.crt";
    let made = |how: &str| {
        let list = openssl.run(&format!("{with} -gencrl {how}"));
        pem::blocks(&list)[0].der.to_vec()
    };
    let of_old = "-crl_lastupdate 20240101000000Z -crl_nextupdate 20990101000000Z";
    let (empty, old_empty) = (made(""), made(of_old));
    openssl.run(&format!("{with} -revoke bad.crt"));
    let list = openssl.run(&format!("{with} -gencrl"));
    let lists = RevocationLists::new(vec![pem::blocks(&list)[0].der.to_vec()]);
    let ca = [openssl.der("ca")];
    let check = |name: &str, lists: &RevocationLists, when| {
        verdict_at(&[openssl.der(name)], &ca, Some(lists), when)
    };
    assert_eq!(check("good", &lists, now()), Ok(()));
    assert_eq!(check("bad", &lists, now()), Err(Distrust::Revoked));
    assert_eq!(check("good", &lists, now() + 11 * DAY), Err(Distrust::ListExpired));
    assert_eq!(check("good", &RevocationLists::default(), now()), Err(Distrust::NoList));
    let mut forged = pem::blocks(&list)[0].der.to_vec();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    assert_eq!(
        check("good", &RevocationLists::new(vec![forged]), now()),
        Err(Distrust::ListSignature)
    );

    let bad = |lists: &[&Vec<u8>]| {
        let forth =
            check("bad", &RevocationLists::new(lists.iter().copied().cloned().collect()), now());
        let back = RevocationLists::new(lists.iter().rev().copied().cloned().collect());
        assert_eq!(check("bad", &back, now()), forth);
        forth
    };
    let (full, old) = (made(""), made(of_old));
    assert_eq!(bad(&[&full, &old_empty]), Err(Distrust::Revoked));
    assert_eq!(bad(&[&old, &empty]), Ok(()), "it was on hold");
    assert_eq!(bad(&[&old, &old_empty]), Err(Distrust::Revoked));
    let [users, cas, place] = ["users", "cas", "place"].map(|of| made(&format!("-crlexts {of}")));
    assert_eq!(bad(&[&users, &cas]), Err(Distrust::Revoked));
    assert_eq!(bad(&[&users]), Err(Distrust::Revoked));
    assert_eq!(bad(&[&cas]), Err(Distrust::NoList));
    assert_eq!(bad(&[&place]), Err(Distrust::NoList));
    let checked = |lists: [&Vec<u8>; 2]| {
        check("good", &RevocationLists::new(lists.map(Clone::clone).to_vec()), now())
    };
    assert_eq!(checked([&users, &cas]), Ok(()));
    assert_eq!(checked([&users, &place]), Err(Distrust::NoList), "nothing about the authority");
}

#[test]
fn channel_binding_hashes_as_the_certificate_is_signed() {
    let openssl = OpenSsl::new();
    let rsa = "req -x509 -nodes -subj /CN=x -newkey rsa:2048 -keyout x.key -out x.crt";
    let ec = "req -x509 -nodes -subj /CN=x -newkey ec -pkeyopt ec_paramgen_curve:secp384r1 \
              -keyout x.key -out x.crt";
    let pss = "-sigopt rsa_padding_mode:pss";
    for (command, hash) in [
        (format!("{rsa} -sha1"), "sha256"),
        (format!("{rsa} -sha256"), "sha256"),
        (format!("{rsa} -sha384"), "sha384"),
        (format!("{rsa} -sha512"), "sha512"),
        (format!("{rsa} -sha256 {pss}"), "sha256"),
        (format!("{rsa} -sha512 {pss}"), "sha512"),
        (format!("{ec} -sha256"), "sha256"),
        (format!("{ec} -sha384"), "sha384"),
        (format!("{ec} -sha512"), "sha512"),
    ] {
        openssl.run(&command);
        let der = openssl.der("x");
        fs::write(openssl.0.join("x.der"), &der).unwrap();
        let expected = openssl.run(&format!("dgst -{hash} -binary x.der"));
        assert_eq!(end_point(&der), Some(expected), "{command}");
    }
    openssl.run("req -x509 -nodes -subj /CN=x -newkey ed25519 -keyout x.key -out x.crt");
    assert_eq!(end_point(&openssl.der("x")), None);
    assert_eq!(end_point(b"garbage"), None);
}

fn load(path: &str, password: Option<&str>) -> Result<SignatureAlgorithm, String> {
    let password = password.map(Secret::from);
    key::load(path, password.as_ref(), &default_provider()).map(|key| key.algorithm())
}

#[test]
fn keys_are_read_in_every_format() {
    use SignatureAlgorithm as Algorithm;
    let openssl = OpenSsl::new();
    openssl.run("genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:2048 -out rsa.key");
    openssl.run("rsa -in rsa.key -traditional -out rsa1.key");
    openssl.run("pkcs8 -topk8 -in rsa.key -outform der -nocrypt -out rsa.der");
    openssl.run("rsa -in rsa.key -traditional -outform der -out rsa1.der");
    openssl.run("ecparam -name prime256v1 -genkey -out sec1.key");
    openssl.run("genpkey -algorithm ec -pkeyopt ec_paramgen_curve:secp384r1 -out ec.key");
    openssl.run("genpkey -algorithm ed25519 -out ed.key");
    for (name, expected) in [
        ("rsa.key", Algorithm::RSA),
        ("rsa1.key", Algorithm::RSA),
        ("rsa.der", Algorithm::RSA),
        ("rsa1.der", Algorithm::RSA),
        ("sec1.key", Algorithm::ECDSA),
        ("ec.key", Algorithm::ECDSA),
        ("ed.key", Algorithm::ED25519),
    ] {
        allow(&openssl.0.join(name), 0o600);
        assert_eq!(load(&openssl.path(name), None), Ok(expected), "{name}");
        assert_eq!(load(&openssl.path(name), Some("ignored")), Ok(expected), "{name}");
    }
}

#[test]
fn encrypted_keys_need_their_password() {
    let openssl = OpenSsl::new();
    openssl.run("genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:2048 -out rsa.key");
    for command in [
        "pkcs8 -topk8 -in rsa.key -passout pass:sesame",
        "pkcs8 -topk8 -in rsa.key -passout pass:sesame -v2 aes-128-cbc -v2prf hmacWithSHA512",
        "pkcs8 -topk8 -in rsa.key -passout pass:sesame -v2 des3 -v2prf hmacWithSHA1",
        "pkcs8 -topk8 -in rsa.key -passout pass:sesame -scrypt",
        "rsa -in rsa.key -traditional -passout pass:sesame -aes256",
        "rsa -in rsa.key -traditional -passout pass:sesame -aes192",
        "rsa -in rsa.key -traditional -passout pass:sesame -aes128",
        "rsa -in rsa.key -traditional -passout pass:sesame -des3",
    ] {
        openssl.run(&format!("{command} -out sealed.key"));
        let path = openssl.path("sealed.key");
        allow(Path::new(&path), 0o600);
        assert_eq!(load(&path, Some("sesame")), Ok(SignatureAlgorithm::RSA), "{command}");
        let text = load(&path, None).unwrap_err();
        assert!(text.ends_with("bad password read"), "{command}: {text}");
        let text = load(&path, Some("open")).unwrap_err();
        assert!(text.starts_with("could not load private key file"), "{command}: {text}");
        assert!(!text.contains("open"), "{text}");
    }
}

#[test]
fn the_cost_of_a_keys_encryption_is_limited() {
    let openssl = OpenSsl::new();
    openssl.run("genpkey -algorithm ed25519 -out ed.key");
    let seal = "pkcs8 -topk8 -in ed.key -passout pass:sesame -outform der -out sealed";
    let read = |der: &[u8]| {
        let text = format!(
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\n{}\n-----END ENCRYPTED PRIVATE KEY-----\n",
            STANDARD.encode(der)
        );
        key::read(text.as_bytes(), Some(&Secret::from("sesame"))).map(drop)
    };
    // The parameters in the file, and their replacements: N, r and p of scrypt; PBKDF2's rounds.
    let scrypt = "-scrypt -scrypt_N 16 -scrypt_r 1 -scrypt_p 1";
    let [n, lanes]: [&[u8]; 2] = [&[2, 1, 16, 2, 1, 1, 2, 1, 1], &[2, 1, 1, 2, 1, 1, 0x30]];
    let rounds: &[u8] = &[2, 3, 1, 0, 1];
    let too_much = Err("unsupported encryption");
    for (how, found, at, byte, expected) in [
        (scrypt, n, 2, 16, Ok(())),
        (scrypt, n, 2, 3, Err("bad decrypt")),
        (scrypt, n, 5, 0, Err("bad decrypt")),
        (scrypt, lanes, 5, 0, Err("bad decrypt")),
        ("-scrypt -scrypt_N 16384", &[2, 2, 0x40, 0][..], 2, 0x40, Ok(())),
        ("-scrypt -scrypt_N 16384", &[2, 2, 0x40, 0, 2, 1, 8], 6, 16, too_much),
        ("-iter 65537", rounds, 2, 1, Ok(())),
        ("-iter 65537", rounds, 2, 0x7f, too_much),
    ] {
        openssl.run(&format!("{seal} {how}"));
        let mut der = fs::read(openssl.0.join("sealed")).unwrap();
        let place = der.windows(found.len()).position(|bytes| bytes == found).unwrap();
        der[place + at] = byte;
        assert_eq!(read(&der), expected, "{how} {at} {byte}");
    }
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let openssl = OpenSsl::new();
    openssl.run("genpkey -algorithm ed25519 -out x.key");
    let path = openssl.path("x.key");
    let is_root = rustix::process::geteuid().is_root();
    for (mode, allowed) in
        [(0o600, true), (0o400, true), (0o640, is_root), (0o660, false), (0o604, false)]
    {
        allow(Path::new(&path), mode);
        let loaded = load(&path, None);
        assert_eq!(loaded.is_ok(), allowed, "{mode:o}: {loaded:?}");
        if let Err(text) = loaded {
            assert!(text.contains("has group or world access"), "{text}");
        }
    }
    let text = load(&openssl.path("none"), None).unwrap_err();
    assert!(text.starts_with("certificate present, but not private key file"), "{text}");
    let text = load(&openssl.0.to_string_lossy(), None).unwrap_err();
    assert!(text.ends_with("is not a regular file"), "{text}");
}

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}
