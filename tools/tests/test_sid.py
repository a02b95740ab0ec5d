"""The chroot of Debian sid: that it leaves nothing behind, and what it says where there is none."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import sid  # noqa: E402

PROGRAM = [sys.executable, str(ROOT / "tools" / "sid.py")]
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]

needs_chroot = pytest.mark.skipif(
    os.geteuid() != 0 or not sid.FOLDER.exists(),
    reason="no chroot of Debian sid here: `make test-next`, as root, makes one",
)


def run(*arguments, before=(), **env):
    return subprocess.run(
        [*before, *PROGRAM, *arguments],
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def mounted():
    return Path("/proc/self/mountinfo").read_text()


def test_only_root_has_one(tmp_path):
    if os.geteuid() == 0 and not shutil.which("setpriv"):
        pytest.skip("no setpriv here (of util-linux), to be somebody else")
    # Another user may have no access to the program in the checkout.
    copy = shutil.copy(ROOT / "tools" / "sid.py", "/tmp/psycoxide-test-sid.py")
    try:
        done = subprocess.run(
            [*(NOBODY if os.geteuid() == 0 else ()), "/usr/bin/python3", copy, "run", "false"],
            env={"PSYCOXIDE_SID": str(tmp_path / "sid"), "PATH": os.defpath},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.unlink(copy)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "[sid] skipped: a chroot of Debian sid is made by root only\n"


@pytest.mark.parametrize("missing", ["unshare", "debootstrap"])
def test_what_is_missing_is_named(monkeypatch, tmp_path, missing):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(sid, "PRIVATE", ("env",))
    monkeypatch.setattr(sid, "FOLDER", tmp_path / "sid")
    monkeypatch.setattr(sid.shutil, "which", lambda name: None if name == missing else name)
    with pytest.raises(sid.Unavailable, match=f"there is no {missing} here"):
        sid.ensure()


def test_the_root_of_a_container_has_none(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(sid, "PRIVATE", ("sh", "-c", "echo not permitted >&2; exit 1"))
    with pytest.raises(sid.Unavailable, match="this root may mount nothing: not permitted"):
        sid.ensure()


def test_a_mirror_that_cannot_be_reached_is_named(monkeypatch):
    gone = "http://127.0.0.1:9/debian"
    monkeypatch.setattr(sid.shutil, "which", lambda name: name)
    monkeypatch.setattr(
        sid.subprocess,
        "run",
        lambda *_args, **_kwargs: subprocess.CompletedProcess([], 0, stdout=f"{gone}\n{gone}\n"),
    )
    with pytest.raises(sid.Unavailable, match=f"serves Debian sid: {gone}: .*refused") as raised:
        sid.find_mirror()
    assert str(raised.value).count(gone) == 1


def test_what_is_mounted_somewhere_else_is_no_matter():
    table = "".join(
        f"{number} 1 0:1 / {point} rw - ext4 /dev/x rw\n"
        for number, point in enumerate(["/", "/proc", "/a/sid-of-mine", "/a/sid/root/.cargo"])
    )
    assert sid.mounts_in(Path("/a/sid"), table) == ["/a/sid/root/.cargo"]
    assert sid.mounts_in(Path("/b"), table) == []


def test_a_folder_in_which_something_is_mounted_is_not_removed(monkeypatch, tmp_path):
    kept = tmp_path / "kept"
    kept.touch()
    monkeypatch.setattr(sid, "mounts_in", lambda folder, _table: [f"{folder}/root/.cargo"])
    with pytest.raises(sid.Failed, match=r"\.cargo is mounted"):
        sid.remove(tmp_path)
    assert kept.exists()


@needs_chroot
def test_the_checkout_is_inside_while_a_command_runs_and_nowhere_else():
    command = [*PROGRAM, "run", "sh", "-c", "pwd; cat /proc/self/mountinfo; read wait"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == f"{ROOT}\n"
        outside = mounted()
        process.stdin.close()
        inside = process.stdout.read()
    assert process.returncode == 1
    assert f" {ROOT} " in inside and f" {sid.CARGO} " in inside
    assert str(sid.FOLDER) not in outside
    assert str(sid.FOLDER) not in mounted()


@needs_chroot
def test_a_command_is_another_users_if_it_should_be():
    assert run("run", "--user", "nobody", "sh", "-c", "id -un; pwd").stdout == "nobody\n/\n"


@needs_chroot
def test_the_exit_code_is_handed_on():
    assert run("run", "sh", "-c", "exit 7").returncode == 7


@needs_chroot
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_is_the_commands(number):
    command = [*PROGRAM, "run", "sh", "-c", "echo there; exec sleep 600"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "there\n"
        # The shell may not have become `sleep` yet.
        time.sleep(0.2)
        process.send_signal(number)
        assert process.wait(20) == -number
        # The sleeping process held the other end.
        assert process.stdout.read() == ""


@needs_chroot
def test_the_environment_is_not_ours():
    done = run("run", "env", SECRET_OF_MINE="1", http_proxy="http://127.0.0.1:9")
    assert "SECRET_OF_MINE" not in done.stdout and "http_proxy=http://127.0.0.1:9" in done.stdout
