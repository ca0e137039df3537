"""Whose the other end of a connection over loopback is: the kernel's table of TCP sockets says which user has each.

``/proc/net/tcp``, see proc(5): addresses in hexadecimal, 32 bits at a time in the machine's byte order.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

Address = tuple[str, int]

_LOCAL, _REMOTE, _USER = 1, 2, 7  # columns


def is_own(client: Address, server: Address) -> bool:
    """Whether a socket of this user is at ``client`` and connected to ``server``. What is no longer there is not."""
    wanted = (_written(client), _written(server))
    table = Path("/proc/net/tcp6" if ":" in client[0] else "/proc/net/tcp")
    try:
        lines = table.read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return False
    rows = (line.split() for line in lines)
    return any((row[_LOCAL], row[_REMOTE]) == wanted and int(row[_USER]) == os.geteuid() for row in rows)


def _written(address: Address) -> str:
    host, port = address
    packed = socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
    words = (packed[start : start + 4] for start in range(0, len(packed), 4))
    return f"{''.join(f'{int.from_bytes(word, sys.byteorder):08X}' for word in words)}:{port:04X}"
