"""Finding the class that ``class:`` names, in a file beside the configuration or in an installed module.

Whatever goes wrong in the user's code on the way becomes a ConfigError with a traceback of the user's own lines.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import sys
import traceback
import zlib
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from squad.errors import ConfigError, Problem
from squad.messages import did_you_mean

_MOST_LINES = 8  # of a traceback
_MOST_TEXT = 500  # characters of an exception
_ODD = re.compile(r"\W")  # in the name of a file


def resolve(reference: str, base_dir: Path, base: type[Any] | None = None) -> type[Any]:
    """The class that a reference names; with ``base``, a subclass of it. Runs the user's module in this process.

    The reference is ``./agents.py:Scanner``, relative to ``base_dir``, or ``package.module:Scanner``. ``base_dir``
    and the file's own folder go first on ``sys.path``, so that modules beside it can be imported. A file becomes one
    module, however often it is named. Raises ConfigError.
    """
    target, _, name = reference.rpartition(":")
    base_dir = Path(os.path.abspath(base_dir))  # noqa: PTH100 - resolve() would follow symbolic links
    _first_on_path(str(base_dir))
    try:
        load = _load_file if target.endswith(".py") else _import_module
        module = load(target, base_dir)
        found = getattr(module, name, None)
    except (Exception, SystemExit) as error:
        if isinstance(error, ConfigError):
            raise
        raise _failure(target, error, base_dir) from None
    candidates = _classes_in(module, base)
    known = f"the classes there are {', '.join(candidates)}" if candidates else "its file has no class of that kind"
    if found is None:
        raise _error(f"{target} has no class {name!r}", did_you_mean(name, candidates) or known)
    if not isinstance(found, type):
        raise _error(f"{name!r} in {target} is not a class but a {type(found).__name__}", known)
    if base is not None and (found is base or not issubclass(found, base)):
        what = f"{name!r} in {target} is not an agent" if found is not base else f"{name!r} is the base of all agents"
        raise _error(
            what, f"derive it: class {name}({base.__name__})" if found is not base else "name a class of yours"
        )
    return found


def _error(what: str, hint: str = "") -> ConfigError:
    return ConfigError(what, hint=hint, problems=[Problem("", what, hint)])


def _first_on_path(folder: str) -> None:
    if sys.path[:1] != [folder]:
        if folder in sys.path:
            sys.path.remove(folder)
        sys.path.insert(0, folder)
    sys.path_importer_cache.pop(folder, None)  # its files may be newer than the last look


def _classes_in(module: ModuleType, base: type[Any] | None) -> list[str]:
    return [
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__ and issubclass(value, base or object)
    ]


# -- modules


def _load_file(target: str, base_dir: Path) -> ModuleType:
    file = os.path.abspath(os.path.join(base_dir, target))  # noqa: PTH100, PTH118
    if not os.path.isfile(file):  # noqa: PTH113
        path = Path(file)
        near = did_you_mean(path.name, [found.name for found in path.parent.glob("*.py")])
        what = f"{target} is a folder" if path.is_dir() else f"there is no file {target} in {base_dir}"
        raise _error(what, near or "the path is relative to the configuration's folder")
    _first_on_path(os.path.dirname(file))  # noqa: PTH120
    loaded = _loaded_from(file)
    if loaded is not None:
        return loaded
    name = _free_name(file)
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise _error(f"{target} cannot be imported", "name a .py file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _loaded_from(path: str) -> ModuleType | None:
    """The module that was made from this file already, perhaps as an import of another one.

    It is looked for under the names that it can have. A look at every module would cost an agent megabytes: who looks
    at an object counts a reference in it, and that makes a copy of its page, which was shared with the other processes.
    """
    parts = path.removesuffix(".py").removesuffix("/__init__").split("/")[1:]
    for name in (*[".".join(parts[start:]) for start in range(len(parts))], _own_name(path)):
        module = sys.modules.get(name)
        file = getattr(module, "__file__", None)
        if module is not None and isinstance(file, str) and _is_same(file, path):
            return module
    return None


def _free_name(path: str) -> str:
    """The file's stem, so that siblings which import it get the same module; another name where the stem is taken."""
    stem = _stem(path)
    if stem.isidentifier() and stem not in sys.modules and stem not in sys.stdlib_module_names:
        ahead = path.removesuffix(".py")  # a package or native code of that name would be found first
        if not any(os.path.exists(ahead + suffix) for suffix in ("", *EXTENSION_SUFFIXES)):  # noqa: PTH110
            return stem
    return _own_name(path)


