"""What comes from outside, checked: JSON text in, rows for the store out, or every mistake by name.

Pure: no network, and the time is given. Nothing that is refused here has left a trace anywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from squad import trace
from squad.actors.gateway.catalogue import Catalogue, shown
from squad.actors.gateway.reading import IntakeError, TooLargeError, brief, is_id, read_object
from squad.errors import Problem, RefusedError
from squad.ids import new_id
from squad.jsontext import compact
from squad.messages import MessageType, did_you_mean
from squad.moments import parse_coming
from squad.store.rows import NewTask

MOST_LINES = 100_000  # of one batch
MOST_BYTES = 64 * 1024 * 1024  # likewise
DEFAULT_PRIORITY = 5
DEFAULT_SENDER = "cli"

_PLAIN = frozenset({"id", "recipient", "type", "payload"})  # the fields of most messages
_FIELDS = _PLAIN | {"priority", "sender", "delay", "at", "ttl", "key", "traceparent"}
_LONGEST_SENDER = 100  # characters
_LONGEST_KEY = 200
_LONGEST_DELAY = 1e9  # seconds, about 30 years
_LINES_NAMED = 100
_NAMED_PER_LINE = 10
_MISFITS_NAMED = 100  # fields of one payload
_UNKNOWN_NAMED = 20  # surplus fields of one message
_ENVELOPE = 64 * 1024  # bytes of a request for all but its payload
_LONGEST_PLACE = 120  # characters of a field's name in an error
_MISSING: Final = object()


class Intake:
    """Checks messages for the recipients in ``catalogue``; ``max_payload`` is in bytes of JSON."""

    def __init__(self, catalogue: Catalogue, max_payload: int) -> None:
        self._catalogue = catalogue
        self._max_payload = max_payload
        # Room for a payload that is written with spaces and escapes, which are not kept.
        self.max_request = 2 * max_payload + _ENVELOPE

    def one(self, body: bytes, now: float) -> NewTask:
        """The row for a request with one message. ``now`` in seconds since the epoch. Raises IntakeError."""
        return self.row(read_object(body, lines=True), now)

    def row(self, message: dict[str, Any], now: float) -> NewTask:
        """Likewise for a message that was read already."""
        check = _Check(message)
        task_id = check.optional("id", None, _id)
        recipient = check.required("recipient", _text)
        type_name = check.required("type", _text)
        payload = check.required("payload", _object)
        priority, sender, not_before, expires_at, key = DEFAULT_PRIORITY, DEFAULT_SENDER, None, None, None
        traceparent = None
        if not message.keys() <= _PLAIN:
            priority = check.optional("priority", DEFAULT_PRIORITY, _priority)
            sender = check.optional("sender", DEFAULT_SENDER, _sender)
            not_before, expires_at = self._times(check, now)
            key = check.optional("key", None, _key)
            traceparent = check.optional("traceparent", None, _traceparent)
        text = ""
        if recipient is not None and type_name is not None:
            kind = self._catalogue.find(recipient, type_name)
            if isinstance(kind, Problem):
                check.unknown(kind)
            elif payload is not None:
                text = self._payload(payload, kind, check)
        check.done()
        return NewTask(
            task_id or new_id(),
            sender,
            recipient,
            type_name,
            text,
            priority,
            not_before=not_before,
            key=key,
            expires_at=expires_at,
            traceparent=traceparent,
        )

    def _times(self, check: _Check, now: float) -> tuple[float | None, float | None]:
        """(when it may first be handled, when it expires); nonsense when ``check`` has found problems."""
        delay = check.optional("delay", 0, _delay) or 0
        not_before = now + delay if delay else None
        at = check.optional("at", None, _at)
        if at is not None:
            if delay:
                check.problems.append(Problem("at", "cannot be given together with delay"))
            try:
                not_before = parse_coming(at, now)
            except ValueError as error:
                check.problems.append(Problem("at", str(error)))
        ttl = check.optional("ttl", None, _ttl)
        return not_before, None if ttl is None else max(now, not_before or now) + ttl

    def payload(self, recipient: str, type_name: str, payload: dict[str, Any]) -> str:
        """The payload of a message that is there already, as it is stored. Raises IntakeError."""
        kind = self._catalogue.find(recipient, type_name)
        if isinstance(kind, Problem):
            raise IntakeError(kind.what, hint=kind.hint)
        check = _Check({})
        text = self._payload(payload, kind, check)
        check.done()
        return text

    def _payload(self, payload: dict[str, Any], kind: MessageType, check: _Check) -> str:
        """The payload as it is stored: JSON without spaces."""
        try:
            text = compact(payload)
            data = text.encode()
        except UnicodeEncodeError:
            check.problems.append(Problem("payload", "holds half a character: a surrogate without its other half"))
            return ""
        except RecursionError:
            check.problems.append(Problem("payload", "is nested too deeply"))
            return ""
        except ValueError:
            check.problems.append(Problem("payload", "holds a number that is too large"))
            return ""
        if len(data) > self._max_payload:
            raise TooLargeError(
                f"the payload is {len(data):,} bytes of JSON; at most {self._max_payload:,} are allowed",
                "limits.max_payload in the configuration sets the limit",
            )
        try:
            kind.decode(data)
        except RefusedError as error:
            check.unfit = error.message
            check.problems += [_within(problem) for problem in error.problems[:_MISFITS_NAMED]]
            if len(error.problems) > _MISFITS_NAMED:
                more = len(error.problems) - _MISFITS_NAMED
                check.problems.append(Problem("payload", f"has {more:,} more mistakes"))
        except Exception as error:  # raised by the type's own __post_init__, which is the user's code
            what = f"cannot be checked: the type {kind.name!r} raised {type(error).__name__}: {error}"
            check.problems.append(Problem("payload", what))
        return text


class Batch:
    """A batch of messages, one JSON object a line, taken as it arrives. Blank lines count and are skipped."""

    def __init__(self, intake: Intake, now: float) -> None:
        self._intake = intake
        self._now = now
        self._begun: list[bytes] = []  # pieces of a line whose end has not arrived
        self._begun_bytes = 0
        self._bytes = 0
        self._line = 0
        self._rows: list[NewTask] = []
        self._lines_of_ids: dict[str, int] = {}
        self._wrong_lines = 0
        self._problems: list[Problem] = []

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Raises TooLargeError when the batch is over its limits; wrong lines are only noted."""
        self._bytes += len(data)
        if self._bytes > MOST_BYTES:
            raise TooLargeError(f"the batch is over {MOST_BYTES:,} bytes; nothing is queued", "send it in parts")
        *lines, last = data.split(b"\n")
        if lines:
            self._take(b"".join([*self._begun, lines[0]]))
            for line in lines[1:]:
                self._take(line)
            self._begun, self._begun_bytes = [], 0
        self._begun.append(last)
        self._begun_bytes += len(last)
        if self._begun_bytes > self._intake.max_request:
            raise self._too_long(self._line + 1)

    def finish(self) -> list[NewTask]:
        """The rows of all lines. Raises IntakeError naming the lines that are wrong, or when there are none."""
        if self._begun_bytes:
            self._take(b"".join(self._begun))
            self._begun, self._begun_bytes = [], 0
        if self._wrong_lines:
            of = f"{self._wrong_lines:,} of {self._line:,} lines"
            verb = "is" if self._wrong_lines == 1 else "are"
            raise IntakeError(f"{of} {verb} wrong; nothing is queued", problems=self._problems)
        if not self._rows:
            raise IntakeError("the batch is empty", hint='write one {"recipient", "type", "payload"} a line')
        return self._rows

    def _take(self, line: bytes) -> None:
        self._line += 1
        if self._line > MOST_LINES:
            raise TooLargeError(f"the batch has over {MOST_LINES:,} lines; nothing is queued", "send it in parts")
        if len(line) > self._intake.max_request:
            raise self._too_long(self._line)
        if not line or line.isspace():
            return
        try:
            row = self._intake.row(read_object(line), self._now)
        except IntakeError as error:
            self._wrong(error)
            return
        first = self._lines_of_ids.setdefault(row.task_id, self._line)
        if first == self._line:
            self._rows.append(row)
        else:
            self._wrong(IntakeError(f"id is that of line {first} as well"))

    def _wrong(self, error: IntakeError) -> None:
        self._wrong_lines += 1
        if self._wrong_lines > _LINES_NAMED:
            return
        where = f"line {self._line}"
        for problem in error.problems[:_NAMED_PER_LINE] or (Problem("", error.message, error.hint),):
            inside = f"{where}: {problem.where}" if problem.where else where
            self._problems.append(Problem(inside, problem.what, problem.hint))

    def _too_long(self, line: int) -> TooLargeError:
        return TooLargeError(f"line {line} is over {self._intake.max_request:,} bytes; nothing is queued")


