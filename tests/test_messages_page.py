"""The examples of docs/messages.md work as written, and the page says what is so."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from squad.actors.agents.sendrate import LONGEST
from squad.actors.gateway.admission import LONGEST_WAIT
from squad.config.schema import AgentConfig
from squad.replies import Reply
from tests.running import ROOT, RunningSquad

PAGE = (ROOT / "docs/messages.md").read_text()


SETTLED = """
from pathlib import Path
from tests.running import RunningSquad, eventually

squad = RunningSquad(Path.cwd() / ".squad")
eventually(lambda: not squad.query("SELECT 1 FROM tasks WHERE status IN ('queued', 'running')"), "all is handled")
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_examples_run_as_written(tmp_path: Path) -> None:
    agents, *programs = blocks("python")
    (tmp_path / "agents.py").write_text(agents)
    (tmp_path / "squad.yaml").write_text(blocks("yaml")[0])
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin/squad"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m squad.cli "$@"\n')
    script.chmod(0o700)
    for number, program in enumerate(programs):
        (tmp_path / f"program{number}.py").write_text(program)
    first, later, last = blocks("sh")
    ours = [f"{sys.executable} program{number}.py\n" for number in range(len(programs))]
    (tmp_path / "settled.py").write_text(SETTLED)  # a stop lets wait what still waits
    before_stop = f"{ours[1]}{sys.executable} settled.py\n"
    commands = "".join([first, ours[0], later, last.replace("squad stop", f"{before_stop}squad stop")])
    squad = RunningSquad(tmp_path / ".squad")
    env = {name: value for name, value in os.environ.items() if name != "SQUAD_HOME"}
    env |= {"PYTHONPATH": str(ROOT), "PATH": f"{tmp_path}/bin:{env['PATH']}"}
    try:
        done = subprocess.run(
            ["/bin/bash", "-euxo", "pipefail", "-c", commands],
            cwd=tmp_path, env=env, capture_output=True, text=True, timeout=200, check=False,
        )  # fmt: skip
        told = f"{done.stdout}\n{done.stderr}"
        assert done.returncode == 0, told
        assert "2 lamp: delivered" in done.stdout, told
        assert "0 would be replayed" in done.stdout, told
        squad.assert_nothing_left()
    finally:
        squad.end_everything()
    assert squad.counts() == {
        ("order", "completed"): 12,
        ("order", "cancelled"): 1,
        ("reserve", "completed"): 12 + 2,
        ("squad.reply", "completed"): 12,
        ("report", "completed"): 1,
    }
    (edited,) = squad.query(
        "SELECT payload FROM tasks WHERE sender = 'cli' AND payload LIKE '%chair%' AND type = 'reserve'"
    )
    assert json.loads(edited["payload"]) == {"item": "chair", "count": 1}


def test_the_page_names_the_defaults_and_the_fields() -> None:
    settings = AgentConfig(class_="./a.py:A")
    assert f"`queue.limit` messages, {settings.queue.limit} unless configured" in PAGE
    assert f"After `cancel_grace` ({settings.cancel_grace:g} s)" in PAGE
    assert settings.send_rate is not None
    assert f"An agent sends {settings.send_rate.per_minute:g} messages a minute at most" in PAGE
    assert f"waits for {LONGEST_WAIT:g} s at most" in PAGE
    assert f"a message is put off for {LONGEST:g} s at most" in PAGE
    for field in Reply.__dataclass_fields__:  # type: ignore[attr-defined]
        assert f"| `{field}` |" in PAGE
