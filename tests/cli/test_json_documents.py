"""``docs/json.md`` and the documents: every field that is printed is described, and every described field exists."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from squad.actors.supervision.tree import supervisor_row
from squad.actors.why import document as why
from squad.actors.why.reasons import Facts
from squad.benchmark.memory import Reading
from squad.benchmark.running import Step
from squad.errors import StartError
from squad.events import event
from squad.home import Home
from squad.launcher import Stopped, Unfinished
from squad.launcher.begin import default_config
from squad.store import waiting
from squad.store.database import PoolStats, open_reader
from squad.store.holds import Freeze, Holds, Pause
from tests.cli.a_meter import a_busy_squad
from tests.cli.a_store import Story
from tests.cli.a_tree import ago, row, tree
from tests.cli.conftest import Run
from tests.cli.fake_gateway import FakeGateway
from tests.cli.test_alerts import alert
from tests.cli.test_schedule import SCHEDULE
from tests.cli.test_verify import report
from tests.store.old import Old, fill

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "json.md"


def described() -> dict[str, set[str]]:
    """Section -> the paths that it describes."""
    found: dict[str, set[str]] = {}
    for section in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        name, _, body = section.partition("\n")
        found[name] = set(re.findall(r"^\| `([^`]+)` \|", body, re.MULTILINE))
    return found


DESCRIBED = described()
OF_A_MESSAGE = {path.removeprefix("messages[].") for path in DESCRIBED["squad message list"]}
OF_AN_ACTOR = {path.removeprefix("actors[].") for path in DESCRIBED["squad inspect"] if path.startswith("actors[].")}
OF_MAINTENANCE = DESCRIBED["squad maintenance run"]
HELD = {"kind": "paused", "since": "2026-01-31T09:30:00.250Z", "by": None, "reason": None}
# Data of the user's own, or described elsewhere: no fields of ours below these.
OPAQUE = {"payload", "result", "config", "schema", "resizes[].readings", "events[].detail"}


def paths(value: Any, path: str = "") -> Iterator[str]:
    """The path of every value in a document that is no object with fields and no list."""
    if path in OPAQUE:
        yield path
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for inner in value:
            yield from paths(inner, f"{path}[]")
    else:
        yield path


def expanded(section: str) -> set[str]:
    """The paths of a section, with what it takes from other sections written out."""
    known = set(DESCRIBED[section])
    for family in ("causes[]", "effects[]", "dead[]"):
        if family in known:
            known |= {f"{family}.{field}" for field in OF_A_MESSAGE}
    if "workers[]" in known:
        known |= {f"workers[].{field}" for field in OF_AN_ACTOR}
    if section == "squad top":
        known |= {f"actors[].{field}" for field in OF_AN_ACTOR}
    if section == "squad dead show":
        known = set(expanded("squad message show"))
    if section in {"squad message show", "squad send"}:
        known |= OF_A_MESSAGE
    if section == "squad maintenance prune":
        known |= OF_MAINTENANCE
    if "running.step" in known:
        known |= {f"{part}.{field}" for part in ("last", "running", "due") for field in (*OF_MAINTENANCE, "kept_back")}
    if "convoy.*" in known:
        known |= {f"convoy.{field}" for field in OF_AN_ACTOR}
    return known


class Documents:
    """All documents that were printed for each section."""

    def __init__(self) -> None:
        self.found: dict[str, list[Any]] = {section: [] for section in DESCRIBED}

    def add(self, section: str, result: Result) -> None:
        document = json.loads(result.stdout)
        assert document.pop("schema_version") == 1
        assert result.stdout.isascii()
        self.found[section].append(document)


@pytest.fixture
def documents(run: Run, gateway: FakeGateway, story: Story, monkeypatch: pytest.MonkeyPatch) -> Documents:
    """Every command's document, of a squad in which everything has happened."""
    root = story.sent("scanner", "scan", {"path": "/srv"}, key="k")
    good, bad = story.completed(root, {"files": 2}, (("checker", "check_file"),) * 2)
    story.completed(good, None, (("reporter", "report"),))
    story.failed(bad, attempts=2)
    story.resized("checker", 2, 3, "40 messages wait")
    story.recorded(event("edited", bad, agent="checker", type="check_file"))
    waits, runs = _on_hold(story)
    current = {"id": root, "type": "scan", "since": ago(1)}
    convoy = {"size": 1, "target": 2, "min": 1, "max": 2, "pinned": True, "reason": ""}
    actors = [
        row("supervisor", "supervisor", parent=None, state="ready"),
        row("checker", "convoy", state="resizing", **convoy),
        row("checker-1", "worker", parent="checker", current=current, held=HELD),
    ]
    gateway.on("GET /v1/tree", (200, tree() | {"actors": actors}))
    gateway.on(f"GET /v1/messages/{root}/wait", (200, {"done": True}))
    gateway.on("POST /v1/agents/scanner/restart", (200, {"name": "scanner"}))
    gateway.on("POST /v1/convoys/checker/resize", (200, {"convoy": "checker", "size": 2, "pinned": True}))
    gateway.on("GET /v1/store", (200, {"pool": asdict(PoolStats(20, 100, 1, 2, 0, 3, 0, 0, 0, 0))}))
    gateway.on("GET /v1/schedules", (200, {"schedules": [SCHEDULE]}))
    gateway.on(
        "POST /v1/schedules/nightly/run", lambda request: (201, {"schedule": "nightly", "id": request.json["id"]})
    )
    plan = {
        "done": False,
        "start": ["a"],
        "stop": ["b"],
        "restart": [{"name": "c", "reason": "timeout changed"}],
        "resize": [{"name": "checker", "min": 1, "max": 2}],
        "change": ["d: retry"],
    }
    gateway.on("POST /v1/reload", (200, plan))
    stopped = Stopped((Unfinished("a", "id", "t"),))
    monkeypatch.setattr("squad.launcher.stop", lambda *_, **__: stopped)

    made = Documents()
    for section in (
        "status",
        "inspect",
        "queue",
        "events",
        "message list",
        "dead list",
        "convoy list",
        "stop",
        "config schema",
    ):
        made.add(f"squad {section}", run(*section.split(), "-o", "json"))
    _add_views(made, run, gateway.home)
    _add_holds(made, run, gateway, waits, runs)
    made.add("squad message show", run("message", "show", root, "-o", "json"))
    made.add("squad message show", run("message", "show", bad, "-o", "json"))
    _add_desk(made, run, gateway, bad)
    made.add("squad convoy show", run("convoy", "show", "checker", "-o", "json"))
    made.add("squad convoy resize", run("convoy", "resize", "checker", "2", "-o", "json"))
    _alerts(made, run, gateway, story)
    gateway.on("POST /v1/dashboard", (200, {"url": "http://127.0.0.1:8765/", "writable": False}))
    made.add("squad dashboard", run("dashboard", "-o", "json"))
    made.add("squad schedule list", run("schedule", "list", "-o", "json"))
    made.add("squad schedule run", run("schedule", "run", "nightly", "-o", "json"))
    made.add("squad reload", run("reload", "--dry-run", "-o", "json"))
    made.add("squad restart", run("restart", "scanner", "-o", "json"))
    made.add("squad send", run("send", "a", "t", "-o", "json"))
    gateway.on("POST /v1/messages", (201, {"id": root, "duplicate": False}))
    made.add("squad send", run("send", "a", "t", "--wait-tree", "-o", "json"))
    made.add("squad send --batch", run("send", "--batch", "-", "-o", "json", input='{"recipient": "a", "type": "t"}'))
    _add_configuration(made, run, gateway.home)
    _add_stopped(made, run, gateway, monkeypatch)
    return made


