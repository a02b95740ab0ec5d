"""`python -m psycoxide shim`: psycopg2's name in an environment, and what it never touches."""

import base64
import csv
import hashlib
import os
import shutil
from pathlib import Path

import pytest

import psycoxide
from psycoxide import _install_shim
from psycoxide._alias import SHIM

LEVEL = psycoxide.__version__.split()[0]

LOOK = """
import psycopg2.extras, psycoxide
from importlib import metadata
assert psycopg2 is psycoxide and psycopg2.extras is psycoxide.extras
print(psycopg2.Error.__module__, metadata.version("psycopg2"), metadata.version("psycopg2-binary"),
      metadata.packages_distributions()["psycopg2"], metadata.requires("psycopg2"))
"""
SEEN = f"psycopg2 {LEVEL} {LEVEL} ['psycopg2'] ['psycoxide']\n"


def test_the_metadata_in_the_package_is_of_psycopg2_s_level():
    found = sorted(path.name for path in Path(SHIM).iterdir() if path.name != "__pycache__")
    expected = ["psycopg2", f"psycopg2-{LEVEL}.dist-info", f"psycopg2_binary-{LEVEL}.dist-info"]
    assert found == expected
    for info in expected[1:]:
        assert f"\nVersion: {LEVEL}\n" in (Path(SHIM) / info / "METADATA").read_text()


def test_every_program_finds_it_until_it_is_removed(environment):
    before = environment.files()
    assert environment.shim("status", check=False).startswith("1 there is no shim in ")
    assert environment.shim("install") == f"0 psycopg2 is psycoxide in {environment.site}\n"
    assert environment.shim("status").startswith(f"0 the shim for psycopg2 {LEVEL} is in ")
    # Isolated, and without the environment that `run` would give it.
    assert environment.python("-I", "-c", LOOK).stdout == SEEN
    assert environment.shim("remove") == f"0 the shim is out of {environment.site}\n"
    assert environment.files() == before
    assert [path.name for path in environment.site.iterdir() if path.name.startswith(".")] == []
    assert "No module named 'psycopg2'" in environment.python("-c", LOOK, check=False).stderr
    assert environment.shim("remove") == f"0 there is no shim in {environment.site}\n"


def test_installing_it_again_changes_nothing(environment):
    environment.shim("install")
    places = (environment.site / "psycopg2", environment.site / f"psycopg2-{LEVEL}.dist-info")
    before = [place.stat().st_ino for place in places], environment.files()
    assert environment.shim("install") == f"0 the shim is in {environment.site} already\n"
    assert ([place.stat().st_ino for place in places], environment.files()) == before


def test_the_record_lists_every_file_with_its_hash(environment):
    environment.shim("install")
    listed = []
    for record in environment.site.glob("psycopg2*/RECORD"):
        for name, digest, size in csv.reader(record.open()):
            listed.append(name)
            if name != str(record.relative_to(environment.site)):
                content = (environment.site / name).read_bytes()
                kind, _, value = digest.partition("=")
                found = base64.urlsafe_b64encode(hashlib.new(kind, content).digest())
                assert (value, int(size)) == (found.rstrip(b"=").decode(), len(content))
    assert len(listed) == len(set(listed))
    assert set(listed) == {name for name in environment.files() if name.startswith("psycopg2")}


@pytest.mark.parametrize("damage", ["older", "changed", "without package", "package alone", "more"])
def test_an_older_or_damaged_one_is_replaced(environment, damage):
    environment.shim("install")
    site = environment.site
    whole = environment.files()
    info = site / f"psycopg2-{LEVEL}.dist-info"
    if damage == "older":
        info.rename(site / "psycopg2-2.9.1.dist-info")
        (site / "psycopg2/__init__.py").write_text('"""psycopg2\'s name for psycoxide, 2.9.1."""')
    elif damage == "changed":
        (info / "METADATA").write_text("")
    elif damage == "without package":
        shutil.rmtree(site / "psycopg2")
    elif damage == "package alone":
        shutil.rmtree(info)
        shutil.rmtree(site / f"psycopg2_binary-{LEVEL}.dist-info")
    else:
        environment.distribution("psycopg2", "2.8", "psycoxide")
    assert "`shim install` mends it" in environment.shim("status", check=False)
    assert environment.shim("install") == f"0 psycopg2 is psycoxide in {site}\n"
    assert environment.files() == whole
    assert environment.python("-c", LOOK).stdout == SEEN


