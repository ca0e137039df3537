"""Schedules in real squads: one message for each planned time, whoever dies and whatever the clock says."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from squad.actors.scheduling.schedules import Kept, keeper_key
from tests.running import ROOT, RunningSquad, eventually

Start = Callable[[str], RunningSquad]
AGENT = 'agents:\n  one: {class: "AGENTS:Worker", send_rate: none}\n'
HOUR = 3600.0


def tick(missed: str, name: str = "tick") -> str:
    """A schedule that runs each second."""
    what = 'cron: "* * * * * *", recipient: one, type: echo, payload: {text: tick}'
    return f"  {name}: {{{what}, missed: {missed}}}\n"


def config(*schedules: str, supervision: str = "") -> str:
    return AGENT + supervision + "schedules:\n" + "".join(schedules)


def planned(squad: RunningSquad, name: str) -> list[float]:
    """The planned times of the messages that a schedule has sent, in the order of their arrival."""
    rows = squad.query("SELECT key FROM tasks WHERE sender = ? AND key IS NOT NULL ORDER BY id", f"schedule:{name}")
    return [datetime.fromisoformat(row["key"].rpartition("/")[2]).timestamp() for row in rows]


def kept(squad: RunningSquad, name: str) -> Kept:
    [row] = squad.query("SELECT value FROM keeper WHERE key = ?", keeper_key(name))
    found = Kept.read(row["value"])
    assert found is not None
    return found


def change(squad: RunningSquad, sql: str, *parameters: Any) -> None:
    """Change the database of a squad that does not run."""
    with closing(sqlite3.connect(squad.home / "squad.db")) as database, database:
        database.execute(sql, parameters)


def move(squad: RunningSquad, name: str, seconds: float) -> None:
    """Have a schedule's past end so much later (or earlier): as if the clock had been set, while nothing ran."""
    before = kept(squad, name)
    text = Kept(before.mark + seconds, before.line, before.planned, before.task_id).text()
    change(squad, "UPDATE keeper SET value = ? WHERE key = ?", text, keeper_key(name))


def log_of(squad: RunningSquad) -> str:
    return (squad.home / "logs" / "scheduler.jsonl").read_text()


def runs(squad: RunningSquad, name: str, more_than: int) -> list[float]:
    """What it has sent, once that is more than so many messages."""
    return eventually(lambda: found if len(found := planned(squad, name)) > more_than else [], f"runs of {name}")


def assert_each_second_once(times: list[float]) -> None:
    assert times == [times[0] + n for n in range(len(times))]


def hours_ago(now: int, *hours: int) -> str:
    """A cron line (in UTC) for full hours so long before ``now`` (in hours since the epoch)."""
    return f"0 {','.join(str((now - back) % 24) for back in sorted(hours, key=lambda back: (now - back) % 24))} * * *"


class TestRuns:
    def test_a_message_comes_at_each_planned_time(self, start: Start) -> None:
        squad = start(config(tick("once"), '  yearly: {cron: "0 0 1 1 *", recipient: one, type: echo}\n'))
        times = runs(squad, "tick", 2)
        assert_each_second_once(times)
        row = squad.query("SELECT * FROM tasks ORDER BY id LIMIT 1")[0]
        assert (row["recipient"], row["type"], json.loads(row["payload"]), row["priority"]) == (
            "one",
            "echo",
            {"text": "tick"},
            5,
        )
        assert datetime.fromisoformat(row["created_at"]).timestamp() >= times[0]
        squad.wait(row["task_id"])
        assert squad.task(row["task_id"])["status"] == "completed"
        self.is_in_the_tree_and_in_the_lists(squad, times)

    def is_in_the_tree_and_in_the_lists(self, squad: RunningSquad, times: list[float]) -> None:
        row = squad.tree()["scheduler"]
        assert (row["kind"], row["parent"], row["state"]) == ("scheduler", "supervisor", "ready")
        listed = json.loads(squad.cli("schedule", "list", "-o", "json").stdout)["schedules"]
        second, yearly = listed
        assert datetime.fromisoformat(second["last"]["planned"]).timestamp() >= times[0]
        assert squad.task(second["last"]["id"])["sender"] == "schedule:tick"
        assert (yearly["last"], yearly["missed"]) == (None, "once")
        assert datetime.fromisoformat(yearly["next"]).month == 1
        task = squad.cli("schedule", "run", "yearly").stdout.strip()
        squad.wait(task)
        assert (squad.task(task)["sender"], squad.task(task)["key"]) == ("schedule:yearly", None)
        assert kept(squad, "yearly").planned is None
        assert squad.cli("schedule", "run", "yealry", status=2).stderr.endswith("hint: did you mean 'yearly'?\n")

    def test_one_whose_message_nobody_takes_does_not_start(self, tmp_path: Path) -> None:
        text = AGENT.replace("AGENTS", str(ROOT / "tests/actors/squads/agents.py"))
        (tmp_path / "squad.yaml").write_text(text + 'schedules:\n  a: {cron: "* * * * *", recipient: one, type: ech}\n')
        squad = RunningSquad(tmp_path / "home", tmp_path / "squad.yaml")
        for command in (("start", "--config"), ("config", "check")):
            told = squad.cli(*command, str(tmp_path / "squad.yaml"), status=4).stderr
            assert "squad.yaml:4: schedules.a.type: one does not handle 'ech' (did you mean 'echo'?)" in told


