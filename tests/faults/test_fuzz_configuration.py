"""Configurations that are nearly right: a whole one with something changed, in its structure or in its text."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from squad.cli.app import cli
from squad.config.load import parse
from squad.config.schema import SquadConfig
from squad.errors import ConfigError

THOROUGH = settings.default.max_examples // 100  # how many times as much as usual: --hypothesis-profile fuzz
WHOLE = """
name: nightly
agents:
  scanner:
    class: ./agents.py:Scanner
    options: {root: /srv, depth: 3}
    timeout: 10m
    cancel_grace: 5s
    send_rate: {per_minute: 60, burst: 10, when_empty: wait}
    handle_rate: none
    retry: {max_attempts: 3, backoff: 1s, cap: 5m, jitter: 0.2}
    queue: {limit: 500, warn_at: 0.9, when_full: drop_oldest}
    restarts: {intensity: 5, period: 1m, backoff: 1s, cap: 1m, jitter: 0.5}
    restart: transient
    shutdown: 20s
    after: [printer]
    max_memory_mb: 500
    max_cpu_percent: 80
  printer:
    command: ["lp", "-d", "{payload[name]}", "--", "{message_id}"]
    handles: [page]
    directory: .
    environment: {allow: [HOME], set: {LANG: C}}
    output: result
    output_limit: 1MB
    exit_codes: {retry: [75]}
convoys:
  checker: {class: "./agents.py:Checker", min: 1, max: 8}
types:
  page:
    fields: {name: str, copies: {type: int, default: 1}}
schedules:
  nightly: {cron: "0 3 * * *", timezone: Europe/Berlin, recipient: printer, type: page, payload: {name: a}}
supervision:
  shutdown: 30s
  health: {interval: 10s, timeout: 5s, hung_after: 30s}
  restarts: {intensity: 3, period: 30s}
  groups: {pair: {members: [scanner, checker], strategy: one_for_all}}
store: {synchronous: FULL, cache_size: -64000, wal_autocheckpoint: 1000}
limits: {max_payload: 1MiB, clients: {per_minute: 600, burst: 100}}
monitor: {interval: 2s, cpu_threshold: 80}
logging: {level: INFO, max_size: 5MB}
"""
DOCUMENT: dict[str, Any] = yaml.safe_load(WHOLE)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of everything in the document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, inner in items for found in ((*path, key), *places(inner, (*path, key)))]


PLACES = places(DOCUMENT)
NAMES = sorted({str(place[-1]) for place in PLACES})
ODD = st.sampled_from(
    [
        *(
            None,
            True,
            -1,
            0,
            1,
            1.5,
            10**400,
            float("inf"),
            float("nan"),
            "",
            " ",
            "\0",
            "\x1b[2J",
            "é",
            "\ud7ff",
            "a" * 5000,
        ),
        *(
            "10s",
            "-1s",
            "1e9",
            "500MB",
            "none",
            "../x",
            "/",
            "./a.py:A",
            "a:b:c",
            "{payload[x]}",
            "{",
            "%s",
            "x\ny",
            "🦑",
            "on",
            "1_000",
        ),
    ]
)
VALUES = st.recursive(
    ODD | st.text(max_size=6) | st.integers() | st.floats() | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4) | st.integers() | st.none(), inner, max_size=3)
    ),
    max_leaves=6,
)
CHANGE = st.tuples(
    st.sampled_from(PLACES),
    st.sampled_from(["replace", "delete", "rename", "add"]),
    VALUES,
    st.sampled_from(NAMES) | ODD,
)


def change(document: Any, place: tuple[Any, ...], how: str, value: Any, name: Any) -> None:
    """Do one thing to the document; nothing when an earlier one has taken the place away."""
    for key in place[:-1]:
        try:
            document = document[key]
        except (KeyError, IndexError, TypeError):
            return
    key = place[-1]
    if isinstance(document, list) and isinstance(key, int) and key < len(document):
        document[key] = value
    elif isinstance(document, dict) and key in document:
        match how:
            case "replace":
                document[key] = value
            case "delete":
                del document[key]
            case "rename":
                document[name] = document.pop(key)
            case "add":
                document[name] = value


def loads_or_is_refused(text: str) -> None:
    try:
        config = parse(text, name="squad.yaml", base_dir=Path())
    except ConfigError as error:
        assert error.problems
        for problem in error.problems:
            line = int(problem.where.removeprefix("squad.yaml:"))
            assert 1 <= line <= text.count("\n") + 2
            assert problem.what.isprintable(), problem.what
            assert "Error" not in problem.what.partition(" ")[0], problem.what
    else:
        assert isinstance(config, SquadConfig)


def few(number: int) -> settings:
    return settings(
        max_examples=number * THOROUGH,
        derandomize=THOROUGH == 1,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


def test_the_whole_one_is_right() -> None:
    assert isinstance(parse(WHOLE, name="squad.yaml", base_dir=Path()), SquadConfig)


@given(st.lists(CHANGE, min_size=1, max_size=3))
@few(80)
def test_a_changed_structure(changes: list[tuple[tuple[Any, ...], str, Any, Any]]) -> None:
    document = copy.deepcopy(DOCUMENT)
    for one in changes:
        change(document, *one)
    loads_or_is_refused(yaml.safe_dump(document, allow_unicode=True))


SIGNS = st.sampled_from(
    [
        *":-{}[],&*<!|>#?%@`\\'\"\t\n\0\x85\u2028\ufeff\x1b~=",
        "<<: *a",
        "&a ",
        "!!python/object:os.system ",
        "---\n",
        "  ",
    ]
)


@given(
    st.lists(
        st.tuples(st.integers(0, len(WHOLE)), st.integers(0, 30), SIGNS | st.text(max_size=3)), min_size=1, max_size=4
    )
)
@few(60)
def test_a_changed_text(edits: list[tuple[int, int, str]]) -> None:
    text = WHOLE
    for at, cut, sign in edits:
        text = text[:at] + sign + text[at + cut :]
    loads_or_is_refused(text)


@given(st.binary(max_size=50) | st.lists(CHANGE, min_size=1, max_size=2))
@few(20)
def test_the_command_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: Any) -> None:
    monkeypatch.chdir(tmp_path)
    document = copy.deepcopy(DOCUMENT)
    if isinstance(what, bytes):
        content = what
    else:
        for one in what:
            change(document, *one)
        content = yaml.safe_dump(document).encode()
    (tmp_path / "squad.yaml").write_bytes(content)
    for arguments in (["config", "check", "squad.yaml"], ["config", "show", "squad.yaml"]):
        result = CliRunner().invoke(cli, arguments, prog_name="squad")
        assert isinstance(result.exception, SystemExit | None), result.exception
        assert result.exit_code in (0, 1, 2, 4), result.output
        assert "Traceback" not in result.output
        assert "bug in Squad" not in result.output
