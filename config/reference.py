"""The configuration shown to people and programs: the reference page, the JSON Schema, and a configuration in full.

``python -m squad.config.reference`` prints the reference page, which is kept as ``docs/configuration.md``.
"""

from __future__ import annotations

import sys
from typing import Any

import yaml
from pydantic.fields import FieldInfo

from squad.config.document import FLOAT_FORM, INT_FORM, TAG
from squad.config.mistakes import keys_of
from squad.config.schema import AgentConfig, SquadConfig
from squad.config.section import Section, section_in
from squad.config.values import RESERVED

EXAMPLE = """\
name: audit

agents:
  scanner:
    class: ./agents.py:Scanner    # the file is beside this one
    timeout: 10m
    options:
      skip: [.git, build]
  reporter:
    class: ./agents.py:Reporter
    send_rate: none               # it may send as much as it likes
    restarts: {intensity: 10}     # the rest as under supervision
  blame:
    command: [git, blame, --porcelain, --, "{payload[path]}"]
    handles: [blame]
    timeout: 30s

types:
  blame:
    fields:
      path: str

convoys:
  checker:
    class: ./agents.py:Checker
    min: 2
    max: 8
    memory_per_worker: 200MB
    retry: {max_attempts: 5, backoff: 2s}

supervision:
  shutdown: 1m

limits:
  max_payload: 256KiB
  clients: {per_minute: 600, burst: 100}

logging:
  level: DEBUG
"""

_HEAD = f"""\
# Configuration

One YAML file deploys a squad. Every key is listed here with its default; an agent's `class`, or else its `command`, is
the only one that must be there. `squad config check FILE` names every mistake in a file with its line, `squad config
show` prints the configuration in full as Squad understands it, and `squad config schema` prints a JSON Schema for
editors.

This page is made from the schema: `python -m squad.config.reference > docs/configuration.md`.

```yaml
{EXAMPLE}```

## Values

- A *duration* is text with units, such as `250ms`, `30s`, `5m`, `1h30m`, `2d`, or a number of seconds.
- A *size* is text with a unit, such as `500MB` (powers of ten) or `1MiB` (powers of two), or a number of bytes.
- A *rate* is `none` for no limit, a number of messages a minute, or a [mapping](#rate).
- The *name* of an agent or a convoy is a small letter, then small letters, digits, `-` and `_`, at most 40 characters.
  No two have the same name. {", ".join(f"`{name}`" for name in RESERVED)} are Squad's own,
  and `NAME-1`, `NAME-2` and so on are the workers of the convoy `NAME`.
- A file has at least one agent or convoy. A section with nothing under it is as good as left out.
- Unknown and repeated keys are mistakes. Anchors, aliases and `<<` may be used; tags such as `!!python/name` may not.
- `yes`, `no`, `on` and `off` mean true and false, as ever in YAML. What looks like a date, a time (`12:30`) or a number
  with leading zeros (`010`) is text.
"""


def page() -> str:
    """The reference as Markdown: ``docs/configuration.md``."""
    return "\n".join([_HEAD, *(_section(section) for section in _sections(SquadConfig))])


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of the file, for editors."""
    made = SquadConfig.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def show(config: SquadConfig) -> dict[str, Any]:
    """The whole configuration with all defaults, as plain data: durations and sizes as text, by YAML key."""
    shown: dict[str, Any] = config.model_dump(mode="json", by_alias=True)
    return shown


def show_yaml(config: SquadConfig) -> str:
    """The same as YAML text, which loads to an equal configuration."""
    return as_yaml(show(config))


def as_yaml(shown: dict[str, Any]) -> str:
    """What ``show`` gives, or a part of it, as YAML text."""
    return yaml.dump(shown, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


# -- the page


def _sections(section: type[Section]) -> list[type[Section]]:
    """A section and all below it, each once, in the order of the keys."""
    inner = [found for field in section.model_fields.values() if (found := section_in(field.annotation))]
    return list(dict.fromkeys([section, *(below for found in inner for below in _sections(found))]))


def _title(section: str) -> str:
    return section.removesuffix("Config")


def _section(section: type[Section]) -> str:
    summary = " ".join((section.__doc__ or "").split())
    schema = section.model_json_schema(by_alias=True)
    rows = []
    for key, (name, field) in zip(keys_of(section), section.model_fields.items(), strict=True):
        if section is AgentConfig or name not in AgentConfig.model_fields or not issubclass(section, AgentConfig):
            of_key = schema["properties"][key]
            description = (field.description or "").replace("|", "\\|")
            rows.append(f"| `{key}` | {_type(of_key)} | {_default(field, of_key)} | {description} |\n")
    head = "| key | type | default | meaning |\n| --- | --- | --- | --- |\n"
    return f"## {_title(section.__name__)}\n\n{summary}\n\n{head}{''.join(rows)}"


def _type(schema: dict[str, Any]) -> str:
    """The type of a key in words, from its JSON Schema."""
    if "anyOf" in schema:
        return _type(schema["anyOf"][0])
    if "$ref" in schema:
        title = _title(schema["$ref"].rpartition("/")[2])
        return "anything" if title == "JsonValue" else f"[{title.lower()}](#{title.lower()})"
    if "enum" in schema:
        return " or ".join(f"`{choice}`" for choice in schema["enum"])
    if schema["type"] == "object":
        by_name = list(schema.get("patternProperties", {}).values())
        return f"mapping: name to {_type(by_name[0])}" if by_name else "mapping"
    if schema["type"] == "array":
        return f"list of {_type(schema['items'])}"
    return _plain_type(schema)


def _plain_type(schema: dict[str, Any]) -> str:
    if isinstance(schema["type"], list):  # text or a number: its title says of what
        return str(schema["title"]).lower()
    return _PLAIN[schema["type"]] + _bounds(schema)


_PLAIN = {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true` or `false`"}


def _bounds(schema: dict[str, Any]) -> str:
    least, most, above = (schema.get(key) for key in ("minimum", "maximum", "exclusiveMinimum"))
    if above is not None:
        return f", more than {above:g}"
    if least is None or abs(least) >= 2**31:
        return ""
    return f", {least:g} or more" if most is None or most >= 2**31 - 1 else f", {least:g} to {most:g}"


def _default(field: FieldInfo, schema: dict[str, Any]) -> str:
    if field.is_required():
        return "required"
    if schema.get("default") is not None:
        default = schema["default"]
        return f"`{str(default).lower() if isinstance(default, bool) else default}`"
    if schema.get("type") in ("array", "object"):
        return f"`{field.get_default(call_default_factory=True)}`"
    return "" if field.default_factory is None else "its own"


# -- YAML for both worlds


class _Dumper(yaml.SafeDumper):
    """Quotes all text that our reading or YAML 1.1 takes for something else, and writes no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: _Dumper, value: str) -> yaml.ScalarNode:
    """PyYAML loses line separators of Unicode unless the text is in double quotes."""
    style = '"' if set(value) & set("\x85\u2028\u2029") else None
    return dumper.represent_scalar(f"{TAG}str", value, style)


_Dumper.add_representer(str, _text)
_Dumper.add_implicit_resolver(f"{TAG}int", INT_FORM, list("-+0123456789"))
_Dumper.add_implicit_resolver(f"{TAG}float", FLOAT_FORM, list("-+0123456789."))

if __name__ == "__main__":
    sys.stdout.write(page())
