"""Alerts in a real squad: from what happens to what the sinks hear, and what nobody is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.actors.alerting.receivers import Receiver, closed_port, receiver
from tests.actors.alerting.test_webhook import genuine
from tests.running import RunningSquad, eventually

AGENTS = """
import time
from pathlib import Path

from squad import Agent, Alert, Context, handles, message


FOLDER = Path(__file__).parent


@message("work")
class Work:
    fails: bool = False


class Worker(Agent):
    def start(self) -> None:
        if (FOLDER / "broken").exists():
            raise RuntimeError("no licence")

    @handles(Work)
    def work(self, msg: Work, ctx: Context) -> None:
        while (FOLDER / "busy").exists() and not ctx.cancelled:
            time.sleep(0.02)
        if msg.fails:
            raise ValueError("as asked")


class Ear(Agent):
    @handles(Alert)
    def alert(self, msg: Alert, ctx: Context) -> dict:
        return {"heard": msg.state}
"""
QUICK = {"every": "1s", "settle": 0, "clear_after": "1s", "queue_depth_for": 0, "max_queue_depth": 3}


@contextmanager
def squad(folder: Path, **alerts: Any) -> Iterator[RunningSquad]:
    """The alerts are only those that a test is about: the machine may be under any load."""
    (folder / "agents.py").write_text(AGENTS)
    disabled = ["machine_memory", "throttled", *alerts.pop("disabled", ())]
    config = {
        "name": "mill",
        "agents": {
            "worker": {
                "class": "./agents.py:Worker",
                "retry": {"max_attempts": 1},
                "restarts": {"intensity": 1, "backoff": "10ms"},
            },
            "ear": {"class": "./agents.py:Ear"},
        },
        "alerts": {**QUICK, "disabled": disabled, **alerts},
    }
    (folder / "squad.yaml").write_text(yaml.safe_dump(config))
    with RunningSquad(folder / "home", folder / "squad.yaml", env={"OPS_SECRET": "secret"}) as running:
        yield running


def alerts(running: RunningSquad) -> list[dict[str, Any]]:
    """All that ever fired, as the command shows them."""
    found: list[dict[str, Any]] = json.loads(running.cli("alerts", "list", "--all", "-o", "json").stdout)["alerts"]
    return found


def fired(running: RunningSquad) -> list[tuple[str, str]]:
    return [(row["rule"], row["agent"]) for row in running.query("SELECT rule, agent FROM alerts ORDER BY id")]


def told(server: Receiver) -> list[dict[str, Any]]:
    return [json.loads(one.body)["data"] for one in list(server.received)]


def busy(folder: Path, running: RunningSquad, many: int = 6) -> None:
    """More messages wait for the worker than should."""
    (folder / "busy").touch()
    for _ in range(many):
        running.send("worker", "work", {})


def free(folder: Path) -> None:
    (folder / "busy").unlink()


def has_fired(running: RunningSquad, rule: str, times: int = 1) -> None:
    eventually(lambda: [name for name, _ in fired(running)].count(rule) >= times, f"{rule} fires: {fired(running)}")


def has_cleared(running: RunningSquad, rule: str) -> None:
    left = "SELECT 1 FROM alerts WHERE rule = ? AND cleared_at IS NULL"
    eventually(lambda: not running.query(left, rule), f"{rule} clears")


def test_from_its_cause_to_every_sink_and_back(tmp_path: Path) -> None:
    heard = tmp_path / "heard"
    command = ["/bin/sh", "-c", 'cat >> "$1"', "sh", str(heard)]
    with receiver() as server:
        sinks = {
            "ops": {"webhook": server.url, "secret": "$OPS_SECRET"},
            "desk": {"command": command, "tell": ["fired"]},
            "boss": {"agent": "ear"},
            "nights": {"webhook": server.url.replace("hook", "nights"), "severity": "critical"},
            "others": {"webhook": server.url.replace("hook", "others"), "rules": ["slow_task"]},
        }
        with squad(tmp_path, sinks=sinks) as running:
            busy(tmp_path, running)
            has_fired(running, "queue_depth")
            shown = running.cli("alerts", "list").stdout
            assert "queue_depth" in shown and "wait for worker" in shown
            free(tmp_path)
            has_cleared(running, "queue_depth")
            eventually(lambda: len(told(server)) >= 2, "the news are told")
            eventually(heard.exists, "the command ran")
            answered = "SELECT 1 FROM tasks WHERE recipient = 'ear' AND completed_at IS NOT NULL"
            eventually(lambda: len(running.query(answered)) == 2, "the agent has heard of both")
            running.cli("stop")
            assert [(one["rule"], one["state"], one["agent"]) for one in told(server)] == [
                ("queue_depth", "fired", "worker"),
                ("queue_depth", "cleared", "worker"),
            ]
            assert {one.path.partition("?")[0] for one in server.received} == {"/hook"}
            assert genuine(b"secret", server.received[0].headers, server.received[0].body)
            (line,) = heard.read_text().splitlines()
            assert json.loads(line)["payload"]["state"] == "fired"
            results = running.query("SELECT result FROM tasks WHERE recipient = 'ear' ORDER BY id")
            assert [json.loads(row["result"])["heard"] for row in results] == ["fired", "cleared"]
            kinds = running.query("SELECT kind, subject FROM events WHERE kind LIKE 'alert%' ORDER BY id")
            assert [tuple(row) for row in kinds] == [("alert_fired", "worker"), ("alert_cleared", "worker")]
            (alert,) = alerts(running)  # of a squad that is down
            assert (alert["state"], alert["reminders"]) == ("cleared", 0)
            running.cli("alerts", "ack", alert["id"], status=3)
            running.cli("alerts", "silence", "--rule", "queue_depth", "--for", "1h", status=3)
        logged = running.cli("logs", "monitor").stdout
        assert logged.count("alert queue_depth of worker") == 2


def test_kills_between_firing_and_delivery_lose_and_repeat_nothing(tmp_path: Path) -> None:
    with receiver() as server:
        server.status = 503
        sinks = {"ops": {"webhook": server.url, "retry": {"backoff": "100ms", "cap": "200ms", "max_attempts": 1000}}}
        with squad(tmp_path, sinks=sinks) as running:
            busy(tmp_path, running)
            has_fired(running, "queue_depth")
            for name in ("notify-ops", "monitor", "storage", "notify-ops", "monitor"):
                running.kill(name)
                seen = len(server.received)
                eventually(lambda seen=seen: len(server.received) > seen, f"told again after {name} was killed")
            server.status = 200
            rest = "SELECT 1 FROM tasks WHERE recipient = 'notify-ops' AND completed_at IS NULL"
            eventually(lambda: not running.query(rest), "the alert is delivered")
            free(tmp_path)
            has_cleared(running, "queue_depth")
        assert fired(running) == [("queue_depth", "worker")]
        news = {one.headers["webhook-id"]: json.loads(one.body)["data"]["state"] for one in server.received}
        assert sorted(news.values()) in (["cleared", "fired"], ["fired"])  # the end may not be told before the stop
        (sent,) = running.query("SELECT COUNT(*) FROM tasks WHERE type = 'squad.alert'")[0]
        assert sent == 2


def test_nothing_fires_because_of_what_people_do(tmp_path: Path) -> None:
    """In the end an alert of another kind fires, so that it is certain that somebody has looked."""
    rules = {"sign": {"metric": "cancelled", "of": "sum", "above": 0, "window": "1m", "agent": "worker"}}
    never = {"dead_calm": {"metric": "completed", "of": "sum", "below": 1, "window": "10m"}}
    config = {"rules": {**rules, **never}, "agent_down_after": 0, "disabled": ["failed_tasks"]}
    with squad(tmp_path, **config) as running:
        running.cli("restart", "worker")
        text = (tmp_path / "squad.yaml").read_text()
        (tmp_path / "squad.yaml").write_text(text.replace("intensity: 1", "intensity: 2"))
        running.cli("reload")
        gateway = eventually(lambda: running.pids("gateway"), "the gateway")
        (tmp_path / "agents.py").write_text(f"{AGENTS}\n# edited\n")
        running.cli("reload")
        eventually(lambda: running.pids("gateway") not in ([], gateway), "the gateway has the new code, too")
        running.cli("send", "worker", "work", "--wait")
        running.cli("pause", "worker")
        for _ in range(6):
            running.send("worker", "work", {})
        running.cli("freeze", "--grace", "0s")
        running.cli("thaw")
        running.cli("stop")
        running.wait_stopped()
        running.start()
        text = (tmp_path / "squad.yaml").read_text()
        (tmp_path / "squad.yaml").write_text(text.replace("max_queue_depth: 3", "max_queue_depth: 100"))
        running.cli("reload")  # whoever looks before the worker has taken them sees as many as wait
        running.cli("resume")
        eventually(lambda: ("work", "queued") not in running.counts(), "all is handled")
        running.cli("pause", "worker")
        running.cli("message", "cancel", running.send("worker", "work", {}))
        has_fired(running, "sign")
        assert fired(running) == [("sign", "worker")]


def test_who_is_down_is_told_of_once_until_it_is_back(tmp_path: Path) -> None:
    with squad(tmp_path) as running:
        (tmp_path / "broken").touch()
        running.kill("worker")
        has_fired(running, "agent_down")
        (alert,) = alerts(running)
        assert alert["agent"] == "worker" and "worker is quarantined" in alert["summary"]
        assert alert["todo"] == "squad inspect worker"
        running.cli("alerts", "ack", alert["id"][:13], "--note", "a licence is on order")
        before = running.kill("supervisor")
        eventually(lambda: (running.tree().get("supervisor") or {}).get("pid") not in (None, before), "a new tree")
        (tmp_path / "broken").unlink()
        running.cli("restart", "worker")
        has_cleared(running, "agent_down")
        (alert,) = alerts(running)
        assert (alert["state"], alert["note"]) == ("cleared", "a licence is on order")


def test_a_storm_is_told_once_each_and_a_sink_that_fails_brings_on_nothing(tmp_path: Path) -> None:
    rule = {"metric": "queued", "of": "sum", "above": 0, "window": "10m"}
    many = {f"rule{number}": rule for number in range(40)} | {"lost": {**rule, "metric": "failed"}}
    quick = {"max_attempts": 2, "backoff": "10ms"}
    with receiver() as server:
        sinks = {
            "ops": {"webhook": server.url},
            "wrong": {"webhook": f"http://127.0.0.1:{closed_port()}/", "retry": quick},
            "gone": {"command": ["/bin/false"], "retry": quick},
        }
        with squad(tmp_path, rules=many, sinks=sinks, max_failed_tasks=0, max_queue_depth=10**6) as running:
            running.cli("alerts", "silence", "--rule", "rule7", "--for", "1h")
            running.wait(running.send("worker", "work", {}))
            has_fired(running, "rule39")
            eventually(lambda: len(server.received) >= 39, "the storm is told")
            dead = "SELECT COUNT(*) FROM tasks WHERE status = 'failed' AND type = 'squad.alert'"
            eventually(lambda: running.query(dead)[0][0] == 78, "the other sinks have given up")
            running.cli("alerts", "unsilence", "--all")
            eventually(lambda: len(server.received) == 40, "what was silenced is told")
            assert sorted(rule for rule, _ in fired(running)) == sorted(f"rule{number}" for number in range(40))
            assert len({one["rule"] for one in told(server)}) == 40
            listed = running.cli("alerts", "list").stderr
            assert "could not be told by notify-wrong: " in listed and "Connection refused" in listed
            assert "squad dead list --agent notify-gone" in listed
            assert "could not be told" in running.cli("doctor", status=None).stdout
            assert "wrong could not be told" in running.cli("alerts", "test", "wrong", status=1).stderr
            assert "ops was told" in running.cli("alerts", "test", "ops").stderr
            assert running.health()
