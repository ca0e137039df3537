"""Message types that a configuration declares, by fields or by a JSON Schema.

They have the interface of ``MessageType``. The message itself is a dict: there is no class for it. Like a type declared
in Python they are strict: text is no number, and a field that was not declared is a mistake.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Literal, NamedTuple

from squad.errors import Problem, RefusedError
from squad.jsontext import compact, parse_json
from squad.messages import MessageType, did_you_mean

_MOST_PROBLEMS = 100  # named of one payload
_MOST_TEXT = 60  # characters of a value in a problem
_MOST_SAID = 200  # characters of what a JSON Schema's validator says
_REQUIRED = object()
_COMBINING = {"$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "if", "dependentSchemas"}  # other schemas say more

_SIMPLE: dict[str, Any] = {"str": str, "int": int, "float": float, "bool": bool}
_KINDS = "str, int, float, bool, list, dict, any, list[str], dict[str, int], or one of them with | null"


class Field(NamedTuple):
    """One field: its ``annotation`` as ``annotation_of`` makes it. Without a ``default`` it must be there."""

    annotation: Any
    default: Any = _REQUIRED
    description: str = ""


def annotation_of(text: str, choices: tuple[str | int, ...] = ()) -> Any:
    """The type that ``text`` names: ``str``, ``list[int]``, ``dict[str, float]``, ``str | null``, ``any``.

    With ``choices`` only these values are allowed. Raises ValueError.
    """
    kind, *nullable = [part.strip() for part in text.split("|")]
    if nullable not in ([], ["null"]):
        raise ValueError(f"write one of {_KINDS}")
    found = Literal[choices] if choices else _plain(kind)
    return found | None if nullable else found


def _plain(text: str) -> Any:
    from pydantic import JsonValue

    if text in _SIMPLE:
        return _SIMPLE[text]
    if text == "any":
        return JsonValue
    if text in ("list", "dict"):
        return list[JsonValue] if text == "list" else dict[str, JsonValue]
    if inner := re.fullmatch(r"list\[(.+)\]", text):
        return list[_plain(inner[1].strip())]  # type: ignore[misc]
    if inner := re.fullmatch(r"dict\[\s*str\s*,(.+)\]", text):
        return dict[str, _plain(inner[1].strip())]  # type: ignore[misc]
    raise ValueError(f"write one of {_KINDS}")


def misfit(field: Field) -> str:
    """Why a field's default does not fit its own type; empty when it does, or when there is none."""
    from pydantic import TypeAdapter, ValidationError

    if field.default is _REQUIRED:
        return ""
    try:
        TypeAdapter(field.annotation).validate_json(json.dumps(field.default), strict=True)
    except ValidationError as error:
        message = error.errors(include_url=False)[0]["msg"]
        return message[0].lower() + message[1:]
    return ""


class DeclaredType(MessageType):
    """A type that a configuration declares. What ``decode`` gives and ``encode`` takes is a dict of its fields."""

    def __init__(self, name: str) -> None:
        super().__init__(name, dict)

    def encode(self, instance: Any) -> str:
        """JSON text of a dict. Raises RefusedError when it does not fit."""
        try:
            text = compact(instance)
            text.encode()  # half a character cannot be sent
        except (TypeError, ValueError) as error:
            raise RefusedError(f"a {self.name!r} holds what cannot be sent: {error}") from None
        self.decode(text)
        return text


def unknown_part(kind: MessageType, path: tuple[str, ...]) -> str | None:
    """What to say of ``payload[a][b]`` when no payload of this type can have it, as a hint; None when one can.

    What a schema leaves open counts as possible.
    """
    schema = kind.schema()
    if _may_have(schema, path):
        return None
    known = sorted(_properties(schema))
    if path[0] in known:
        return f"{path[0]!r} has no such part"
    return did_you_mean(path[0], known) or f"its fields are {', '.join(known) or 'none'}"


class FieldsType(DeclaredType):
    """A type declared by its fields."""

    def __init__(self, name: str, fields: Mapping[str, Field]) -> None:
        super().__init__(name)
        self._declared = dict(fields)

    @cached_property
    def _adapter(self) -> Any:
        from pydantic import ConfigDict, TypeAdapter, create_model
        from pydantic import Field as PydanticField

        # Aliases, so that a field may be called what Python or pydantic has taken: "from", "copy".
        definitions: dict[str, Any] = {}
        for number, (key, field) in enumerate(self._declared.items()):
            extra: dict[str, Any] = {} if field.default is _REQUIRED else {"default": field.default}
            about = PydanticField(alias=key, description=field.description or None, **extra)
            definitions[f"field_{number}"] = (field.annotation, about)
        config = ConfigDict(extra="forbid", strict=True, title=self.name)
        return TypeAdapter(create_model("Payload", __config__=config, **definitions))

    def decode(self, payload: str | bytes) -> dict[str, Any]:
        made: dict[str, Any] = super().decode(payload).model_dump(by_alias=True)
        return made

    def _fields(self) -> list[str]:
        return list(self._declared)


