"""A package called `psycopg2` that is another driver.

It is put first on PYTHONPATH, for the worker and every process that a test starts. It uses the
driver's own `install_as_psycopg2` if there is one, so that the suite tests what users use;
another driver gets a plain alias finder.
"""

from __future__ import annotations

from pathlib import Path

SOURCE = '''\
import importlib
import importlib.abc
import importlib.machinery
import sys

DRIVER = {driver!r}


class Loader(importlib.abc.Loader):
    """Hands out the driver's module under a second name, executed once."""

    def __init__(self, name):
        self.name = name

    def create_module(self, spec):
        module = importlib.import_module(self.name)
        self.saved = module.__spec__, getattr(module, "__loader__", None)
        return module

    def exec_module(self, module):
        module.__spec__, module.__loader__ = self.saved


class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, fullname, path=None, target=None):
        if not fullname.startswith("psycopg2."):
            return None
        name = DRIVER + fullname[len("psycopg2"):]
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(f"No module named {{fullname!r}}", name=fullname) from error
        return importlib.machinery.ModuleSpec(
            fullname, Loader(name), is_package=hasattr(module, "__path__")
        )


driver = importlib.import_module(DRIVER)
if hasattr(driver, "install_as_psycopg2"):
    sys.modules.pop("psycopg2", None)
    driver.install_as_psycopg2()
    importlib.import_module("psycopg2")
else:
    sys.meta_path.insert(0, Finder())
    sys.modules["psycopg2"] = driver
    for name in list(sys.modules):
        if name.startswith(DRIVER + ".") and sys.modules[name] is not None:
            sys.modules["psycopg2" + name[len(DRIVER):]] = sys.modules[name]
'''


def write(folder: Path, driver: str) -> Path:
    """Write the package. Returns the folder for PYTHONPATH."""
    package = folder / "psycopg2"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(SOURCE.format(driver=driver))
    return folder
