"""``docs/commands.md``, made from the program itself:

python -m squad.cli.documentation > docs/commands.md
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from squad.cli.app import SECTIONS, cli
from squad.cli.command import Command, Group

_TOP = """\
# Commands

Made from the program by `python -m squad.cli.documentation > docs/commands.md`; do not edit it by hand.

Every command that prints data takes `-o json` and prints one JSON document then: [json.md](json.md) describes them.
Data goes to standard output and messages to standard error. Colour is used only on a terminal, and not when `NO_COLOR`
is set. Away from a terminal a table is plain text in which nothing is shortened.

`--home DIR` may stand before or after the command's name. Without it the home is `$SQUAD_HOME`, else the folder
`.squad` in the current folder or in the nearest one above it.

The shell completes commands, options, and the names and ids of a squad after `eval "$(squad completion bash)"`;
`squad completion --help` says how to keep that, and how it is done for zsh and fish.

| exit status | meaning |
| --- | --- |
| 0 | done |
| 1 | failed |
| 2 | wrong usage, or a message that was refused |
| 3 | no squad is running |
| 4 | bad configuration |
| 5 | timed out |
| 130 | ended by Ctrl-C |
| 141 | whoever read the output went away |
"""


def document() -> str:
    """The whole page, as Markdown."""
    root = click.Context(cli, info_name="squad")
    parts = [_TOP]
    for section, names in SECTIONS.items():
        parts.append(f"## {section}\n")
        for name in names:
            command = cli.get_command(root, name)
            assert isinstance(command, Command | Group)  # noqa: S101 - all of ours are
            parts += _described(command, click.Context(command, info_name=name, parent=root))
    return "\n".join(parts)


def _described(command: Command | Group, context: click.Context) -> Iterator[str]:
    yield f"### {context.command_path}\n"
    yield f"{inspect.cleandoc(command.help or '')}\n"
    if isinstance(command, Group):
        for name in command.list_commands(context):
            below = command.commands[name]
            assert isinstance(below, Command | Group)  # noqa: S101
            yield from _described(below, click.Context(below, info_name=name, parent=context))
        return
    yield f"```\n{context.command_path} {' '.join(command.collect_usage_pieces(context))}\n```\n"
    options = [param for param in command.params if isinstance(param, click.Option)]
    rows = [record for option in options if (record := option.get_help_record(context))]
    yield "| option | meaning |\n| --- | --- |"
    for names, meaning in rows:
        yield f"| `{_cell(names)}` | {_cell(meaning)} |"
    yield ""
    if command.examples:
        yield "```\n" + "\n".join(command.examples) + "\n```\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    click.echo(document(), nl=False)
