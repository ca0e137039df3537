"""The catalogue of events, and the code that records them."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from squad.events import CATALOGUE, DERIVED, RECORDED, event, page
from squad.metrics import CATALOGUE as METRICS
from squad.metrics import KINDS

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCES = [path for folder in ("actors", "config", "store") for path in sorted((ROOT / folder).rglob("*.py"))]
SOURCES += [path for path in sorted((ROOT / "squad").rglob("*.py")) if path.resolve() == path]  # not through the links


def calls(name: str) -> Iterator[tuple[Path, ast.Call]]:
    """Every call of a function of that name in the sources."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                if called == name:
                    yield path, node


EVENTS = list(calls("event"))


def test_every_kind_that_is_recorded_is_in_the_catalogue_and_the_other_way_round() -> None:
    kinds = set()
    for path, call in EVENTS:
        kind = call.args[0]
        assert isinstance(kind, ast.Constant), f"{path}:{call.lineno}: the kind must be written there, to be found here"
        kinds.add(kind.value)
    assert kinds == RECORDED.keys()


def test_every_detail_that_is_recorded_is_in_the_catalogue_and_the_other_way_round() -> None:
    details: dict[str, set[str | None]] = {kind: set() for kind in RECORDED}
    for _, call in EVENTS:
        assert isinstance(call.args[0], ast.Constant)
        details[str(call.args[0].value)] |= {keyword.arg for keyword in call.keywords}
    assert details == {kind: set(about.fields) for kind, about in RECORDED.items()}


def test_events_are_recorded_as_they_were_made_by_event() -> None:
    """Whoever writes (kind, subject, detail) by hand goes past the catalogue; the type checker sees the rest."""
    for _, call in calls("Record"):
        given = [keyword.value for keyword in call.keywords if keyword.arg == "events"] + call.args[:1]
        for value in given:
            assert isinstance(value, ast.Tuple)
            assert all(isinstance(item, ast.Call | ast.Name) for item in value.elts)


def test_a_mistake_is_noticed_at_once() -> None:
    with pytest.raises(ValueError, match="'exploded' is no kind of event that is recorded"):
        event("exploded", "a")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'completed' is no kind"):
        event("completed", "a")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="has no details called colour, why"):
        event("ready", "a", why="x", colour="red")


def test_an_event() -> None:
    made = event("restarted", "checker-2", reason="its process died")
    assert (made.kind, made.subject, json.loads(made.detail)) == (
        "restarted", "checker-2", {"reason": "its process died"}
    )  # fmt: skip


def test_no_kind_is_in_both_parts() -> None:
    assert not DERIVED.keys() & RECORDED.keys()
    assert CATALOGUE.keys() == DERIVED.keys() | RECORDED.keys()


def test_the_page_is_up_to_date() -> None:
    assert (ROOT / "docs/events.md").read_text(encoding="utf-8") == page(), (
        "run: python -m squad.events > docs/events.md"
    )


RECORDING = (
    *(f"store/{name}.py" for name in ("settling", "ends", "inserting", "desk", "metrics/journal", "metrics/recorder")),
    *(f"actors/{name}.py" for name in ("broker/records", "monitoring/sampling", "supervision/uptime")),
)


def test_every_metric_of_the_catalogue_is_recorded() -> None:
    """The other way round the store sees to it: what is not in the catalogue is an agent's own."""
    written = {
        node.value
        for path in RECORDING
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert METRICS.keys() - written == set()


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_named_for_its_unit(name: str) -> None:
    unit = METRICS[name].unit.split()[0]
    suffix = {"milliseconds": "_ms", "percent": "_percent", "bytes": "_bytes", "seconds": "_seconds"}.get(unit, "")
    assert name.endswith(suffix)
    assert METRICS[name].kind in KINDS
    assert set(METRICS[name].labels) <= {"agent", "type"}


def test_the_page_is_printed() -> None:
    command = [sys.executable, "-m", "squad.events"]
    assert subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout == page()
