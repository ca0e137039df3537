"""The life of an agent that is played before the first fork: it works, it leaves nothing, and Python remembers it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

_AROUND = """
    import dis, logging, os, signal, sys, tempfile, threading
    from pathlib import Path
    from squad.actors.supervision import rehearsal
    from squad.actors.agents.agent import AgentActor
    from squad.actors.agents.runner import Runner
    from squad.actors.transport import processes
    from squad.actors.transport.lanes import Lanes

    def state():
        files = sorted(os.listdir("/proc/self/fd")), os.listdir(os.environ["TMPDIR"])
        return files, list(sys.path), list(sys.modules), threading.enumerate(), signal.getsignal(signal.SIGCHLD)

    def learned(function):
        plain, met = (list(dis.get_instructions(function, adaptive=each)) for each in (False, True))
        return [each.opname for each in plain] != [each.opname for each in met]

    learning = (AgentActor.on_deliver, Runner._handle_message, Lanes._write)
"""


def run(script: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """In a process of its own, as the launcher is, whose temporary files would be in ``tmp_path``."""
    (tmp_path / "script.py").write_text(textwrap.dedent(_AROUND) + textwrap.dedent(script))
    folder = tmp_path / "temporary"
    folder.mkdir()
    env = os.environ | {"TMPDIR": str(folder)}
    return subprocess.run(
        [sys.executable, str(tmp_path / "script.py")], env=env, capture_output=True, text=True, timeout=100, check=False
    )


def test_it_leaves_nothing_behind_but_what_python_has_learned(tmp_path: Path) -> None:
    done = run(
        """
        rehearsal.rehearse()
        before = state()
        rehearsal.rehearse()
        assert state() == before, (state(), before)
        assert not logging.root.handlers
        assert not list(processes._parents_own)
        assert all(learned(each) for each in learning)
        """,
        tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_an_agent_that_fails_in_it_ends_nothing_else(tmp_path: Path) -> None:
    done = run(
        """
        from squad.errors import StartError

        def fail(self, msg, sender):
            raise ValueError("as asked")

        AgentActor.on_state = fail
        before = state()[0], threading.enumerate()
        try:
            rehearsal.rehearse()
        except StartError as error:
            print(error.message)
        assert (state()[0], threading.enumerate()) == before
        """,
        tmp_path,
    )
    assert (done.returncode, done.stdout) == (0, "an agent that was rehearsed would have ended with status 70\n"), done


@pytest.mark.parametrize("text", ["OSError('no space')", "StartError('no time')"])
def test_a_squad_starts_without_it(tmp_path: Path, text: str) -> None:
    done = run(
        f"""
        import gc
        from squad.actors.supervision import shared
        from squad.errors import StartError

        def fail():
            raise {text}

        rehearsal.rehearse = fail
        shared.load()
        assert gc.get_freeze_count() > 10_000
        """,
        tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
