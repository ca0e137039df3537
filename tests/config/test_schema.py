"""Configurations made in Python, as tests and embedding programs do."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from pydantic import ValidationError

from squad.config.schema import AgentConfig, ConvoyConfig, RateConfig, RetryConfig, SquadConfig, StoreConfig
from squad.config.values import RESERVED


def test_sections_can_be_made_by_attribute_name() -> None:
    agent = AgentConfig(class_="./a.py:A", timeout=2, send_rate=None, handle_rate=RateConfig(per_minute=5))
    config = SquadConfig(agents={"one": agent}, convoys={"many": ConvoyConfig(class_="p.m:C", max=9)})
    assert (config.agents["one"].class_, config.agents["one"].timeout) == ("./a.py:A", 2.0)
    assert config.agents["one"].send_rate is None
    assert config.convoys["many"].max == 9
    assert (config.base_dir, config.source, config.line_of("agents", "one")) == (Path(), None, None)
    assert pickle.loads(pickle.dumps(config)) == config  # noqa: S301 - our own


def test_they_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        StoreConfig().busy_timeout = 1


@pytest.mark.parametrize("name", [*RESERVED, "", "A", "1a", "a b", "a.b", "a\n", "x" * 41])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        SquadConfig(agents={name: AgentConfig(class_="./a.py:A")})


@pytest.mark.parametrize("name", ["a", "a-b_c9", "x" * 40])
def test_good_names_are_taken(name: str) -> None:
    assert name in SquadConfig(agents={name: AgentConfig(class_="./a.py:A")}).agents


def test_an_agent_and_a_convoy_cannot_share_a_name() -> None:
    with pytest.raises(ValidationError, match="'one' is both an agent and a convoy"):
        SquadConfig(agents={"one": AgentConfig(class_="./a.py:A")}, convoys={"one": ConvoyConfig(class_="./a.py:A")})


@pytest.mark.parametrize(
    "reference", ["agents.py:A", "./x/agents.py:A", "/abs/a b.py:A", "pkg:A", "pkg.mod:A", "./é.py:É"]
)
def test_references_to_classes(reference: str) -> None:
    assert AgentConfig(class_=reference).class_ == reference


@pytest.mark.parametrize(
    "reference", ["", ":", "A", "pkg.A", "./a.py", "./a.py:", ":A", "./a:A", "a..b:A", "a.py:1", "a.py:A.B"]
)
def test_what_is_no_reference_to_a_class(reference: str) -> None:
    with pytest.raises(ValidationError):
        AgentConfig(class_=reference)


def test_a_wait_may_not_begin_above_its_bound() -> None:
    with pytest.raises(ValidationError, match="is 5m, which is less than backoff, 6m"):
        RetryConfig(backoff=360)
    assert RetryConfig(backoff=360, cap=360).cap == 360
