"""The files of a crate that each file needs, read from its source.

A file needs another if it names an item that is defined there: in a `use`, or by a path in its
code. A name is followed through every re-export to the file that defines the item. So a file does
not need the item of its `pub use`, unless its own code has the name. Without types methods cannot
be found: calls like `value.method()` do not count. Code for tests is left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

TOKEN = re.compile(
    r"""(?P<left_out>//[^\n]* | /\*.*?\*/ | \s+)
      | (?P<text>[bc]?r(?P<hashes>\#*)".*?"(?P=hashes) | [bc]?"(?:\\.|[^"\\])*"
                 | b?'(?:\\.[^']*|[^\\'])' | '\w+)
      | (?:r\#)?(?P<word>\w+)
      | (?P<mark>:: | .)""",
    re.DOTALL | re.VERBOSE,
)
DEFINES = {"fn", "struct", "enum", "trait", "type", "const", "static", "union", "macro_rules"}
OPENS, CLOSES = {"(", "[", "{"}, {")", "]", "}"}


@dataclass
class Import:
    """One name that a `use` brings in; the name is `*` for all of them."""

    name: str
    path: list[str]
    public: bool


@dataclass
class Module:
    """A module: a file of its own, or a `mod name { ... }` in one."""

    file: Path
    folder: Path
    parent: Module | None
    children: dict[str, Module] = field(default_factory=dict)
    imports: list[Import] = field(default_factory=list)
    defined: set[str] = field(default_factory=set)
    paths: list[list[str]] = field(default_factory=list)
    words: set[str] = field(default_factory=set)

    def all(self) -> list[Module]:
        return [self] + [one for child in self.children.values() for one in child.all()]


# File to file, with the names that the first one has of the second.
Graph = dict[str, dict[str, set[str]]]


def graph(source: Path) -> Graph:
    """The files under a crate's `src`, by their paths in it, and what each one needs."""
    root = Module(source / "lib.rs", source, None)
    Scan(root).file()
    edges: Graph = {}
    for module in root.all():
        here = edges.setdefault(str(module.file.relative_to(source)), {})
        for found, name in needs(root, module):
            if found.file != module.file:
                here.setdefault(str(found.file.relative_to(source)), set()).add(name)
    return edges


# ---- reading ------------------------------------------------------------------------------------


def tokens(text: str) -> list[str]:
    """Words and marks; a literal is a `"`, and comments are left out."""
    found = []
    for match in TOKEN.finditer(text):
        if match.lastgroup == "text" or match["text"]:
            found.append('"')
        elif not match["left_out"]:
            found.append(match["word"] or match["mark"])
    return found


class Scan:
    """Reads a module's source into it."""

    def __init__(self, module: Module, tokens_: list[str] | None = None) -> None:
        self.module = module
        self.tokens = tokens_ or []
        self.at = 0

    def file(self) -> None:
        self.tokens = tokens(self.module.file.read_text())
        self.body()

    def peek(self, ahead: int = 0) -> str:
        at = self.at + ahead
        return self.tokens[at] if 0 <= at < len(self.tokens) else ""

    def body(self) -> None:
        """All up to the end, or to the brace that closes the module."""
        depth = 0
        while self.at < len(self.tokens) and depth >= 0:
            token = self.peek()
            if token == "#" and self.is_for_tests():
                self.skip_item()
            elif token == "use":
                self.use()
            elif token == "mod" and is_word(self.peek(1)):
                self.child()
            elif token == "pub" and self.peek(1) == "(":
                self.at += 1
                self.skip_group()
            elif is_word(token):
                self.name(depth)
            else:
                depth += (token == "{") - (token == "}")
                self.at += 1

    def is_for_tests(self) -> bool:
        """Whether an attribute here leaves the item out of what is shipped."""
        if self.tokens[self.at + 1 : self.at + 4] != ["[", "cfg", "("]:
            return False
        end = self.tokens.index("]", self.at)
        conditions = self.tokens[self.at + 4 : end]
        return "test" in conditions and "not" not in conditions

    def skip_item(self) -> None:
        """Attributes, and the item behind them."""
        while self.peek() == "#":
            self.at += 1
            self.skip_group()
        is_use = "use" in (self.peek(), self.peek(1))
        while self.at < len(self.tokens) and self.peek() not in ("}", ";", ","):
            block = self.peek() == "{" and not is_use
            if self.peek() in OPENS:
                self.skip_group()
            else:
                self.at += 1
            if block:
                return
        self.at += self.peek() != "}"

    def skip_group(self) -> None:
        depth = 0
        while self.at < len(self.tokens):
            depth += (self.peek() in OPENS) - (self.peek() in CLOSES)
            self.at += 1
            if depth == 0:
                return

    def use(self) -> None:
        public = self.peek(-1) == "pub" or (self.peek(-1) == ")" and self.is_behind_pub())
        self.at += 1
        for name, path in self.tree([]):
            self.module.imports.append(Import(name, path, public))
        self.at += 1

    def is_behind_pub(self) -> bool:
        opening = max(at for at in range(self.at) if self.tokens[at] == "(")
        return self.tokens[opening - 1] == "pub"

    def tree(self, before: list[str]) -> list[tuple[str, list[str]]]:
        """The names of a `use` tree with their paths."""
        path = list(before)
        while True:
            token = self.peek()
            self.at += 1
            if token == "{":
                found = []
                while self.peek() != "}":
                    found += self.tree(path)
                    self.at += self.peek() == ","
                self.at += 1
                return found
            if token == "*":
                return [("*", path)]
            if token != "::" and not (token == "self" and path):
                path.append(token)
            if token != "::" and self.peek() != "::":
                break
        name = path[-1]
        if self.peek() == "as":
            name = self.peek(1)
            self.at += 2
        return [(name, path)]

    def child(self) -> None:
        name, opening = self.peek(1), self.peek(2)
        self.at += 3
        folder = self.module.folder / name
        if opening == "{":
            child = Module(self.module.file, folder, self.module)
            inner = Scan(child, self.tokens)
            inner.at = self.at
            inner.body()
            self.at = inner.at
        else:
            beside = folder.with_suffix(".rs")
            child = Module(beside if beside.exists() else folder / "mod.rs", folder, self.module)
            Scan(child).file()
        self.module.children[name] = child

    def name(self, depth: int) -> None:
        """A word, or a path of several."""
        before, path = self.peek(-1), [self.peek()]
        self.at += 1
        if path[0] in DEFINES:
            self.at += self.peek() == "!"
            if depth == 0 and is_word(self.peek()):
                self.module.defined.add(self.peek())
            return
        while self.peek() == "::" and is_word(self.peek(1)):
            path.append(self.peek(1))
            self.at += 2
        # Behind a dot stands a method or a field, behind `::` what belongs to a type.
        if before in (".", "::"):
            return
        self.module.words.add(path[0])
        if len(path) > 1:
            self.module.paths.append(path)


def is_word(token: str) -> bool:
    return token[:1].isalpha() or token[:1] == "_"


# ---- following names ----------------------------------------------------------------------------

# A module, or one and an item of it.
Found = tuple[Module, str | None]
# The names being looked up, since re-exports may go in circles.
Seen = frozenset[tuple[int, str, bool]]


def needs(root: Module, module: Module) -> list[tuple[Module, str]]:
    """The items that a module names, each with the module that defines it."""
    paths = list(module.paths)
    found: list[Found | None] = []
    for one in module.imports:
        if one.name == "*":
            known = module.defined | {other.name for other in module.imports}
            origin = follow(root, module, one.path, frozenset())
            if origin:
                found += [
                    look_up(root, origin[0], word, False, frozenset())
                    for word in sorted(module.words - known)
                ]
        elif not one.public or one.name in module.words:
            paths.append(one.path)
    found += [follow(root, module, path, frozenset()) for path in paths]
    return [(defining, name) for defining, name in filter(None, found) if name]


def follow(root: Module, module: Module, path: list[str], seen: Seen) -> Found | None:
    """What a path means in a module; `None` if it leads out of the crate."""
    here: Module | None = module
    for position, word in enumerate(path):
        assert here is not None
        if word in ("crate", "self", "super"):
            here = {"crate": root, "self": here, "super": here.parent}[word]
            continue
        is_last = position == len(path) - 1
        found = look_up(root, here, word, not is_last, seen)
        if found is None:
            # A macro has made it, if the module is known to be this crate's.
            return (here, word) if position else None
        if found[1] is not None:
            return found
        here = found[0]
    return (here, None) if here else None


def look_up(root: Module, module: Module, name: str, as_module: bool, seen: Seen) -> Found | None:
    """A name in a module. A module and a function may have the same one."""
    if (id(module), name, as_module) in seen:
        return None
    seen |= {(id(module), name, as_module)}
    child: Found | None = (module.children[name], None) if name in module.children else None
    if child and as_module:
        return child
    if name in module.defined:
        return module, name
    for one in module.imports:
        found = follow(root, module, one.path, seen) if one.name == name else None
        if found and not (child and found[1] is None):
            return found
    if child:
        return child
    for one in module.imports:
        origin = follow(root, module, one.path, seen) if one.name == "*" else None
        if origin and (found := look_up(root, origin[0], name, as_module, seen)):
            return found
    return None


# ---- circles ------------------------------------------------------------------------------------


def circles(edges: Graph) -> list[list[str]]:
    """The sets of files that need each other, the largest first (Tarjan's algorithm)."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(file: str) -> None:
        order[file] = lowest[file] = len(order)
        stack.append(file)
        for needed in sorted(edges[file]):
            if needed not in order:
                visit(needed)
            if needed in stack:
                lowest[file] = min(lowest[file], lowest[needed])
        if lowest[file] == order[file]:
            start = stack.index(file)
            found.append(sorted(stack[start:]))
            del stack[start:]

    for file in sorted(edges):
        if file not in order:
            visit(file)
    return sorted((one for one in found if len(one) > 1), key=len, reverse=True)


def room(file: str) -> str:
    """The folder of `src` that a file is in, at any depth, or else the file itself."""
    return Path(file).parts[0].removesuffix(".rs")


def arrows(edges: Graph, circle: list[str]) -> list[str]:
    """A circle's edges in words."""
    return [
        f"{file} -> {needed}: {', '.join(sorted(edges[file][needed]))}"
        for file in circle
        for needed in sorted(set(edges[file]) & set(circle))
    ]
