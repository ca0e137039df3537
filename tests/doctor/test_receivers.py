"""Whether receivers of traces are there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from squad.doctor import Subject, Verdict, settings
from squad.doctor.receivers import exporters
from tests.doctor.test_settings import AGENTS
from tests.otlp import OtlpReceiver


def written(folder: Path, **found: object) -> None:
    (folder / "agents.py").write_text(AGENTS)
    config = {"agents": {"a": {"class": "./agents.py:A"}}, "exporters": found}
    (folder / "squad.yaml").write_text(json.dumps(config))


def test_without_exporters_there_is_nothing_to_ask(subject: Subject, tmp_path: Path) -> None:
    assert exporters(subject) is None
    written(tmp_path)
    assert exporters(Subject(subject.home)) is None


def test_each_receiver_is_asked(subject: Subject, tmp_path: Path) -> None:
    with OtlpReceiver() as receiver:
        written(tmp_path, jaeger={"kind": "otlp", "endpoint": receiver.address})
        found = exporters(subject)
        assert found is not None
        assert (found.verdict, found.what) == (Verdict.OK, "jaeger takes traces")
        assert receiver.spans == []

        receiver.answers = [(401, {})]
        found = exporters(subject)
        assert found is not None
        assert found.verdict == Verdict.FAIL
        assert f"{receiver.address}: it answers 401" in found.what

        receiver.close()
        found = exporters(subject)
        assert found is not None
        assert (found.verdict, "nobody listens there" in found.what) == (Verdict.WARN, True)


def test_keys_that_are_missing_are_a_mistake_of_the_configuration(
    subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LANGFUSE_PUBLIC_KEY", raising=False)
    monkeypatch.setenv("LANGFUSE_SECRET_KEY", "sk")
    written(tmp_path, langfuse={"kind": "langfuse"})

    assert exporters(subject) is None
    found = settings.configuration(subject)
    assert found.verdict == Verdict.FAIL
    assert "LANGFUSE_PUBLIC_KEY is not set" in found.what
