"""Where finished messages are sent as traces: what a configuration may say of it."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema, field_validator

from squad.config.section import Section
from squad.config.values import NAME_FORM, Duration, at_least, blank_mapping, complain, named, refuse, written

TRACES = "/v1/traces"  # the path of an OTLP receiver, by its specification
LANGFUSE = "/api/public/otel"  # where Langfuse has such a receiver

_BY_KIND: Any = object()  # in place of a default that differs from kind to kind
_DEFAULTS: dict[str, dict[str, Any]] = {
    "otlp": {"every": "5s", "payloads": False, "host": None, "public_key_env": None, "secret_key_env": None},
    "langfuse": {
        "every": "60s",
        "payloads": True,
        "host": "https://cloud.langfuse.com",
        "public_key_env": "LANGFUSE_PUBLIC_KEY",
        "secret_key_env": "LANGFUSE_SECRET_KEY",
    },
}
_LANGFUSE_ONLY = ("host", "public_key_env", "secret_key_env")
_GRPC = 4317  # the port of OTLP's other transport
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _by_kind() -> Any:
    return _BY_KIND


def _exporter_name(value: str) -> str:
    return named(value, "an exporter")


def _address(value: str, example: str) -> str:
    """An address that can be one. Raises what pydantic reports."""
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError as error:
        complain(f"is no address: {error}", f"write for example {example}")
    if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"\s", value):
        refuse("an address that begins with http:// or https://", f"write for example {example}")
    if parts.username is not None or parts.password is not None:
        complain("holds a user or a password", "name the variables of the environment that hold them: headers_env")
    if parts.query or parts.fragment:
        complain("has something after its path", f"write for example {example}")
    if port == _GRPC and parts.path in ("", "/"):
        complain("is that of OTLP over gRPC", f"Squad speaks OTLP over HTTP, at most receivers {example}")
    return value


def _checked_header(name: str) -> None:
    if not _HEADER.fullmatch(name):
        complain(f"{name!r} cannot be the name of a header")


def _headers(value: dict[str, str]) -> dict[str, str]:
    for name, text in value.items():
        _checked_header(name)
        if not text.isascii() or not text.isprintable():
            complain(f"has for {name} what no header can hold", "printable ASCII characters only")
    return value


def _variable(value: str) -> str:
    if not _VARIABLE.fullmatch(value):
        complain("must be names of variables of the environment", "the secret itself does not belong in the file")
    return value


def _variables(value: dict[str, str]) -> dict[str, str]:
    for name, variable in value.items():
        _checked_header(name)
        _variable(variable)
    return value


ExporterName = Annotated[
    str, AfterValidator(_exporter_name), WithJsonSchema({"type": "string", "pattern": f"^{NAME_FORM}$"})
]
Variable = Annotated[str, AfterValidator(_variable)]


class ExporterConfig(Section):
    """A receiver of finished messages as traces: see [traces](tracing.md). It needs the extra `squad-runtime[otel]`."""

    kind: Literal["otlp", "langfuse"] = Field(
        description="What receives: `langfuse`, or (`otlp`) anything that speaks OTLP over HTTP, such as Jaeger, Tempo "
        "or a collector."
    )
    endpoint: str | None = Field(
        default=None,
        validate_default=True,
        description="For `otlp`, and required there: the whole address, such as `http://127.0.0.1:4318/v1/traces`.",
    )
    host: str | None = Field(
        default_factory=_by_kind,
        description="For `langfuse`: its address, `https://cloud.langfuse.com` unless given.",
    )
    public_key_env: Variable | None = Field(
        default_factory=_by_kind,
        description="For `langfuse`: the variable of the environment with the public key, `LANGFUSE_PUBLIC_KEY` unless "
        "given.",
    )
    secret_key_env: Variable | None = Field(
        default_factory=_by_kind,
        description="For `langfuse`: likewise with the secret key, `LANGFUSE_SECRET_KEY` unless given.",
    )
    headers: Annotated[dict[str, str], BeforeValidator(blank_mapping), AfterValidator(_headers)] = Field(
        default_factory=dict, description="Headers of each request that are no secret."
    )
    headers_env: Annotated[dict[str, str], BeforeValidator(blank_mapping), AfterValidator(_variables)] = Field(
        default_factory=dict,
        description="Headers that are: by name, the variable of the environment whose value the header has.",
    )
    every: Annotated[Duration, at_least("100ms")] = Field(
        default_factory=_by_kind,
        description="Time between two looks at what has finished, 100ms or more; `5s` for `otlp`, `60s` for `langfuse` "
        "unless given.",
    )
    timeout: Duration = Field(
        default=written("10s"), gt=0, le=600, description="Longest that the receiver may take over a request."
    )
    backfill: Duration = Field(
        default=written("0"),
        description="How far back a new exporter begins; with 0 it sends only what finishes from then on.",
    )
    payloads: bool = Field(
        default_factory=_by_kind,
        description="Whether payloads and results go along, which may hold secrets; `false` for `otlp`, `true` for "
        "`langfuse` unless given.",
    )

    @field_validator("host", "public_key_env", "secret_key_env", "every", "payloads", mode="before")
    @classmethod
    def _default_of_its_kind(cls, value: Any, info: ValidationInfo) -> Any:
        defaults = _DEFAULTS[info.data.get("kind", "otlp")]
        own = defaults[info.field_name or ""]
        if value is _BY_KIND or (value is None and own is not None):
            return own
        if info.field_name in _LANGFUSE_ONLY and value is not None and own is None and "kind" in info.data:
            complain("is only for kind: langfuse")
        return value

    @field_validator("endpoint")
    @classmethod
    def _where_to(cls, value: str | None, info: ValidationInfo) -> str | None:
        kind, example = info.data.get("kind"), f"http://127.0.0.1:4318{TRACES}"
        if value is None:
            if kind == "otlp":
                complain("is missing", f"add endpoint: {example}", instead="kind")
            return None
        if kind == "langfuse":
            complain("is only for kind: otlp", "the address of Langfuse is its host")
        _address(value, example)
        if urlsplit(value).path in ("", "/"):
            complain("has no path", f"an OTLP receiver has one: {value.rstrip('/')}{TRACES}")
        return value

    @field_validator("host")
    @classmethod
    def _of_langfuse(cls, value: str | None) -> str | None:
        if value is None:
            return None
        _address(value, "https://cloud.langfuse.com")
        if "/api/" in value:
            complain("is more than the address of Langfuse", f"write {value.partition('/api/')[0]}")
        return value.rstrip("/")

    @property
    def address(self) -> str:
        """To which the requests go."""
        return self.endpoint or f"{self.host}{LANGFUSE}{TRACES}"
