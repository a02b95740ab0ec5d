//! The signature algorithms that can be verified: ring's, and the ECDSA variants that ring lacks.
//!
//! ring has P-256 and P-384 with the two hashes that the web uses. Authorities made with OpenSSL
//! may also use P-521, or SHA-512 with any curve.

use once_cell::race::OnceBox;
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use rustls::SignatureScheme;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{
    AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};
use sha2::{Digest, Sha384, Sha512};

type Algorithm = &'static dyn SignatureVerificationAlgorithm;

const P256_SHA512: Algorithm = &Ecdsa {
    key: alg_id::ECDSA_P256,
    signature: alg_id::ECDSA_SHA512,
    verify: |key, message, signature| {
        let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(key)?;
        let signature = p256::ecdsa::DerSignature::from_bytes(signature)?;
        key.verify_prehash(&Sha512::digest(message), &signature)
    },
};
const P384_SHA512: Algorithm = &Ecdsa {
    key: alg_id::ECDSA_P384,
    signature: alg_id::ECDSA_SHA512,
    verify: |key, message, signature| {
        let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(key)?;
        let signature = p384::ecdsa::DerSignature::from_bytes(signature)?;
        key.verify_prehash(&Sha512::digest(message), &signature)
    },
};
const P521_SHA384: Algorithm = &Ecdsa {
    key: alg_id::ECDSA_P521,
    signature: alg_id::ECDSA_SHA384,
    verify: |key, message, signature| verify_p521(key, &Sha384::digest(message), signature),
};
const P521_SHA512: Algorithm = &Ecdsa {
    key: alg_id::ECDSA_P521,
    signature: alg_id::ECDSA_SHA512,
    verify: |key, message, signature| verify_p521(key, &Sha512::digest(message), signature),
};

fn verify_p521(key: &[u8], hash: &[u8], signature: &[u8]) -> Result<(), p521::ecdsa::Error> {
    let key = p521::ecdsa::VerifyingKey::from_sec1_bytes(key)?;
    let signature = p521::ecdsa::DerSignature::from_bytes(signature)?;
    key.verify_prehash(hash, &signature)
}

type Verify = fn(key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), p521::ecdsa::Error>;

/// A curve with a hash.
struct Ecdsa {
    key: AlgorithmIdentifier,
    signature: AlgorithmIdentifier,
    verify: Verify,
}

impl std::fmt::Debug for Ecdsa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ecdsa").finish_non_exhaustive()
    }
}

impl SignatureVerificationAlgorithm for Ecdsa {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        (self.verify)(public_key, message, signature).map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.key
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.signature
    }
}

/// All algorithms, for chains and for handshakes.
pub(super) fn algorithms() -> WebPkiSupportedAlgorithms {
    static ALL: OnceBox<WebPkiSupportedAlgorithms> = OnceBox::new();
    *ALL.get_or_init(|| {
        let ring = default_provider().signature_verification_algorithms;
        let own: [Algorithm; 4] = [P256_SHA512, P384_SHA512, P521_SHA384, P521_SHA512];
        // In TLS 1.3 the scheme means the first algorithm; in 1.2 it means any with this hash.
        let by_scheme: &'static [Algorithm] = &[P521_SHA512, P384_SHA512, P256_SHA512];
        let mapping = [(SignatureScheme::ECDSA_NISTP521_SHA512, by_scheme)];
        // Leaked once in a process: rustls wants them to be static.
        Box::new(WebPkiSupportedAlgorithms {
            all: [ring.all, &own].concat().leak(),
            mapping: [ring.mapping, &mapping].concat().leak(),
        })
    })
}
