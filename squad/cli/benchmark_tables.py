"""What ``squad benchmark`` prints: tables, CSV, and JSON documents (see docs/json.md)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from squad.benchmark import memory
from squad.benchmark.comparing import Compared
from squad.benchmark.document import Document, Measurement
from squad.benchmark.numbers import unit_of, written
from squad.benchmark.scale import SIZES
from squad.benchmark.targets import Judged
from squad.cli.output import Column, print_heading, print_table, print_text
from squad.errors import SquadError

_COLOURS = {"met": "green", "acceptable": "yellow", "missed": "bold red", "better": "green", "worse": "bold red"}

# A table of the sizes: titles, and the figures that are below them.
_SIZES = (
    (
        "messages a second at full load; p50 and p99 in ms from send to handler start, 100/s",
        ("MESSAGES", "messages_per_second"),
        ("EXCHANGE", "exchange_per_second"),
        ("AGENT P50", "agent_p50_ms"),
        ("P99", "agent_p99_ms"),
        ("OUTSIDE P50", "outside_p50_ms"),
        ("P99", "outside_p99_ms"),
    ),
    (
        "work on the store at 500 messages/s: p99 in ms; CPU in % of all cores; memory in MB; how many wait, p95",
        ("LIST", "list_p99_ms"),
        ("SHOW", "show_p99_ms"),
        ("DEPTH", "depth_p99_ms"),
        ("WRITE", "write_p99_ms"),
        ("CPU", "cpu_percent"),
        ("MEMORY", "memory_mb"),
        ("EACH AGENT", "agent_memory_mb"),
        ("WAITING", "queue_depth_p95"),
    ),
)


def print_run(document: Document) -> None:
    """What was measured: first what was measured once, then the sizes."""
    alone = [found for found in document.measurements if found.name != SIZES]
    by_size = [found for found in document.measurements if found.name == SIZES]
    repeated = any(len(values) > 1 for found in document.measurements for values in found.figures.values())
    print_text(_about(document))
    if alone:
        print_text("")
        columns = [Column("MEASUREMENT"), Column("AGENTS", right=True), Column("FIGURE"), Column("MEDIAN", right=True)]
        columns += [Column("LOWEST", right=True), Column("HIGHEST", right=True)] if repeated else []
        rows = [_figure(found, figure, repeated) for found in alone for figure in found.figures]
        print_table([*columns, Column("UNIT")], rows)
    for heading, *shown in _SIZES if by_size else ():
        print_text("")
        print_heading(heading)
        columns = [Column("AGENTS", right=True), Column("OPERATIONS", right=True)]
        columns += [Column(title, right=True) for title, _ in shown]
        print_table(columns, [_size(found, [figure for _, figure in shown]) for found in by_size])


def _about(document: Document) -> str:
    machine, versions = document.machine, document.versions
    return (
        f"{machine.get('cores')} cores, {machine.get('cpu')}, {float(machine.get('memory_bytes', 0)) / 1e9:.0f} GB, "
        f"Linux {machine.get('kernel')}, {machine.get('file_system')}; {versions.get('python')}, "
        f"SQLite {versions.get('sqlite')}, Squad {versions.get('squad')}\n"
        f"synchronous={document.settings.get('synchronous')}, load {machine.get('load_before')} before, "
        f"{document.at}, {document.seconds:.0f} s"
    )


def _figure(found: Measurement, figure: str, repeated: bool) -> list[str]:
    unit, values = unit_of(figure), found.figures[figure]
    shown = [found.median(figure), *((min(values), max(values)) if repeated else ())]
    return [found.name, str(found.agents), figure, *(written(value, unit) for value in shown), unit.name]


def _size(found: Measurement, figures: Sequence[str]) -> list[str]:
    shown = [written(found.median(figure), unit_of(figure)) if figure in found.figures else "" for figure in figures]
    return [str(found.agents), str(found.operations), *shown]


# -- report -----------------------------------------------------------------------------------------------------------


def print_report(document: Document, judged: Sequence[Judged]) -> None:
    """The verdicts, and how many of each."""
    print_text(_about(document))
    print_text("")
    repeated = any(found.lowest != found.highest for found in judged)
    columns = [Column("TARGET", fold=True), Column("AGENTS", right=True), Column("MEASURED", right=True)]
    columns += [Column("LOWEST", right=True), Column("HIGHEST", right=True)] if repeated else []
    columns += [Column("MET AT", right=True), Column("ACCEPTABLE AT", right=True), Column("UNIT"), _coloured("VERDICT")]
    print_table(columns, [_verdict(found, repeated) for found in judged])


def _verdict(found: Judged, repeated: bool) -> list[str]:
    target = found.target
    values = (found.value, *((found.lowest, found.highest) if repeated else ()))
    shown = ["" if value is None else written(value, target.unit) for value in values]
    limits = [f"{target.target:,g}", "" if target.acceptable is None else f"{target.acceptable:,g}"]
    agents = "" if target.agents is None else str(target.agents)
    return [target.what, agents, *shown, *limits, target.unit.name, str(found.verdict)]


def print_comparison(compared: Sequence[Compared]) -> None:
    print_text("")
    columns = [Column("MEASUREMENT"), Column("AGENTS", right=True), Column("OPERATIONS", right=True), Column("FIGURE")]
    columns += [Column(title, right=True) for title in ("THIS", "OTHER", "RATIO")]
    rows = [
        [
            found.measurement.name,
            str(found.measurement.agents),
            str(found.measurement.operations),
            found.figure,
            written(found.value, unit_of(found.figure)),
            written(found.other, unit_of(found.figure)),
            "" if found.ratio is None else f"{found.ratio:.2f}",
            unit_of(found.figure).name,
            found.change,
        ]
        for found in compared
    ]
    empty = "the two have no measurement in common: same name, agents and operations"
    print_table([*columns, Column("UNIT"), _coloured("CHANGE")], rows, empty=empty)


def _coloured(title: str) -> Column:
    return Column(title, style=lambda text: _COLOURS.get(text, ""))


def report_document(
    document: Document, judged: Sequence[Judged], compared: Sequence[Compared] | None, differences: Sequence[str]
) -> dict[str, Any]:
    """``compared`` None: there was nothing to compare with."""
    return {
        "at": document.at,
        "machine": dict(document.machine),
        "targets": [
            {
                "what": found.target.what,
                "measurement": found.target.measurement,
                "figure": found.target.figure,
                "agents": found.target.agents,
                "target": found.target.target,
                "acceptable": found.target.limit,
                "value": found.value,
                "lowest": found.lowest,
                "highest": found.highest,
                "unit": found.target.unit.name,
                "verdict": str(found.verdict),
            }
            for found in judged
        ],
        "compared": None
        if compared is None
        else [
            {
                "measurement": found.measurement.name,
                "agents": found.measurement.agents,
                "operations": found.measurement.operations,
                "figure": found.figure,
                "value": found.value,
                "other": found.other,
                "ratio": found.ratio,
                "change": found.change or None,
            }
            for found in compared
        ],
        "differences": list(differences),
    }


# -- memory -----------------------------------------------------------------------------------------------------------


def print_memory(found: Sequence[memory.Role]) -> None:
    columns = [Column("AGENTS", right=True), Column("ROLE")]
    columns += [
        Column(title, right=True) for title in ("PROCESSES", "BEFORE", "PEAK", "AFTER", "EACH AFTER", "BYTES/MESSAGE")
    ]
    rows = [
        [
            str(role.agents),
            role.role,
            str(role.processes),
            *(f"{size:.1f}" for size in (role.before_mb, role.peak_mb, role.after_mb, role.after_mb / role.processes)),
            "" if role.finding.slope is None else f"{role.finding.slope:+.0f}",
        ]
        for role in found
    ]
    print_table(columns, rows)


def conclusions(found: Sequence[memory.Role]) -> list[str]:
    """A sentence for each squad and what leaks in it."""
    sentences = []
    for agents in dict.fromkeys(role.agents for role in found):
        of_it = [role for role in found if role.agents == agents and role.role != memory.ALL]
        leaking = [f"{role.role}: {role.finding.words}" for role in of_it if role.finding.leaks]
        if of_it[0].finding.slope is None:
            leaking = [of_it[0].finding.words]
        sentences.append(f"{agents} agents: {'; '.join(leaking) or 'no process leaks'}")
    return sentences


def memory_document(
    readings: Sequence[memory.Reading], found: Sequence[memory.Role], runs: int, messages: int
) -> dict[str, Any]:
    return {
        "runs": runs,
        "messages": messages,
        "roles": [
            {
                "agents": role.agents,
                "role": role.role,
                "processes": role.processes,
                "before_mb": round(role.before_mb, 3),
                "peak_mb": round(role.peak_mb, 3),
                "after_mb": round(role.after_mb, 3),
                "bytes_per_message": role.finding.slope,
                "leaks": role.finding.leaks,
                "words": role.finding.words,
            }
            for role in found
        ],
        "readings": [reading._asdict() for reading in readings],
    }


def print_csv(readings: Sequence[memory.Reading]) -> None:
    memory.write_csv(readings, sys.stdout)


def write_csv(readings: Sequence[memory.Reading], path: Path) -> None:
    try:
        with path.open("w", encoding="ascii", newline="") as file:
            memory.write_csv(readings, file)
    except OSError as error:
        raise SquadError(f"{path} cannot be written: {error.strerror}") from None
