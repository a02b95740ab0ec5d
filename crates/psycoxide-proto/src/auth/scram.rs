//! SCRAM-SHA-256 (RFC 5802, RFC 7677) and its channel binding (RFC 5929).
//!
//! <https://www.postgresql.org/docs/current/sasl-authentication.html>

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::derivation::{Derivation, MAX_ITERATIONS};
use super::key_cache::{KeyCache, Label};
use super::keys::{Keys, mac};
use super::saslprep::saslprep;
use crate::error::AuthError;

/// The client's statement about channel binding: RFC 5802's `gs2-cbind-flag` and its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Binding {
    /// `n`: the client does not support it.
    Unsupported,
    /// `y`: the client supports it, but thinks that the server does not.
    NotOffered,
    /// `p`: bound to the server's certificate, whose hash this is.
    EndPoint(Vec<u8>),
}

impl Binding {
    fn header(&self) -> &'static str {
        match self {
            Binding::Unsupported => "n,,",
            Binding::NotOffered => "y,,",
            Binding::EndPoint(_) => "p=tls-server-end-point,,",
        }
    }

    /// The `c=` attribute: the header and the data, in base64.
    fn encoded(&self) -> String {
        let mut input = self.header().as_bytes().to_vec();
        if let Binding::EndPoint(hash) = self {
            input.extend_from_slice(hash);
        }
        STANDARD.encode(input)
    }
}

/// One exchange, from the client's first message to the proof that the server knows the password.
pub(crate) struct Exchange {
    binding: Binding,
    nonce: String,
    cache: KeyCache,
    step: Step,
}

enum Step {
    /// The first message was sent.
    First(Credential),
    /// The password is being stretched, unless its keys are known.
    Deriving {
        source: Box<KeySource>,
        label: Option<Label>,
        auth_message: String,
        final_bare: String,
    },
    /// The final message was sent; the server must answer with the signature `expected`.
    Final { expected: [u8; 32], label: Option<Label>, keys: Arc<Keys> },
    /// The server has proved that it knows the password.
    Verified,
}

/// The secret that the client proves to know.
enum Credential {
    Password(Zeroizing<Vec<u8>>),
    /// The keys of a password, without the password.
    Keys(Arc<Keys>),
}

/// Where the keys come from.
enum KeySource {
    Known(Arc<Keys>),
    Derived(Derivation),
}

impl Exchange {
    /// `nonce` must be printable ASCII without a comma. `cache` may know the keys already.
    pub(crate) fn new(
        password: &[u8],
        nonce: String,
        binding: Binding,
        cache: KeyCache,
    ) -> Exchange {
        let password = Zeroizing::new(saslprep(password).into_owned());
        Exchange { binding, nonce, cache, step: Step::First(Credential::Password(password)) }
    }

    /// An exchange with keys instead of a password.
    pub(crate) fn with_keys(keys: Arc<Keys>, nonce: String, binding: Binding) -> Exchange {
        let step = Step::First(Credential::Keys(keys));
        Exchange { binding, nonce, cache: KeyCache::default(), step }
    }

    /// `client-first-message`. PostgreSQL takes the user from the StartupMessage and ignores the
    /// one here, so it is left empty, as in libpq.
    pub(crate) fn first_message(&self) -> String {
        format!("{}n=,r={}", self.binding.header(), self.nonce)
    }

