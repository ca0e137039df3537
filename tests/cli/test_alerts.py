"""``squad alerts``: what it shows of the store, what it asks of the squad, and how it refuses."""

from __future__ import annotations

import json
import time

import pytest

from squad.cli.holding import me
from squad.events import event
from squad.home import Home
from squad.ids import new_id
from squad.store.incidents import Change, NewSilence
from tests.cli.a_store import Story
from tests.cli.conftest import Run
from tests.cli.fake_gateway import FakeGateway, refusal


def alert(story: Story, agent: str = "checker", over: bool = False) -> str:
    """One that fired, and a silence of something else; its id."""
    alert_id = new_id()
    about = event("alert_fired", agent, rule="queue_depth", id=alert_id)
    made = Change(
        "fire", alert_id, "queue_depth", agent, "warning", "101 messages wait", 101, 100, "messages", about, told=True
    )
    with story.writer.transaction():
        story.writer.incidents.change([made], time.time() - 300)
        if over:
            story.writer.incidents.change([made._replace(action="clear")], time.time())
        story.writer.incidents.carry_out(NewSilence(new_id(), "slow_task", None, 3600, "ann", "known"), time.time())
    return alert_id


def test_what_goes_on_is_listed_and_what_is_over_on_demand(run: Run, story: Story, home: Home) -> None:
    over, goes_on = alert(story, "reporter", over=True), alert(story)
    listed = run("alerts", "list")
    assert [line.split()[:5] for line in listed.stdout.splitlines()[1:]] == [
        [goes_on, "firing", "warning", "queue_depth", "checker"]
    ]
    assert "silenced until" in listed.stderr and "slow_task (by ann: known)" in listed.stderr
    everything = json.loads(run("alerts", "list", "--all", "-o", "json").stdout)["alerts"]
    assert [(one["id"], one["state"]) for one in everything] == [(goes_on, "firing"), (over, "cleared")]


def test_nothing_is_wrong(run: Run, story: Story) -> None:
    listed = run("alerts", "list")
    assert (listed.exit_code, listed.stdout, listed.stderr) == (0, "", "nothing is wrong\n")


def test_what_could_not_be_told_is_said_with_a_command(run: Run, story: Story) -> None:
    story.failed(story.sent("notify-ops", "squad.alert"), "WebhookError: refused\n  File x")
    said = run("alerts", "list").stderr
    assert (
        "1 alert could not be told by notify-ops: WebhookError: refused\n  squad dead list --agent notify-ops" in said
    )


def test_show(run: Run, story: Story) -> None:
    alert_id = alert(story)
    shown = run("alerts", "show", alert_id[-12:]).stdout
    assert "101 messages wait" in shown and "squad inspect checker" in shown
    assert run("alerts", "show", new_id()).exit_code == 2
    assert "four of its first or last characters" in run("alerts", "show", "%").stderr


def test_ack(run: Run, gateway: FakeGateway, story: Story) -> None:
    alert_id = alert(story)
    gateway.on("GET /v1/health", (200, {}))
    gateway.on("POST /v1/alerts/ack", (200, {"acked": [alert_id], "already": []}))
    result = run("alerts", "ack", alert_id[:13], "--note", "on order")
    assert (result.exit_code, result.stderr) == (0, f"acknowledged: {alert_id}\n")
    assert gateway.requests[-1].json == {"ids": [alert_id], "note": "on order", "by": me()}
    run("alerts", "ack", "--all")
    assert gateway.requests[-1].json["ids"] == [alert_id]
    assert run("alerts", "ack").exit_code == run("alerts", "ack", alert_id, "--all").exit_code == 2


def test_silence_and_unsilence(run: Run, gateway: FakeGateway, story: Story) -> None:
    made = {"id": new_id(), "rule": None, "agent": "checker", "until": "2026-01-31T09:30:00.250Z"}
    gateway.on("GET /v1/health", (200, {}))
    gateway.on("POST /v1/alerts/silence", (201, made))
    result = run("alerts", "silence", "--agent", "checker", "--for", "2h", "--reason", "mending")
    assert f"until {made['until']}" in result.stderr
    asked = gateway.requests[-1].json
    assert asked.pop("id")
    assert asked == {"rule": None, "agent": "checker", "seconds": 7200.0, "reason": "mending", "by": me()}
    gateway.on("POST /v1/alerts/silence", refusal(404, "no rule is called 'x'", 2, hint="did you mean 'y'?"))
    assert "did you mean 'y'?" in run("alerts", "silence", "--rule", "x", "--for", "2h").stderr
    alert(story)
    (silence,) = json.loads(run("alerts", "list", "-o", "json").stdout)["silences"]
    gateway.on("POST /v1/alerts/unsilence", (200, {"ended": [silence["silence_id"]], "already": []}))
    assert run("alerts", "unsilence", silence["silence_id"][-12:]).exit_code == 0
    assert gateway.requests[-1].json["ids"] == [silence["silence_id"]]
    assert run("alerts", "unsilence", new_id()).exit_code == 2


@pytest.mark.parametrize(
    "words", [["silence", "--for", "1h"], ["silence", "--rule", "slow_task"], ["silence", "--for", "0s"], ["unsilence"]]
)
def test_half_an_order_is_refused(run: Run, story: Story, words: list[str]) -> None:
    assert run("alerts", *words).exit_code == 2


@pytest.mark.parametrize(
    "words",
    [
        ["ack", "0199"],
        ["ack", "--all"],
        ["silence", "--rule", "slow_task", "--for", "1h"],
        ["unsilence", "--all"],
        ["test", "ops"],
    ],
)
def test_a_squad_that_is_down_says_so(run: Run, story: Story, words: list[str]) -> None:
    result = run("alerts", *words)
    assert result.exit_code == 3
    assert "squad start" in result.stderr
