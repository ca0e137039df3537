"""The rules, by what they say of facts: what is over its limit, what is near it, what is left out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squad.actors.alerting.facts import Down, Failures, Live, Memory, Running, Spread, Stored
from squad.actors.alerting.rules import Rules, Verdict
from squad.alerts import BUILT_IN
from squad.config.alerts import AlertsConfig


def rules(**settings: Any) -> Rules:
    return Rules(AlertsConfig.model_validate(settings), unwatched={"notify-ops"})


def said(verdicts: Any) -> dict[tuple[str, str], Verdict]:
    found = list(verdicts)
    assert len({verdict.key for verdict in found}) == len(found)
    return {verdict.key: verdict for verdict in found}


def bad(verdicts: Any) -> set[tuple[str, str]]:
    return {key for key, verdict in said(verdicts).items() if verdict.bad}


WRONG = Stored(
    slowest={"a": 60_001.0},
    running={"b": Running("some-id", 61_000.0)},
    spread={"a": Spread(30_001.0, 20)},
    failures={"a": Failures(6, 20, 39)},
    depths={"a": 101},
    own={"mine": {"": 5.0}},
)
MINE = {"mine": {"metric": "failed", "of": "sum", "above": 4.0}}


def test_each_rule_speaks_at_its_documented_threshold_and_not_below() -> None:
    found = said(rules(rules=MINE).stored(WRONG, held=(), young=()))
    assert {key for key, verdict in found.items() if verdict.bad} == {
        ("slow_task", "a"),
        ("slow_task", "b"),
        ("slow_p95", "a"),
        ("failed_tasks", "a"),
        ("failure_rate", "a"),
        ("queue_depth", "a"),
        ("mine", ""),
    }
    assert found["queue_depth", "a"].after == 30
    assert found["slow_task", "b"].summary == "b has been handling some-id for 1m 1s"
    at_the_limit = Stored(
        slowest={"a": 60_000.0},
        running={"b": Running("some-id", 60_000.0)},
        spread={"a": Spread(30_000.0, 20), "few": Spread(90_000.0, 4)},
        failures={"a": Failures(5, 20, 40), "few": Failures(1, 9, 9)},
        depths={"a": 100},
        own={"mine": {"": 4.0}},
    )
    assert bad(rules(rules=MINE).stored(at_the_limit, held=(), young=())) == set()


def test_what_the_monitor_knows() -> None:
    facts = Live(
        down={"a": Down(("a",), True, 1, "its process died"), "c": Down(("c-1", "c-3"), False, 4, "hung")},
        memory={"a": Memory("a", 95, 100), "b": Memory("b", 89, 100)},
        machine_percent=93,
        throttle=1.5,
        storage="database or disk is full",
    )
    found = said(rules().live(facts))
    assert {key for key, verdict in found.items() if verdict.bad} == {
        ("agent_down", "a"),
        ("agent_down", "c"),
        ("agent_memory", "a"),
        ("machine_memory", ""),
        ("throttled", ""),
        ("disk_failing", ""),
    }
    assert not found["agent_memory", "b"].bad  # near: neither bad nor well
    assert found["agent_down", "a"].after == 0
    assert found["agent_down", "c"].after == 60
    assert found["agent_down", "a"].summary == "a is quarantined: its process died"
    assert found["agent_down", "c"].summary == "2 of 4 workers of c are down: hung"
    assert list(rules().live(Live())) == []


def test_every_rule_can_be_switched_off_for_all_and_for_one() -> None:
    live = Live(
        down={"a": Down(("a",), True, 1, "x")},
        memory={"a": Memory("a", 95, 100)},
        machine_percent=99,
        throttle=1,
        storage="full",
    )

    def names(**settings: Any) -> set[str]:
        made = rules(rules=MINE, **settings)
        return {rule for rule, _ in bad([*made.live(live), *made.stored(WRONG, held=(), young=())])}

    assert names() == {*BUILT_IN, "mine"}
    for name in (*BUILT_IN, "mine"):
        assert names(disabled=[name]) == {*BUILT_IN, "mine"} - {name}
    assert names(enabled=False) == set()
    own = {"a": {"disabled": ["queue_depth", "agent_down"]}, "b": {"disabled": ["slow_task"]}}
    assert names(agents=own) == {*BUILT_IN, "mine"} - {"queue_depth", "agent_down"}


def test_an_agent_can_have_thresholds_of_its_own() -> None:
    made = rules(agents={"a": {"max_queue_depth": 500, "slow_task_threshold": 5000}})
    facts = Stored(depths={"a": 400, "b": 400}, slowest={"a": 6000.0, "b": 6000.0})
    assert bad(made.stored(facts, held=(), young=())) == {("queue_depth", "b"), ("slow_task", "a")}


def test_the_sinks_own_agents_are_only_watched_for_being_down() -> None:
    facts = Stored(
        slowest={"notify-ops": 1e6},
        running={"notify-ops": Running("x", 1e6)},
        spread={"notify-ops": Spread(1e6, 99)},
        failures={"notify-ops": Failures(99, 99, 99)},
        depths={"notify-ops": 9999},
    )
    assert said(rules().stored(facts, held=(), young=())) == {}
    assert bad(rules().live(Live(down={"notify-ops": Down(("notify-ops",), True, 1, "x")})))


def test_a_queue_that_grows_because_nobody_is_given_anything_is_no_news() -> None:
    found = said(rules().stored(Stored(depths={"a": 9999}), held={"a"}, young=()))
    assert not found["queue_depth", "a"].bad
    assert bad(rules().stored(Stored(depths={"a": 9999}), held={"b"}, young=())) == {("queue_depth", "a")}


def test_too_little_is_no_news_before_the_squad_has_worked_for_the_window() -> None:
    made = rules(rules={"dead_calm": {"metric": "completed", "of": "sum", "below": 1.0, "window": "10m"}})
    facts = Stored(own={"dead_calm": {"": 0.0}})
    assert bad(made.stored(facts, held=(), young=())) == {("dead_calm", "")}
    assert bad(made.stored(facts, held=(), young={"dead_calm"})) == set()


def test_what_was_too_low_is_well_once_it_reaches_its_limit_as_a_percentage_can_rise_no_farther() -> None:
    made = rules(rules={"away": {"metric": "uptime_percent", "agent": "*", "of": "min", "below": 99.5}})
    facts = Stored(own={"away": {"a": 99.4, "b": 99.5, "c": 100.0}})
    assert said(made.stored(facts, held=(), young=())).keys() == {("away", "a")}


def test_a_message_of_the_users_comes_first() -> None:
    made = rules(rules={"mine": {**MINE["mine"], "message": "look at the mill", "severity": "critical"}})
    found = said(made.stored(WRONG, held=(), young=()))["mine", ""]
    assert found.summary == "look at the mill: failed: sum 5 is above 4"
    assert found.severity == "critical"


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.booleans())
def test_bad_and_well_exclude_each_other_and_well_is_clearly_within_the_limit(
    number: float, limit: float, above: bool
) -> None:
    side = {"above": limit} if above else {"below": limit}
    made = rules(rules={"mine": {"metric": "failed", "of": "sum", **side}})
    found = said(made.stored(Stored(own={"mine": {"": number}}), held=(), young=()))
    is_bad = number > limit if above else number < limit
    if is_bad:
        assert found["mine", ""].bad
    elif not found:  # well
        assert number <= limit if above else number >= limit


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_rule_has_a_command(name: str) -> None:
    assert BUILT_IN[name].todo.startswith("squad ")
