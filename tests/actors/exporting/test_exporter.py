"""Real squads whose finished messages go to a real receiver."""

from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from squad import trace
from squad.client import Client
from tests.otlp import OtlpReceiver, ReceivedSpan
from tests.running import RunningSquad, eventually

JOURNEY = Path(__file__).parent / "journey.py"
OUTSIDE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
Start = Callable[..., RunningSquad]


@pytest.fixture
def there() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as receiver:
        yield receiver


def written(folder: Path, exporters: dict[str, Any]) -> Path:
    agents = {
        "scout": {"class": f"{JOURNEY}:Scouting"},
        "smith": {"class": f"{JOURNEY}:Smith"},
        "clerk": {"class": f"{JOURNEY}:Clerk", "retry": {"backoff": "50ms", "max_attempts": 2}},
        "porter": {
            "command": ["{python}", "-c", "import os; print(os.environ.get('TRACEPARENT'))"],
            "handles": ["carry"],
        },
    }
    types = {"carry": {"fields": {}}}
    config = folder / "squad.yaml"
    config.write_text(json.dumps({"name": "trek", "agents": agents, "types": types, "exporters": exporters}))
    return config


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as stack:

        def make(exporters: dict[str, Any], **env: str) -> RunningSquad:
            return stack.enter_context(RunningSquad(tmp_path / "home", written(tmp_path, exporters), env=env))

        yield make


def to(there: OtlpReceiver, **more: Any) -> dict[str, Any]:
    return {"jaeger": {"kind": "otlp", "endpoint": there.address, "every": "200ms", **more}}


def messages(spans: list[ReceivedSpan]) -> dict[str, ReceivedSpan]:
    """The span of each message itself, by the message's id."""
    return {span.message: span for span in spans if span.name.startswith("process ")}


def result(squad: RunningSquad, task: str) -> Any:
    return json.loads(squad.task(task)["result"])


def test_a_journey_across_agents_is_one_trace_which_joins_that_of_the_caller(there: OtlpReceiver, start: Start) -> None:
    squad = start(to(there))
    own = squad.send("scout", "scout")
    joined = squad.send("scout", "scout", {"spans": True}, traceparent=OUTSIDE)
    with Client(squad.home) as client:
        by_client = client.send("clerk", "noted", {"number": 1}, traceparent=OUTSIDE)
    by_shell = squad.cli("send", "clerk", "noted", "--data", '{"number": 2}').stdout.strip()
    carried = squad.send("porter", "carry")
    failing = squad.send("clerk", "stumble", {"times": 9})
    for task in (own, joined, by_client, by_shell, carried, failing):
        squad.wait(task, tree=True)
    there.wait_for(lambda spans: len(messages(spans)) == 10)
    found = messages(there.spans)

    journey = [span for span in found.values() if span.trace_id == own.replace("-", "")]
    assert {span.agent for span in journey} == {"scout", "smith", "clerk"}
    by_span = {span.span_id: span for span in journey}
    clerk = next(span for span in journey if span.agent == "clerk")
    assert by_span[by_span[clerk.parent_id].parent_id].message == own
    assert found[own].parent_id == ""
    assert result(squad, own)["traceparent"] == f"00-{found[own].trace_id}-{found[own].span_id}-01"

    told = result(squad, joined)
    assert found[joined].trace_id == told["trace"] == told["inside"] == OUTSIDE[3:35]
    assert found[joined].parent_id == OUTSIDE[36:52]
    assert told["parent"] == found[joined].span_id
    smith = next(span for span in found.values() if span.agent == "smith" and span.trace_id == OUTSIDE[3:35])
    assert smith.parent_id == told["span"]  # it was sent within a span of the handler's own
    assert found[by_client].trace_id == OUTSIDE[3:35]
    assert found[by_shell].trace_id == by_shell.replace("-", "")
    assert result(squad, carried) == f"00-{found[carried].trace_id}-{found[carried].span_id}-01"

    assert (found[failing].status, found[failing].said) == (2, "ValueError: stumbled 2")
    attempts = [span for span in there.spans if span.message == failing and span.name.startswith("attempt")]
    assert [(span.parent_id, span.status) for span in attempts] == [(found[failing].span_id, 2)] * 2
    assert attempts[0].events[0][1]["exception.type"] == "ValueError"
    assert not [span for span in there.spans if "squad.payload" in span.attributes]
    assert squad.tree()["exporter"]["state"] == "ready"


def test_a_header_and_the_environment_say_which_trace_it_is(there: OtlpReceiver, start: Start, tmp_path: Path) -> None:
    squad = start(to(there), TRACEPARENT=OUTSIDE)
    lines = tmp_path / "lines.jsonl"
    lines.write_text('{"recipient": "clerk", "type": "noted", "payload": {}}\n')

    sent = [
        squad.cli("send", "clerk", "noted", "--data", "{}").stdout.strip(),
        squad.cli("send", "--batch", str(lines)).stdout.strip(),
    ]
    plain, joined = squad.send("scout", "noted"), squad.send("scout", "noted", traceparent=OUTSIDE)
    for task in (*sent, plain, joined):
        squad.wait(task)

    assert [squad.task(task)["traceparent"] for task in sent] == [OUTSIDE] * 2
    assert (result(squad, plain), result(squad, joined)) == (plain.replace("-", ""), OUTSIDE[3:35])
    status, refused = squad.request(
        "POST", "/v1/messages", {"recipient": "clerk", "type": "noted", "payload": {}, "traceparent": "junk"}
    )
    assert (status, "traceparent" in str(refused)) == (422, True), refused


