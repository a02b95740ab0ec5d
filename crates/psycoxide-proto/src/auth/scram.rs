//! SCRAM-SHA-256 (RFC 5802, RFC 7677).
//!
//! <https://www.postgresql.org/docs/current/sasl-authentication.html>. The user's name is left
//! empty, since the StartupMessage has told it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use super::saslprep;
use crate::error::AuthError;

/// The name of the mechanism without channel binding.
pub const MECHANISM: &str = "SCRAM-SHA-256";

/// The most iterations that a server may ask for: more would let it burn our time. PostgreSQL's
/// default is 4096.
const MAX_ITERATIONS: u32 = 10_000_000;

/// So many rounds are done at a time, so that whoever drives the engine can look at the clock.
const SLICE: u32 = 4096;

type HmacSha256 = Hmac<Sha256>;
type Key = [u8; 32];

/// The client's side of one exchange.
pub(crate) struct Scram {
    password: Vec<u8>,
    header: &'static str,
    client_first_bare: String,
    nonce: String,
    stage: Stage,
}

enum Stage {
    /// The server's first message is awaited.
    First,
    /// The salted password is being derived.
    Deriving { derivation: Box<Derivation>, server_first: String, server_nonce: String },
    /// The server's signature is awaited; this is what it must be.
    Final { signature: Key },
    /// The server has proven itself.
    Verified,
}

impl std::fmt::Debug for Scram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scram(…)")
    }
}

impl Drop for Scram {
    fn drop(&mut self) {
        self.password.zeroize();
    }
}

impl Scram {
    /// Begins an exchange without channel binding.
    pub(crate) fn new(password: &[u8], nonce: String) -> Self {
        Self {
            password: saslprep::prepare(password).into_owned(),
            header: "n,,",
            client_first_bare: format!("n=,r={nonce}"),
            nonce,
            stage: Stage::First,
        }
    }

    /// The client's first message.
    pub(crate) fn client_first(&self) -> Vec<u8> {
        format!("{}{}", self.header, self.client_first_bare).into_bytes()
    }

    /// Takes the server's first message; the answer has to be worked for.
    pub(crate) fn server_first(&mut self, message: &[u8]) -> Result<(), AuthError> {
        if !matches!(self.stage, Stage::First) {
            return Err(AuthError::OutOfOrder("SCRAM continues before it began"));
        }
        let text = std::str::from_utf8(message).map_err(|_| AuthError::Scram("not UTF-8"))?;
        let mut parts = text.split(',');
        let server_nonce = attribute(parts.next(), 'r')?;
        let salt = attribute(parts.next(), 's')?;
        let iterations = attribute(parts.next(), 'i')?;
        if parts.next().is_some() {
            return Err(AuthError::Scram("garbage behind the iteration count"));
        }
        if !server_nonce.starts_with(&self.nonce) || server_nonce.len() == self.nonce.len() {
            return Err(AuthError::Nonce);
        }
        let salt = STANDARD.decode(salt).map_err(|_| AuthError::Scram("invalid salt"))?;
        let digits = !iterations.is_empty() && iterations.bytes().all(|b| b.is_ascii_digit());
        let iterations: u32 = iterations.parse().map_err(|_| AuthError::Iterations)?;
        if !digits || !(1..=MAX_ITERATIONS).contains(&iterations) {
            return Err(AuthError::Iterations);
        }
        self.stage = Stage::Deriving {
            derivation: Box::new(Derivation::new(&self.password, &salt, iterations)?),
            server_first: text.to_owned(),
            server_nonce: server_nonce.to_owned(),
        };
        Ok(())
    }

    /// Whether [`Scram::work`] has something to do.
    pub(crate) fn is_working(&self) -> bool {
        matches!(self.stage, Stage::Deriving { .. })
    }

