"""Metrics that agents record, as a test sees them."""

from __future__ import annotations

import pytest

from squad import Agent, Context, handles, message
from squad.testing import HandlerError, squad_of


@message("measure")
class Measure:
    values: list[float]
    kind: str = "histogram"
    fails: bool = False


class Gauger(Agent):
    @handles(Measure)
    def measure(self, msg: Measure, ctx: Context) -> None:
        for value in msg.values:
            ctx.metric("size", value, msg.kind)  # type: ignore[arg-type]
        if msg.fails:
            raise RuntimeError("no")


def test_what_a_handler_records_can_be_read() -> None:
    with squad_of(gauger=Gauger, other=Gauger) as squad:
        squad.send("gauger", Measure([1, 2, 30]))
        squad.send("other", Measure([5]))
        squad.run()
        assert (squad.metric("size").count, squad.metric("size").sum) == (4, 38)
        found = squad.metric("size", agent="gauger")
        assert (found.count, found.sum, found.least, found.most) == (3, 33, 1, 30)
        assert found.percentile(0.5) == pytest.approx(2, rel=0.05)
        squad.advance("3d")
        assert squad.metric("size", agent="gauger").count == 3
        assert squad.metric("completed", type="measure").sum == 2


def test_what_fails_records_nothing() -> None:
    with squad_of(gauger=Gauger) as squad:
        squad.send("gauger", Measure([1], fails=True))
        squad.advance("1h")
        assert squad.metric("size").count == 0
        assert squad.metric("failed", "gauger").sum == 1
        assert squad.metric("retried", "gauger").sum == 2


def test_a_bad_value_is_a_failed_attempt() -> None:
    with squad_of(gauger=Gauger, raise_errors=True) as squad:
        squad.send("gauger", Measure([1], "colour"))
        with pytest.raises(HandlerError, match="'colour' is no kind of metric"):
            squad.run()
        squad.send("gauger", Measure([1.0] * 1001))
        with pytest.raises(HandlerError, match="at most 1000 values"):
            squad.run()


def test_metrics_that_are_off_cost_a_handler_nothing() -> None:
    with squad_of(gauger=Gauger, settings={"metrics": {"enabled": False}}) as squad:
        sent = squad.send("gauger", Measure([1]))
        squad.run()
        assert squad.status(sent) == "completed"
        assert squad.metric("size").count == squad.metric("completed").count == 0
