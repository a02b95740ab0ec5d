//! The client's private key: reads its file, decrypts it, and makes it ready to sign.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use aes::{Aes128, Aes192, Aes256};
use cbc::Decryptor;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use des::TdesEde3;
use md5::{Digest, Md5};
use pkcs8::EncryptedPrivateKeyInfoRef;
use pkcs8::pkcs5::EncryptionScheme;
use pkcs8::pkcs5::pbes2::Kdf;
use psycoxide_proto::Secret;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};
use rustls::sign::SigningKey;
use zeroize::Zeroizing;

use super::pem::{self, Block};
use crate::error::system;

/// The most rounds of PBKDF2; they take some seconds. Usual are 2048 to a million. The fuzzer needs
/// a lower limit.
const MAX_ROUNDS: u32 = if cfg!(feature = "fuzzing") { 10_000 } else { 5_000_000 };

/// The most memory that scrypt may use, in bytes: OpenSSL's limit, twice what OpenSSL's own files
/// need.
const MAX_SCRYPT_MEMORY: u128 = if cfg!(feature = "fuzzing") { 1 << 20 } else { 32 << 20 };

/// The most bytes that scrypt may mix; that takes some seconds as well.
const MAX_SCRYPT_WORK: u128 = if cfg!(feature = "fuzzing") { 1 << 20 } else { 1 << 30 };

/// Loads the key in the file `path`.
///
/// # Errors
/// libpq's text.
pub(super) fn load(
    path: &str,
    password: Option<&Secret>,
    provider: &CryptoProvider,
) -> Result<Arc<dyn SigningKey>, String> {
    let metadata = fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            format!("certificate present, but not private key file \"{path}\"")
        }
        _ => format!("could not stat private key file \"{path}\": {}", system(&error)),
    })?;
    check_permissions(path, &metadata)?;
    let failed = |why: &str| format!("could not load private key file \"{path}\": {why}");
    let contents = fs::read(path).map(Zeroizing::new).map_err(|error| failed(&system(&error)))?;
    let key = read(&contents, password).map_err(failed)?;
    provider.key_provider.load_private_key(key).map_err(|_| {
        failed("the key is of no supported kind (RSA of 2048 to 4096 bits, P-256, P-384, Ed25519)")
    })
}

/// Refuses a key that others can read. A group may read a key that belongs to root, so that the
/// system's certificates can be shared.
fn check_permissions(path: &str, metadata: &Metadata) -> Result<(), String> {
    if !metadata.is_file() {
        return Err(format!("private key file \"{path}\" is not a regular file"));
    }
    let forbidden = if metadata.uid() == 0 { 0o037 } else { 0o077 };
    if metadata.mode() & forbidden != 0 {
        return Err(format!(
            "private key file \"{path}\" has group or world access; file must have permissions \
             u=rw (0600) or less if owned by the current user, or permissions u=rw,g=r (0640) or \
             less if owned by root"
        ));
    }
    Ok(())
}

/// The key in a file's contents: the first PEM block with a key, or else the whole file as DER.
pub(super) fn read(
    contents: &[u8],
    password: Option<&Secret>,
) -> Result<PrivateKeyDer<'static>, &'static str> {
    let blocks = pem::blocks(contents);
    if let Some(block) = blocks.iter().find(|block| block.label.ends_with("PRIVATE KEY")) {
        return from_block(block, password);
    }
    PrivateKeyDer::try_from(contents).map(|key| key.clone_key()).map_err(|_| "no start line")
}

fn from_block(
    block: &Block<'_>,
    password: Option<&Secret>,
) -> Result<PrivateKeyDer<'static>, &'static str> {
    let der = match block.header("DEK-Info") {
        Some(cipher) => decrypt_old(cipher, &block.der, password)?,
        None if block.label == "ENCRYPTED PRIVATE KEY" => decrypt(&block.der, password)?,
        None => block.der.clone(),
    };
    // The reader of the returned copy wipes it.
    let der = der.to_vec();
    Ok(match block.label {
        "RSA PRIVATE KEY" => PrivatePkcs1KeyDer::from(der).into(),
        "EC PRIVATE KEY" => PrivateSec1KeyDer::from(der).into(),
        _ => PrivatePkcs8KeyDer::from(der).into(),
    })
}

