"""The trial on a small tree, with a real squad: exact totals, also when processes are killed along the way."""

from __future__ import annotations

import os
import shutil
import sysconfig
from pathlib import Path

import pytest

from tests.audit import trial
from tests.running import RunningSquad

ODD = {
    "syntax.py": b"def f(:\n",
    "indent.py": b"x = 1\n  y = 2\n",
    "null.py": b"x = 1\0\n",
    "bytes.py": b"x = '\xff'\n",
    "coding.py": b"# coding: no-such\n",
    "deep.py": b"-" * 100_000 + b"1\n",
    "empty.py": b"",
    "latin.py": "# coding: latin-1\ndef é(): pass\n".encode("latin-1"),
    "warns.py": b"x = '\\d'\n",
    "naïve name.py": b"def f(): pass\n",
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Twice the modules at the top of the standard library, about 400 files, and odd ones in the depth."""
    folder = tmp_path / "source"
    for part in ("one", "two/three"):
        (folder / part).mkdir(parents=True)
        for path in Path(sysconfig.get_path("stdlib")).glob("*.py"):
            shutil.copyfile(path, folder / part / path.name)
    odd = folder / "two" / "odd"
    odd.mkdir()
    for name, content in ODD.items():
        (odd / name).write_bytes(content)
    (odd / "loop").symlink_to(folder)
    (odd / "dangling.py").symlink_to("nowhere")
    os.mkfifo(odd / "pipe.py")
    return folder


@pytest.mark.parametrize("kills", [0, 12])
def test_every_total_is_exact_and_nothing_is_lost_or_done_twice(tmp_path, source, kills):
    with RunningSquad(tmp_path / "home") as squad:
        found = trial.run(squad, source, kills=kills, seed=kills)
    assert found.files > 300
    assert len(found.killed) >= min(kills, 10), "the kills hit the work, not its end"
    assert found.differences == []
