"""Alerts in a configuration: what is refused, by line and with a suggestion; what is hidden; what becomes of a sink."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import yaml

from squad.actors.agents.kinds import BUILT_IN
from squad.actors.agents.recipients import recipients
from squad.config import reference
from squad.config.load import parse
from squad.config.programs import check_commands
from squad.config.schema import SquadConfig
from squad.errors import ConfigError

AGENTS = "agents:\n  scanner: {class: './a.py:A'}\n"


def load(text: str) -> SquadConfig:
    return parse(AGENTS + text, name="squad.yaml", base_dir=Path())


def mistakes(text: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        load(text)
    return [str(problem) for problem in refused.value.problems]


RULE = "alerts:\n  rules:\n    mine: "


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("alerts: {disabled: [slow_tsk]}", "squad.yaml:3: alerts.disabled: there is no rule 'slow_tsk' (did"),
        ("alerts: {agents: {scaner: {}}}", "alerts.agents.scaner: there is no agent or convoy 'scaner' (did you mean"),
        ("alerts: {agents: {scanner: {disabled: [x]}}}", "alerts.agents.scanner.disabled: there is no rule 'x'"),
        ("alerts: {every: 10ms}", "alerts.every must be 1s or more"),
        ("alerts: {remind: 1s}", "alerts.remind must be 1m or more, or 0 for never"),
        ("alerts: {failure_window: 10s}", "alerts.failure_window must be 1m or more"),
        ("alerts: {failure_window: 60d}", "alerts.failure_window: metrics are kept for 30d (make it shorter"),
        ("metrics: {keep: 7d}\nalerts: {p95_window: 8d}", "alerts.p95_window: metrics are kept for 7d"),
        ("metrics: {keep: 1h}", "squad.yaml:3: metrics.keep must be 1d12h or more, not 1h"),
        (
            "alerts: {slow_task_threshold: soon}",
            "must be a number of milliseconds, not 'soon' (write for",
        ),
        ("alerts: {max_failure_rate: 101}", "alerts.max_failure_rate must be 100 or less"),
        (
            RULE + "{metric: queue_dept, above: 1}",
            "squad.yaml:5: alerts.rules.mine.metric: there is no metric",
        ),
        (
            RULE + "{metric: dollars, above: 1}",
            "'dollars' (if your agents record it, add own: true)",
        ),
        (RULE + "{metric: failed, own: true, of: sum, above: 1}", "mine.own: 'failed' is a metric of Squad's"),
        (
            RULE + "{metric: queue_depth, of: p95, above: 1}",
            "'queue_depth' is a gauge, which has no p95 (write",
        ),
        (RULE + "{metric: failed, above: 1}", "'failed' is a counter, which has no mean (write of: sum, rate)"),
        (
            RULE + "{metric: queue_depth, of: last, above: 1}",
            "'queue_depth' is kept for each agent (add agent: NAME",
        ),
        (RULE + "{metric: commit_ms, agent: scanner, above: 1}", "'commit_ms' is not kept by agent"),
        (RULE + "{metric: handling_ms, agent: scaner, above: 1}", "mine.agent: there is no agent or convoy 'scaner'"),
        (RULE + "{metric: handling_ms, window: 10s, above: 1}", "alerts.rules.mine.window must be 1m or more"),
        (RULE + "{metric: handling_ms, window: 90d, above: 1}", "mine.window: metrics are kept for 30d"),
        (RULE + "{metric: handling_ms}", "alerts.rules.mine has neither above nor below"),
        (RULE + "{metric: handling_ms, above: 1, below: 2}", "alerts.rules.mine has both above and below"),
        (RULE + "{metric: handling_ms, above: 1, of: median}", "alerts.rules.mine.of must be p50, p90"),
        (
            "alerts: {rules: {queue_depth: {metric: failed, of: sum, above: 1}}}",
            "'queue_depth' is Squad's own",
        ),
        ("alerts: {sinks: {ops: {}}}", "alerts.sinks.ops tells nobody"),
        ("alerts: {sinks: {ops: {agent: scanner, command: [x]}}}", "alerts.sinks.ops is agent and command at once"),
        ("alerts: {sinks: {ops: {agent: scaner}}}", "alerts.sinks.ops.agent: there is no agent or convoy 'scaner'"),
        ("alerts: {sinks: {ops: {agent: scanner, rules: [x]}}}", "alerts.sinks.ops.rules: there is no rule 'x'"),
        ("alerts: {sinks: {ops: {agent: scanner, secret: $A}}}", "has secret, which is only for a webhook"),
        (
            "alerts: {sinks: {ops: {agent: scanner, timeout: 3s}}}",
            "ops has timeout, which is only for a command or webhook or apprise (remove it)",
        ),
        (
            "alerts: {sinks: {ops: {agent: scanner, retry: {max_attempts: 2}}}}",
            "alerts.sinks.ops has retry, which is only",
        ),
        ("alerts: {sinks: {ops: {agent: scanner, timeout: 2h}}}", "ops.timeout must be 1h or less, not 2h"),
        ("alerts: {sinks: {ops: {webhook: 'ftp://a'}}}", "alerts.sinks.ops.webhook is no address of a web server"),
        ("alerts: {sinks: {ops: {webhook: 'https://u:geheim@a'}}}", "webhook has a user and a password in it"),
        (
            "alerts: {sinks: {ops: {webhook: 'http://a', secret: geheim}}}",
            "secret must not be in the file (name",
        ),
        ("alerts: {sinks: {ops: {apprise: [mailto:geheim]}}}", "alerts.sinks.ops.apprise.0 is no URL"),
        ("alerts: {sinks: {Ops: {agent: scanner}}}", "'Ops' cannot be the name of a sink"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_a_way_out(text: str, said: str) -> None:
    (mistake,) = mistakes(text)
    assert said in mistake
    assert mistake.startswith("squad.yaml:")
    assert "geheim" not in mistake


def test_an_agent_that_is_told_must_listen(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        "from squad import Agent, Bottlenecks, handles\n"
        "class A(Agent):\n    @handles(Bottlenecks)\n    def on(self, msg, ctx): ...\n"
    )
    text = f"{AGENTS}alerts: {{sinks: {{boss: {{agent: scanner}}}}}}"
    with pytest.raises(ConfigError) as refused:
        recipients(parse(text, name="squad.yaml", base_dir=tmp_path))
    (problem,) = refused.value.problems
    assert problem.what == "alerts.sinks.boss.agent: scanner does not handle 'squad.alert'"
    assert problem.hint == "give it a method with @handles(Alert), from squad import Alert"


def test_a_sink_whose_agent_would_have_the_name_of_another() -> None:
    (mistake,) = mistakes("  notify-ops: {class: './a.py:A'}\nalerts: {sinks: {ops: {webhook: 'http://a'}}}")
    assert "notify-ops is the name of an agent" in mistake


def test_thresholds_as_they_are_asked_for_are_the_defaults() -> None:
    alerts = load("").alerts
    assert alerts.slow_task_threshold == 60_000
    assert alerts.p95_threshold == 30_000
    assert (alerts.max_failed_tasks, alerts.failure_window) == (5, 3600)
    assert alerts.max_queue_depth == 100
    assert load("alerts: {slow_task_threshold: 90s}").alerts.slow_task_threshold == 90_000


def test_sinks_that_act_are_agents_that_nobody_declared() -> None:
    text = "alerts: {sinks: {ops: {webhook: 'http://a'}, desk: {command: ['true']}, boss: {agent: scanner}}}"
    config = load(text)
    assert set(config.notifiers) == {"notify-ops", "notify-desk"}
    assert set(config.recipients) == {"scanner", "notify-ops", "notify-desk"}
    assert set(config.agents) == {"scanner"}
    assert config.recipient("notify-ops") is config.notifiers["notify-ops"]
    assert load(text.replace("alerts: {", "alerts: {enabled: false, ")).notifiers == {}


def test_what_is_shown_hides_urls_and_loads_again() -> None:
    config = load(
        "alerts:\n  sinks:\n    mail: {apprise: ['mailto://user:geheim@a', $MAIL]}\n"
        "    ops: {webhook: 'http://a', secret: $S}\n  rules: {mine: {metric: failed, of: sum, above: 1, for: 1m}}"
    )
    shown = reference.show_yaml(config)
    assert "geheim" not in shown
    content: Any = yaml.safe_load(shown)
    assert content["alerts"]["sinks"]["mail"]["apprise"] == ["mailto://hidden", "$MAIL"]
    again = parse(shown, name="squad.yaml", base_dir=Path())
    assert again.alerts.rules == config.alerts.rules
    assert again.alerts.sinks["ops"] == config.alerts.sinks["ops"]


def test_the_program_of_a_sink_and_the_library_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "alerts:\n  sinks:\n    desk: {command: [no-such-program]}\n    mail: {apprise: 'json://a'}\n"
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    found = check_commands(load(text), BUILT_IN)
    assert [problem.what.partition(": ")[0] for problem in found] == [
        "alerts.sinks.desk.command.0",
        "alerts.sinks.mail.apprise",
    ]
    assert "there is no program 'no-such-program' on PATH" in found[0].what
    assert "squad-runtime[notify]" in found[1].hint
    assert check_commands(load("alerts: {sinks: {desk: {command: ['true', '{payload[summary]}']}}}"), BUILT_IN) == []
    (wrong,) = check_commands(load("alerts: {sinks: {desk: {command: ['true', '{payload[sumary]}']}}}"), BUILT_IN)
    assert "names no field of 'squad.alert'" in wrong.what
