"""``squad message``: lists and whole lives, from a real store."""

from __future__ import annotations

import json

from squad.events import event
from squad.home import Home
from tests.cli.a_store import Story
from tests.cli.conftest import Run
from tests.cli.fake_gateway import FakeGateway


class TestList:
    def test_the_newest_first_with_ids_whole_when_piped(self, run: Run, story: Story) -> None:
        first = story.sent("scanner", "scan")
        second = story.sent("reporter", "summarize")
        story.failed(first)
        result = run("message", "list")
        lines = result.stdout.splitlines()
        assert lines[0].split() == ["ID", "AGENT", "TYPE", "STATUS", "CREATED", "TOOK", "ERROR"]
        assert [line.split()[:4] for line in lines[1:]] == [
            [second, "reporter", "summarize", "queued"],
            [first, "scanner", "scan", "failed"],
        ]
        assert lines[2].endswith("1234 ms  ValueError: no")

    def test_filters_and_limit(self, run: Run, story: Story) -> None:
        ids = [story.sent("a", "one"), story.sent("a", "two"), story.sent("b", "one")]
        story.failed(ids[0])

        def found(*args: str) -> list[str]:
            return [entry["id"] for entry in json.loads(run("message", "list", "-o", "json", *args).stdout)["messages"]]

        assert found() == ids[::-1]
        assert found("--agent", "a") == ids[1::-1]
        assert found("--type", "one") == [ids[2], ids[0]]
        assert found("--status", "failed") == [ids[0]]
        assert found("--limit", "1") == [ids[2]]
        assert found("--agent", "nobody") == []

    def test_nothing_is_said_on_standard_error(self, run: Run, story: Story) -> None:
        result = run("message", "list")
        assert (result.exit_code, result.stdout, result.stderr) == (0, "", "no message fits\n")

    def test_a_status_that_there_is_not(self, run: Run, story: Story) -> None:
        result = run("message", "list", "--status", "dead")
        assert result.exit_code == 2
        assert "'failed'" in result.stderr

    def test_before_the_first_start(self, run: Run, home: Home) -> None:
        result = run("message", "list")
        assert result.exit_code == 1
        assert "no squad has run here yet" in result.stderr

    def test_control_characters_are_escaped(self, run: Run, story: Story) -> None:
        story.failed(story.sent("a", "t"), "\x1b]0;gotcha\x07\x9b2J")
        assert "\\x1b]0;gotcha\\x07\\x9b2J" in run("message", "list").stdout


class TestShow:
    def test_a_whole_life(self, run: Run, story: Story) -> None:
        root = story.sent("scanner", "scan", {"path": "/srv"}, priority=2, key="nightly")
        child, other = story.completed(root, {"files": 2}, (("checker", "check"), ("checker", "check")))
        (grandchild,) = story.completed(child, None, (("reporter", "report"),))
        story.failed(grandchild, "ValueError: too many\n  File x, line 3", attempts=2)
        shown = run("message", "show", root).stdout
        for text in (
            "scan from cli to scanner, priority 2",
            "completed in 1.2s",
            "nightly",
            '"path": "/srv"',
            '"files": 2',
            child,
            other,
        ):
            assert text in shown
        assert "reporter  report" in shown
        shown = run("message", "show", grandchild).stdout
        assert "failed after 2 attempts" in shown
        assert "Attempt 1: error on reporter/1" in shown
        assert "Attempt 2: error on reporter/1" in shown
        assert "File x, line 3" in shown
        assert shown.index(root) < shown.index(child)  # what caused it, the root first

    def test_as_json(self, run: Run, story: Story) -> None:
        root = story.sent("scanner", "scan", {"path": "/srv"})
        (child,) = story.completed(root, {"files": 1}, (("checker", "check"),))
        story.failed(child)
        document = json.loads(run("message", "show", child, "-o", "json").stdout)
        assert document["schema_version"] == 1
        assert [cause["id"] for cause in document["causes"]] == [root]
        assert (document["status"], document["attempts"], document["payload"]) == ("failed", 1, {})
        assert document["failed_attempts"][0]["outcome"] == "error"
        document = json.loads(run("message", "show", root, "-o", "json").stdout)
        assert document["result"] == {"files": 1}
        assert [effect["id"] for effect in document["effects"]] == [child]
        assert document["tree"]["by_status"] == {"completed": 1, "failed": 1}

    def test_a_part_of_the_id_is_enough(self, run: Run, story: Story) -> None:
        task = story.sent("a", "t")
        for part in (task[-12:], task[:-3], task.upper()):
            assert run("message", "show", part).stdout.startswith(task)

    def test_what_was_done_about_it_stands_among_its_attempts(self, run: Run, story: Story) -> None:
        task = story.sent("a", "t")
        story.failed(task)
        story.recorded(event("replayed", task, agent="a", type="t"))
        shown = run("message", "show", task).stdout
        assert shown.index("Attempt 1: error") < shown.index("Replayed at 2026-")
        (replayed,) = json.loads(run("message", "show", task, "-o", "json").stdout)["events"]
        assert (replayed["kind"], replayed["detail"]) == ("replayed", {"agent": "a", "type": "t"})

    def test_an_id_that_fits_several_or_none(self, run: Run, story: Story) -> None:
        first, second = story.sent("a", "t"), story.sent("a", "t")
        result = run("message", "show", first[:8])
        assert result.exit_code == 2
        assert first in result.stderr
        assert second in result.stderr
        for text in ("ffffffffffff", "x", "", "%", "\x00"):
            assert run("message", "show", text).exit_code == 2

    def test_a_large_payload_is_cut_and_whole_as_json(self, run: Run, story: Story) -> None:
        task = story.sent("a", "t", {"text": "x" * 100_000})
        shown = run("message", "show", task).stdout
        assert len(shown) < 25_000
        assert "characters more: squad message show" in shown
        assert json.loads(run("message", "show", task, "-o", "json").stdout)["payload"] == {"text": "x" * 100_000}

    def test_many_effects_are_counted_and_some_are_listed(self, run: Run, story: Story) -> None:
        root = story.sent("scanner", "scan")
        story.completed(root, None, (("checker", "check"),) * 300)
        shown = run("message", "show", root).stdout
        assert "and 280 more" in shown
        assert shown.count("\n") < 60
        document = json.loads(run("message", "show", root, "-o", "json").stdout)
        assert (len(document["effects"]), document["effects_total"]) == (300, 300)

    def test_control_characters_are_escaped(self, run: Run, story: Story) -> None:
        nasty = "\x1b[2J\x9b31m\u202egnp.exe\x07"
        task = story.sent("a", "t", {"text": nasty})
        story.failed(task, nasty)
        for args in ([], ["-o", "json"]):
            shown = run("message", "show", task, *args).stdout
            assert not set(shown) & {"\x1b", "\x9b", "\u202e", "\x07"}
        assert json.loads(run("message", "show", task, "-o", "json").stdout)["payload"] == {"text": nasty}

    def test_a_payload_that_somebody_broke_with_sql_is_shown_as_it_is(self, run: Run, story: Story, home: Home) -> None:
        import sqlite3
        from contextlib import closing

        task = story.sent("a", "t")
        with closing(sqlite3.connect(home.database)) as connection, connection:
            connection.execute("UPDATE tasks SET payload = '{broken'")
        assert "{broken" in run("message", "show", task).stdout


