"""Loading a good file, and files that cannot be read at all."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from squad.config.load import load, parse
from squad.config.schema import ConvoyConfig
from squad.errors import ConfigError

GOOD = """\
name: audit
agents:
  scanner:
    class: ./agents.py:Scanner
    timeout: 10m
    options: {skip: [.git, build], deep: {er: 1}}
convoys:
  checker:
    class: package.module:Checker
    min: 2
    max: 8
    memory_per_worker: 200MB
limits: {max_payload: 1 MiB}
"""

AGENT = "agents:\n  one:\n    class: ./a.py:A\n"


def test_a_good_file_loads_with_units_read_and_defaults_filled_in(folder: Path) -> None:
    (folder / "squad.yaml").write_text(GOOD)
    config = load(Path("squad.yaml"))
    scanner, checker = config.agents["scanner"], config.convoys["checker"]
    assert (config.name, scanner.class_, scanner.timeout) == ("audit", "./agents.py:Scanner", 600.0)
    assert scanner.options == {"skip": [".git", "build"], "deep": {"er": 1}}
    assert (checker.min, checker.max, checker.memory_per_worker) == (2, 8, 200_000_000)
    assert config.limits.max_payload == 2**20
    assert (checker.timeout, checker.retry.cap, config.monitor.interval) == (1800.0, 300.0, 2.0)
    assert config.supervision.restarts.backoff == 0.1


def test_it_remembers_where_it_came_from_also_after_pickling(folder: Path) -> None:
    (folder / "squad.yaml").write_text(GOOD)
    config = load(Path("squad.yaml"))
    again = pickle.loads(pickle.dumps(config))  # noqa: S301 - our own
    for each in (config, again):
        assert each.base_dir == folder
        assert each.source == folder / "squad.yaml"
        assert each.line_of("agents", "scanner", "class") == 4
        assert each.line_of("agents", "scanner", "options", "skip", 1) == 6
        assert each.line_of("agents", "scanner") == 3
        assert each.line_of("agents", "scanner", "retry", "cap") == 3  # not written: what is around it
        assert each.line_of("store") is None
    assert again == config


def test_equality_is_about_what_it_says_not_where_it_stands() -> None:
    first = parse(AGENT, name="a", base_dir=Path("/a"))
    assert first == parse("# moved\n" + AGENT, name="b", base_dir=Path("/b"))
    assert first != parse(AGENT.replace("A", "B"), name="a", base_dir=Path("/a"))


def test_a_linked_file_is_relative_to_the_folder_of_the_link(folder: Path) -> None:
    (folder / "real").mkdir()
    (folder / "real" / "squad.yaml").write_text(AGENT)
    (folder / "link.yaml").symlink_to(folder / "real" / "squad.yaml")
    assert load(folder / "link.yaml").base_dir == folder


def test_sections_left_blank_are_as_good_as_left_out() -> None:
    blank = AGENT + "    options:\n    retry:\n    restarts:\nconvoys:\nstore:\n  pool:\nlogging:\n"
    config = parse(blank, name="squad.yaml", base_dir=Path())
    assert config == parse(AGENT, name="squad.yaml", base_dir=Path())


@pytest.mark.parametrize(("written", "rate"), [("none", None), ("60", 60.0), ("{per_minute: 60}", 60.0), ("0.5", 0.5)])
def test_rates_can_be_written_in_three_ways(written: str, rate: float | None) -> None:
    one = parse(f"{AGENT}    send_rate: {written}\n", name="squad.yaml", base_dir=Path()).agents["one"]
    assert (one.send_rate and one.send_rate.per_minute) == rate
    assert one.send_rate is None or one.send_rate.burst == 20


def test_an_agents_restarts_override_those_of_the_squad_key_by_key() -> None:
    text = AGENT + "    restarts: {intensity: 9}\n  two: {class: './a.py:A'}\nsupervision: {restarts: {period: 5m}}\n"
    config = parse(text, name="squad.yaml", base_dir=Path())
    one, two = config.agents["one"].restarts, config.agents["two"].restarts
    assert one and two
    assert (one.intensity, one.period) == (9, 300.0)
    assert (two.intensity, two.period) == (3, 300.0)


# -- files


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda path: None, "there is no such file"),
        (lambda path: path.mkdir(), "is a folder"),
        (os.mkfifo, "is not a regular file"),
        (lambda path: path.symlink_to(path), "too many levels of symbolic links"),
        (lambda path: path.write_bytes(b"#" * 1_000_001), "is larger than 1,000,000 bytes"),
    ],
)
def test_files_that_cannot_be_read(folder: Path, make: Callable[[Path], object], what: str) -> None:
    make(folder / "squad.yaml")
    with pytest.raises(ConfigError) as caught:
        load(Path("squad.yaml"))
    assert str(caught.value) == "squad.yaml cannot be read"
    assert [(problem.where, problem.what) for problem in caught.value.problems] == [("squad.yaml", what)]
    assert caught.value.hint


@pytest.mark.parametrize(
    ("data", "where", "what"),
    [
        (b"name: x\nagents: \xff\n", "squad.yaml:2", "the file is not UTF-8 text: there is a byte 0xff"),
        ("name: x\n".encode("utf-16"), "squad.yaml:1", "the file is UTF-16 text"),
        (b"\0\0\0", "squad.yaml:1", r"the character '\x00' cannot stand in YAML"),
    ],
)
def test_bytes_that_are_no_text(folder: Path, data: bytes, where: str, what: str) -> None:
    (folder / "squad.yaml").write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        load(Path("squad.yaml"))
    assert [(problem.where, problem.what) for problem in caught.value.problems] == [(where, what)]


def test_a_byte_order_mark_and_windows_line_ends_are_fine(folder: Path) -> None:
    (folder / "squad.yaml").write_bytes(b"\xef\xbb\xbf" + AGENT.replace("\n", "\r\n").encode())
    assert load(folder / "squad.yaml").line_of("agents", "one", "class") == 3


def test_paths_are_shown_as_people_can_use_them(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (folder / "deploy").mkdir()
    (folder / "deploy" / "squad.yaml").write_text("x: 1\n")
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "squad.yaml"
    elsewhere.write_text("x: 1\n")
    for path, shown in ((folder / "deploy" / "squad.yaml", "deploy/squad.yaml:1"), (elsewhere, f"{elsewhere}:1")):
        with pytest.raises(ConfigError) as caught:
            load(path)
        assert caught.value.problems[0].where == shown


def test_a_convoy_is_found_as_a_recipient_like_an_agent() -> None:
    config = parse(GOOD, name="squad.yaml", base_dir=Path())
    assert list(config.recipients) == ["scanner", "checker"]
    assert config.recipient("scanner") is config.agents["scanner"]
    assert isinstance(config.recipient("checker"), ConvoyConfig)
    assert config.recipient("nobody") is None