    /// Does a slice of the work; the client's final message when all is done.
    pub(crate) fn work(&mut self) -> Result<Option<Vec<u8>>, AuthError> {
        let Stage::Deriving { derivation, server_first, server_nonce } = &mut self.stage else {
            return Ok(None);
        };
        if !derivation.work(SLICE) {
            return Ok(None);
        }
        let salted = derivation.result;
        let without_proof = format!("c={},r={server_nonce}", STANDARD.encode(self.header));
        let auth_message = format!("{},{server_first},{without_proof}", self.client_first_bare);
        let client_key = hmac(&salted, b"Client Key")?;
        let stored_key: Key = Sha256::digest(client_key).into();
        let client_signature = hmac(&stored_key, auth_message.as_bytes())?;
        let mut proof = client_key;
        for (byte, other) in proof.iter_mut().zip(client_signature) {
            *byte ^= other;
        }
        let server_key = hmac(&salted, b"Server Key")?;
        let signature = hmac(&server_key, auth_message.as_bytes())?;
        let message = format!("{without_proof},p={}", STANDARD.encode(proof));
        self.stage = Stage::Final { signature };
        Ok(Some(message.into_bytes()))
    }

    /// Takes the server's final message: its proof that it knows the password.
    pub(crate) fn server_final(&mut self, message: &[u8]) -> Result<(), AuthError> {
        let Stage::Final { signature } = &self.stage else {
            return Err(AuthError::OutOfOrder("SCRAM ends before its proof"));
        };
        let text = std::str::from_utf8(message).map_err(|_| AuthError::Scram("not UTF-8"))?;
        if let Some(reason) = text.strip_prefix("e=") {
            return Err(AuthError::ScramRefused(reason.to_owned()));
        }
        let given = attribute(Some(text), 'v')?;
        let given =
            STANDARD.decode(given).map_err(|_| AuthError::Scram("invalid server signature"))?;
        if !bool::from(given.as_slice().ct_eq(signature.as_slice())) {
            return Err(AuthError::ServerSignature);
        }
        self.stage = Stage::Verified;
        Ok(())
    }

    /// Whether the server has proven itself: only then is its AuthenticationOk worth anything.
    pub(crate) fn is_verified(&self) -> bool {
        matches!(self.stage, Stage::Verified)
    }
}

/// The value of `name=value`.
fn attribute(part: Option<&str>, name: char) -> Result<&str, AuthError> {
    part.and_then(|part| part.strip_prefix(name)?.strip_prefix('='))
        .ok_or(AuthError::Scram("an attribute is missing"))
}

fn hmac(key: &[u8], message: &[u8]) -> Result<Key, AuthError> {
    let mut mac =
        HmacSha256::new_from_slice(key).map_err(|_| AuthError::Scram("an unusable key"))?;
    mac.update(message);
    Ok(mac.finalize().into_bytes().into())
}

/// PBKDF2-HMAC-SHA-256 of one block (RFC 5802's `Hi`), a slice at a time.
struct Derivation {
    keyed: HmacSha256,
    last: Key,
    result: Key,
    left: u32,
}

impl Drop for Derivation {
    fn drop(&mut self) {
        self.last.zeroize();
        self.result.zeroize();
    }
}

impl Derivation {
    fn new(password: &[u8], salt: &[u8], iterations: u32) -> Result<Self, AuthError> {
        let keyed = HmacSha256::new_from_slice(password)
            .map_err(|_| AuthError::Scram("an unusable key"))?;
        let mut mac = keyed.clone();
        mac.update(salt);
        mac.update(&1_u32.to_be_bytes());
        let last: Key = mac.finalize().into_bytes().into();
        Ok(Self { keyed, last, result: last, left: iterations.saturating_sub(1) })
    }

    /// Does up to `rounds` rounds; whether that were all.
    fn work(&mut self, rounds: u32) -> bool {
        let rounds = rounds.min(self.left);
        for _ in 0..rounds {
            let mut mac = self.keyed.clone();
            mac.update(&self.last);
            self.last = mac.finalize().into_bytes().into();
            for (byte, other) in self.result.iter_mut().zip(self.last) {
                *byte ^= other;
            }
        }
        self.left -= rounds;
        self.left == 0
    }
}

