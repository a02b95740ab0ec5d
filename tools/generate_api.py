#!/usr/bin/env python3
"""Generate the API reference, docs/api/*.md, from the package: signatures, types and docstrings.

    generate_api.py           write the pages
    generate_api.py --check   exit with status 1, naming them, if any of the pages is stale

Signatures come from the Python sources and, for the native module, from its stub. Docstrings come
from the Python sources and from the native module, which has to be built and importable. A public
name without a docstring is an error.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import re
import sys
from pathlib import Path
from types import GenericAlias, ModuleType
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent))

from api_signatures import Function, annotation, merge_overloads, signature, wrap

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "python" / "psycoxide"
OUTPUT = ROOT / "docs" / "api"
MODULES = [
    "psycoxide",
    "aio",
    "sync",
    "arrow",
    "adbc",
    "rows",
    "extensions",
    "extras",
    "errors",
    "errorcodes",
    "pool",
    "sql",
    "sqlalchemy",
    "tz",
]
# Packages whose `__all__` says what is public. Their objects are made by functions and methods.
LISTED = {"aio", "sqlalchemy", "sync"}
# Those that programs make by calling the class.
CALLED = {
    f"{prefix}{name}"
    for prefix in ("Async", "")
    for name in ("ConnectionPool", "Listener", "NullConnectionPool", "Retrying")
}
# Those whose methods SQLAlchemy calls, and programs do not.
PLUGGED_IN = {"PsycoxideAsyncDialect", "PsycoxideDialect"}
NATIVE = "_psycopg"
# Public names of modules that belong to another module's page.
NOT_LISTED = {
    "extras": {"json", "quote_ident"},
    "errors": {"sqlstate_errors"},
    "psycoxide": {"errors"},
}


class Item(NamedTuple):
    """A public name: where it is defined and how."""

    name: str
    module: str
    node: ast.AST


class Source:
    """One module of the package, parsed."""

    def __init__(self, name: str) -> None:
        path = PACKAGE / name.replace(".", "/")
        candidates = [path.with_suffix(".pyi"), path.with_suffix(".py"), path / "__init__.py"]
        if name == "psycoxide":
            candidates = [PACKAGE / "__init__.py"]
        self.name = name
        self.text = next(c for c in candidates if c.exists()).read_text(encoding="utf-8")
        self.tree = ast.parse(self.text)
        self.tree.body = merge_overloads(self.tree.body)
        self.lines = self.text.splitlines()

    def imported(self) -> dict[str, str]:
        """Names re-exported on purpose (`import a as a`), with the module that they come from.

        With those that are imported late, whose imports only type checkers see.
        """
        found = {}
        nodes = list(self.tree.body)
        for node in self.tree.body:
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                nodes += node.body
        for node in nodes:
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("psycoxide"):
                module = str(node.module).partition("psycoxide.")[2] or "psycoxide"
                for alias in node.names:
                    if alias.asname == alias.name or alias.name in self.listed():
                        found[alias.name] = module
        return found

    def listed(self) -> list[str]:
        """What `__all__` has, in a package where it decides."""
        if self.name not in LISTED:
            return []
        value = next(
            node.value
            for node in self.tree.body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        )
        return [str(name) for name in ast.literal_eval(value)]

    def defined(self) -> dict[str, ast.AST]:
        found: dict[str, ast.AST] = {}
        for node in self.tree.body:
            if isinstance(node, (ast.ClassDef, Function)):
                found[node.name] = node
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                found[node.targets[0].id] = node
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found[node.target.id] = node
        return found


def title(module: str) -> str:
    return module if module == "psycoxide" else f"psycoxide.{module}"


def imported(module: str) -> ModuleType:
    return importlib.import_module(title(module))


_sources: dict[str, Source] = {}


def source(name: str) -> Source:
    if name not in _sources:
        _sources[name] = Source(name)
    return _sources[name]


def items(module: str) -> list[Item]:
    """The public names of a module, each with its definition, in whichever module that is."""
    found = []
    own = source(module)
    for name, origin in own.imported().items():
        if origin in MODULES and module in LISTED:
            continue
        resolved = resolve(origin, name)
        if resolved is not None:
            found.append(Item(name, *resolved))
    found += [Item(name, module, node) for name, node in own.defined().items()]
    hidden = {"TYPE_CHECKING", *NOT_LISTED.get(module, set())}
    public = re.compile(r"(?!_)\w+|__\w*version__")
    return [i for i in found if public.fullmatch(i.name) and i.name not in hidden]


def resolve(module: str, name: str) -> tuple[str, ast.AST] | None:
    """The module and node that define a module's name; None if the name is itself a module."""
    own = source(module)
    if name in own.defined():
        return module, own.defined()[name]
    origin = own.imported().get(name)
    return resolve(origin, name) if origin and origin != module else None


