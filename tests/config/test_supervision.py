"""Mistakes in the order of starts, in groups and in readiness: each by its line, all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from squad.config.load import parse
from squad.config.programs import check_commands
from squad.errors import ConfigError

CONFIG = """
agents:
  a:
    class: ./a.py:A
    after: [b, scaner]
  b:
    class: ./a.py:B
    after:
      - a
      - nobody
  scanner:
    class: ./a.py:C
    timeout: soon
supervision:
  groups:
    g: {members: [a, b]}
    h:
      members:
        - scanner
        - b
"""


def refused(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text, name="squad.yaml", base_dir=Path("/nowhere"))
    return [str(problem) for problem in caught.value.problems]


def test_all_are_named_by_line_together_with_others() -> None:
    found = refused(CONFIG)
    assert found[0] == "squad.yaml:5: agents.a.after: there is no agent or convoy 'scaner' (did you mean 'scanner'?)"
    assert found[1] == "squad.yaml:10: agents.b.after: there is no agent or convoy 'nobody'"
    assert found[2].startswith("squad.yaml:13: agents.scanner.timeout")
    assert found[3].startswith("squad.yaml:20: supervision.groups.h.members: 'b' is a member of g already")
    assert len(found) == 4


def test_a_circle_is_named_where_it_begins() -> None:
    (found,) = refused(
        CONFIG.replace(", scaner", "")
        .replace("      - nobody\n", "")
        .replace("soon", "5s")
        .replace("- b", "")
        .replace("    h:\n      members:\n        - scanner\n        \n", "")
    )
    assert found.startswith("squad.yaml:5: agents.a.after: a after b after a is a circle")


def test_a_program_for_readiness_that_is_not_there(tmp_path: Path) -> None:
    text = "agents:\n  a:\n    class: ./a.py:A\n    ready_when: {command: [no-such-program]}\n"
    config = parse(text, name="squad.yaml", base_dir=tmp_path, source=tmp_path / "squad.yaml")
    (problem,) = check_commands(config, {})
    assert problem.where.endswith("squad.yaml:4")
    assert "no-such-program" in problem.what


def test_who_is_to_be_told_must_be_there() -> None:
    text = "agents:\n  pager:\n    class: ./a.py:A\nsupervision:\n  notify: pagr\n"

    assert refused(text) == [
        "squad.yaml:5: supervision.notify: there is no agent or convoy 'pagr' (did you mean 'pager'?)"
    ]
