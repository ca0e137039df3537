from __future__ import annotations

import errno
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from squad.config.schema import SquadConfig
from squad.launcher import running
from squad.launcher.lock import acquire
from squad.launcher.plan import Plan


def nothing(*_: Any) -> None: ...


def test_a_later_tree_that_finds_no_room_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a disk that is read-only for a while: the squad would be gone for good."""

    def no_room(*_: Any) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), "a socket")

    monkeypatch.setattr(running, "Warden", nothing)
    monkeypatch.setattr(running, "Roots", no_room)
    monkeypatch.setattr(running, "Signals", lambda: SimpleNamespace(cut_short=nothing))
    held = acquire(tmp_path)
    launcher = running.Launcher(Plan(tmp_path, SquadConfig(), {}, None, False), held)
    launcher._signals = running.Signals()
    try:
        with pytest.raises(OSError, match="Read-only"):
            launcher._start(1)  # whoever started it is told
        assert "Read-only file system: 'a socket'" in launcher._start(2)
    finally:
        held.release()
