//! Why a certificate is not trusted.

use std::fmt;

/// Why a certificate is not trusted. The texts are OpenSSL's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Distrust {
    Unreadable,
    UnknownIssuer,
    SelfSigned,
    SelfSignedInChain,
    TooLong,
    NotYetValid,
    Expired,
    NotAnAuthority,
    PathLength,
    KeyUsage,
    Purpose,
    CriticalExtension,
    NotPermitted,
    Excluded,
    UnknownConstraint,
    SubtreeBounds,
    NameSyntax,
    TooManyNames,
    Revoked,
    NoList,
    ListExpired,
    ListNotYetValid,
    ListSignature,
    ListExtension,
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreadable => "malformed certificate",
            Self::UnknownIssuer => "unable to get local issuer certificate",
            Self::SelfSigned => "self-signed certificate",
            Self::SelfSignedInChain => "self-signed certificate in certificate chain",
            Self::TooLong => "certificate chain too long",
            Self::NotYetValid => "certificate is not yet valid",
            Self::Expired => "certificate has expired",
            Self::NotAnAuthority => "invalid CA certificate",
            Self::PathLength => "path length constraint exceeded",
            Self::KeyUsage => "key usage does not include certificate signing",
            Self::Purpose => "unsuitable certificate purpose",
            Self::CriticalExtension => "unhandled critical extension",
            Self::NotPermitted => "permitted subtree violation",
            Self::Excluded => "excluded subtree violation",
            Self::UnknownConstraint => "unsupported name constraint type",
            Self::SubtreeBounds => "name constraints minimum and maximum not supported",
            Self::NameSyntax => "unsupported or invalid name syntax",
            Self::TooManyNames => "unspecified certificate verification error",
            Self::Revoked => "certificate revoked",
            Self::NoList => "unable to get certificate CRL",
            Self::ListExpired => "CRL has expired",
            Self::ListNotYetValid => "CRL is not yet valid",
            Self::ListSignature => "CRL signature failure",
            Self::ListExtension => "unhandled critical CRL extension",
        })
    }
}

impl std::error::Error for Distrust {}
