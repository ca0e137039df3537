"""Pictures in files, PNG or SVG, with matplotlib: whether one can be drawn, and how all of them look."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from squad.errors import SquadError, UsageError

COLOURS = ("#33658a", "#f6ae2d", "#86bbd8", "#758e4f", "#9e4770", "#8d8d8d")
_FORMATS = (".png", ".svg")
_WIDE, _HIGH = 6.2, 4.6  # inches of one panel
_DOTS = 110  # per inch, of a PNG


def check(path: Path) -> None:
    """Whether a picture can be drawn and written there. Raises UsageError, or SquadError without matplotlib."""
    hint = f"--plot {path.with_suffix('.png').name}"
    if path.suffix.lower() not in _FORMATS:
        raise UsageError(f"{path} must end in .png or .svg", hint=hint)
    if path.is_dir():
        raise UsageError(f"{path} is a folder", hint=f"name a file in it: --plot {path / 'picture.png'}")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}", hint=f"mkdir -p {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise UsageError(f"{path} cannot be written: permission denied", hint="name another file with --plot")
    if find_spec("matplotlib") is None:
        raise SquadError("drawing needs matplotlib, which is not installed", hint="pip install 'squad-runtime[plots]'")


@contextmanager
def picture(path: Path, panels: int, heading: str, most_columns: int = 3) -> Iterator[list[Any]]:
    """The axes of so many panels, in rows; when the block ends they are written to ``path``, whole or not at all.

    Raises SquadError when that fails. Loads matplotlib, which takes a while.
    """
    import matplotlib as mpl

    mpl.use("agg")  # no display is needed
    from matplotlib import pyplot

    beside = path.with_name(f".{path.name}.{os.getpid()}")
    columns = min(most_columns, panels)
    rows = -(-panels // columns)
    look: Any = {"font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "svg.fonttype": "none"}
    with mpl.rc_context(look):
        figure, axes = pyplot.subplots(rows, columns, figsize=(_WIDE * columns, _HIGH * rows), squeeze=False)
        try:
            places = list(axes.flat)
            yield places[:panels]
            for place in places[panels:]:
                place.set_visible(False)
            figure.suptitle(heading, fontsize=11, x=0.01, ha="left")
            figure.tight_layout(rect=(0, 0, 1, 0.99))
            figure.savefig(beside, dpi=_DOTS, format=path.suffix[1:].lower())
            beside.replace(path)
        except OSError as error:
            raise SquadError(f"{path} cannot be written: {error.strerror}") from None
        finally:
            beside.unlink(missing_ok=True)
            pyplot.close(figure)
