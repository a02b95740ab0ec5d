"""A parsed text, places in it, and changes to it."""

from __future__ import annotations

import ast
import io
import itertools
import tokenize
from collections.abc import Iterator


class Untranslatable(Exception):
    """A source that the rules do not cover; the text begins with the number of the line."""


Statement = ast.stmt | ast.ExceptHandler


class Source:
    """A parsed text, and the changes to make in it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = text.split("\n")
        self._starts = [0, *itertools.accumulate(len(line) + 1 for line in self.lines)]
        try:
            self.tree = ast.parse(text)
            self.tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
        except SyntaxError as error:
            raise Untranslatable(f"{error.lineno}: {error.msg}: {error.text!r}") from error
        self._edits: list[tuple[int, int, str]] = []

    def at(self, place: tuple[int, int]) -> int:
        """The offset of a token's line and column."""
        return self._starts[place[0] - 1] + place[1]

    def start(self, node: ast.expr | ast.alias) -> int:
        return self._offset(node.lineno, node.col_offset)

    def end(self, node: ast.expr | ast.alias) -> int:
        return self._offset(node.end_lineno or 0, node.end_col_offset or 0)

    def _offset(self, line: int, in_bytes: int) -> int:
        before = self.lines[line - 1].encode()[:in_bytes].decode()
        return self._starts[line - 1] + len(before)

    def between(self, start: int, end: int) -> Iterator[tokenize.TokenInfo]:
        """The tokens in this part of the text."""
        return (t for t in self.tokens if start <= self.at(t.start) and self.at(t.end) <= end)

    def replace(self, start: int, end: int, text: str = "") -> None:
        self._edits.append((start, end, text))

    def replace_lines(self, first: int, last: int, lines: list[str]) -> None:
        """Put other lines in the place of these, counted from 1, the last one included."""
        self.replace(
            self._starts[first - 1], self._starts[last], "".join(f"{line}\n" for line in lines)
        )

    def edited(self) -> str:
        parts, done = [], 0
        for start, end, text in sorted(self._edits, key=lambda edit: (edit[0], -edit[1])):
            if start >= done:  # otherwise it is within a part that is replaced
                parts += [self.text[done:start], text]
                done = end
        return "".join([*parts, self.text[done:]])

    # ---- statements -----------------------------------------------------------------------------

    def statements(self) -> list[Statement]:
        """Those that begin first come first."""
        found = [n for n in ast.walk(self.tree) if isinstance(n, (ast.stmt, ast.ExceptHandler))]
        return sorted(found, key=lambda n: (n.lineno, n.col_offset))

    def logical_lines(self) -> Iterator[tuple[int, int]]:
        """The numbers of the first and last line of each."""
        first = None
        for token in self.tokens:
            if token.type in (tokenize.NL, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT):
                continue
            first = first or token.start[0]
            if token.type == tokenize.NEWLINE:
                yield first, token.start[0]
                first = None

    def first_line(self, node: Statement) -> int:
        """That of its first decorator, if it has any."""
        decorators: list[ast.expr] = getattr(node, "decorator_list", [])
        return min([node.lineno, *(decorator.lineno for decorator in decorators)])

    def with_comments(self, line: int) -> int:
        """The first of the lines with comments that stand directly above this one."""
        indentation = self.indentation(line)
        while line > 1 and self.lines[line - 2].startswith(f"{indentation}#"):
            line -= 1
        return line

    def indentation(self, line: int) -> str:
        text = self.lines[line - 1]
        return text[: len(text) - len(text.lstrip())]

    def remove(self, nodes: set[Statement]) -> None:
        """Remove statements, and the blocks that have no other; `pass` stands where one must."""
        blocks = list(self._blocks())
        while True:
            emptied = {
                parent
                for parent, block in blocks
                if isinstance(parent, ast.If) and not parent.orelse and nodes.issuperset(block)
            }
            if emptied <= nodes:
                break
            nodes |= emptied
        for _, block in blocks:
            for node in nodes.intersection(block):
                first = self.with_comments(self.first_line(node))
                needed = node is block[0] and nodes.issuperset(block)
                indentation = self.indentation(self.first_line(node))
                lines = [f"{indentation}pass"] if needed and isinstance(node, ast.stmt) else []
                self.replace_lines(first, node.end_lineno or first, lines)

    def _blocks(self) -> Iterator[tuple[ast.AST, list[Statement]]]:
        for node in ast.walk(self.tree):
            for field in ("body", "orelse", "finalbody", "handlers"):
                block = getattr(node, field, None)
                if block and isinstance(block, list):
                    yield node, block


def texts(source: Source) -> Iterator[tuple[int, int]]:
    """Where strings and comments are. An f-string is one of them, on every version of Python."""
    depth = 0
    began = 0
    for token in source.tokens:
        kind = tokenize.tok_name[token.type]
        if kind in ("FSTRING_START", "TSTRING_START"):
            began = began if depth else source.at(token.start)
            depth += 1
        elif kind in ("FSTRING_END", "TSTRING_END"):
            depth -= 1
            if not depth:
                yield began, source.at(token.end)
        elif kind in ("STRING", "COMMENT") and not depth:
            yield source.at(token.start), source.at(token.end)
