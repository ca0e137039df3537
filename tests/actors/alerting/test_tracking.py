"""Incidents from verdicts: each begins once, is told again seldom, ends when all is well, and does not flap.

``Store`` plays the store as it is: it takes each decision once, late or never.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from squad.actors.alerting.rules import Key, Verdict
from squad.actors.alerting.tracking import Decision, Tracking
from squad.store.alerts import Incident
from squad.store.times import iso

KEY: Key = ("queue_depth", "a")
START = 1_780_000_000.0
CLEAR_AFTER, REMIND = 120.0, 3600.0


def verdict(bad: bool = True, after: float = 0.0, key: Key = KEY) -> Verdict:
    return Verdict(key, bad, after, "warning", "many wait", 101, 100, "messages")


class Store:
    """The incidents as rows, and the time."""

    def __init__(self, remind: float = REMIND) -> None:
        self.now = 0.0
        self.open: dict[Key, Incident] = {}
        self.taken: list[tuple[str, float]] = []
        self.tracking = Tracking(CLEAR_AFTER, remind)
        self.remind = remind

    def look(
        self, *verdicts: Verdict, after: float = 15.0, lost: bool = False, silenced: bool = False, may_fire: bool = True
    ) -> list[str]:
        self.now += after
        decided = self.tracking.decide(
            verdicts,
            self.open,
            now=START + self.now,
            steady=self.now,
            silenced={KEY} if silenced else (),
            may_fire=may_fire,
        )
        if not lost:
            for decision in decided:
                self._take(decision, told=not silenced)
        return [decision.action for decision in decided]

    def _take(self, decision: Decision, told: bool) -> None:
        at = iso(START + self.now)
        incident = self.open.get(decision.key)
        match decision.action:
            case "fire":
                if incident is not None:
                    return
                rule, agent = decision.key
                self.open[decision.key] = Incident(
                    "id", rule, agent, "warning", "many wait", 101, 100, "messages", at, at if told else None,
                    None, 0, None, None, None, None,
                )  # fmt: skip
            case "tell" if incident is not None:
                self.open[decision.key] = replace(incident, told_at=at)
            case "remind" if incident is not None:
                self.open[decision.key] = replace(incident, reminded_at=at, reminders=incident.reminders + 1)
            case "clear":
                self.open.pop(decision.key, None)
        self.taken.append((decision.action, self.now))

    def restart(self) -> None:
        """Another monitor: it knows the rows, and nothing else."""
        self.tracking = Tracking(CLEAR_AFTER, self.remind)


def test_it_fires_once_and_clears_when_all_has_been_well_for_a_while() -> None:
    store = Store()
    assert store.look(verdict()) == ["fire"]
    assert [store.look(verdict()) for _ in range(10)] == [[]] * 10
    assert store.look() == []
    assert store.look(after=CLEAR_AFTER - 1) == []
    assert store.look(after=1) == ["clear"]
    assert store.look() == []


def test_it_must_be_so_for_as_long_as_the_rule_says() -> None:
    store = Store()
    assert store.look(verdict(after=30)) == []
    assert store.look(verdict(after=30)) == []
    assert store.look(verdict(after=30)) == ["fire"]
    store = Store()
    assert store.look(verdict(after=30)) == []
    assert store.look() == []  # a moment's peace begins it anew
    assert store.look(verdict(after=30), after=40) == []


def test_between_bad_and_well_nothing_begins_and_nothing_ends() -> None:
    store = Store()
    assert store.look(verdict(bad=False), after=1e6) == []
    store.look(verdict())
    assert store.look(verdict(bad=False), after=1e3) == []
    assert store.open


def test_a_reminder_comes_seldom_and_not_to_whom_it_is_known() -> None:
    store = Store()
    store.look(verdict())
    reminders = [store.look(verdict(), after=600) for _ in range(18)]  # three hours
    assert reminders.count(["remind"]) == 3
    store.open[KEY] = replace(store.open[KEY], acked_at=iso(START))
    assert store.look(verdict(), after=1e5) == []
    never = Store(remind=0)
    never.look(verdict())
    assert never.look(verdict(), after=1e7) == []


def test_what_was_silenced_is_told_when_the_silence_is_over() -> None:
    store = Store()
    assert store.look(verdict(), silenced=True) == ["fire"]
    assert store.look(verdict(), silenced=True, after=1e5) == []
    assert store.look(verdict()) == ["tell"]
    assert store.look(verdict()) == []


def test_a_new_monitor_repeats_nothing_and_forgets_nothing() -> None:
    store = Store()
    store.look(verdict())
    store.restart()
    assert store.look(verdict()) == []
    store.restart()
    assert store.look() == []
    assert store.look(after=CLEAR_AFTER) == ["clear"]


def test_what_the_store_did_not_hear_of_is_said_again_but_not_at_every_look() -> None:
    store = Store()
    assert store.look(verdict(), lost=True) == ["fire"]
    assert store.look(verdict(), after=15, lost=True) == []
    assert store.look(verdict(), after=15) == ["fire"]
    assert store.look(verdict()) == []


def test_while_nothing_may_fire_nothing_does_and_then_it_does() -> None:
    store = Store()
    assert store.look(verdict(after=30), may_fire=False) == []
    assert store.look(verdict(after=30), may_fire=False, after=300) == []
    assert store.look(verdict(after=30)) == ["fire"]


def test_what_cannot_be_read_neither_clears_nor_fires() -> None:
    store = Store()
    store.look(verdict())
    for _ in range(20):
        store.now += 60
        assert store.tracking.decide((), store.open, now=store.now, steady=store.now, unknown={"queue_depth"}) == []


Moment = tuple[str, float, bool, bool]  # what is seen, seconds since the last look, whether it is lost, a new monitor
MOMENTS = st.lists(
    st.tuples(st.sampled_from(["bad", "near", "well"]), st.floats(1, 300), st.booleans(), st.booleans()), max_size=60
)
SEEN = {"bad": (verdict(),), "near": (verdict(bad=False),), "well": ()}


@given(MOMENTS)
def test_whatever_happens_fires_and_clears_alternate_and_never_flap(moments: list[Moment]) -> None:
    store = Store()
    for seen, after, lost, new in moments:
        if new:
            store.restart()
        store.look(*SEEN[seen], after=after, lost=lost)
    ends = [(action, at) for action, at in store.taken if action in ("fire", "clear")]
    assert [action for action, _ in ends] == ["fire", "clear"] * (len(ends) // 2) + ["fire"] * (len(ends) % 2)
    assert all(
        later - earlier >= CLEAR_AFTER for (action, earlier), (_, later) in itertools.pairwise(ends) if action == "fire"
    )


@given(MOMENTS)
def test_whatever_happened_it_fires_in_the_end_while_bad_and_clears_in_the_end_when_well(
    moments: list[Moment],
) -> None:
    store = Store()
    for seen, after, lost, new in moments:
        if new:
            store.restart()
        store.look(*SEEN[seen], after=after, lost=lost)
    for _ in range(4):
        store.look(verdict(), after=31)
    assert store.open
    for _ in range(3):
        store.look(after=CLEAR_AFTER)
    assert not store.open


@given(st.lists(st.tuples(st.booleans(), st.floats(1, 600)), max_size=60))
def test_reminders_are_as_far_apart_as_is_configured(moments: list[tuple[bool, float]]) -> None:
    store = Store()
    store.look(verdict())
    for new, after in moments:
        if new:
            store.restart()
        store.look(verdict(), after=after)
    told = [at for _, at in store.taken]
    assert all(later - earlier >= REMIND - 0.002 for earlier, later in itertools.pairwise(told))
