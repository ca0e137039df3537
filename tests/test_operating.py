"""What docs/operating.md tells an operator to type works as written, in the squad of the README."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from squad.home import Home
from tests.cli.followers import Following
from tests.pages import commands, hello
from tests.running import ROOT, RunningSquad, eventually

PAGE = (ROOT / "docs/operating.md").read_text()


@pytest.fixture
def squad(tmp_path: Path) -> Iterator[RunningSquad]:
    with hello(tmp_path) as running:
        yield running


def run(squad: RunningSquad, arguments: list[str], task: str = "") -> str:
    """Run one of them; ``task`` is what the page calls ID. One that goes on is let run until it waits."""
    arguments = [task if word == "ID" else word for word in arguments]
    if "-f" not in arguments:
        return squad.cli(*arguments).stdout
    following = Following(Home(squad.home), *arguments)
    eventually(lambda: following.waits, f"{arguments} waits")
    assert following.end() == (130, "")
    return "".join(following.lines)


def test_logs_and_events(squad: RunningSquad) -> None:
    squad.wait(squad.send("counter", "count_words", {"text": "to be"}), tree=True)
    shown = [run(squad, words) for words in commands(PAGE, "Logs")]
    assert "2 words so far" in shown[0]
    assert "2 words so far" in shown[1]
    shown = [run(squad, words) for words in commands(PAGE, "Events")]
    assert "completed" in shown[0]
    assert "agent=counter type=count_words" in shown[2]


def test_times_and_cancelling(squad: RunningSquad) -> None:
    at, later = (run(squad, words).strip() for words in commands(PAGE, "Sending later, or not too late"))
    one, tree = commands(PAGE, "Cancelling")
    run(squad, one, at)
    run(squad, tree, later)
    assert squad.counts() == {("count_words", "cancelled"): 2}


def test_dead_letters(squad: RunningSquad) -> None:
    send, *mending = commands(PAGE, "Dead letters")[:5]
    task = run(squad, send).strip()
    squad.wait(task)
    listed, shown, _, _ = (run(squad, words, task) for words in mending)
    assert task in listed
    assert "there are no words in it" in shown
    squad.wait(task, tree=True)
    assert json.loads(squad.task(task)["result"]) == {"words": 6}
    run(squad, send)
    eventually(lambda: squad.counts().get(("count_words", "failed")) == 1, "a dead letter")
    listing, retry, drop = commands(PAGE, "Dead letters")[5:]
    assert "there are no words in it" in run(squad, listing)
    run(squad, retry)
    eventually(lambda: squad.counts().get(("count_words", "failed")) == 1, "a dead letter again")
    run(squad, drop)
    assert squad.counts() == {("count_words", "completed"): 1, ("counted", "completed"): 1}
