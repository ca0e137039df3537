"""What a shell may offer for a value: the names and ids of the squad that a command line means.

Each function here is the ``shell_complete`` of a parameter. Somebody waits at the keyboard: a running squad has a
moment to answer, and what was saved counts otherwise. A squad that cannot be read offers nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from squad.cli.command import Invocation
from squad.errors import SquadError
from squad.home import Home, find

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_ANSWER = 0.3  # seconds for a running squad
_CONFIG = "squad.yaml"
_RECIPIENTS = ("agent", "convoy")


def recipients(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Agents and convoys."""
    return _offered(_named(ctx, _RECIPIENTS), incomplete)


def convoys(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return _offered(_named(ctx, ("convoy",)), incomplete)


def actors(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Everything in the tree: the squad's own parts and the workers of convoys too."""
    return _offered(_named(ctx, ()), incomplete)


def schedules(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from squad.client import Client

    home = _home(ctx)
    try:
        with Client(home, timeout=_ANSWER, patience=0.0) as squad:
            found = {entry["name"]: f"{entry['type']} to {entry['recipient']}" for entry in squad.schedules()}
    except SquadError:
        found = {}
    return _offered(found, incomplete)


def types(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Message types: where the command line names a recipient already, those that it handles."""
    home = _home(ctx)
    if home is None:
        return []
    recipient = ctx.params.get("recipient") or ctx.params.get("agent")
    handled = {
        entry["name"]: f"handled by {', '.join(entry['handled_by'])}"
        for entry in _live_types(home)
        if recipient is None or recipient in entry["handled_by"]
    }
    return _offered(handled or dict.fromkeys(_stored_types(home, recipient), ""), incomplete)


def messages(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Recent messages, the newest first."""
    return _messages(ctx, incomplete)


def open_messages(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Those of them that have not ended."""
    return _messages(ctx, incomplete, "queued", "running")


def dead_letters(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Those of them that have failed."""
    return _messages(ctx, incomplete, "failed")


def folders(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Left to the shell."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="dir")]


def _offered(values: dict[str, str], incomplete: str) -> list[CompletionItem]:
    """Values with what is said about each, of those that begin like that."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(name, help=about or None) for name, about in values.items() if name.startswith(incomplete)]


def _home(ctx: click.Context) -> Home | None:
    invocation = ctx.find_object(Invocation)
    try:
        return find(invocation.home if invocation else None)
    except SquadError:
        return None


# -- names


def _named(ctx: click.Context, kinds: tuple[str, ...]) -> dict[str, str]:
    """Name -> kind, of the actors of those kinds (none named: of all)."""
    home = _home(ctx)
    rows = (_live_rows(home) or _saved_rows(home)) if home is not None else []
    named = {str(row["name"]): str(row["kind"]) for row in rows} or _configured(home)
    return {name: kind for name, kind in named.items() if not kinds or kind in kinds}


def _live_rows(home: Home) -> list[Any]:
    from squad.client import Client

    try:
        with Client(home, timeout=_ANSWER, patience=0.0) as squad:
            return list(squad.tree()["actors"])
    except SquadError:
        return []


def _saved_rows(home: Home) -> list[Any]:
    try:
        return list(json.loads(home.tree.read_bytes())["actors"])
    except (OSError, ValueError, KeyError, TypeError):  # never saved, or not by us
        return []


def _configured(home: Home | None) -> dict[str, str]:
    """The names in the ``squad.yaml`` beside the home or in this folder, before the squad is first started."""
    import yaml

    folders = [home.path.parent] if home is not None else []
    for folder in (*folders, Path.cwd()):
        try:
            data = yaml.load((folder / _CONFIG).read_bytes(), yaml.CSafeLoader)
            groups = {kind: data.get(f"{kind}s") or {} for kind in _RECIPIENTS}
            return {str(name): kind for kind, group in groups.items() for name in group}
        except (OSError, yaml.YAMLError, AttributeError, TypeError):  # not there, or no configuration
            continue
    return {}


# -- types


def _live_types(home: Home) -> Iterable[Any]:
    from squad.client import Client

    try:
        with Client(home, timeout=_ANSWER, patience=0.0) as squad:
            return squad.types()
    except SquadError:
        return []


def _stored_types(home: Home, recipient: str | None) -> list[str]:
    from squad.store import glance

    try:
        return glance.types(home.database, recipient)
    except SquadError:
        return []


def metrics(_ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """What Squad measures itself."""
    from squad.metrics import CATALOGUE

    return _offered({name: about.meaning for name, about in CATALOGUE.items()}, incomplete)


# -- messages


def _messages(ctx: click.Context, incomplete: str, *statuses: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from squad.store import glance

    home = _home(ctx)
    if home is None:
        return []
    try:
        found = glance.messages(home.database, incomplete, statuses)
    except SquadError:
        return []
    return [CompletionItem(item.task_id, help=f"{item.type} to {item.recipient}, {item.status}") for item in found]
