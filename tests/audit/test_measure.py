"""Every odd file gives one report, and the counts are those of the syntax tree."""

from __future__ import annotations

import ast
import os
import sysconfig
import threading
import warnings
from pathlib import Path

import pytest

from squad.audit import measure
from squad.audit.measure import measure_file
from squad.audit.messages import FileReport
from squad.messages import type_of


@pytest.fixture
def report(tmp_path):
    """report(source) -> the FileReport on a file with these bytes."""

    def measured(source: bytes) -> FileReport:
        path = tmp_path / "odd.py"
        path.write_bytes(source)
        return measure_file(str(path))

    return measured


def test_counts_and_longest_function(report):
    source = b"""\
class Outer:
    class Inner:
        def short(self): pass
        async def long(self):
            x = lambda: 1

            return x
def f():
    if True:
        def nested():
            pass
    try:
        pass
    except OSError:
        def in_handler(): ...
    match 1:
        case 1:
            class InCase: ...
"""
    found = report(source)
    assert (found.problem, found.detail, found.problem_line) == ("", "", 0)
    assert (found.bytes, found.lines) == (len(source), 18)
    assert (found.functions, found.classes) == (5, 3)
    assert (found.longest_name, found.longest_lines, found.longest_at) == ("f", 11, 8)


def test_the_first_of_equally_long_functions_is_named_with_its_class(report):
    found = report(b"class A:\n    def one(self):\n        pass\nclass B:\n    def two(self):\n        pass\n")
    assert (found.longest_name, found.longest_lines, found.longest_at) == ("A.one", 2, 2)


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        (b"", 0),
        (b"x", 1),
        (b"x\n", 1),
        (b"x\r\ny", 2),
        (b"x\ry\r", 2),
        (b"# only a comment", 1),
        (b"\xef\xbb\xbfx = 1\n", 1),
    ],
)
def test_lines_with_any_line_ends(report, source, lines):
    found = report(source)
    assert (found.problem, found.lines, found.bytes, found.functions) == ("", lines, len(source), 0)
    assert (found.longest_name, found.longest_lines, found.longest_at) == ("", 0, 0)


@pytest.mark.parametrize(
    ("source", "line", "words"),
    [
        pytest.param(b"def f(:\n  pass\n", 1, "invalid syntax", id="syntax"),
        pytest.param(b"x = 1\n   y = 2\n", 2, "unexpected indent", id="indentation"),
        pytest.param(b"x = '\xff'\n", 1, "utf-8", id="not-utf-8"),
        pytest.param(b"# coding: no-such\n", 0, "unknown encoding", id="unknown-encoding"),
        pytest.param(b"# coding: rot13\nx=1\n", 0, "rot13", id="not-a-text-encoding"),
        pytest.param(b"\xef\xbb\xbf# coding: latin-1\n", 0, "BOM", id="mark-against-cookie"),
        pytest.param(b"# coding: unicode_escape\nx='\\ud800'\n", None, "", id="lone-surrogate"),
        pytest.param(b"x = 1\0\n", None, "null byte", id="null-byte"),
        pytest.param("x = 1\n".encode("utf-16"), None, "", id="utf-16"),
        pytest.param(b"x = " + b"1" * 10_000, 1, "4300", id="huge-number"),
        pytest.param(b"(" * 1000, 1, "nested parentheses", id="open-parentheses"),
    ],
)
def test_what_does_not_compile_is_a_syntax_error_with_its_line(report, source, line, words):
    found = report(source)
    assert found.problem == "syntax"
    assert found.bytes == len(source)
    assert words in found.detail
    assert found.detail
    assert line is None or found.problem_line == line
    assert (found.functions, found.classes, found.longest_lines) == (0, 0, 0)


@pytest.mark.parametrize(
    "source", [b"-" * 100_000 + b"1", b"a" + b".b" * 100_000, b"if 1: pass\n" + b"elif 1: pass\n" * 50_000]
)
def test_endless_nesting_is_a_report_also_on_a_thread(report, source):
    found: list[FileReport] = []
    thread = threading.Thread(target=lambda: found.append(report(source)))
    thread.start()
    thread.join()
    assert [(f.problem, f.bytes) for f in found] == [("too deep", len(source))]


def test_a_declared_encoding_is_honoured(report):
    assert report("# coding: latin-1\ndef é(): pass\n".encode("latin-1")).longest_name == "é"


def test_warnings_about_the_source_stay_silent(report):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert report(b"x = '\\d'\ny = 1is 1\nassert (1, 'x')\n").problem == ""
    assert seen == []


def test_long_texts_are_cut_and_the_report_can_be_sent(report):
    found = report(b"def " + b"f" * 5000 + b"(): pass\n")
    assert len(found.longest_name) == 200
    kind = type_of(FileReport)
    assert kind.decode(kind.encode(found)) == found


def test_a_file_over_the_limit_is_not_parsed(report, monkeypatch):
    monkeypatch.setattr(measure, "MAX_BYTES", 10)
    assert report(b"x = 1\n").problem == ""
    found = report(b"x = 1\ny = 2\n")
    assert (found.problem, found.bytes, found.lines) == ("too large", 12, 0)


def test_what_cannot_be_read_is_a_report(tmp_path):
    pipe, loop = tmp_path / "pipe.py", tmp_path / "loop.py"
    os.mkfifo(pipe)
    loop.symlink_to(loop)
    for path in (tmp_path / "gone.py", pipe, loop, tmp_path, Path("/dev/zero"), tmp_path / "nul\0.py"):
        found = measure_file(str(path))
        assert (found.problem, found.path, found.bytes) == ("unreadable", str(path), 0)
        assert found.detail


def test_the_same_as_walking_the_whole_tree_of_the_standard_librarys_files():
    files = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    assert len(files) > 100
    for path in files:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            nodes = list(ast.walk(ast.parse(path.read_bytes())))
        functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        found = measure_file(str(path))
        assert found.functions == len(functions), path
        assert found.classes == sum(isinstance(node, ast.ClassDef) for node in nodes), path
        lengths = [(node.end_lineno or 0) - node.lineno + 1 for node in functions]
        assert found.longest_lines == max(lengths, default=0), path
