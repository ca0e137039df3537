"""What docs/bottlenecks.md tells a reader to type and to write works as the page says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from squad.cli.top.columns import FIELDS
from squad.cli.top.view import ORDERS
from squad.config.bottlenecks import BottlenecksConfig
from tests.pages import commands
from tests.running import ROOT, RunningSquad, eventually
from tests.test_readme import block

PAGE = (ROOT / "docs/bottlenecks.md").read_text()


@pytest.fixture
def squad(tmp_path: Path) -> RunningSquad:
    """The page's, where two tenths of a second are slow, and told after ten seconds."""
    yaml = block(PAGE, "yaml").replace("every: 4m", "every: 10s").replace("slower_than: 60s", "slower_than: 200ms")
    (tmp_path / "squad.yaml").write_text(yaml)
    (tmp_path / "agents.py").write_text(block(PAGE, "python"))
    return RunningSquad(tmp_path / ".squad", tmp_path / "squad.yaml")


def test_the_agent_is_told_what_was_slow_whoever_dies(squad: RunningSquad) -> None:
    with squad:
        squad.wait(squad.send("reviewer", "review", {"seconds": 0.5}))
        squad.kill("scheduler")
        squad.wait(squad.send("reviewer", "review", {"seconds": 0.0}))

        def told() -> list[str]:
            rows = squad.query("SELECT result FROM tasks WHERE type = 'squad.bottlenecks' AND status = 'completed'")
            return [row["result"] for row in rows]

        (result,) = eventually(told, "what was slow was told", 60)
        # The second one was slow as well, if the machine was.
        assert re.fullmatch(r'"review by reviewer: \d+ ms(, review by reviewer: \d+ ms)?"', result)
        _read_as_on_the_page(squad)


def _read_as_on_the_page(squad: RunningSquad) -> None:
    """Each command of the page; off a terminal squad top ends by itself."""
    env = {key: value for key, value in os.environ.items() if key != "SQUAD_HOME"} | {"PYTHONPATH": str(ROOT)}
    folder = squad.home.parent
    written = """
        SELECT 1 FROM metric_points AS point JOIN metric_series AS series ON series.id = point.series
        WHERE series.name = 'handling_ms' AND series.agent = 'reviewer'
    """
    eventually(lambda: squad.query(written), "metrics are written")
    for args in [*commands(PAGE, "While it happens"), *commands(PAGE, "Afterwards")]:
        done = subprocess.run(
            [sys.executable, "-m", "squad.cli", *args],
            cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (args, done.stderr)
        assert "reviewer" in done.stdout or "--plot" in args or args[-2:] == ["--window", "6h"] or "--by" in args, args
    assert (folder / "day.png").read_bytes().startswith(b"\x89PNG")


def test_the_page_names_what_there_is() -> None:
    columns = {field.title for field in FIELDS}
    told = set(re.findall(r"\b(?:QUEUE|RATE|STATE|P50|P95|P99|WAIT|CPU|RST|CURRENT|LAST ERROR|TREND)\b", PAGE))
    assert told <= columns
    keys = dict(re.findall(r"`(\w)`\s+\((\w+)\)", PAGE))
    assert keys == {order.key: order.name for order in ORDERS if order.field}
    assert BottlenecksConfig().every == 240
    assert BottlenecksConfig().slower_than == 60