class _Check:
    """Takes the fields out of one message and keeps what is wrong with them."""

    def __init__(self, message: dict[str, Any]) -> None:
        self._message = message
        self._sentence: Problem | None = None
        self.unfit = ""  # what is wrong with the payload as a whole
        self.problems: list[Problem] = []
        if message.keys() <= _FIELDS:
            return
        for name in sorted(message.keys() - _FIELDS)[:_UNKNOWN_NAMED]:
            near = did_you_mean(name, sorted(_FIELDS))
            self.problems.append(Problem(shown(name), "is not a field of a message", near))

    def required(self, name: str, rule: Callable[[Any], str]) -> Any:
        if name not in self._message:
            self.problems.append(Problem(name, "is missing"))
            return None
        return self.optional(name, None, rule)

    def optional(self, name: str, default: Any, rule: Callable[[Any], str]) -> Any:
        """The field's value, or ``default``. ``rule`` says what a value must be, or nothing when it is that."""
        value = self._message.get(name, _MISSING)
        if value is _MISSING:
            return default
        must = rule(value)
        if not must:
            return value
        self.problems.append(Problem(name, f"must be {must}, not {brief(value)}"))
        return None

    def unknown(self, problem: Problem) -> None:
        """Nobody takes this: a problem that is a whole sentence."""
        self._sentence = problem
        self.problems.append(problem)

    def done(self) -> None:
        """Raise IntakeError if anything is wrong."""
        if not self.problems:
            return
        if self.unfit and all(problem.where.startswith("payload") for problem in self.problems):
            raise IntakeError(self.unfit, problems=self.problems)
        if len(self.problems) > 1:
            raise IntakeError(f"{len(self.problems)} things are wrong with the message", problems=self.problems)
        only = self.problems[0]
        raise IntakeError(only.what if only is self._sentence else f"{only.where} {only.what}", hint=only.hint)


