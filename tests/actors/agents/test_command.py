"""Command agents in real squads: how a message ends by what a program does, and that nothing of it stays behind."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.running import RunningSquad, eventually

BY_NAME = Path(__file__).parents[1] / "squads" / "by_name.py"
CONFIG = """
types:
  sh: {fields: {script: str}}
  note: {fields: {text: str, times: {type: int, default: 2}}}
  order: {schema: {properties: {item: {type: string}, to: {type: object}}, required: [item]}}
agents:
  sh: {command: [sh, -c, "{payload[script]}"], handles: [sh], retry: {max_attempts: 1}}
  again: {command: [sh, -c, "{payload[script]}"], handles: [sh], retry: {max_attempts: 3, backoff: 10ms}}
  slow: {command: [sh, -c, "{payload[script]}"], handles: [sh], timeout: 1s, retry: {max_attempts: 1}}
  fan: {command: [sh, -c, "{payload[script]}"], handles: [sh], output: messages, output_limit: 10kB, send_rate: none,
        retry: {max_attempts: 1}}
  codes: {command: [sh, -c, "{payload[script]}"], handles: [sh], retry: {max_attempts: 1},
          exit_codes: {retry: [9], retry_after: 50ms, refuse: [8]}}
  small: {command: [sh, -c, "{payload[script]}"], handles: [sh], output_limit: 1kB}
  cat: {command: [cat], handles: [note, order], options: {colour: red}}
  args: {command: ["{python}", -c, "import sys, json; print(json.dumps(sys.argv[1:]))", "{payload[item]}",
         "{payload[to]}", "{type}", "a b", "{{}}", "*"], handles: [order], retry: {max_attempts: 1}}
  env: {command: [env], handles: [order], environment: {allow: [GIVEN, NOT_THERE], set: {SET: "a=b c"}}}
  script: {command: [./tool.sh], handles: [order], directory: sub}
  told: {command: [cat], handles: [squad.reply]}
  keeper: {class: "BY_NAME:Keeper", retry: {max_attempts: 1}}
convoys:
  pool: {command: [sh, -c, "echo $PPID; sleep 0.2"], handles: [order], min: 2, max: 2}
