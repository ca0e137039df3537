"""The system base under Thespian's actors: processes, sockets, and what ends when."""

from squad.actors.transport.system import System, open_system

__all__ = ["System", "open_system"]
