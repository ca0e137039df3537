"""The fault kit: a squad on this machine that is killed again and again while it works, and whose books must balance.

    verify(Plan(seed=1, seconds=120, kills=100, rounds=20), folder, told=print)

``squad verify`` runs it, and the tests in ``tests/faults``.

    workload    what the squad does: its configuration, and the messages that it is sent
    agents      the agents that do it; ``stamp`` is the program of one
    producer    senders, and their journals of what was acknowledged
    runs        the file in which agents note every run of a handler
    throwaway   the squad itself
    targets     its processes
    strikes     what is killed or frozen, and when
    recovery    how long it takes until it works again
    steadiness  what its processes take of the machine
    ledger      the check
    trial       one run of all that
"""

from __future__ import annotations

from squad.verify.trial import Plan, Report, verify

__all__ = ["Plan", "Report", "verify"]
