from __future__ import annotations

import json
from pathlib import Path

import pytest

from squad.benchmark.document import Document, Failure, Measurement, read
from squad.errors import SquadError, UsageError


def test_what_is_written_is_read_again(whole: Document, tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    made = Document(**{**vars(whole), "failures": [Failure("idle", 50, 0, "no")]})
    made.write(path)
    assert json.loads(path.read_text())["schema_version"] == 1
    assert read(path) == Document(**{**vars(made), "measurements": list(made.measurements)})
    assert [left.name for left in tmp_path.iterdir()] == ["b.json"]


def test_figures_that_one_run_lacks_are_left_out() -> None:
    found = Measurement.of("a", 1, 1, [{"x_ms": 1.0, "y_ms": 2.0}, {"x_ms": 3.0}])
    assert found.figures == {"x_ms": [1.0, 3.0]}
    assert found.median("x_ms") == 2.0


def test_a_folder_that_is_gone_is_an_error_of_one_line(whole: Document, tmp_path: Path) -> None:
    with pytest.raises(SquadError, match="cannot be written: No such file"):
        whole.write(tmp_path / "gone" / "b.json")


def damaged(text: str) -> list[str]:
    """The text of a benchmark, broken in several ways."""
    content = json.loads(text)

    def without(key: str) -> str:
        return json.dumps({name: value for name, value in content.items() if name != key})

    def with_measurements(value: object) -> str:
        return json.dumps({**content, "measurements": value})

    one = content["measurements"][0]
    return [
        without("measurements"),
        without("machine"),
        without("failures"),
        with_measurements(None),
        with_measurements([5]),
        with_measurements([{**one, "figures": {"a_ms": []}}]),
        with_measurements([{**one, "figures": {"a_ms": [None]}}]),
        with_measurements([{**one, "figures": {"a_ms": [float("nan")]}}]),
        with_measurements([{**one, "agents": "many"}]),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("hello", "is no JSON document"),
        ("\x00\xff", "is no JSON document"),
        ("[1]", "is no benchmark"),
        ('{"a": 1}', "is no benchmark"),
        ('{"schema_version": 2, "kind": "squad benchmark"}', "newer Squad .schema 2; this one reads 1"),
        ('{"schema_version": "x", "kind": "squad benchmark"}', "newer Squad"),
        ('{"schema_version": 1, "kind": "squad benchmark", "at', "is cut off or damaged"),
        ("[" * 100_000, "is no JSON document"),
    ],
)
def test_what_is_no_benchmark(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(UsageError, match=words) as error:
        read(path)
    assert error.value.hint


def test_a_damaged_one(whole: Document, tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    whole.write(path)
    for text in damaged(path.read_text()):
        path.write_text(text)
        with pytest.raises(UsageError, match="is damaged: "):
            read(path)
    with pytest.raises(UsageError, match="No such file"):
        read(tmp_path / "gone.json")
