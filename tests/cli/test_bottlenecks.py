"""``squad bottlenecks``: read off a database, whether a squad runs or not."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing

import pytest

from squad.home import Home
from squad.store.times import iso
from tests.cli.a_meter import a_busy_squad
from tests.cli.a_store import Story
from tests.cli.conftest import Run
from tests.cli.terminals import on_terminal, plain


@pytest.fixture
def slow(story: Story, home: Home) -> list[str]:
    """Three messages that ended a minute ago, the first the slowest, and one that runs."""
    ids = [story.sent("checker", "check") for _ in range(3)]
    for task_id in ids:
        story.completed(task_id)
    runs = story.sent("scanner", "scan\x1b[31m")
    story.running(runs)
    now = time.time()
    with closing(sqlite3.connect(home.database)) as database, database:
        for number, task_id in enumerate(ids):
            database.execute(
                "UPDATE tasks SET ready_at = NULL, created_at = ?, started_at = ?, completed_at = ?, duration_ms = ?"
                " WHERE task_id = ?",
                (iso(now - 90), iso(now - 70), iso(now - 60), 9000 - 1000 * number, task_id),
            )
        database.execute("UPDATE tasks SET claimed_at = ? WHERE task_id = ?", (iso(now - 200), runs))
    a_busy_squad(home.database)
    return [*ids, runs]


def test_slowest_messages_what_runs_and_percentiles(run: Run, slow: list[str]) -> None:
    result = run("bottlenecks")
    assert (result.exit_code, result.stderr) == (0, "")
    heading, *sections = result.stdout.split("\n\n")
    assert heading.startswith("Handled since ")
    tasks, running, agents, types = ([" ".join(line.split()) for line in text.splitlines()] for text in sections)
    assert tasks == [
        "SLOWEST AGENT TYPE TOOK WAITED ENDED",
        f"{slow[0]} checker check 9.0s 20s 1m ago",
        f"{slow[1]} checker check 8.0s 20s 1m ago",
        f"{slow[2]} checker check 7.0s 20s 1m ago",
    ]
    assert running[1] == rf"{slow[3]} scanner scan\x1b[31m 3m"
    assert agents[0] == "AGENT COUNT P50 P95 P99 MOST WAIT P95 SHARE"
    assert [line.split()[:2] for line in agents[1:]] == [["checker", "110"], ["scanner", "10"]]
    assert [line.split()[0] for line in types[1:]] == ["check", "scan", "ping"]
    assert agents[1].split()[-1] == "95%"


def test_as_a_document(run: Run, slow: list[str]) -> None:
    document = json.loads(run("bottlenecks", "--limit", "1", "-o", "json").stdout)
    assert [task["id"] for task in document["tasks"]] == slow[:1]
    assert [(len(document[key])) for key in ("running", "agents", "types")] == [1, 1, 1]
    assert document["agents"][0]["handling_ms"]["p95"] == pytest.approx(2000, rel=0.05)


@pytest.mark.parametrize(("by", "key"), [("agent", "agents"), ("type", "types")])
def test_by_agent_or_type_alone(run: Run, slow: list[str], by: str, key: str) -> None:
    document = json.loads(run("bottlenecks", "--by", by, "-o", "json").stdout)
    assert set(document) == {"schema_version", "since", "until", key}
    assert run("bottlenecks", "--by", by).stdout.count("\n\n") == 1


def test_only_what_ended_since(run: Run, slow: list[str]) -> None:
    document = json.loads(run("bottlenecks", "--since", "20s", "-o", "json").stdout)
    assert document["tasks"] == []
    assert len(json.loads(run("bottlenecks", "--since", "2d", "-o", "json").stdout)["tasks"]) == 3
    assert run("bottlenecks", "--since", "soon").exit_code == 2


def test_where_nothing_was_handled(run: Run, story: Story) -> None:
    result = run("bottlenecks", "--since", "5m")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "nothing was completed since" in result.stderr
    assert "--since 30d looks farther back" in result.stderr


def test_without_metrics_there_are_no_percentiles(run: Run, slow: list[str], home: Home) -> None:
    with closing(sqlite3.connect(home.database)) as database, database:
        database.execute("DELETE FROM metric_points")
    result = run("bottlenecks")
    assert "SLOWEST" in result.stdout
    assert "no metrics were recorded" in result.stderr


def test_where_no_squad_has_run(run: Run) -> None:
    result = run("bottlenecks")
    assert result.exit_code == 1
    assert "no squad has run here yet" in result.stderr


@pytest.mark.parametrize("columns", [80, 160])
def test_on_a_terminal_with_lines(home: Home, slow: list[str], columns: int) -> None:
    status, screen = on_terminal("bottlenecks", cwd=home.path.parent, columns=columns)
    assert status == 0
    shown = plain(screen)
    assert "P95 OVER TIME" in shown
    assert "█" in shown
    assert "…" not in shown
    assert slow[0][-12:] in shown
    assert slow[0] not in shown