class SchemaType(DeclaredType):
    """A type declared by a JSON Schema (draft 2020-12 unless ``$schema`` says otherwise).

    A schema that does not say what becomes of other fields at its top means that there are none. Formats are not
    checked. References lead nowhere but into the schema itself.
    """

    def __init__(self, name: str, schema: Mapping[str, Any]) -> None:
        super().__init__(name)
        self._schema = closed(schema)

    @cached_property
    def _validator(self) -> Any:
        return _validator(self._schema)

    def decode(self, payload: str | bytes) -> dict[str, Any]:
        try:
            value = parse_json(payload)
        except (ValueError, RecursionError) as error:
            raise self._refusal([Problem("payload", f"is not JSON: {error}")]) from None
        if not isinstance(value, dict):
            raise self._refusal([Problem("payload", "must be a JSON object")])
        try:
            found = list(itertools.islice(self._validator.iter_errors(value), _MOST_PROBLEMS))
        except RecursionError:
            raise self._refusal([Problem("payload", "is nested too deeply")]) from None
        found.sort(key=lambda error: [str(part) for part in error.absolute_path])
        problems = [problem for error in found for problem in _said(error, self.name)]
        if problems:
            raise self._refusal(list(dict.fromkeys(problems)))
        defaults = {key: about["default"] for key, about in _properties(self._schema).items() if "default" in about}
        return {**defaults, **value}

    def _refusal(self, problems: list[Problem]) -> RefusedError:
        return RefusedError(f"the payload does not fit the type {self.name!r}", problems=problems)

    def schema(self) -> dict[str, Any]:
        return {**self._schema, "title": self.name}


def closed(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of an object that has no other fields, unless it says what others it may have."""
    made: dict[str, Any] = {"type": "object", **schema}
    if not made.keys() & {"additionalProperties", "unevaluatedProperties", "patternProperties"}:
        made["unevaluatedProperties" if made.keys() & _COMBINING else "additionalProperties"] = False
    return made


def schema_mistakes(schema: Mapping[str, Any]) -> list[str]:
    """What is wrong with a JSON Schema for a payload, as sentences."""
    import jsonschema
    from jsonschema.validators import validator_for
    from referencing import Registry
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    if schema.get("type", "object") != "object":
        return ["a payload is an object, so its type must be object"]
    kind = validator_for(schema, default=jsonschema.Draft202012Validator)
    meta = kind(kind.META_SCHEMA, format_checker=kind.FORMAT_CHECKER)  # which knows a pattern that is none
    found = [
        f"{'.'.join(map(str, error.absolute_path)) or 'the schema'}: {_shortened(error)}"
        for error in itertools.islice(meta.iter_errors(schema), _MOST_PROBLEMS)
    ]
    if found:
        return found
    resolver = Registry().with_resource("", DRAFT202012.create_resource(dict(schema))).resolver()
    for reference in dict.fromkeys(_references(schema)):
        try:
            resolver.lookup(reference)
        except (Unresolvable, ValueError):
            found.append(f"$ref {reference!r} leads to nothing in this schema")
    return found


def _validator(schema: Mapping[str, Any]) -> Any:
    import jsonschema
    from jsonschema.validators import extend, validator_for
    from referencing import Registry

    kind = validator_for(schema, default=jsonschema.Draft202012Validator)
    # Strict, as everywhere in Squad: 1.0 is no whole number.
    strict = kind.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
    # An empty registry: the default one would fetch what a reference names from the network.
    return extend(kind, type_checker=strict)(schema, registry=Registry())  # type: ignore[no-untyped-call]


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)


# -- what a validator of JSON Schema says, in our words ---------------------------------------------------------------

_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}


def _said(error: Any, name: str) -> list[Problem]:
    path = [str(part) for part in error.absolute_path]
    where = ".".join(path) or "payload"
    rule, instance = error.validator, error.instance
    if rule == "required":
        return [Problem(".".join([*path, key]), "is missing") for key in error.validator_value if key not in instance]
    if rule == "additionalProperties" and error.validator_value is False:
        known = list(error.schema.get("properties", {}))
        patterns = list(error.schema.get("patternProperties", {}))
        extra = [key for key in instance if key not in known and not any(re.search(p, key) for p in patterns)]
        of = repr(name) if not path else where
        return [Problem(".".join([*path, key]), f"is not a field of {of}", did_you_mean(key, known)) for key in extra]
    if rule == "type":
        kinds = [error.validator_value] if isinstance(error.validator_value, str) else error.validator_value
        return [Problem(where, f"must be {' or '.join(_TYPES[k] for k in kinds)}, not {_brief(instance)}")]
    if rule in ("enum", "const"):
        allowed = error.validator_value if rule == "enum" else [error.validator_value]
        return [Problem(where, f"must be {' or '.join(map(_brief, allowed))}, not {_brief(instance)}")]
    return [Problem(where, _shortened(error))]


def _shortened(error: Any) -> str:
    """The validator's own message, in which a large value is cut short."""
    message: str = error.message
    value = repr(error.instance)
    if len(value) > _MOST_TEXT and message.startswith(value):
        message = _brief(error.instance) + message[len(value) :]
    return message if len(message) <= _MOST_SAID else message[: _MOST_SAID - 3] + "..."


def _brief(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _MOST_TEXT else text[: _MOST_TEXT - 3] + "..."


# -- what a payload can have ------------------------------------------------------------------------------------------


def _properties(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The properties that a schema names at its top and has something to say of."""
    return {key: value for key, value in schema.get("properties", {}).items() if isinstance(value, dict)}


def _may_have(schema: Any, path: tuple[str, ...]) -> bool:
    """Whether a value that fits ``schema`` may have something at ``path``; True where that is not simple to say."""
    if not path or isinstance(schema, bool):
        return schema is not False
    if schema.keys() & _COMBINING:
        return True
    first, rest = path[0], path[1:]
    kinds = schema.get("type", ["object", "array"])
    if "array" in kinds and first.isdecimal():
        return _may_have(schema.get("items", True), rest)
    return "object" in kinds and _may_have(_of_property(schema, first), rest)


def _of_property(schema: Mapping[str, Any], name: str) -> Any:
    """The schema of an object's property."""
    if name in schema.get("properties", {}):
        return schema["properties"][name]
    for pattern, value in schema.get("patternProperties", {}).items():
        if re.search(pattern, name):
            return value
    return schema.get("additionalProperties", schema.get("unevaluatedProperties", True))
