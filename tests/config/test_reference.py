"""The configuration shown: the reference page, the JSON Schema, and a configuration in full."""

from __future__ import annotations

import string
from pathlib import Path

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from squad.config import reference
from squad.config.load import parse
from squad.config.readable import readable_duration, readable_size
from squad.config.schema import AgentConfig, ConvoyConfig, RateConfig, RetryConfig, SquadConfig
from squad.config.supervision import RestartConfig
from squad.durations import parse_duration, parse_size

ROOT = Path(__file__).parents[2]


def test_the_page_in_docs_is_up_to_date() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    assert page == reference.page(), "run: python -m squad.config.reference > docs/configuration.md"


def test_the_example_loads_and_says_what_its_comments_say() -> None:
    config = parse(reference.EXAMPLE, name="example", base_dir=Path())
    assert config.agents["reporter"].send_rate is None
    restarts = config.agents["reporter"].restarts
    assert restarts == config.supervision.restarts.model_copy(update={"intensity": 10})
    assert config.limits.clients == RateConfig(per_minute=600, burst=100)


def test_every_key_is_described_with_its_default() -> None:
    page = reference.page()
    for row in (
        "| `name` | text | `squad` | The squad's name, for people: letters,",
        "| `agents` | mapping: name to [agent](#agent) | `{}` |",
        "| `class` | text |  |",
        "| `command` | list of text |  |",
        "| `types` | mapping: name to [type](#type) | `{}` |",
        "| `fields` | mapping: name to [field](#field) |",
        "| `retry` | list of whole number | `[75]` |",
        "| `timeout` | duration | `30m` |",
        "| `handle_rate` | [rate](#rate) | `none` |",
        "| `size` | whole number, 1 to 1000 | `20` |",
        "| `max_payload` | size | `1MiB` |",
        "| `cpu_threshold` | number, 0 to 100 | `80` |",
        "| `synchronous` | `FULL` or `NORMAL` | `FULL` |",
        "| `cache_size` | whole number | `-64000` |",
        "| `per_minute` | number, more than 0 | `100` |",
    ):
        assert row in page
    assert "None" not in page
    assert page.count("| `class` |") == 1  # a convoy's section lists only what an agent has not


def test_the_json_schema_says_what_may_be_written() -> None:
    schema = reference.json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["additionalProperties"] is False
    agent = schema["$defs"]["AgentConfig"]
    assert agent["oneOf"] == [{"required": ["class"]}, {"required": ["command"]}]
    assert agent["properties"]["timeout"]["type"] == ["string", "number"]
    assert agent["properties"]["timeout"]["default"] == "30m"
    kinds = agent["properties"]["send_rate"]["anyOf"]
    assert kinds == [{"$ref": "#/$defs/RateConfig"}, {"type": "number", "exclusiveMinimum": 0}, {"const": "none"}]
    assert list(schema["properties"]["agents"]["patternProperties"]) == ["^[a-z][a-z0-9_-]{0,39}$"]


def test_show_is_plain_and_readable() -> None:
    text = "agents: {one: {class: ./a.py:A, timeout: 90, send_rate: none}}\nlogging: {max_size: 2000000}\n"
    shown = reference.show(parse(text, name="squad.yaml", base_dir=Path()))
    assert shown["agents"]["one"]["timeout"] == "1m30s"
    assert shown["agents"]["one"]["send_rate"] == "none"
    assert shown["agents"]["one"]["restarts"]["backoff"] == "100ms"
    assert shown["logging"]["max_size"] == "2MB"
    assert shown["store"]["pool"] == {"size": 20, "wait": "30s", "waiting": 100}


DURATIONS = st.floats(0.001, 1e9) | st.integers(1, 10**9).map(float) | st.integers(1, 10**9).map(lambda ms: ms / 1000)
SIZES = (
    st.integers(10**6, 10**12)
    | st.integers(1, 900).map(lambda n: n * 2**30)
    | st.integers(1, 900).map(lambda n: n * 10**6)
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
    | st.sampled_from(["yes", "010", "0o7", "1e5", "12:30", "2024-01-31", "<<", "=", "~", "", " a", "a: ", "\x85"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


def rates(*when_empty: str) -> st.SearchStrategy[RateConfig | None]:
    return st.none() | st.builds(
        RateConfig,
        per_minute=st.floats(1e-6, 1e9),
        burst=st.integers(1, 10**6),
        when_empty=st.sampled_from(when_empty),
    )


SHARED = {
    "class_": st.sampled_from(["./a.py:A", "pkg.mod:É"]),
    "options": st.dictionaries(st.text(), JSON, max_size=3),
    "timeout": DURATIONS,
    "send_rate": rates("wait", "raise"),
    "handle_rate": rates("wait"),
    "retry": st.builds(RetryConfig, max_attempts=st.integers(1, 99), backoff=st.floats(0, 300), jitter=st.floats(0, 1)),
    "restarts": st.none() | st.builds(RestartConfig, intensity=st.integers(0, 99), period=DURATIONS),
}
NAMES = st.text(string.ascii_lowercase, min_size=1, max_size=3)
SQUADS = st.builds(
    SquadConfig,
    name=st.sampled_from(["squad", "1.0", "no", "a b"]),
    agents=st.dictionaries(NAMES.map("a-".__add__), st.builds(AgentConfig, **SHARED), min_size=1, max_size=2),
    convoys=st.dictionaries(
        NAMES.map("c-".__add__),
        st.builds(ConvoyConfig, min=st.integers(1, 20), memory_per_worker=SIZES, **SHARED),
        max_size=2,
    ),
)


@given(SQUADS)
@settings(max_examples=60, deadline=None)
def test_what_is_shown_loads_to_an_equal_configuration(config: SquadConfig) -> None:
    text = reference.show_yaml(config)
    assert parse(text, name="shown", base_dir=Path()) == config
    assert yaml.safe_load(text) == reference.show(config)  # for other readers of YAML too


@given(st.floats(0, 9e9))
def test_a_readable_duration_is_exact(seconds: float) -> None:
    assert parse_duration(readable_duration(seconds)) == seconds


@given(st.integers(0, 10**15) | SIZES)
def test_a_readable_size_is_exact(size: int) -> None:
    assert parse_size(readable_size(size)) == size
