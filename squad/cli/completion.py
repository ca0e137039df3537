"""``squad completion``: the script by which a shell completes command lines of ``squad``."""

from __future__ import annotations

import click

from squad.cli.command import Command

VARIABLE = "_SQUAD_COMPLETE"  # set by the script when it asks; click's convention

_SHELLS = ("bash", "zsh", "fish")


@click.command(
    cls=Command,
    examples=[
        "squad completion bash > ~/.local/share/bash-completion/completions/squad",
        "squad completion zsh > ~/.zfunc/_squad",
        "squad completion fish > ~/.config/fish/completions/squad.fish",
    ],
)
@click.argument("shell", type=click.Choice(_SHELLS), metavar="|".join(_SHELLS))
def command(shell: str) -> None:
    """Print the script by which a shell completes commands.

    It completes commands and options, and the names of agents, convoys and message types and the ids of recent messages
    of the squad that is meant. To try it, say eval "$(squad completion bash)" in bash or zsh (with zsh), or pipe it
    into source in fish. To keep it, write it where the shell looks for such scripts, as the examples do; zsh also needs
    that folder in its fpath.
    """
    from click.shell_completion import get_completion_class

    from squad.cli.app import cli

    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - click has all three
    click.echo(kind(cli, {}, "squad", VARIABLE).source())


def answer(instruction: str) -> int:
    """Answer a shell that asks, by its environment variables, what may stand at the cursor; the exit status.

    When that fails nothing is offered and nothing is said: the words would land in the line that is being typed.
    """
    from click.shell_completion import shell_complete

    from squad.cli.app import cli

    try:
        return shell_complete(cli, {}, "squad", VARIABLE, instruction)
    except Exception:
        return 1
