"""YAML text as plain data: mappings with text as keys, lists, text, numbers, true and false, and nothing.

What makes it more than ``yaml.safe_load``: it knows the line of every value, it reports duplicate keys and every other
mistake that does not stop the reading, it is safe against input that explodes, and it reads ``1:30``, ``010`` and
``2024-01-01`` as the text that they look like, not as the numbers and dates of YAML 1.1.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import yaml
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentStartEvent,
    ScalarEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from yaml.reader import Reader
from yaml.resolver import BaseResolver

from squad.config.schema import Loc
from squad.errors import Problem

MAX_DEPTH = 40
MAX_VALUES = 200_000
"""A file may hold this many values once its aliases are written out: many times what a thousand agents need."""

TAG = "tag:yaml.org,2002:"
_TEXT, _MERGE, _NULL = TAG + "str", TAG + "merge", TAG + "null"
_BOOL, _INT, _FLOAT = TAG + "bool", TAG + "int", TAG + "float"
_PLAIN = {"!", TAG + "map", TAG + "seq", _TEXT}  # tags that say only what stands there anyway

INT_FORM = re.compile(r"[-+]?(?:0|[1-9][0-9_]*|0x[0-9a-fA-F_]+|0o[0-7_]+)$")
FLOAT_FORM = re.compile(
    r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?$"
    r"|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+$"
    r"|[-+]?\.(?:inf|Inf|INF)$|\.(?:nan|NaN|NAN)$"
)


class Resolver(BaseResolver):
    """Which plain scalars are not text."""


Resolver.add_implicit_resolver(_BOOL, re.compile(r"(?i:yes|no|true|false|on|off)$"), list("yYnNtTfFoO"))
Resolver.add_implicit_resolver(_INT, INT_FORM, list("-+0123456789"))
Resolver.add_implicit_resolver(_FLOAT, FLOAT_FORM, list("-+0123456789."))
Resolver.add_implicit_resolver(_NULL, re.compile(r"(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
Resolver.add_implicit_resolver(_MERGE, re.compile(r"<<$"), ["<"])


class Place(NamedTuple):
    """Where a value is written. ``text`` is a scalar as it stands in the file, None for a mapping or a list."""

    key_line: int
    line: int
    text: str | None
    bad: bool  # a mistake here was reported already

    @property
    def best_line(self) -> int:
        """A mapping or a list is where its key is: that is the line which names it."""
        return self.key_line if self.text is None else self.line


class Document(NamedTuple):
    """``data`` is None for a file without content. ``whole`` is False when reading had to stop at a problem."""

    data: Any
    places: dict[Loc, Place]
    problems: list[tuple[int, Problem]]  # with the line, to be sorted by
    whole: bool


@dataclass(slots=True)
class _Node:
    line: int
    value: Any = None  # of a scalar
    text: str | None = None
    bad: bool = False
    is_merge: bool = False
    items: list[_Node] | None = None
    pairs: list[tuple[_Node, _Node]] | None = None
    merges: list[_Node] = field(default_factory=list)


class _StopError(Exception):
    """Nothing after this can be read with sense."""

    def __init__(self, line: int, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.line, self.what, self.hint = line, what, hint


def read(text: str, name: str) -> Document:
    """Read YAML text. ``name`` is the file as problems show it. Never raises on bad text."""
    reader = _DocumentReader(text, name)
    data, whole = None, False
    try:
        top = reader.compose()
        if top is not None:
            data = reader.expand(top, (), top.line, 0)
        whole = True
    except _StopError as stop:
        reader.problem(stop.line, stop.what, stop.hint)
    return Document(data, reader.places, reader.problems, whole)


class _DocumentReader:
    def __init__(self, text: str, name: str) -> None:
        self.places: dict[Loc, Place] = {}
        self.problems: list[tuple[int, Problem]] = []
        self._text = text
        self._name = name
        self._anchors: dict[str, _Node] = {}
        self._values = 0
        self._expanding = 1  # the line of the outermost key whose value is being written out
        self._resolver = Resolver()

    def problem(self, line: int, what: str, hint: str = "") -> None:
        self.problems.append((line, Problem(f"{self._name}:{line}", what, hint)))

    # -- text to nodes

    def compose(self) -> _Node | None:
        """The only document of the text as nodes; None when there is none."""
        unprintable = Reader.NON_PRINTABLE.search(self._text)
        if unprintable:
            line = self._text.count("\n", 0, unprintable.start()) + 1
            raise _StopError(line, f"the character {unprintable[0]!r} cannot stand in YAML", "remove it")
        self._loader = yaml.SafeLoader(self._text)
        try:
            while not isinstance(event := self._next(), DocumentStartEvent):
                if isinstance(event, StreamEndEvent):
                    return None
            top = self._node(self._next(), 0)
            self._next()  # the end of the document
            if isinstance(second := self._next(), DocumentStartEvent):
                raise _StopError(
                    _line(second), "a second document starts here", "one file is one squad: remove the line ---"
                )
            return top
        finally:
            self._loader.dispose()

    def _next(self) -> Any:
        """The next event of the parser, which keeps to its grammar and never recurses."""
        try:
            return self._loader.get_event()  # type: ignore[no-untyped-call]
        except yaml.MarkedYAMLError as error:
            raise _syntax_error(error) from None
        except (ValueError, OverflowError):  # PyYAML lets these out for an escape like \UFFFFFFFF
            raise _StopError(self._loader.line + 1, "there is an escape for a character that does not exist") from None

    def _node(self, event: Any, depth: int) -> _Node:
        line = _line(event)
        if depth > MAX_DEPTH:
            raise _StopError(line, f"this is nested more than {MAX_DEPTH} deep")
        if isinstance(event, AliasEvent):
            return self._alias(event)
        if isinstance(event, ScalarEvent):
            node = self._scalar(event)
        elif isinstance(event, SequenceStartEvent):
            node = _Node(line, items=[])
            while not isinstance(item := self._next(), CollectionEndEvent):
                node.items.append(self._node(item, depth + 1))  # type: ignore[union-attr]
        else:
            node = self._mapping(line, depth)
        tag: str | None = event.tag
        if tag is not None and tag not in _PLAIN:
            shown = "!!" + tag.removeprefix(TAG) if tag.startswith(TAG) else tag
            self.problem(line, f"the tag {shown} cannot be used here", "remove it: configuration is plain data")
            node.bad = True
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: Any) -> _Node:
        target = self._anchors.get(event.anchor)
        if target is None:
            raise _StopError(_line(event), f"*{event.anchor} is used, but no &{event.anchor} ends before it")
        return replace(target, line=_line(event), is_merge=False)

    def _mapping(self, line: int, depth: int) -> _Node:
        node = _Node(line, pairs=[])
        seen: dict[str, int] = {}
        while not isinstance(event := self._next(), CollectionEndEvent):
            key = self._node(event, depth + 1)
            value = self._node(self._next(), depth + 1)
            if key.is_merge:
                node.merges += value.items if value.items is not None else [value]
            elif key.bad:
                continue
            elif not isinstance(key.value, str):
                self._bad_key(key)
            elif key.value in seen:
                first = seen[key.value]
                self.problem(key.line, f"the key {key.value!r} is here twice; first in line {first}", "remove one")
            else:
                seen[key.value] = key.line
                node.pairs.append((key, value))  # type: ignore[union-attr]
        for merged in node.merges:
            if merged.pairs is None:
                self.problem(merged.line, "<< can only take in mappings", "write <<: *name of an &anchor")
        return node

    def _bad_key(self, key: _Node) -> None:
        if key.text is None:
            self.problem(key.line, "a key must be text, not a list or a mapping")
        elif key.value is None:
            self.problem(key.line, "a key is missing here")
        else:
            self.problem(
                key.line, f"a key must be text, not {describe(key.value, key.text)}", f"put it in quotes: '{key.text}'"
            )

    def _scalar(self, event: ScalarEvent) -> _Node:
        line, text = _line(event), event.value
        tag = self._resolve(text) if event.tag is None and event.implicit[0] else _TEXT
        node = _Node(line, text=text, value=text, is_merge=tag == _MERGE)
        if tag == _NULL:
            node.value = None
        elif tag == _BOOL:
            node.value = text.lower() in ("yes", "true", "on")
        elif tag in (_INT, _FLOAT):
            clean = text.replace("_", "")
            if len(clean) <= 40:  # Python refuses to read very long integers
                node.value = (
                    int(clean, 0) if tag == _INT else float(clean.lower().replace(".inf", "inf").replace(".nan", "nan"))
                )
            if isinstance(node.value, str) or not math.isfinite(node.value):
                self.problem(line, f"{text if len(text) <= 40 else text[:37] + '...'} is not a number that can be used")
                node.bad = True
        elif any("\ud800" <= char <= "\udfff" for char in text):
            self.problem(line, "there is an escape for half a character", r"write emoji as themselves or as \U0001F600")
            node.bad = True
        return node

    def _resolve(self, text: str) -> str:
        return str(self._resolver.resolve(yaml.ScalarNode, text, (True, False)))  # type: ignore[no-untyped-call]

    # -- nodes to data

    def expand(self, node: _Node, loc: Loc, key_line: int, depth: int) -> Any:
        """Plain data, with aliases and merges written out; records the place of every value."""
        if depth <= 1:
            self._expanding = key_line
        self._spend(1, depth)
        self.places[loc] = Place(key_line, node.line, node.text, node.bad)
        if node.items is not None:
            return [self.expand(item, (*loc, n), item.line, depth + 1) for n, item in enumerate(node.items)]
        if node.pairs is not None:
            pairs = self._merged(node, depth)
            return {key.value: self.expand(value, (*loc, key.value), key.line, depth + 1) for key, value in pairs}
        return node.value

    def _spend(self, values: int, depth: int) -> None:
        line = self._expanding
        self._values += values
        if self._values > MAX_VALUES:
            raise _StopError(line, f"with its aliases written out this is more than {MAX_VALUES} values")
        if depth > MAX_DEPTH:
            raise _StopError(line, f"with its aliases written out this is nested more than {MAX_DEPTH} deep")

    def _merged(self, node: _Node, depth: int) -> list[tuple[_Node, _Node]]:
        """A mapping's own pairs, then what it takes in by ``<<`` and does not have itself; the first one wins."""
        self._spend(len(node.pairs or ()), depth)
        found = {key.value: (key, value) for key, value in node.pairs or ()}
        for merged in node.merges:
            for key, value in self._merged(merged, depth + 1):
                found.setdefault(key.value, (key, value))
        return list(found.values())


