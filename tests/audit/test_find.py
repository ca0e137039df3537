"""Which files a scan finds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from squad.audit.find import Pattern, find_files


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("a.py", "b.txt", "pkg/c.py", "pkg/sub/d.py", "pkg/.hidden.py", ".venv/lib/e.py", "pkg/sub/x1.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x = 1\n")
    return tmp_path


def names(root: Path, pattern: str, skip: tuple[str, ...] = ()) -> list[str]:
    return [str(Path(path).relative_to(root)) for path in find_files(root, Pattern(pattern), skip).files]


@pytest.mark.parametrize(
    "pattern",
    ["**/*.py", "*.py", "pkg/*.py", "pkg/**/*.py", "**/sub/*", "*/*/*.py", "**/**/[cd].py", "**/x?.py", "*/**/d.py"],
)
def test_the_same_files_as_pathlib(tree, pattern):
    expected = sorted(str(p.relative_to(tree)) for p in tree.glob(pattern) if p.is_file())
    assert expected
    assert names(tree, pattern) == expected


def test_skipped_folders_are_not_entered_at_any_depth(tree):
    assert names(tree, "**/*.py", (".venv", "sub")) == ["a.py", "pkg/.hidden.py", "pkg/c.py"]


@pytest.mark.parametrize("pattern", ["", "/etc/*.py", "../*.py", "a//b.py", "./*.py", "**", "pkg/", "pkg/**"])
def test_patterns_that_name_no_files_are_refused(pattern):
    with pytest.raises(ValueError, match="for example"):
        Pattern(pattern)


def test_links_to_files_count_and_links_to_folders_are_not_followed(tree):
    (tree / "link.py").symlink_to(tree / "pkg/c.py")
    (tree / "pkg/loop").symlink_to(tree)
    (tree / "self.py").symlink_to(tree / "self.py")
    (tree / "broken.py").symlink_to(tree / "nowhere")
    (tree / "folder.py").symlink_to(tree / "pkg")
    (tree / "real.py").mkdir()
    os.mkfifo(tree / "pipe.py")
    assert names(tree, "**/*.py", (".venv",)) == [
        "a.py", "link.py", "pkg/.hidden.py", "pkg/c.py", "pkg/sub/d.py", "pkg/sub/x1.py",
    ]  # fmt: skip


def test_what_cannot_be_listed_is_named_with_the_reason(tree, monkeypatch):
    closed = str(tree / "pkg" / "sub")
    scandir = os.scandir

    def refuse(path):  # a test run by root can list everything
        if path == closed:
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = find_files(tree, Pattern("**/*.py"), (".venv",))
    assert found.left_out == [(closed, "Permission denied")]
    assert [Path(path).name for path in found.files] == ["a.py", ".hidden.py", "c.py"]


def test_names_that_are_not_utf8_are_left_out_by_name(tree):
    (Path(os.fsdecode(os.fsencode(tree) + b"/\xff.py"))).write_text("x = 1\n")
    found = find_files(tree, Pattern("*.py"))
    assert [Path(path).name for path in found.files] == ["a.py"]
    assert found.left_out == [(f"{tree}/\\udcff.py", "its name is not UTF-8")]


def test_a_very_deep_tree(tmp_path):
    depth = 1200  # more folders than Python's own stack
    descriptor = os.open(tmp_path, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=descriptor)
        inner = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(os.open("deep.py", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor))
    os.close(descriptor)
    found = find_files(tmp_path, Pattern("**/*.py"))
    assert found.left_out == []
    assert found.files == [str(tmp_path) + "/d" * depth + "/deep.py"]
    Path(found.files[0]).unlink()
    for level in range(depth, 0, -1):  # pytest's own clearing up is recursive
        Path(str(tmp_path) + "/d" * level).rmdir()
