from __future__ import annotations

import threading
import time
import uuid

import pytest

from squad import ids


def test_is_a_version_7_uuid_of_the_present() -> None:
    made = uuid.UUID(ids.new_id())
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert abs((made.int >> 80) / 1000 - time.time()) < 60


def test_ids_of_one_process_are_unique_and_sort_as_they_were_made() -> None:
    made = [ids.new_id() for _ in range(20_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_a_clock_that_steps_back_does_not_break_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    before = ids.new_id()
    monkeypatch.setattr(time, "time_ns", lambda: 1_000_000_000_000_000_000)
    after = [ids.new_id() for _ in range(5000)]
    assert [before, *after] == sorted([before, *after])


def test_threads_never_make_the_same_id() -> None:
    made: list[str] = []

    def make() -> None:
        mine = [ids.new_id() for _ in range(2000)]
        made.extend(mine)

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 8000


def test_a_derived_id_is_the_same_each_time_and_sorts_by_its_moment() -> None:
    made = uuid.UUID(ids.derived_id(1.8e9, "seed"))
    assert (made.version, made.variant, made.int >> 80) == (7, uuid.RFC_4122, 1_800_000_000_000)
    assert ids.derived_id(1.8e9, "seed") == str(made)
    assert ids.derived_id(1.8e9, "other") != str(made)
    assert ids.derived_id(1.8e9 + 0.001, "seed") > str(made)
    assert ids.derived_id(0.0, "") < ids.new_id()
