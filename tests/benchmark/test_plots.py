from __future__ import annotations

from pathlib import Path

import pytest

from squad import pictures
from squad.benchmark import plots
from squad.benchmark.document import Document
from squad.errors import SquadError, UsageError
from tests.benchmark.conftest import document, measured


def test_png_and_svg(whole: Document, tmp_path: Path) -> None:
    plots.draw(whole, whole, tmp_path / "a.png")
    plots.draw(whole, None, tmp_path / "a.svg")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    text = (tmp_path / "a.svg").read_text()
    for words in ("Throughput at full load", "messages/s", "agents x operations", "100 x 200", "Against the targets"):
        assert words in text


def test_what_was_measured_is_drawn(tmp_path: Path) -> None:
    plots.draw(document(measured("shell", 1, 10, {"send_seconds": 0.1})), None, tmp_path / "a.svg")
    assert "squad send, whole process" in (tmp_path / "a.svg").read_text()
    with pytest.raises(UsageError, match="nothing in it to draw"):
        plots.draw(document(), None, tmp_path / "b.svg")


def test_only_what_can_be_drawn_and_written(tmp_path: Path) -> None:
    pictures.check(tmp_path / "a.PNG")
    with pytest.raises(UsageError, match=r"must end in \.png or \.svg"):
        pictures.check(tmp_path / "a.gif")
    with pytest.raises(UsageError, match="no folder"):
        pictures.check(tmp_path / "gone" / "a.png")


def test_without_matplotlib_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "find_spec", lambda name: None)
    with pytest.raises(SquadError, match="matplotlib") as error:
        pictures.check(tmp_path / "a.png")
    assert error.value.hint == "pip install 'squad-runtime[plots]'"