def _own_name(path: str) -> str:
    """One that no other file's module has."""
    return f"squad_file_{zlib.crc32(os.fsencode(path)):08x}_{_ODD.sub('_', _stem(path))}"


def _stem(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".py")


def _is_same(file: str, path: str) -> bool:
    return os.path.realpath(file) == os.path.realpath(path)


def _import_module(target: str, base_dir: Path) -> ModuleType:
    def is_missing(error: ModuleNotFoundError) -> bool:
        """Whether it is this very module that is not there, and not one that it imports."""
        return bool(error.name) and (target == error.name or target.startswith(f"{error.name}."))

    try:
        try:
            return importlib.import_module(target)
        except ModuleNotFoundError as error:
            if not is_missing(error):
                raise
            importlib.invalidate_caches()  # it may have been installed since the last look
            return importlib.import_module(target)
    except ModuleNotFoundError as error:
        if not is_missing(error):
            raise
        missing = error.name or ""
        file = f"{target.replace('.', '/')}.py"
        beside = (base_dir / file).is_file()
        hint = f"write ./{file} for a file" if beside else f"install it, or write ./{file} for a file beside this one"
        raise _error(f"there is no module {missing!r}", hint) from None


# -- what went wrong in the user's code


def _failure(target: str, error: BaseException, base_dir: Path) -> ConfigError:
    lines = _own_lines(error.__traceback__, base_dir)
    if isinstance(error, SyntaxError) and error.filename:
        lines.append(f"{_short(error.filename, base_dir)}:{error.lineno}: {(error.text or '').strip()}")
        said = f"{type(error).__name__}: {error.msg}"
    else:
        said = traceback.TracebackException(type(error), error, None).format_exception_only().__next__().strip()
    said = said if len(said) <= _MOST_TEXT else said[: _MOST_TEXT - 3] + "..."
    what = "\n    ".join([f"{target} does not import: {said}", *lines])
    return _error(what, _advice(error))


def _advice(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"install {error.name.partition('.')[0]!r} beside Squad, or put the file next to the configuration"
    if isinstance(error, ImportError) and "relative import" in str(error):
        return "name it as package.module:Class, so that it knows its package"
    if isinstance(error, SystemExit):
        return "a module with agents must not exit when it is imported"
    return ""


def _own_lines(trace: TracebackType | None, base_dir: Path) -> list[str]:
    """``agents.py:7 in <module>: import nonexistent``: the user's own frames, else the innermost one."""
    frames = [frame for frame in traceback.extract_tb(trace) if not _is_ours(frame.filename)]
    own = [frame for frame in frames if _is_own(frame.filename, base_dir)] or frames[-1:]
    return [
        f"{_short(frame.filename, base_dir)}:{frame.lineno} in {frame.name}: {frame.line}"
        for frame in own[-_MOST_LINES:]
    ]


def _is_ours(file: str) -> bool:
    return file.startswith("<frozen ") or file in (__file__, importlib.__file__)


def _is_own(file: str, base_dir: Path) -> bool:
    path = Path(file)
    return path.is_relative_to(base_dir) and not {"site-packages", "dist-packages"} & set(path.parts)


def _short(file: str, base_dir: Path) -> str:
    path = Path(file)
    return str(path.relative_to(base_dir)) if path.is_relative_to(base_dir) else file
