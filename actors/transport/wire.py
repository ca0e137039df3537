"""What travels on a connection: frames, from the process that connected to the one that accepted.

A frame is the length of its data (8 bytes, big-endian) and the data. The first frame, the greeting, says who connected:
one byte, and the path where that process listens. Every other frame is the pickle of a message. With ``ANSWER`` as the
byte, each message is answered with one byte, ``TAKEN`` or ``UNREADABLE``; else nothing ever travels back.
"""

from __future__ import annotations

import os
import socket
import struct

LENGTH = struct.Struct("!Q")
TAKEN, UNREADABLE = b"+", b"-"
ANSWER, SILENT = b"?", b"."

_PEER = struct.Struct("3i")  # struct ucred: pid, uid, gid


def frame(data: bytes) -> bytes:
    return LENGTH.pack(len(data)) + data


def greeting(path: str, manner: bytes = SILENT) -> bytes:
    """The first frame of a process that listens at ``path``; ``manner`` is ANSWER or SILENT."""
    return frame(manner + os.fsencode(path))


def is_same_user(connection: socket.socket) -> bool:
    """Whether the process at the other end runs as this process's user. The kernel says so, not the peer."""
    _pid, uid, _gid = _PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    return bool(uid == os.geteuid())