/// Decrypts a PKCS #8 key.
fn decrypt(der: &[u8], password: Option<&Secret>) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    let key = EncryptedPrivateKeyInfoRef::try_from(der).map_err(|_| "unsupported encryption")?;
    if !is_affordable(&key.encryption_algorithm) {
        return Err("unsupported encryption");
    }
    let key = key.decrypt(given(password)?).map_err(|_| "bad decrypt")?;
    Ok(Zeroizing::new(key.as_bytes().to_vec()))
}

/// Whether deriving the key takes only seconds, and only the memory that OpenSSL allows. A file
/// must not hang or stop the program with costs that are too high, or that are not valid for
/// scrypt.
fn is_affordable(scheme: &EncryptionScheme) -> bool {
    let EncryptionScheme::Pbes2(parameters) = scheme else { return true };
    match &parameters.kdf {
        Kdf::Pbkdf2(parameters) => parameters.iteration_count <= MAX_ROUNDS,
        Kdf::Scrypt(parameters) => {
            let cost = u128::from(parameters.cost_parameter);
            let lanes = u128::from(parameters.parallelization);
            let block = 128 * u128::from(parameters.block_size);
            let memory = block * (cost + lanes + 2);
            cost > 0 && memory <= MAX_SCRYPT_MEMORY && block * cost * lanes <= MAX_SCRYPT_WORK
        }
        _ => false,
    }
}

/// Decrypts a key as OpenSSL used to write them: RFC 1421's header names the cipher, and MD5 makes
/// its key from the password.
fn decrypt_old(
    header: &str,
    data: &[u8],
    password: Option<&Secret>,
) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    let (cipher, iv) = header.split_once(',').ok_or("bad iv chars")?;
    let iv = from_hex(iv).ok_or("bad iv chars")?;
    let salt = iv.get(..8).ok_or("bad iv chars")?;
    let password = given(password)?;
    let open = match cipher {
        "AES-128-CBC" => open::<Decryptor<Aes128>>,
        "AES-192-CBC" => open::<Decryptor<Aes192>>,
        "AES-256-CBC" => open::<Decryptor<Aes256>>,
        "DES-EDE3-CBC" => open::<Decryptor<TdesEde3>>,
        _ => return Err("unsupported encryption"),
    };
    open(password, salt, &iv, data).ok_or("bad decrypt")
}

fn open<D: KeyIvInit + BlockModeDecrypt>(
    password: &[u8],
    salt: &[u8],
    iv: &[u8],
    data: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let key = stretch(password, salt, D::key_size());
    let decryptor = D::new_from_slices(&key, iv).ok()?;
    let mut plain = Zeroizing::new(data.to_vec());
    let length = decryptor.decrypt_padded::<Pkcs7>(&mut plain).ok()?.len();
    plain.truncate(length);
    Some(plain)
}

/// OpenSSL's `EVP_BytesToKey` with MD5 and one round.
fn stretch(password: &[u8], salt: &[u8], length: usize) -> Zeroizing<Vec<u8>> {
    let mut key = Zeroizing::new(Vec::with_capacity(length + 16));
    let mut last = Zeroizing::new(Vec::new());
    while key.len() < length {
        let round = Md5::new().chain_update(&last).chain_update(password).chain_update(salt);
        *last = round.finalize().to_vec();
        key.extend_from_slice(&last);
    }
    key.truncate(length);
    key
}

fn given(password: Option<&Secret>) -> Result<&[u8], &'static str> {
    password.map(Secret::expose).ok_or("bad password read")
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| u8::try_from(c.to_digit(16)?).ok()).collect();
    let pairs = digits?;
    let bytes = pairs.chunks(2).map(|pair| match pair {
        [high, low] => Some(high << 4 | low),
        _ => None,
    });
    bytes.collect()
}
