"""Every kind of mistake, with the line at which it is reported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from squad.config.load import load
from squad.errors import ConfigError, Exit

NEITHER = (
    "squad.yaml:4: agents.two has neither class nor command "
    "(add class: ./agents.py:Scanner, or command: [PROGRAM, ...])"
)
AGENT = "agents:\n  one:\n    class: ./a.py:A\n"
LEAST = "(a squad needs at least:  agents: {scanner: {class: './agents.py:Scanner'}})"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # keys
        ("agnts: {}\n" + AGENT, ["squad.yaml:1: there is no key 'agnts' (did you mean 'agents'?)"]),
        (AGENT + "    timout: 3s\n", ["squad.yaml:4: agents.one has no key 'timout' (did you mean 'timeout'?)"]),
        (AGENT + "    min: 3\n", ["squad.yaml:4: agents.one has no key 'min' (it belongs in convoys.NAME)"]),
        (
            AGENT + "logging:\n  colour: red\n",
            ["squad.yaml:5: logging has no key 'colour' (the keys here are level, max_size, keep)"],
        ),
        (
            AGENT + "    retry:\n      max_atempts: 1\n",
            ["squad.yaml:5: agents.one.retry has no key 'max_atempts' (did you mean 'max_attempts'?)"],
        ),
        (
            AGENT + "  two:\n    class_: ./a.py:A\n",
            [
                NEITHER,
                "squad.yaml:5: agents.two has no key 'class_' (did you mean 'class'?)",
            ],
        ),
        (
            AGENT + "  two:\n",
            [
                NEITHER,
            ],
        ),
        (
            AGENT + "    timeout: 1s\n    timeout: 2s\n",
            ["squad.yaml:5: the key 'timeout' is here twice; first in line 4 (remove one)"],
        ),
        (
            AGENT + "  one:\n    class: ./a.py:B\n",
            ["squad.yaml:4: the key 'one' is here twice; first in line 2 (remove one)"],
        ),
        (
            AGENT + "  off: {class: './a.py:A'}\n",
            ["squad.yaml:4: a key must be text, not off (which means false in YAML) (put it in quotes: 'off')"],
        ),
        (AGENT + "  7: {}\n", ["squad.yaml:4: a key must be text, not the number 7 (put it in quotes: '7')"]),
        (AGENT + "  [a]: {}\n", ["squad.yaml:4: a key must be text, not a list or a mapping"]),
        (AGENT + "  ~: {}\n", ["squad.yaml:4: a key is missing here"]),
        # names
        (
            AGENT + "  Two Three: {class: './a.py:A'}\n",
            [
                "squad.yaml:4: 'Two Three' cannot be the name of an agent or a convoy (a small letter first, "
                "then small letters, digits, - and _, at most 40 characters)"
            ],
        ),
        (
            AGENT + "  storage: {class: './a.py:A'}\n",
            ["squad.yaml:4: the name 'storage' belongs to Squad itself (choose another name)"],
        ),
        (
            AGENT + "convoys:\n  one:\n    class: ./a.py:A\n",
            ["squad.yaml:5: the name 'one' is taken by the agent in line 2 (choose another name for the convoy)"],
        ),
        (
            AGENT + "  pool-2: {class: './a.py:A'}\nconvoys:\n"
            "  pool: {class: './a.py:A'}\n  pool-1: {class: './a.py:A'}\n",
            [
                "squad.yaml:4: the name 'pool-2' is that of a worker of the convoy 'pool' (choose another name)",
                "squad.yaml:7: the name 'pool-1' is that of a worker of the convoy 'pool' (choose another name)",
            ],
        ),
        # values
        ("name: 1.0\n" + AGENT, ["squad.yaml:1: name must be text, not 1.0 (put it in quotes: '1.0')"]),
        (
            "agents:\n  one:\n    class: no\n",
            [
                "squad.yaml:3: agents.one.class must be text, not no (which means false in YAML) "
                "(put it in quotes: 'no')"
            ],
        ),
        (
            "agents:\n  one:\n    class: agents.py\n",
            [
                "squad.yaml:3: agents.one.class must be a file or a module, a colon and a class, not 'agents.py' "
                "(write for example agents.py:Scanner)"
            ],
        ),
        (
            "agents:\n  one:\n    class: a-b:C\n",
            [
                "squad.yaml:3: agents.one.class must be a file or a module, a colon and a class, not 'a-b:C' "
                "('a-b' is neither a .py file nor the name of a module)"
            ],
        ),
        (
            AGENT + "    timeout: 5 minutes\n",
            [
                "squad.yaml:4: agents.one.timeout must be a duration, not '5 minutes' "
                "(write for example 30s, 5m or 1h30m)"
            ],
        ),
        (AGENT + "    timeout: 0\n", ["squad.yaml:4: agents.one.timeout must be more than 0, not 0"]),
        (
            AGENT + "    timeout: 1:30\n",
            ["squad.yaml:4: agents.one.timeout must be a duration, not '1:30' (write for example 30s, 5m or 1h30m)"],
        ),
        (
            AGENT + "    timeout: yes\n",
            [
                "squad.yaml:4: agents.one.timeout must be a duration, not yes (which means true in YAML) "
                "(write for example 30s, 5m or 1h30m)"
            ],
        ),
        (AGENT + "    options: [a, b]\n", ["squad.yaml:4: agents.one.options must be a mapping, not a list"]),
        (AGENT + "    send_rate:\n", ["squad.yaml:4: agents.one.send_rate has no value (write none for no limit)"]),
        (
            AGENT + "    send_rate: lots\n",
            [
                "squad.yaml:4: agents.one.send_rate must be a rate, not 'lots' "
                "(write none, a number of messages a minute, or {per_minute: 100, burst: 20})"
            ],
        ),
        (
            AGENT + "    handle_rate:\n      per_minute: 5\n      burst: 0\n",
            ["squad.yaml:6: agents.one.handle_rate.burst must be 1 or more, not 0"],
        ),
        (
            AGENT + "    handle_rate: {per_minute: 5, when_empty: raise}\n",
            [
                "squad.yaml:4: agents.one.handle_rate cannot have when_empty: raise: what is not taken on waits in the "
                "mailbox (leave out when_empty, which is for send_rate and limits.clients)"
            ],
        ),
        (
            AGENT + "store: {synchronous: OFF}\n",
            ["squad.yaml:4: store.synchronous must be FULL or NORMAL, not OFF (which means false in YAML)"],
        ),
        (
            AGENT + "logging: {level: info}\n",
            [
                "squad.yaml:4: logging.level must be DEBUG, INFO, WARNING or ERROR, not 'info' (did you mean 'INFO'?)"
            ],
        ),
        (AGENT + "store:\n  pool: 20\n", ["squad.yaml:5: store.pool must be a mapping, not 20"]),
        (AGENT + "store: {pool: {size: '2'}}\n", ["squad.yaml:4: store.pool.size must be a whole number, not '2'"]),
        (AGENT + "store: {busy_timeout: 1.5}\n", ["squad.yaml:4: store.busy_timeout must be a whole number, not 1.5"]),
        (AGENT + "limits: {max_payload: 2GB}\n", [
            "squad.yaml:4: limits.max_payload must be a size between 1B and 1GB, not '2GB'"
        ]),
        (AGENT + "monitor: {cpu_threshold: 101}\n", [
            "squad.yaml:4: monitor.cpu_threshold must be 100 or less, not 101"
        ]),
        (AGENT + "monitor: {interval: 1ms}\n", ["squad.yaml:4: monitor.interval must be 100ms or more, not '1ms'"]),
        (
            "convoys:\n  many:\n    class: ./a.py:A\n    min: 30\n",
            ["squad.yaml:4: convoys.many.max is 20, which is less than min, 30 (raise max or lower min)"],
        ),
        (
            "convoys:\n  many:\n    class: ./a.py:A\n    min: 3\n    max: 2\n",
            ["squad.yaml:5: convoys.many.max is 2, which is less than min, 3 (raise max or lower min)"],
        ),
        (
            AGENT + "    retry: {backoff: 1h}\n",
            ["squad.yaml:4: agents.one.retry.cap is 5m, which is less than backoff, 1h (raise cap or lower backoff)"],
        ),
        (AGENT + "    options: {a: .nan}\n", ["squad.yaml:4: .nan is not a number that can be used"]),
        (
            AGENT + "    options:\n      a: !!python/name:os.system\n",
            [
                "squad.yaml:5: the tag !!python/name:os.system cannot be used here "
                "(remove it: configuration is plain data)"
            ],
        ),
        (AGENT + '    options: {a: "\\ud83d"}\n', [
            "squad.yaml:4: there is an escape for half a character "
            r"(write emoji as themselves or as \U0001F600)"
        ]),
        # the whole file
        ("# nothing\n", [
            f"squad.yaml:1: the file is empty {LEAST}"
        ]),
        ("name: x\nagents:\n", [
            f"squad.yaml:1: there is no agent and no convoy {LEAST}"
        ]),
        ("- a\n", [
            f"squad.yaml:1: the file must be a mapping of keys such as agents and convoys, not a list {LEAST}"
        ]),
        (AGENT + "---\nname: b\n", [
            "squad.yaml:4: a second document starts here (one file is one squad: remove the line ---)"
        ]),
        # what is not YAML
        ("agents:\n\tone: 1\n", ["squad.yaml:2: a tab cannot indent or separate here (use spaces)"]),
        ("name: a: b\n", ["squad.yaml:1: there is one ': ' too many (text with ': ' in it belongs in quotes)"]),
        ("agents:\n  one:\n   class: a\n    x: 1\n", [
            "squad.yaml:4: there is one ': ' too many (text with ': ' in it belongs in quotes)"
        ]),
        ("agents:\n    a: 1\n  b: 2\n", [
            "squad.yaml:3: the indentation does not fit what is above (all keys of a mapping begin alike)"
        ]),
        ("name: x\nagents: {one: {class: 'a\n", ["squad.yaml:2: this quote is never closed"]),
        ("name: x\nagents: {one: {class: a\n", ["squad.yaml:2: this bracket is never closed"]),
        ("name: x\nagents\nstore: {}\n", ["squad.yaml:2: a ':' is missing after this key"]),
        ("name: x\n\nagents: *base\n", ["squad.yaml:3: *base is used, but no &base ends before it"]),
        ("name: x\nlogging: \x07\n", [r"squad.yaml:2: the character '\x07' cannot stand in YAML (remove it)"]),
        ('name: x\nlogging: "\\UFFFFFFFF"\n', ["squad.yaml:2: there is an escape for a character that does not exist"]),
    ],
)  # fmt: skip
def test_each_mistake_is_said_at_its_line(mistakes: Callable[[str], list[str]], text: str, expected: list[str]) -> None:
    assert mistakes(text) == expected


def test_all_mistakes_are_said_at_once_in_the_order_of_their_lines(folder: Path) -> None:
    (folder / "squad.yaml").write_text(
        "nam: x\n"
        "agents:\n"
        "  one:\n"
        "    timeout: soon\n"
        "  one: {}\n"
        "  Two: {class: './a.py:A'}\n"
        "convoys:\n"
        "  one: {class: './a.py:A', min: 0}\n"
        "  no: {}\n"
        "limits: 7\n"
    )
    with pytest.raises(ConfigError) as caught:
        load(Path("squad.yaml"))
    where = [problem.where for problem in caught.value.problems]
    assert where == [f"squad.yaml:{line}" for line in (1, 3, 4, 5, 6, 8, 8, 9, 10)]
    assert str(caught.value) == "squad.yaml has 9 mistakes"
    assert caught.value.hint == "correct it, then: squad config check squad.yaml"
    assert caught.value.exit is Exit.CONFIG


def test_a_value_with_a_mistake_of_yaml_is_not_complained_of_twice(mistakes: Callable[[str], list[str]]) -> None:
    assert len(mistakes(AGENT + "    timeout: !secret x\n")) == 1
    assert len(mistakes("agents:\n  no: {class: './a.py:A'}\n")) == 1
    assert len(mistakes(AGENT + "store: {cache_size: 99999999999999999999999999999999999999999}\n")) == 1