def _add_configuration(made: Documents, run: Run, home: Home) -> None:
    """One in order, one with mistakes, and one with a warning."""
    made.add("squad config schema", run("config", "schema", "scan", "--config", str(default_config()), "-o", "json"))
    made.add("squad config show", run("config", "show", "-o", "json"))
    made.add("squad config check", run("config", "check", "-o", "json"))
    made.add("squad config check", run("config", "check", "missing.yaml", "-o", "json"))
    quiet = home.path.parent / "quiet.yaml"
    agents = "agents: {a: {command: ['true'], handles: [t]}}\ntypes: {t: {fields: {}}}\n"
    quiet.write_text(f"{agents}metrics: {{enabled: false}}\n")
    made.add("squad config check", run("config", "check", str(quiet), "-o", "json"))


def _alerts(made: Documents, run: Run, gateway: FakeGateway, story: Story) -> None:
    alert_id = alert(story)
    gateway.on("GET /v1/health", (200, {}))
    gateway.on("POST /v1/alerts/ack", (200, {"acked": [alert_id], "already": []}))
    gateway.on("POST /v1/alerts/unsilence", (200, {"ended": [alert_id], "already": []}))
    silence = {"id": alert_id, "rule": "queue_depth", "agent": None, "until": ago(-3600)}
    gateway.on("POST /v1/alerts/silence", (201, silence))
    tested = story.sent("notify-ops", "squad.alert")
    story.failed(tested, "WebhookError: no")
    gateway.on("POST /v1/alerts/test", (201, {"sink": "ops", "recipient": "notify-ops", "id": tested}))
    gateway.on(f"GET /v1/messages/{tested}/wait", (200, {"done": True}))
    made.add("squad alerts list", run("alerts", "list", "-o", "json"))
    made.add("squad alerts show", run("alerts", "show", alert_id, "-o", "json"))
    made.add("squad alerts ack", run("alerts", "ack", alert_id, "-o", "json"))
    made.add("squad alerts ack", run("alerts", "ack", "--all", "-o", "json"))
    gateway.on("POST /v1/alerts/ack", (200, {"acked": [], "already": [alert_id]}))
    made.add("squad alerts ack", run("alerts", "ack", alert_id, "-o", "json"))
    made.add("squad alerts silence", run("alerts", "silence", "--rule", "queue_depth", "--for", "1h", "-o", "json"))
    made.add("squad alerts unsilence", run("alerts", "unsilence", "--all", "-o", "json"))
    made.add("squad alerts test", run("alerts", "test", "ops", "-o", "json"))


