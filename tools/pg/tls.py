"""Certificates for the throwaway server: an authority, a server's, a client's.

The server's certificate is signed by an authority and not self-signed, because strict verifiers
refuse an authority's own certificate as a server's.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from .binaries import Tell

DAYS = "30"
SERVER_NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"


def make(folder: Path, tell: Tell) -> dict[str, Path]:
    """Make the files. Returns their paths by name, or nothing if there is no openssl."""
    if not shutil.which("openssl"):
        tell("no openssl here: the server runs without TLS")
        return {}
    folder.mkdir()
    root = authority(folder)
    leaf(folder, "server", "localhost", SERVER_NAMES)
    leaf(folder, "client", "tlsuser", "extendedKeyUsage=clientAuth")
    folder.chmod(0o755)
    return {
        "root": root,
        "certificate": folder / "server.crt",
        "key": folder / "server.key",
        "client_certificate": folder / "client.crt",
        "client_key": folder / "client.key",
    }


def authority(folder: Path) -> Path:
    openssl(
        folder,
        *("req", "-x509", "-nodes", "-days", DAYS, "-subj", "/CN=psycoxide test authority"),
        *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-addext", "basicConstraints=critical,CA:TRUE"),
        *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
        *("-keyout", "root.key", "-out", "root.crt"),
    )
    return folder / "root.crt"


def leaf(folder: Path, name: str, common_name: str, extension: str) -> None:
    openssl(
        folder,
        *("req", "-new", "-nodes", "-subj", f"/CN={common_name}"),
        *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-keyout", f"{name}.key", "-out", f"{name}.csr"),
    )
    (folder / f"{name}.ext").write_text(f"basicConstraints=CA:FALSE\n{extension}\n")
    openssl(
        folder,
        *("x509", "-req", "-in", f"{name}.csr", "-days", DAYS, "-sha256"),
        *("-CA", "root.crt", "-CAkey", "root.key", "-CAcreateserial"),
        *("-extfile", f"{name}.ext", "-out", f"{name}.crt"),
    )
    (folder / f"{name}.key").chmod(0o600)


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
