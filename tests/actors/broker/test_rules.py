from __future__ import annotations

from pathlib import Path

import pytest

from squad.actors.broker.rules import Bound, rules_of
from squad.config.load import parse

CONFIG = """
types:
  check: {retry: {max_attempts: 5}}
  never: {retry: {max_attempts: 1}}
agents:
  plain: {class: "a:B"}
  keen: {class: "a:B", retry: {max_attempts: 2, backoff: 8s, cap: 1m, jitter: 0}, cancel_grace: 1s, queue: {limit: 7}}
convoys:
  pool: {class: "a:B", min: 1, max: 2, queue: {limit: 5, warn_at: 0.5, when_full: drop_oldest}}
"""


def test_retries_by_recipient_and_by_type() -> None:
    retry = rules_of(parse(CONFIG, name="squad.yaml", base_dir=Path())).retry
    assert [retry("keen", "other", attempts) for attempts in (1, 2)] == [8.0, None]
    # A type's own keys, over those of its recipient.
    assert [retry("keen", "check", attempts) for attempts in (1, 2, 3, 4, 5)] == [8.0, 16.0, 32.0, 60.0, None]
    assert retry("keen", "never", 1) is None
    assert retry("pool", "never", 1) is None
    assert 0 < (retry("plain", "check", 4) or 0) <= 8.0
    assert retry("plain", "other", 3) is None
    assert retry("removed", "other", 1) is None


@pytest.mark.parametrize(
    ("name", "bound", "for_handlers", "for_replays"),
    [
        ("plain", Bound(1000, 800), 10_000, 10_000),
        ("keen", Bound(7, 6), 70, 70),
        ("pool", Bound(5, 2, drop=True), None, 5),
        ("removed", None, None, None),
    ],
)
def test_bounds(name: str, bound: Bound | None, for_handlers: int | None, for_replays: int | None) -> None:
    rules = rules_of(parse(CONFIG, name="squad.yaml", base_dir=Path()))
    assert rules.bound(name) == bound
    assert rules.for_handlers(name) == for_handlers
    assert rules.for_replays(name) == for_replays


def test_who_there_is() -> None:
    rules = rules_of(parse(CONFIG, name="squad.yaml", base_dir=Path()))
    assert [rules.knows(name) for name in ("keen", "pool", "removed")] == [True, True, False]


def test_grace() -> None:
    rules = rules_of(parse(CONFIG, name="squad.yaml", base_dir=Path()))
    assert [rules.grace(name) for name in ("keen", "plain", "removed")] == [1.0, 5.0, 5.0]