def _on_hold(story: Story) -> tuple[str, str]:
    """A message that waits and one that runs, in a squad that is frozen."""
    waits, runs = story.sent("scanner", "scan"), story.sent("checker", "scan")
    story.running(runs)
    story.held(Holds({"scanner": Pause(1.7e9)}, Freeze(1.7e9)))
    return waits, runs


def _add_views(made: Documents, run: Run, home: Home) -> None:
    """How long it all takes, and what was measured."""
    a_busy_squad(home.database)
    made.add("squad top", run("top", "-o", "json"))
    made.add("squad bottlenecks", run("bottlenecks", "--since", "2001-01-01", "-o", "json"))
    made.add("squad metrics", run("metrics", "-o", "json"))
    made.add("squad metrics", run("metrics", "completed", "--by", "type", "-o", "json"))


def _add_holds(made: Documents, run: Run, gateway: FakeGateway, *tasks: str) -> None:
    """What is on hold, and why messages wait."""
    held = {"since": ago(1), "by": "root", "reason": None}
    gateway.on("GET /v1/holds", (200, {"frozen": held, "paused": [{"name": "a", **held}, {"name": "b", **held}]}))
    gateway.on("POST /v1/pause", (200, {"paused": ["a"]}))
    gateway.on("POST /v1/resume", (200, {"resumed": ["a"]}))
    gateway.on("POST /v1/freeze", (200, {"already": False}))
    gateway.on("POST /v1/thaw", (200, {"thawed": True}))
    made.add("squad pause", run("pause", "a", "b", "-o", "json"))
    made.add("squad resume", run("resume", "a", "b", "-o", "json"))
    made.add("squad freeze", run("freeze", "-o", "json"))
    made.add("squad thaw", run("thaw", "-o", "json"))
    for task in tasks:
        with open_reader(gateway.home.database) as pool, pool.connection() as database:
            found = why.document(Facts(1.8e9, waiting.look(database, task, 1.8e9)))
        gateway.on(f"GET /v1/messages/{task}/why", (200, {**found, "result": None}))
        made.add("squad inspect --why", run("inspect", "--why", task, "-o", "json"))


def _add_desk(made: Documents, run: Run, gateway: FakeGateway, task: str) -> None:
    """What is done about one message, a dead letter."""
    gateway.on(f"POST /v1/messages/{task}/cancel", (200, {"cancelled": 1, "running": 0}))
    gateway.on(f"PUT /v1/dead/{task}", (200, {"id": task}))
    made.add("squad message cancel", run("message", "cancel", task, "-o", "json"))
    made.add("squad dead show", run("dead", "show", task, "-o", "json"))
    made.add("squad dead edit", run("dead", "edit", task, "--data", "{}", "-o", "json"))
    for verb in ("retry", "drop"):
        gateway.on(f"POST /v1/dead/{verb}", (200, {"count": 1, "ids": [task]}))
        made.add(f"squad dead {verb}", run("dead", verb, task, "-o", "json"))


