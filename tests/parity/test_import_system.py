"""psycopg2's names in the import system: what is there after an import, on psycopg2 and under them.

Each program runs in processes of its own: with psycopg2; after `install_as_psycopg2()`; with the
shim on the path; and where agents hook imports before or after the alias is there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from typing import Any

import pytest

from psycoxide._alias import SHIM

MODULES = (
    "psycopg2",
    "psycopg2._ipaddress",
    "psycopg2._json",
    "psycopg2._psycopg",
    "psycopg2._range",
    "psycopg2.errorcodes",
    "psycopg2.errors",
    "psycopg2.extensions",
    "psycopg2.extras",
    "psycopg2.pool",
    "psycopg2.sql",
    "psycopg2.tz",
)

INSTALL = "import psycoxide; psycoxide.install_as_psycopg2()\n"

# How a driver is started: what runs before the hooks, what after them, the path.
WAYS = {
    "psycopg2": ("", "", ""),
    "installed": (INSTALL, "", ""),
    "installed after the hooks": ("", INSTALL, ""),
    "installed late": (
        "import psycoxide.extras, psycoxide.sql, psycoxide.pool\n" + INSTALL,
        "",
        "",
    ),
    "shim": ("", "", SHIM),
    "shim and installed": (INSTALL, "", SHIM),
}
OURS = [way for way in WAYS if way != "psycopg2"]

# Tells of every module of psycopg2's as agents are told: by a loader around the one that is found.
HOOKS = """
import importlib.util, json, sys

class Chained:
    def __init__(self, loader):
        self.loader = loader
    def create_module(self, spec):
        return self.loader.create_module(spec)
    def exec_module(self, module):
        module.__loader__ = module.__spec__.loader = self.loader
        self.loader.exec_module(module)
        fired.append((module.__name__, module is sys.modules.get(module.__name__)))

class Hooks:
    def __init__(self):
        self.busy = set()
    def find_spec(self, name, path=None, target=None):
        if not name.startswith("psycopg2") or name in self.busy:
            return None
        self.busy.add(name)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self.busy.remove(name)
        if spec is not None and not isinstance(spec.loader, Chained):
            spec.loader = Chained(spec.loader)
        return spec

fired = []
sys.meta_path.insert(0, Hooks())
"""


@cache
def run(way: str, program: str) -> Any:
    """What a program prints last, as JSON."""
    before, after, path = WAYS[way]
    done = subprocess.run(
        [sys.executable, "-c", before + HOOKS + after + program],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


LOADED = """
__import__({name!r})
def named():
    return sorted(name for name in sys.modules if name.partition(".")[0] == "psycopg2")
found, told = named(), list(fired)
from psycopg2 import extras, sql
print(json.dumps([found, named(), told]))
"""


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("way", OURS)
def test_an_import_brings_the_modules_that_it_brings_in_psycopg2(way: str, name: str) -> None:
    program = LOADED.format(name=name)
    ours, known = run(way, program)[:2], run("psycopg2", program)[:2]
    if way == "installed late":
        # What was imported under our names is there under both.
        ours = [[name for name in each if name in there] for each, there in zip(ours, known)]
    assert ours == known


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("way", OURS)
def test_hooks_are_told_of_each_module_once_it_is_there(way: str, name: str) -> None:
    program = LOADED.format(name=name)
    # With the shim, the module that gives way is the first to be executed and the last to end.
    ours = [name for name, is_there in run(way, program)[2] if is_there]
    known = [name for name, is_there in run("psycopg2", program)[2] if is_there]
    assert len(ours) == len(set(ours))
    assert set(known) <= set(ours)
    assert way == "installed late" or set(ours) == set(known)
    # What a package brings is there before the package is.
    assert ours.index("psycopg2") > max(map(ours.index, {"psycopg2.extensions", "psycopg2.errors"}))


def test_hooks_are_told_of_what_is_first_imported_by_our_name() -> None:
    """By the native module, which asks for `psycoxide.sql`, or by a program that uses both."""
    assert run(
        "installed",
        """
