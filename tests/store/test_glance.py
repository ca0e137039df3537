from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from squad.config.schema import StoreConfig
from squad.errors import StoreError
from squad.store import glance
from squad.store.writer import Writer
from tests.cli.a_store import Story


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    with closing(Writer(tmp_path / "squad.db", StoreConfig())) as writer:
        yield Story(writer)


def test_the_newest_messages_come_first(story: Story) -> None:
    ids = [story.sent("a", "t") for _ in range(5)]
    found = glance.messages(story.writer.path, "", limit=3)
    assert [item.task_id for item in found] == ids[:1:-1]
    assert found[0][1:] == ("a", "t", "queued")


def test_they_are_chosen_by_beginning_and_status(story: Story) -> None:
    failed, waiting = story.sent("a", "t"), story.sent("a", "t")
    story.failed(failed)
    path = story.writer.path
    assert [item.task_id for item in glance.messages(path, failed[:-1])] == [failed]
    assert [item.task_id for item in glance.messages(path, "", ("failed",))] == [failed]
    assert [item.task_id for item in glance.messages(path, "", ("queued", "running"))] == [waiting]
    assert glance.messages(path, "zz") == []


def test_types_by_recipient(story: Story) -> None:
    for recipient, kind in (("a", "x"), ("a", "w"), ("b", "y"), ("a", "x")):
        story.sent(recipient, kind)
    assert glance.types(story.writer.path) == ["w", "x", "y"]
    assert glance.types(story.writer.path, "a") == ["w", "x"]
    assert glance.types(story.writer.path, "c") == []


def test_it_gives_up_rather_than_keep_somebody_waiting(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(50):
        story.sent("a", "t")
    monkeypatch.setattr(glance, "_PATIENCE", 0.0)
    monkeypatch.setattr(glance, "_STEPS", 1)
    with pytest.raises(StoreError):
        glance.messages(story.writer.path, "")


def test_no_database(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        glance.types(tmp_path / "squad.db")
