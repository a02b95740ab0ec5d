//! What the caller gives to begin a conversation.

use crate::auth::key_cache::KeyCache;
use crate::secret::Secret;

/// A version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProtocolVersion {
    /// The major version: 3 since PostgreSQL 7.4.
    pub major: u16,
    /// The minor version.
    pub minor: u16,
}

impl ProtocolVersion {
    /// 3.0, which every server since 7.4 speaks.
    pub const V3_0: ProtocolVersion = ProtocolVersion { major: 3, minor: 0 };
    /// 3.2, since PostgreSQL 18: longer cancel keys.
    pub const V3_2: ProtocolVersion = ProtocolVersion { major: 3, minor: 2 };

    pub(crate) fn code(self) -> u32 {
        u32::from(self.major) << 16 | u32::from(self.minor)
    }
}

/// Everything needed to open a session.
///
/// Build it with [`Startup::new`] and set the fields that differ; fields may be added.
#[derive(Clone, Debug)]
pub struct Startup {
    /// The parameters of the StartupMessage, sent as given and in this order: `user` first, then
    /// `database`, `client_encoding`, `options`, `replication`, …
    pub parameters: Vec<(Vec<u8>, Vec<u8>)>,
    /// The password, if there is one.
    pub password: Option<Secret>,
    /// Whether to ask the driver for a password, by [`Ask::Password`](crate::Ask), if there is none
    /// and the server wants one.
    pub ask_password: bool,
    /// RFC 5802's ClientKey and ServerKey, for use without the password (libpq's `scram_client_key`
    /// and `scram_server_key`).
    pub scram_keys: Option<(Secret, Secret)>,
    /// Whether the driver can give bearer tokens ([`Ask::BearerToken`](crate::Ask)).
    pub ask_token: bool,
    /// The role's name, which MD5 authentication needs.
    pub user: Vec<u8>,
    /// The client's nonce for SCRAM: printable ASCII without a comma, fresh for each connection.
    pub nonce: String,
    /// The protocol version to ask for.
    pub protocol: ProtocolVersion,
    /// Whether to set DateStyle to ISO during the start-up if the server reports another one: dates
    /// are decoded in that style only.
    pub session_setup: bool,
    /// The authentication methods that the server may ask for (libpq's `require_auth`).
    pub allowed_auth: AuthMethods,
    /// Whether GSSAPI encrypts the connection. Both sides have proved who they are then, so the
    /// server need not ask for authentication by GSSAPI again.
    pub gss_encrypted: bool,
    /// What TLS provides for SCRAM's channel binding.
    pub channel_binding: ChannelBinding,
    /// The cache of SCRAM keys; by default none.
    pub keys: KeyCache,
}

impl Startup {
    /// A start-up for this role, without a password or further parameters.
    pub fn new(user: &[u8], nonce: String) -> Startup {
        Startup {
            parameters: vec![(b"user".to_vec(), user.to_vec())],
            password: None,
            ask_password: false,
            scram_keys: None,
            ask_token: false,
            user: user.to_vec(),
            nonce,
            protocol: ProtocolVersion::V3_0,
            session_setup: true,
            allowed_auth: AuthMethods::ALL,
            gss_encrypted: false,
            channel_binding: ChannelBinding::Absent,
            keys: KeyCache::default(),
        }
    }
}

/// A set of authentication methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthMethods(u8);

impl AuthMethods {
    /// No authentication at all (`trust`, a certificate, peer).
    pub const NONE: AuthMethods = AuthMethods(1);
    /// A password in clear text.
    pub const PASSWORD: AuthMethods = AuthMethods(2);
    /// A password as an MD5 hash.
    pub const MD5: AuthMethods = AuthMethods(4);
    /// SCRAM-SHA-256, with or without channel binding.
    pub const SCRAM_SHA_256: AuthMethods = AuthMethods(8);
    /// GSSAPI.
    pub const GSS: AuthMethods = AuthMethods(16);
    /// SSPI, answered by GSSAPI.
    pub const SSPI: AuthMethods = AuthMethods(32);
    /// An OAuth bearer token.
    pub const OAUTH: AuthMethods = AuthMethods(64);
    /// Every method.
    pub const ALL: AuthMethods = AuthMethods(127);

    /// Whether all of `other` is in this set.
    pub fn contains(self, other: AuthMethods) -> bool {
        self.0 & other.0 == other.0
    }
}

impl std::ops::BitOr for AuthMethods {
    type Output = AuthMethods;

    fn bitor(self, other: AuthMethods) -> AuthMethods {
        AuthMethods(self.0 | other.0)
    }
}

impl std::ops::Sub for AuthMethods {
    type Output = AuthMethods;

    fn sub(self, other: AuthMethods) -> AuthMethods {
        AuthMethods(self.0 & !other.0)
    }
}

/// The data for SCRAM's channel binding (`tls-server-end-point`, RFC 5929).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ChannelBinding {
    /// Not supported on this connection: there is no TLS, or the user disabled it.
    #[default]
    Absent,
    /// Use it if the server offers it. The bytes are the hash of the server's certificate, or empty
    /// if the certificate has no usable hash.
    Preferred(Vec<u8>),
    /// Fail if it cannot be used. `None` if there is no TLS.
    Required(Option<Vec<u8>>),
}
