"""`python -m psycoxide run`: programs run as `python` runs them, psycopg2 being psycoxide."""

import os
import re
import subprocess
import sys
import textwrap

import pytest

import psycoxide


@pytest.fixture
def run(tmp_path):
    """Writes files and runs `python -m psycoxide` with the arguments."""

    def go(*arguments, files=None, check=True, env=None, cwd=tmp_path):
        for name, text in (files or {}).items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))
        done = subprocess.run(
            [sys.executable, "-m", "psycoxide", *map(str, arguments)],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if check:
            assert done.returncode == 0, done.stderr
        return done

    return go


def test_version(run):
    assert run("version").stdout.splitlines()[:2] == [
        f"psycoxide {psycoxide.__psycoxide_version__}",
        "psycopg2's API 2.9.13",
    ]


def test_a_script_sees_what_python_would_show_it(run, tmp_path):
    files = {
        "sub/script.py": """
            import sys, psycopg2, psycoxide, neighbour
            print(sys.argv, sys.path[0], __file__, __name__, __spec__)
            print(psycopg2 is psycoxide, sys.modules["__main__"].__dict__ is globals())
        """,
        "sub/neighbour.py": "",
    }
    script = tmp_path / "sub" / "script.py"
    first, second = run("run", "sub/script.py", "-m", "x", "--y", files=files).stdout.splitlines()
    argv = ["sub/script.py", "-m", "x", "--y"]
    assert first == f"{argv} {script.parent} {script} __main__ None"
    assert second == "True True"


def test_a_module_sees_what_python_would_show_it(run, tmp_path):
    files = {
        "pkg/__init__.py": "",
        "pkg/mod.py": """
            import sys, psycopg2, psycoxide
            print(sys.argv, __name__, __spec__.name, psycopg2 is psycoxide)
        """,
    }
    done = run("run", "-m", "pkg.mod", "-m", "--y", files=files)
    argv = [str(tmp_path / "pkg" / "mod.py"), "-m", "--y"]
    assert done.stdout == f"{argv} __main__ pkg.mod True\n"


def test_a_directory_with_a_main(run):
    done = run("run", "app", files={"app/__main__.py": "import psycopg2; print(__name__)"})
    assert done.stdout == "__main__\n"


@pytest.mark.parametrize(
    ("source", "status"),
    [
        ("import sys; sys.exit(7)", 7),
        ("raise SystemExit", 0),
        ("raise ValueError('seen')", 1),
        ("import", 1),
    ],
)
def test_the_exit_status_is_the_program_s(run, source, status):
    done = run("run", "script.py", files={"script.py": source}, check=False)
    assert done.returncode == status
    if "seen" in source:
        assert done.stderr.endswith("ValueError: seen\n")


def test_exit_handlers_and_threads_find_the_program_s_globals(run):
    source = """
        import atexit, threading, time
        value = "kept"
        atexit.register(lambda: print(value))
        threading.Thread(target=lambda: (time.sleep(0.1), print(value))).start()
    """
    assert run("run", "script.py", files={"script.py": source}).stdout == "kept\nkept\n"


def test_a_child_process_is_given_the_alias(run):
    source = """
        import subprocess, sys
        child = "import psycopg2; print(psycopg2.__name__, psycopg2.Error.__module__)"
        subprocess.run([sys.executable, "-c", child], check=True)
        grandchild = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
        subprocess.run([sys.executable, "-c", grandchild], check=True)
    """
    done = run("run", "script.py", files={"script.py": source})
    assert done.stdout.splitlines() == ["psycopg2 psycopg2"] * 2


def test_a_child_process_executes_it_once(run):
    source = '''
        import subprocess, sys
        child = """if True:
            import sys, psycopg2, psycoxide
            print(psycopg2 is psycoxide, psycopg2.Error.__module__, psycopg2.connect.__module__)
            found = [getattr(module, "__spec__", None) for module in set(sys.modules.values())]
            print(sum(spec.name in ("psycoxide", "psycopg2") for spec in found if spec))
        """
        subprocess.run([sys.executable, "-v", "-c", child], check=True)
    '''
    done = run("run", "script.py", files={"script.py": source})
    assert done.stdout == "True psycopg2 psycopg2\n1\n"
    assert done.stderr.count("import 'psycoxide' #") == 1
    executed = re.findall("code object from .*psycoxide/__init__.py", done.stderr)
    executed += re.findall("psycoxide/__pycache__/__init__[^ ]* matches", done.stderr)
    assert len(executed) == 1, executed


def test_a_child_process_that_does_not_import_it_pays_nothing(run):
    source = """
        import os, subprocess, sys
        child = [sys.executable, "-c", "import sys; print(*sorted(sys.modules))"]
        mine = subprocess.run(child, capture_output=True, check=True).stdout
        del os.environ["PYTHONPATH"]
        assert mine == subprocess.run(child, capture_output=True, check=True).stdout
        assert b"psycoxide" not in mine
    """
    run("run", "script.py", files={"script.py": source})


def test_a_tool_s_own_sitecustomize_does_not_hide_it(run, tmp_path):
    """Tools that instrument a program put theirs first, and many run no other."""
    source = """
        import os, subprocess, sys
        os.environ["PYTHONPATH"] = os.pathsep.join(["tool", os.environ["PYTHONPATH"]])
        child = "import psycopg2; print(tool, psycopg2.__name__, psycopg2.Error.__module__)"
        subprocess.run([sys.executable, "-c", child], check=True)
    """
    files = {"script.py": source, "tool/sitecustomize.py": "import builtins; builtins.tool = 1"}
    assert run("run", "script.py", files=files).stdout == "1 psycopg2 psycopg2\n"


def test_the_distribution_is_found_here_and_in_child_processes(run):
    source = """
        import subprocess, sys
        look = "from importlib.metadata import version as of; print(of('psycopg2'))"
        exec(look)
        sys.stdout.flush()
        subprocess.run([sys.executable, "-c", look], check=True)
    """
    level = psycoxide.__version__.split()[0]
    assert run("run", "script.py", files={"script.py": source}).stdout == f"{level}\n" * 2


@pytest.mark.parametrize("has_psycopg2", [False, True])
def test_in_another_environment_it_is_what_it_would_be_without(run, tmp_path, has_psycopg2):
    """An interpreter that has no psycoxide, started by a program that has."""
    site = tmp_path / "other"
    source = f"""
        import os, subprocess, sys
        child = "import sys; sys.path.append({str(site)!r})\\nimport psycopg2, psycopg2.pool"
        child += "\\nprint(psycopg2.real, psycopg2.pool.real)"
        done = subprocess.run([sys.executable, "-S", "-c", child], capture_output=True, text=True)
        print(done.stdout + done.stderr)
    """
    files = {"script.py": source}
    if has_psycopg2:
        files |= {"other/psycopg2/__init__.py": "real = 1", "other/psycopg2/pool.py": "real = 2"}
    done = run("run", "script.py", files=files, env={"PYTHONPATH": ""})
    if has_psycopg2:
        assert done.stdout == "1 2\n\n"
    else:
        assert "ModuleNotFoundError: No module named 'psycopg2': " in done.stdout
        assert "stands for psycoxide, which is not installed" in done.stdout


@pytest.mark.parametrize("start", ["script", "module"])
def test_spawned_processes(run, start):
    source = """
        import multiprocessing
        def name(_):
            import psycopg2
            return psycopg2.__name__
        if __name__ == "__main__":
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print(pool.map(name, [1]))
    """
    what = ["spawning.py"] if start == "script" else ["-m", "spawning"]
    assert run("run", *what, files={"spawning.py": source}).stdout == "['psycopg2']\n"


def test_another_sitecustomize_still_runs(run, tmp_path):
    files = {
        "site/sitecustomize.py": "import builtins; builtins.customized = True",
        "script.py": """
            import subprocess, sys
            child = "import psycopg2; print(customized, psycopg2.__name__)"
            subprocess.run([sys.executable, "-c", child], check=True)
        """,
    }
    done = run("run", "script.py", files=files, env={"PYTHONPATH": str(tmp_path / "site")})
    assert done.stdout == "True psycopg2\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "required"),
        (["run"], "a script, or -m and a module, is required"),
        (["nonsense"], "invalid choice"),
        (["run", "no_such_script.py"], "no such file"),
        (["run", "-m", "no_such_module"], "No module named no_such_module"),
    ],
)
def test_wrong_arguments(run, arguments, says):
    done = run(*arguments, check=False)
    assert done.returncode != 0
    assert says in done.stderr
    assert "Traceback" not in done.stderr