/// What the server stores, and `encrypt_password` gives.
///
/// <https://www.postgresql.org/docs/current/catalog-pg-authid.html>:
/// `SCRAM-SHA-256$<iteration count>:<salt>$<StoredKey>:<ServerKey>`
///
/// # Errors
/// If a key cannot be made, which does not happen with SHA-256.
pub fn stored(password: &[u8], salt: &[u8], iterations: u32) -> Result<String, AuthError> {
    let mut derivation = Derivation::new(&saslprep::prepare(password), salt, iterations)?;
    while !derivation.work(SLICE) {}
    let stored_key = Sha256::digest(hmac(&derivation.result, b"Client Key")?);
    let server_key = hmac(&derivation.result, b"Server Key")?;
    Ok(format!(
        "{MECHANISM}${iterations}:{}${}:{}",
        STANDARD.encode(salt),
        STANDARD.encode(stored_key),
        STANDARD.encode(server_key)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
    const SERVER_FIRST: &str =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    /// The exchange of RFC 7677 but for the user's name, which PostgreSQL leaves empty.
    fn begun() -> Scram {
        Scram::new(b"pencil", NONCE.to_owned())
    }

    fn finish(scram: &mut Scram) -> String {
        loop {
            if let Some(message) = scram.work().unwrap() {
                return String::from_utf8(message).unwrap();
            }
        }
    }

    #[test]
    fn the_vector_of_rfc_7677() {
        let mut scram = begun();
        scram.client_first_bare = format!("n=user,r={NONCE}");
        scram.server_first(SERVER_FIRST.as_bytes()).unwrap();
        assert_eq!(
            finish(&mut scram),
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        scram.server_final(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").unwrap();
        assert!(scram.is_verified());
    }

    #[test]
    fn a_server_that_does_not_know_the_password_is_found_out() {
        let mut scram = begun();
        scram.server_first(SERVER_FIRST.as_bytes()).unwrap();
        finish(&mut scram);
        let wrong = STANDARD.encode([0; 32]);
        let answer = scram.server_final(format!("v={wrong}").as_bytes());
        assert_eq!(answer, Err(AuthError::ServerSignature));
        assert!(!scram.is_verified());
        assert!(matches!(scram.server_final(b"e=other-error"), Err(AuthError::ScramRefused(_))));
        assert!(matches!(scram.server_final(b"v=%%%"), Err(AuthError::Scram(_))));
    }

    #[test]
    fn nonsense_is_refused() {
        for (message, expected) in [
            ("r=other,s=W22Z,i=4096", AuthError::Nonce),
            ("r=rOprNGfwEbeRWgbNEkqO,s=W22Z,i=4096", AuthError::Nonce),
            ("r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=0", AuthError::Iterations),
            ("r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=-1", AuthError::Iterations),
            ("r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=+5", AuthError::Iterations),
            ("r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=", AuthError::Iterations),
            ("r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=10000001", AuthError::Iterations),
            ("r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=99999999999", AuthError::Iterations),
        ] {
            assert_eq!(begun().server_first(message.as_bytes()), Err(expected), "{message}");
        }
        for message in ["", "r=x", "m=ext,r=x,s=a,i=1", "r=rOprNGfwEbeRWgbNEkqOx,s=!,i=1"] {
            assert!(begun().server_first(message.as_bytes()).is_err(), "{message}");
        }
        assert!(begun().server_first(b"\xff").is_err());
    }

    #[test]
    fn order_matters() {
        let mut scram = begun();
        assert!(matches!(scram.server_final(b"v=x"), Err(AuthError::OutOfOrder(_))));
        scram.server_first(SERVER_FIRST.as_bytes()).unwrap();
        let again = scram.server_first(SERVER_FIRST.as_bytes());
        assert!(matches!(again, Err(AuthError::OutOfOrder(_))));
    }

    #[test]
    fn many_iterations_come_in_slices() {
        let mut scram = begun();
        let message = "r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=10000";
        scram.server_first(message.as_bytes()).unwrap();
        let mut slices = 0;
        while scram.work().unwrap().is_none() {
            assert!(scram.is_working());
            slices += 1;
        }
        assert_eq!(slices, 2);
    }

    #[test]
    fn a_stored_password() {
        // Made by PostgreSQL 15 for this password and salt.
        let salt = STANDARD.decode("TJjJdLFc8d/Nz9HHyPMvhw==").unwrap();
        assert_eq!(
            stored(b"a", &salt, 4096).unwrap(),
            "SCRAM-SHA-256$4096:TJjJdLFc8d/Nz9HHyPMvhw==$RU3qQ2CBmAe0AgP0KOgH0ULzV9bDsa3wy+jxqnu03oo=:ty1guhblYZzMmB4prXbA/A5Fh2X1Jew5oZyqXdvmcgE="
        );
    }
}
