"""Message types that a configuration declares, and what it says of types in general."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from squad import declared
from squad.config.pace import RetryConfig
from squad.config.section import Section
from squad.config.values import blank_mapping, complain, refuse
from squad.messages import TYPE_NAME_FORM, is_type_name

_FIELD = r"[A-Za-z_][A-Za-z0-9_.-]{0,99}"


def _type_name(value: str) -> str:
    if not is_type_name(value):
        complain(f"{value!r} cannot be the name of a message type", "letters, digits and _ . : - only, a letter first")
    if value.startswith("squad."):
        complain(f"{value!r}: names that begin with squad. are Squad's own", "choose another name")
    return value


def _field_name(value: str) -> str:
    if not re.fullmatch(_FIELD, value):
        complain(f"{value!r} cannot be the name of a field", "letters, digits and _ . - only, a letter or _ first")
    return value


def _field(value: Any) -> Any:
    if value is None:
        complain("has no type", "write for example path: str")
    return {"type": value} if isinstance(value, str) else value


def _annotation(value: str) -> str:
    try:
        declared.annotation_of(value)
    except ValueError as error:
        refuse("a type", str(error))
    return value


TypeName = Annotated[
    str, AfterValidator(_type_name), WithJsonSchema({"type": "string", "pattern": f"^{TYPE_NAME_FORM}$"})
]
FieldName = Annotated[str, AfterValidator(_field_name), WithJsonSchema({"type": "string", "pattern": f"^{_FIELD}$"})]


class FieldConfig(Section):
    """One field of a message. When there is nothing to say but its type, that alone can be written: `path: str`."""

    type: Annotated[str, AfterValidator(_annotation)] = Field(
        description="`str`, `int`, `float`, `bool`, `list`, `dict`, `any`, or for example `list[str]`, "
        "`dict[str, int]`, `str | null`.",
    )
    choices: list[str | int] | None = Field(
        default=None, min_length=1, description="The only values that it may have; for `str` and `int`."
    )
    default: JsonValue = Field(default=None, description="Its value when it is left out; without it, it must be there.")
    description: str = Field(default="", description="What it means, for the type's JSON Schema.")

    @field_validator("choices")
    @classmethod
    def _of_its_type(cls, value: list[str | int] | None, info: ValidationInfo) -> list[str | int] | None:
        kind = {"str": str, "int": int}.get(str(info.data.get("type")).partition("|")[0].strip())
        if value is not None and "type" in info.data:
            if kind is None:
                complain("goes only with the types str and int", "for anything else declare a JSON Schema")
            for choice in value:
                if type(choice) is not kind:
                    complain(f"has {choice!r}, which does not fit {info.data['type']}")
        return value

    @model_validator(mode="after")
    def _default_fits(self) -> Self:
        if fault := declared.misfit(self.made()):
            raise PydanticCustomError("complaint", "{text}", {"text": f"has a default that does not fit: {fault}"})
        return self

    @model_serializer(mode="wrap")
    def _as_given(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without what was not given: no default is not the default null."""
        shown: dict[str, Any] = handler(self)
        return {key: value for key, value in shown.items() if key == "type" or key in self.model_fields_set}

    def made(self) -> declared.Field:
        extra = {"default": self.default} if "default" in self.model_fields_set else {}
        annotation = declared.annotation_of(self.type, tuple(self.choices or ()))
        return declared.Field(annotation, description=self.description, **extra)


class TypeConfig(Section):
    """A message type, declared by `fields` or by `schema`; or, with `retry` alone, one that a class declares."""

    fields: (
        dict[FieldName, Annotated[FieldConfig, BeforeValidator(_field, json_schema_input_type=FieldConfig | str)]]
        | None
    ) = Field(default=None, description="Its fields by name. A field that is not declared is a mistake.")
    schema_: dict[str, JsonValue] | None = Field(
        default=None,
        validation_alias="schema",
        serialization_alias="schema",
        description="A JSON Schema of its payload. Unless it says otherwise, a field that it does not name is a "
        "mistake.",
    )
    retry: RetryConfig | None = Field(
        default=None, description="What happens to a message of this type that failed; else as its recipient says."
    )

    @field_validator("schema_")
    @classmethod
    def _is_a_schema(cls, value: dict[str, Any] | None, info: ValidationInfo) -> dict[str, Any] | None:
        if value is not None:
            if info.data.get("fields") is not None:
                complain("cannot be there beside fields", "declare the type by one of them")
            if mistakes := declared.schema_mistakes(value):
                complain(f"is no JSON Schema for a message: {'; '.join(mistakes[:5])}")
        return value

    @model_validator(mode="before")
    @classmethod
    def _blank_fields(cls, data: Any) -> Any:
        """``fields:`` with nothing under it declares a type without fields."""
        if isinstance(data, dict) and "fields" in data:
            return {**data, "fields": blank_mapping(data["fields"])}
        return data

    @model_serializer(mode="wrap")
    def _as_given(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without what is not there: no fields are not the same as an empty list of them."""
        shown: dict[str, Any] = handler(self)
        return {key: value for key, value in shown.items() if value is not None}

    def declared(self, name: str) -> declared.DeclaredType | None:
        """The type, None when it is declared elsewhere."""
        if self.fields is not None:
            return declared.FieldsType(name, {key: field.made() for key, field in self.fields.items()})
        return None if self.schema_ is None else declared.SchemaType(name, self.schema_)


def declared_types(types: Mapping[str, TypeConfig]) -> dict[str, declared.DeclaredType]:
    """The types that are declared here, by name."""
    return {name: found for name, settings in types.items() if (found := settings.declared(name)) is not None}
