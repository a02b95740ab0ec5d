"""The type checkers, run over programs; what they report, by file and line."""

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple


class Report(NamedTuple):
    """What a checker reports of a line: the code of it, and the text."""

    code: str
    text: str


Reports = dict[str, dict[int, list[Report]]]


def mypy(programs: list[Path], folder: Path) -> Reports:
    """`mypy --strict` on each program, without anybody's settings."""
    done = run(
        *(sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--hide-error-context"),
        *("--config-file=", f"--cache-dir={folder / 'cache'}", *programs),
    )
    found: Reports = defaultdict(lambda: defaultdict(list))
    for line in done.stdout.splitlines():
        match = re.fullmatch(r"(.+?):(\d+): error: (.+?)(?:  \[([\w-]+)\])?", line)
        if match:
            found[Path(match[1]).name][int(match[2])].append(Report(match[4] or "", match[3]))
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return found


def pyright(programs: list[Path], folder: Path) -> Reports:
    """pyright on each program, in strict mode but for what is matter of taste."""
    settings = {
        "typeCheckingMode": "strict",
        # The stub of the native module is all there is to see of it.
        "reportMissingModuleSource": False,
        # The methods of named tuples begin with an underscore.
        "reportPrivateUsage": False,
        "include": [str(program) for program in programs],
    }
    project = folder / "pyrightconfig.json"
    project.write_text(json.dumps(settings))
    done = run(*PYRIGHT, "--outputjson", "--project", project)
    found: Reports = defaultdict(lambda: defaultdict(list))
    for one in json.loads(done.stdout)["generalDiagnostics"]:
        if one["severity"] != "information":
            line = one["range"]["start"]["line"] + 1
            report = Report(one.get("rule", ""), one["message"])
            found[Path(one["file"]).name][line].append(report)
    return found


def completeness() -> dict[str, object]:
    """What `pyright --verifytypes psycoxide` has to say."""
    done = run(*PYRIGHT, "--outputjson", "--ignoreexternal", "--verifytypes", "psycoxide")
    found: dict[str, object] = json.loads(done.stdout)["typeCompleteness"]
    return found


# pyright as a package of PyPI that needs neither npm nor a Node.js of the machine.
PYRIGHT = (sys.executable, "-m", "basedpyright")


def run(*command: object) -> "subprocess.CompletedProcess[str]":
    # pyright asks the first `python` on the path where the packages are.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": path},
    )
