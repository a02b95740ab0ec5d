"""What goes to an index is looked over, and its faults are found. Nothing is built here."""

from __future__ import annotations

import functools
import io
import json
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

TOOLS = Path(__file__).resolve().parent.parent
ROOT = TOOLS.parent
sys.path.insert(0, str(TOOLS))

import requirements  # noqa: E402
import third_party  # noqa: E402
import wheel_contents  # noqa: E402
import wheels  # noqa: E402
from wheel_contents import Wheel  # noqa: E402

PYPROJECT = requirements.read_toml(requirements.PYPROJECT)
NAME = "psycoxide-0.1.0-cp310-cp310-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
INFO = "psycoxide-0.1.0.dist-info"
HERE = "https://github.com/psycoxide/psycoxide"


@pytest.fixture(scope="module")
def metadata(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The metadata that maturin makes of pyproject.toml."""
    folder = tmp_path_factory.mktemp("metadata")
    subprocess.run(
        [sys.executable, "-m", "maturin", "pep517", "write-dist-info",
         "--metadata-directory", str(folder), "--interpreter", sys.executable],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )  # fmt: skip
    return next(folder.glob("*/METADATA")).read_text(encoding="utf-8")


@functools.cache
def linked() -> tuple[third_party.Crate, ...]:
    return tuple(third_party.linked(third_party.metadata("x86_64-unknown-linux-gnu")))


def made(folder: Path, files: dict[str, str | None], name: str = NAME) -> Wheel:
    """A wheel of this name with these files, less those whose text is None."""
    with zipfile.ZipFile(folder / name, "w") as archive:
        for path, text in files.items():
            if text is not None:
                archive.writestr(path, text)
    return Wheel(folder / name)


@pytest.fixture
def files(metadata: str) -> dict[str, str | None]:
    """The files of a wheel with which nothing is wrong."""
    components = [
        {"name": crate.name, "version": crate.version, "licenses": [{"expression": crate.licence}]}
        for crate in linked()
    ]
    return {
        "psycoxide/_psycopg.cpython-310-x86_64-linux-gnu.so": "",
        "psycoxide/py.typed": "",
        f"{INFO}/METADATA": metadata,
        f"{INFO}/sboms/psycoxide-py.cyclonedx.json": json.dumps({"components": components}),
        **{
            f"{INFO}/licenses/{name}": (ROOT / name).read_text(encoding="utf-8")
            for name in PYPROJECT["project"]["license-files"]
        },
    }


# ---- wheels ---------------------------------------------------------------------------------


def test_nothing_is_wrong_with_a_wheel_that_has_everything(tmp_path, files):
    assert wheel_contents.faults(made(tmp_path, files)) == []


@pytest.mark.parametrize(
    ("path", "text", "fault"),
    [
        ("psycoxide/py.typed", None, "psycoxide/py.typed is missing"),
        ("psycoxide/_psycopg.cpython-310-x86_64-linux-gnu.so", None, "its native modules are []"),
        ("psycoxide/_psycopg.old.so", "", "its native modules are"),
        (f"{INFO}/licenses/LICENSE-MIT", None, f"{INFO}/licenses/LICENSE-MIT is missing"),
        (f"{INFO}/licenses/THIRD-PARTY-LICENSES.txt", "old", "is not the THIRD-PARTY-LICENSES.txt"),
        (f"{INFO}/sboms/psycoxide-py.cyclonedx.json", None, "it has no SBOM"),
        (f"{INFO}/sboms/psycoxide-py.cyclonedx.json", "{}", "its SBOM does not name ring "),
    ],
)
def test_what_is_missing_in_a_wheel_is_found(tmp_path, files, path, text, fault):
    found = wheel_contents.faults(made(tmp_path, {**files, path: text}))
    assert any(fault in line for line in found), found


def test_a_crate_without_a_licence_is_not_named_by_an_sbom(tmp_path, files):
    bom = f"{INFO}/sboms/psycoxide-py.cyclonedx.json"
    parts = json.loads(files[bom])["components"]
    del parts[0]["licenses"]
    found = wheel_contents.faults(made(tmp_path, {**files, bom: json.dumps({"components": parts})}))
    assert found == [f"its SBOM does not name {parts[0]['name']} {parts[0]['version']}"]


def test_a_large_wheel_is_found(tmp_path, files):
    assert ["it has" in fault for fault in wheel_contents.faults(made(tmp_path, files), 100)] == [
        True
    ]


@pytest.mark.parametrize(
    ("name", "python", "target"),
    [
        (NAME, "3.10", "x86_64-unknown-linux-gnu"),
        ("p-1-cp315-cp315-manylinux_2_17_aarch64.whl", "3.15", "aarch64-unknown-linux-gnu"),
        ("p-1-cp311-cp311-musllinux_1_2_x86_64.whl", "3.11", "x86_64-unknown-linux-musl"),
        ("p-1-cp311-cp311-musllinux_1_2_aarch64.whl", "3.11", "aarch64-unknown-linux-musl"),
        ("p-1-cp311-cp311-macosx_11_0_arm64.whl", "3.11", "aarch64-apple-darwin"),
        ("p-1-cp311-cp311-macosx_10_12_x86_64.whl", "3.11", "x86_64-apple-darwin"),
        ("p-1-cp311-cp311-win_amd64.whl", "3.11", "x86_64-pc-windows-msvc"),
        ("p-1-cp311-cp311-linux_x86_64.whl", "3.11", None),
    ],
)
def test_the_name_of_a_wheel_says_what_it_is_for(name, python, target):
    wheel = Wheel(Path(name))
    assert (wheel.python, wheel.target) == (python, target)
    assert target is None or target in third_party.platforms()


@pytest.mark.parametrize("name", ["p-1-cp310-abi3-linux_x86_64.whl", "p-1-py3-none-any.whl", "x"])
def test_other_wheels_are_refused(tmp_path, name):
    assert wheel_contents.faults(Wheel(tmp_path / name)) == [
        "its name is not that of a wheel for one version of CPython"
    ]


def test_the_pythons_of_a_folder_are_taken_in_order(tmp_path):
    for python in ("310", "39", "315", "311"):
        (tmp_path / NAME.replace("310", python)).touch()
    found = wheels.wheels_in(tmp_path, wheels.VERSIONS)
    assert [wheel.python for wheel in found] == ["3.10", "3.11", "3.15"]


def test_there_is_a_wheel_for_each_python_that_is_classified():
    classified = re.findall(r":: (3\.\d+)", "\n".join(PYPROJECT["project"]["classifiers"]))
    assert tuple(classified) == wheels.VERSIONS


@pytest.mark.parametrize(
    ("platform", "said", "fine"),
    [
        ("manylinux2014_x86_64.manylinux_2_17_x86_64", "manylinux_2_17_x86_64", True),
        ("manylinux_2_17_x86_64.manylinux2014_x86_64", "manylinux_2_17_x86_64", True),
        ("manylinux_2_17_aarch64", "manylinux_2_17_aarch64", True),
        ("manylinux_2_17_x86_64", "manylinux_2_34_x86_64", False),
        ("manylinux_2_34_x86_64", "manylinux_2_34_x86_64", False),
        ("macosx_11_0_arm64", "nothing", True),
    ],
)
def test_a_wheel_of_a_newer_glibc_is_found(monkeypatch, tmp_path, platform, said, fine):
    told = f'is consistent with\nthe following platform tag:\n"{said}".'
    answer = subprocess.CompletedProcess([], 0, stdout=told, stderr="")
    monkeypatch.setattr(wheels.subprocess, "run", lambda *_args, **_kwargs: answer)
    wheel = Wheel(tmp_path / f"p-1-cp310-cp310-{platform}.whl")
    assert (wheels.policy_faults(wheel) == []) == fine


# ---- metadata -------------------------------------------------------------------------------


def test_the_metadata_is_that_of_pyproject(metadata):
    assert wheel_contents.metadata_faults(wheel_contents.parse(metadata)) == []


def test_groups_of_developers_are_no_extras():
    extras = set(PYPROJECT["project"]["optional-dependencies"])
    assert extras == set(
        "sqlalchemy django embedded gssapi arrow pandas polars duckdb adbc".split()
    )
    assert not set(PYPROJECT["dependency-groups"]) & extras


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("Provides-Extra: test", "Provides-Extra is"),
        ("Project-URL: Blog, https://example.org", "Project-URL is"),
        ("License-File: COPYING", "License-File is"),
    ],
)
def test_metadata_that_says_more_is_found(metadata, line, fault):
    found = wheel_contents.metadata_faults(wheel_contents.parse(f"{line}\n{metadata}"))
    assert [wrong.startswith(fault) for wrong in found] == [True]


@pytest.mark.parametrize(
    ("link", "found"),
    [
        ("[words](docs/page.md)", ["docs/page.md"]),
        ("![a picture](pictures/one.svg)", ["pictures/one.svg"]),
        ("[words](#heading)", ["#heading"]),
        ('<img src="pictures/one.svg" width="3">', ["pictures/one.svg"]),
        ("[words]: ../page.md", ["../page.md"]),
        ("[words](http://example.org)", ["http://example.org"]),
        ("[words](https://example.org)", []),
        ("`[words](page.md)`", []),
        ("```python\nrows[0](page)\n```", []),
    ],
)
def test_links_that_lead_nowhere_from_an_index_are_found(metadata, link, found):
    whole = wheel_contents.parse(f"{metadata}\n\n{link}\n")
    assert wheel_contents.relative_links(wheel_contents.description(whole)) == found


def test_the_links_of_the_description_lead_to_pages_that_are_here(metadata):
    text = wheel_contents.description(wheel_contents.parse(metadata))
    urls = [*wheel_contents.links(text), *PYPROJECT["project"]["urls"].values()]
    paths = [url.removeprefix(f"{HERE}/blob/main/") for url in urls if "/blob/" in url]
    assert len(paths) > 10
    assert [path for path in paths if not (ROOT / path).is_file()] == []


# ---- licences -------------------------------------------------------------------------------


def test_the_licences_are_those_of_the_crates_that_are_linked_in():
    crates = third_party.everywhere()
    assert third_party.FILE.read_text(encoding="utf-8") == third_party.render(crates)
    assert {crate.name for crate in crates} >= {"ring", "rustls", "pyo3", "arrow-array", "schannel"}
    # What only the compiler runs is not linked in.
    assert not {crate.name for crate in crates} & {"syn", "cc", "pyo3-build-config", "pyo3-macros"}


@pytest.mark.parametrize(
    ("licence", "texts"),
    [
        ("MIT OR Apache-2.0", ["mit"]),
        ("Apache-2.0/MIT", ["mit"]),
        ("Apache-2.0 WITH LLVM-exception OR MIT", ["mit"]),
        ("MIT", ["apache", "mit"]),
        ("Apache-2.0 AND MIT", ["apache", "mit"]),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", ["apache", "mit"]),
    ],
)
def test_a_choice_of_licences_is_made(tmp_path, licence, texts):
    (tmp_path / "LICENSE-APACHE").write_text("apache\n")
    (tmp_path / "LICENSE-MIT").write_text("mit\n")
    (tmp_path / "README.md").write_text("no licence\n")
    assert third_party.Crate("c", "1", licence, tmp_path).texts() == texts
    (tmp_path / "NOTICE.txt").write_text("notice\n")
    assert third_party.Crate("c", "1", licence, tmp_path).texts() == [*texts, "notice"]


def test_a_crate_without_a_text_is_named(tmp_path):
    with pytest.raises(third_party.Incomplete, match="c 1: no file with its licence"):
        third_party.Crate("c", "1", "MIT", tmp_path).texts()


def test_a_text_stands_once_with_all_of_its_crates(tmp_path):
    for name, text in (("a", "same\ntext\n"), ("b", "same text"), ("c", "another")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "LICENSE").write_text(text)
    crates = [third_party.Crate(name, "1", "ISC", tmp_path / name) for name in "abc"]
    found = [(text, [crate.name for crate in users]) for text, users in third_party.by_text(crates)]
    assert found == [("same\ntext", ["a", "b"]), ("another", ["c"])]


# ---- workflows ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted((ROOT / ".github" / "workflows").glob("*.yml")), ids=str)
def test_a_workflow_may_do_no_more_than_it_needs(path):
    text = path.read_text(encoding="utf-8")
    flow = yaml.safe_load(text)
    assert flow["permissions"] == {"contents": "read"}
    for name, job in flow["jobs"].items():
        # Only publishing identifies itself to somebody, and only after somebody's approval.
        assert ("environment" in job) == ("permissions" in job) == name.startswith("publish")
        assert all("@" in step["uses"] for step in job["steps"] if "uses" in step)
    assert not re.search(r"secrets\.|password:", text)


def test_the_workflow_of_wheels_knows_all_pythons():
    flow = yaml.safe_load((ROOT / ".github" / "workflows" / "wheels.yml").read_text())
    assert tuple(flow["env"]["PYTHONS"].split()) == wheels.VERSIONS
    [pythons] = [s for s in flow["jobs"]["linux"]["steps"] if "python" in s.get("uses", "")]
    installed = pythons["with"]["python-version"].split()
    assert sorted(installed) == sorted(wheels.VERSIONS)
    for job, prefix in (("musl", "3."), ("macos", "python3.")):
        [build] = [s for s in flow["jobs"][job]["steps"] if "maturin" in s.get("uses", "")]
        built = re.findall(rf"-i {prefix}(\d+)", build["with"]["args"])
        assert [f"3.{minor}" for minor in built] == list(wheels.VERSIONS)


# ---- the source distribution ----------------------------------------------------------------


def test_a_source_distribution_can_be_built_from(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "maturin", "sdist", "--out", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    [path] = tmp_path.glob("*.tar.gz")
    assert wheel_contents.sdist_faults(path) == []


def test_what_a_source_distribution_lacks_is_found(tmp_path):
    path = tmp_path / "p-1.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("p-1/python/psycoxide/_psycopg.so"), io.BytesIO())
    found = wheel_contents.sdist_faults(path)
    assert "Cargo.lock is missing" in found
    assert found[-1] == "python/psycoxide/_psycopg.so is the result of a build"
