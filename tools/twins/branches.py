"""What depends on ASYNC: the branch for sync stays, the other one goes."""

from __future__ import annotations

import ast
import re

from twins.marks import FLAG, is_flag
from twins.source import Source, Untranslatable, texts


def is_sync_if(test: ast.expr) -> bool | None:
    """Whether what follows a condition is for sync; None if the condition is another."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not) and is_flag(test.operand):
        return True
    return False if is_flag(test) else None


def resolved_branch(source: Source) -> str | None:
    """The source without its first `if ASYNC:`; None if there is none."""
    for node in source.statements():
        if isinstance(node, ast.If) and (in_sync := is_sync_if(node.test)) is not None:
            break
    else:
        return None
    if source.lines[node.lineno - 1].lstrip().startswith("elif"):
        raise Untranslatable(f"{node.lineno}: `elif {FLAG}`: make it an if of its own")
    if not in_sync and not node.orelse:
        source.remove({node})
        return source.edited()
    header = next(last for first, last in source.logical_lines() if first == node.lineno)
    after = node.end_lineno or 0
    other = else_line(source, node) if node.orelse else after + 1
    if in_sync:
        kept = range(header + 1, other)
    elif source.lines[other - 1].lstrip().startswith("elif"):
        source.lines[other - 1] = source.lines[other - 1].replace("elif", "if", 1)
        source.replace_lines(node.lineno, after, source.lines[other - 1 : after])
        return source.edited()
    else:
        kept = range(other + 1, after + 1)
    source.replace_lines(
        node.lineno, after, dedented(source, kept, len(source.indentation(node.lineno)))
    )
    return source.edited()


def else_line(source: Source, node: ast.If) -> int:
    """The line of the `else:` or `elif` of an if."""
    first = source.first_line(node.orelse[0])
    begins = re.compile(rf"{source.indentation(node.lineno)}(else\b|elif\b)")
    return next(
        line
        for line in range(first, node.body[-1].end_lineno or 0, -1)
        if begins.match(source.lines[line - 1])
    )


def dedented(source: Source, numbers: range, indentation: int) -> list[str]:
    """These lines, moved left to that indentation. Lines within a string stay as they are."""
    inside: set[int] = set()
    for start, end in texts(source):
        first, last = (source.text.count("\n", 0, offset) + 1 for offset in (start, end))
        inside.update(range(first + 1, last + 1))
    lines = {number: source.lines[number - 1] for number in numbers}
    code = [line for number, line in lines.items() if number not in inside and line.strip()]
    surplus = min(len(line) - len(line.lstrip()) for line in code) - indentation
    return [line if number in inside else line[surplus:] for number, line in lines.items()]


def resolved_expression(source: Source) -> str | None:
    """The source without its first `x if ASYNC else y`; None if there is none."""
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.IfExp) or (in_sync := is_sync_if(node.test)) is None:
            continue
        start, end = source.start(node), source.end(node)
        if in_sync:
            word = next(t for t in source.between(source.end(node.body), end) if t.string == "if")
            source.replace(start, end, source.text[start : source.at(word.start)].rstrip())
        else:
            after = source.between(source.end(node.test), end)
            word = next(t for t in after if t.string == "else")
            source.replace(start, end, source.text[source.at(word.end) : end].lstrip())
        return source.edited()
    return None
