"""Whether the squad is well, in words."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from squad.store.alerts import Incident
from squad.store.holds import Freeze, Holds, Pause
from squad.store.queries import Depth
from squad.store.standing import Sample, Standing
from squad.store.times import iso
from squad.web import attention
from tests.web.stand_ins import convoy, core, row

NOW = time.time()
CALM = Standing(
    totals={"queued": 0, "running": 0, "failed": 0},
    depths={},
    running={},
    first={},
    arrived_per_minute=0.0,
    ended_per_minute=12.0,
    died_last_hour=0,
    holds=Holds(),
    firing=[],
    sample=None,
)
WELL = [*core(), row("scanner"), *convoy("checker", 2)]


def told(actors: list[dict[str, Any]], standing: Standing = CALM, silent: str = "") -> tuple[str, list[str]]:
    found = attention.items(actors, standing, silent, NOW)
    return attention.verdict(actors, standing, found).tone, [item.text for item in found]


def test_a_squad_at_work_is_well() -> None:
    assert told(WELL) == ("good", [])
    verdict = attention.verdict(WELL, CALM, [])
    assert verdict.text == "All is well."
    assert verdict.detail == "3 of 3 agents at work, 12 messages done in the last minute, 0 messages waiting."


@pytest.mark.parametrize("state", ["idle", "busy", "ready", "throttled"])
def test_who_works_needs_no_attention(state: str) -> None:
    assert told([row("scanner", state=state)]) == ("good", [])


@pytest.mark.parametrize(("state", "tone"), [("quarantined", "bad"), ("hung", "bad"), ("restarting", "warn")])
def test_who_does_not_work_is_named_with_the_reason(state: str, tone: str) -> None:
    rows = [row("scanner", state=state, last_error="no such disk\nTraceback")]
    (item,) = attention.items(rows, CALM, "", NOW)
    assert (item.text, item.tone, item.detail, item.href) == (
        f"scanner is {state}", tone, "no such disk", "/agents/scanner",
    )  # fmt: skip
    assert item.command == ("squad restart scanner" if state == "quarantined" else "")


def test_a_worker_that_is_not_needed_any_more_is_no_trouble() -> None:
    rows = [*convoy("checker", 1), row("checker-2", "worker", "checker", "draining")]
    assert told(rows) == ("good", [])


def test_a_silent_squad_is_trouble_whatever_was_known() -> None:
    assert told(WELL, silent="no answer within 2 s") == ("bad", ["The squad does not answer"])


def test_what_people_put_on_hold_is_said_with_its_reason() -> None:
    held = replace(CALM, holds=Holds({"scanner": Pause(NOW, "root", "new disk")}, Freeze(NOW)))
    tone, texts = told(WELL, held)
    assert tone == "warn"
    assert texts == ["The squad is frozen: nobody is given a message", "scanner is paused"]
    details = [item.detail for item in attention.items(WELL, held, "", NOW)]
    assert "by root: new disk" in details


def test_only_messages_that_wait_long_need_attention() -> None:
    def waiting(seconds: float) -> Standing:
        depths = {"scanner": Depth("scanner", 3, 0, 3, 0)}
        return replace(CALM, depths=depths, first={"scanner": iso(NOW - seconds)})

    assert told(WELL, waiting(5)) == ("good", [])
    assert told(WELL, waiting(500)) == ("warn", ["3 messages wait for scanner"])
    paused = replace(waiting(500), holds=Holds({"scanner": Pause(NOW)}))
    assert told(WELL, paused) == ("warn", ["scanner is paused"])


@pytest.mark.parametrize(
    ("paused", "text"),
    [((), "All agents work."), (("scanner",), "2 of 3 agents work."), (("checker",), "1 of 3 agents work.")],
)
def test_who_is_paused_is_not_said_to_work(paused: tuple[str, ...], text: str) -> None:
    standing = replace(CALM, died_last_hour=1, holds=Holds(dict.fromkeys(paused, Pause(NOW))))
    verdict = attention.verdict(WELL, standing, attention.items(WELL, standing, "", NOW))
    assert verdict.text.startswith(text)
    assert verdict.detail.startswith(f"{3 - 2 * ('checker' in paused) - ('scanner' in paused)} of 3 agents at work")


def test_failures_and_an_overloaded_machine_are_worth_a_look() -> None:
    busy = replace(CALM, died_last_hour=1, sample=Sample(iso(NOW), 99.0, 50.0, 1, 9, 2.0))
    assert told(WELL, busy) == (
        "warn",
        ["1 message failed in the last hour", "The machine is overloaded: 2.0s lie between two hand-outs"],
    )


def test_alerts_count_until_somebody_has_acknowledged_them() -> None:
    alert = Incident(
        "id", "failure_rate", "scanner", "critical", "a third fails", 33.0, 10.0, "%", iso(NOW), None, None, 0, None,
        None, None, None,
    )  # fmt: skip
    assert told(WELL, replace(CALM, firing=[alert])) == ("bad", ["a third fails"])
    assert told(WELL, replace(CALM, firing=[replace(alert, acked_at=iso(NOW))])) == ("good", [])


def test_what_an_alert_says_is_not_said_once_more() -> None:
    def alert(rule: str) -> Incident:
        return Incident(
            rule, rule, "scanner", "warning", rule, 1.0, 1.0, "", iso(NOW), None, None, 0, None, None, None, None
        )

    depths = {"scanner": Depth("scanner", 3, 0, 3, 0)}
    much = replace(CALM, died_last_hour=3, depths=depths, first={"scanner": iso(NOW - 500)})
    assert len(told(WELL, much)[1]) == 2
    assert told(WELL, replace(much, firing=[alert("failed_tasks"), alert("queue_depth")])) == (
        "warn", ["failed_tasks", "queue_depth"],
    )  # fmt: skip


def test_the_worst_comes_first() -> None:
    rows = [row("one", state="restarting"), row("two", state="quarantined")]
    assert told(rows)[1] == ["two is quarantined", "one is restarting"]
