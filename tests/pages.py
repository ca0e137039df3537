"""What the pages of the documentation tell a reader to type, and the squad of the README to type it in."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from tests.running import RunningSquad
from tests.test_readme import README, block


def commands(page: str, section: str) -> list[list[str]]:
    """The command lines of a section of a page, without ``squad``."""
    text = page.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    lines = "".join(re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)).splitlines()
    assert lines
    assert all(line.startswith("squad ") for line in lines)
    return [shlex.split(line)[1:] for line in lines]


def hello(folder: Path) -> RunningSquad:
    """The squad ``hello``, written into ``folder``; started by the caller."""
    (folder / "agents.py").write_text(block(README, "python", "`hello/agents.py`:"))
    (folder / "squad.yaml").write_text(block(README, "yaml", "`hello/squad.yaml`:"))
    return RunningSquad(folder / ".squad", folder / "squad.yaml")
