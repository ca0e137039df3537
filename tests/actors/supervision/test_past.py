from __future__ import annotations

from pathlib import Path

import pytest

from squad.actors.supervision.children import Child, ChildSpec
from squad.actors.supervision.groups import Group
from squad.actors.supervision.journal import Notice
from squad.actors.supervision.past import FILE, Past
from squad.actors.supervision.restarts import budget_of
from squad.config.supervision import GroupConfig, RestartConfig

RULES = RestartConfig(intensity=2, period=60.0, backoff=0.1, cap=30.0, jitter=0.0)


def child(name: str = "a") -> Child:
    return Child(ChildSpec(name, "agent", name), budget_of(RULES))


def crashed(past: Past, one: Child, *times: float) -> None:
    for now in times:
        one.budget.crashed(now)
        one.restarts += 1
        past.note(one)


def test_crashes_of_two_trees_add_up(tmp_path: Path) -> None:
    one = child()
    crashed(Past(tmp_path, first=True), one, 1000.0, 1001.0)
    again = child()
    Past(tmp_path, first=False).enter(again, "waiting")
    assert (again.state, again.restarts, again.budget.history) == ("waiting", 2, (1000.0, 1001.0))
    assert again.budget.crashed(1002.0) is None


def test_a_state_that_lasts_is_taken_up_and_any_other_is_not(tmp_path: Path) -> None:
    past = Past(tmp_path, first=True)
    for name in ("quarantined", "stopped", "busy"):
        one = child(name)
        one.last_error = "an error"
        one.become(name)
        past.note(one)
    then = Past(tmp_path, first=False)
    found = [child(name) for name in ("quarantined", "stopped", "busy", "new")]
    for one in found:
        then.enter(one, "waiting")
    assert [one.state for one in found] == ["quarantined", "stopped", "waiting", "waiting"]
    assert [one.last_error for one in found] == ["an error"] * 3 + [""]


def test_it_is_taken_up_once(tmp_path: Path) -> None:
    """A worker of a convoy that shrank and grows again is a new one."""
    crashed(Past(tmp_path, first=True), child(), 1000.0)
    past = Past(tmp_path, first=False)
    past.enter(child(), "waiting")
    fresh = child()
    past.enter(fresh, "waiting")
    assert fresh.restarts == 0


def test_what_is_taken_out_of_the_configuration_and_comes_back_is_new(tmp_path: Path) -> None:
    past = Past(tmp_path, first=True)
    one = child()
    one.become("quarantined")
    past.note(one)
    past.forget(one)
    then = Past(tmp_path, first=False)
    fresh = child()
    then.enter(fresh, "waiting")
    assert fresh.state == "waiting"


def test_a_groups_budget_and_a_convoy_that_was_started_by_hand(tmp_path: Path) -> None:
    group = Group("g", GroupConfig(members=["a"]), budget_of(RULES))
    group.budget.crashed(1000.0)
    past = Past(tmp_path, first=True)
    past.note_group(group)
    past.note_started("pool")
    then = Past(tmp_path, first=False)
    again = Group("g", GroupConfig(members=["a"]), budget_of(RULES))
    then.enter_group(again)
    assert again.budget.history == (1000.0,)
    assert then.was_started("pool")
    assert not then.was_started("other")


def test_a_start_forgets(tmp_path: Path) -> None:
    crashed(Past(tmp_path, first=True), child(), 1000.0)
    Past(tmp_path, first=True)
    assert not (tmp_path / FILE).exists()


def test_of_the_core_nothing_is_kept(tmp_path: Path) -> None:
    past = Past(tmp_path, first=True)
    past.note(Child(ChildSpec("storage", "storage"), budget_of(RULES)))
    assert not (tmp_path / FILE).exists()


def test_the_file_stays_small_and_half_a_line_does_no_harm(tmp_path: Path) -> None:
    past = Past(tmp_path, first=True)
    one = child()
    crashed(past, one, *(float(n) for n in range(1000)))
    assert len((tmp_path / FILE).read_text().splitlines()) < 200
    with (tmp_path / FILE).open("a") as file:
        file.write('["child/a", {"bud')
    again = child()
    Past(tmp_path, first=False).enter(again, "waiting")
    assert again.restarts == 1000


def test_what_cannot_be_written_is_no_reason_to_fail(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    past = Past(home, first=True)
    home.rmdir()
    one = child()
    crashed(past, one, *(float(n) for n in range(300)))
    assert one.restarts == 300


@pytest.mark.parametrize("content", [b"\xff\xfe\n", b'["child/a", 5]\n["group/g", {}]\n', b'[["a"], 1]\n5\n[1]\n'])
def test_what_cannot_be_read_is_forgotten(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    past = Past(tmp_path, first=False)
    one = child()
    past.enter(one, "waiting")
    past.enter_group(Group("g", GroupConfig(members=["a"]), budget_of(RULES)))
    assert (one.state, one.restarts, past.owed()) == ("waiting", 0, [])


def test_a_file_that_is_none_is_no_reason_to_fail(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    for first in (True, False):
        one = child()
        Past(tmp_path, first=first).enter(one, "waiting")
        assert one.state == "waiting"


def test_a_quarantine_is_told_until_it_is_stored(tmp_path: Path) -> None:
    notice = Notice("a", "its process died", None, 1000.5)
    Past(tmp_path, first=True).owe(notice)
    for _ in range(2):
        past = Past(tmp_path, first=False)
        assert past.owed() == [notice]
    past.settle(Notice("a", "another", None, 999.0))
    assert past.owed() == [notice]
    past.settle(notice)
    assert past.owed() == Past(tmp_path, first=False).owed() == []