# ---- docstrings -----------------------------------------------------------------------------


def docstring(item: Item) -> str:
    """The docstring of a class or function. Raises LookupError if it has none."""
    if item.module == NATIVE:
        text = native_doc(item.name)
    else:
        assert isinstance(item.node, (ast.ClassDef, Function))
        text = ast.get_docstring(item.node) or ""
    if not text:
        raise LookupError(f"{item.module}.{item.name} has no docstring")
    return text


def native_doc(dotted: str) -> str:
    """A docstring of the native module, without the signature that it may begin with."""
    found: object = imported(NATIVE)
    for name in dotted.split("."):
        found = getattr(found, name)
    return without_signature(str(found.__doc__ or ""), dotted.rpartition(".")[2])


def without_signature(text: str, name: str) -> str:
    """The docstring without the signature at its beginning: the page has its own."""
    shown = rf"\A{re.escape(name)}\(.*?\)(?:\s->\s[^\n]*?)?(?:\s--\s|: |\n\n|\Z)"
    summary, blank, rest = re.sub(shown, "", text, flags=re.DOTALL).partition("\n\n")
    summary = " ".join(summary.split())
    return summary[:1].upper() + summary[1:] + blank + rest


# ---- pages ----------------------------------------------------------------------------------


def page(module: str) -> str:
    """The page of one module."""
    dotted = title(module)
    own = source(module)
    found = items(module)
    classes = [i for i in found if isinstance(i.node, ast.ClassDef)]
    functions = [i for i in found if isinstance(i.node, Function)]
    values = [i for i in found if isinstance(i.node, (ast.Assign, ast.AnnAssign))]
    out = [
        f"# `{dotted}`",
        "",
        "<!-- Generated by tools/generate_api.py: do not edit. -->",
        "",
        ast.get_docstring(own.tree) or "",
        "",
    ]
    out += borrowed(own)
    if functions:
        out += ["## Functions", ""]
        for item in sorted(functions, key=lambda i: i.name.lower()):
            assert isinstance(item.node, Function)
            out += heading(item.name, with_values(signature(item.node), item.module), 3)
            out += [docstring(item), ""]
    if module == "errors":
        return "\n".join(out + errors_tables(classes))
    if classes:
        exceptions = [i for i in classes if is_exception(i)]
        others = [i for i in classes if not is_exception(i)]
        if others:
            out += ["## Classes", ""]
            for item in sorted(others, key=lambda i: i.name.lower()):
                out += class_section(item)
        if exceptions:
            out += ["## Exceptions", ""]
            for item in exceptions:
                out += class_section(item)
    if module == "errorcodes":
        return "\n".join(out + errorcode_tables(own))
    out += value_tables(module, values)
    return "\n".join(out).rstrip() + "\n"


def borrowed(own: Source) -> list[str]:
    """Which names of a package are on another page."""
    out: list[str] = []
    for module in MODULES:
        names = [name for name, origin in own.imported().items() if origin == module]
        if own.name in LISTED and names:
            shown = ", ".join(f"`{name}`" for name in sorted(names, key=str.lower))
            out += [f"From [`{title(module)}`]({module}.md): {shown}.", ""]
    return out


def with_values(code: str, module: str) -> str:
    """A signature with the values of the module's constants that are defaults."""
    for name, node in source(module).defined().items():
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            code = re.sub(rf"(?<== ){name}\b", ast.unparse(node.value), code)
    return code


def is_exception(item: Item) -> bool:
    found = getattr(imported(item.module), item.name, None)
    return isinstance(found, type) and issubclass(found, Exception)


def heading(name: str, code: str, level: int) -> list[str]:
    return [f"{'#' * level} `{name}`", "", "```text", *wrap(code), "```", ""]


