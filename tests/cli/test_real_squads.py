"""The commands for operators in front of real squads: events, logs, cancelling, and the desk for dead letters."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from squad.cli.app import cli
from squad.home import Home
from tests.cli.followers import Following
from tests.running import ROOT, RunningSquad, eventually

CONFIG = f"""
name: desk
supervision: {{shutdown: 2s}}
agents:
  worker:
    class: {ROOT}/tests/actors/squads/agents.py:Worker
    send_rate: none
    cancel_grace: 500ms
    retry: {{max_attempts: 2, backoff: 10ms}}
  patient: {{class: {ROOT}/tests/actors/squads/agents.py:Worker, cancel_grace: 5m}}
convoys:
  pool: {{class: {ROOT}/tests/actors/squads/agents.py:Pool, min: 2, max: 2, send_rate: none}}
"""


@pytest.fixture
def squad(tmp_path: Path) -> Iterator[RunningSquad]:
    """A squad for one test, which may stop it, and look at all of its messages."""
    yield from running_in(tmp_path)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSquad]:
    yield from running_in(tmp_path_factory.mktemp("shared"))


def running_in(folder: Path) -> Iterator[RunningSquad]:
    (folder / "squad.yaml").write_text(CONFIG)
    with RunningSquad(folder / ".squad", folder / "squad.yaml") as running:
        yield running


def document(squad: RunningSquad, *args: str, status: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(squad.cli(*args, "-o", "json", status=status).stdout)
    return found


def status_of(squad: RunningSquad, task: str) -> str:
    return str(squad.task(task)["status"])


def written(home: Home) -> Counter[str]:
    """Every line that is in the logs."""
    return Counter(line for path in home.logs.glob("*.jsonl*") for line in path.read_text().splitlines(keepends=True))


class TestFollowing:
    def test_events_and_logs_through_kills_and_a_restart_of_the_squad(self, squad: RunningSquad) -> None:
        home = Home(squad.home)
        events = Following(home, "events", "-f", "-o", "json", "--tail", "0")
        logs = Following(home, "logs", "-f", "-o", "json", "--since", "1h")
        eventually(lambda: events.waits and logs.waits, "both wait")
        squad.send_batch([{"recipient": "worker", "type": "echo", "payload": {}}] * 200)
        squad.send_batch([{"recipient": "worker", "type": "misbehave", "payload": {"how": "raise"}}] * 3)
        squad.kill("worker")
        # History is not acknowledged: an event that has just been told dies with the storage.
        told = "SELECT count(*) FROM events WHERE kind = 'restarted' AND subject = 'worker'"
        eventually(lambda: squad.query(told)[0][0] == 1, "the restart is recorded")
        squad.kill("storage")
        squad.wait(squad.send("pool", "echo"))
        eventually(lambda: squad.counts().get(("echo", "completed")) == 201, "all are handled")
        eventually(lambda: squad.counts().get(("misbehave", "failed")) == 3, "all have failed")
        squad.stop()
        squad.start()
        last = squad.send("worker", "echo")
        squad.wait(last)
        of_agents = {("stopped", "worker"), ("ready", "worker"), ("ready", "pool-1"), ("stopped", "pool-2")}
        wanted = {("completed", last), ("restarted", "storage"), *of_agents}
        eventually(lambda: wanted <= {(e["kind"], e["subject"]) for e in events.documents}, f"{wanted}")
        kept = eventually(lambda: (now := written(home)) <= Counter(logs.lines) and now, "all that was logged")
        assert (events.end(), logs.end()) == ((130, ""), (130, ""))

        found = [(happening["kind"], happening["subject"]) for happening in events.documents]
        ends = {"completed", "failed", "queued"}
        once = Counter(pair for pair in found if pair[0] in ends)
        tasks = squad.query("SELECT task_id, status FROM tasks")
        assert once == Counter([("queued", row[0]) for row in tasks] + [(row[1], row[0]) for row in tasks])
        attempts = squad.query("SELECT count(*) FROM attempts WHERE final = 0")[0][0]
        assert sum(kind == "retried" for kind, _ in found) == attempts >= 3
        recorded = squad.query("SELECT kind, subject FROM events")
        of_the_squad = [pair for pair in found if pair in {tuple(row) for row in recorded}]
        assert Counter(of_the_squad)["restarted", "worker"] == 1

        assert kept <= Counter(logs.lines) <= written(home)  # the squad goes on, and may log while nobody follows
        assert {json.loads(line)["name"] for line in logs.lines} > {"launcher", "supervisor"}


class TestDesk:
    def test_from_a_dead_letter_to_a_completed_message(self, squad: RunningSquad) -> None:
        task = squad.send("worker", "misbehave", {"how": "refuse"})
        squad.wait(task)
        (letter,) = document(squad, "dead", "list", "--since", "1h", "--error", "NOT for")["dead"]
        assert (letter["id"], letter["attempts"]) == (task, 1)
        refused = squad.cli("dead", "edit", task, "--data", '{"how": 3, "path": "", "colour": 1}', "--retry", status=2)
        assert "how" in refused.stderr
        assert "colour" in refused.stderr
        assert status_of(squad, task) == "failed"
        squad.cli("dead", "edit", task[-12:], "--data", '{"how": "raise"}', "--retry")
        squad.wait(task)
        assert status_of(squad, task) == "failed"
        squad.cli("dead", "edit", task, "--data", '{"how": "well"}', "--retry")
        squad.wait(task)
        assert json.loads(squad.task(task)["result"]) == {"attempt": 1}
        history = document(squad, "message", "show", task)
        assert [(attempt["number"], attempt["outcome"]) for attempt in history["failed_attempts"]] == [
            (1, "refused"), (2, "error"), (3, "error")
        ]  # fmt: skip
        assert [event["kind"] for event in history["events"]] == ["edited", "replayed"] * 2
        kinds = [event["kind"] for event in document(squad, "events", "--agent", "worker", "--tail", "100")["events"]]
        expected = {"queued": 1, "failed": 2, "retried": 1, "edited": 2, "replayed": 2, "completed": 1}
        assert expected.items() <= Counter(kinds).items()

    def test_many_by_filter(self, squad: RunningSquad) -> None:
        wrong = [{"recipient": "worker", "type": "misbehave", "payload": {"how": "refuse"}}] * 250
        squad.send_batch([*wrong, {"recipient": "worker", "type": "misbehave", "payload": {"how": "raise"}}])
        eventually(lambda: squad.counts().get(("misbehave", "failed")) == 251, "all are dead letters")
        told = squad.cli("dead", "retry", "--error", "not for me", status=2)
        assert "250 dead letters: 250 misbehave to worker" in told.stderr
        assert "250 dead letters queued again" in squad.cli("dead", "retry", "--error", "not for me", "--yes").stderr
        eventually(lambda: squad.counts() == {("misbehave", "failed"): 251}, "they have failed again")
        dropped = document(squad, "dead", "drop", "--agent", "worker", "--error", "not for", "--yes")
        assert dropped["count"] == len(set(dropped["ids"])) == 250
        assert squad.counts() == {("misbehave", "failed"): 1}
        assert len(document(squad, "events", "--kind", "dropped", "--tail", "1000")["events"]) == 250
        squad.stop()
        assert document(squad, "dead", "list")["total"] == 1
        assert squad.cli("dead", "retry", "--all", "--yes", status=3).stdout == ""


class TestCancel:
    @pytest.fixture
    def squad(self, shared: RunningSquad) -> RunningSquad:
        return shared

    def test_one_that_waits(self, squad: RunningSquad) -> None:
        task = squad.send("worker", "echo", delay=3600)
        assert document(squad, "message", "cancel", task[-12:])["cancelled"] == 1
        assert status_of(squad, task) == "cancelled"
        squad.cli("message", "cancel", task, status=1)

    def test_one_whose_handler_listens(self, squad: RunningSquad, tmp_path: Path) -> None:
        running = tmp_path / "running"
        pid = squad.tree()["patient"]["pid"]
        sleep = {"how": "sleep-unless-cancelled", "seconds": 600, "path": str(running)}
        task = squad.send("patient", "misbehave", sleep)
        eventually(running.exists, "its handler runs")
        assert document(squad, "message", "cancel", task) == {
            "schema_version": 1, "id": task, "cancelled": 0, "running": 1
        }  # fmt: skip
        squad.wait(task)
        assert status_of(squad, task) in ("completed", "cancelled")
        assert squad.tree()["patient"]["pid"] == pid

    def test_one_whose_handler_does_not(self, squad: RunningSquad, tmp_path: Path) -> None:
        running = tmp_path / "running"
        task = squad.send("worker", "misbehave", {"how": "sleep", "seconds": 600, "path": str(running)})
        eventually(running.exists, "its handler runs")
        squad.cli("message", "cancel", task)
        squad.wait(task)
        assert status_of(squad, task) == "cancelled"
        squad.wait(squad.send("worker", "echo"))
        assert document(squad, "events", "--kind", "cancelled", "--tail", "1")["events"][0]["subject"] == task

    def test_a_tree(self, squad: RunningSquad, tmp_path: Path) -> None:
        running = tmp_path / "running"
        blocker = squad.send("worker", "misbehave", {"how": "sleep", "seconds": 600, "path": str(running)})
        eventually(running.exists, "its handler runs")
        root = squad.send("worker", "fan_out", {"to": "worker", "number": 50}, priority=1)
        squad.cli("message", "cancel", blocker)
        squad.wait(root)
        squad.cli("message", "cancel", root, "--tree", status=None)
        squad.wait(root, tree=True)
        ended = [row["status"] for row in squad.query("SELECT status FROM tasks WHERE parent_id = ?", root)]
        assert len(ended) == 50
        assert set(ended) <= {"completed", "cancelled"}


def sent_soon(squad: RunningSquad) -> tuple[datetime, str]:
    """A time, not before which a message is to be handled, and its id; so soon that the command can just say it."""
    for seconds in (3, 10, 40):
        soon = (datetime.now(UTC) + timedelta(seconds=seconds)).replace(microsecond=0)
        done = squad.cli("send", "worker", "echo", "--at", soon.isoformat(), status=None)
        if done.returncode == 0:
            return soon, done.stdout.strip()
        assert "passed" in done.stderr
    raise AssertionError("the command takes more than 40 s")


class TestTimes:
    @pytest.fixture
    def squad(self, shared: RunningSquad) -> RunningSquad:
        return shared

    def test_in_the_past(self, squad: RunningSquad) -> None:
        before = squad.counts()
        told = squad.cli("send", "worker", "echo", "--at", "2001-01-31T09:30", status=2)
        assert "passed" in told.stderr
        assert squad.counts() == before

    def test_a_time_and_a_time_to_live(self, squad: RunningSquad) -> None:
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        later = squad.cli("send", "worker", "echo", "--at", tomorrow.isoformat()).stdout.strip()
        assert status_of(squad, later) == "queued"
        shown = document(squad, "message", "show", later)
        assert datetime.fromisoformat(shown["not_before"]).timestamp() == pytest.approx(tomorrow.timestamp(), abs=0.002)
        soon, task = sent_soon(squad)
        squad.wait(task)
        assert json.loads(squad.task(task)["result"])["at"] >= soon.timestamp()

    def test_what_nobody_takes_in_time_expires(self, squad: RunningSquad, tmp_path: Path) -> None:
        running = tmp_path / "running"
        blocker = squad.send("worker", "misbehave", {"how": "sleep", "seconds": 600, "path": str(running)})
        eventually(running.exists, "its handler runs")
        done = squad.cli("send", "worker", "echo", "--ttl", "300ms", "--wait", status=1)
        assert "expired" in done.stderr
        (expired,) = document(squad, "events", "--kind", "expired")["events"]
        assert "time to live" in expired["detail"]["error"]
        squad.cli("message", "cancel", blocker)
        squad.wait(blocker)


class TestTheSameOverHttp:
    """What a command prints and what its route answers are one document."""

    @pytest.mark.parametrize(
        ("words", "path"),
        [
            ("metrics", "/v1/metrics"),
            ("metrics completed queue_depth --window 2h", "/v1/metrics?names=completed,queue_depth&window=2h"),
            ("metrics --agent worker --by type", "/v1/metrics?agent=worker&by=type"),
            ("bottlenecks --limit 100", "/v1/bottlenecks"),
            ("bottlenecks --by agent --limit 1", "/v1/bottlenecks?by=agent&limit=1"),
            ("alerts list --all", "/v1/alerts?all=1"),
            ("dead list --limit 100", "/v1/dead"),
            ("events --tail 100", "/v1/events"),
            ("queue", "/v1/queues"),
            ("convoy list", "/v1/convoys"),
            ("convoy show pool", "/v1/convoys/pool"),
        ],
    )
    def test_of_a_squad_that_has_worked(self, shared: RunningSquad, words: str, path: str) -> None:
        shared.wait(shared.send("worker", "echo"))
        eventually(lambda: shared.query("SELECT 1 FROM metric_series WHERE name = 'completed'"), "metrics are written")

        def both() -> bool:
            printed = CliRunner().invoke(cli, [*words.split(), "-o", "json", "--home", str(shared.home)])
            assert printed.exit_code == 0, printed.output
            status, answered = shared.request("GET", path)
            assert status == 200, answered
            return settled(json.loads(printed.stdout)) == settled(answered)

        eventually(both, "they are the same, though the squad goes on between the two")

    def test_and_so_are_the_mistakes(self, shared: RunningSquad) -> None:
        shared.wait(shared.send("worker", "echo"))
        eventually(lambda: shared.query("SELECT 1 FROM metric_series WHERE agent = 'worker'"), "metrics are written")
        printed = CliRunner().invoke(cli, ["metrics", "zzz", "--agent", "wroker", "--home", str(shared.home)])
        status, answered = shared.request("GET", "/v1/metrics?names=zzz&agent=wroker")
        assert (printed.exit_code, status) == (2, 422)
        assert [problem["hint"] for problem in answered["error"]["problems"]] == [
            "`squad metrics` shows all of them",
            "did you mean 'worker'?",
        ]
        for told in (answered["error"], *answered["error"]["problems"]):
            assert told.get("message", told.get("what")) in str(printed.exception or "") + printed.output
        assert shared.request("GET", "/v1/convoys/worker")[0] == 404


def settled(value: Any) -> Any:
    """A document without what is of the moment in which it was made."""
    if isinstance(value, list):
        return [settled(item) for item in value]
    moving = {"since", "until", "taken_at", "age", "cpu_percent", "memory_bytes", "uptime_percent", "points", "seconds"}
    moving |= {"per_second"}
    return {k: settled(v) for k, v in value.items() if k not in moving} if isinstance(value, dict) else value
