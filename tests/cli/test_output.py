"""Tables, ages and JSON for people."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squad.cli.ages import ago, seconds_since, short
from squad.cli.documents import parsed
from squad.cli.output import Column, plain_lines, pretty, readable
from squad.terminal import escape

CELLS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=20)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=5))
def test_a_plain_table_has_every_cell_whole_and_one_line_for_each_row(rows: list[tuple[str, str, str]]) -> None:
    columns = [Column("ONE"), Column("TWO", right=True), Column("THREE")]
    lines = plain_lines(columns, rows)
    assert len(lines) == len(rows) + 1
    for line, row in zip(lines[1:], rows, strict=True):
        for cell in row:
            assert cell.strip() in line or cell.strip() == ""
        assert line == line.rstrip()


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)))
def test_pretty_json_is_json_and_safe_for_a_terminal(value: object) -> None:
    text = pretty(value)
    assert json.loads(text) == value
    assert escape(text, lines=True) == text


def test_a_result_that_is_text_is_shown_as_it_is() -> None:
    assert readable("two\nlines") == "two\nlines"
    assert readable(["a"]) == pretty(["a"])


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0, "1s"),
        (0.4, "1s"),
        (9.6, "10s"),
        (59.6, "1m"),
        (3599, "59m"),
        (7300, "2h"),
        (86400 * 400, "400d"),
    ],
)
def test_ages_in_their_largest_unit(seconds: float | None, text: str) -> None:
    assert short(seconds) == text


def test_how_long_ago_a_time_was() -> None:
    then = datetime.now(UTC) - timedelta(minutes=5)
    assert ago(then.isoformat()) == "5m"
    assert ago(then.replace(tzinfo=None).isoformat()) == "5m"
    assert seconds_since((then + timedelta(hours=1)).isoformat()) == 0.0  # another clock is ahead
    for unreadable in (None, "", "yesterday"):
        assert ago(unreadable) == ""


def test_json_text_of_the_store() -> None:
    assert parsed(None) is None
    assert parsed('{"a": 1}') == {"a": 1}
    assert parsed("{broken") == "{broken"
