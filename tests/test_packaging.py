"""What is installed: one top-level package, with every module and data file in it."""

from __future__ import annotations

import html
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from contextlib import closing
from email import message_from_string
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {"squad": "squad", "actors": "squad/actors", "store": "squad/store", "config": "squad/config"}


def files() -> set[str]:
    """Every file in the repository's packages, by the name that it should have in a wheel."""
    found = set()
    for folder, package in FOLDERS.items():
        for path in (ROOT / folder).rglob("*"):
            inside = path.relative_to(ROOT / folder)
            linked = folder == "squad" and inside.parts[0] in ("actors", "store", "config")
            if path.is_file() and not linked and "__pycache__" not in inside.parts:
                found.add(f"{package}/{inside}")
    return found


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution, and the wheel made from it. Nothing is fetched."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    for name in ("pyproject.toml", "README.md", "LICENSE", *FOLDERS, "tests"):
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=ignored)
        else:
            shutil.copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", target, source]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return target


def fetched(address: str, path: str) -> str:
    with closing(http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.status == 200, path
        return answer.read().decode()


def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_the_wheel_has_one_package_with_everything_in_it(built: Path) -> None:
    (wheel,) = built.glob("squad_runtime-*.whl")
    inside = set(names(wheel))
    tops = {name.split("/")[0] for name in inside}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"squad"}
    assert {name for name in inside if name.startswith("squad/")} == files()


def test_the_wheel_installs_the_command_and_its_licence(built: Path) -> None:
    (wheel,) = built.glob("squad_runtime-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        about = {name.split("/", 1)[1]: archive.read(name).decode() for name in names(wheel) if ".dist-info/" in name}
    assert "squad = squad.cli:main" in about["entry_points.txt"]
    assert "licenses/LICENSE" in about
    carried = {f"licenses/{path.relative_to(ROOT)}" for path in (ROOT / "squad/web/static/carried").glob("*.LICENSE")}
    assert carried
    assert carried <= set(about)
    meta = message_from_string(about["METADATA"])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert meta["Version"] == project["version"]
    required = [line for line in meta.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert len(required) == len(project["dependencies"])


def test_the_source_distribution_has_the_sources(built: Path) -> None:
    (sdist,) = built.glob("squad_runtime-*.tar.gz")
    with tarfile.open(sdist) as archive:
        inside = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    for folder in FOLDERS:
        wanted = {str(path.relative_to(ROOT)) for path in (ROOT / folder).glob("*.py")}
        assert wanted <= inside
    assert {"pyproject.toml", "README.md", "LICENSE"} <= inside


def test_the_declared_packages_are_the_folders_with_modules() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    there = {str(Path(name).parent).replace("/", ".") for name in files() if name.endswith(".py")}
    assert set(declared) == there


def test_the_installed_wheel_runs_the_squad_that_comes_with_it(built: Path, tmp_path: Path) -> None:
    """In an environment of its own, in an empty folder, as who has never seen the repository."""
    (wheel,) = built.glob("squad_runtime-*.whl")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SQUAD_H", "PYTHON"))}

    def run(*command: str | Path) -> str:
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run(sys.executable, "-m", "venv", "--without-pip", "own")
    quick = ("--quiet", "--disable-pip-version-check", "--no-compile")  # most modules are never imported here
    run(sys.executable, "-m", "pip", "--python", tmp_path / "own" / "bin" / "python", "install", *quick, wheel)
    squad = tmp_path / "own" / "bin" / "squad"
    assert run(squad, "--version").startswith("squad ")
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "one.py").write_text("import os\n\n\ndef one():\n    return 1\n")
    run(squad, "start", "--detach")
    try:
        payload = json.dumps({"path": str(tmp_path / "code")})
        run(squad, "send", "scanner", "scan", "--data", payload, "--wait-tree", "--timeout", "60s")
        (scanned,) = json.loads(run(squad, "message", "list", "--agent", "scanner", "-o", "json"))["messages"]
        assert scanned["status"] == "completed"
        address = run(squad, "dashboard", "--print").strip().rstrip("/")
        page = fetched(address, "/")
        assert "scanner" in page
        files = re.findall(r'(?:src|href)="(/static/[^"#]+)', page)
        assert len(files) >= 5
        for file in files:
            assert fetched(address, html.unescape(file)), file
        loaded = run(tmp_path / "own" / "bin" / "python", "-c", "import squad.actors; print(squad.actors.__file__)")
        assert loaded.startswith(str(tmp_path / "own"))
    finally:
        run(squad, "stop")
