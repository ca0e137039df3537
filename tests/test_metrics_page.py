"""What docs/metrics.md tells is so: in a real squad, and as far as it repeats what stands in the code."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from squad import metrics
from squad.config.metrics import MetricsConfig
from squad.durations import parse_duration
from squad.store.metrics.steps import KEPT, STEPS
from squad.store.models import AgentMetric
from tests.pages import commands, hello
from tests.running import ROOT, RunningSquad, eventually

PAGE = (ROOT / "docs/metrics.md").read_text()


def column(heading: str, number: int) -> list[str]:
    """Of the table that begins with this heading."""
    table = PAGE.partition(f"| {heading} |")[2].partition("\n\n")[0]
    return [row.split(" | ")[number].strip(" |`") for row in table.splitlines()[2:]]


@pytest.fixture
def squad(tmp_path: Path) -> Iterator[RunningSquad]:
    with hello(tmp_path) as running:
        yield running


def test_a_squad_measures_itself(squad: RunningSquad) -> None:
    """All of the machine and of processes comes by itself, and what became of messages soon."""
    squad.wait(squad.send("counter", "count_words", {"text": "to be"}), tree=True)
    statement = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)[0]

    def recorded() -> set[str]:
        return {row["metric_name"] for row in squad.query("SELECT DISTINCT metric_name FROM agent_metrics")}

    expected = metrics.CATALOGUE.keys() - {"retried", "failed", "expired", "cancelled", "restarts", "queue_depth"}
    eventually(lambda: not expected - recorded() - {"uptime_percent"}, "what is measured")
    assert recorded() <= metrics.CATALOGUE.keys()
    with closing(sqlite3.connect(f"file:{squad.home / 'squad.db'}?mode=ro", uri=True)) as database:
        assert [value for _, value in database.execute(statement)] == [1]
    for words in commands(PAGE, "Looking"):
        assert squad.cli(*words).stdout


def test_the_steps_are_those_of_the_store() -> None:
    assert [parse_duration(text.replace(" minutes", "m").replace(" minute", "m").replace(" hour", "h"))
            for text in column("a point is", 0)] == list(STEPS)  # fmt: skip
    kept = [parse_duration(text.partition(" ")[0] + text.partition(" ")[2][0]) for text in column("a point is", 1)]
    assert kept == [KEPT[60], KEPT[600], MetricsConfig().keep]


def test_the_columns_are_those_of_the_view() -> None:
    assert column("column", 0) == [field.column_name for field in AgentMetric._meta.sorted_fields]


def test_the_settings_and_bounds_are_as_it_says() -> None:
    keys = [key.removeprefix("metrics.") for key in column("key", 0)]
    assert set(keys) <= MetricsConfig.model_fields.keys()
    assert column("key", 1) == ["true", "30d"]
    assert MetricsConfig() == MetricsConfig(enabled=True, keep="30d")  # type: ignore[arg-type]
    assert f"at most {metrics.MOST_OWN} names and a message at most {metrics.MOST_VALUES} values" in PAGE
    assert [kind.partition("`")[0] for kind in column("kind", 0)] == ["histogram", "counter", "gauge"]
