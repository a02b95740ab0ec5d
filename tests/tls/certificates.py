"""Certificates of every kind, made when the tests run."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime.now(datetime.timezone.utc)
DAY = datetime.timedelta(days=1)
PASSWORD = "sesame"


# What the server can show, each made for one thing that can be wrong or odd.
WRONG = ["none", "good", "wrong_authority", "wrong_name", "expired", "revoked"]
ODD = ["wildcard", "common_name", "address", "self_signed", "version_1", "no_servers"]
SHOWN = WRONG + ODD


def name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def alternative(text: str) -> x509.GeneralName:
    if "@" in text:
        return x509.RFC822Name(text)
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def new_key(kind: str = "p256") -> Any:
    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(ec.SECP521R1() if kind == "p521" else ec.SECP256R1())


class Authority:
    """Signs certificates, and says which of them it has revoked."""

    def __init__(self, common_name: str, permitted: list[x509.GeneralName] | None = None) -> None:
        self.name = name(common_name)
        self.key = new_key()
        self.revoked: list[x509.Certificate] = []
        builder = self._builder(self.name, self.key, (-1, 30)).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        if permitted:
            builder = builder.add_extension(x509.NameConstraints(permitted, None), critical=True)
        self.certificate = builder.sign(self.key, hashes.SHA256())

    def _builder(
        self, subject: x509.Name, key: Any, days: tuple[int, int]
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW + days[0] * DAY)
            .not_valid_after(NOW + days[1] * DAY)
        )

    def issue(
        self,
        common_name: str,
        *names: str,
        days: tuple[int, int] = (-1, 20),
        key: str = "p256",
        digest: Any = None,
        purpose: x509.ObjectIdentifier | None = None,
    ) -> tuple[x509.Certificate, Any]:
        """A certificate and its key; `days` are those of its validity, from today on."""
        private = new_key(key)
        builder = self._builder(name(common_name), private, days)
        if names:
            names_extension = x509.SubjectAlternativeName([alternative(each) for each in names])
            builder = builder.add_extension(names_extension, critical=False)
        if purpose:
            builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        return builder.sign(self.key, digest or hashes.SHA256()), private

    def revoke(self, certificate: x509.Certificate) -> None:
        self.revoked.append(certificate)

    def revocation_list(self) -> x509.CertificateRevocationList:
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.name)
            .last_update(NOW - DAY)
            .next_update(NOW + 10 * DAY)
        )
        for each in self.revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(each.serial_number)
            builder = builder.add_revoked_certificate(entry.revocation_date(NOW - DAY).build())
        return builder.sign(self.key, hashes.SHA256())


def self_signed(common_name: str, *names: str, key: str = "p256") -> tuple[x509.Certificate, Any]:
    private = new_key(key)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(common_name))
        .issuer_name(name(common_name))
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + 20 * DAY)
        .add_extension(
            x509.SubjectAlternativeName([alternative(each) for each in names]), critical=False
        )
    )
    return builder.sign(private, None if key == "ed25519" else hashes.SHA256()), private


def write(path: Path, *things: Any) -> Path:
    """PEM of certificates and lists of revoked ones."""
    pem = serialization.Encoding.PEM
    path.write_bytes(b"".join(thing.public_bytes(pem) for thing in things))
    return path


def write_key(path: Path, key: Any, password: str | None = None, *, old: bool = False) -> Path:
    """PEM of a key that only its owner can read."""
    formats = serialization.PrivateFormat
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            formats.TraditionalOpenSSL if old else formats.PKCS8,
            serialization.BestAvailableEncryption(password.encode())
            if password
            else serialization.NoEncryption(),
        )
    )
    path.chmod(0o600)
    return path


CLIENT_ONLY = ExtendedKeyUsageOID.CLIENT_AUTH
