from __future__ import annotations

from pathlib import Path

import pytest

from squad.launcher import printed
from squad.launcher.printed import Printed


def test_what_is_printed_is_kept_to_a_size_while_it_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printed, "_EVERY", 0.0)
    path = tmp_path / "launcher.out"
    with path.open("a") as printing:  # as the launcher and all agents have it

        def say(text: str) -> None:
            printing.write(text)
            printing.flush()

        kept = Printed(path, most=100)
        say("a" * 100)
        kept.attend()
        assert path.stat().st_size == 100
        say("b")
        kept.attend()
        say("c")
        assert path.read_text() == "c"  # no hole in front of it
        assert path.with_name("launcher.out.1").read_text() == "a" * 100 + "b"
        say("d" * 200)
        kept.attend()
        assert path.with_name("launcher.out.1").read_text() == "c" + "d" * 200


def test_it_does_not_look_all_the_time_and_a_file_that_is_gone_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "launcher.out"
    kept = Printed(path, most=1)
    kept.attend()
    path.write_text("much")
    kept.attend()
    assert path.read_text() == "much"
    assert kept.due > 0