class TestDeaths:
    RULES = "supervision: {restarts: {intensity: 100, backoff: 10ms}}\n"

    def test_each_planned_time_has_one_message_whoever_is_killed(self, start: Start) -> None:
        squad = start(config(tick("skip"), supervision=self.RULES))
        runs(squad, "tick", 0)
        for victim in ("scheduler", "storage", "supervisor", "gateway", "scheduler"):
            before = len(planned(squad, "tick"))
            squad.kill(victim)
            runs(squad, "tick", before)
        assert_each_second_once(runs(squad, "tick", before + 1))
        assert squad.query("SELECT * FROM events WHERE kind = 'schedule_missed'") == []

    def test_what_is_kept_and_the_message_are_never_apart(self, start: Start) -> None:
        squad = start(config(tick("once"), supervision=self.RULES))
        runs(squad, "tick", 0)
        both = "SELECT (SELECT value FROM keeper WHERE key = ?) AS kept, (SELECT max(key) FROM tasks) AS key"

        def last() -> float:
            [row] = squad.query(both, keeper_key("tick"))
            at = datetime.fromisoformat(row["key"].rpartition("/")[2]).timestamp()
            assert json.loads(row["kept"])["mark"] == at
            return at

        for victim in ("scheduler", "storage"):
            before = last()
            squad.kill(victim)
            eventually(lambda before=before: last() > before + 1, "two more runs")  # type: ignore[misc]

    def test_a_whole_squad_that_is_killed_goes_on_where_it_was(self, start: Start) -> None:
        squad = start(config(tick("skip")))
        runs(squad, "tick", 0)
        squad.launcher.kill()
        squad.wait_stopped()
        squad.assert_nothing_left()
        before = len(planned(squad, "tick"))
        squad.start()
        runs(squad, "tick", before + 1)
        assert_each_second_once(planned(squad, "tick"))

    def test_when_the_messages_are_deleted_none_is_sent_again(self, start: Start) -> None:
        squad = start(config(tick("all")))
        last = runs(squad, "tick", 0)[-1]
        squad.stop()
        last = max(last, *planned(squad, "tick"))
        change(squad, "DELETE FROM tasks")
        squad.start()
        assert_each_second_once([last, *runs(squad, "tick", 1)])