import psycopg2
import psycoxide.sql, psycoxide.extras.batch
from psycopg2 import extras, sql
assert sql is psycoxide.sql and extras is psycoxide.extras
print(json.dumps([name for name, _ in fired if name in ("psycopg2.sql", "psycopg2.extras")]))
""",
    ) == ["psycopg2.sql", "psycopg2.extras"]


# Of each module, what does not tell where it lies.
FACTS = """
import importlib, inspect, pickle, pkgutil
known = {}
for name in NAMES:
    before = importlib.util.find_spec(name)
    module = importlib.import_module(name)
    spec = module.__spec__
    after = importlib.util.find_spec(name)
    known[name] = {
        "is found": [before.name, before.has_location, before.loader is not None],
        "is found again": [after.name, after.has_location],
        "names": [module.__name__, spec.name],
        "parents": [before.parent, after.parent, spec.parent, module.__package__],
        "file": [module.__file__ == spec.origin],
        "loader": module.__loader__ is spec.loader,
        "in the package": name == "psycopg2" or getattr(
            sys.modules["psycopg2"], name.partition(".")[2]) is module,
        "reload": importlib.reload(module) is module is sys.modules[name],
        "and again": [module.__name__, module.__spec__.name, module.__package__ == spec.parent],
        "of that name": sorted(
            attribute for attribute, value in vars(module).items()
            if isinstance(value, type) and value.__module__ == name
            and not attribute.startswith("_")) if name in ("psycopg2.sql", "psycopg2.pool") else [],
    }
    assert inspect.getmodule(module) is module
    if not name.endswith("_psycopg"):
        text = inspect.getsource(module)
        assert text.startswith(('\"""', "#", "'")), text[:50]
        loader = spec.loader
        assert loader.get_source(name) == loader.get_source(module.__name__) == text
        assert loader.get_filename(name) == module.__file__
        assert loader.get_code(name).co_filename == module.__file__
        with open(module.__file__, "rb") as file:
            assert loader.get_data(module.__file__) == file.read()
print(json.dumps(known))
""".replace("NAMES", repr(MODULES))


@pytest.mark.parametrize("way", OURS)
def test_a_module_is_found_named_loaded_and_reloaded_as_psycopg2_s(way: str) -> None:
    ours, known = run(way, FACTS), run("psycopg2", FACTS)
    assert known["psycopg2.extras"]["parents"] == ["psycopg2"] * 4
    # A package here, and so its own parent.
    extras = {**known["psycopg2.extras"], "parents": ["psycopg2.extras"] * 4}
    known = {**known, "psycopg2.extras": extras}
    for name in MODULES:
        assert ours[name] == known[name], name


def test_what_is_reloaded_is_psycopg2_s_still() -> None:
    run(
        "installed",
        """
import importlib, pickle
import psycopg2, psycoxide.sql
from psycopg2 import errors, sql
for module in (psycopg2.sql, psycoxide.sql, psycoxide, psycopg2, psycopg2._psycopg):
    importlib.reload(module)
    importlib.reload(module)
assert psycopg2 is psycoxide and psycopg2.sql is psycoxide.sql is sys.modules["psycoxide.sql"]
assert psycopg2.connect.__module__ == "psycopg2"
assert sql.SQL.__module__ == "psycopg2.sql" and pickle.loads(pickle.dumps(sql.SQL)) is sql.SQL
assert psycopg2.Error is errors.UniqueViolation.__mro__[3]
print(json.dumps(True))
""",
    )


def test_sources_of_classes_and_functions() -> None:
    program = """
import inspect
from psycopg2 import _ipaddress, _json, _range, extras, pool, sql, tz
pools = pool.AbstractConnectionPool
objects = [sql.SQL, sql.Composed.join, pools, pools._getconn, tz.FixedOffsetTimezone,
           _json.Json, _range.Range, extras.execute_values,
           _ipaddress.register_ipaddress, extras.NumericRange]
