"""``squad metrics``: tables, documents, pictures."""

from __future__ import annotations

import errno
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from squad import pictures
from squad.home import Home
from squad.store.metrics import Summary
from tests.cli.a_meter import a_busy_squad, measured, minute
from tests.cli.a_store import Story
from tests.cli.conftest import Run
from tests.cli.terminals import on_terminal, plain


@pytest.fixture
def busy(story: Story, home: Home) -> Home:
    a_busy_squad(home.database)
    return home


def words(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_all_metrics_by_kind(run: Run, busy: Home) -> None:
    result = run("metrics")
    assert (result.exit_code, result.stderr) == (0, "")
    heading, *tables = result.stdout.split("\n\n")
    assert heading == "The last 1h"
    histograms, counters, gauges = map(words, tables)
    assert histograms[0] == "HISTOGRAM COUNT P50 P95 P99 MOST"
    assert histograms[1].split()[:2] == ["handling_ms", "120"]
    assert counters[0] == "COUNTER COUNT A MINUTE"
    assert [line.split()[:2] for line in counters[1:]] == [["completed", "120"], ["pages_read", "17.5"]]
    assert gauges[0] == "GAUGE LAST MEAN LEAST MOST"
    assert "convoy_size 4 4 4 4" in gauges
    assert "machine_cpu_percent 34.5% 34.5% 34.5% 34.5%" in gauges
    assert "queue_depth - 5 3 7" in gauges  # the last of two agents' readings would be anybody's


def test_one_metric_has_a_row_for_each_agent(run: Run, busy: Home) -> None:
    rows = words(run("metrics", "queue_depth", "completed").stdout)
    assert "queue_depth checker 7 5 3 7" in rows
    assert "queue_depth scanner 7 5 3 7" in rows
    assert [row.split()[:3] for row in rows if row.startswith("completed")] == [
        ["completed", "checker", "110"],
        ["completed", "scanner", "10"],
    ]


def test_of_one_agent_and_by_type(run: Run, busy: Home) -> None:
    document = json.loads(run("metrics", "--agent", "checker", "-o", "json").stdout)
    assert {row["name"] for row in document["metrics"]} == {
        "completed",
        "convoy_size",
        "handling_ms",
        "queue_depth",
        "waiting_ms",
    }
    assert {row["agent"] for row in document["metrics"]} == {"checker"}
    by_type = json.loads(run("metrics", "completed", "--by", "type", "-o", "json").stdout)["metrics"]
    assert [(row["type"], row["sum"]) for row in by_type] == [("check", 10), ("ping", 100), ("scan", 10)]


def test_the_document_of_each_kind(run: Run, busy: Home) -> None:
    found = {row["name"]: row for row in json.loads(run("metrics", "-o", "json").stdout)["metrics"]}
    histogram, counter, gauge = found["handling_ms"], found["pages_read"], found["machine_cpu_percent"]
    assert (histogram["count"], histogram["unit"], histogram["least"]) == (120, "milliseconds", 1)
    assert histogram["p99"] == pytest.approx(2000, rel=0.05)
    assert (counter["sum"], counter["unit"], counter["p50"], counter["mean"]) == (17.5, None, None, None)
    assert counter["per_second"] > 0
    assert (gauge["last"], gauge["mean"], gauge["per_second"]) == (34.5, 34.5, None)
    assert [point["value"] for point in gauge["points"] if point["value"] is not None] == [34.5]
    assert 55 <= len(gauge["points"]) <= 62


def test_the_window(run: Run, busy: Home, home: Home) -> None:
    measured(home.database, "old", "counter", {minute(90): Summary.counted(1)})
    assert "old" not in run("metrics").stdout
    assert "old" in run("metrics", "--window", "2h").stdout
    assert run("metrics", "--window", "a while").exit_code == 2
    empty = run("metrics", "--window", "0s")
    assert (empty.exit_code, empty.stdout) == (2, "")
    assert "--window 30m" in empty.stderr


def test_names_that_there_are_not(run: Run, busy: Home) -> None:
    for args, message, hint in (
        (("handeling_ms",), "there is no metric 'handeling_ms'", "did you mean 'handling_ms'?"),
        (("zzz",), "there is no metric 'zzz'", "`squad metrics` shows all of them"),
        (("--agent", "cheker"), "nothing was measured of an agent 'cheker'", "did you mean 'checker'?"),
        (("--agent", "zzz"), "nothing was measured of an agent 'zzz'", "there is something of: checker, scanner"),
    ):
        result = run("metrics", *args)
        assert (result.exit_code, result.stdout) == (2, "")
        assert message in result.stderr
        assert hint in result.stderr


def test_a_metric_of_which_nothing_was_recorded(run: Run, busy: Home) -> None:
    result = run("metrics", "restarts")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "nothing was measured in the last 1h: --window 7d looks farther back" in result.stderr


@pytest.mark.parametrize("columns", [80, 160])
def test_on_a_terminal_with_lines(busy: Home, columns: int) -> None:
    status, screen = on_terminal("metrics", cwd=busy.path.parent, columns=columns)
    assert status == 0
    shown = plain(screen)
    assert "P95 OVER TIME" in shown
    assert "█" in shown
    assert "…" not in shown


class TestPictures:
    def test_the_usual_four(self, run: Run, busy: Home) -> None:
        result = run("metrics", "--plot", "a.svg")
        assert (result.exit_code, result.stdout, result.stderr) == (0, "", "a.svg is drawn\n")
        text = "".join(ET.parse(busy.path.parent / "a.svg").getroot().itertext())  # noqa: S314 - our own
        for told in ("Throughput", "Latency", "Queue depth", "Convoy size", "checker", "scanner", "handling p95"):
            assert told in text
        assert run("metrics", "--plot", "a.png", "--agent", "checker").exit_code == 0
        assert (busy.path.parent / "a.png").read_bytes().startswith(b"\x89PNG")

    def test_those_that_are_named(self, run: Run, busy: Home) -> None:
        assert run("metrics", "--plot", "a.svg", "pages_read", "queue_depth", "handling_ms").exit_code == 0
        text = "".join(ET.parse(busy.path.parent / "a.svg").getroot().itertext())  # noqa: S314
        for told in ("pages_read", "queue_depth", "handling_ms, p95"):
            assert told in text
        assert "Throughput" not in text

    def test_the_agents_with_most_have_lines_and_the_others_one(self, run: Run, story: Story, home: Home) -> None:
        for number in range(9):
            measured(home.database, "completed", "counter", {minute(1): Summary.counted(1 + number)}, f"agent{number}")
        assert run("metrics", "--plot", "a.svg").exit_code == 0
        text = "".join(ET.parse(home.path.parent / "a.svg").getroot().itertext())  # noqa: S314
        assert [f"agent{n}" in text for n in range(9)] == [False] * 4 + [True] * 5
        assert "others" in text

    def test_nothing_to_draw(self, run: Run, story: Story, tmp_path: Path) -> None:
        result = run("metrics", "--plot", "a.svg")
        assert result.exit_code == 2
        assert "nothing was measured in that time" in result.stderr
        assert not (tmp_path / "a.svg").exists()

    @pytest.mark.parametrize(
        ("args", "message"),
        [
            (("--plot", "a.gif"), "must end in .png or .svg"),
            (("--plot", "gone/a.png"), "there is no folder gone"),
            (("--plot", ".squad"), "must end in .png or .svg"),
            (("--plot", "a.png", "-o", "json"), "give it without -o json and --by"),
            (("--plot", "a.png", "--by", "type"), "give it without -o json and --by"),
        ],
    )
    def test_pictures_that_cannot_be(self, run: Run, busy: Home, args: tuple[str, ...], message: str) -> None:
        result = run("metrics", *args)
        assert result.exit_code == 2
        assert message in result.stderr

    def test_a_picture_that_cannot_be_written_leaves_the_one_before(
        self, run: Run, busy: Home, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = busy.path.parent / "a.svg"
        file.write_text("the one before")

        def fill_the_disk(figure: Figure, target: Path, **_: object) -> None:
            Path(target).write_text("<svg")
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr("matplotlib.figure.Figure.savefig", fill_the_disk)
        result = run("metrics", "--plot", "a.svg")
        assert result.exit_code == 1
        assert "a.svg cannot be written: No space left on device" in result.stderr
        assert file.read_text() == "the one before"
        assert [path.name for path in file.parent.iterdir() if "svg" in path.name] == ["a.svg"]

    def test_a_folder_is_no_picture(self, run: Run, busy: Home) -> None:
        (busy.path.parent / "a.png").mkdir()
        assert "a.png is a folder" in run("metrics", "--plot", "a.png").stderr

    def test_without_matplotlib_it_says_what_to_type(
        self, run: Run, busy: Home, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pictures, "find_spec", lambda name: None)
        result = run("metrics", "--plot", "a.png")
        assert result.exit_code == 1
        assert "drawing needs matplotlib" in result.stderr
        assert "pip install 'squad-runtime[plots]'" in result.stderr
