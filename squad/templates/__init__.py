"""What ``squad init`` writes: folders of files to be copied, ``{{name}}`` in them being the squad's name.

Each file has the suffix ``.template`` here, so that nothing takes it for a part of Squad.
"""

from __future__ import annotations

from pathlib import Path

DEFAULT = "basic"
TEMPLATES = {
    "basic": "a Python agent, a command agent, a convoy and a schedule",
    "minimal": "one Python agent",
}

_SUFFIX = ".template"


def render(template: str, name: str) -> dict[str, str]:
    """The files of a template by their names, with the squad called ``name``. Raises KeyError for an unknown one."""
    TEMPLATES[template]
    folder = Path(__file__).parent / template
    return {
        path.name.removesuffix(_SUFFIX): path.read_text(encoding="utf-8").replace("{{name}}", name)
        for path in sorted(folder.iterdir())
        if path.suffix == _SUFFIX
    }