def package(site):
    (site / "psycopg2").mkdir()
    (site / "psycopg2" / "__init__.py").write_text("real = True")


def as_egg(site):
    (site / "psycopg2-2.9.9-py3.11.egg-info").mkdir()


REAL = {
    "a package": package,
    "a package without a file": lambda site: (site / "psycopg2").mkdir(),
    "a module": lambda site: (site / "psycopg2.py").write_text("real = True"),
    "an extension": lambda site: (site / "psycopg2.cpython-311-x86_64-linux-gnu.so").touch(),
    "a link": lambda site: (site / "psycopg2.egg-link").touch(),
    "as Debian has it": as_egg,
    "an egg": lambda site: (site / "psycopg2_binary-2.9.9-py3.11-linux-x86_64.egg").mkdir(),
}


@pytest.mark.parametrize("kind", REAL)
@pytest.mark.parametrize("shim", [False, True])
def test_what_else_is_called_psycopg2_is_refused_and_left_alone(environment, kind, shim):
    if shim:
        # As another installer leaves it that has put a real one over the shim.
        environment.shim("install")
        shutil.rmtree(environment.site / "psycopg2")
    before = environment.files()
    REAL[kind](environment.site)
    after = environment.files()
    said = environment.shim("install", check=False)
    assert said.startswith("1 psycoxide: psycopg2 is installed already, and is not the shim: ")
    assert str(environment.site) in said and "pip uninstall psycopg2 psycopg2-binary" in said
    assert environment.files() == after
    assert "not the shim: " in environment.shim("status", check=False)
    assert "left as it is: " in environment.shim("remove")
    left = {name: text for name, text in after.items() if name not in before}
    kept = {name: text for name, text in before.items() if not name.startswith("psycopg2")}
    assert environment.files() == {**kept, **left}


@pytest.mark.parametrize("name", ["psycopg2", "psycopg2-binary"])
def test_a_distribution_by_another_installer_is_refused(environment, name):
    environment.distribution(name, "2.9.9")
    assert environment.shim("install", check=False).startswith("1 psycoxide: psycopg2 is installed")


def test_a_package_with_a_file_that_is_not_the_shim_s_is_kept(environment):
    environment.shim("install")
    (environment.site / "psycopg2" / "_psycopg.so").write_text("of a wheel")
    assert "left as it is: " in environment.shim("remove")
    assert environment.files(environment.site / "psycopg2").keys() == {"__init__.py", "_psycopg.so"}


def test_other_distributions_are_left_alone(environment):
    for name in ("psycopg2-pool", "psycopg", "psycopg2cffi", "types-psycopg2"):
        environment.distribution(name, "1.1")
    (environment.site / "psycopg2-stubs").mkdir()
    (environment.site / "psycopg2cffi").mkdir()
    before = environment.files()
    assert environment.shim("install").startswith("0 ")
    assert environment.shim("remove").startswith("0 ")
    assert environment.files() == before and (environment.site / "psycopg2-stubs").is_dir()


def test_in_a_directory_of_its_own(environment):
    target = environment.folder / "some" / "where"
    said = environment.shim("install", "--target", "some/where")
    assert said == (
        f"0 psycopg2 is psycoxide in {target}\n"
        f"{target} is not on this interpreter's path: PYTHONPATH can put it there\n"
    )
    assert environment.python("-c", LOOK, PYTHONPATH=str(target)).stdout == SEEN
    assert "the shim for" in environment.shim("status", "--target", str(target))
    assert "out of" in environment.shim("remove", "--target", str(target))
    assert environment.files(target) == {}


