"""How much a squad is held back on an overloaded machine: the decision, the broker's part, and a real squad."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squad.actors.broker.brake import Brake
from squad.actors.monitoring.throttle import Throttle
from squad.client import Client
from tests.running import RunningSquad, eventually

FULL, CALM = (10.0, 95.0, 0.0), (10.0, 20.0, 0.0)  # CPU %, memory %, seconds late


def pauses(*readings: tuple[float, float, float], most: float = 5.0) -> list[float]:
    throttle = Throttle(80, 85, most)
    for reading in readings:
        throttle.decide(*reading)
    return [throttle.pause]


def test_it_doubles_up_to_the_most_and_halves_to_nothing() -> None:
    throttle = Throttle(80, 85, 5.0)

    up = [throttle.decide(*FULL) for _ in range(7)]
    down = [throttle.decide(*CALM) for _ in range(7)]

    assert [each and each[0] for each in up] == [0.25, 0.5, 1.0, 2.0, 4.0, 5.0, None]
    assert [each and each[0] for each in down] == [2.5, 1.25, 0.625, 0.3125, 0.15625, 0.0, None]


def test_a_busy_cpu_is_no_overload_while_everybody_has_his_turn() -> None:
    assert pauses((100.0, 20.0, 0.0), (100.0, 20.0, 0.4)) == [0.0]
    assert pauses((100.0, 20.0, 0.6)) == [0.25]
    assert pauses((50.0, 20.0, 9.0)) == [0.0]  # late for another reason


def test_it_says_why() -> None:
    throttle = Throttle(80, 85, 5.0)

    assert throttle.decide(*FULL) == (0.25, "memory is over 85 %: CPU 10 %, memory 95 %")
    assert throttle.decide(100, 20, 2) == (
        0.5,
        "CPU is over 80 %, and processes wait 2.0 s for it: CPU 100 %, memory 20 %",
    )


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100), st.floats(0, 60))), st.floats(0, 60))
def test_the_pause_keeps_within_its_bounds(readings: list[tuple[float, float, float]], most: float) -> None:
    assert 0 <= pauses(*readings, most=most)[0] <= most


def test_the_brake_holds_for_a_pause() -> None:
    brake = Brake()
    assert brake.holds(100) is None

    brake.pause = 2.0
    assert brake.holds(100) is None
    brake.handed_out(100)
    assert [brake.holds(now) for now in (100, 101.9, 102)] == [102, 102, None]

    brake.pause = 0.0
    assert brake.holds(100) is None


@pytest.fixture
def squad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSquad]:
    """One that takes the machine for overloaded, whatever it is."""
    folder = tmp_path_factory.mktemp("throttle")
    (folder / "squad.yaml").write_text(
        "monitor: {interval: 100ms, memory_threshold: 0, max_throttle: 400ms}\n"
        "types: {nap: {fields: {}}}\n"
        "agents: {sleeper: {command: ['true'], handles: [nap]}}\n"
    )
    with RunningSquad(folder / "home", folder / "squad.yaml") as made:
        yield made


def test_messages_are_handed_out_with_pauses_and_it_says_so(squad: RunningSquad) -> None:
    eventually(lambda: squad.tree()["supervisor"]["state"] == "throttled", "it is throttled")
    eventually(lambda: squad.query("SELECT 1 FROM machine_samples WHERE throttle_seconds = 0.4"), "as it may be")
    with Client(squad.home) as client:
        ids = client.send_many([{"recipient": "sleeper", "type": "nap", "payload": {}} for _ in range(8)])
        for task in ids:
            client.wait(task, timeout=60)

        def one_that_waits() -> bool:
            why = client.why(client.send("sleeper", "nap"))  # unless a pause is over at this moment
            return "throttled" in [reason["kind"] for reason in why["reasons"]]

        eventually(one_that_waits, "it says why a message waits")

    claims = sorted({datetime.fromisoformat(squad.task(task)["claimed_at"]).timestamp() for task in ids})
    # What is claimed bears the time at which its round began, which may be a little before the pause was over. So
    # each moment by itself is not to be relied on; all pauses together are, but for the last round's own time.
    assert len(claims) > 3
    assert claims[-1] - claims[0] >= 0.4 * (len(claims) - 2)
    eventually(lambda: squad.query("SELECT kind FROM events WHERE kind = 'overloaded'"), "the event is recorded")
    assert len(squad.query("SELECT * FROM machine_samples")) >= 2
