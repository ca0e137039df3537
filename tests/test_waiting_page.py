"""What docs/waiting.md shows happens as written, in the squad of the README."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from squad import Client
from tests.pages import hello
from tests.running import ROOT, RunningSquad
from tests.test_readme import block

PAGE = (ROOT / "docs/waiting.md").read_text()
_DIFFERS = (
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID"),
    (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"),
    (r"(sent|for|in) (\d+(\.\d)?(ms|s|m) ?)+", r"\1 LONG "),
    (r"by [\w ]+: ", "by NAME: "),
    (r" +", " "),
)


@pytest.fixture
def squad(tmp_path: Path) -> Iterator[RunningSquad]:
    squad = hello(tmp_path)
    with (tmp_path / "squad.yaml").open("a") as config:
        config.write("monitor: {max_throttle: 0}\n")  # that the machine is overloaded is no reason here
    with squad:
        yield squad


def same(text: str) -> list[str]:
    """Its lines without what differs from one run to the next."""
    for pattern, instead in _DIFFERS:
        text = re.sub(pattern, instead, text)
    return text.splitlines()


def test_every_example_prints_what_the_page_shows(squad: RunningSquad) -> None:
    text = "".join(re.findall(r"^```console\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
    task = ""
    for example in text.split("$ squad ")[1:]:
        line, _, shown = example.partition("\n")
        words = [task if word.startswith("01a2") else word for word in shlex.split(line)]
        done = squad.cli(*words)
        assert same(done.stderr + done.stdout) == same(shown), line
        if words[0] == "send":
            task = done.stdout.strip()
    squad.wait(task, tree=True)


def test_python(squad: RunningSquad, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQUAD_HOME", str(squad.home))
    code = block(PAGE, "python", "## From Python")
    exec(compile(code, "docs/waiting.md", "exec"), {})  # noqa: S102 - our own page
    with Client(squad.home) as client:
        assert client.holds() == {"frozen": None, "paused": []}


def test_every_kind_of_reason_is_explained() -> None:
    sources = "".join((ROOT / f"actors/why/{name}.py").read_text() for name in ("reasons", "waiting", "handled"))
    kinds = set(re.findall(r'(?:Reason|\bat)\(\s*"(\w+)",', sources))
    listed = {kind for row in re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE) for kind in re.findall(r"`(\w+)`", row)}
    assert kinds == listed
