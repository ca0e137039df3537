"""What the tests of sending are made of."""

from __future__ import annotations

import socket
from collections.abc import Callable

from squad.actors.transport.inbox import Inbox
from squad.actors.transport.wire import greeting

Listen = Callable[..., socket.socket]
Run = Callable[[Callable[[], object]], object]
HELLO = greeting("/me")


def numbers(box: Inbox) -> list[object]:
    return [message for _sender, message in box.messages]