def test_for_a_user(environment, tmp_path):
    said = environment.shim("install", "--user", check=False)
    assert said.startswith(
        "1 psycoxide: the user's site-packages is not on this interpreter's path"
    )
    config = environment.folder / "pyvenv.cfg"
    config.write_text(config.read_text().replace("= false", "= true"))
    home = {"PYTHONUSERBASE": str(tmp_path / "home")}
    # It is not on the path before there is such a directory.
    assert environment.shim("install", "--user", **home).startswith("0 psycopg2 is psycoxide in ")
    assert "/home/lib/" in environment.shim("status", "--user", **home)
    site = "import site; print(site.getusersitepackages())"
    path = Path(environment.python("-c", site, **home).stdout.strip())
    assert sorted(entry.name for entry in path.iterdir())[0] == "psycopg2"


def test_one_that_is_further_down_the_path_is_hidden(environment_on_system):
    """As of an environment that sees the system's packages."""
    environment, system = environment_on_system
    package(system)
    said = environment.shim("install")
    assert said.endswith(f"in {environment.site}\nthis hides {system / 'psycopg2'}\n")
    assert environment.python("-c", LOOK).stdout == SEEN
    environment.shim("remove")
    assert environment.python("-c", "import psycopg2; print(psycopg2.real)").stdout == "True\n"


def test_one_that_comes_first_on_the_path_is_refused(environment_on_system):
    environment, system = environment_on_system
    package(system)
    before = environment.files()
    said = environment.shim("install", PYTHONPATH=str(system), check=False)
    assert said.startswith(f"1 psycoxide: {system / 'psycopg2'} comes before ")
    assert environment.files() == before


def test_where_nothing_may_be_written(environment):
    """As root, with its powers taken away."""
    before: tuple[str, ...] = ()
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root may write everywhere, and there is no setpriv")
        before = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
    environment.site.chmod(0o555)
    try:
        done = environment.python(
            "-m", "psycoxide", "shim", "install", check=False, before=before
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == (
            f"psycoxide: cannot write to {environment.site}: Permission denied\n"
            "Use a virtual environment, or --user, or --target.\n"
        )
        assert "No such file" not in environment.shim("status", check=False)
    finally:
        environment.site.chmod(0o755)


@pytest.mark.parametrize("fails_at", range(1, 7))
def test_what_fails_half_way_is_undone(tmp_path, monkeypatch, fails_at):
    """All three directories are replaced, or none."""
    _install_shim.install(tmp_path)
    older = tmp_path / "psycopg2-2.9.1.dist-info"
    (tmp_path / f"psycopg2-{LEVEL}.dist-info").rename(older)
    before = sorted(path.name for path in tmp_path.iterdir())
    calls = []
    rename = os.rename

    def failing(source, destination):
        calls.append(source)
        if len(calls) == fails_at:
            raise OSError(28, "No space left on device")
        rename(source, destination)

    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(_install_shim.Refused, match="No space left on device"):
        _install_shim.install(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    monkeypatch.undo()
    _install_shim.install(tmp_path)
    assert not older.exists()


def test_without_psycoxide_it_says_so(environment):
    environment.shim("install")
    (environment.site / "here.pth").unlink()
    done = environment.python("-c", "import psycopg2", check=False)
    assert "ModuleNotFoundError: No module named 'psycopg2': " in done.stderr
    assert "psycopg2/__init__.py stands for psycoxide, which is not installed" in done.stderr


def test_a_program_that_takes_the_alias_as_well(environment):
    environment.shim("install")
    install = "import psycoxide; psycoxide.install_as_psycopg2()\n"
    assert environment.python("-c", install + LOOK).stdout == SEEN
    assert environment.python("-c", "import psycopg2\n" + install + LOOK).stdout == SEEN
    (environment.folder / "program.py").write_text(LOOK)
    # The shim is on the path twice, and so is its distribution.
    seen = environment.python("-m", "psycoxide", "run", "program.py").stdout
    assert seen == SEEN.replace("['psycopg2']", "['psycopg2', 'psycopg2']")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "required: action"),
        (("nonsense",), "invalid choice"),
        (("install", "--user", "--target", "x"), "not allowed with"),
    ],
)
def test_wrong_arguments(environment, arguments, says):
    assert says in environment.shim(*arguments, check=False)