def _add_stopped(made: Documents, run: Run, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the squad does not run any more."""
    gateway.vanish()
    gateway.release_lock()
    unfinished = [{"agent": "a", "id": "i", "type": "t"}]
    gateway.home.last_stop.write_text(json.dumps({"at": ago(1), "forced": False, "unfinished": unfinished}))
    made.add("squad status", run("status", "-o", "json"))
    _add_logs(made, run, gateway)
    gateway.home.path.chmod(0o755)
    made.add("squad doctor", run("doctor", "--fix", "-o", "json"))
    monkeypatch.setattr("squad.verify.verify", lambda plan, folder, told: report(plan, "lost: m1"))
    monkeypatch.setattr("tempfile.tempdir", str(gateway.home.path.parent))
    made.add("squad verify", run("verify", "-o", "json"))
    _add_maintenance(made, run, gateway.home)
    _add_benchmark(made, run, gateway.home.path.parent, monkeypatch)


def _add_maintenance(made: Documents, run: Run, home: Home) -> None:
    """Of a store that is tidied, of one that is sound, and of one that somebody has written to."""
    file = str(home.path.parent / "copy.db")
    run_there = {"why": "hand", "what": "run", "began": 1.0, "step": "messages", "after": ["", 0]}
    kept = {"run": {**run_there, "removed": {"rows": {"tasks": 1}, "archived": 1, "dead": 0, "unsent": 0}}}
    fill(home.database, [Old(1.0)])
    with closing(sqlite3.connect(home.database)) as database, database:
        database.execute("REPLACE INTO keeper VALUES ('maintenance', ?, '')", (json.dumps(kept),))
    for words in (("prune", "--dry-run"), ("status",), ("run",), ("prune",), ("status",)):
        made.add(f"squad maintenance {words[0]}", run("maintenance", *words, "-o", "json"))
    made.add("squad maintenance check", run("maintenance", "check", "-o", "json"))
    made.add("squad maintenance backup", run("maintenance", "backup", file, "-o", "json"))
    made.add("squad maintenance restore", run("maintenance", "restore", file, "--yes", "-o", "json"))
    with closing(sqlite3.connect(home.database)) as database, database:
        database.execute("UPDATE tasks SET lease_owner = 'x' WHERE status = 'queued'")
    made.add("squad maintenance check", run("maintenance", "check", "-o", "json"))


def _add_benchmark(made: Documents, run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With measurements that measure nothing."""

    def fails() -> dict[str, float]:
        raise StartError("no room")

    steps = [Step("many", 200, 1, lambda: {"ready_seconds": 3.0}), Step("idle", 50, 0, fails)]
    reading = Reading(1, 1, "agents", 1, 10.0, 12.0, 11.0)
    monkeypatch.setattr("squad.benchmark.running.steps", lambda *_: steps)
    monkeypatch.setattr("squad.benchmark.memory.measure", lambda *_: [reading._replace(run=n) for n in range(8)])
    for name in ("a.json", "b.json"):
        made.add("squad benchmark run", run("benchmark", "run", "--output", str(folder / name), "-o", "json"))
    files = ("--file", str(folder / "a.json"), "--compare", str(folder / "b.json"))
    made.add("squad benchmark report", run("benchmark", "report", *files, "-o", "json"))
    (folder / "b.json").write_text((folder / "b.json").read_text().replace('"FULL"', '"NORMAL"'))
    made.add("squad benchmark report", run("benchmark", "report", *files, "-o", "json"))
    made.add("squad benchmark memory", run("benchmark", "memory", "--agents", "1", "-o", "json"))


def _add_logs(made: Documents, run: Run, gateway: FakeGateway) -> None:
    """Lines without a version."""
    gateway.home.logs.mkdir()
    log = {"at": ago(1), "level": "ERROR", "name": "a", "pid": 1, "message": "m", "error": "File x"}
    (gateway.home.logs / "a.jsonl").write_text(f"{json.dumps(log)}\n")
    made.found["squad logs"].append(json.loads(run("logs", "-o", "json").stdout))


def test_every_field_is_described_and_every_described_field_is_there(documents: Documents) -> None:
    for section, found in documents.found.items():
        printed = {path for document in found for path in paths(document)}
        known = expanded(section)
        patterns = [re.compile(re.escape(path).replace(r"\*", r"[^.]+")) for path in known]
        unknown = {path for path in printed if not any(pattern.fullmatch(path) for pattern in patterns)}
        # A null stands for a whole object: `current`, `last_stop`.
        nulls = {path for path in unknown if any(other.startswith(f"{path}.") for other in known)}
        assert unknown == nulls, f"{section} prints what docs/json.md does not describe"
        own = DESCRIBED[section]
        missing = {path for path in own if not any(_meets(path, other) for other in printed)}
        assert not missing, f"docs/json.md says that {section} has {missing}"


def _meets(described: str, printed: str) -> bool:
    """Whether a printed path is the described one or lies below it."""
    pattern = re.escape(described).replace(r"\*", r"[^.]+")
    return re.match(rf"{pattern}($|[.\[])", printed) is not None


def test_the_rows_of_a_real_supervisor_have_the_fields_that_are_described() -> None:
    real = supervisor_row(0.0, None, None, "ready")
    convoys_only = {"size", "target", "min", "max", "pinned", "reason"}
    plain = {field.partition(".")[0] for field in OF_AN_ACTOR} - convoys_only
    assert set(real) == plain


def test_every_command_with_documents_has_a_section() -> None:
    from tests.cli.test_program import COMMANDS

    with_documents = {path for path, command in COMMANDS if any("--output" in p.opts for p in command.params)}
    assert with_documents | {"squad send --batch", "squad inspect --why"} == set(DESCRIBED)
