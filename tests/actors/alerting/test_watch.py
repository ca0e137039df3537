"""The monitor's part over a real store: when it may fire, when it need not look, and what it does without a store."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from squad.actors.alerting.facts import Live
from squad.actors.alerting.watch import Watch
from squad.config.load import parse
from squad.config.schema import SquadConfig, StoreConfig
from squad.store import watching
from squad.store.database import open_reader
from squad.store.holds import Freeze, Holds, Pause
from squad.store.incidents import Change, NewSilence
from squad.store.rows import NewTask
from squad.store.writer import Writer
from tests.cli.a_store import Story

LOG = logging.getLogger("test")


def config(more: str = "", beside: str = "") -> SquadConfig:
    text = (
        "agents: {a: {class: './a.py:A'}, ear: {class: './a.py:A'}}\n"
        f"alerts: {{sinks: {{ear: {{agent: ear}}}}, max_queue_depth: 2, queue_depth_for: 0{more}}}\n{beside}"
    )
    return parse(text, name="squad.yaml", base_dir=Path())


class Scene:
    """A store, a watch, and the time, which passes with every look."""

    def __init__(self, story: Story, path: Path, more: str = "") -> None:
        self.story, self.path, self.more = story, path, more
        self.steady = 1000.0
        self.sent: list[NewTask] = []  # to sinks
        self.pool: Any = open_reader(path)
        self.watch = Watch(config(more), self.steady, LOG)

    def look(self, after: float = 15.0, live: Live | None = None, lost: bool = False) -> list[str]:
        self.steady += after
        self.story.now += after
        changes = self.watch.look(live or Live(), self.pool, self.story.now, self.steady)
        if not lost:
            with self.story.writer.transaction():
                self.sent += self.story.writer.incidents.change(changes, self.story.now)
        return [f"{change.action} {change.rule}" for change in changes]

    def settled(self) -> None:
        self.look(60)

    def crowd(self) -> list[str]:
        return [self.story.sent("a", "t") for _ in range(3)]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    path = tmp_path / "squad.db"
    with closing(Writer(path, StoreConfig())) as writer:
        made = Scene(Story(writer), path)
        with made.pool:
            yield made


def test_a_queue_that_is_there_at_the_start_has_a_moment(scene: Scene) -> None:
    scene.crowd()
    assert scene.look(1) == []
    assert scene.look(20) == []
    assert scene.look(20) == ["fire queue_depth"]
    assert scene.look() == []


def test_a_frozen_squad_and_a_paused_agent_are_left_in_peace_and_have_a_moment_after_it(scene: Scene) -> None:
    scene.settled()
    for held in (Holds(frozen=Freeze(0.0)), Holds({"a": Pause(0.0)})):
        scene.story.held(held)
        if held.frozen is not None:
            scene.crowd()
        assert [scene.look(60) for _ in range(5)] == [[]] * 5
        scene.story.held(Holds())
        assert scene.look(15) == []
    assert scene.look(29) == ["fire queue_depth"]


def test_what_fired_before_a_freeze_does_not_clear_because_of_it(scene: Scene) -> None:
    scene.settled()
    scene.crowd()
    assert scene.look() == ["fire queue_depth"]
    scene.story.held(Holds(frozen=Freeze(0.0)))
    assert [scene.look(600) for _ in range(3)] == [[]] * 3


def test_a_silence_keeps_it_from_the_sinks_alone(scene: Scene) -> None:
    scene.settled()
    with scene.story.writer.transaction():
        scene.story.writer.incidents.carry_out(NewSilence("s", "queue_depth", None, 100, "", ""), scene.story.now)
    scene.crowd()
    assert scene.look() == ["fire queue_depth"]
    assert scene.look() == []
    assert scene.look(100) == ["tell queue_depth"]


@pytest.mark.parametrize("silenced", ["before", "after", "all the time"])
def test_whoever_was_told_of_an_alarm_is_told_of_its_end(scene: Scene, silenced: str) -> None:
    """Also when it is silenced by then, and by a monitor that is born in between."""
    scene.settled()

    def silence(seconds: float) -> None:
        order = NewSilence(silenced, "queue_depth", None, seconds, "", "")
        with scene.story.writer.transaction():
            scene.story.writer.incidents.carry_out(order, scene.story.now)

    if silenced != "after":
        silence(20.0 if silenced == "before" else 9000.0)
    ids = scene.crowd()
    assert scene.look() == ["fire queue_depth"]
    assert scene.look() == (["tell queue_depth"] if silenced == "before" else [])
    if silenced == "after":
        silence(9000.0)
    for task in ids:
        scene.story.completed(task)
    scene.watch = Watch(config(scene.more), scene.steady, LOG)
    assert scene.look() == []
    assert scene.look(120) == ["clear queue_depth"]
    states = [json.loads(task.payload)["state"] for task in scene.sent]
    assert states == ([] if silenced == "all the time" else ["fired", "cleared"])


def test_nothing_is_read_while_nothing_has_changed(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.settled()
    scene.look()
    reads: list[float] = []
    real = watching.ready
    monkeypatch.setattr(watching, "ready", lambda *asked: (reads.append(1.0), real(*asked))[1])
    for _ in range(20):
        scene.watch.look(Live(), scene.pool, scene.story.now, scene.steady)
    assert reads == []
    scene.story.sent("a", "t")
    scene.watch.look(Live(), scene.pool, scene.story.now, scene.steady)
    assert len(reads) == 1


def test_a_handler_that_runs_on_is_seen_although_nothing_changes(scene: Scene) -> None:
    scene.settled()
    scene.story.running(scene.story.sent("a", "t"))
    assert [scene.look(10) for _ in range(5)] == [[]] * 5
    assert scene.look(11) == ["fire slow_task"]


def test_without_a_store_what_the_monitor_knows_itself_still_counts(scene: Scene) -> None:
    scene.settled()
    scene.crowd()
    assert scene.look() == ["fire queue_depth"]
    scene.pool, pool = None, scene.pool
    assert scene.look(300) == []  # nothing clears because nobody can look
    assert scene.look(live=Live(storage="database or disk is full"), lost=True) == ["fire disk_failing"]
    scene.pool = pool
    assert scene.look(60, live=Live(storage="still full")) == ["fire disk_failing"]  # said until it is heard
    assert scene.look(30) == []
    assert scene.look(120) == ["clear disk_failing"]


def test_without_metrics_what_is_left_of_them_fires_nothing(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """It is said in the log. A rule with ``below`` would else fire for the nothing that is recorded."""
    rules = (
        "rules: {still: {metric: completed, of: sum, window: 1m, below: 1}, many: {metric: queued, of: sum, above: 2}}"
    )
    scene.crowd()
    for enabled, wanted in (("true", {"fire queue_depth", "fire still"}), ("false", {"fire queue_depth"})):
        quiet = config(f", {rules}", f"metrics: {{enabled: {enabled}}}\n")
        scene.watch = Watch(quiet, scene.steady, LOG)
        scene.look(1, lost=True)
        assert wanted <= set(scene.look(90, lost=True)) <= wanted | {"fire many"}
        assert ("so the alert still never fires" in caplog.text) == (enabled == "false")
    assert "slow_p95, failed_tasks, failure_rate" in caplog.text


def test_rules_that_are_gone_clear(scene: Scene) -> None:
    scene.settled()
    scene.crowd()
    assert scene.look() == ["fire queue_depth"]
    for more in (", disabled: [queue_depth]", ", enabled: false"):
        scene.watch = Watch(config(more), scene.steady, LOG)
        scene.look()
        assert scene.look(120) in (["clear queue_depth"], [])
    with scene.pool.connection() as database:
        rows = database.execute_sql("SELECT COUNT(*) FROM alerts WHERE cleared_at IS NULL").fetchone()
    assert rows == (0,)


def test_the_changes_carry_all_that_the_store_wants(scene: Scene) -> None:
    scene.settled()
    scene.crowd()
    scene.steady += 15
    (change,) = scene.watch.look(Live(), scene.pool, scene.story.now, scene.steady)
    assert isinstance(change, Change)
    assert (change.event.kind, change.event.subject) == ("alert_fired", "a")
    assert change.summary == "3 messages are ready and wait for a"
