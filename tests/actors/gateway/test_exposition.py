"""The metrics as Prometheus reads them, judged by its own parsers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from squad.actors.gateway.exposition import State, cumulative, text
from squad.actors.gateway.naming import TIMES, VALUES, bounds_of, name_of
from squad.metrics import CATALOGUE, KINDS
from squad.store.metrics import Histogram, Series
from squad.store.metrics.histogram import bound
from tests.actors.gateway.stand_ins import TREE, Served
from tests.running import RunningSquad, eventually

OPENMETRICS = "application/openmetrics-text;version=1.0.0"
HISTOGRAM = Histogram.of([0.5, 3.0, 3.0, 100.0, 1e7])


def series(name: str, kind: Any, agent: str = "scanner", type_: str = "scan", **more: Any) -> Series:
    buckets = HISTOGRAM if kind == "histogram" else None
    values = {"count": 5, "sum": 123.0, "last": 7.0 if kind == "gauge" else None, **more}
    return Series(0, name, agent, type_, kind, values["count"], values["sum"], buckets, values["last"], 0.0)


def state(*found: Series, ready: bool = True) -> State:
    return State("test", ready, TREE, {"scanner": 4}, {"queued": 4, "failed": 1}, found)


def samples(found: State, accept: str = "") -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """name -> labels -> value, by the parser; no sample is there twice."""
    content, kind = text(found, accept)
    parse: Callable[[str], Any] = parse_openmetrics if kind.startswith("application/") else parse_text
    made: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in parse(content.decode()):
        for sample in family.samples:
            labels = tuple(sorted(sample.labels.items()))
            assert labels not in made.setdefault(sample.name, {}), sample
            made[sample.name][labels] = sample.value
    return made


@pytest.mark.parametrize(
    "accept", ["", OPENMETRICS, "text/plain;version=1.0.0;escaping=allow-utf-8", "text/plain;version=x"]
)
def test_every_metric_of_squads_own_is_read(accept: str) -> None:
    whole = [series(name, metric.kind) for name, metric in CATALOGUE.items()]
    found = samples(state(*whole), accept)
    labels = (("agent", "scanner"), ("type", "scan"))
    assert found["squad_messages_completed_total"][labels] == 123.0
    assert found["squad_handling_seconds_sum"][labels] == pytest.approx(0.123)
    assert found["squad_handling_seconds_count"][labels] == 5
    assert found["squad_handling_seconds_bucket"][(*labels[:1], ("le", "0.004"), *labels[1:])] == 3
    assert found["squad_handling_seconds_bucket"][(*labels[:1], ("le", "+Inf"), *labels[1:])] == 5
    assert found["squad_restarts_total"][labels[:1]] == 123.0
    assert found["squad_machine_cpu_ratio"][()] == pytest.approx(0.07)
    assert found["squad_queue_depth"] == {(("agent", "checker"),): 0, (("agent", "scanner"),): 4}
    assert found["squad_memory_bytes"][(("agent", "storage"),)] == 30_000_000
    assert found["squad_cpu_ratio"][(("agent", "storage"),)] == pytest.approx(0.015)
    assert found["squad_convoy_size"] == {(("agent", "checker"),): 2}
    assert found["squad_ready"] == {(): 1}
    assert found["squad_messages"] == {(("status", "queued"),): 4, (("status", "failed"),): 1}


def test_names_are_in_base_units_and_no_two_are_the_same() -> None:
    names = [name_of(name, metric.kind).family for name, metric in CATALOGUE.items()]
    assert len(names) == len(set(names))
    for name in names:
        assert name.startswith("squad_")
        assert not name.endswith(("_ms", "_percent", "_milliseconds", "_total", "_count", "_sum"))


def test_readings_of_agents_that_are_gone_are_left_out_and_what_was_counted_stays() -> None:
    found = samples(state(series("uptime_percent", "gauge", "gone", ""), series("completed", "counter", "gone")))
    assert "squad_uptime_ratio" not in found
    assert found["squad_messages_completed_total"] == {(("agent", "gone"), ("type", "scan")): 123.0}


def test_own_metrics_have_a_prefix_and_never_break_the_document() -> None:
    names = ("ready", "x", "x_total", "x_count", "x_bucket", "x_ms", "x_seconds", "x_percent", "x_info", "x_created")
    whole = [series(name, kind, f"a{n}") for name in names for n, kind in enumerate(KINDS)]
    for accept in ("", OPENMETRICS):
        found = samples(state(*whole), accept)
        assert all(name.startswith("squad_") for name in found)
        assert found["squad_ready"] == {(): 1}


@given(
    st.lists(
        st.tuples(
            st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True).filter(lambda name: name not in CATALOGUE),
            st.sampled_from(KINDS),
        ),
        max_size=6,
        unique=True,
    )
)
def test_whatever_agents_call_their_metrics(own: list[tuple[str, Any]]) -> None:
    found = [series(name, kind, f"a{n}", 'quote " and \\ and \n') for n, (name, kind) in enumerate(own)]
    samples(state(*found))
    samples(state(*found), OPENMETRICS)


@given(st.lists(st.floats(min_value=0, max_value=1e12), max_size=40), st.sampled_from([TIMES, VALUES]))
def test_cumulative_counts(values: list[float], bounds: tuple[float, ...]) -> None:
    counts = cumulative(Histogram.of(sorted(values)), bounds)
    for count, most in zip(counts, bounds, strict=True):  # a value next to a bound may be taken for it
        assert sum(value <= most * (1 - 1e-9) for value in values) <= count
        assert count <= sum(value <= most * (1 + 1e-9) for value in values)
    assert counts == sorted(counts)


def test_bounds_end_buckets_of_the_store() -> None:
    ends = {bound(place) for place in range(-240, 480)}
    assert set(bounds_of("handling_ms")) | set(bounds_of("anything")) <= ends


def test_a_silent_supervisor_is_not_ready_and_its_squad_still_counts(served: Served) -> None:
    served.inside.silent.add("supervisor")
    served.inside.series = [series("completed", "counter")]
    status, document = served.call("GET", "/readyz")
    assert (status, document["ready"], document["waiting_for"]) == (503, False, ["supervisor"])
    assert served.call("GET", "/healthz")[1]["alive"] is True
    connection = served.connection()
    connection.request("GET", "/metrics")
    answer = connection.getresponse().read().decode()
    connection.close()
    assert "squad_ready 0.0" in answer and 'squad_messages_completed_total{agent="scanner"' in answer


def test_who_is_not_ready_is_named(served: Served) -> None:
    served.inside.tree = tuple({**row, "state": "starting"} if row["name"] == "scanner" else row for row in TREE)
    status, document = served.call("GET", "/readyz")
    assert (status, document["waiting_for"]) == (503, ["scanner"])


def test_a_real_squad_counts_over_its_socket(start: Callable[[str], RunningSquad]) -> None:
    squad = start('agents:\n  one: {class: "AGENTS:Worker", send_rate: none}\n')
    squad.wait(squad.send("one", "echo"))

    def counted() -> bool:
        found = {}
        for family in parse_text(squad.text("GET", "/metrics")):
            found |= {
                (sample.name, sample.labels.get("agent"), sample.labels.get("le")): sample.value
                for sample in family.samples
            }
        return (
            found.get(("squad_ready", None, None)) == 1  # 0 when the supervisor's answer takes its time
            and found.get(("squad_memory_bytes", "one", None), 0) > 1e6
            and found.get(("squad_messages_completed_total", "one", None)) == 1
            and found.get(("squad_handling_seconds_bucket", "one", "+Inf")) == 1
        )

    eventually(counted, "the message and the memory")
