"""The benchmark runs, at a small scale, and its figures are possible ones. It judges no speed: machines differ."""

from __future__ import annotations

import json

import pytest

from tests.benchmark import runtime


def test_every_measurement_gives_its_figures(capsys):
    arguments = ["--messages", "200", "--agents", "2", "--seconds", "0.5", "--many", "6"]
    assert runtime.main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    document = json.loads(lines[-1])
    figures = document["figures"]
    assert list(figures) == list(runtime.MEASUREMENTS)
    assert {figure for found in figures.values() for figure in found} == set(runtime.UNITS)
    assert all(value > 0 for found in figures.values() for values in found.values() for value in values)
    assert figures["latency"]["p50_ms"] <= figures["latency"]["p99_ms"] <= figures["latency"]["max_ms"]
    assert figures["memory"]["few_mb"] < figures["memory"]["many_mb"]
    assert document["scale"]["messages"] == 200
    assert all(any(name in line for line in lines) for name in runtime.UNITS)


def test_a_misspelt_measurement_is_named(capsys):
    with pytest.raises(SystemExit) as ended:
        runtime.main(["--only", "latency,trougput"])
    assert ended.value.code == 2
    assert "no measurement is called trougput" in capsys.readouterr().err