    /// Takes the `server-first-message`. After that, [`Self::work`] stretches the password.
    pub(crate) fn server_first(&mut self, message: &[u8]) -> Result<(), AuthError> {
        let Step::First(credential) = &self.step else {
            return Err(AuthError::OutOfOrder("unexpected SASL continuation from server"));
        };
        let message =
            std::str::from_utf8(message).map_err(|_| AuthError::Scram("not valid UTF-8"))?;
        let ServerFirst { nonce, salt, iterations } = ServerFirst::parse(message)?;
        if nonce.len() <= self.nonce.len() || !nonce.starts_with(&self.nonce) {
            return Err(AuthError::Nonce);
        }
        let (label, source) = match credential {
            Credential::Keys(keys) => (None, KeySource::Known(Arc::clone(keys))),
            Credential::Password(password) => {
                let label = self.cache.label(password, &salt, iterations);
                let source = match label.as_ref().and_then(|label| self.cache.get(label)) {
                    Some(keys) => KeySource::Known(keys),
                    None => KeySource::Derived(Derivation::new(password, &salt, iterations)?),
                };
                (label, source)
            }
        };
        let source = Box::new(source);
        let final_bare = format!("c={},r={nonce}", self.binding.encoded());
        let auth_message = format!("n=,r={},{message},{final_bare}", self.nonce);
        self.step = Step::Deriving { source, label, auth_message, final_bare };
        Ok(())
    }

    /// Whether rounds are left to do before the final message.
    pub(crate) fn is_working(&self) -> bool {
        matches!(self.step, Step::Deriving { .. })
    }

    /// Does a slice of rounds. Returns the `client-final-message` after the last.
    pub(crate) fn work(&mut self) -> Option<String> {
        let Step::Deriving { source, label, auth_message, final_bare } = &mut self.step else {
            return None;
        };
        let keys = match &mut **source {
            KeySource::Known(keys) => Arc::clone(keys),
            KeySource::Derived(derivation) => Arc::new(Keys::new(&derivation.work()?)),
        };
        let signature = mac(&*keys.stored, auth_message.as_bytes());
        let mut proof = *keys.client;
        for (byte, other) in proof.iter_mut().zip(signature) {
            *byte ^= other;
        }
        let message = format!("{final_bare},p={}", STANDARD.encode(proof));
        proof.zeroize();
        let expected = mac(&*keys.server, auth_message.as_bytes());
        self.step = Step::Final { expected, label: *label, keys };
        Some(message)
    }

    /// Takes the `server-final-message` and checks the server's signature.
    pub(crate) fn server_final(&mut self, message: &[u8]) -> Result<(), AuthError> {
        let Step::Final { expected, label, keys } = &self.step else {
            return Err(AuthError::OutOfOrder("unexpected end of the SASL exchange from server"));
        };
        let message =
            std::str::from_utf8(message).map_err(|_| AuthError::Scram("not valid UTF-8"))?;
        if let Some(reason) = message.strip_prefix("e=") {
            return Err(AuthError::ScramRefused(reason.to_owned()));
        }
        let signature = message
            .strip_prefix("v=")
            .and_then(|text| STANDARD.decode(text).ok())
            .ok_or(AuthError::Scram("invalid server signature"))?;
        if !bool::from(signature.as_slice().ct_eq(expected.as_slice())) {
            return Err(AuthError::ServerSignature);
        }
        // Not earlier: only a server that knows the password may fill the cache.
        if let Some(label) = label {
            self.cache.keep(*label, keys);
        }
        self.step = Step::Verified;
        Ok(())
    }

    /// Whether the server has proved that it knows the password.
    pub(crate) fn is_verified(&self) -> bool {
        matches!(self.step, Step::Verified)
    }

    /// Whether the exchange is bound to the TLS channel.
    pub(crate) fn is_bound(&self) -> bool {
        matches!(self.binding, Binding::EndPoint(_))
    }
}

/// The value that the server stores in `pg_authid.rolpassword` for SCRAM, as
/// `PQencryptPasswordConn` makes it: `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`.
///
/// # Errors
/// If `iterations` is not in 1..=10,000,000.
pub fn stored(password: &[u8], salt: &[u8], iterations: u32) -> Result<String, AuthError> {
    let mut derivation = Derivation::new(&saslprep(password), salt, iterations)?;
    let keys = loop {
        if let Some(salted) = derivation.work() {
            break Keys::new(&salted);
        }
    };
    Ok(format!(
        "SCRAM-SHA-256${iterations}:{}${}:{}",
        STANDARD.encode(salt),
        STANDARD.encode(*keys.stored),
        STANDARD.encode(*keys.server)
    ))
}

