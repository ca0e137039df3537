"""Requests, read: JSON objects out of bytes, or an error that says where the mistake is."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NoReturn

from squad.actors.gateway.catalogue import shown
from squad.errors import Problem, RefusedError, UsageError
from squad.messages import did_you_mean

_LONGEST = 500  # characters of a line that people write
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class IntakeError(RefusedError):
    """A request that is refused, with the HTTP ``status`` that says so."""

    def __init__(self, message: str, *, hint: str = "", problems: Iterable[Problem] = (), status: int = 422) -> None:
        super().__init__(message, hint=hint, problems=tuple(problems))
        self.status = status


class TooLargeError(IntakeError):
    """Something is over a limit, in bytes or lines."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what, hint=hint, status=413)


class _TwiceError(ValueError):
    """An object names a key twice; readers differ in which one they take."""


class _ConstantError(ValueError):
    """NaN or Infinity: Python reads them, JSON has no such numbers."""


def _no_pair_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _TwiceError(Counter(key for key, _ in pairs).most_common(1)[0][0])
    return made


def _no_constant(name: str) -> NoReturn:
    raise _ConstantError(name)


_decode = json.JSONDecoder(object_pairs_hook=_no_pair_twice, parse_constant=_no_constant).decode


def is_id(text: str) -> bool:
    """Whether this can be a message's id."""
    return _UUID.fullmatch(text) is not None


def read_object(data: bytes, *, lines: bool = False) -> dict[str, Any]:
    """The JSON object in ``data``. Raises IntakeError with the place of the mistake, by line too with ``lines``."""
    try:
        value = _decode(data.decode())
    except UnicodeDecodeError as error:
        what = f"the text is not UTF-8 from byte {error.start + 1} on"
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}, column {error.colno}" if lines else f"column {error.colno}"
        what = f"this is not JSON: {error.msg[:1].lower()}{error.msg[1:]} at {at}"
    except _TwiceError as error:
        what = f"the key {shown(str(error))} is given twice"
    except _ConstantError as error:
        what = f"this is not JSON: it has no number {error}"
    except RecursionError:
        what = "the JSON is nested too deeply"
    except ValueError:  # Python's limit on the digits of an integer
        what = "a number in the JSON has too many digits"
    else:
        if isinstance(value, dict):
            return value
        what = f"this must be a JSON object, not {brief(value)}"
    raise IntakeError(what, status=400)


def read_fields(data: bytes, fields: Collection[str]) -> dict[str, Any]:
    """The JSON object in ``data``, which has no other than these fields. Raises IntakeError and UsageError."""
    asked = read_object(data, lines=True)
    must_be_known(asked, fields)
    return asked


def must_be_known(asked: Mapping[str, Any], fields: Collection[str]) -> None:
    """Raises UsageError for a field that is none of ``fields``."""
    for name in sorted(asked.keys() - set(fields)):
        raise UsageError(f"{shown(name)} is not a field of this request", hint=did_you_mean(name, fields))


def read_line(asked: Mapping[str, Any], name: str) -> str:
    """What somebody wrote of themselves or as a reason; empty when nothing. Raises UsageError."""
    text = asked.get(name) or ""
    if not isinstance(text, str) or len(text) > _LONGEST or not text.isprintable():
        raise UsageError(f"{name} must be a line of at most {_LONGEST} printable characters")
    return text


def brief(value: Any) -> str:
    """A JSON value for an error message, on one line and not long."""
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
