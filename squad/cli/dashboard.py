"""``squad dashboard``."""

from __future__ import annotations

import click

from squad.cli.command import Command, current_home, output_option
from squad.cli.output import print_json, print_text, say


@click.command(cls=Command, examples=["squad dashboard", "squad dashboard --print", "squad dashboard -o json"])
@click.option("--print", "only_print", is_flag=True, help="Print the address, and open nothing.")
@output_option
def command(only_print: bool, as_json: bool) -> None:
    """Open the squad's dashboard in a browser.

    It is served on loopback: where `dashboard.listen` in the configuration says, else until the squad is stopped, on a
    free port, which is the same next time unless another program has it then. It is read-only unless the
    configuration names a token. Without a browser that could be opened, over ssh for example, the address is printed.
    """
    from squad.client import Client

    with Client(current_home()) as squad:
        opened = squad.dashboard()
    if as_json:
        print_json(opened)
        return
    if only_print or not _opened(opened["url"]):
        print_text(opened["url"])
    else:
        say(f"opened {opened['url']} in the browser")


def _opened(url: str) -> bool:
    """Whether a browser of a graphical session has taken it; one for terminals would write into this one."""
    import os
    import webbrowser

    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or os.environ.get("BROWSER")):
        return False
    try:
        return webbrowser.open(url)
    except webbrowser.Error:
        return False
