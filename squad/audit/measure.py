"""Measures one file of Python source. Runs none of it, and raises nothing for a file that is odd."""

from __future__ import annotations

import ast
import gc
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from squad.audit.messages import FileReport

MAX_BYTES = 10_000_000  # a larger file is not parsed: a syntax tree needs about a hundred times the source's size
_MAX_TEXT = 200  # characters kept of a name or of an error
_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")  # where a statement keeps its statements


class _Counts(NamedTuple):
    functions: int
    classes: int
    longest: tuple[
        int, int, str
    ]  # lines, minus the line of its def, dotted name: the largest is the first of the longest


def measure_file(path: str) -> FileReport:
    """The report on the file at ``path``. Whatever is wrong with it is in the report's ``problem``."""
    try:
        size, source = _read(path)
    except (OSError, ValueError) as error:  # ValueError: a path with a null byte
        return FileReport(
            path=path, problem="unreadable", detail=_clean(getattr(error, "strerror", None) or str(error))
        )
    if source is None:
        return FileReport(path=path, bytes=size, problem="too large", detail=f"not parsed: over {MAX_BYTES:,} bytes")
    lines = len(source.splitlines())
    try:
        counts = _count(source)
    except (SyntaxError, ValueError) as error:  # ValueError: null bytes, in early releases of Python 3.11
        line = getattr(error, "lineno", None) or 0
        detail = _clean(getattr(error, "msg", None) or str(error))
        return FileReport(path=path, bytes=size, lines=lines, problem="syntax", problem_line=line, detail=detail)
    except (RecursionError, MemoryError):  # the parser's own stack is full: what it can say of nesting without end
        detail = "nested too deeply to be parsed"
        return FileReport(path=path, bytes=size, lines=lines, problem="too deep", detail=detail)
    length, line, name = counts.longest
    return FileReport(
        path=path,
        bytes=size,
        lines=lines,
        functions=counts.functions,
        classes=counts.classes,
        longest_name=_clean(name),
        longest_lines=length,
        longest_at=-line,
    )


def _read(path: str) -> tuple[int, bytes | None]:
    """(size in bytes, content or None when it is too large). Raises OSError, also for what is no regular file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # O_NONBLOCK: a pipe must not hold us up
    with open(descriptor, "rb") as file:  # noqa: PTH123 - from a descriptor
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError("not a regular file")
        if status.st_size > MAX_BYTES:
            return status.st_size, None
        content = file.read(MAX_BYTES + 1)  # it may be growing
        return (len(content), content) if len(content) <= MAX_BYTES else (len(content), None)


def _count(source: bytes) -> _Counts:
    """Raises SyntaxError also when the bytes do not fit their declared encoding (PEP 263): the compiler decodes."""
    with _quiet():
        return _tally(ast.parse(source))


def _tally(tree: ast.Module) -> _Counts:
    functions = classes = 0
    longest = (0, 0, "")
    open_blocks: list[tuple[ast.AST, str]] = [(tree, "")]  # no recursion: nesting may be deeper than our own stack
    while open_blocks:
        parent, prefix = open_blocks.pop()
        for child in _statements(parent):
            name = prefix
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                functions += 1
                name = f"{prefix}.{child.name}" if prefix else child.name
                lines = (child.end_lineno or child.lineno) - child.lineno + 1
                longest = max(longest, (lines, -child.lineno, name))
            elif isinstance(child, ast.ClassDef):
                classes += 1
                name = f"{prefix}.{child.name}" if prefix else child.name
            open_blocks.append((child, name))
    return _Counts(functions, classes, longest)


def _statements(parent: ast.AST) -> Iterator[ast.AST]:
    """The statements in ``parent``'s own blocks. Expressions are left out: they hold no function and no class."""
    for block in _BLOCKS:
        yield from getattr(parent, block, ())


@contextmanager
def _quiet() -> Iterator[None]:
    """No warnings about other people's source, and no garbage collection while there is a syntax tree: it is many
    objects without a cycle, and looking through them again and again would take a third of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if collecting:
            gc.enable()


def _clean(text: str) -> str:
    """At most 200 characters, and none that UTF-8 cannot hold: some encodings let lone surrogates into the source."""
    return text[:_MAX_TEXT].encode("utf-8", "backslashreplace").decode()
