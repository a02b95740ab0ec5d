"""Certificates of every defect, made with openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path

NAME = "db.torture.test"
DAYS = "30"
KEYS = {
    "rsa": ("genrsa", "2048"),
    "ec": ("ecparam", "-name", "prime256v1", "-genkey", "-noout"),
    "ed25519": ("genpkey", "-algorithm", "ed25519"),
}
CA_CONF = """\
[ca]
default_ca=d
[d]
dir={dir}
database=$dir/index.txt
serial=$dir/serial
crlnumber=$dir/crlnumber
new_certs_dir=$dir
unique_subject=no
certificate={certificates}/ca.crt
private_key={certificates}/ca.key
default_md=sha256
default_crl_days=30
policy=p
[p]
commonName=supplied
"""


def make(folder: Path) -> None:
    """Fill `folder` with three authorities, a dozen leaves, a revocation list and odd keys."""
    folder.mkdir()
    for name in ("ca", "otherca", "clientca"):
        authority(folder, name)
    all_names = f"DNS:{NAME},DNS:localhost,IP:127.0.0.1,IP:::1"
    leaf(folder, "server", NAME, all_names)
    leaf(folder, "wrong", "other.torture.test", "DNS:other.torture.test")
    leaf(folder, "cnonly", NAME, "")
    leaf(folder, "wild", "star", "DNS:*.torture.test")
    leaf(folder, "noip", NAME, f"DNS:{NAME}")
    leaf(folder, "badca", NAME, f"DNS:{NAME}", signer="otherca")
    leaf(folder, "revoked", NAME, f"DNS:{NAME}")
    leaf(folder, "ecserver", NAME, f"DNS:{NAME}", key="ec")
    leaf(folder, "edserver", NAME, f"DNS:{NAME}", key="ed25519")
    for name, user in (("client", "u_cert"), ("clientbad", "u_other")):
        leaf(folder, name, user, "", signer="clientca", extra="extendedKeyUsage=clientAuth")
    # Channel binding must hash this one with SHA-384.
    sign(folder, "server", "server384", "ca", digest="-sha384")
    copy(folder, "server.key", "server384.key")
    expire_and_revoke(folder)
    # Its signature names no hash, so there is nothing to bind a channel to.
    own = ("req", "-x509", "-newkey", "ed25519", "-nodes", "-days", DAYS, "-subj", f"/CN={NAME}")
    run(folder, *own, "-keyout", "edself.key", "-out", "edself.crt")
    password = ("-passout", "pass:s3kr1t")
    run(folder, "pkcs8", "-topk8", "-in", "client.key", "-out", "client_enc8.key", *password)
    old = ("-aes128", "-traditional", *password)
    run(folder, "rsa", "-in", "client.key", "-out", "client_enc1.key", *old)
    bundle = (folder / "ca.crt").read_text() + (folder / "otherca.crt").read_text()
    (folder / "bundle.crt").write_text(bundle)
    for path in folder.glob("*.key"):
        path.chmod(0o600)
    folder.chmod(0o755)


def authority(folder: Path, name: str) -> None:
    run(
        folder,
        *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", DAYS),
        *("-keyout", f"{name}.key", "-out", f"{name}.crt", "-subj", f"/CN=Torture {name}"),
        *("-addext", "basicConstraints=critical,CA:TRUE"),
        *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
    )


def leaf(
    folder: Path,
    name: str,
    common_name: str,
    alternative_names: str,
    *,
    signer: str = "ca",
    key: str = "rsa",
    extra: str = "",
) -> None:
    command, *rest = KEYS[key]
    run(folder, command, "-out", f"{name}.key", *rest)
    request = ("-key", f"{name}.key", "-subj", f"/CN={common_name}", "-out", f"{name}.csr")
    run(folder, "req", "-new", *request)
    lines = ["basicConstraints=CA:FALSE", "keyUsage=digitalSignature,keyEncipherment", extra]
    if alternative_names:
        lines.append(f"subjectAltName={alternative_names}")
    (folder / f"{name}.ext").write_text("\n".join(lines) + "\n")
    sign(folder, name, name, signer)


def sign(folder: Path, name: str, out: str, signer: str, digest: str = "-sha256") -> None:
    run(
        folder,
        *("x509", "-req", "-in", f"{name}.csr", "-out", f"{out}.crt", "-days", DAYS, digest),
        *("-CA", f"{signer}.crt", "-CAkey", f"{signer}.key", "-CAcreateserial"),
        *("-extfile", f"{name}.ext"),
    )


def expire_and_revoke(folder: Path) -> None:
    """`expired.crt`, and the list `ca.crl` that `revoked.crt` is on."""
    books = folder / "books"
    books.mkdir()
    (books / "index.txt").write_text("")
    for name in ("serial", "crlnumber"):
        (books / name).write_text("01\n")
    conf = books / "ca.cnf"
    conf.write_text(CA_CONF.format(dir=books, certificates=folder))
    ca = ("ca", "-batch", "-config", str(conf))
    past = ("-startdate", "20200101000000Z", "-enddate", "20210101000000Z")
    request = ("-in", "noip.csr", "-extfile", "noip.ext", "-out", "expired.crt", "-notext")
    run(folder, *ca, *request, *past)
    copy(folder, "noip.key", "expired.key")
    run(folder, *ca, "-revoke", "revoked.crt")
    run(folder, *ca, "-gencrl", "-out", "ca.crl")


def copy(folder: Path, source: str, target: str) -> None:
    (folder / target).write_bytes((folder / source).read_bytes())


def run(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
