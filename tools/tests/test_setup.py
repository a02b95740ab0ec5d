"""The set-up says what it installs, installs what is missing, and changes nothing else.

A program plays apt-get: it answers as it is told and writes its calls down.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parent.parent
ROOT = TOOLS.parent
sys.path.insert(0, str(TOOLS))

import needs  # noqa: E402
import packages  # noqa: E402
import setup  # noqa: E402
from needs import Need, Part  # noqa: E402
from pg import binaries  # noqa: E402

# Packages by name: what the simulation prints for them. Installing one makes its program.
APT_GET = f"""#!{sys.executable}
import json, os, sys
from pathlib import Path
here = Path(__file__).resolve().parent
with (here / "calls").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
state = json.loads((here / "state").read_text())
if sys.argv[1] == "update":
    state["known"].update(state.pop("after_update", {{}}))
    (here / "state").write_text(json.dumps(state))
    sys.exit(0)
names = [word for word in sys.argv[2:] if word[0] != "-" and "::" not in word]
for name in names:
    if name not in state["known"]:
        sys.exit(f"E: Unable to locate package {{name}}")
if "--simulate" in sys.argv:
    print("Reading package lists...")
    for name in names:
        print(state["known"][name])
    sys.exit(0)
if state.get("fails"):
    sys.exit("E: Failed to fetch")
guards = [str(path) for path in map(Path, state["guards"]) if path.exists()]
(here / "guards").write_text(json.dumps(guards))
for name in names:
    program = here / f"{{name}}-program"
    program.write_text("#!/bin/sh\\n")
    program.chmod(0o755)
