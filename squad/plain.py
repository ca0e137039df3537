"""Checkers for message types whose fields are plain, without pydantic's own way to them.

Pydantic's TypeAdapter runs a hundred functions to look at a class. Whoever does so for the first time in a process pays
with milliseconds, and an agent with two megabytes: its memory is shared with the other agents' until it touches it. For
the fields below it is known what comes of it. Validation itself is pydantic's in either case.
"""

from __future__ import annotations

import dataclasses
import sys
from typing import Any, NamedTuple

from pydantic_core import CoreConfig, CoreSchema, SchemaSerializer, SchemaValidator, core_schema

CONFIG: CoreConfig = {"extra_fields_behavior": "forbid", "strict": True}

_BUILT_IN = ("str", "int", "float", "bool", "list", "dict")
_ATOMS: dict[str, CoreSchema] = {
    "str": core_schema.str_schema(),
    "int": core_schema.int_schema(),
    "float": core_schema.float_schema(),
    "bool": core_schema.bool_schema(),
}
_LISTS: dict[str, CoreSchema] = {f"list[{name}]": core_schema.list_schema(each) for name, each in _ATOMS.items()}
_DICTS: dict[str, CoreSchema] = {
    f"dict[str, {name}]": core_schema.dict_schema(_ATOMS["str"], each) for name, each in _ATOMS.items()
}
_FIELDS = _ATOMS | _LISTS | _DICTS
_FIELDS |= {f"{name} | None": core_schema.nullable_schema(each) for name, each in _FIELDS.items()}


class Checker(NamedTuple):
    """As much of a TypeAdapter as messages need."""

    cls: type[Any]
    validator: SchemaValidator
    serializer: SchemaSerializer

    def validate_json(self, text: str | bytes) -> Any:
        return self.validator.validate_json(text)

    def dump_json(self, instance: Any, *, warnings: bool) -> bytes:
        return self.serializer.to_json(instance, warnings=warnings)

    def json_schema(self) -> dict[str, Any]:
        from pydantic import TypeAdapter

        return TypeAdapter(self.cls).json_schema()


def checker(cls: type[Any]) -> Checker | None:
    """For a dataclass of plain fields; None for any other, which is pydantic's to judge."""
    schema = schema_of(cls)
    return None if schema is None else Checker(cls, SchemaValidator(schema), SchemaSerializer(schema))


def schema_of(cls: type[Any]) -> CoreSchema | None:
    """What pydantic makes of a dataclass with ``CONFIG``; None where that is not certain."""
    own = vars(cls)
    module = vars(sys.modules[cls.__module__]) if cls.__module__ in sys.modules else own
    if (
        cls.__mro__ != (cls, object)
        or any(name in own for name in ("__post_init__", "__slots__", "__get_pydantic_core_schema__"))
        or any(name in own or name in module for name in _BUILT_IN)  # there they may mean something else
        or "<locals>" in cls.__qualname__
    ):
        return None
    fields = [_field(field) for field in own["__dataclass_fields__"].values()]
    if None in fields:
        return None
    known = [field for field in fields if field is not None]
    return core_schema.dataclass_schema(
        cls,
        core_schema.dataclass_args_schema(cls.__name__, known, computed_fields=[], collect_init_only=False),
        [field["name"] for field in known],
        config={**CONFIG, "title": cls.__name__},
        post_init=False,
        frozen=False,
        slots=False,
    )


def _field(field: dataclasses.Field[Any]) -> core_schema.DataclassField | None:
    annotation = field.type
    if isinstance(annotation, type) and annotation.__module__ == "builtins" and not hasattr(annotation, "__args__"):
        annotation = annotation.__name__
    schema = _FIELDS.get(str(annotation))
    if schema is None or not field.init or field.kw_only or field.metadata:
        return None
    if field.default is not dataclasses.MISSING:
        if not isinstance(field.default, str | int | float | None):
            return None
        schema = core_schema.with_default_schema(schema, default=field.default)
    elif field.default_factory in (list, dict):
        schema = core_schema.with_default_schema(
            schema, default_factory=field.default_factory, default_factory_takes_data=False
        )
    elif field.default_factory is not dataclasses.MISSING:
        return None
    return core_schema.dataclass_field(field.name, schema, init=True, kw_only=False)
