"""Command agents in real squads: each line that a command writes is a message it sends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.actors.agents.commanding import Squad, make
from tests.running import eventually

CONFIG = """
types:
  sh: {fields: {script: str}}
  note: {fields: {text: str, times: {type: int, default: 2}}}
  order: {schema: {properties: {item: {type: string}, to: {type: object}}, required: [item]}}
agents:
  fan: {command: [sh, -c, "{payload[script]}"], handles: [sh], output: messages, output_limit: 10kB, send_rate: none,
        retry: {max_attempts: 1}}
  cat: {command: [cat], handles: [note, order], options: {colour: red}}
  args: {command: ["{python}", -c, "import sys, json; print(json.dumps(sys.argv[1:]))", "{payload[item]}",
         "{payload[to]}", "{type}", "a b", "{{}}", "*"], handles: [order], retry: {max_attempts: 1}}
  told: {command: [cat], handles: [squad.reply]}
  keeper: {class: "BY_NAME:Keeper", retry: {max_attempts: 1}}
"""


@pytest.fixture(scope="module")
def squad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Squad]:
    with make(tmp_path_factory.mktemp("sending"), CONFIG) as started:
        yield started


def line(recipient: str, kind: str, **more: Any) -> str:
    return json.dumps({"recipient": recipient, "type": kind, **more})


def test_each_line_of_output_is_a_message(squad, tmp_path):
    lines = [
        line("cat", "note", payload={"text": "one"}, priority=2),
        "",
        line("cat", "order", payload={"item": "two"}, delay="10ms", key="only once"),
        line("cat", "order", payload={"item": "two"}, key="only once"),
    ]
    (tmp_path / "lines").write_text("\n".join(lines))
    task = squad.send("fan", "sh", {"script": f"cat {tmp_path}/lines"})
    squad.wait(task, tree=True)
    assert json.loads(squad.task(task)["result"]) == {"sent": 3}
    rows = squad.query(
        "SELECT sender, type, priority, status FROM tasks WHERE root_id = ? AND task_id != root_id", task
    )
    assert sorted(tuple(row) for row in rows) == [
        ("fan", "note", 2, "completed"),
        ("fan", "order", 5, "completed"),
    ]


def test_a_command_may_ask_for_a_reply_and_a_command_may_get_it(squad, tmp_path):
    order = line("args", "order", payload={"item": "x", "to": {}}, ttl="1h", reply_to="told", reply_timeout=60)
    (tmp_path / "lines").write_text(order)
    task = squad.send("fan", "sh", {"script": f"cat {tmp_path}/lines"})
    squad.wait(task, tree=True)
    [asked] = squad.query("SELECT * FROM tasks WHERE parent_id = ? AND type = 'order'", task)
    assert asked["expires_at"]
    [reply] = eventually(lambda: squad.query("SELECT * FROM tasks WHERE recipient = 'told'"), "a reply")
    squad.wait(reply["task_id"])
    got = json.loads(squad.task(reply["task_id"])["result"])["payload"]
    assert (got["of"], got["status"], got["result"][0]) == (asked["task_id"], "completed", "x")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["not json"], ["line 1: is not JSON: Expecting value"]),
        (["[1]"], ["line 1: is not a JSON object such as"]),
        ([line("cat", "note", payload={"text": "fine"}), "{"], ["line 2: is not JSON"]),
        ([line("ct", "note")], ["line 1: recipient: no agent is called 'ct' (did you mean 'cat'?)"]),
        ([line("cat", "nte")], ["line 1: type: cat does not handle 'nte' (did you mean 'note'?)"]),
        (
            [line("cat", "note", payload={"txt": "x"}), "", line("cat", "order", payload={"item": 1})],
            [
                "line 1: text: is missing",
                "line 1: txt: is not a field of 'note' (did you mean 'text'?)",
                "line 3: item: must be text, not 1",
            ],
        ),
        ([line("keeper", "ask", payload={"to": "x"})], ["line 1: type: is missing", "line 1: payload: is missing"]),
        ([line("cat", "note", prority=1)], ["line 1: prority: is not a field of a message (did you mean 'priority'?)"]),
        ([line("cat", "note", payload={"text": "x"}, priority=11)], ["line 1: priority: must be 1 (highest) to 10"]),
        ([line("cat", "note", payload={"text": "x"}, delay="soon")], ["line 1: "]),
        (['{"type": "note", "payload": []}'], ["line 1: recipient: is missing", "line 1: payload: must be a JSON obj"]),
        (
            [line("cat", "note", payload={"text": "x"}, at="2001-01-01T00:00:00Z", reply_to="cat")],
            ["line 1: at: ", "line 1: reply_to: cat does not handle 'squad.reply'"],
        ),
        (["\udcff"], ["line 1: is not JSON: 'utf-8' codec can't decode"]),
        (["x" * 20_000], ["is longer than output_limit, 10,000 bytes"]),
    ],
)
def test_one_wrong_line_and_nothing_is_sent(squad, tmp_path, lines, expected):
    before = sum(squad.counts().values())
    (tmp_path / "lines").write_bytes("\n".join(lines).encode(errors="surrogateescape"))
    row = squad.run("fan", "sh", script=f"cat {tmp_path}/lines")
    assert row["status"] == "failed"
    head, *told = row["error_message"].split("; ")
    assert head == "what sh wrote is not messages to send"
    assert len(told) == len(expected)
    assert all(found.startswith(start) for found, start in zip(told, expected, strict=True)), told
    assert sum(squad.counts().values()) == before + 1


def test_what_it_sends_is_lost_when_it_fails(squad, tmp_path):
    before = sum(squad.counts().values())
    row = squad.run("fan", "sh", script=f"echo '{line('cat', 'note', payload={'text': 'x'})}'; exit 1")
    assert row["status"] == "failed"
    assert sum(squad.counts().values()) == before + 1