"""

NEW = "Inst {0} (2.0-1 Debian:12.14/oldstable [amd64])\nConf {0} (2.0-1 Debian:12.14 [amd64])"
UPGRADE = (
    "Inst libkrb5-3 [1.20.1-2+deb12u3] (1.20.1-2+deb12u4 Debian:12.14/oldstable [amd64]) []\n"
    "Inst krb5-kdc (1.20.1-2+deb12u4 Debian:12.14/oldstable [amd64])"
)
REMOVAL = "Remv exim4 [4.96-15]\n" + NEW.format("postfix")


class Machine:
    """A machine with this apt-get."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state: dict[str, object] = {"known": {}, "guards": []}
        (folder / "apt-get").write_text(APT_GET)
        (folder / "apt-get").chmod(0o755)

    def knows(self, **answers: object) -> None:
        self.state.update(answers)
        (self.folder / "state").write_text(json.dumps(self.state))

    @property
    def calls(self) -> list[list[str]]:
        path = self.folder / "calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def installations(self) -> list[list[str]]:
        """The calls that would change something."""
        return [call for call in self.calls if "--simulate" not in call and call[0] != "update"]

    def named(self) -> list[str]:
        """The packages that would be installed."""
        words = [word for call in self.installations for word in call[1:]]
        return [word for word in words if not word.startswith(("-", "DPkg"))]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path)
    guard = tmp_path / "policy-rc.d"
    monkeypatch.setattr(packages, "GUARDS", {guard: "#!/bin/sh\nexit 101\n"})
    monkeypatch.setattr(needs, "PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    made.knows(guards=[str(guard)])
    return made


def need(*names: str, **more: object) -> Need:
    parts = tuple(Part(name, (f"{name}-program",)) for name in names)
    return Need(names[0].title(), f"tests of {names[0]}", parts, **more)  # type: ignore[arg-type]


def said(capfd: pytest.CaptureFixture[str]) -> list[str]:
    return [
        line.removeprefix("[setup] ")
        for line in capfd.readouterr().err.splitlines()
        if line.startswith("[setup] ")
    ]


def test_what_is_missing_is_said_then_installed_and_nothing_else(machine, capfd):
    machine.knows(
        known={"one": NEW.format("one"), "two": NEW.format("two") + "\n" + NEW.format("lib")}
    )
    (machine.folder / "one-program").write_text("#!/bin/sh\n")
    (machine.folder / "one-program").chmod(0o755)
    setup.prepare([need("one"), need("two")])
    assert machine.named() == ["two"]
    (call,) = machine.installations
    assert {"--no-upgrade", "--no-install-recommends", "--no-remove"} <= set(call)
    lines = said(capfd)
    assert lines == [
        "missing here: Two (two), for tests of two",
        "to be installed on this machine, by apt-get as root: two, and what they depend on: lib",
    ]


def test_where_all_is_there_apt_get_is_not_even_asked(machine, capfd):
    for name in ("one", "two"):
        (machine.folder / f"{name}-program").write_text("#!/bin/sh\n")
        (machine.folder / f"{name}-program").chmod(0o755)
    setup.prepare([need("one"), need("two")])
    assert machine.calls == []
    assert said(capfd) == ["nothing to install: all is there"]


@pytest.mark.parametrize(
    ("name", "answer", "change"),
    [
        ("krb5-kdc", UPGRADE, "libkrb5-3 1.20.1-2+deb12u3 -> 1.20.1-2+deb12u4"),
        ("postfix", REMOVAL, "exim4 would be removed"),
    ],
)
def test_what_would_change_an_installed_package_is_left_out(machine, capfd, name, answer, change):
    machine.knows(known={name: answer, "good": NEW.format("good")})
    setup.prepare([need(name), need("good")])
    assert machine.named() == ["good"]
    (last,) = [line for line in said(capfd) if line.startswith("left out")]
    assert f"left out: {name.title()}, because" in last and change in last


def test_even_asked_for_outright_an_upgrade_is_refused(machine):
    machine.knows(known={"krb5-kdc": UPGRADE})
    with pytest.raises(packages.Refused, match="libkrb5-3"):
        packages.install(["krb5-kdc"])
    assert machine.installations == []


def test_an_upgrade_may_be_permitted_and_is_said(machine, capfd):
    machine.knows(known={"krb5-kdc": UPGRADE})
    setup.prepare([need("krb5-kdc")], may_upgrade=True)
    assert machine.named() == ["krb5-kdc"]
    assert any("to be changed, which was permitted: libkrb5-3" in line for line in said(capfd))


def test_unknown_packages_have_the_lists_read_once(machine, capfd):
    machine.knows(known={}, after_update={"one": NEW.format("one")})
    setup.prepare([need("one"), need("other")])
    assert [call[0] for call in machine.calls].count("update") == 1
    assert machine.named() == ["one"]
    (last,) = [line for line in said(capfd) if line.startswith("left out")]
    assert "left out: Other, because apt-get says: Unable to locate package other" in last


def test_an_installation_that_fails_is_a_line(machine, capfd):
    machine.knows(known={"one": NEW.format("one"), "two": NEW.format("two")}, fails=True)
    setup.prepare([need("one"), need("two")])
    assert [line.split(",")[0] for line in said(capfd) if line.startswith("left out")] == [
        "left out: One",
        "left out: Two",
    ]


@pytest.mark.parametrize("why", ["no root", "no apt-get", "only a plan"])
def test_where_nothing_may_be_installed_it_is_said(machine, capfd, monkeypatch, why):
    machine.knows(known={"one": NEW.format("one")})
    if why == "no root":
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
    if why == "no apt-get":
        (machine.folder / "apt-get").unlink()
    setup.prepare([need("one")], only_plan=why == "only a plan")
    assert machine.installations == []
    assert said(capfd)[-1].startswith(
        {
            "no root": "left out: One, because only root may install packages; as root: apt-get",
            "no apt-get": "left out: One, because there is no apt-get here; as root: apt-get",
            "only a plan": "nothing was installed",
        }[why]
    )


def test_services_are_not_started_and_the_guard_is_taken_away(machine):
    machine.knows(known={"one": NEW.format("one")})
    packages.install(["one"])
    guard = machine.folder / "policy-rc.d"
    assert json.loads((machine.folder / "guards").read_text()) == [str(guard)]
    assert not guard.exists()


def test_a_guard_that_was_there_stays(machine):
    machine.knows(known={"one": NEW.format("one")})
    guard = machine.folder / "policy-rc.d"
    guard.write_text("mine")
    packages.install(["one"])
    assert guard.read_text() == "mine"


def test_what_builds_a_module_is_wanted_only_while_the_module_is_missing(machine):
    building = (Part("headers", ("headers-program",)),)
    there = need("one", module="json", to_build=building)
    absent = need("one", module="no_such_module", to_build=building)
    assert there.missing == ["one"]
    assert absent.missing == ["one", "headers", "no_such_module in .venv"]


def test_a_module_goes_into_a_virtual_environment_only(machine, capfd, monkeypatch):
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    setup.prepare([Need("Thing", "tests of it", (), module="no_such_module")])
    assert "left out: Thing, because no_such_module goes into .venv" in said(capfd)[-1]


def test_the_reason_of_a_skip_names_what_is_missing_and_what_gets_it(machine, monkeypatch):
    monkeypatch.setattr(binaries, "DEBIAN", machine.folder / "nowhere")
    for name, wanted in needs.NEEDS.items():
        reason = needs.lacking(name)
        assert reason and wanted.title in reason and wanted.missing[0] in reason
        assert "`make setup`" in reason
    assert machine.calls == []


def test_no_server_is_installed_for_the_asking(machine, monkeypatch):
    monkeypatch.setattr(binaries, "DEBIAN", machine.folder / "nowhere")
    with pytest.raises(binaries.NoServer, match="make setup"):
        binaries.find("debian", print)
    assert machine.calls == []


def test_groups_name_needs():
    assert {name for group in needs.GROUPS.values() for name in group} == set(needs.NEEDS)
    assert setup.chosen(["server", "tests"]) == [needs.NEEDS[n] for n in needs.GROUPS["tests"]]


# ---- nothing else installs ------------------------------------------------------------------

_INSTALLS = re.compile(
    r"""apt-get|\bapt\s+install|\bdpkg\b|^\s*(?:import|from)\s+(?:packages|setup)\b"""
    r"""|["']pip["']|pip install|ensurepip""",
    re.MULTILINE,
)


@pytest.mark.parametrize(
    "source",
    [
        'run(["apt-get", "install", "pgbouncer"])',
        "import packages\n",
        'run([sys.executable, "-m", "pip", "install", "gssapi"])',
        "    from packages import install\n",
    ],
)
def test_an_installation_in_a_source_is_found(source):
    assert _INSTALLS.search(source)


def test_no_test_and_no_benchmark_installs_anything():
    sources = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "benches").rglob("*.py")]
    assert len(sources) > 100
    found = {
        str(path.relative_to(ROOT)): match[0].strip()
        for path in sources
        if (match := _INSTALLS.search(path.read_text(encoding="utf-8")))
    }
    assert found == {}


def test_no_tool_but_the_set_up_calls_apt_get():
    """`sid.py` does, for packages of the chroot that it makes."""
    names = {
        str(path.relative_to(TOOLS))
        for path in TOOLS.rglob("*.py")
        if path.parent.name != "tests" and '"apt-get"' in path.read_text(encoding="utf-8")
    }
    assert names == {"packages.py", "sid.py"}


def targets_without(makefile: str, words: str, prerequisite: str) -> list[str]:
    """The targets whose recipes have one of these words, but which lack this prerequisite."""
    wrong = []
    for rule in re.finditer(r"^([\w-]+):(.*)\n((?:\t.*\n)+)", makefile, re.MULTILINE):
        target, needed, recipe = rule.groups()
        if re.search(words, recipe) and prerequisite not in needed:
            wrong.append(target)
    return wrong


# Commands that start a server other than the wheel's, or run tests.
_STARTS = r"\$\(SERVER\) -- |-m pytest|every_server"


def test_every_target_that_wants_the_system_is_set_up_first():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "test-python" in targets_without(makefile, _STARTS, "no such prerequisite")
    assert targets_without(makefile, _STARTS, "$(STAMPS)/system-") == []
