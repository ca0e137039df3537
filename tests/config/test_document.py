"""YAML as Squad reads it: aliases, plain values, and texts made to do harm."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from squad.config.load import parse

AGENT = "agents:\n  one:\n    class: ./a.py:A\n"


def test_aliases_and_merges_are_written_out_and_own_keys_win() -> None:
    config = parse(
        "agents:\n"
        "  one: &base\n"
        "    class: ./a.py:A\n"
        "    timeout: 1m\n"
        "    retry: &patient {max_attempts: 9}\n"
        "  two:\n"
        "    <<: *base\n"
        "    timeout: 2m\n"
        "  three:\n"
        "    class: ./a.py:B\n"
        "    retry: *patient\n"
        "  four:\n"
        "    <<: [{timeout: 4m}, *base]\n",
        name="squad.yaml",
        base_dir=Path(),
    )
    assert config.agents["two"].class_ == "./a.py:A"
    assert [config.agents[name].timeout for name in ("one", "two", "four")] == [60, 120, 240]
    assert config.agents["three"].retry.max_attempts == 9
    assert config.line_of("agents", "two", "timeout") == 8
    assert config.line_of("agents", "two", "class") == 3


def test_a_mistake_below_an_anchor_is_where_it_is_written(mistakes: Callable[[str], list[str]]) -> None:
    found = mistakes(
        "agents:\n  one: &base\n    class: ./a.py:A\n    retry:\n      max_attempts: 0\n  two:\n    <<: *base\n"
    )
    assert [problem.partition(" ")[0] for problem in found] == ["squad.yaml:5:"] * 2
    assert mistakes("agents:\n  one:\n    <<: 3\n    class: ./a.py:A\n") == [
        "squad.yaml:3: << can only take in mappings (write <<: *name of an &anchor)"
    ]


def _laughs(levels: int, *, merge: bool) -> str:
    """Each line holds the one before ten times."""
    lines = ["options: &a0 {k: v}"]
    for level in range(1, levels):
        inner = ", ".join([f"*a{level - 1}"] * 10)
        lines.append(f"l{level}: &a{level} " + (f"{{<<: [{inner}]}}" if merge else f"[{inner}]"))
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("merge", [False, True])
def test_aliases_that_explode_are_refused(mistakes: Callable[[str], list[str]], merge: bool) -> None:
    assert mistakes(_laughs(12, merge=merge))[0].endswith(
        "with its aliases written out this is more than 200000 values"
    )


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "{a: " * 5000, "- " * 100_000, "\n".join(" " * n + "a:" for n in range(500))]
)
def test_deep_nesting_is_refused(mistakes: Callable[[str], list[str]], text: str) -> None:
    assert mistakes(text)[0].endswith("this is nested more than 40 deep")


def test_nesting_through_aliases_is_refused(mistakes: Callable[[str], list[str]]) -> None:
    text = "a0: &a0 x\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 100))
    assert mistakes(text) == ["squad.yaml:41: with its aliases written out this is nested more than 40 deep"]


def test_an_alias_of_itself_is_refused(mistakes: Callable[[str], list[str]]) -> None:
    assert mistakes("agents: &a\n  b: *a\n") == ["squad.yaml:2: *a is used, but no &a ends before it"]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("yes", True), ("Off", False), ("~", None), ("", None), ("'no'", "no"), ("!!str 7", "7"),
        ("7", 7), ("-7", -7), ("1_000", 1000), ("0x1F", 31), ("0o17", 15), ("1.5", 1.5), ("1e3", 1000.0), ("-.5", -0.5),
        ("010", "010"), ("12:30", "12:30"), ("12:30:45", "12:30:45"), ("2024-01-31", "2024-01-31"), ("1.2.3", "1.2.3"),
        ("=", "="), ("y", "y"), ("nowhere", "nowhere"), ("|\n        two\n        lines\n", "two\nlines\n"),
    ],
)  # fmt: skip
def test_plain_values_are_read_without_surprises(written: str, value: object) -> None:
    config = parse(f"{AGENT}    options:\n      key: {written}\n", name="squad.yaml", base_dir=Path())
    read = config.agents["one"].options["key"]
    assert (type(read), read) == (type(value), value)