class TestMissed:
    """Squads that were down at one, two and three o'clock, so to speak."""

    PAST = -5.5 * HOUR  # before the first of the hours, also when the hour changes while the test runs

    @pytest.fixture
    def hour(self) -> int:
        return int(time.time() // HOUR)

    @pytest.fixture
    def stopped(self, start: Start, hour: int) -> RunningSquad:
        line = hours_ago(hour, 2, 3, 4)
        same = f'cron: "{line}", recipient: one, type: echo'
        squad = start(
            config(
                f"  skip: {{{same}, missed: skip}}\n",
                f"  once: {{{same}}}\n",
                f"  all: {{{same}, missed: all}}\n",
                f"  some: {{{same}, missed: all, at_most: {time.time() % HOUR + 2.5 * HOUR}}}\n",
                f"  late: {{{same}, at_most: 1h}}\n",
            )
        )
        eventually(lambda: len(squad.query("SELECT * FROM keeper WHERE key LIKE 'schedule/%'")) == 5, "all kept")
        squad.stop()
        assert squad.query("SELECT * FROM tasks") == []
        return squad

    def test_they_are_made_up_for_as_each_schedule_says(self, stopped: RunningSquad, hour: int) -> None:
        squad = stopped
        for name in ("skip", "once", "all", "some", "late"):
            move(squad, name, self.PAST)
        squad.start()
        last = (hour - 2) * HOUR
        expected = {
            "skip": [],
            "once": [last],
            "all": [last - 2 * HOUR, last - HOUR, last],
            "some": [last],
            "late": [],
        }
        eventually(lambda: all(kept(squad, name).mark == last for name in expected), "all dealt with")
        assert {name: planned(squad, name) for name in expected} == expected
        query = "SELECT subject, detail FROM events WHERE kind = 'schedule_missed' ORDER BY subject"
        rows = eventually(lambda: len(r := squad.query(query)) >= len(expected) and r, "the events are recorded")
        told = {row["subject"]: json.loads(row["detail"]) for row in rows}
        assert {name: detail["missed"] for name, detail in told.items()} == dict.fromkeys(expected, 3)
        assert {name: detail["action"] for name, detail in told.items()} == {
            "skip": "they are skipped",
            "once": "the last one is made up for",
            "all": "those of the last 7d are made up for",
            "some": told["some"]["action"],
            "late": "they are skipped: all are more than 1h ago",
        }
        assert datetime.fromisoformat(told["once"]["first"]).timestamp() == last - 2 * HOUR
        squad.stop()
        squad.start()
        eventually(lambda: squad.tree()["scheduler"]["state"] == "ready", "up again")
        assert {name: planned(squad, name) for name in expected} == expected
        assert len(squad.query("SELECT * FROM events WHERE kind = 'schedule_missed'")) == 5

    def test_another_cron_line_has_missed_nothing(self, stopped: RunningSquad, hour: int) -> None:
        squad = stopped
        move(squad, "once", self.PAST)
        assert squad.config is not None
        text = squad.config.read_text()
        squad.config.write_text(text.replace(hours_ago(hour, 2, 3, 4), hours_ago(hour, 2, 3)))
        squad.start()
        eventually(lambda: kept(squad, "once").mark > time.time() - 60, "taken up")
        assert planned(squad, "once") == []


class TestClock:
    def test_set_back_it_runs_nothing_again_and_says_so(self, start: Start) -> None:
        squad = start(config(tick("all"), tick("all", "other")))
        runs(squad, "tick", 0)
        squad.stop()
        move(squad, "tick", HOUR)
        mark, count = kept(squad, "tick").mark, len(planned(squad, "tick"))
        squad.start()
        runs(squad, "other", len(planned(squad, "other")))
        assert len(planned(squad, "tick")) == count
        assert kept(squad, "tick").mark == mark
        eventually(lambda: "tick does nothing before" in log_of(squad), "it is said")
        assert "give the schedule another name" in log_of(squad)
        listed = json.loads(squad.cli("schedule", "list", "-o", "json").stdout)["schedules"]
        assert datetime.fromisoformat(listed[0]["next"]).timestamp() == mark + 1

    def test_what_somebody_wrote_into_the_table_is_begun_anew(self, start: Start) -> None:
        squad = start(config(tick("once")))
        runs(squad, "tick", 0)
        squad.stop()
        change(squad, "UPDATE keeper SET value = 'oops' WHERE key = ?", keeper_key("tick"))
        squad.start()
        runs(squad, "tick", len(planned(squad, "tick")))


class TestReload:
    def test_schedules_come_change_and_go(self, start: Start) -> None:
        squad = start(AGENT)
        assert "scheduler" not in squad.tree()
        assert squad.config is not None
        text = squad.config.read_text()
        squad.config.write_text(f"{text}schedules:\n{tick('once')}")
        squad.cli("reload")
        runs(squad, "tick", 0)
        squad.config.write_text(f"{text}schedules:\n{tick('once').replace('text: tick', 'text: tock')}")
        squad.cli("reload")
        texts = "SELECT 1 FROM tasks WHERE json_extract(payload, '$.text') = 'tock'"
        eventually(lambda: squad.query(texts), "the new message")
        assert_each_second_once(planned(squad, "tick"))
        squad.config.write_text(text)
        squad.cli("reload")
        eventually(lambda: "scheduler" not in squad.tree(), "no scheduler")
