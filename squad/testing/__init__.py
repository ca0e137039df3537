"""Testing agents: a squad in the test's own process, fast and with a clock that the test moves, or a real one.

    def test_scanner():
        with squad_of(scanner=Scanner, checker=Checker) as squad:
            sent = squad.send("scanner", Scan(path="src"))
            squad.run()
            assert squad.result(sent) == {"files": 3}
            assert squad.sent("checker", CheckFile) == [CheckFile("src/a.py"), ...]

In process everything is Squad's own (the store, the mailboxes, retries, what a handler is given), except processes,
sockets and time. With ``real=True`` the same test runs against real processes.
"""

from __future__ import annotations

from squad.testing.failures import HandlerError, StuckError, UnfinishedError
from squad.testing.making import Declared, agent, convoy, squad_from, squad_of
from squad.testing.squad import Squad

__all__ = [
    "Declared",
    "HandlerError",
    "Squad",
    "StuckError",
    "UnfinishedError",
    "agent",
    "convoy",
    "squad_from",
    "squad_of",
]
