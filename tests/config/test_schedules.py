"""The ``schedules:`` section, and what can be wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from squad.config import reference
from squad.config.load import parse
from squad.config.schedules import ScheduleConfig
from squad.config.schema import AgentConfig, SquadConfig

HEAD = "agents:\n  one: {class: './a.py:A'}\nschedules:\n  nightly:\n"
WHOLE = "    recipient: one\n    type: scan\n"
CRON = '    cron: "0 3 * * *"\n'
FORM = "(write five fields: minute, hour, day of month, month, day of week; 0 9 * * 1 is Mondays at 9)"


def test_what_may_be_left_out() -> None:
    config = parse(HEAD + CRON + WHOLE, name="squad.yaml", base_dir=Path())
    assert config.schedules == {
        "nightly": ScheduleConfig(
            cron="0 3 * * *",
            timezone="UTC",
            recipient="one",
            type="scan",
            payload={},
            priority=5,
            missed="once",
            at_most=7 * 86400,
        )
    }


def test_all_that_can_be_said() -> None:
    more = "    timezone: Europe/Berlin\n    payload: {n: [1]}\n    priority: 1\n    missed: all\n    at_most: 24h\n"
    schedule = parse(HEAD + CRON + WHOLE + more, name="squad.yaml", base_dir=Path()).schedules["nightly"]
    assert (schedule.timezone, schedule.payload, schedule.priority) == ("Europe/Berlin", {"n": [1]}, 1)
    assert (schedule.missed, schedule.at_most) == ("all", 86400)


def test_what_is_shown_of_it_loads_again() -> None:
    more = "    payload: {at: '12:30', is: 'no', n: [1, {x: null}]}\n    missed: skip\n    at_most: 90s\n"
    config = parse(HEAD + '    cron: "*/5 * * * MON#1"\n' + WHOLE + more, name="squad.yaml", base_dir=Path())
    assert reference.show(config)["schedules"]["nightly"]["at_most"] == "1m30s"
    assert parse(reference.show_yaml(config), name="shown", base_dir=Path()) == config


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (WHOLE, ['squad.yaml:4: schedules.nightly has no cron (add cron: "0 9 * * 1" for Mondays at 9)']),
        (
            CRON,
            [
                "squad.yaml:4: schedules.nightly has no recipient "
                "(add recipient: with the name of an agent or a convoy)",
                "squad.yaml:4: schedules.nightly has no type (add type: with the name of a message type)",
            ],
        ),
        ('    cron: "0 24 * * *"\n' + WHOLE, [
            f"squad.yaml:5: schedules.nightly.cron is no cron line: '24' is no hour {FORM}"
        ]),
        ('    cron: "0 0 31 2 *"\n' + WHOLE, [
            "squad.yaml:5: schedules.nightly.cron never comes: no month that it names has such a day "
            "(correct the day of month or the month)"
        ]),
        ("    cron: '@daily'\n" + WHOLE, [
            "squad.yaml:5: schedules.nightly.cron is '@daily', and there are no short forms here (write \"0 0 * * *\")"
        ]),
        ("    cron: */5 * * * *\n" + WHOLE, [
            'squad.yaml:5: text that begins with * must be in quotes (cron: "*/5 * * * *")'
        ]),
        (CRON + WHOLE + "    timezone: Berlin\n", [
            "squad.yaml:8: schedules.nightly.timezone is 'Berlin', which is no known time zone "
            "(did you mean 'Europe/Berlin'?)"
        ]),
        (CRON + "    recipient: onee\n    type: scan\n", [
            "squad.yaml:6: schedules.nightly.recipient: there is no agent or convoy 'onee' (did you mean 'one'?)"
        ]),
        (CRON + WHOLE + "    missed: onec\n", [
            "squad.yaml:8: schedules.nightly.missed must be skip, once or all, not 'onec' (did you mean 'once'?)"
        ]),
        (CRON + WHOLE + "    at_most: 0s\n", [
            "squad.yaml:8: schedules.nightly.at_most must be more than 0, not 0s"
        ]),
        (CRON + WHOLE + "    priority: 11\n", ["squad.yaml:8: schedules.nightly.priority must be 10 or less, not 11"]),
        (CRON + WHOLE + "    payload: [a]\n", [
            "squad.yaml:8: schedules.nightly.payload must be a mapping, not a list"
        ]),
        (CRON + WHOLE + "    delay: 5s\n", [
            "squad.yaml:8: schedules.nightly has no key 'delay' "
            "(the keys here are cron, timezone, recipient, type, payload, priority, missed, at_most)"
        ]),
        (CRON + WHOLE + "  A b: {cron: '* * * * *', recipient: one, type: scan}\n", [
            "squad.yaml:8: 'A b' cannot be the name of a schedule "
            "(a small letter first, then small letters, digits, - and _, at most 40 characters)"
        ]),
    ],
)  # fmt: skip
def test_each_mistake_is_said_at_its_line(mistakes: Callable[[str], list[str]], text: str, expected: list[str]) -> None:
    assert mistakes(HEAD + text) == expected


def test_an_unknown_recipient_is_said_together_with_other_mistakes(mistakes: Callable[[str], list[str]]) -> None:
    found = mistakes("nam: x\n" + HEAD + CRON + "    recipient: onee\n    type: scan\n")
    assert [problem.partition(": ")[0] for problem in found] == ["squad.yaml:1", "squad.yaml:7"]


@pytest.mark.parametrize("schedules", ["7", "[a]", "{a: 7}", "{a:}", "{a: {recipient: [one]}}", "{a: {recipient:}}"])
def test_odd_shapes_are_mistakes(mistakes: Callable[[str], list[str]], schedules: str) -> None:
    assert mistakes(f"agents: {{one: {{class: './a.py:A'}}}}\nschedules: {schedules}\n")


def test_a_schedule_may_be_called_like_anything_else() -> None:
    same = "{cron: '* * * * *', recipient: one, type: scan}"
    text = f"agents: {{one: {{class: './a.py:A'}}}}\nschedules:\n  one: {same}\n  storage: {same}\n"
    assert list(parse(text, name="squad.yaml", base_dir=Path()).schedules) == ["one", "storage"]


def test_in_python_an_unknown_recipient_is_refused_too() -> None:
    schedule = ScheduleConfig(cron="* * * * *", recipient="two", type="scan")
    with pytest.raises(ValidationError, match="the schedule nightly: there is no agent or convoy 'two'"):
        SquadConfig(agents={"one": AgentConfig(class_="./a.py:A")}, schedules={"nightly": schedule})
