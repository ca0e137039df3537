"""What a squad needs of the system is known before it starts, and the same squad does not take more."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from squad.actors import limits
from squad.config.load import load
from tests.running import ROOT, RunningSquad

Start = Callable[[str], RunningSquad]
MANY = 20
AGENTS = "agents:\n" + "".join(f"  w{n}: {{class: 'AGENTS:Worker'}}\n" for n in range(MANY))


def test_a_squad_takes_no_more_than_it_was_said_to_need(start: Start) -> None:
    squad = start(AGENTS)
    needs = limits.needs_of(load(squad.config or Path()))
    processes = [psutil.Process(pid) for pid in squad.processes()]

    assert len(processes) == needs.processes
    most = max(process.num_fds() for process in processes)
    assert 2 * MANY <= most <= limits.files_for(needs.processes) - limits.files_for(0) + 64
    assert sum(process.num_threads() for process in processes) <= needs.tasks


UNDER_A_LIMIT = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (100, int(sys.argv[1])))
os.execv(sys.executable, [sys.executable, "-m", "squad.cli", "start", "--config", sys.argv[2]])
"""


def test_a_start_is_refused_before_anything_is_touched_and_says_what_to_type(tmp_path: Path) -> None:
    config, home = tmp_path / "squad.yaml", tmp_path / "home"
    agents = ROOT / "tests/actors/squads/agents.py"
    config.write_text(f"convoys: {{pool: {{class: '{agents}:Pool', min: 1, max: 100}}}}\n")
    needed = limits.needs_of(load(config)).files
    command = [sys.executable, "-c", UNDER_A_LIMIT, str(needed - 1), str(config)]
    environment = os.environ | {"SQUAD_HOME": str(home), "PYTHONPATH": str(ROOT)}

    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)

    assert done.returncode == 1
    assert f"{needed - 1} are allowed, and its 107 processes may need {needed}" in done.stderr
    assert f"ulimit -n {needed}" in done.stderr
    assert f"LimitNOFILE={needed}" in done.stderr
    assert not home.exists()


def test_a_reload_that_needs_more_is_refused(start: Start) -> None:
    squad = start("agents: {w0: {class: 'AGENTS:Worker'}}\n")
    config = squad.config or Path()
    now = limits.needs_of(load(config))
    for pid in squad.pids("supervisor"):
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (now.files, now.files))
    config.write_text(AGENTS.replace("AGENTS", str(ROOT / "tests/actors/squads/agents.py")))

    refused = squad.cli("reload", status=None)

    assert refused.returncode != 0
    assert f"{now.files} are allowed" in refused.stderr
    assert set(squad.tree()) == {"supervisor", "storage", "monitor", "gateway", "w0"}


@pytest.mark.parametrize(("free", "refused"), [(-1, True), (0, False)])
def test_a_limit_on_processes_is_heeded(monkeypatch: pytest.MonkeyPatch, free: int, refused: bool) -> None:
    needs = limits.Needs(processes=10, files=300, tasks=80)
    todo = "raise it to {0}"
    monkeypatch.setattr(limits, "_task_limits", lambda: [("pids.max", 1000, 1000 - 80 - free, todo)])

    problems = list(limits.too_few_tasks(needs))

    assert [problem.hint for problem in problems] == (["raise it to 1001"] if refused else [])
    assert not list(limits.too_few_tasks(needs, running=80))


def test_every_limit_that_there_is_on_processes_is_found_and_allows_a_few() -> None:
    found = {where: (limit, used) for where, limit, used, _todo in limits._task_limits()}

    assert {"kernel.pid_max", "kernel.threads-max"} <= set(found)
    assert all(0 < used < limit for limit, used in found.values())


def test_the_soft_limits_are_raised_to_the_hard_ones() -> None:
    program = """
import resource
from squad.actors import limits
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 4000))
resource.setrlimit(resource.RLIMIT_NPROC, (1000, 30000))
limits.raise_soft()
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], resource.getrlimit(resource.RLIMIT_NPROC)[0])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["4000", "30000"]
