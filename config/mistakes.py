"""What pydantic finds wrong with a configuration, in the words and at the lines of whoever wrote it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any

from squad.config.document import Place, describe
from squad.config.readable import readable_duration
from squad.config.schema import Loc, SquadConfig
from squad.config.section import Section, section_in
from squad.durations import parse_duration
from squad.errors import Problem
from squad.messages import did_you_mean

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "model_type": "a mapping",
    "dict_type": "a mapping",
    "list_type": "a list",
    "literal_error": "{expected}",
    "greater_than": "more than {gt}",
    "greater_than_equal": "{ge} or more",
    "less_than_equal": "{le} or less",
    "string_pattern_mismatch": "a letter or digit, then letters, digits, space and . _ -, at most 64 characters",
    "refused": "{expected}",
}


_TO_ADD = {
    "cron": 'add cron: "0 9 * * 1" for Mondays at 9',
    "recipient": "add recipient: with the name of an agent or a convoy",
    "type": "add type: with the name of a message type",
    "kind": "add kind: otlp, or kind: langfuse",
}


def translate(name: str, found: list[Any], places: Mapping[Loc, Place]) -> list[tuple[int, Problem]]:
    """Problems, each with its line, from the errors of a pydantic ValidationError. ``name`` is the file as shown."""
    problems = []
    for item in found:
        loc: Loc = tuple(item["loc"])
        if any(places[loc[:n]].bad for n in range(len(loc) + 1) if loc[:n] in places):
            continue
        line = _line(item, loc, places)
        what, hint = _say(item, loc, places)
        problems.append((line, Problem(f"{name}:{line}", what, hint)))
    return problems


def dotted(loc: Loc) -> str:
    """``agents.scanner.timeout``; a part that is no plain word is quoted."""
    return ".".join(part if isinstance(part, str) and _is_word(part) else json.dumps(part) for part in loc)


def _is_word(part: str) -> bool:
    return part.replace("-", "_").isidentifier()


def _line(item: Any, loc: Loc, places: Mapping[Loc, Place]) -> int:
    if loc and loc[-1] == "[key]":
        return places[loc[:-1]].key_line
    if loc in places:
        return places[loc].key_line if item["type"] == "extra_forbidden" else places[loc].best_line
    instead = item.get("ctx", {}).get("instead")
    if instead and (*loc[:-1], instead) in places:
        return places[(*loc[:-1], instead)].line
    around = next(places[loc[:n]] for n in range(len(loc) - 1, -1, -1) if loc[:n] in places)
    return around.key_line


def _say(item: Any, loc: Loc, places: Mapping[Loc, Place]) -> tuple[str, str]:
    kind, ctx = item["type"], item.get("ctx", {})
    hint = ctx.get("hint", "")
    if kind == "complaint":
        return (ctx["text"] if loc[-1] == "[key]" else f"{dotted(loc)} {ctx['text']}"), hint
    if kind == "missing":
        return f"{dotted(loc[:-1])} has no {loc[-1]}", _TO_ADD.get(str(loc[-1]), "")
    if kind == "extra_forbidden":
        return _unknown_key(loc)
    if kind == "too_short":
        return f"{dotted(loc)} must not be empty", hint
    if kind not in _EXPECTED:
        return f"{dotted(loc)}: {item['msg']}", hint
    value, place = item["input"], places.get(loc)
    text = place.text if place else None
    expected = _EXPECTED[kind].format(**{key: _bound(limit, text) for key, limit in ctx.items()})
    if kind == "string_type" and text and not isinstance(value, str):
        hint = f"put it in quotes: '{text}'"
    if kind == "literal_error":
        choices = [choice.strip("'") for choice in expected.replace(" or ", ", ").split(", ")]
        expected, hint = expected.replace("'", ""), _nearest(str(value), choices)
    got = text if text is not None and isinstance(value, int | float) else describe(value)
    if isinstance(value, bool):
        got = describe(value, text)
    return f"{dotted(loc)} must be {expected}, not {got}", hint


def _bound(limit: Any, text: str | None) -> Any:
    """What a value is compared with, as a duration if it is written as one."""
    if isinstance(limit, bool) or not isinstance(limit, int | float):
        return limit
    if limit and text and text[-1:].isalpha():
        with contextlib.suppress(ValueError, OverflowError):
            parse_duration(text)
            return readable_duration(limit)
    return f"{limit:g}"


def _nearest(value: str, choices: list[str]) -> str:
    return did_you_mean(value.upper(), choices) or did_you_mean(value.lower(), choices)


def _unknown_key(loc: Loc) -> tuple[str, str]:
    key, around = str(loc[-1]), loc[:-1]
    section = _section_at(around)
    keys = keys_of(section)
    what = f"{dotted(around)} has no key {key!r}" if around else f"there is no key {key!r}"
    near = did_you_mean(key, keys)
    if not near and (elsewhere := [path for path in _all_keys(SquadConfig) if path.rpartition(".")[2] == key]):
        near = f"it belongs in {elsewhere[0].rpartition('.')[0] or 'the file itself, outside all sections'}"
    return what, near or "the keys here are " + ", ".join(keys)


def keys_of(section: type[Section]) -> list[str]:
    """Its keys as they are written in YAML."""
    return [field.validation_alias or name for name, field in section.model_fields.items()]  # type: ignore[misc]


def _section_at(loc: Loc) -> type[Section]:
    section: type[Section] = SquadConfig
    for part in loc:
        by_key = dict(zip(keys_of(section), section.model_fields.values(), strict=True))
        if part in by_key:  # else it is the name of an agent or a convoy: the section stays
            section = section_in(by_key[str(part)].annotation) or section
    return section


def _all_keys(section: type[Section], prefix: str = "") -> list[str]:
    paths = []
    for key, field in zip(keys_of(section), section.model_fields.values(), strict=True):
        paths.append(prefix + key)
        if inner := section_in(field.annotation):
            name = "NAME." if key in ("agents", "convoys", "schedules", "types", "exporters", "rules", "sinks") else ""
            paths += _all_keys(inner, f"{prefix}{key}.{name}")
    return paths
