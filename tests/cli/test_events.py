"""``squad events``: as text, as JSON, and as it happens."""

from __future__ import annotations

import json

import pytest

from squad.events import event
from squad.home import Home
from tests.cli.a_store import Story
from tests.cli.conftest import Run
from tests.cli.followers import Following
from tests.cli.terminals import on_terminal, plain
from tests.running import eventually


@pytest.fixture
def told(story: Story) -> Story:
    """A scan that sent two checks: one done, one a dead letter; a restart, and a resize."""
    root = story.sent("scanner", "scan", priority=2)
    good, bad = story.completed(root, None, (("checker", "check_file"),) * 2)
    story.completed(good)
    story.failed(bad, "ValueError: too many\n  File x", attempts=2)
    story.recorded(event("restarted", "checker-2", reason="its process died"))
    story.resized("checker", 2, 3, "40 messages wait")
    return story


def kinds(run: Run, *args: str) -> list[str]:
    result = run("events", "-o", "json", *args)
    assert result.exit_code == 0, result.stderr
    return [happening["kind"] for happening in json.loads(result.stdout)["events"]]


ALL = ["queued", "started", "queued", "queued", "completed", "started", "completed", "started", "retried", "started"]
ALL += ["failed", "restarted", "resized"]


class TestWhatHasHappened:
    def test_one_line_each_the_newest_last(self, run: Run, told: Story) -> None:
        lines = run("events").stdout.splitlines()
        assert [line.split()[1] for line in lines] == ALL
        at, kind, subject, *details = lines[0].split()
        assert (at, kind, len(subject)) == ("2026-05-28T20:26:41.000Z", "queued", 36)
        assert details == ["agent=scanner", "type=scan", "sender=cli", "priority=2"]
        assert lines[10].endswith('attempt=2 outcome=error error="ValueError: too many"')
        assert lines[11].split("restarted ")[1].split() == ["checker-2", 'reason="its', "process", 'died"']

    def test_as_json(self, run: Run, told: Story) -> None:
        document = json.loads(run("events", "-o", "json").stdout)
        assert document["schema_version"] == 1
        assert document["events"][-2] == {
            "at": "2026-05-28T20:26:50.000Z",
            "kind": "restarted",
            "subject": "checker-2",
            "detail": {"reason": "its process died"},
        }
        assert document["events"][10]["detail"]["error"] == "ValueError: too many\n  File x"

    def test_the_last_ones(self, run: Run, told: Story) -> None:
        assert kinds(run, "--tail", "3") == ALL[-3:]
        assert kinds(run, "--tail", "0") == []

    def test_by_kind(self, run: Run, told: Story) -> None:
        assert kinds(run, "--kind", "completed") == ["completed"] * 2
        assert kinds(run, "--kind", "failed, retried", "--kind", "resized") == ["retried", "failed", "resized"]

    def test_a_kind_that_there_is_not(self, run: Run, told: Story) -> None:
        result = run("events", "--kind", "completed,faild")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "'faild' is no kind of event (did you mean 'failed'?)" in result.stderr
        assert "there are: queued, started, " in run("events", "--kind", "zzz").stderr

    def test_by_agent(self, run: Run, told: Story) -> None:
        assert kinds(run, "--agent", "scanner") == ["queued", "started", "completed"]
        assert kinds(run, "--agent", "checker")[-2:] == ["restarted", "resized"]

    def test_since(self, run: Run, told: Story) -> None:
        assert kinds(run, "--since", "2026-05-28T20:26:50Z") == ["restarted", "resized"]
        assert kinds(run, "--since", "2026-05-28T20:26:50Z", "--tail", "1") == ["resized"]

    def test_fifty_unless_something_else_is_said(self, run: Run, story: Story) -> None:
        for _ in range(60):
            story.sent("a", "t")
        assert len(kinds(run)) == 50
        assert len(kinds(run, "--tail", "55")) == 55
        assert len(kinds(run, "--since", "2026-01-01")) == 60

    def test_nothing_is_said_on_standard_error(self, run: Run, story: Story) -> None:
        assert run("events").stderr == "nothing has happened yet\n"
        assert run("events", "--kind", "failed").stderr == "nothing of that kind has happened\n"
        result = run("events", "-o", "json")
        assert (json.loads(result.stdout)["events"], result.stderr) == ([], "")

    def test_before_the_first_start(self, run: Run, home: Home) -> None:
        result = run("events")
        assert result.exit_code == 1
        assert "no squad has run here yet" in result.stderr

    def test_nothing_steers_the_terminal(self, run: Run, story: Story) -> None:
        story.failed(story.sent("a", "t"), "\x1b]0;gotcha\x07\x9b2J")
        story.recorded(event("restarted", "\x1b[2J", reason="\x9b2J"), ("\x1b", "x", '{"\\u001b": ["\\u009b"]}'))  # type: ignore[arg-type]
        for args in ((), ("-o", "json")):
            assert not set(run("events", *args).stdout) & {"\x1b", "\x9b", "\x07"}

    def test_on_a_terminal(self, told: Story) -> None:
        status, screen = on_terminal("events", cwd=told.writer.path.parent.parent, columns=120)
        assert status == 0
        assert "\x1b[32mcompleted" in screen
        assert "\x1b[31mfailed" in screen
        first = plain(screen).splitlines()[0].split()
        assert (first[0], first[2], len(first[3])) == ("2026-05-28", "queued", 12)  # its day, and the end of its id
        assert "\x1b" not in on_terminal("events", cwd=told.writer.path.parent.parent, NO_COLOR="1")[1]


def kinds_of(following: Following) -> list[str]:
    return [happening["kind"] for happening in following.documents]


class TestFollowing:
    def test_what_was_there_and_then_what_happens_each_once(self, home: Home, told: Story) -> None:
        following = Following(home, "events", "-f", "-o", "json")
        eventually(lambda: kinds_of(following) == ALL, "what was there")
        for number in range(20):
            story_of_one = told.sent("scanner", "scan")
            told.completed(story_of_one)
            eventually(lambda n=number: kinds_of(following).count("completed") > 2 + n, "its end")  # type: ignore[misc]
        assert following.end() == (130, "")
        assert all(happening["schema_version"] == 1 for happening in following.documents)
        new = following.documents[len(ALL) :]
        assert [happening["kind"] for happening in new] == ["queued", "started", "completed"] * 20
        assert len({(happening["kind"], happening["subject"]) for happening in new}) == 60

    def test_only_what_was_asked_for(self, home: Home, told: Story) -> None:
        following = Following(
            home, "events", "-f", "-o", "json", "--kind", "completed,restarted", "--agent", "scanner", "--tail", "0"
        )
        told.completed(told.sent("checker", "check"))
        eventually(lambda: following.waits, "its first look")
        told.completed(told.sent("checker", "check"))
        told.completed(told.sent("scanner", "scan"))
        told.recorded(event("restarted", "checker-1", reason="x"), event("restarted", "scanner", reason="x"))
        eventually(lambda: len(following.documents) == 2, "two events")
        following.end()
        assert kinds_of(following) == ["completed", "restarted"]

    def test_another_database_in_its_place(self, home: Home, told: Story) -> None:
        following = Following(home, "events", "-f", "-o", "json")
        eventually(lambda: kinds_of(following) == ALL, "what was there")
        home.database.rename(home.database.with_suffix(".old"))
        status, said = following.end(None)
        assert status == 1
        assert f"the database in {home.path} is another one now" in said
