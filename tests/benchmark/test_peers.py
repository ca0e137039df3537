"""The comparison without its peers: they are an extra, and what it needs of them it asks for in plain words."""

from __future__ import annotations

import subprocess
import sys
from importlib.machinery import ModuleSpec

import pytest

from tests.benchmark import peers
from tests.benchmark.queues.contest import PAYLOAD, Journal, task
from tests.benchmark.queues.run import Run, Scale


def test_it_is_imported_without_a_peer():
    theirs = {"huey", "litequeue", "persistqueue", "dbos", "sqlalchemy"}
    program = "import sys, tests.benchmark.peers; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert "tests.benchmark.peers" in done.stdout.split()
    assert not theirs & set(done.stdout.split())


def test_a_missing_peer_is_named_with_the_extra(monkeypatch, capsys):
    def found(name):
        return None if name in ("persistqueue", "dbos") else ModuleSpec(name, None)

    monkeypatch.setattr(peers.importlib.util, "find_spec", found)
    with pytest.raises(SystemExit) as ended:
        peers.main([])
    assert ended.value.code == 2
    assert "not installed: persist-queue, dbos. They come with an extra: pip install -e '.[bench]'" in _words(capsys)


def test_a_misspelt_queue_is_named(capsys):
    with pytest.raises(SystemExit) as ended:
        peers.main(["--only", "squad,hewey"])
    assert ended.value.code == 2
    assert "no queue is called hewey" in _words(capsys)


def _words(capsys) -> str:
    return " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("number", [0, 9, 10, 123_456])
def test_every_task_has_the_same_size(number):
    from json import dumps

    assert len(dumps(task(number), separators=(",", ":"))) == PAYLOAD


class AtOnce:
    """A queue that handles a task when it is sent, ``times`` times."""

    def __init__(self, journal, times):
        self.journal, self.times = journal, times

    def send(self, task):
        for _ in range(self.times(task["number"])):
            self.journal.handled(task)

    def send_many(self, tasks):
        for each in tasks:
            self.send(each)

    def completed(self):
        return None

    def processes(self):
        return []


SMALL = Scale(seconds=0.1, workers=1, limit=5)


def test_the_figures_of_a_queue(tmp_path):
    journal = Journal(tmp_path / "journal")
    figures, workers = Run(AtOnce(journal, lambda number: 1), journal, SMALL).all(50)
    journal.close()
    assert workers == 1
    assert set(figures) == {*peers.FIGURES, "sent_per_second"}
    assert 0 <= figures["p50_ms"] <= figures["p99_ms"]
    assert figures["tasks_per_second"] > 0


def test_what_is_handled_twice_or_never_is_refused(tmp_path):
    journal = Journal(tmp_path / "journal")
    run = Run(AtOnce(journal, lambda number: {20: 2, 21: 0}.get(number, 1)), journal, SMALL)
    with pytest.raises(peers.RefusedFigureError, match="of 64 tasks 1 were handled twice or more, 1 never"):
        run.all(50)
    journal.close()
