"""The routes about alerts: what they refuse, by name and with a suggestion."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.running import RunningSquad

CONFIG = """\
agents: {scanner: {class: "squad.audit.agents:Scanner"}}
alerts:
  rules: {mine: {metric: failed, of: sum, above: 5}}
  sinks: {ops: {command: ["true"]}}
"""
ID = "01a20031-433e-7000-aba3-30434641d228"
ABSENT = "01a20031-433e-7000-aba3-30434641d229"  # of no alert and no silence


@pytest.fixture(scope="module")
def squad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSquad]:
    folder: Path = tmp_path_factory.mktemp("attending")
    (folder / "squad.yaml").write_text(CONFIG)
    with RunningSquad(folder / "home", folder / "squad.yaml") as made:
        yield made


@pytest.mark.parametrize(
    ("route", "body", "status", "said"),
    [
        ("ack", {"ids": []}, 422, "at least one alert"),
        ("ack", {"ids": ["7f3c"]}, 422, "whole ids"),
        ("ack", {"ids": [ABSENT]}, 422, f"there is no alert {ABSENT}"),
        ("ack", {"ids": [ABSENT], "nots": ""}, 422, "did you mean 'note'?"),
        ("ack", {"ids": [ABSENT], "note": "a\nb"}, 422, "printable"),
        ("silence", {"seconds": 60}, 422, "a rule, an agent, or both"),
        ("silence", {"rule": "slow_tsk", "seconds": 60}, 404, "did you mean 'slow_task'?"),
        ("silence", {"agent": "scaner", "seconds": 60}, 404, "did you mean 'scanner'?"),
        ("silence", {"rule": "mine", "seconds": 0}, 422, "seconds must be"),
        ("silence", {"rule": "mine", "seconds": True}, 422, "seconds must be"),
        ("silence", {"rule": "mine", "seconds": 60, "id": "x"}, 422, "new UUID"),
        ("unsilence", {"ids": "all"}, 422, "ids must be a list"),
        ("unsilence", {"ids": [ABSENT]}, 422, f"there is no silence {ABSENT}"),
        ("test", {"sink": "op"}, 404, "did you mean 'ops'?"),
    ],
)
def test_what_is_wrong_is_said(squad: RunningSquad, route: str, body: Any, status: int, said: str) -> None:
    got, document = squad.request("POST", f"/v1/alerts/{route}", body)
    error = document["error"]
    assert (got, said in f"{error['message']} {error['hint']}") == (status, True), document


def test_a_silence_is_made_once_and_ended(squad: RunningSquad) -> None:
    for _ in range(2):
        status, made = squad.request("POST", "/v1/alerts/silence", {"id": ID, "rule": "mine", "seconds": 60})
        assert (status, made["id"]) == (201, ID)
    assert [tuple(row) for row in squad.query("SELECT silence_id, rule FROM alert_silences")] == [(ID, "mine")]
    assert squad.request("POST", "/v1/alerts/unsilence", {"ids": [ID]})[1]["ended"] == [ID]
    assert squad.request("POST", "/v1/alerts/unsilence", {})[1]["ended"] == []


def test_a_pause_of_all_spares_the_sinks(squad: RunningSquad) -> None:
    assert squad.request("POST", "/v1/pause", {})[1]["paused"] == ["scanner"]
    assert squad.request("POST", "/v1/pause", {"names": ["notify-ops"]})[1]["paused"] == ["notify-ops"]
    assert squad.request("POST", "/v1/resume", {})[1]["resumed"] == ["scanner", "notify-ops"]
