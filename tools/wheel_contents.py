"""What is in a wheel or a source distribution, and what is wrong with it.

Each check returns faults in words; none of them builds or installs anything.
"""

from __future__ import annotations

import dataclasses
import email.message
import email.parser
import functools
import json
import re
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import requirements
import third_party

ROOT = Path(__file__).resolve().parent.parent
# Bytes of a wheel: what an index, a cache and a container image pay for each version. The goal is
# 3,000,000; this is what it has now, so that it does not grow unseen.
LIMIT = 3_400_000
_NAME = re.compile(
    r"(?P<name>\w+)-(?P<version>[\w.]+)-cp(?P<python>3\d+)-cp(?P=python)-(?P<platform>[\w.]+)\.whl"
)
# Rust's names for the platforms of wheels. The rest of a platform's tag is the version of its C
# library or of its system.
_PLATFORMS = {
    r"manylinux.*_x86_64": "x86_64-unknown-linux-gnu",
    r"manylinux.*_aarch64": "aarch64-unknown-linux-gnu",
    r"musllinux.*_x86_64": "x86_64-unknown-linux-musl",
    r"musllinux.*_aarch64": "aarch64-unknown-linux-musl",
    r"macosx.*_x86_64": "x86_64-apple-darwin",
    r"macosx.*_arm64": "aarch64-apple-darwin",
    r"win_amd64": "x86_64-pc-windows-msvc",
}
# Where a link or a picture of Markdown or HTML leads.
_LINK = re.compile(
    r"""\]\(<?([^)\s>]+)|^\[[^\]]+\]:\s+(\S+)|<\w+\b[^>]*?(?:src|href)="([^"]+)""", re.MULTILINE
)
_CODE = re.compile(r"^( *)(```+|~~~+).*?^\1\2`*$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
# What cargo and maturin need for building, beside the sources of the crates.
_TO_BUILD = (
    ".cargo/config.toml", "Cargo.lock", "Cargo.toml", "LICENSE-APACHE", "LICENSE-MIT", "PKG-INFO",
    "THIRD-PARTY-LICENSES.txt", "crates/psycoxide-py/Cargo.toml", "docs/index-page.md",
    "pyproject.toml", "python/psycoxide/__init__.py", "python/psycoxide/py.typed",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Wheel:
    """A wheel's file."""

    path: Path

    @functools.cached_property
    def parts(self) -> dict[str, str]:
        """The parts of its name; none if it has not the name of a wheel for one CPython."""
        found = _NAME.fullmatch(self.path.name)
        return found.groupdict() if found else {}

    @property
    def tags(self) -> list[str]:
        """The tags of its platform, of which one may say the same as another."""
        return sorted(self.parts.get("platform", "").split("."))

    @property
    def python(self) -> str:
        """The version of its Python, as `3.10`."""
        digits = self.parts["python"]
        return f"{digits[0]}.{digits[1:]}"

    @property
    def target(self) -> str | None:
        """Rust's name of its platform; None for one that has none here."""
        found = (n for glob, n in _PLATFORMS.items() if re.fullmatch(glob, self.tags[0]))
        return next(found, None)

    @functools.cached_property
    def names(self) -> list[str]:
        with zipfile.ZipFile(self.path) as archive:
            return archive.namelist()

    def text(self, name: str) -> str:
        with zipfile.ZipFile(self.path) as archive:
            return archive.read(name).decode()

    def info(self, name: str) -> str:
        """The path of a file of its .dist-info."""
        return f"{self.parts['name']}-{self.parts['version']}.dist-info/{name}"


def faults(wheel: Wheel, limit: int = LIMIT) -> list[str]:
    """Everything that is wrong with a wheel."""
    if not wheel.parts:
        return ["its name is not that of a wheel for one version of CPython"]
    size = wheel.path.stat().st_size
    wrong = [f"it has {size:,} bytes, and may have {limit:,}"] if size > limit else []
    modules = [name for name in wheel.names if re.search(r"\.(so|pyd|dll|dylib)$", name)]
    if len(modules) != 1 or not modules[0].startswith("psycoxide/_psycopg."):
        wrong.append(f"its native modules are {modules}")
    wrong += [f"{name} is missing" for name in ("psycoxide/py.typed",) if name not in wheel.names]
    wrong += metadata_faults(parse(wheel.text(wheel.info("METADATA"))))
    return [*wrong, *licence_faults(wheel), *sbom_faults(wheel)]


def parse(metadata: str) -> email.message.Message:
    return email.parser.Parser().parsestr(metadata)


def project() -> dict[str, Any]:
    """The table `project` of pyproject.toml."""
    table: dict[str, Any] = requirements.read_toml(requirements.PYPROJECT)["project"]
    return table


def metadata_faults(metadata: email.message.Message) -> list[str]:
    """Metadata that is not what pyproject.toml says, or that an index would show badly."""
    table = project()
    wanted = {
        "Name": [table["name"]],
        "Requires-Python": [table["requires-python"]],
        "License-Expression": [table["license"]],
        "License-File": table["license-files"],
        # Extras are for users: what developers install is in groups, which no metadata has.
        "Provides-Extra": list(table["optional-dependencies"]),
        "Classifier": table["classifiers"],
        "Project-URL": [f"{label}, {url}" for label, url in table["urls"].items()],
    }
    wrong = [
        f"{field} is {found}, and should be {values}"
        for field, values in wanted.items()
        if sorted(found := metadata.get_all(field, [])) != sorted(values)
    ]
    if not metadata.get("Description-Content-Type", "").startswith("text/markdown"):
        wrong.append("its description is not said to be Markdown")
    wrong += [f"its description links to {link}" for link in relative_links(description(metadata))]
    return wrong


def description(metadata: email.message.Message) -> str:
    text = metadata.get_payload()
    return text if isinstance(text, str) else ""


def links(text: str) -> list[str]:
    """Where the links and pictures of a page in Markdown lead."""
    prose = _CODE.sub("", text)
    return [next(filter(None, match.groups())) for match in _LINK.finditer(prose)]


def relative_links(text: str) -> list[str]:
    """Links that lead nowhere from an index: those into a checkout, and within the page."""
    return [link for link in links(text) if not link.startswith("https://")]


def licence_faults(wheel: Wheel) -> list[str]:
    """Licences that are not in the wheel as they are here."""
    wrong = []
    for name in project()["license-files"]:
        inside = wheel.info(f"licenses/{name}")
        if inside not in wheel.names:
            wrong.append(f"{inside} is missing")
        elif wheel.text(inside) != (ROOT / name).read_text(encoding="utf-8"):
            wrong.append(f"{inside} is not the {name} of this checkout")
    return wrong


def sbom_faults(wheel: Wheel) -> list[str]:
    """Crates that are linked in, and that no SBOM of the wheel names with a licence."""
    boms = [name for name in wheel.names if name.startswith(wheel.info("sboms/"))]
    if not boms:
        return ["it has no SBOM"]
    if wheel.target is None:
        return [f"its platform {wheel.parts['platform']} is not known"]
    listed = {
        (part["name"], part.get("version"))
        for name in boms
        for part in json.loads(wheel.text(name)).get("components", [])
        if part.get("licenses")
    }
    crates = sorted(third_party.linked(third_party.metadata(wheel.target)))
    return [
        f"its SBOM does not name {crate}"
        for crate in crates
        if (crate.name, crate.version) not in listed
    ]


def sdist_faults(path: Path) -> list[str]:
    """What is missing in a source distribution, or has no place there."""
    with tarfile.open(path) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
    wrong = [f"{name} is missing" for name in _TO_BUILD if name not in names]
    wrong += [f"{name} is the result of a build" for name in names if name.endswith(".so")]
    return wrong
