from __future__ import annotations

import os
import signal
from pathlib import Path

from squad.actors.agents import blackbox
from squad.ids import new_id

HAND = blackbox.Hand(7, 3, 1000.5, new_id(), "check_file")


def test_what_is_in_hand_is_read_by_others(tmp_path: Path) -> None:
    box = blackbox.BlackBox(tmp_path, "checker-1.abc")
    assert blackbox.read(tmp_path, "checker-1.abc") is None
    box.hold(HAND)
    assert blackbox.read_all(tmp_path) == {"checker-1.abc": HAND}
    box.clear()
    assert blackbox.read_all(tmp_path) == {}


def test_it_survives_the_kill_of_its_process(tmp_path: Path) -> None:
    pid = os.fork()
    if pid == 0:
        blackbox.BlackBox(tmp_path, "w").hold(HAND)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    assert blackbox.read(tmp_path, "w") == HAND
    blackbox.discard(tmp_path, "w")
    assert blackbox.read(tmp_path, "w") is None


def test_a_file_cut_short_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(b"\x01\x02")
    assert blackbox.read(tmp_path, "w") is None
    assert blackbox.read_all(tmp_path / "missing") == {}


def test_nothing_stays_of_a_squad_that_was_killed_but_what_it_had_in_hand(tmp_path: Path) -> None:
    blackbox.BlackBox(tmp_path, "busy").hold(HAND)
    blackbox.BlackBox(tmp_path, "idle")

    assert blackbox.inherit(tmp_path) == {"busy": (HAND.row, HAND.fence)}
    assert list(tmp_path.iterdir()) == []