"""


class Squad(RunningSquad):
    def run(self, recipient: str, kind: str, **payload: Any) -> sqlite3.Row:
        """Send a message and wait for its end: its row."""
        task = self.send(recipient, kind, payload)
        self.wait(task)
        return self.task(task)

    def log(self, name: str) -> list[str]:
        return [json.loads(line)["message"] for line in (self.home / f"logs/{name}.jsonl").read_text().splitlines()]

    def pid_in(self, name: str | Path) -> int:
        path = self.home.parent / name
        return int(eventually(lambda: path.exists() and path.read_text().strip(), path.name))


def make(folder: Path, text: str, **environment: str) -> Squad:
    config = folder / "squad.yaml"
    config.write_text(text.replace("BY_NAME", str(BY_NAME)))
    return Squad(folder / "home", config, env=environment)


@pytest.fixture(scope="module")
def squad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Squad]:
    folder = tmp_path_factory.mktemp("command")
    (folder / "sub").mkdir()
    tool = folder / "tool.sh"
    tool.write_text("#!/bin/sh\npwd\n")
    tool.chmod(0o700)
    with make(folder, CONFIG, GIVEN="given", UNNAMED="not for it") as started:
        yield started


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Callable[..., Squad]]:
    """Start a squad for one test."""
    started: list[Squad] = []

    def start(text: str, **environment: str) -> Squad:
        started.append(make(tmp_path, text, **environment))
        return started[-1].__enter__()

    yield start
    for one in started:
        one.__exit__(None, None, None)


def gone(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


# -- what goes in -----------------------------------------------------------------------------------------------------


def test_the_message_is_on_standard_input(squad):
    row = squad.run("cat", "note", text="é")
    assert json.loads(row["result"]) == {
        "id": row["task_id"],
        "type": "note",
        "payload": {"text": "é", "times": 2},
        "attempt": 1,
        "sender": row["sender"],
        "priority": 5,
        "agent": "cat",
        "options": {"colour": "red"},
    }


def test_placeholders_are_whole_arguments_and_no_shell_sees_them(squad):
    nasty = "$(touch x); `y` 'z' \" \n -rf * {payload[to]}"
    row = squad.run("args", "order", item=nasty, to={"a": [1]})
    assert json.loads(row["result"]) == [nasty, '{"a":[1]}', "order", "a b", "{}", "*"]
    assert json.loads(squad.run("args", "order", item="-x", to={})["result"])[0] == "-x"


def test_what_no_argument_can_hold_is_refused(squad):
    for item, to, what in (("a\0b", {}, "holds a NUL character"), ("x", None, "has nothing for {payload[to]}")):
        row = squad.run("args", "order", item=item, **({} if to is None else {"to": to}))
        assert row["status"] == "failed"
        assert what in row["error_message"]
    row = squad.run("args", "order", item="x" * 200_000, to={})
    assert row["status"] == "failed"
    assert "argument list too long" in row["error_message"]


def test_a_payload_is_checked_before_anything_is_queued(squad):
    for recipient, kind, payload in (
        ("sh", "sh", {"scrip": "x"}),
        ("cat", "order", {"itme": "x"}),
        ("cat", "order", {"item": 3}),
        ("sh", "note", {"text": "x"}),
    ):
        status, answer = squad.request(
            "POST", "/v1/messages", {"recipient": recipient, "type": kind, "payload": payload}
        )
        assert status in (404, 422), answer
    _, answer = squad.request(
        "POST", "/v1/messages", {"recipient": "cat", "type": "order", "payload": {"itme": 1, "to": 3}}
    )
    assert [problem["where"] for problem in answer["error"]["problems"]] == [
        "payload.item", "payload.itme", "payload.to",
    ]  # fmt: skip


def test_only_what_is_named_of_the_environment_reaches_it(squad):
    lines = json.loads(json.dumps(squad.run("env", "order", item="x")["result"]))
    found = dict(line.partition("=")[::2] for line in json.loads(lines).splitlines())
    assert found["GIVEN"] == "given"
    assert found["SET"] == "a=b c"
    assert found["SQUAD_HOME"] == str(squad.home)
    assert found["SQUAD_MARK"].startswith(f"{squad.home}:")
    assert found["SQUAD_TASK"].startswith("env.")
    assert "UNNAMED" not in found
    assert set(found) <= {"GIVEN", "SET", "SQUAD_HOME", "SQUAD_MARK", "SQUAD_TASK", "PATH", "HOME", "USER", "LOGNAME",
                          "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"}  # fmt: skip


def test_a_program_beside_the_configuration_runs_in_its_directory(squad):
    assert json.loads(squad.run("script", "order", item="x")["result"]) == str(squad.home.parent / "sub")


# -- what comes out ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "result"),
    [
        ("echo '{\"a\": [1, null]}'", {"a": [1, None]}),
        ("echo 3", 3),
        ("echo plain text", "plain text"),
        ("printf 'two\\nlines\\n\\n'", "two\nlines\n"),
        ("true", None),
        ("echo; echo", None),
        ("echo NaN", "NaN"),
        ("echo '{\"a\": NaN}'", '{"a": NaN}'),
        ("printf '\\377\\376x'", "\ufffd\ufffdx"),
        ("printf '\"\\\\ud800\"'", '"\\ud800"'),
        ("printf 'a\\000b'", "a\0b"),
        ("head -c 5000 /dev/zero | tr '\\0' '['", "[" * 5000),
        ("echo log >&2; echo 1", 1),
    ],
)
def test_standard_output_is_the_result(squad, script, result):
    row = squad.run("sh", "sh", script=script)
    assert (row["status"], json.loads(row["result"])) == ("completed", result)


def test_of_long_output_the_end_is_kept_and_the_cut_is_said(squad):
    row = squad.run("small", "sh", script="yes | head -c 100000; echo the end")
    result = json.loads(row["result"])
    assert result.startswith("(99,008 bytes before this were cut)\n")
    assert result.endswith("y\nthe end\n")


def test_standard_error_is_in_the_log_and_in_the_error(squad):
    row = squad.run("sh", "sh", script="echo one >&2; echo two >&2; exit 3")
    assert row["status"] == "failed"
    assert row["error_message"] == "sh ended with status 3: two\none\ntwo"
    eventually(lambda: {"sh: one", "sh: two"} <= set(squad.log("sh")), "both lines logged")


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("exit 1", "sh ended with status 1"),
        ("echo on stdout; exit 2", "sh ended with status 2: on stdout"),
        ("kill -9 $$", "sh was ended by signal 9 (Killed)"),
        ("exec no-such-program", "sh ended with status 127: "),
        ("printf '\\377' >&2; exit 1", "sh ended with status 1: \ufffd"),
    ],
)
def test_any_other_end_is_a_failed_attempt(squad, script, error):
    row = squad.run("sh", "sh", script=script)
    assert row["status"] == "failed"
    assert row["error_message"].startswith(error)
    assert "Traceback" not in row["error_message"]


def test_exit_statuses_mean_what_the_configuration_says(squad, tmp_path):
    flag = tmp_path / "flag"
    row = squad.run("codes", "sh", script=f"[ -e {flag} ] && exit 0; touch {flag}; echo later >&2; exit 9")
    assert (row["status"], row["attempts"]) == ("completed", 1)
    row = squad.run("codes", "sh", script="echo never >&2; exit 8")
    assert (row["status"], row["attempts"], row["error_message"]) == ("failed", 1, "sh ended with status 8: never")
    row = squad.run("again", "sh", script="exit 65")  # the default for what can never succeed
    assert (row["status"], row["attempts"]) == ("failed", 1)


def test_a_failed_attempt_is_tried_again(squad, tmp_path):
    row = squad.run("again", "sh", script=f"echo >> {tmp_path}/n; [ $(wc -l < {tmp_path}/n) -ge 3 ]")
    assert (row["status"], row["attempts"]) == ("completed", 3)


def test_a_time_out_ends_it_with_its_grandchildren_and_the_agent_goes_on(squad, tmp_path):
    pid = squad.tree()["slow"]["pid"]
    script = f"cd {tmp_path}; setsid sleep 300 & echo $! > stray; echo so far >&2; sleep 300"
    row = squad.run("slow", "sh", script=script)
    assert row["status"] == "failed"
    assert row["error_message"] == "sh ran longer than its time-out of 1 s: so far"
    assert gone(int((tmp_path / "stray").read_text()))
    assert squad.query("SELECT outcome FROM attempts WHERE task_row = ?", row["id"])[0][0] == "timeout"
    assert json.loads(squad.run("slow", "sh", script="echo 1")["result"]) == 1
    assert squad.tree()["slow"]["pid"] == pid


def test_while_a_command_runs_its_agent_answers(squad, tmp_path):
    task = squad.send("sh", "sh", {"script": f"touch {tmp_path}/begun; sleep 1"})
    eventually((tmp_path / "begun").exists, "begun")
    row = eventually(lambda: squad.tree()["sh"]["current"] and squad.tree()["sh"], "in hand")
    assert (row["current"]["id"], row["current"]["type"]) == (task, "sh")
    squad.wait(task)


# -- messages that it sends -------------------------------------------------------------------------------------------


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


# -- types by name ----------------------------------------------------------------------------------------------------


def test_a_class_handles_and_sends_types_of_the_configuration(squad):
    first = squad.send("keeper", "ask", {"to": "keeper", "type": "note", "payload": {"text": "x"}})
    squad.wait(first, tree=True)
    note = squad.task(json.loads(squad.task(first)["result"]))
    assert (note["type"], note["priority"], json.loads(note["payload"])) == ("note", 3, {"text": "x"})
    assert json.loads(note["result"]) == [["x", 2]]
    for to, kind, payload, what in (
        ("cat", "note", {"txt": 1}, "text: is missing; txt: is not a field of 'note'"),
        ("cat", "order", {"item": 1}, "item: must be text, not 1"),
        ("keeper", "ask", {"to": 1}, "to: input should be a valid string"),
        ("cat", "ask", {}, "type: cat does not handle 'ask'"),
    ):
        row = squad.run("keeper", "ask", to=to, type=kind, payload=payload)
        assert row["status"] == "failed"
        assert what in row["error_message"]


def test_the_types_can_be_looked_up(squad):
    _, answer = squad.request("GET", "/v1/types")
    types = {entry["name"]: entry for entry in answer["types"]}
    assert sorted(types["note"]["handled_by"]) == ["cat", "keeper"]
    assert types["order"]["schema"]["required"] == ["item"]
    shown = squad.cli("config", "check", str(squad.config), "-o", "json")
    agents = {entry["name"]: entry for entry in json.loads(shown.stdout)["agents"]}
    assert (agents["cat"]["class"], agents["cat"]["command"]) == (None, "cat")
    assert agents["keeper"]["types"] == ["ask", "note"]
    schema = squad.cli("config", "schema", "order", "--config", str(squad.config))
    assert json.loads(schema.stdout)["title"] == "order"


def test_a_convoy_of_commands_shares_the_work(squad):
    tasks = squad.send_batch([{"recipient": "pool", "type": "order", "payload": {"item": str(n)}} for n in range(6)])
    for task in tasks:
        squad.wait(task)
    nurseries = {json.loads(squad.task(task)["result"]) for task in tasks}
    assert len(nurseries) == 2
    titles = squad.processes()
    assert {titles[pid] for pid in nurseries} == {"squad: pool-1: commands", "squad: pool-2: commands"}


# -- starts that fail, and ends ---------------------------------------------------------------------------------------

ONE = """
types: {sh: {fields: {script: str}}}
agents:
  sh: {command: [sh, -c, "cd FOLDER; {payload[script]}"], handles: [sh], retry: {backoff: 10ms}}
