"""Command agents and types in a configuration: what may be written, and every mistake by its line."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from squad.config import reference
from squad.config.load import parse
from squad.config.programs import ProgramError, check_commands, find_program
from squad.config.schema import AgentConfig, SquadConfig
from squad.config.types import FieldConfig, TypeConfig, declared_types
from squad.messages import message, type_of

HEAD = "types: {note: {fields: {text: str}}}\nagents:\n"  # two lines


def told(text: str, tmp_path: Path) -> list[str]:
    """What the check of commands says of a configuration, which is one in itself."""
    config = parse(text, name="squad.yaml", base_dir=tmp_path, source=tmp_path / "squad.yaml")
    return [str(problem).replace(f"{tmp_path}/", "") for problem in check_commands(config, {})]


# -- keys -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "  a: {command: [cat], class: ./a.py:A, handles: [note]}\n",
            ["3: agents.a.command cannot be there beside class (an agent is either a class or a command: remove one)"],
        ),
        (
            "  a:\n    command: [cat]\n",
            ["4: agents.a.command handles no message (add handles: [TYPE], and declare the type under types)"],
        ),
        (
            "  a: {class: ./a.py:A, output: messages, handles: [note]}\n",
            [
                "3: agents.a.handles is only for an agent with a command (a class says by itself what it handles)",
                "3: agents.a.output is only for an agent with a command",
            ],
        ),
        ("  a: {command: cat, handles: [note]}\n", ["3: agents.a.command must be a list, not 'cat'"]),
        ("  a: {command: [], handles: [note]}\n", ["3: agents.a.command must not be empty"]),
        (
            "  a: {command: [sleep, 3], handles: [note]}\n",
            ["3: agents.a.command.1 must be text, not 3 (put it in quotes: '3')"],
        ),
        (
            "  a: {command: [cat], handles: [note], exit_codes: {retry: [0], refuse: [256]}}\n",
            [
                "3: agents.a.exit_codes.retry.0 must be an exit status from 1 to 255, not 0 (0 always means done)",
                "3: agents.a.exit_codes.refuse.0 must be an exit status from 1 to 255, not 256 (0 always means done)",
            ],
        ),
        (
            "  a: {command: [cat], handles: [note], exit_codes: {retry: [64]}}\n",
            ["3: agents.a.exit_codes.refuse has 64, which is in retry as well (a status has one meaning)"],
        ),
        (
            "  a: {command: [cat], handles: [note], environment: {allow: [A B], set: {SQUAD_HOME: x, N: 3}}}\n",
            [
                "3: agents.a.environment.allow.0 must be the name of an environment variable, not 'A B' "
                "(an environment variable has letters, digits and _, no digit first)",
                "3: 'SQUAD_HOME' cannot be set (variables that begin with SQUAD_ are Squad's own)",
                "3: agents.a.environment.set.N must be text, not 3 (put it in quotes: '3')",
            ],
        ),
        (
            "  a: {command: [cat], handles: [note], output: mesages, output_limit: 1}\n",
            [
                "3: agents.a.output must be result or messages, not 'mesages' (did you mean 'messages'?)",
                "3: agents.a.output_limit must be a size between 1kB and 100MB, not 1",
            ],
        ),
    ],
)
def test_mistakes_in_the_keys(mistakes: Callable[[str], list[str]], text: str, expected: list[str]) -> None:
    assert sorted(mistakes(HEAD + text)) == sorted(f"squad.yaml:{line}" for line in expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{fields: {n: strin}}", "types.t.fields.n.type must be a type, not 'strin' (write one of str, int, float, "),
        ("{fields: {n: }}", "types.t.fields.n has no type (write for example path: str)"),
        ("{fields: {n: {type: int, default: x}}}", "types.t.fields.n has a default that does not fit: input should be"),
        ("{fields: {n: {type: float, choices: [1]}}}", "types.t.fields.n.choices goes only with the types str and int"),
        ("{fields: {n: {type: int, choices: [a]}}}", "types.t.fields.n.choices has 'a', which does not fit int"),
        ("{fields: {a b: str}}", "'a b' cannot be the name of a field (letters, digits and _ . - only"),
        ("{feilds: {}}", "types.t has no key 'feilds' (did you mean 'fields'?)"),
        ("{fields: {n: {typ: int}}}", "types.t.fields.n has no type"),
        ("{fields: {}, schema: {}}", "types.t.schema cannot be there beside fields (declare the type by one of them)"),
        ("{schema: {type: array}}", "types.t.schema is no JSON Schema for a message: a payload is an object"),
        ("{schema: {properties: {a: {type: 3}}}}", "types.t.schema is no JSON Schema for a message: properties.a.type"),
        ("{retry: {max_atempts: 3}}", "types.t.retry has no key 'max_atempts' (did you mean 'max_attempts'?)"),
    ],
)
def test_mistakes_in_types(mistakes: Callable[[str], list[str]], text: str, expected: str) -> None:
    found = mistakes(f"agents: {{a: {{class: './a.py:A'}}}}\ntypes: {{t: {text}}}\n")
    assert found[0].startswith(f"squad.yaml:2: {expected}")


@pytest.mark.parametrize("name", ["a b", "1a", "", "squad.reply"])
def test_names_that_no_type_can_have(mistakes: Callable[[str], list[str]], name: str) -> None:
    [found] = mistakes(f"agents: {{a: {{class: './a.py:A'}}}}\ntypes: {{'{name}': {{fields: {{}}}}}}\n")
    assert found.startswith(f"squad.yaml:2: {name!r}")


def test_the_same_is_refused_in_python() -> None:
    with pytest.raises(ValidationError, match="neither class nor command"):
        AgentConfig()
    with pytest.raises(ValidationError, match="command cannot be there beside class"):
        AgentConfig(class_="./a.py:A", command=["cat"], handles=["note"])
    with pytest.raises(ValidationError, match="output is only for an agent with a command"):
        AgentConfig(class_="./a.py:A", output="result")


def test_what_is_shown_says_nothing_that_does_not_apply_and_can_be_loaded_again() -> None:
    text = (
        "types:\n  note: {fields: {text: str, n: {type: int | null, default: null}}}\n  none: {fields: }\n"
        "  order: {schema: {properties: {item: {type: string}}}}\n  other: {retry: {max_attempts: 1}}\n"
        "agents:\n  a: {class: './a.py:A'}\n"
        "  b: {command: [cat, '{payload[text]}'], handles: [note], environment: {allow: [A], set: {B: c}}}\n"
    )
    config = parse(text, name="squad.yaml", base_dir=Path())
    shown = reference.show(config)
    assert "command" not in shown["agents"]["a"]
    assert "output" not in shown["agents"]["a"]
    assert "class" not in shown["agents"]["b"]
    assert shown["types"]["note"]["fields"] == {"text": {"type": "str"}, "n": {"type": "int | null", "default": None}}
    assert shown["types"]["none"] == {"fields": {}}
    again = parse(reference.show_yaml(config), name="squad.yaml", base_dir=Path())
    assert again == config
    assert pickle.loads(pickle.dumps(config)) == config  # noqa: S301 - our own


def test_a_type_is_declared_by_its_fields_by_a_schema_or_elsewhere() -> None:
    types = declared_types(
        {
            "a": TypeConfig(fields={"n": FieldConfig(type="int", default=3)}),
            "b": TypeConfig(schema_={"properties": {"n": {"type": "integer"}}}),
            "c": TypeConfig(),
        }
    )
    assert sorted(types) == ["a", "b"]
    assert types["a"].decode("{}") == {"n": 3}
    assert types["b"].decode('{"n": 1}') == {"n": 1}


# -- what can be wrong before it runs ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        ("command: [cat], handles: [nte]", "handles.0: no type 'nte' is declared under types (did you mean 'note'?)"),
        ("command: [cat], handles: [zzz]", "handles.0: no type 'zzz' is declared under types (declare it there, with "),
        ("command: [cat], handles: [far]", "handles.0: the type 'far' is not declared here: it has neither fields nor"),
        ("command: [cat], handles: [note, note]", "handles.1: 'note' is here twice (remove one)"),
        (
            "command: [cat, '{payload[txt]}'], handles: [note]",
            "command.1: {payload[txt]} names no field of 'note' (did you mean 'text'?)",
        ),
        (
            "command: [cat, 'x{payload[text][0]}'], handles: [note]",
            "command.1: {payload[text][0]} names no field of 'note' ('text' has no such part)",
        ),
        (
            "command: [cat, '{payload[text]}'], handles: [note, order]",
            "command.1: {payload[text]} names no field of 'order' (its fields are item)",
        ),
        ("command: [cat, '{payload[text}'], handles: [note]", "command.1: there is no placeholder {payload[text}"),
        ("command: [cat, '}'], handles: [note]", "command.1: there is a single } in '}' (for a brace itself write"),
        (
            "command: ['{payload[text]}'], handles: [note]",
            "command.0: the program's name cannot hold {payload[text]} (what is executed is decided here alone",
        ),
        ("command: [''], handles: [note]", "command.0: the program has no name"),
        (
            "command: [no-such-program], handles: [note]",
            "command.0: there is no program 'no-such-program' on PATH (install it, or write its whole path)",
        ),
        (
            "command: [tool], handles: [note]",
            "command.0: there is no program 'tool' on PATH (write ./tool for the file",
        ),
        ("command: [./tol], handles: [note]", "command.0: there is no program tol (did you mean 'tool'?)"),
        ("command: [./plain], handles: [note]", "command.0: plain is not executable (chmod +x plain)"),
        ("command: [./folder], handles: [note]", "command.0: folder is a folder (name a program)"),
        ("command: [./script], handles: [note]", "command.0: script begins with #!/no/such/shell, which is not there"),
        (
            "command: [there], handles: [note], environment: {set: {PATH: BIN}}",
            "command.0: bin/there is not executable (chmod +x bin/there)",
        ),
        ("command: [cat], handles: [note], directory: ./nowhere", "directory: there is no folder nowhere (the path is"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, agent: str, expected: str) -> None:
    (tmp_path / "tool").touch(0o700)
    (tmp_path / "plain").touch(0o600)
    (tmp_path / "folder").mkdir()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/there").touch(0o600)
    (tmp_path / "script").write_text("#!/no/such/shell -x\n")
    (tmp_path / "script").chmod(0o700)
    types = "types: {note: {fields: {text: str}}, order: {schema: {properties: {item: {}}}}, far: {retry: {}}}\n"
    agent = agent.replace("BIN", str(tmp_path / "bin"))
    [found] = told(f"{types}agents:\n  a: {{{agent}}}\n", tmp_path)
    assert found.removeprefix("squad.yaml:3: agents.a.").startswith(expected)


def test_all_mistakes_of_all_agents_are_said_at_once(tmp_path: Path) -> None:
    text = HEAD + "  a:\n    command:\n      - nope\n      - '{x}'\n    handles: [note]\n"
    text += "convoys:\n  b: {command: [cat], handles: [nte]}\n"
    found = [line.partition(": ")[0] for line in told(text, tmp_path)]
    assert found == ["squad.yaml:5", "squad.yaml:6", "squad.yaml:9"]


def test_what_is_in_order_is_not_complained_about(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/tool").write_text("#!/bin/sh\n")
    (tmp_path / "bin/tool").chmod(0o700)
    text = HEAD + "  a: {command: [./bin/tool, '{{}}', '{payload[text]}'], handles: [note], directory: ./bin}\n"
    text += "  b: {command: ['{python}', -c, pass], handles: [note]}\n"
    text += "  c: {command: ['{home}/tool'], handles: [note]}\n"
    text += f"  d: {{command: [tool], handles: [note], environment: {{set: {{PATH: {tmp_path}/bin}}}}}}\n"
    assert told(text, tmp_path) == []


def test_a_type_that_is_known_without_being_declared_may_be_handled(tmp_path: Path) -> None:
    @message("built.in")
    class BuiltIn:
        n: int

    config = SquadConfig(agents={"a": AgentConfig(command=["cat", "{payload[m]}"], handles=["built.in"])})
    [problem] = check_commands(config, {"built.in": type_of(BuiltIn)})
    assert (problem.where, problem.hint) == ("agents.a", "its fields are n")


def test_programs_are_found_as_the_shell_finds_them(tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.touch(0o700)
    assert find_program("./tool", tmp_path, "") == tool
    assert find_program(str(tool), Path("/"), "") == tool
    assert find_program("tool", Path("/"), f"/nowhere:{tmp_path}") == tool
    assert find_program("sh", tmp_path, os.defpath).name == "sh"
    with pytest.raises(ProgramError):
        find_program("tool", tmp_path, "/nowhere")
