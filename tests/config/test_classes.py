"""Finding classes by reference: what is found, and what is said when the user's code does not import."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from squad.config.classes import resolve
from squad.errors import ConfigError


class Base:
    """Stands for squad.Agent, which this layer does not know."""


@pytest.fixture(autouse=True)
def _clean_imports() -> Iterator[None]:
    """Modules and paths of one test are not those of the next."""
    modules, path = set(sys.modules), list(sys.path)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def refused(reference: str, folder: Path, base: type | None = None) -> tuple[str, str]:
    with pytest.raises(ConfigError) as caught:
        resolve(reference, folder, base)
    assert [problem.what for problem in caught.value.problems] == [caught.value.message]
    return caught.value.message, caught.value.hint


def test_a_class_in_a_file_is_found_and_its_siblings_are_importable(tmp_path: Path) -> None:
    (tmp_path / "words.py").write_text("WORD = 'hello'\n")
    (tmp_path / "my_agents.py").write_text("from words import WORD\nclass A: word = WORD\nclass B: pass\n")
    found = resolve("./my_agents.py:A", tmp_path)
    assert found.word == "hello"  # type: ignore[attr-defined]
    assert sys.path[0] == str(tmp_path)


def test_a_file_is_one_module_however_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "my_agents.py").write_text("class A: pass\nclass B: pass\n")
    (tmp_path / "other.py").write_text("from my_agents import A\nclass C(A): pass\n")
    a, b = resolve("./my_agents.py:A", tmp_path), resolve("my_agents.py:B", tmp_path)
    assert resolve("my_agents:A", tmp_path) is a
    assert resolve(f"{tmp_path}/my_agents.py:A", tmp_path) is a
    assert issubclass(resolve("./other.py:C", tmp_path), a)
    assert a.__module__ == b.__module__ == "my_agents"


def test_a_module_imported_by_a_sibling_first_is_the_same_one(tmp_path: Path) -> None:
    (tmp_path / "my_agents.py").write_text("class A: pass\n")
    (tmp_path / "other.py").write_text("from my_agents import A\nclass C(A): pass\n")
    assert resolve("./my_agents.py:A", tmp_path) is resolve("./other.py:C", tmp_path).__mro__[1]


@pytest.mark.parametrize("stem", ["json", "queue", "yaml", "two words", "dotted.name"])
def test_a_file_whose_name_is_taken_or_no_name_gets_another_one(tmp_path: Path, stem: str) -> None:
    import json

    (tmp_path / f"{stem}.py").write_text("class A: pass\n")
    found = resolve(f"./{stem}.py:A", tmp_path)
    assert found.__module__.startswith("squad_file_")
    assert resolve(f"./{stem}.py:A", tmp_path) is found
    assert sys.modules["json"] is json


def test_two_files_of_one_name_are_two_modules(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "my_agents.py").write_text(f"class A: where = {folder!r}\n")
    one, two = (resolve(f"./{folder}/my_agents.py:A", tmp_path) for folder in ("one", "two"))
    assert (one.where, two.where) == ("one", "two")  # type: ignore[attr-defined]
    assert one.__module__ != two.__module__


def test_a_class_in_an_installed_module_or_a_package_beside_the_file(tmp_path: Path) -> None:
    from collections import OrderedDict

    (tmp_path / "mypackage").mkdir()
    (tmp_path / "mypackage" / "__init__.py").touch()
    (tmp_path / "mypackage" / "agents.py").write_text("class A: pass\n")
    assert resolve("collections:OrderedDict", tmp_path) is OrderedDict
    assert resolve("mypackage.agents:A", tmp_path).__module__ == "mypackage.agents"


def test_a_subclass_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("class Plain: pass\n")
    assert refused("./mine.py:Plain", tmp_path, Base) == (
        "'Plain' in ./mine.py is not an agent",
        "derive it: class Plain(Base)",
    )
    assert refused(f"{__name__}:Base", tmp_path, Base)[0] == "'Base' is the base of all agents"


def test_a_misspelt_class(tmp_path: Path) -> None:
    source = "import squad_test_base\nclass Scanner(squad_test_base.Base): pass\nclass Scanned: pass\n"
    (tmp_path / "squad_test_base.py").write_text("class Base: pass\n")
    (tmp_path / "mine.py").write_text(source)
    base = resolve("./squad_test_base.py:Base", tmp_path)
    assert refused("./mine.py:Scaned", tmp_path) == ("./mine.py has no class 'Scaned'", "did you mean 'Scanned'?")
    assert refused("./mine.py:Scaned", tmp_path, base)[1] == "did you mean 'Scanner'?"
    assert refused("./mine.py:Zzz", tmp_path, base)[1] == "the classes there are Scanner"
    assert refused("./squad_test_base.py:Zzz", tmp_path, base)[1] == "the classes there are Base"


def test_a_name_that_is_no_class(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def Scanner(): pass\n")
    assert refused("./mine.py:Scanner", tmp_path)[0] == "'Scanner' in ./mine.py is not a class but a function"


def test_a_file_or_module_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "agents.py").touch()
    (tmp_path / "folder.py").mkdir()
    assert refused("./agnts.py:A", tmp_path) == (
        f"there is no file ./agnts.py in {tmp_path}",
        "did you mean 'agents.py'?",
    )
    assert refused("./folder.py:A", tmp_path)[0] == "./folder.py is a folder"
    what, hint = refused("nowhere.at_all:A", tmp_path)
    assert what == "there is no module 'nowhere'"
    assert hint == "install it, or write ./nowhere/at_all.py for a file beside this one"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            "\nimport nonexistent_thing\n",
            "./mine.py does not import: ModuleNotFoundError: No module named 'nonexistent_thing'\n"
            "    mine.py:2 in <module>: import nonexistent_thing",
        ),
        ("def f(:\n", "./mine.py does not import: SyntaxError: invalid syntax\n    mine.py:1: def f(:"),
        (
            "def f():\n    return 1 / 0\nf()\n",
            "./mine.py does not import: ZeroDivisionError: division by zero\n"
            "    mine.py:3 in <module>: f()\n    mine.py:2 in f: return 1 / 0",
        ),
        (
            "import sys\nsys.exit(3)\n",
            "./mine.py does not import: SystemExit: 3\n    mine.py:2 in <module>: sys.exit(3)",
        ),
        (
            "import helper_of_mine\n",
            "./mine.py does not import: SyntaxError: '(' was never closed\n"
            "    mine.py:1 in <module>: import helper_of_mine\n    helper_of_mine.py:1: x = (",
        ),
        (
            "import json\njson.loads('x')\n",
            "./mine.py does not import: json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)\n"
            "    mine.py:2 in <module>: json.loads('x')",
        ),
    ],
)
def test_an_exception_of_the_users_code_comes_with_the_users_own_lines(
    tmp_path: Path, source: str, expected: str
) -> None:
    (tmp_path / "mine.py").write_text(source)
    (tmp_path / "helper_of_mine.py").write_text("x = (\n")
    assert refused("./mine.py:A", tmp_path)[0] == expected
    assert "mine" not in sys.modules  # mended, it can be imported


def test_exceptions_that_are_hard_to_print(tmp_path: Path) -> None:
    (tmp_path / "rude.py").write_text(
        "class Rude(Exception):\n    def __str__(self): raise RuntimeError\nraise Rude\nclass A: pass\n"
    )
    (tmp_path / "long.py").write_text("raise ValueError('x' * 10_000)\n")
    (tmp_path / "deep.py").write_text("def f(n):\n    if not n: raise OSError('deep')\n    f(n - 1)\nf(50)\n")
    assert "rude.py:3 in <module>: raise Rude" in refused("./rude.py:A", tmp_path)[0]
    assert len(refused("./long.py:A", tmp_path)[0]) < 700
    assert refused("./deep.py:A", tmp_path)[0].count("\n") == 8


def test_hints_for_what_happens_often(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import nonexistent_thing.part\n")
    (tmp_path / "relative.py").write_text("from . import other\n")
    assert refused("./mine.py:A", tmp_path)[1].startswith("install 'nonexistent_thing' beside Squad")
    assert refused("./relative.py:A", tmp_path)[1] == "name it as package.module:Class, so that it knows its package"
