"""Schedules whose message nobody would take are found before anything starts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from squad.actors.agents.recipients import recipients
from squad.config.load import load
from squad.errors import ConfigError

AGENTS = """
from squad import Agent, handles, message

@message("scan")
class Scan:
    path: str
    depth: int = 3

@message("moody")
class Moody:
    def __post_init__(self):
        raise KeyError("its own mistake")

class Scanner(Agent):
    @handles(Scan)
    def scan(self, msg, ctx): ...
    @handles(Moody)
    def moody(self, msg, ctx): ...

@message("scan")
class OtherScan:
    root: str

class Other(Agent):
    @handles(OtherScan)
    def scan(self, msg, ctx): ...
"""
SQUAD = """\
agents:
  scanner: {class: "./agents.py:Scanner"}
  other: {class: "./agents.py:Other"}
limits: {max_payload: 100B}
schedules:
  nightly:
    cron: "0 3 * * *"
"""


@pytest.fixture
def problems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """What is wrong with a schedule whose further keys are these."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "agents.py").write_text(AGENTS)

    def find(keys: str) -> list[str]:
        (tmp_path / "squad.yaml").write_text(SQUAD + keys)
        try:
            recipients(load(Path("squad.yaml")))
        except ConfigError as error:
            assert str(error).endswith("squad.yaml names schedules that cannot be carried out")
            return [str(problem) for problem in error.problems]
        return []

    return find


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("    recipient: scanner\n    type: scan\n    payload: {path: /srv}\n", []),
        ("    recipient: other\n    type: scan\n    payload: {root: /srv}\n", []),  # another type of the same name
        (
            "    recipient: scanner\n    type: scna\n",
            ["squad.yaml:9: schedules.nightly.type: scanner does not handle 'scna' (did you mean 'scan'?)"],
        ),
        (
            "    recipient: other\n    type: report\n",
            ["squad.yaml:9: schedules.nightly.type: other does not handle 'report' (it handles: scan)"],
        ),
        (
            "    recipient: scanner\n    type: scan\n",
            ["squad.yaml:6: schedules.nightly.payload.path: is missing"],
        ),
        (
            "    recipient: scanner\n    type: scan\n    payload:\n      path: x\n      depth: deep\n      dept: 1\n",
            [
                "squad.yaml:12: schedules.nightly.payload.depth: "
                'input should be a valid integer, not "deep"',
                "squad.yaml:13: schedules.nightly.payload.dept: is not a field of 'scan' (did you mean 'depth'?)",
            ],
        ),
        (
            "    recipient: scanner\n    type: moody\n",
            ["squad.yaml:6: schedules.nightly.payload: cannot be checked: KeyError: 'its own mistake'"],
        ),
        (
            f"    recipient: scanner\n    type: scan\n    payload: {{path: {'x' * 100}}}\n",
            ["squad.yaml:10: schedules.nightly.payload: is 111 bytes of JSON; limits.max_payload allows 100"],
        ),
    ],
)  # fmt: skip
def test_each_is_said_at_its_line(problems: Callable[[str], list[str]], keys: str, expected: list[str]) -> None:
    assert problems(keys) == expected


def test_a_class_that_is_wrong_itself_is_the_only_thing_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "agents.py").write_text("oops")
    (tmp_path / "squad.yaml").write_text(SQUAD + "    recipient: scanner\n    type: scan\n")
    with pytest.raises(ConfigError, match="names classes that cannot be agents") as caught:
        recipients(load(Path("squad.yaml")))
    assert {problem.where for problem in caught.value.problems} == {"squad.yaml:2", "squad.yaml:3"}