/// `server-first-message`: `r=nonce,s=salt,i=iterations`.
#[derive(Debug, PartialEq, Eq)]
struct ServerFirst<'a> {
    nonce: &'a str,
    salt: Vec<u8>,
    iterations: u32,
}

impl<'a> ServerFirst<'a> {
    fn parse(message: &'a str) -> Result<ServerFirst<'a>, AuthError> {
        let mut attributes = message.split(',');
        let mut next = |name: &str, missing: &'static str| {
            attributes
                .next()
                .and_then(|attribute| attribute.strip_prefix(name))
                .ok_or(AuthError::Scram(missing))
        };
        // A mandatory extension (`m=`) comes first, so it is refused here, as RFC 5802 demands.
        let nonce = next("r=", "nonce expected")?;
        if !nonce.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(AuthError::Scram("non-printable characters in nonce"));
        }
        let salt = next("s=", "salt expected")?;
        let salt = STANDARD.decode(salt).map_err(|_| AuthError::Scram("invalid salt"))?;
        let iterations = iterations(next("i=", "iteration count expected")?)?;
        if attributes.next().is_some() {
            return Err(AuthError::Scram("garbage at end of server-first-message"));
        }
        Ok(ServerFirst { nonce, salt, iterations })
    }
}

/// A decimal number within bounds.
fn iterations(text: &str) -> Result<u32, AuthError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = if digits { text.parse().ok() } else { None };
    number.filter(|number| (1..=MAX_ITERATIONS).contains(number)).ok_or(AuthError::Iterations)
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    /// The example of RFC 7677, section 3. Only the keys and the salted password are taken from
    /// there, because PostgreSQL leaves the user's name empty.
    #[test]
    fn rfc_7677_salted_password() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let mut derivation = Derivation::new(b"pencil", &salt, 4096).unwrap();
        let salted = derivation.work().expect("4095 rounds are one slice");
        let keys = Keys::new(&salted);
        let auth = "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)\
                    hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDp\
                    WUa2RaTCAfuxFIlj)hNlF$k0";
        let signature = mac(&*keys.stored, auth.as_bytes());
        let proof: Vec<u8> = keys.client.iter().zip(signature).map(|(a, b)| a ^ b).collect();
        assert_eq!(STANDARD.encode(proof), "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
        assert_eq!(
            STANDARD.encode(mac(&*keys.server, auth.as_bytes())),
            "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
        );
    }

    /// The keys derived from a password work as well as the password.
    #[test]
    fn keys_stand_for_a_password() {
        let mut derivation =
            Derivation::new(b"pencil", &STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap(), 4096)
                .unwrap();
        let keys = Keys::new(&derivation.work().unwrap());
        let given = Keys::given(keys.client.clone(), keys.server.clone());
        assert_eq!(given.stored, keys.stored);
        let nonce = "rOprNGfwEbeRWgbNEkqO".to_owned();
        play(Exchange::with_keys(Arc::new(given), nonce, Binding::Unsupported), true);
    }

    /// The value that a PostgreSQL 15 server stored for `ALTER ROLE … PASSWORD 'testerpw'`.
    #[test]
    fn the_verifier_is_the_servers() {
        let salt = STANDARD.decode("OYHGna71ihUPOT2cP1qwfQ==").unwrap();
        assert_eq!(
            stored(b"testerpw", &salt, 4096).unwrap(),
            "SCRAM-SHA-256$4096:OYHGna71ihUPOT2cP1qwfQ==$\
             /aZ1q5JdfbwjngGuXE5NEsqQQN85dg0rFuxHsLf17tc=:\
             3/oBjO2KGwZcKnjgvOMyN/9JelBOci1h/v30SYI7bsU="
        );
        assert_eq!(stored(b"x", &salt, 0), Err(AuthError::Iterations));
    }

    fn exchange() -> Exchange {
        exchange_with(&KeyCache::default(), b"pencil")
    }

    fn exchange_with(cache: &KeyCache, password: &[u8]) -> Exchange {
        let nonce = "rOprNGfwEbeRWgbNEkqO".to_owned();
        Exchange::new(password, nonce, Binding::Unsupported, cache.clone())
    }

    const FIRST: &[u8] = b"r=rOprNGfwEbeRWgbNEkqO%hvYDp,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    /// The second exchange uses the keys of the first and sends the same.
    #[test]
    fn a_whole_exchange() {
        let cache = KeyCache::new(Zeroizing::new([7; 32]));
        for known in [false, true] {
            play(exchange_with(&cache, b"pencil"), known);
        }
    }

    #[test]
    fn keys_are_cached_once_the_server_has_proved_that_it_knows_them() {
        let cache = KeyCache::new(Zeroizing::new([7; 32]));
        let mut refused = exchange_with(&cache, b"pencil");
        refused.server_first(FIRST).unwrap();
        refused.work().unwrap();
        assert!(refused.server_final(b"v=AAAA").is_err());
        play(exchange_with(&cache, b"pencil"), false);
        for (password, first) in [
            (&b"pencils"[..], FIRST),
            (b"pencil", b"r=rOprNGfwEbeRWgbNEkqO%hvYDp,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4097"),
            (b"pencil", b"r=rOprNGfwEbeRWgbNEkqO%hvYDp,s=W22ZaJ0SNY7soEsUEjb6gA==,i=4096"),
        ] {
            let mut other = exchange_with(&cache, password);
            other.server_first(first).unwrap();
            let Step::Deriving { source, .. } = &other.step else { panic!() };
            assert!(matches!(**source, KeySource::Derived(_)));
        }
    }

    /// Plays the server, which knows the password, to the end.
    fn play(mut exchange: Exchange, known: bool) {
        assert_eq!(exchange.first_message(), "n,,n=,r=rOprNGfwEbeRWgbNEkqO");
        exchange.server_first(FIRST).unwrap();
        assert!(exchange.is_working() && !exchange.is_verified());
        let Step::Deriving { source, .. } = &exchange.step else { panic!() };
        assert_eq!(matches!(**source, KeySource::Known(_)), known);
        let message = exchange.work().unwrap();
        assert!(message.starts_with("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDp,p="), "{message}");
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let mut derivation = Derivation::new(b"pencil", &salt, 4096).unwrap();
        let keys = Keys::new(&derivation.work().unwrap());
        let auth = format!(
            "n=,r=rOprNGfwEbeRWgbNEkqO,{},c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDp",
            std::str::from_utf8(FIRST).unwrap()
        );
        // The server recovers ClientKey from the proof and compares its hash with StoredKey.
        let proof = STANDARD.decode(message.rsplit_once("p=").unwrap().1).unwrap();
        let signature = mac(&*keys.stored, auth.as_bytes());
        let client: Vec<u8> = proof.iter().zip(signature).map(|(a, b)| a ^ b).collect();
        assert_eq!(Sha256::digest(&client).as_slice(), keys.stored.as_slice());
        let answer = STANDARD.encode(mac(&*keys.server, auth.as_bytes()));
        exchange.server_final(format!("v={answer}").as_bytes()).unwrap();
        assert!(exchange.is_verified());
    }

    #[test]
    fn a_server_that_does_not_know_the_password_is_refused() {
        let mut exchange = exchange();
        exchange.server_first(FIRST).unwrap();
        exchange.work().unwrap();
        let wrong = format!("v={}", STANDARD.encode([7; 32]));
        assert_eq!(exchange.server_final(wrong.as_bytes()), Err(AuthError::ServerSignature));
        assert_eq!(exchange.server_final(b"v=AAAA"), Err(AuthError::ServerSignature));
        assert_eq!(exchange.server_final(b"v="), Err(AuthError::ServerSignature));
        assert!(exchange.server_final(b"v=!").is_err());
        assert_eq!(
            exchange.server_final(b"e=invalid-proof"),
            Err(AuthError::ScramRefused("invalid-proof".to_owned()))
        );
        assert!(!exchange.is_verified());
    }

    #[test]
    fn steps_have_an_order() {
        let mut exchange = exchange();
        assert!(matches!(exchange.server_final(b"v=AAAA"), Err(AuthError::OutOfOrder(_))));
        assert_eq!(exchange.work(), None);
        exchange.server_first(FIRST).unwrap();
        assert!(matches!(exchange.server_first(FIRST), Err(AuthError::OutOfOrder(_))));
    }

    #[test]
    fn a_foreign_or_unchanged_nonce_is_refused() {
        for nonce in ["rOprNGfwEbeRWgbNEkqO", "xOprNGfwEbeRWgbNEkqOabc", "", "rOpr"] {
            let message = format!("r={nonce},s=AAAA,i=4096");
            assert_eq!(
                exchange().server_first(message.as_bytes()),
                Err(AuthError::Nonce),
                "{nonce}"
            );
        }
    }

    #[test]
    fn iterations_are_bounded_before_the_first_round() {
        for count in [
            "0",
            "-1",
            "+4096",
            "4096x",
            "",
            " 4096",
            "10000001",
            "2147483647",
            "4294967297",
            "99999999999999999999",
        ] {
            let message = format!("r=rOprNGfwEbeRWgbNEkqOx,s=AAAA,i={count}");
            assert_eq!(
                exchange().server_first(message.as_bytes()),
                Err(AuthError::Iterations),
                "{count}"
            );
        }
        for count in ["1", "100000", "10000000"] {
            let message = format!("r=rOprNGfwEbeRWgbNEkqOx,s=AAAA,i={count}");
            assert_eq!(exchange().server_first(message.as_bytes()), Ok(()), "{count}");
        }
    }

    #[test]
    fn junk_is_refused() {
        for message in [
            &b""[..],
            b"m=x,r=rOprNGfwEbeRWgbNEkqOx,s=AAAA,i=4096",
            b"r=rOprNGfwEbeRWgbNEkqOx",
            b"r=rOprNGfwEbeRWgbNEkqOx,s=AAAA",
            b"s=AAAA,r=rOprNGfwEbeRWgbNEkqOx,i=4096",
            b"r=rOprNGfwEbeRWgbNEkqOx,s=A,i=4096",
            b"r=rOprNGfwEbeRWgbNEkqOx,s=AAAA,i=4096,x=1",
            b"r=rOprNGfwEbeRWgbNEkqO\x01,s=AAAA,i=4096",
            b"r=rOprNGfwEbeRWgbNEkqO\xff,s=AAAA,i=4096",
        ] {
            assert!(
                matches!(exchange().server_first(message), Err(AuthError::Scram(_))),
                "{message:?}"
            );
        }
    }

    #[test]
    fn many_rounds_are_done_in_slices() {
        let mut exchange = exchange();
        exchange.server_first(b"r=rOprNGfwEbeRWgbNEkqOx,s=AAAA,i=10000").unwrap();
        assert_eq!(exchange.work(), None);
        assert!(exchange.is_working());
        assert_eq!(exchange.work(), None);
        assert!(exchange.work().is_some());
        assert!(!exchange.is_working());
    }

    #[test]
    fn binding_is_part_of_the_proof() {
        let binding = Binding::EndPoint(b"hash".to_vec());
        assert_eq!(binding.header(), "p=tls-server-end-point,,");
        assert_eq!(binding.encoded(), STANDARD.encode(b"p=tls-server-end-point,,hash"));
        assert_eq!(Binding::NotOffered.encoded(), "eSws");
    }
}