def test_langfuse_gets_what_it_wants(there: OtlpReceiver, start: Start) -> None:
    langfuse = {"kind": "langfuse", "host": f"http://127.0.0.1:{there.port}", "every": "200ms"}
    squad = start({"langfuse": langfuse}, **{"LANGFUSE_PUBLIC_KEY": "pk", "LANGFUSE_SECRET_KEY": "sk"})
    task = squad.send("scout", "scout")
    squad.wait(task, tree=True)
    there.wait_for(lambda spans: len(messages(spans)) == 3)

    (path, headers, _), *_ = there.requests
    assert path == "/api/public/otel/v1/traces"
    assert headers["authorization"] == "Basic cGs6c2s="
    assert headers["x-langfuse-ingestion-version"] == "4"
    assert {span.attributes["langfuse.trace.name"] for span in there.spans} == {"scout"}
    about = messages(there.spans)[task].attributes
    assert (
        about["langfuse.observation.input"] == '{"spans":false}'
        or json.loads(about["langfuse.observation.input"]) == {}
    )
    assert "traceparent" in about["langfuse.observation.output"]


def test_whatever_is_killed_every_finished_message_arrives(there: OtlpReceiver, start: Start) -> None:
    there.close()
    squad = start(to(there))
    sent: list[str] = []

    def send(count: int) -> None:
        numbers = [{"recipient": "clerk", "type": "noted", "payload": {"number": n}} for n in range(count)]
        sent.extend(squad.send_batch(numbers))

    send(300)
    eventually(lambda: squad.tree()["exporter"]["state"] == "behind", "it says that it cannot send")
    assert "nobody listens there" in squad.tree()["exporter"]["last_error"]
    eventually(lambda: (squad.health() or {}).get("ready"), "ready")
    squad.kill("exporter")
    send(300)
    squad.kill("storage")
    squad.wait(squad.send("clerk", "noted"), timeout=60)
    there.answers = [(503, {"retry-after": "1"})]
    there.open()
    squad.kill("exporter")  # the next one tries at once
    eventually(lambda: len(there.requests) > 0, "something arrives", 60)
    squad.kill("exporter")
    send(300)
    there.wait_for(lambda spans: set(sent) <= messages(spans).keys(), "all of them")

    batches = [[span.message for span in spans if span.name.startswith("process")] for _, _, spans in there.requests]
    counted = Counter(task for batch in batches for task in batch)
    again = {task for task, number in counted.items() if number > 1}
    # A batch comes again as a whole; behind what was the last of all there may be what has ended since.
    repeated = [[task for task in batch if task in again] for batch in batches]
    assert all(part in ([], batch) or part in batches for part, batch in zip(repeated, batches, strict=True))
    assert all(number <= 3 for number in counted.values())
    ids = {span.span_id for span in there.spans}
    assert len(ids) == 2 * len(counted)  # what came twice is the same spans


def test_a_receiver_that_hangs_holds_up_nobody(there: OtlpReceiver, start: Start) -> None:
    there.hanging.set()
    squad = start(to(there, timeout="60s"))
    for number in range(3):
        squad.wait(squad.send("clerk", "noted", {"number": number}))
    eventually(lambda: squad.tree()["exporter"]["state"] == "ready", "it answers while it waits")
    task = squad.send("clerk", "noted")
    squad.wait(task)

    assert squad.stop(timeout=50) == 0  # not the 60 s of its request
    there.hanging.clear()
    squad.start()
    there.wait_for(lambda spans: task in messages(spans))


def test_an_exporter_that_crashes_again_and_again_is_let_be(there: OtlpReceiver, start: Start) -> None:
    squad = start(to(there))
    launcher = squad.tree()["supervisor"]["pid"]

    def struck() -> bool:
        row = squad.tree().get("exporter", {})
        if row.get("pid") and row["state"] != "quarantined":
            squad.signal(row["pid"], signal.SIGKILL)
        return row.get("state") == "quarantined"

    eventually(struck, "it is quarantined", 60)
    task = squad.send("scout", "scout")
    squad.wait(task, tree=True)
    eventually(lambda: (squad.health() or {}).get("ready"), "ready")
    assert squad.tree()["supervisor"]["pid"] == launcher

    squad.cli("restart", "exporter")
    there.wait_for(lambda spans: task in messages(spans))


def test_exporters_come_change_and_go_with_a_reload(there: OtlpReceiver, start: Start, tmp_path: Path) -> None:
    squad = start({})
    squad.wait(squad.send("clerk", "noted"))
    written(tmp_path, to(there))
    assert "exporters" in squad.cli("reload").stdout
    eventually(lambda: squad.tree().get("exporter", {}).get("state") == "ready", "it is there")
    eventually(lambda: squad.query("SELECT 1 FROM keeper WHERE key = 'export'"), "it has begun")
    first = squad.send("scout", "scout", {"spans": True})
    squad.wait(first, tree=True)
    there.wait_for(lambda spans: first in messages(spans))
    assert result(squad, first)["trace"] == first.replace("-", "")

    written(tmp_path, to(there, payloads=True))
    squad.cli("reload")
    second = squad.send("clerk", "noted", {"number": 5})
    there.wait_for(lambda spans: second in messages(spans))
    written(tmp_path, {})
    squad.cli("reload")
    eventually(lambda: "exporter" not in squad.tree(), "it is gone")


def test_what_ends_just_before_the_squad_stops_is_sent(there: OtlpReceiver, start: Start) -> None:
    squad = start(to(there, every="60s"))
    eventually(lambda: squad.query("SELECT 1 FROM keeper WHERE key = 'export'"), "it has begun")
    task = squad.send("scout", "scout")
    squad.wait(task, tree=True)
    squad.stop()

    assert {span.trace_id for span in there.spans} == {f"{trace.trace_id(task):032x}"}
    assert len(messages(there.spans)) == 3