print(json.dumps([inspect.getsource(one).split("(")[0].split(":")[0].strip() for one in objects]))
"""
    assert run("installed", program) == run("psycopg2", program)


def test_resources_and_data_of_the_package() -> None:
    assert run(
        "installed",
        """
import importlib.resources, pkgutil
import psycopg2
for package in ("psycopg2", psycopg2):
    assert importlib.resources.files(package).joinpath("sql.py").read_text().startswith('\"""')
    assert importlib.resources.files(package).joinpath("nothing").is_file() is False
assert pkgutil.get_data("psycopg2", "sql.py").startswith(b'\"""')
print(json.dumps(True))
""",
    )


def test_what_pkgutil_lists_can_be_imported() -> None:
    """It lists the files of the directory: psycoxide's, which are more than psycopg2's."""
    listed = run(
        "installed",
        """
import importlib, pkgutil
import psycopg2
listed = [found.name for found in pkgutil.walk_packages(psycopg2.__path__, "psycopg2.")]
# GeoDjango's needs libraries of C that are not everywhere.
listed.remove("psycopg2.django.postgis.base")
for name in listed:
    module = importlib.import_module(name)
    assert module is importlib.import_module("psycoxide" + name[len("psycopg2"):]), name
    assert sys.modules[name] is module
from psycopg2 import extras
assert extras.DictCursor.__module__.startswith("psycopg2.extras")
print(json.dumps(listed))
""",
    )
    assert set(MODULES[1:]) < set(listed)


@pytest.mark.parametrize("statement", ["from psycoxide import {}", "import psycoxide.{}"])
@pytest.mark.parametrize("first", ["", "import psycopg2"])
def test_our_own_modules_are_there_by_our_name(first: str, statement: str) -> None:
    """The OAuth flow of a device was not, as it is imported when a server asks for it."""
    names = ("_device_flow", "_credentials", "_exceptions", "_catalog", "_alias", "extras", "tz")
    lines = "\n".join(statement.format(name) for name in names)
    run("installed", f"{first}\n{lines}\nprint(json.dumps(True))")


def test_threads_that_import_both_names_at_once() -> None:
    """One executes a module; nobody is given half of it, and nobody waits for ever."""
    names = [name.partition(".")[2] for name in MODULES[1:]]
    run(
        "installed",
        f"""
import importlib, threading
import psycopg2
sys.setswitchinterval(1e-5)
names = {names!r}
ready = threading.Barrier(8)
found, failed = {{}}, []
def work(number):
    package = ("psycopg2", "psycoxide")[number % 2]
    ready.wait()
    try:
        for name in names[number:] + names[:number]:
            module = importlib.import_module(f"{{package}}.{{name}}")
            found.setdefault(name, set()).add(id(module))
            dir(module)
    except BaseException as error:
        failed.append(repr(error))
threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(30)
assert not failed and not any(thread.is_alive() for thread in threads), failed
assert all(len(modules) == 1 for modules in found.values()), found
print(json.dumps(True))
""",
    )


@pytest.mark.parametrize("way", OURS)
def test_the_distribution_is_there(way: str) -> None:
    """By which instrumentation decides whether there is anything to instrument."""
    ours = run(
        way,
        """
from importlib import metadata
import psycopg2
level = psycopg2.__version__.split()[0]
for name in ("psycopg2", "psycopg2-binary", "psycopg2_binary", "Psycopg2"):
    assert metadata.version(name) == level, (name, metadata.version(name), level)
assert metadata.metadata("psycopg2")["Name"] == "psycopg2"
print(json.dumps(sum(found.metadata["Name"] == "psycopg2" for found in metadata.distributions())))
""",
    )
    assert ours == 1


@pytest.mark.parametrize("way", ["installed", "shim", "shim and installed"])
def test_the_package_is_known_to_be_of_a_distribution(way: str) -> None:
    found = run(
        way,
        """
from importlib import metadata
import psycopg2
print(json.dumps(metadata.packages_distributions()["psycopg2"]))
""",
    )
    # psycopg2-binary is what this environment has beside it.
    assert [name for name in found if name != "psycopg2-binary"] == ["psycopg2"]
