"""What comments of the source say: what is only in aio, and what is another thing in sync."""

from __future__ import annotations

import ast
import itertools
import re
import tokenize

from twins.source import Source, Statement, Untranslatable

FLAG = "ASYNC"
ONLY_ASYNC = re.compile(r"#\s*only in aio\b")
IN_SYNC = re.compile(r"#\s*in sync:( .+)?")


def has_twin(source: str) -> bool:
    """Whether the file has a twin: all have, unless their first line says otherwise."""
    return not ONLY_ASYNC.match(source)


def without_marked(text: str) -> str:
    """The source without what is only in aio, and with what its comments say for sync."""
    source = Source(text)
    logical = list(source.logical_lines())
    starting: dict[int, Statement] = {}
    for node in source.statements():
        starting.setdefault(node.lineno, node)
    removed: set[Statement] = set()
    for token in source.tokens:
        if token.type != tokenize.COMMENT:
            continue
        line = token.start[0]
        other = IN_SYNC.search(token.string)
        if not other and not ONLY_ASYNC.search(token.string):
            continue
        stands_alone = not source.lines[line - 1][: token.start[1]].strip()
        at = line - 1 if stands_alone and other else line
        first, last = next(((a, b) for a, b in logical if a <= at <= b), (0, 0))
        if not first or stands_alone != bool(other and not other[1]):
            raise Untranslatable(f"{line}: {token.string!r} belongs to no statement")
        if other:
            replace_by_comment(source, first, line, other[1])
        elif line not in (first, last):
            source.replace_lines(source.with_comments(line), line, [])
        elif first in starting and not is_branch(source.lines[first - 1]):
            removed.add(starting[first])
        elif source.lines[first - 1].lstrip().startswith("@"):
            source.replace_lines(source.with_comments(first), last, [])
        else:
            raise Untranslatable(f"{line}: a branch needs `if {FLAG}`: {token.line!r}")
    removed.update(node for node in source.statements() if defines_flag(node))
    for node in source.statements():
        if isinstance(node, ast.ImportFrom) and node not in removed:
            remove_imported_flag(source, node)
    source.remove(removed)
    return source.edited()


def replace_by_comment(source: Source, first: int, line: int, text: str | None) -> None:
    """Put what a comment says, or those below it, in the place of a statement and the comments."""
    indentation = source.indentation(first)
    if text:
        source.replace_lines(first, line, [indentation + text.lstrip()])
        return
    begins = re.compile(rf"{indentation}# ?")
    below = itertools.takewhile(begins.match, source.lines[line:])
    lines = [(indentation + begins.sub("", each, count=1)).rstrip() for each in below]
    source.replace_lines(first, line + len(lines), lines)


def is_branch(line: str) -> bool:
    return line.split(maxsplit=1)[0].rstrip(":") in ("elif", "else", "finally", "case")


def defines_flag(node: ast.AST) -> bool:
    """Whether the statement does nothing but import or define ASYNC."""
    if isinstance(node, ast.ImportFrom):
        return [alias.name for alias in node.names] == [FLAG]
    if isinstance(node, ast.Assign):
        return is_flag(node.targets[0])
    return isinstance(node, ast.AnnAssign) and is_flag(node.target)


def remove_imported_flag(source: Source, node: ast.ImportFrom) -> None:
    """Take ASYNC out of a list of names, with the comma behind it or else before it."""
    flag = next((alias for alias in node.names if alias.name == FLAG), None)
    if flag is None:
        return
    start, end = source.start(flag), source.end(flag)
    if behind := re.compile(r"\s*,\s*").match(source.text, end):
        end = behind.end()
    else:
        start -= len(source.text[:start]) - len(source.text[:start].rstrip(", \n"))
    source.replace(start, end)


def is_flag(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == FLAG