def describe(value: Any, text: str | None = None) -> str:
    """A value in words. ``text`` is how it stands in the file, if it does."""
    if isinstance(value, str):
        shown = repr(value)
        return shown if len(shown) <= 60 else shown[:57] + "..."
    if isinstance(value, bool):
        said = "true" if value else "false"
        return said if text in (None, said) else f"{text} (which means {said} in YAML)"
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else f"the number {text or value}"


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


_SYNTAX = (  # part of what PyYAML says, what we say, a hint, whether the beginning is the better place
    ("'\\t'", "a tab cannot indent or separate here", "use spaces", False),
    ("mapping values are not allowed", "there is one ': ' too many", "text with ': ' in it belongs in quotes", False),
    ("could not find expected ':'", "a ':' is missing after this key", "", True),
    ("expected <block end>", "the indentation does not fit what is above", "all keys of a mapping begin alike", False),
    ("while scanning an alias", "text that begins with * must be in quotes", 'cron: "*/5 * * * *"', True),
    ("quoted scalar found unexpected", "this quote is never closed", "", True),
    ("but got '<stream end>'", "this bracket is never closed", "", True),
)


def _syntax_error(error: yaml.MarkedYAMLError) -> _StopError:
    said = " ".join(part for part in (error.context, error.problem) if part)
    for sign, what, hint, at_start in _SYNTAX:
        if sign in said:
            return _StopError(_mark_line(error, at_start), what, hint)
    return _StopError(_mark_line(error, False), f"this is not YAML: {said}")


def _mark_line(error: yaml.MarkedYAMLError, at_start: bool) -> int:
    first, second = (error.context_mark, error.problem_mark) if at_start else (error.problem_mark, error.context_mark)
    mark = first or second
    return mark.line + 1 if mark else 1
