from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from squad.actors.agents.recipients import recipients
from squad.config.load import load
from squad.config.schema import AgentConfig, SquadConfig
from squad.errors import ConfigError

AGENT = "agents:\n  manager: {command: [cat], handles: [TYPE]}\ntypes:\n  t: {fields: {}}\n"


def written(folder: Path, text: str) -> Path:
    (folder / "squad.yaml").write_text(text)
    return folder / "squad.yaml"


def test_who_is_told_how_often_and_of_what(tmp_path: Path) -> None:
    text = (
        AGENT.replace("TYPE", "squad.bottlenecks") + "bottlenecks: {tell: manager, every: 10s, slower_than: 1500ms}\n"
    )
    config = load(written(tmp_path, text))
    assert (config.bottlenecks.tell, config.bottlenecks.every, config.bottlenecks.slower_than) == ("manager", 10, 1.5)
    assert config.timed
    assert "squad.bottlenecks" in recipients(config)["manager"]


def test_nobody_is_told_unless_it_says_so(tmp_path: Path) -> None:
    config = load(written(tmp_path, AGENT.replace("TYPE", "t")))
    assert config.bottlenecks.tell is None
    assert not config.timed


@pytest.mark.parametrize(
    ("keys", "mistake"),
    [
        (
            "tell: manger",
            "squad.yaml:5: bottlenecks.tell: there is no agent or convoy 'manger' (did you mean 'manager'?)",
        ),
        ("every: 9s", "10s or more"),
        ("slower_than: 0", "slower_than"),
        ("teller: manager", "teller"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, keys: str, mistake: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(written(tmp_path, AGENT.replace("TYPE", "t") + f"bottlenecks: {{{keys}}}\n"))
    (problem,) = error.value.problems
    assert mistake in f"{problem.where}: {problem.what} ({problem.hint})"


def test_one_made_in_python_is_checked_too() -> None:
    with pytest.raises(ValidationError, match=r"bottlenecks\.tell: there is no agent or convoy 'b'"):
        SquadConfig(agents={"a": AgentConfig(class_="m:A")}, bottlenecks={"tell": "b"})  # type: ignore[arg-type]


def test_who_is_told_must_listen(tmp_path: Path) -> None:
    config = load(written(tmp_path, AGENT.replace("TYPE", "t") + "bottlenecks: {tell: manager}\n"))
    with pytest.raises(ConfigError) as error:
        recipients(config)
    (problem,) = error.value.problems
    assert "bottlenecks.tell: manager does not handle 'squad.bottlenecks'" in problem.what
    assert problem.where.endswith("squad.yaml:5")
    assert problem.hint == "give it a method with @handles(Bottlenecks), from squad import Bottlenecks"
