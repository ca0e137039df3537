"""Whatever a file holds, it loads or is refused with the places of its mistakes."""

from __future__ import annotations

from pathlib import Path

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from squad.config.load import parse
from squad.config.schema import SquadConfig
from squad.errors import ConfigError


def _loads_or_refuses(text: str) -> None:
    try:
        config = parse(text, name="squad.yaml", base_dir=Path())
    except ConfigError as error:
        assert error.problems
        lines = [int(problem.where.removeprefix("squad.yaml:")) for problem in error.problems]
        assert lines == sorted(lines)
        assert 1 <= lines[0] <= lines[-1] <= len(text.splitlines()) + 1
    else:
        assert isinstance(config, SquadConfig)


WORDS = "agents convoys class ./a.py:A options timeout restarts send_rate none a b 1 0x .5 1e9 ~ no é"
SIGNS = r""": : : - { } [ ] , &a *a << !x !!int ' " | > # ? % @ ` \ \U ---"""
PARTS = [*WORDS.split(), *SIGNS.split(), ": ", "- ", ", ", "\t", "\n", "\n", "\n  ", "\n    "]
SOME_YAML = st.lists(st.sampled_from(PARTS), max_size=40).map("".join)


@given(SOME_YAML | st.text())
@settings(max_examples=200, deadline=None)
def test_any_text_loads_or_is_refused(text: str) -> None:
    _loads_or_refuses(text)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(
    ["./a.py:A", "10s", "500MB", "none", "wait", "FULL", "INFO", -1, 0, 1, 50, 10**400]
)  # fmt: skip
SOME_KEYS = """agents convoys one two storage class options timeout send_rate handle_rate retry restarts min max
supervision store pool limits monitor interval logging level per_minute burst backoff cap max_payload x [key] é.ü"""
KEYS = st.sampled_from(SOME_KEYS.split())
STRUCTURES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6))


@given(st.dictionaries(KEYS, STRUCTURES, max_size=6))
@settings(max_examples=100, deadline=None)
def test_any_structure_loads_or_is_refused(data: object) -> None:
    _loads_or_refuses(yaml.safe_dump(data, allow_unicode=True))
