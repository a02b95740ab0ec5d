"""A program that uses every public name of the package, and every public attribute of its classes.

A name that there is when the program runs has to be one that editors complete.
`public_names.py FOLDER` writes the programs, in a process of its own: helpers such as
`register_uuid()` add names to modules.
"""

import importlib
import keyword
import sys
from pathlib import Path
from types import ModuleType

MODULES = ("", "errorcodes", "errors", "extensions", "extras", "pool", "rows", "sql", "tz")
# What modules have for themselves.
THEIR_OWN = {"TYPE_CHECKING", "sqlstate_errors"}


def program() -> str:
    """The program's text: one name or attribute a line."""
    lines = ["from psycoxide import " + ", ".join(filter(None, MODULES)), "import psycoxide"]
    for name in MODULES:
        module = importlib.import_module(f"psycoxide.{name}".rstrip("."))
        prefix = name or "psycoxide"
        for public in names_of(module):
            lines.append(f"{prefix}.{public}")
            found = getattr(module, public)
            # What a protocol asks of objects, the class itself has not.
            if isinstance(found, type) and not getattr(found, "_is_protocol", False):
                lines += [f"{prefix}.{public}.{one}" for one in names_of(found)]
    return "\n".join([*lines, ""])


def program_of_stars() -> str:
    """The text of a program that uses what `from ... import *` gives, a name a line."""
    modules = [importlib.import_module(name) for name in ("psycoxide", "psycoxide.extras")]
    lines = [f"from {module.__name__} import *" for module in modules]
    return "\n".join([*lines, *(name for module in modules for name in module.__all__), ""])


def names_of(place: object) -> list[str]:
    """The public names of a module or class, without what a module imports for itself."""
    names = [
        name
        for name in dir(place)
        if not name.startswith("_") and not keyword.iskeyword(name) and name not in THEIR_OWN
    ]
    if isinstance(place, type):
        return names
    own = [getattr(getattr(place, name), "__module__", "psycoxide") for name in names]
    return [
        name
        for name, home in zip(names, own)
        if home.startswith("psycoxide") and not isinstance(getattr(place, name), ModuleType)
    ]


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    (folder / "names.py").write_text(program())
    (folder / "stars.py").write_text(program_of_stars())
