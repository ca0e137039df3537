"""What a configuration may say, and hardly means."""

from __future__ import annotations

from pathlib import Path

import pytest

from squad.config.cautions import cautions
from squad.config.load import load, parse

OFF = "agents:\n  scanner: {class: './a.py:A'}\nmetrics: {enabled: false}\n"
OWN = "rules: {mine: {metric: failed, of: sum, above: 1}, other: {metric: failed, of: sum, above: 2}}"


def found(text: str) -> list[str]:
    return [str(one) for one in cautions(parse(text, name="squad.yaml", base_dir=Path()))]


def test_without_metrics_the_alerts_that_never_fire_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("squad.yaml").write_text(f"{OFF}alerts:\n  {OWN}\n")
    everything, *own = [str(one) for one in cautions(load(Path("squad.yaml")))]
    assert everything == (
        "squad.yaml:3: no metrics are recorded, so these alerts never fire: slow_p95, failed_tasks, failure_rate"
        " (set metrics.enabled to true, or name them in alerts.disabled)"
    )
    assert [one.partition(" (")[0] for one in own] == [
        "squad.yaml:5: no metrics are recorded, so the alert mine never fires",
        "squad.yaml:5: no metrics are recorded, so the alert other never fires",
    ]


def test_those_that_are_off_anyway_are_not() -> None:
    assert len(found(f"{OFF}alerts: {{disabled: [mine, slow_p95], {OWN}}}")) == 2
    assert "failed_tasks, failure_rate (" in found(f"{OFF}alerts: {{disabled: [slow_p95]}}")[0]
    for alerts in ("disabled: [slow_p95, failed_tasks, failure_rate]", f"enabled: false, {OWN}"):
        assert found(f"{OFF}alerts: {{{alerts}}}") == []
    assert found(OFF.replace("false", "true") + f"alerts: {{{OWN}}}") == []
