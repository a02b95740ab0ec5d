"""Functions that run side by side: what they print stays apart, and none is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

TOOLS = Path(__file__).resolve().parent.parent
# The functions of the programs below. `meet` returns only if another one runs at the same time.
PRELUDE = f"""
import functools, os, subprocess, sys, time
sys.path.insert(0, {str(TOOLS)!r})
import beside

def say(name, value):
    for number in range(3):
        print(name, number, flush=True)
        time.sleep(0.05)
    subprocess.run(["sh", "-c", f"echo {{name}} of a program; echo {{name}} of its errors >&2"])
    return value

def meet(mine, others):
    open(mine, "w").close()
    deadline = time.monotonic() + 20
    while not os.path.exists(others):
        assert time.monotonic() < deadline, "no other one runs"
        time.sleep(0.01)
    return mine

part = functools.partial
print("begin", end=" ")
"""


def run(program: str, folder: Path, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PRELUDE + program],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=True,
    )


def test_the_output_of_each_is_whole_and_in_order(tmp_path):
    done = run("print(beside.run([part(say, name, name * 2) for name in 'abc'], jobs=3))", tmp_path)
    lines = [
        f"{name} {what}"
        for name in "abc"
        for what in ("0", "1", "2", "of a program", "of its errors")
    ]
    assert done.stdout.splitlines() == ["begin " + lines[0], *lines[1:], "['aa', 'bb', 'cc']"]
    assert done.stderr == ""


def test_they_run_at_the_same_time(tmp_path):
    done = run("print(beside.run([part(meet, 'a', 'b'), part(meet, 'b', 'a')], jobs=2))", tmp_path)
    assert done.stdout.endswith("['a', 'b']\n")


def test_no_more_than_asked_for(tmp_path):
    program = """
def alone(number):
    os.mkdir("busy")
    time.sleep(0.3)
    os.rmdir("busy")
    return number
print(beside.run([part(alone, number) for number in range(3)], jobs=1))
"""
    assert run(program, tmp_path).stdout.endswith("[0, 1, 2]\n")


def test_one_that_fails_tells_why_and_the_others_go_on(tmp_path):
    program = """
def fail():
    print("about to fail")
    raise ValueError("what is wrong")
def vanish():
    os.kill(os.getpid(), 9)
print(beside.run([fail, vanish, part(say, "c", None), part(say, "d", 4)]))
"""
    out = run(program, tmp_path).stdout
    assert out.endswith("[None, None, None, 4]\n")
    begin, _, rest = out.partition("ValueError: what is wrong\n")
    assert "about to fail" in begin and "Traceback" in begin
    assert rest.startswith("ended with exit status 1\nended with exit status -9\nc 0\n")


def test_the_first_ones_output_comes_at_once(tmp_path):
    program = "beside.run([part(say, 'a', 1), part(time.sleep, 30)])"
    process = subprocess.Popen(
        [sys.executable, "-c", PRELUDE + program], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    began = time.monotonic()
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "begin a 0\n"
        assert time.monotonic() - began < 20
    finally:
        process.terminate()
        process.wait()


def test_a_signal_ends_all_of_them(tmp_path):
    program = """
def busy(name):
    print(os.getpid(), flush=True)
    try:
        time.sleep(60)
    finally:
        open(name, "w").close()
beside.run([part(busy, "a"), part(busy, "b")])
"""
    process = subprocess.Popen(
        [sys.executable, "-c", PRELUDE + program], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    first = int(process.stdout.readline().split()[1])
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 128 + signal.SIGTERM
    assert (tmp_path / "a").exists()
    assert not Path(f"/proc/{first}").exists()
    with process.stdout:
        # Only its end of the pipe is left.
        os.set_blocking(process.stdout.fileno(), False)
        process.stdout.read()