class TestCancel:
    @staticmethod
    def answers(gateway: FakeGateway, task: str, cancelled: int, running: int) -> None:
        gateway.on(f"POST /v1/messages/{task}/cancel", (200, {"cancelled": cancelled, "running": running}))

    def test_one_that_waits(self, run: Run, gateway: FakeGateway, story: Story) -> None:
        task = story.sent("a", "t")
        self.answers(gateway, task, 1, 0)
        result = run("message", "cancel", task[-12:])
        assert (result.exit_code, result.stdout, result.stderr) == (0, "", "1 cancelled\n")
        assert gateway.requests[0].json == {"tree": False}

    def test_a_tree_of_which_some_run(self, run: Run, gateway: FakeGateway, story: Story) -> None:
        task = story.sent("a", "t")
        self.answers(gateway, task, 40, 2)
        assert run("message", "cancel", task, "--tree").stderr == "40 cancelled, 2 that are running told to end\n"
        assert gateway.requests[0].json == {"tree": True}
        document = json.loads(run("message", "cancel", task, "--tree", "-o", "json").stdout)
        assert document == {"schema_version": 1, "id": task, "cancelled": 40, "running": 2}
        self.answers(gateway, task, 0, 1)
        assert run("message", "cancel", task).stderr == "1 that is running told to end\n"

    def test_one_that_has_ended(self, run: Run, gateway: FakeGateway, story: Story) -> None:
        task = story.sent("a", "t")
        story.completed(task)
        self.answers(gateway, task, 0, 0)
        result = run("message", "cancel", task)
        assert (result.exit_code, result.stdout) == (1, "")
        assert "there is nothing to cancel: it has ended: completed in 1.2s" in result.stderr
        assert "its whole tree has ended" in run("message", "cancel", task, "--tree").stderr
        result = run("message", "cancel", task, "-o", "json")
        assert (result.exit_code, json.loads(result.stdout)["cancelled"]) == (1, 0)

    def test_one_that_there_is_not(self, run: Run, gateway: FakeGateway, story: Story) -> None:
        assert run("message", "cancel", "ffffffffffff").exit_code == 2
        assert gateway.requests == []

    def test_without_a_squad(self, run: Run, story: Story) -> None:
        result = run("message", "cancel", story.sent("a", "t"))
        assert (result.exit_code, result.stdout) == (3, "")


def test_the_group_alone_shows_its_help(run: Run) -> None:
    result = run("message")
    assert result.exit_code == 2
    assert "squad message show 7f3c9a12b4de" in result.stderr
