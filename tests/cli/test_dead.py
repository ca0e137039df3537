"""``squad dead``: the desk, in front of a gateway that a test scripts."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from squad.events import event
from squad.home import Home
from tests.cli.a_store import Story
from tests.cli.conftest import Run
from tests.cli.fake_gateway import Answer, FakeGateway, Request, refusal
from tests.cli.terminals import OnTerminal


@pytest.fixture
def dead(story: Story) -> list[str]:
    """Three dead letters and one message that is well; the second died of something else, the third is of another."""
    letters = [story.sent("checker", "check_file", {"path": "/a"}), story.sent("checker", "check_file")]
    letters.append(story.sent("scanner", "scan"))
    story.failed(letters[0], "TimeoutError: too slow\n  File x", attempts=2)
    story.failed(letters[1], "ValueError: no")
    story.completed(story.sent("checker", "check_file"))
    story.refused(letters[2], "no such folder")
    return letters


def answer_desk(gateway: FakeGateway) -> None:
    """As the real one answers."""

    def done(request: Request) -> Answer:
        ids = request.json["ids"]
        return 200, {"count": len(ids), "ids": ids}

    gateway.on("POST /v1/dead/retry", done)
    gateway.on("POST /v1/dead/drop", done)


class TestList:
    def found(self, run: Run, *args: str) -> list[str]:
        document = json.loads(run("dead", "list", "-o", "json", *args).stdout)
        assert document["total"] >= len(document["dead"])
        return [letter["id"] for letter in document["dead"]]

    def test_without_a_squad_the_newest_first(self, run: Run, dead: list[str]) -> None:
        result = run("dead", "list")
        lines = [line.split() for line in result.stdout.splitlines()]
        assert (result.exit_code, lines[0]) == (0, ["ID", "AGENT", "TYPE", "TRIES", "FAILED", "ERROR"])
        assert [line[:4] for line in lines[1:]] == [
            [dead[2], "scanner", "scan", "1"],
            [dead[1], "checker", "check_file", "1"],
            [dead[0], "checker", "check_file", "2"],
        ]
        assert lines[3][5:] == ["TimeoutError:", "too", "slow"]

    def test_filters(self, run: Run, dead: list[str]) -> None:
        assert self.found(run) == dead[::-1]
        assert self.found(run, "--agent", "checker") == dead[1::-1]
        assert self.found(run, "--type", "scan") == dead[2:]
        assert self.found(run, "--error", "tiMEout") == dead[:1]
        assert self.found(run, "--error", "File x") == dead[:1]
        assert self.found(run, "--error", "100%") == []
        assert self.found(run, "--agent", "checker", "--error", "o") == dead[1::-1]

    def test_since_is_when_they_failed(self, run: Run, story: Story, dead: list[str]) -> None:
        late = story.sent("a", "t")
        story.completed(story.sent("a", "t"))
        at = "2026-05-28T20:26:56Z"
        assert late not in self.found(run, "--since", at)
        story.failed(late)
        assert self.found(run, "--since", at) == [late]

    def test_the_rest_is_counted(self, run: Run, dead: list[str]) -> None:
        result = run("dead", "list", "--limit", "1")
        assert len(result.stdout.splitlines()) == 2
        assert result.stderr == "2 more fit: --limit shows more, the filters fewer\n"
        assert json.loads(run("dead", "list", "--limit", "1", "-o", "json").stdout)["total"] == 3

    def test_none(self, run: Run, story: Story) -> None:
        assert run("dead", "list").stderr == "no dead letters\n"
        assert run("dead", "list", "--agent", "a").stderr == "no dead letter fits\n"


class TestShow:
    def test_its_whole_history(self, run: Run, story: Story, dead: list[str]) -> None:
        story.recorded(event("edited", dead[0], agent="checker", type="check_file"))
        shown = run("dead", "show", dead[0]).stdout
        for text in ('"path": "/a"', "failed after 2 attempts", "Attempt 1: error on checker/1 at ", "File x"):
            assert text in shown
        assert shown.index("Attempt 2:") < shown.index("Edited at 2026")
        document = json.loads(run("dead", "show", dead[0], "-o", "json").stdout)
        assert [attempt["number"] for attempt in document["failed_attempts"]] == [1, 2]
        (edited,) = document["events"]
        assert (edited["kind"], edited["detail"]) == ("edited", {"agent": "checker", "type": "check_file"})

    def test_what_is_no_dead_letter(self, run: Run, story: Story) -> None:
        task = story.sent("a", "t")
        result = run("dead", "show", task)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == f"squad: {task} is no dead letter: it is queued\nhint: squad message show {task}\n"
        assert run("dead", "show", "ffffffff").exit_code == 2


class TestById:
    @pytest.mark.parametrize(("verb", "done"), [("retry", "queued again"), ("drop", "deleted")])
    def test_without_asking(self, run: Run, gateway: FakeGateway, dead: list[str], verb: str, done: str) -> None:
        answer_desk(gateway)
        result = run("dead", verb, dead[0][-12:], dead[2], dead[0])
        assert (result.exit_code, result.stdout, result.stderr) == (0, "", f"2 dead letters {done}\n")
        (request,) = gateway.requests
        assert (request.path, request.json) == (f"/v1/dead/{verb}", {"ids": [dead[0], dead[2]]})

    def test_as_json(self, run: Run, gateway: FakeGateway, dead: list[str]) -> None:
        answer_desk(gateway)
        document = json.loads(run("dead", "retry", dead[1], "-o", "json").stdout)
        assert document == {"schema_version": 1, "count": 1, "ids": [dead[1]]}

    def test_all_or_none(self, run: Run, gateway: FakeGateway, story: Story, dead: list[str]) -> None:
        well = story.sent("a", "t")
        result = run("dead", "drop", dead[0], well)
        assert (result.exit_code, gateway.requests) == (2, [])
        assert "1 of 2 are no dead letters; nothing was done" in result.stderr
        assert f"{well}: is queued" in result.stderr
        assert run("dead", "drop", dead[0], "ffffffff").exit_code == 2
        assert gateway.requests == []

    def test_what_the_gateway_refuses(self, run: Run, gateway: FakeGateway, dead: list[str]) -> None:
        gateway.on("POST /v1/dead/retry", refusal(429, "they do not fit the mailbox", 2, "raise queue.limit"))
        result = run("dead", "retry", dead[0])
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr == "squad: they do not fit the mailbox\nhint: raise queue.limit\n"


class TestByFilter:
    @pytest.mark.parametrize("verb", ["retry", "drop"])
    def test_without_a_terminal_it_says_the_count_and_refuses(
        self, run: Run, gateway: FakeGateway, dead: list[str], verb: str
    ) -> None:
        result = run("dead", verb, "--agent", "checker")
        assert (result.exit_code, result.stdout, gateway.requests) == (2, "", [])
        assert "2 dead letters: 2 check_file to checker; nothing was done" in result.stderr
        assert "hint: --yes does it without asking" in result.stderr
        assert "3 dead letters: 2 check_file to checker, 1 scan to scanner" in run("dead", verb, "--all").stderr

    def test_yes(self, run: Run, gateway: FakeGateway, dead: list[str]) -> None:
        answer_desk(gateway)
        result = run("dead", "retry", "--error", "valueerror", "--yes")
        assert (result.exit_code, result.stderr) == (0, "1 dead letter queued again\n")
        assert gateway.requests[0].json == {"ids": [dead[1]]}

    def test_some_of_them_the_oldest(self, run: Run, gateway: FakeGateway, dead: list[str]) -> None:
        answer_desk(gateway)
        run("dead", "retry", "--all", "--limit", "2", "--yes")
        assert gateway.requests[0].json == {"ids": dead[:2]}

    def test_none_fits(self, run: Run, gateway: FakeGateway, dead: list[str]) -> None:
        result = run("dead", "drop", "--agent", "nobody")
        assert (result.exit_code, result.stderr) == (0, "no dead letter fits\n")
        document = json.loads(run("dead", "drop", "--agent", "nobody", "-o", "json").stdout)
        assert document == {"schema_version": 1, "count": 0, "ids": []}

    @pytest.mark.parametrize(
        "args", [(), ("--yes",), ("someid", "--all"), ("--all", "--agent", "a"), ("someid", "--limit", "1")]
    )
    def test_it_must_be_said_which(
        self, run: Run, gateway: FakeGateway, dead: list[str], args: tuple[str, ...]
    ) -> None:
        result = run("dead", "drop", *args)
        assert (result.exit_code, gateway.requests) == (2, [])
        assert "say which dead letters to drop: by ID, by options such as --agent, or --all" in result.stderr

    def test_many_go_in_several_requests(self, run: Run, gateway: FakeGateway, story: Story) -> None:
        for _ in range(450):
            story.sent("a", "t")
        with story.writer.transaction():
            story.writer._connection.execute("UPDATE tasks SET status = 'failed'")
        answer_desk(gateway)
        assert run("dead", "drop", "--all", "--yes").stderr == "450 dead letters deleted\n"
        assert [len(request.json["ids"]) for request in gateway.requests] == [200, 200, 50]

        def full(request: Request) -> Answer:
            ids = request.json["ids"]
            return (200, {"count": len(ids), "ids": ids}) if len(gateway.requests) < 6 else refusal(429, "full", 2)

        gateway.on("POST /v1/dead/retry", full)
        result = run("dead", "retry", "--all", "--yes")
        assert (result.exit_code, result.stderr) == (2, "squad: full; 400 dead letters before that queued again\n")

    @pytest.mark.parametrize(
        ("typed", "status", "count"), [("y\n", 0, 1), ("n\n", 1, 0), ("\n", 1, 0), ("\x04", 130, 0)]
    )
    def test_on_a_terminal_it_asks(
        self, gateway: FakeGateway, dead: list[str], typed: str, status: int, count: int
    ) -> None:
        answer_desk(gateway)
        terminal = OnTerminal("dead", "drop", "--agent", "checker", cwd=gateway.home.path.parent)
        terminal.read_until(lambda screen: "drop them? [y/N]" in screen)
        assert "2 dead letters: 2 check_file to checker" in terminal.screen
        terminal.type(typed)
        assert terminal.finish() == status
        assert len(gateway.requests) == count
        assert ("nothing was done" in terminal.screen) == (status == 1)


def test_without_a_squad_nothing_is_asked_and_the_exit_status_is_3(run: Run, dead: list[str]) -> None:
    for args in (("retry", dead[0]), ("drop", "--all"), ("edit", dead[0], "--data", "{}"), ("edit", dead[0])):
        result = run("dead", *args)
        assert (result.exit_code, result.stdout) == (3, ""), args
        assert "no squad is running" in result.stderr


class TestEdit:
    def test_a_payload_that_is_given(self, run: Run, gateway: FakeGateway, dead: list[str]) -> None:
        gateway.on(f"PUT /v1/dead/{dead[0]}", (200, {"id": dead[0]}))
        result = run("dead", "edit", dead[0][-12:], "--data", '{"path": "/b"}')
        assert (result.exit_code, result.stdout) == (0, "")
        assert result.stderr == f"changed; to replay it: squad dead retry {dead[0]}\n"
        assert gateway.requests[0].json == {"payload": {"path": "/b"}}

    @pytest.mark.parametrize("data", ["-", "@new.json"])
    def test_from_a_file_or_standard_input(
        self, run: Run, gateway: FakeGateway, dead: list[str], tmp_path: Path, data: str
    ) -> None:
        gateway.on(f"PUT /v1/dead/{dead[0]}", (200, {"id": dead[0]}))
        (tmp_path / "new.json").write_text('{"path": "/c"}')
        run("dead", "edit", dead[0], "--data", data, input='{"path": "/c"}')
        assert gateway.requests[0].json == {"payload": {"path": "/c"}}

    def test_and_replay_it(self, run: Run, gateway: FakeGateway, dead: list[str]) -> None:
        answer_desk(gateway)
        gateway.on(f"PUT /v1/dead/{dead[0]}", (200, {"id": dead[0]}))
        result = run("dead", "edit", dead[0], "--data", "{}", "--retry", "-o", "json")
        assert json.loads(result.stdout) == {"schema_version": 1, "id": dead[0], "changed": True, "retried": True}
        assert [request.path for request in gateway.requests] == [f"/v1/dead/{dead[0]}", "/v1/dead/retry"]
        assert "changed, and queued again" in run("dead", "edit", dead[0], "--data", "{}", "--retry").stderr

    def test_one_that_does_not_fit_names_every_mistake_and_is_not_replayed(
        self, run: Run, gateway: FakeGateway, dead: list[str]
    ) -> None:
        wrong = refusal(422, "the payload does not fit", 2, path="is missing", payload_n="is no number")
        gateway.on(f"PUT /v1/dead/{dead[0]}", wrong)
        result = run("dead", "edit", dead[0], "--data", "{}", "--retry")
        assert (result.exit_code, len(gateway.requests)) == (2, 1)
        assert "  path: is missing\n  payload n: is no number\n" in result.stderr
        result = run("dead", "edit", dead[0], "--data", "[1]")
        assert (result.exit_code, len(gateway.requests)) == (2, 1)

    def test_what_is_no_dead_letter(self, run: Run, gateway: FakeGateway, story: Story) -> None:
        result = run("dead", "edit", story.sent("a", "t"), "--data", "{}")
        assert (result.exit_code, gateway.requests) == (1, [])
        assert "is no dead letter: it is queued" in result.stderr

    def test_without_a_terminal_it_must_be_given(self, run: Run, gateway: FakeGateway, dead: list[str]) -> None:
        result = run("dead", "edit", dead[0], EDITOR="false")
        assert (result.exit_code, gateway.requests) == (2, [])
        assert f"hint: squad dead edit {dead[0]} --data '{{…}}'" in result.stderr


@pytest.fixture
def editor(tmp_path: Path) -> Callable[[str], str]:
    """Makes a command that runs this code as an editor does: ``path`` is the file, ``count`` how often it has run."""

    def make(code: str) -> str:
        script = tmp_path / "an editor.py"
        script.write_text(
            "import os, stat, sys\nfrom pathlib import Path\n"
            f"path, counter = Path(sys.argv[-1]), Path({str(tmp_path / 'count')!r})\n"
            "counter.write_text(counter.read_text() + 'x' if counter.exists() else 'x')\n"
            f"count = len(counter.read_text())\n{code}\n"
        )
        return f"{sys.executable} '{script}' --wait"

    return make


class TestEditor:
    def edited(self, home: Home, task: str, command: str, *args: str, variable: str = "VISUAL") -> OnTerminal:
        env = {"EDITOR": "false", "VISUAL": ""} | {variable: command}
        return OnTerminal("dead", "edit", task, *args, cwd=home.path.parent, **env)

    @pytest.mark.parametrize("variable", ["VISUAL", "EDITOR"])
    def test_what_it_leaves_is_sent(
        self, gateway: FakeGateway, dead: list[str], editor: Callable[[str], str], variable: str
    ) -> None:
        gateway.on(f"PUT /v1/dead/{dead[0]}", (200, {"id": dead[0]}))
        command = editor("path.write_text(path.read_text().replace('/a', '/ä'))")
        terminal = self.edited(gateway.home, dead[0], command, variable=variable)
        assert terminal.finish() == 0, terminal.screen
        assert gateway.requests[0].json == {"payload": {"path": "/ä"}}
        assert "changed; to replay it: squad dead retry " in terminal.screen

    def test_nobody_else_can_read_the_text_and_nothing_of_it_is_left(
        self, gateway: FakeGateway, dead: list[str], editor: Callable[[str], str], tmp_path: Path
    ) -> None:
        note = tmp_path / "note"
        command = editor(
            "modes = [oct(stat.S_IMODE(os.stat(p).st_mode)) for p in (path, path.parent)]\n"
            f"Path({str(note)!r}).write_text(f'{{path}} {{modes}}')\n"
            "Path(str(path) + '~').write_text('an old copy')"
        )
        terminal = self.edited(gateway.home, dead[0], command)
        assert terminal.finish() == 0, terminal.screen
        assert "nothing was changed" in terminal.screen
        assert gateway.requests == []
        path, _, modes = note.read_text().partition(" ")
        assert modes == "['0o600', '0o700']"
        assert not Path(path).parent.exists()

    def test_a_refused_one_can_be_edited_again(
        self, gateway: FakeGateway, dead: list[str], editor: Callable[[str], str]
    ) -> None:
        """First no JSON, then what does not fit, then right; each time the text that was left is there again."""

        def judge(request: Request) -> Answer:
            wrong = "path" not in request.json["payload"]
            return (
                refusal(422, "it does not fit", 2, path="is missing", n="is odd") if wrong else (200, {"id": dead[0]})
            )

        gateway.on(f"PUT /v1/dead/{dead[0]}", judge)
        answer_desk(gateway)
        steps = ['{"other": 1', '{"other": 1}', '{"path": "/right"}']
        command = editor(
            f"steps = {steps!r}\nassert count == 1 or path.read_text() == steps[count - 2]\n"
            "path.write_text(steps[count - 1])"
        )
        terminal = self.edited(gateway.home, dead[0], command, "--retry")
        terminal.read_until(lambda screen: screen.count("edit it again? [Y/n]") == 1)
        assert "the edited text: is not JSON" in terminal.screen
        terminal.type("\n")
        terminal.read_until(lambda screen: screen.count("edit it again? [Y/n]") == 2)
        assert "  path: is missing" in terminal.screen
        assert "  n: is odd" in terminal.screen
        terminal.type("y\n")
        assert terminal.finish() == 0, terminal.screen
        assert "changed, and queued again" in terminal.screen
        assert gateway.requests[-2].json == {"payload": {"path": "/right"}}

    def test_giving_up(self, gateway: FakeGateway, dead: list[str], editor: Callable[[str], str]) -> None:
        terminal = self.edited(gateway.home, dead[0], editor("path.write_text('broken')"), "--retry")
        terminal.read_until(lambda screen: "edit it again? [Y/n]" in screen)
        terminal.type("n\n")
        assert terminal.finish() == 2
        assert "nothing was changed" in terminal.screen
        assert gateway.requests == []

    def test_an_editor_that_fails(self, gateway: FakeGateway, dead: list[str], editor: Callable[[str], str]) -> None:
        terminal = self.edited(gateway.home, dead[0], editor("path.write_text('{}')\nsys.exit(3)"))
        assert terminal.finish() == 1
        assert "ended with status 3; nothing was changed" in terminal.screen
        assert gateway.requests == []

    @pytest.mark.parametrize(
        ("command", "said"),
        [("/no/such/editor -w", "'/no/such/editor' cannot be run: No such file"), ("vi 'x", "$VISUAL is no command")],
    )
    def test_one_that_there_is_not(self, gateway: FakeGateway, dead: list[str], command: str, said: str) -> None:
        terminal = self.edited(gateway.home, dead[0], command)
        assert terminal.finish() == 2
        assert said in terminal.screen

    def test_none_is_set(self, gateway: FakeGateway, dead: list[str]) -> None:
        terminal = OnTerminal("dead", "edit", dead[0], cwd=gateway.home.path.parent, EDITOR="", VISUAL="")
        assert terminal.finish() == 2
        assert "no editor is set in $VISUAL or $EDITOR" in terminal.screen
        assert "--data" in terminal.screen

    def test_no_shell_takes_part(self, gateway: FakeGateway, dead: list[str], tmp_path: Path) -> None:
        terminal = self.edited(gateway.home, dead[0], f"touch '{tmp_path}/a;b' $(touch {tmp_path}/c)")
        terminal.finish()
        assert (tmp_path / "a;b").exists()
        assert not (tmp_path / "c").exists()