def class_section(item: Item) -> list[str]:
    """A class: its bases, docstring, constructor, attributes and methods."""
    node = item.node
    assert isinstance(node, ast.ClassDef)
    bases = [annotation(base) for base in node.bases]
    unlisted = tuple(base.name for base in unlisted_bases(item))
    bases = [base for base in bases if not base.startswith(("_", "Generic", *unlisted))]
    constructor = next(
        (n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None
    )
    if constructor is None:
        constructor = next(
            (n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__new__"), None
        )
    known = constructor is not None and "*_args" not in ast.unparse(constructor.args)
    code = f"class {item.name}({', '.join(bases)})" if bases else f"class {item.name}"
    lines = [code]
    made_elsewhere = item.module.partition(".")[0] in LISTED and item.name not in CALLED
    if known and not is_exception(item) and not made_elsewhere:
        assert constructor is not None
        lines += wrap(with_values(signature(constructor, item.name), item.module))
    out = [f"### `{item.name}`", "", "```text", *lines, "```", "", docstring(item), ""]
    attributes, methods = ([], []) if item.name in PLUGGED_IN else members(item)
    if attributes:
        out += ["| Attribute | Type | |", "|---|---|---|"]
        out += [f"| `{name}` | `{kind}` | {text} |" for name, kind, text in attributes]
        out += [""]
    for name, call, text in methods:
        out += heading(f"{item.name}.{name}", call, 4)
        out += [text, ""]
    return out


def unlisted_bases(item: Item) -> list[Item]:
    """The base classes of a class of a listed package that are not public themselves."""
    package = item.module.partition(".")[0]
    if package not in LISTED:
        return []
    found = []
    for base in getattr(imported(item.module), item.name).__mro__[1:]:
        module = base.__module__.partition("psycoxide.")[2]
        if module.startswith(f"{package}.") and base.__name__ not in source(package).listed():
            found.append(Item(base.__name__, module, source(module).defined()[base.__name__]))
    return found


def members(item: Item) -> tuple[list[tuple[str, str, str]], list[tuple[str, str, str]]]:
    """The public attributes and methods of a class: name, type or signature, docstring."""
    attributes: dict[str, tuple[str, str]] = {}
    methods = []
    parts: list[ast.stmt] = []
    for each in (item, *unlisted_bases(item)):
        assert isinstance(each.node, ast.ClassDef)
        parts += each.node.body
    for part in parts:
        if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
            name = part.target.id
            if isinstance(part.value, ast.Call) and ast.unparse(part.value.func) == "_field":
                attributes[name] = ("str | None", str(ast.literal_eval(part.value.args[1])))
            elif not name.startswith("_") and item.module == NATIVE:
                kind = f"{annotation(part.annotation)}, writable"
                attributes[name] = (kind, member_doc(item, part, name))
        elif isinstance(part, Function) and not part.name.startswith("_"):
            decorators = [ast.unparse(d) for d in part.decorator_list]
            if "property" in decorators:
                kind = annotation(part.returns) if part.returns else ""
                attributes[part.name] = (kind, member_doc(item, part, part.name))
            elif any(d.endswith(".setter") for d in decorators):
                kind, text = attributes[part.name]
                taken = [*part.args.posonlyargs, *part.args.args][-1].annotation
                other = annotation(taken) if taken else kind
                written = "writable" if other == kind else f"set to {other}"
                attributes[part.name] = (f"{kind}, {written}", text)
            else:
                call = with_values(signature(part, item.name), item.module)
                methods.append((part.name, call, member_doc(item, part, part.name)))
    rows = [
        (name, kind.replace("|", "\\|"), " ".join(text.split()).replace("|", "\\|"))
        for name, (kind, text) in sorted(attributes.items())
    ]
    return rows, sorted(methods)


def member_doc(item: Item, node: ast.AST, name: str) -> str:
    if item.module == NATIVE:
        text = native_doc(f"{item.name}.{name}")
    elif isinstance(node, Function):
        text = ast.get_docstring(node) or inherited_doc(item, name)
    else:
        text = ""
    if not text:
        raise LookupError(f"{item.module}.{item.name}.{name} has no docstring")
    return text


def inherited_doc(item: Item, name: str) -> str:
    """The docstring of the method that this one overrides."""
    for base in getattr(imported(item.module), item.name).__mro__[1:]:
        if name in vars(base):
            return without_signature(str(vars(base)[name].__doc__ or ""), name)
    return ""


# ---- constants ------------------------------------------------------------------------------


def value_tables(module: str, values: list[Item]) -> list[str]:
    """Constants with their values and the comment above them; typecasters with their oids."""
    home = imported(module)
    casters = [
        i
        for i in values
        if hasattr(getattr(home, i.name), "values")
        and not isinstance(getattr(home, i.name), (dict, GenericAlias))
    ]
    plain = [i for i in values if i not in casters]
    out: list[str] = []
    if plain:
        out += ["## Constants", ""]
        groups: dict[str, list[Item]] = {}
        for item in plain:
            groups.setdefault(comment(item), []).append(item)
        for text, group in groups.items():
            if text:
                out += [text, ""]
            out += ["| | |", "|---|---|"]
            out += [f"| `{i.name}` | {value(getattr(home, i.name))} |" for i in group]
            out += [""]
    if casters:
        out += [
            "## Typecasters",
            "",
            "Objects made by `new_type()` and `new_array_type()`: to call, to register for other",
            "types, to compare with a `type_code`. The numbers are the oids that they are for.",
            "",
            "| | |",
            "|---|---|",
        ]
        for item in sorted(casters, key=lambda i: i.name):
            oids = getattr(home, item.name).values
            out += [f"| `{item.name}` | {', '.join(map(str, oids)) or 'none'} |"]
        out += [""]
    return out


def comment(item: Item) -> str:
    """The comment above the group of assignments that an item is in."""
    lines = source(item.module).lines
    assert isinstance(item.node, (ast.Assign, ast.AnnAssign))
    at = item.node.lineno - 2
    while at >= 0 and lines[at].strip() and not lines[at].startswith("#"):
        at -= 1
    words: list[str] = []
    while at >= 0 and lines[at].startswith("#"):
        words.insert(0, lines[at].strip("# -"))
        at -= 1
    return " ".join(words)


def value(found: object) -> str:
    if isinstance(found, dict):
        return "dict"
    if isinstance(found, GenericAlias):
        return f"`{found}`".replace("typing.", "")
    if isinstance(found, (int, str, type(None))):
        # Versions change with every release; the page should not.
        return "str" if re.match(r"\d+\.\d+", str(found)) and found != "2.0" else f"`{found!r}`"
    return f"a `{type(found).__name__}`"


def errors_tables(classes: list[Item]) -> list[str]:
    """A row for each exception class, by the class of its SQLSTATE."""
    out = ["## The classes of SQLSTATEs", "", "| SQLSTATE | Exception | Base |", "|---|---|---|"]
    for item in classes:
        if item.module != "errors":
            continue
        assert isinstance(item.node, ast.ClassDef)
        code = re.match(r"SQLSTATE (\w{5})", ast.get_docstring(item.node) or "")
        base = ast.unparse(item.node.bases[0])
        out += [f"| `{code[1] if code else ''}` | `{item.name}` | `{base}` |"]
    return [*out, ""]


def errorcode_tables(own: Source) -> list[str]:
    """A row for each constant, a table for each class of codes."""
    out: list[str] = ["## The codes", "", "| Constant | Code |", "|---|---|"]
    for name, node in own.defined().items():
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            out += [f"| `{name}` | `{node.value.value!s}` |"]
    return [*out, ""]


def index() -> str:
    out = [
        "# API reference",
        "",
        "<!-- Generated by tools/generate_api.py: do not edit. -->",
        "",
        "Every public module, class, function and attribute. Under the alias (`import psycopg2`)",
        "the names are the same. For how to use them, see [the manual](../README.md).",
        "",
        "| | |",
        "|---|---|",
    ]
    for module in MODULES:
        dotted = title(module)
        first = (ast.get_docstring(source(module).tree) or "").split("\n\n")[0]
        out += [f"| [`{dotted}`]({module}.md) | {' '.join(first.split())} |"]
    return "\n".join([*out, ""])


def outputs() -> dict[Path, str]:
    """The pages and their texts."""
    pages = {OUTPUT / f"{module}.md": page(module).rstrip() + "\n" for module in MODULES}
    return {OUTPUT / "README.md": index(), **pages}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only compare, write nothing")
    arguments = parser.parse_args()
    found = outputs()
    stale = [p for p, text in found.items() if not p.exists() or p.read_text() != text]
    for path in stale:
        if arguments.check:
            print(f"{path.relative_to(ROOT)} is stale: run tools/generate_api.py")
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(found[path])
    return 1 if arguments.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
