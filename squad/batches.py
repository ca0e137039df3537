"""Many messages in one request: how a client cuts them into batches, and has one checked while one is stored."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence

from squad.errors import Problem, RefusedError
from squad.ids import new_id

Send = Callable[[Sequence[bytes], Callable[[], None]], list[str]]
"""Sends lines in one request, whose end it sends when the call that it is given returns; their ids."""

_MOST_BYTES = 60 * 1024 * 1024  # of one request


def with_id(line: bytes) -> bytes:
    """The line with an id of ours in front of its other fields, which stay as they were written."""
    try:
        message = json.loads(line.decode())
    except (ValueError, RecursionError):
        return line
    if not isinstance(message, dict) or not message or "id" in message:
        return line
    return b'{"id":"%s",%s' % (new_id().encode(), line.lstrip()[1:])


def chunks(lines: Iterable[bytes], most: int) -> Iterator[list[bytes]]:
    """Lists of up to ``most`` lines, and of fewer when the lines are long."""
    chunk: list[bytes] = []
    size = 0
    for line in lines:
        if chunk and (len(chunk) >= most or size + len(line) > _MOST_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(line)
        size += len(line) + 1
    if chunk:
        yield chunk


class _AbandonedError(Exception):
    """The batch before it was not stored, so this one must not be."""


class Sending:
    """A batch on its way, on a thread of its own, but for its end: that is sent once the batch ``after`` is stored.

    ``before``: how many messages the batches before it have.
    """

    def __init__(self, send: Send, lines: Sequence[bytes], before: int, after: Sending | None) -> None:
        self._before = before
        self._after = after
        self._abandoned = False
        self._ids: list[str] = []
        self._error: BaseException | None = None
        self._begin(lambda: self._run(send, lines))

    def _begin(self, run: Callable[[], None]) -> None:
        self._thread = threading.Thread(target=run, name="sending", daemon=True)
        self._thread.start()

    def _run(self, send: Send, lines: Sequence[bytes]) -> None:
        try:
            self._ids = send(lines, self._gate)
        except BaseException as error:  # raised where the batch is waited for
            self._error = error

    def _gate(self) -> None:
        if self._after is not None:
            self._after.join()
            if self._after._error is not None:
                raise _AbandonedError
        if self._abandoned:
            raise _AbandonedError
        self._after = None  # its lines are not kept for longer

    def abandon(self) -> None:
        """Do not store it, if it was not complete yet."""
        self._abandoned = True

    def join(self) -> None:
        """Wait until it is known what has become of it."""
        self._thread.join()

    def done(self, queued: Sequence[str]) -> list[str]:
        """Its messages' ids, once they are stored; ``queued``: those of the batches before it. Raises what it met."""
        self.join()
        error = self._error
        if isinstance(error, RefusedError):
            error.problems = tuple(_shifted(problem, self._before) for problem in error.problems)
            if queued:
                error.message += f"; the {len(queued)} messages of the batches before it are queued"
                error.args = (error.message,)
        if error is not None:
            raise error
        return self._ids


def _shifted(problem: Problem, by: int) -> Problem:
    """The same problem, its ``line N`` counted from the first message of all and not from its batch's first."""
    word, _, rest = problem.where.partition(" ")
    number, colon, field = rest.partition(":")
    if word != "line" or not number.isdigit():
        return problem
    return Problem(f"line {int(number) + by}{colon}{field}", problem.what, problem.hint)
