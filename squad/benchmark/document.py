"""The file of a benchmark: made, written, read."""

from __future__ import annotations

import json
import math
import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from squad.benchmark.numbers import Figures
from squad.errors import SquadError, UsageError

SCHEMA_VERSION = 1
KIND = "squad benchmark"

_MOST = 50_000_000  # bytes: a file that is larger is none of ours


@dataclass(frozen=True)
class Measurement:
    """``figures``: one value for each repetition."""

    name: str
    agents: int
    operations: int
    figures: Mapping[str, Sequence[float]]

    @classmethod
    def of(cls, name: str, agents: int, operations: int, found: Sequence[Figures]) -> Self:
        """Figures that not every repetition has are left out."""
        names = [figure for figure in found[0] if all(figure in other for other in found)]
        figures = {figure: [round(values[figure], 5) for values in found] for figure in names}
        return cls(name, agents, operations, figures)

    def median(self, figure: str) -> float:
        return statistics.median(self.figures[figure])


@dataclass(frozen=True)
class Failure:
    """A measurement that could not be made, and why."""

    name: str
    agents: int
    operations: int
    error: str


@dataclass(frozen=True)
class Document:
    """Everything about one run of the benchmark."""

    at: str
    seconds: float
    machine: Mapping[str, Any]
    versions: Mapping[str, Any]
    settings: Mapping[str, Any]
    measurements: Sequence[Measurement]
    failures: Sequence[Failure]

    def content(self) -> dict[str, Any]:
        return {"kind": KIND, **asdict(self)}

    def write(self, path: Path) -> None:
        """Whole or not at all. Raises SquadError."""
        text = json.dumps({"schema_version": SCHEMA_VERSION, **self.content()}, indent=2)
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            beside.write_text(text + "\n", encoding="ascii")
            beside.replace(path)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise SquadError(f"{path} cannot be written: {error.strerror}") from None


def read(path: Path) -> Document:
    """Raises UsageError when it is no benchmark that this program can read."""
    try:
        with path.open("rb") as file:
            text = file.read(_MOST + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint="squad benchmark run --output FILE") from None
    if not text.strip():
        raise UsageError(f"{path} is empty", hint="squad benchmark run --output FILE")
    try:
        content = json.loads(text) if len(text) <= _MOST else None
    except (ValueError, RecursionError):
        began = text.lstrip()[:1] == b"{" and KIND.encode() in text[:200]
        what = "is cut off or damaged" if began else "is no JSON document"
        raise UsageError(f"{path} {what}", hint="squad benchmark run --output FILE") from None
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise UsageError(f"{path} is no benchmark", hint="squad benchmark run --output FILE makes one")
    version = content.get("schema_version")
    if not isinstance(version, int) or version > SCHEMA_VERSION:
        raise UsageError(
            f"{path} was written by a newer Squad (schema {version}; this one reads {SCHEMA_VERSION})",
            hint="update Squad, or measure again: squad benchmark run --output FILE",
        )
    try:
        return _document(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"{path} is damaged: {_reason(error)}", hint="squad benchmark run --output FILE") from None


def _document(content: Mapping[str, Any]) -> Document:
    measurements = [
        Measurement(
            str(found["name"]),
            int(found["agents"]),
            int(found["operations"]),
            {str(figure): _numbers(values) for figure, values in found["figures"].items()},
        )
        for found in content["measurements"]
    ]
    machine, versions, settings = (dict(content[key]) for key in ("machine", "versions", "settings"))
    failures = [
        Failure(str(found["name"]), int(found["agents"]), int(found["operations"]), str(found["error"]))
        for found in content["failures"]
    ]
    return Document(str(content["at"]), float(content["seconds"]), machine, versions, settings, measurements, failures)


def _numbers(values: Sequence[Any]) -> list[float]:
    found = [float(value) for value in values]
    if not found or not all(map(math.isfinite, found)):
        raise ValueError("a figure without a value")
    return found


def _reason(error: Exception) -> str:
    return f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
