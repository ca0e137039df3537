"""``squad send``: what is said to the gateway, and what the user is told."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from squad.home import Home
from tests.cli.a_store import Story
from tests.cli.conftest import Run
from tests.cli.fake_gateway import FakeGateway, Request, refusal


class TestOne:
    def test_the_id_is_all_that_is_printed(self, run: Run, gateway: FakeGateway) -> None:
        result = run("send", "scanner", "scan", "--data", '{"path": "/srv"}')
        sent = gateway.requests[0].json
        assert (result.exit_code, result.stdout, result.stderr) == (0, f"{sent['id']}\n", "")
        assert {key: sent[key] for key in ("recipient", "type", "payload")} == {
            "recipient": "scanner",
            "type": "scan",
            "payload": {"path": "/srv"},
        }

    def test_every_option_reaches_the_gateway(self, run: Run, gateway: FakeGateway) -> None:
        given = ("--priority", "1", "--sender", "me", "--delay", "1m30s", "--ttl", "2h", "--key", "k")
        run("send", "a", "t", *given)
        sent = gateway.requests[0].json
        del sent["id"]
        assert sent == {
            "recipient": "a",
            "type": "t",
            "payload": {},
            "priority": 1,
            "sender": "me",
            "delay": 90.0,
            "ttl": 7200.0,
            "key": "k",
        }

    def test_a_time_without_a_zone_is_one_here(self, run: Run, gateway: FakeGateway) -> None:
        run("send", "a", "t", "--at", "2030-01-31T09:30Z")
        run("send", "a", "t", "--at", "2030-01-31T09:30")
        here = datetime(2030, 1, 31, 9, 30).astimezone()
        assert [request.json["at"] for request in gateway.requests] == ["2030-01-31T09:30:00+00:00", here.isoformat()]

    def test_data_from_a_file_and_from_standard_input(self, run: Run, gateway: FakeGateway, tmp_path: Path) -> None:
        (tmp_path / "scan.json").write_text('{"path": "/ä"}', encoding="utf-8")
        run("send", "a", "t", "--data", "@scan.json")
        run("send", "a", "t", "--data", "-", input='{"path": "/ö"}')
        assert [request.json["payload"]["path"] for request in gateway.requests] == ["/ä", "/ö"]

    def test_a_key_that_was_used_before(self, run: Run, gateway: FakeGateway) -> None:
        gateway.on("POST /v1/messages", (201, {"id": "first", "duplicate": True}))
        result = run("send", "a", "t", "--key", "k")
        assert (result.exit_code, result.stdout) == (0, "first\n")
        assert "this key already" in result.stderr
        document = json.loads(run("send", "a", "t", "--key", "k", "-o", "json").stdout)
        assert document == {"schema_version": 1, "id": "first", "duplicate": True}


BAD_DATA = {
    "{": "line 1, column 2",
    '{"a": 1,\n"b" 2}': "line 2, column 5",
    "[1]": "must be a JSON object, not a list",
    "7": "not a number",
    '"x"': "not text",
    "null": "not null",
    "true": "not true or false",
    '{"a": NaN}': "there is no number NaN",
    '{"a": 1, "a": 2}': "'a' is given twice",
    "[" * 100_000: "nested too deeply",
    "": "line 1, column 1",
    '{"a": ' + "9" * 5000 + "}": "digits",
    "@missing.json": "No such file",
    "@.": "Is a directory",
    "@": "cannot be read",
}


class TestBadInput:
    """Each is refused before anything is sent, with exit status 2."""

    @pytest.mark.parametrize("data", BAD_DATA, ids=[data[:12] for data in BAD_DATA])
    def test_data_that_is_no_json_object(self, run: Run, gateway: FakeGateway, data: str) -> None:
        result = run("send", "scanner", "scan", "--data", data)
        assert (result.exit_code, result.stdout) == (2, "")
        assert BAD_DATA[data] in result.stderr
        assert gateway.requests == []

    def test_a_file_that_is_not_utf8(self, run: Run, gateway: FakeGateway, tmp_path: Path) -> None:
        (tmp_path / "latin.json").write_bytes(b'{"path": "\xe4"}')
        result = run("send", "a", "t", "--data", "@latin.json")
        assert result.exit_code == 2
        assert "latin.json: is not UTF-8 text" in result.stderr

    @pytest.mark.parametrize(
        ("args", "said"),
        [
            (("--priority", "0"), "0 is not in the range"),
            (("--priority", "11"), "11 is not in the range"),
            (("--priority", "high"), "'high' is not a valid integer"),
            (("--delay", "soon"), "'soon' is not a duration"),
            (("--at", "soon"), "'soon' is no time: write for example 09:30"),
            (("--ttl", "soon"), "'soon' is not a duration"),
            (("--at", "09:30", "--delay", "1h"), "--at and --delay say the same thing in two ways"),
            (("--wait", "--timeout", "-1"), "'-1' is not a duration"),
            (("--timeout", "10s"), "it needs --wait"),
            (("--dat", "{}"), "did you mean '--data'?"),
            (("extra",), "unexpected extra argument"),
        ],
    )
    def test_options(self, run: Run, gateway: FakeGateway, args: tuple[str, ...], said: str) -> None:
        result = run("send", "scanner", "scan", *args)
        assert (result.exit_code, result.stdout) == (2, "")
        assert said in result.stderr
        assert result.stderr.startswith("squad: ")
        assert gateway.requests == []

    @pytest.mark.parametrize("args", [(), ("scanner",)])
    def test_recipient_and_type_are_needed(self, run: Run, gateway: FakeGateway, args: tuple[str, ...]) -> None:
        result = run("send", *args)
        assert result.exit_code == 2
        assert "needs a recipient and a type" in result.stderr

    def test_what_the_gateway_refuses_is_said_with_its_problems_and_hint(self, run: Run, gateway: FakeGateway) -> None:
        answer = refusal(422, "the payload does not fit the type 'scan'", 2, "squad inspect", path="is missing")
        gateway.on("POST /v1/messages", answer)
        result = run("send", "scanner", "scan")
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr == (
            "squad: the payload does not fit the type 'scan'\n  path: is missing\nhint: squad inspect\n"
        )

    def test_no_squad_running(self, run: Run, home: Home) -> None:
        result = run("send", "scanner", "scan")
        assert result.exit_code == 3
        assert result.stderr == f"squad: no squad is running in {home.path}\nhint: squad start\n"

    def test_what_the_gateway_says_cannot_steer_the_terminal(self, run: Run, gateway: FakeGateway) -> None:
        gateway.on("POST /v1/messages", refusal(422, "no \x1b[2J\x9b", 2, "\x07", a="\x1b[31m"))
        stderr = run("send", "a", "t").stderr
        assert not set(stderr) & {"\x1b", "\x9b", "\x07"}
        assert "\\x1b[2J" in stderr


class TestBatch:
    LINES = b'{"recipient": "a", "type": "t", "payload": {"n": 1}}\n\n{"recipient": "a", "type": "t", "payload": {}}\n'

    def test_the_ids_are_printed_in_order(self, run: Run, gateway: FakeGateway, tmp_path: Path) -> None:
        answer = (201, {"ids": ["one", "two"]})
        gateway.on("POST /v1/messages/batch", answer)
        (tmp_path / "batch.jsonl").write_bytes(self.LINES)
        assert run("send", "--batch", "batch.jsonl").stdout == "one\ntwo\n"
        assert run("send", "--batch", "-", input=self.LINES).stdout == "one\ntwo\n"
        document = json.loads(run("send", "--batch", "-", "-o", "json", input=self.LINES).stdout)
        assert document == {"schema_version": 1, "ids": ["one", "two"]}
        assert [len(request.body.splitlines()) for request in gateway.requests] == [3, 3, 3]

    def test_wrong_lines_are_named_by_their_place_in_the_file(
        self, run: Run, gateway: FakeGateway, tmp_path: Path
    ) -> None:
        problems = [{"where": "line 3: payload.path", "what": "is missing", "hint": ""}]
        error = {"message": "1 of 3 lines is wrong; nothing is queued", "exit": 2, "problems": problems}
        gateway.on("POST /v1/messages/batch", (422, {"error": error}))
        (tmp_path / "batch.jsonl").write_bytes(self.LINES)
        result = run("send", "--batch", "batch.jsonl")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "  batch.jsonl:3: payload.path: is missing\n" in result.stderr

    def test_a_thousand_wrong_lines_do_not_flood_the_terminal(self, run: Run, gateway: FakeGateway) -> None:
        problems = [{"where": f"line {n}", "what": "is wrong", "hint": ""} for n in range(1000)]
        gateway.on("POST /v1/messages/batch", (422, {"error": {"message": "no", "exit": 2, "problems": problems}}))
        stderr = run("send", "--batch", "-", input=self.LINES).stderr
        assert len(stderr.splitlines()) == 52
        assert "and 950 more" in stderr

    def test_an_empty_file(self, run: Run, gateway: FakeGateway) -> None:
        result = run("send", "--batch", "-", input=b"\n \n")
        assert result.exit_code == 2
        assert "there is no message in '-'" in result.stderr
        assert '"payload": {…}' in result.stderr  # no line goes without

    @pytest.mark.parametrize(
        "more",
        [("a",), ("a", "t"), ("--data", "{}"), ("--priority", "3"), ("--wait",), ("--wait-tree",), ("--key", "k")],
    )
    def test_what_belongs_into_the_lines_is_refused_beside_it(
        self, run: Run, gateway: FakeGateway, more: tuple[str, ...]
    ) -> None:
        result = run("send", "--batch", "-", *more, input=self.LINES)
        assert result.exit_code == 2
        assert "cannot be given with --batch" in result.stderr
        assert ("each line says it for itself" in result.stderr) is not more[0].startswith("--wait")  # no line waits
        assert gateway.requests == []


class TestWait:
    """The fake gateway only says that a message has ended; what became of it is in a real store."""

    @pytest.fixture
    def sent(self, gateway: FakeGateway, story: Story) -> str:
        """The id of the message that every send of this test is."""
        task = story.sent("scanner", "scan", {"path": "/srv"})
        gateway.on("POST /v1/messages", (201, {"id": task, "duplicate": False}))
        self.answers(gateway, task, True)
        return task

    @staticmethod
    def answers(gateway: FakeGateway, task: str, done: bool) -> None:
        gateway.on(f"GET /v1/messages/{task}/wait", (200, {"done": done}))

    def test_the_result_is_the_data_and_the_rest_a_message(self, run: Run, story: Story, sent: str) -> None:
        story.completed(sent, {"files": 3, "name": "ä\x9b"})
        result = run("send", "scanner", "scan", "--wait")
        assert (result.exit_code, result.stderr) == (0, "completed in 1.2s\n")
        assert json.loads(result.stdout) == {"files": 3, "name": "ä\x9b"}
        assert "\x9b" not in result.stdout

    def test_as_json(self, run: Run, story: Story, sent: str) -> None:
        story.completed(sent, {"files": 3})
        document = json.loads(run("send", "scanner", "scan", "--wait", "-o", "json").stdout)
        expected = {"id": sent, "status": "completed", "result": {"files": 3}, "timed_out": False, "error": None}
        assert {key: document[key] for key in expected} == expected

    def test_a_failure_is_exit_status_1(self, run: Run, story: Story, sent: str) -> None:
        story.failed(sent, "ValueError: no such folder\n  File x", attempts=3)
        result = run("send", "scanner", "scan", "--wait")
        assert (result.exit_code, result.stdout) == (1, "")
        assert "failed after 3 attempts: ValueError: no such folder\n" in result.stderr
        assert f"hint: squad message show {sent}" in result.stderr
        document = json.loads(run("send", "scanner", "scan", "--wait", "-o", "json").stdout)
        assert (document["status"], document["error"]) == ("failed", "ValueError: no such folder\n  File x")

    def test_a_refused_message_failed(self, run: Run, story: Story, sent: str) -> None:
        story.refused(sent, "there is no such folder")
        result = run("send", "scanner", "scan", "--wait")
        assert result.exit_code == 1
        assert "there is no such folder" in result.stderr

    @pytest.mark.parametrize("claimed", [False, True])
    def test_no_end_in_time_is_exit_status_5(
        self, run: Run, gateway: FakeGateway, story: Story, sent: str, claimed: bool
    ) -> None:
        self.answers(gateway, sent, False)
        if claimed:
            story.running(sent)
        result = run("send", "scanner", "scan", "--wait", "--timeout", "10ms")
        assert (result.exit_code, result.stdout) == (5, "")
        assert f"it is still {'running' if claimed else 'queued'}" in result.stderr
        assert f"hint: squad message show {sent}" in result.stderr
        document = json.loads(run("send", "a", "t", "--wait", "--timeout", "10ms", "-o", "json").stdout)
        assert document["timed_out"] is True

    def test_the_time_given_is_the_time_waited_for(
        self, run: Run, gateway: FakeGateway, story: Story, sent: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        story.completed(sent)
        monkeypatch.setattr("squad.client.time", SimpleNamespace(monotonic=lambda: 100.0))
        run("send", "scanner", "scan", "--wait-tree", "--timeout", "7s")
        assert gateway.requests[-1].path.endswith("?tree=1&timeout=7.000")

    def test_a_tree_is_summed_up_by_agent_and_type(self, run: Run, story: Story, sent: str) -> None:
        children = story.completed(sent, {"files": 2}, (("checker", "check_file"),) * 2)
        for child in children:
            story.completed(child)
        result = run("send", "scanner", "scan", "--wait-tree")
        assert (result.exit_code, result.stderr) == (0, "3 messages completed\n")
        assert [line.split() for line in result.stdout.splitlines()[3:]] == [
            ["AGENT", "TYPE", "COMPLETED", "FAILED"],
            ["checker", "check_file", "2", "0"],
            ["scanner", "scan", "1", "0"],
        ]

    def test_a_failure_anywhere_in_the_tree_is_exit_status_1(self, run: Run, story: Story, sent: str) -> None:
        good, bad = story.completed(sent, None, (("checker", "check_file"),) * 2)
        story.completed(good)
        story.failed(bad, "ValueError: no\n  File x")
        result = run("send", "scanner", "scan", "--wait-tree")
        assert result.exit_code == 1
        assert "1 of 3 messages did not complete\nhint: squad message list --status failed\n" in result.stderr
        assert f"{bad}  checker  check_file  ValueError: no\n" in result.stdout
        document = json.loads(run("send", "scanner", "scan", "--wait-tree", "-o", "json").stdout)
        assert document["tree"]["by_status"] == {"completed": 2, "failed": 1}
        assert [failed["id"] for failed in document["tree"]["failed"]] == [bad]

    def test_after_a_tree_without_dead_letters_the_hint_lists_what_there_is(
        self, run: Run, story: Story, sent: str
    ) -> None:
        (late,) = story.completed(sent, None, (("checker", "check_file"),))
        with story.writer.transaction():
            story.writer.cancel(late, tree=False, now=story.now)
        result = run("send", "scanner", "scan", "--wait-tree")
        assert result.exit_code == 1
        hint = "hint: squad message list --status cancelled\n"
        assert result.stderr.endswith(f"1 of 2 messages did not complete\n{hint}")

    def test_a_tree_that_does_not_end_in_time_says_how_much_is_left(
        self, run: Run, gateway: FakeGateway, story: Story, sent: str
    ) -> None:
        story.completed(sent, None, (("checker", "check_file"),) * 4)
        self.answers(gateway, sent, False)
        result = run("send", "scanner", "scan", "--wait-tree", "--timeout", "10ms")
        assert result.exit_code == 5
        assert "4 of 5 messages have not ended" in result.stderr
        assert result.stdout.splitlines()[0].split() == ["AGENT", "TYPE", "COMPLETED", "FAILED", "QUEUED"]

    def test_ctrl_c_ends_the_waiting_and_not_the_message(
        self, run: Run, gateway: FakeGateway, sent: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupted(*_: Any, **__: Any) -> bool:
            raise KeyboardInterrupt

        monkeypatch.setattr("squad.client.Client.wait", interrupted)
        result = run("send", "scanner", "scan", "--wait")
        assert result.exit_code == 130
        assert f"the message goes on: squad message show {sent}" in result.stderr


def test_a_message_that_is_too_big_is_refused_by_the_gateway(run: Run, gateway: FakeGateway, tmp_path: Path) -> None:
    def too_big(request: Request) -> Any:
        return refusal(413, f"the payload is {len(request.body)} bytes", 2)

    gateway.on("POST /v1/messages", too_big)
    (tmp_path / "big.json").write_text(json.dumps({"text": "x" * 2_000_000}))
    result = run("send", "a", "t", "--data", "@big.json")
    assert result.exit_code == 2
    assert "the payload is 2000" in result.stderr
