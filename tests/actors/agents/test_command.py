"""Command agents in real squads: what a command is given, and how a message ends by what it does."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.actors.agents.commanding import Squad, gone, make
from tests.running import eventually

CONFIG = """
types:
  sh: {fields: {script: str}}
  note: {fields: {text: str, times: {type: int, default: 2}}}
  order: {schema: {properties: {item: {type: string}, to: {type: object}}, required: [item]}}
agents:
  sh: {command: [sh, -c, "{payload[script]}"], handles: [sh], retry: {max_attempts: 1}}
  again: {command: [sh, -c, "{payload[script]}"], handles: [sh], retry: {max_attempts: 3, backoff: 10ms}}
  slow: {command: [sh, -c, "{payload[script]}"], handles: [sh], timeout: 2s, retry: {max_attempts: 1}}
  codes: {command: [sh, -c, "{payload[script]}"], handles: [sh], retry: {max_attempts: 1},
          exit_codes: {retry: [9], retry_after: 50ms, refuse: [8]}}
  small: {command: [sh, -c, "{payload[script]}"], handles: [sh], output_limit: 1kB}
  cat: {command: [cat], handles: [note, order], options: {colour: red}}
  args: {command: ["{python}", -c, "import sys, json; print(json.dumps(sys.argv[1:]))", "{payload[item]}",
         "{payload[to]}", "{type}", "a b", "{{}}", "*"], handles: [order], retry: {max_attempts: 1}}
  env: {command: [env], handles: [order], environment: {allow: [GIVEN, NOT_THERE], set: {SET: "a=b c"}}}
  script: {command: [./tool.sh], handles: [order], directory: sub}
  keeper: {class: "BY_NAME:Keeper", retry: {max_attempts: 1}}
convoys:
  pool: {command: [sh, -c, "echo $PPID; touch $1; until [ -e both-1 -a -e both-2 ]; do sleep 0.05; done", sh,
                   "{payload[item]}"], handles: [order], min: 2, max: 2}
"""


@pytest.fixture(scope="module")
def squad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Squad]:
    folder = tmp_path_factory.mktemp("command")
    (folder / "sub").mkdir()
    tool = folder / "tool.sh"
    tool.write_text("#!/bin/sh\npwd\n")
    tool.chmod(0o700)
    with make(folder, CONFIG, GIVEN="given", UNNAMED="not for it") as started:
        yield started


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
        ("echo 1e999", "1e999"),
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
    assert row["error_message"] == "sh ran longer than its time-out of 2 s: so far"
    assert gone(int((tmp_path / "stray").read_text()))
    assert squad.query("SELECT outcome FROM attempts WHERE task_row = ?", row["id"])[0][0] == "timeout"
    assert json.loads(squad.run("slow", "sh", script="echo 1")["result"]) == 1
    assert squad.tree()["slow"]["pid"] == pid


def test_while_a_command_runs_its_agent_answers(squad, tmp_path):
    script = f"cd {tmp_path}; touch begun; until [ -e end ]; do sleep 0.05; done"
    task = squad.send("sh", "sh", {"script": script})
    eventually((tmp_path / "begun").exists, "begun")
    row = eventually(lambda: (row := squad.tree()["sh"])["current"] and row, "in hand")
    assert (row["current"]["id"], row["current"]["type"]) == (task, "sh")
    (tmp_path / "end").touch()
    squad.wait(task)


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
    items = ("both-1", "both-2", "more-1", "more-2")  # the first two wait for each other, so two workers are at it
    tasks = squad.send_batch([{"recipient": "pool", "type": "order", "payload": {"item": item}} for item in items])
    for task in tasks:
        squad.wait(task)
    nurseries = {json.loads(squad.task(task)["result"]) for task in tasks}
    assert len(nurseries) == 2
    titles = squad.processes()
    assert {titles[pid] for pid in nurseries} == {"squad: pool-1: commands", "squad: pool-2: commands"}


# -- starts that fail -------------------------------------------------------------------------------------------------


def test_a_configuration_with_mistakes_starts_nothing(tmp_path):
    squad = make(tmp_path, CONFIG.replace("[cat]", "[cta]").replace("[item]}}", "[itm]}}").replace("[env]", "[./env]"))
    (tmp_path / "env").touch()
    done = squad.cli("start", "--config", str(squad.config), status=4)
    assert f"agents.env.command.0: {tmp_path}/env is not executable (chmod +x {tmp_path}/env)" in done.stderr
    assert "squad.yaml:" in done.stderr
    assert "there is no program 'cta' on PATH" in done.stderr
    assert "Traceback" not in done.stderr
    assert squad.processes() == {}


def test_the_same_from_a_squad_that_was_never_started(tmp_path):
    """``config check`` needs no home, and leaves no process."""
    config = tmp_path / "squad.yaml"
    config.write_text("types: {t: {fields: }}\nagents: {a: {command: [cat, '{payload[x]}'], handles: [t]}}\n")
    done = subprocess.run(
        [sys.executable, "-m", "squad.cli", "config", "check", str(config)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 4
    assert f"{config}:2: agents.a.command.1: {{payload[x]}} names no field of 't' (its fields are none)" in done.stderr
