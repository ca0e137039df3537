"""Starting and stopping a squad.

The launcher is the process behind ``squad start``. It holds the home, starts the actor tree, starts it again when its
root or Thespian's admin dies, shows the logs, and ends everything when it is told to.

    begin      ``squad start``: what is checked before anything runs
    lock       one launcher to a home
    plan       what the command hands to the launcher's own process
    program    how that process comes to be
    running    the launcher's life
    roots      the actor tree that it starts and watches
    vigil      whether the supervisor stands still
    signals    what it is told meanwhile
    service    what a service manager is told
    stream     the logs on standard output
    printed    what a squad in the background prints, kept to a size
    processes  the mark of a squad's processes: finding them, ending them
    remains    what a squad leaves that could not clean up itself
    account    what a stop left unfinished
    ready      ``squad start --detach``: waiting until all agents are
    stopping   ``squad stop``
"""

from __future__ import annotations

from squad.launcher.account import Unfinished
from squad.launcher.begin import start
from squad.launcher.stopping import Stopped, stop

__all__ = ["Stopped", "Unfinished", "start", "stop"]
