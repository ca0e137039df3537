"""The base of every section of the configuration."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, model_validator

from squad.config.values import blank_mapping

FROM_FILE = "file"
"""Validation context of what people wrote: a rate left blank is then a mistake, while in Python None is no limit."""


class Section(BaseModel):
    """Base of all sections: frozen, no surplus keys, no silent conversion, defaults written as people write them."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, validate_default=True, validate_by_name=True, validate_by_alias=True
    )

    @model_validator(mode="before")
    @classmethod
    def _blank_is_empty(cls, data: Any) -> Any:
        return blank_mapping(data)


def section_in(annotation: Any) -> type[Section] | None:
    """The section that a field's type holds, also as an option or as the values of a mapping; None for plain values."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next((found for part in get_args(annotation) if (found := section_in(part))), None)