supervision: {shutdown: 4s}
"""


def test_a_configuration_with_mistakes_starts_nothing(tmp_path):
    squad = make(tmp_path, CONFIG.replace("[cat]", "[cta]").replace("[item]}}", "[itm]}}").replace("[env]", "[./env]"))
    (tmp_path / "env").touch()
    done = squad.cli("start", "--config", str(squad.config), status=4)
    assert f"agents.env.command.0: {tmp_path}/env is not executable (chmod +x {tmp_path}/env)" in done.stderr
    assert "squad.yaml:" in done.stderr
    assert "there is no program 'cta' on PATH" in done.stderr
    assert "Traceback" not in done.stderr
    assert squad.processes() == {}


def test_a_program_that_vanishes_fails_the_start_of_the_agent(own, tmp_path):
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\necho 1\n")
    tool.chmod(0o700)
    squad = own("types: {t: {fields: }}\nagents: {a: {command: [./tool], handles: [t], restarts: {intensity: 0}}}\n")
    assert json.loads(squad.run("a", "t")["result"]) == 1
    tool.rename(tmp_path / "elsewhere")
    task = squad.send("a", "t")
    error = eventually(lambda: squad.task(task)["error_message"], "a failed attempt")
    assert f"tool could not be started: {tool}: no such file" in error
    squad.kill("a")
    eventually(lambda: squad.tree().get("a", {}).get("state") == "quarantined", "quarantined")
    (tmp_path / "elsewhere").rename(tool)
    squad.cli("restart", "a")
    squad.wait(task)
    assert squad.task(task)["status"] == "completed"


@pytest.fixture(scope="module")
def sturdy(tmp_path_factory):
    """One squad for all tests after which it is as before."""
    text = ONE.replace("shutdown: 4s", "shutdown: 4s, restarts: {intensity: 50}")
    text = text.replace("sh: {command", "sh: {cancel_grace: 700ms, command")
    with make(folder := tmp_path_factory.mktemp("sturdy"), text.replace("FOLDER", str(folder))) as squad:
        yield squad


@pytest.mark.parametrize("victim", ["agent", "nursery"])
def test_kill_9_in_the_middle_leaves_nothing_and_the_message_is_tried_again(sturdy, tmp_path, victim):
    squad = sturdy
    script = (
        f"cd {tmp_path}; echo $$ >> runs; [ $(wc -l < runs) -ge 2 ] && exit 0; "
        "setsid sh -c 'echo $$ > stray; trap \"\" TERM; sleep 300; sleep 300' & echo $$ > me; sleep 300"
    )
    task = squad.send("sh", "sh", {"script": script})
    pids = [squad.pid_in(tmp_path / "me"), squad.pid_in(tmp_path / "stray")]
    if victim == "agent":
        squad.kill("sh")
    else:
        [nursery] = [pid for pid, title in squad.processes().items() if title == "squad: sh: commands"]
        os.kill(nursery, signal.SIGKILL)
    eventually(lambda: all(map(gone, pids)), "the command and its grandchild are gone")
    squad.wait(task)
    row = squad.task(task)
    assert (row["status"], row["attempts"]) == ("completed", 2)
    assert squad.query("SELECT outcome FROM attempts WHERE task_row = ?", row["id"])[0][0] == "crash"
    assert len((tmp_path / "runs").read_text().splitlines()) == 2


def test_agent_and_nursery_killed_at_once_leave_nothing_to_the_next(sturdy, tmp_path):
    squad = sturdy
    script = f"cd {tmp_path}; echo $$ >> runs; [ $(wc -l < runs) -ge 2 ] && exit 0; echo $$ > me; sleep 300"
    task = squad.send("sh", "sh", {"script": script})
    me = squad.pid_in(tmp_path / "me")
    both = [pid for pid, title in squad.processes().items() if title in ("squad: sh", "squad: sh: commands")]
    assert len(both) == 2
    for pid in both:
        os.kill(pid, signal.SIGSTOP)
    for pid in both:
        os.kill(pid, signal.SIGKILL)
    squad.wait(task)
    assert squad.task(task)["attempts"] == 2
    assert gone(me)


def test_what_a_command_takes_of_the_machine_is_its_agents(own, tmp_path):
    squad = own(ONE.replace("FOLDER", str(tmp_path)) + "monitor: {interval: 100ms}\n")
    idle = eventually(lambda: squad.tree()["sh"]["memory_bytes"], "a reading")
    greedy = "x = bytearray(100_000_000)\nwhile True: pass"
    squad.send("sh", "sh", {"script": f"{sys.executable} -c '{greedy}' & wait"})
    row = eventually(
        lambda: (row := squad.tree()["sh"])["memory_bytes"] > idle + 100_000_000 and row["cpu_percent"] > 1 and row,
        "the command's memory and time",
    )
    assert row["memory_bytes"] < idle + 160_000_000
    squad.cli("stop", "--force")


@pytest.mark.parametrize("deaf", [False, True])
def test_a_cancelled_message_ends_its_command_and_the_agent_goes_on(sturdy, tmp_path, deaf):
    squad = sturdy
    agent = squad.tree()["sh"]["pid"]
    trap = "trap '' TERM" if deaf else "trap 'touch told; exit 1' TERM"
    script = f"cd {tmp_path}; {trap}; setsid sleep 300 & echo $! > stray; echo $$ > me; while :; do sleep 0.05; done"
    task = squad.send("sh", "sh", {"script": script})
    pids = [squad.pid_in(tmp_path / "me"), squad.pid_in(tmp_path / "stray")]
    squad.cli("message", "cancel", task)
    squad.wait(task)
    assert squad.task(task)["status"] == "cancelled"
    eventually(lambda: all(map(gone, pids)), "the command and its grandchild are gone")
    assert (tmp_path / "told").exists() is not deaf
    assert json.loads(squad.run("sh", "sh", script="echo 1")["result"]) == 1
    assert squad.tree()["sh"]["pid"] == agent


def test_a_stop_lets_a_command_finish(own, tmp_path):
    squad = own(ONE.replace("FOLDER", str(tmp_path)))
    task = squad.send("sh", "sh", {"script": "touch begun; sleep 0.7; echo 1"})
    eventually((tmp_path / "begun").exists, "begun")
    squad.stop()
    squad.assert_nothing_left()
    assert squad.task(task)["status"] == "completed"


def test_a_stop_ends_a_command_that_goes_on_and_names_it(own, tmp_path):
    squad = own(ONE.replace("FOLDER", str(tmp_path)))
    script = "trap 'touch told; sleep 300' TERM; setsid sleep 300 & echo $$ > me; while :; do sleep 0.05; done"
    task = squad.send("sh", "sh", {"script": script})
    squad.pid_in("me")
    squad.stop()
    squad.assert_nothing_left()
    assert (tmp_path / "told").exists(), "it was not asked to end before it was killed"
    row = squad.task(task)
    assert (row["status"], row["attempts"]) == ("queued", 0)
    assert [item["id"] for item in json.loads((squad.home / "last_stop.json").read_text())["unfinished"]] == [task]


def test_a_stop_at_once_leaves_nothing(own, tmp_path):
    squad = own(ONE.replace("FOLDER", str(tmp_path)))
    squad.send("sh", "sh", {"script": "(setsid sleep 300 &) ; echo $$ > me; sleep 300"})
    squad.pid_in("me")
    squad.cli("stop", "--force")
    squad.wait_stopped()
    squad.assert_nothing_left()


def test_the_death_of_the_launcher_leaves_nothing(own, tmp_path):
    squad = own(ONE.replace("FOLDER", str(tmp_path)))
    squad.send("sh", "sh", {"script": "(setsid sleep 300 &) ; echo $$ > me; sleep 300"})
    squad.pid_in("me")
    squad.launcher.kill()
    squad.launcher.wait()
    squad.assert_nothing_left()


def test_200_runs_leave_no_descriptor_and_no_process(own, tmp_path):
    squad = own(ONE.replace("FOLDER", str(tmp_path)))
    squad.run("sh", "sh", script="true")
    agent = psutil.Process(squad.tree()["sh"]["pid"])
    before = agent.num_fds(), agent.num_threads(), sorted(squad.processes().values())
    tasks = squad.send_batch(
        [{"recipient": "sh", "type": "sh", "payload": {"script": "echo 1; echo 2 >&2"}} for _ in range(200)]
    )
    for task in tasks:
        squad.wait(task)
    assert squad.counts() == {("sh", "completed"): 201}
    assert (agent.num_fds(), agent.num_threads(), sorted(squad.processes().values())) == before
    assert not [child for child in agent.children(recursive=True) if child.status() == psutil.STATUS_ZOMBIE]


def test_the_same_from_a_squad_that_was_never_started(tmp_path):
    """``config check`` needs no home, and leaves no process."""
    config = tmp_path / "squad.yaml"
    config.write_text("types: {t: {fields: }}\nagents: {a: {command: [cat, '{payload[x]}'], handles: [t]}}\n")
    done = subprocess.run(
        [sys.executable, "-m", "squad.cli", "config", "check", str(config)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 4
    assert f"{config}:2: agents.a.command.1: {{payload[x]}} names no field of 't' (its fields are none)" in done.stderr