# -- what a field must be: each rule returns that, or nothing when the value is so -----------------------------------


def _id(value: Any) -> str:
    return "" if isinstance(value, str) and is_id(value) else "a UUID in lower case"


def _text(value: Any) -> str:
    return "" if isinstance(value, str) else "text"


def _object(value: Any) -> str:
    return "" if isinstance(value, dict) else "a JSON object"


def _priority(value: Any) -> str:
    if type(value) is int and 1 <= value <= 10:
        return ""
    return "a whole number from 1 (highest) to 10 (lowest)"


def _delay(value: Any) -> str:
    if type(value) in (int, float) and 0 <= value <= _LONGEST_DELAY:
        return ""
    return f"a number of seconds from 0 to {_LONGEST_DELAY:,.0f}"


def _at(value: Any) -> str:
    if isinstance(value, str) or type(value) in (int, float):
        return ""
    return "a time: ISO 8601 with its zone, or seconds since the epoch"


def _ttl(value: Any) -> str:
    if type(value) in (int, float) and 0 < value <= _LONGEST_DELAY:
        return ""
    return f"a number of seconds, more than 0, up to {_LONGEST_DELAY:,.0f}"


def _sender(value: Any) -> str:
    return _printable(value, _LONGEST_SENDER)


def _key(value: Any) -> str:
    return _printable(value, _LONGEST_KEY)


def _traceparent(value: Any) -> str:
    return "" if isinstance(value, str) and trace.usable(value) == value else f"a place in a trace: {trace.FORM}"


def _printable(value: Any, longest: int) -> str:
    if isinstance(value, str) and 1 <= len(value) <= longest and value.isprintable():
        return ""
    return f"1 to {longest} printable characters"


def _within(problem: Problem) -> Problem:
    """A problem with a field of the payload, placed in the message."""
    where = problem.where if problem.where == "payload" else f"payload.{problem.where}"
    return Problem(where[:_LONGEST_PLACE], problem.what, problem.hint)
