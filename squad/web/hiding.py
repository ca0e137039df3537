"""The configuration without its secrets: what may be one is shown as dots.

A value is hidden by the name of its key, when it stands in an environment, and when an address has a password in it.
Of a webhook's address only the host is shown: many services trust whoever knows the rest.
"""

from __future__ import annotations

import re
from typing import Any

DOTS = "••••••"
_NAMES = re.compile(
    r"(^|[_-])(pass(word|wd|phrase)?|secrets?|tokens?|credentials?|auth(orization)?|cookies?|dsn|private|"
    r"(api|access|secret|private|signing|encryption)?[_-]?keys?)$",
    re.IGNORECASE,
)
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")  # where clientSecret has another word
_HOOKS = re.compile(r"(^|[_-])webhook([_-]ur[il])?$", re.IGNORECASE)
_BEYOND_HOST = re.compile(r"^([a-z][a-z0-9+.-]*://[^/?#]*[/?#]).+", re.IGNORECASE | re.DOTALL)
_PLACES = frozenset(("environment", "env", "headers"))
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*:/+)[^/\s@]+@", re.IGNORECASE)
_OPTION = re.compile(r"(--?[\w-]*(?:password|secret|token|api-?key)[\w-]*=).+", re.IGNORECASE)
_QUERY = re.compile(r"([?&][\w-]*(?:password|secret|token|key|sig|signature)[\w-]*=)[^&\s]+", re.IGNORECASE)


def hidden(value: Any) -> Any:
    """The same plain data, with the secrets in it hidden."""
    if isinstance(value, dict):
        return {name: _hidden_at(name, below) for name, below in value.items()}
    if isinstance(value, list):
        return _arguments([hidden(below) for below in value])
    if isinstance(value, str):
        value = _ADDRESS.sub(rf"\1{DOTS}@", value)
        return _QUERY.sub(rf"\1{DOTS}", _OPTION.sub(rf"\1{DOTS}", value))
    return value


def _hidden_at(name: object, value: Any) -> Any:
    if value in (None, "", [], {}) or isinstance(value, bool):
        return value
    words = _WORDS.sub("_", str(name))
    if _NAMES.search(words) and not words.endswith("_env"):
        return DOTS
    if _HOOKS.search(words) and isinstance(value, str):
        value = _BEYOND_HOST.sub(rf"\1{DOTS}", value)
    if name in _PLACES and isinstance(value, dict):
        return dict.fromkeys(value, DOTS)
    return hidden(value)


def _arguments(values: list[Any]) -> list[Any]:
    """What follows ``--token`` as an argument of its own."""
    found = list(values)
    for n in range(1, len(found)):
        before = found[n - 1]
        if isinstance(before, str) and before.startswith("-") and _NAMES.search(before) and isinstance(found[n], str):
            found[n] = DOTS
    return found
