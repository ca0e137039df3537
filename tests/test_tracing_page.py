"""docs/tracing.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from squad.actors.exporting import pace
from squad.actors.exporting.spans import spans_of
from squad.config.exporters import ExporterConfig
from squad.config.load import parse
from tests.actors.exporting.test_spans import ended, failure

PAGE = Path(__file__).parent.parent / "docs" / "tracing.md"


def section(title: str) -> str:
    return PAGE.read_text().partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def first_column(title: str) -> set[str]:
    rows = re.findall(r"^\| (`.*?) \|", section(title), re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def attributes(**more: Any) -> set[str]:
    ends = [
        ended(failures=(failure(1, 1),)),
        ended(status="failed", error="its process died", failures=(failure(1, 1, final=1),), attempt=1),
    ]
    found: set[str] = set()
    for span in (span for end in ends for span in spans_of(end, "trek", **more)):
        found |= span.attributes.keys()
        found |= {name for raised in span.exceptions for name in raised.attributes}
    return found


def test_every_attribute_is_on_the_page_and_no_other() -> None:
    listed = {name for name in first_column("What a trace shows") if "." in name}

    assert listed == attributes(content=True, langfuse=False)


def test_every_attribute_of_langfuse_is_on_the_page_and_no_other() -> None:
    of_langfuse = attributes(content=True, langfuse=True)

    assert first_column("Langfuse") == {name for name in of_langfuse if name.startswith("langfuse.")}


def test_the_spans_are_named_as_the_page_says() -> None:
    names = {name for name in first_column("What a trace shows") if "." not in name}

    assert names == {"process TYPE", "attempt N", "replay TYPE"}
    assert [span.name for span in spans_of(ended(), "trek", content=False, langfuse=False)] == [
        "process forge",
        "attempt 1",
    ]
    assert spans_of(ended(replays=1), "trek", content=False, langfuse=False)[0].name == "replay forge"


def test_the_configuration_on_the_page_is_one() -> None:
    (text,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    config = parse(f"agents: {{a: {{class: './a.py:A'}}}}\n{text}", name="page", base_dir=Path())

    assert set(config.exporters) == {"jaeger", "langfuse"}
    assert config.exporters["langfuse"].address.endswith("/api/public/otel/v1/traces")


@pytest.mark.parametrize(("kind", "more"), [("otlp", {"endpoint": "http://h/v1/traces"}), ("langfuse", {})])
def test_the_defaults_are_those_of_the_page(kind: Any, more: dict[str, str]) -> None:
    settings = ExporterConfig(kind=kind, **more)  # type: ignore[arg-type]

    assert settings.payloads == (kind == "langfuse")
    assert settings.every == (60 if kind == "langfuse" else 5)
    assert "For Langfuse that is\nthe default" in PAGE.read_text()
    assert "Every 60 seconds" in section("Langfuse")


def test_the_pauses_are_those_of_the_page() -> None:
    text = section("When a receiver is down, slow or wrong")
    waits = pace.Pace()
    pauses = []
    for _ in range(8):
        waits.after(pace.Answer("away"), 1)
        pauses.append(waits.pause)

    assert "after 1 s, 2 s, 4 s, up\n  to 60 s" in text
    assert (pauses[:3], pauses[-1]) == ([1, 2, 4], 60)
