"""``squad top``: the live view of a squad in a terminal."""

from __future__ import annotations

import queue
import signal
import sys
import threading
import time
from typing import Any

import click

from squad.cli.command import Command, current_home, output_option
from squad.cli.output import console, on_terminal, print_json, say
from squad.cli.top.readings import Look, Observer, Percentiles
from squad.errors import Exit

_REFRESH = 1.0  # seconds between two looks


@click.command(cls=Command, examples=["squad top", "squad top -o json"])
@output_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Show the squad live: its tree, rates, latencies and resources.

    It is drawn anew every second. Leave with q or Ctrl-C; h shows all keys: they scroll, sort, and fold convoys.
    RATE is how many messages end a second, over 10 s; P50, P95, P99 (of handling) and WAIT (p95 of waiting) are of the
    last 5 minutes.

    Where the output is no terminal that can be drawn on, and with -o json, it is printed once. Without a running squad
    the last saved rows are shown, and the exit status of what is printed once is 3; it is 5 when a running squad does
    not answer.
    """
    observer = Observer(current_home())
    try:
        first = observer.look()
        if not as_json and on_terminal() and sys.stdin.isatty() and not console().is_dumb_terminal:
            ctx.exit(_watch(observer, first))
        if as_json:
            print_json(_document(first))
        else:
            from squad.cli.top.drawing import plain

            click.echo(plain(first))
        if first.snapshot.note:
            say(first.snapshot.note)
        ctx.exit(first.snapshot.status)
    finally:
        observer.close()


def _document(look: Look) -> dict[str, Any]:
    """See docs/json.md."""
    totals = look.totals
    actors = []
    for row in look.snapshot.actors:
        latency = look.latencies.get(row["name"]) if row["kind"] in ("agent", "convoy") else None
        rate = look.rate(row)
        actors.append(
            {
                **row,
                "rate": None if rate is None else round(rate, 3),
                "handling_ms": _rounded(latency.handling if latency else None),
                "waiting_ms": _rounded(latency.waiting if latency else None),
            }
        )
    return {
        **look.snapshot.document(),
        "rate": round(look.rates.total(), 3),
        "messages": {status: totals.get(status, 0) for status in ("queued", "running", "failed")},
        "machine": {"cpu_percent": look.cpu_percent, "memory_percent": look.memory_percent},
        "actors": actors,
    }


def _rounded(found: Percentiles | None) -> dict[str, float] | None:
    return None if found is None else {name: round(value, 3) for name, value in found._asdict().items()}


class _Looking(threading.Thread):
    """Looks once a second, so that no key waits for a squad that is slow to answer."""

    def __init__(self, observer: Observer, wake: Any) -> None:
        super().__init__(name="top", daemon=True)
        self._observer = observer
        self._wake = wake
        self.over = threading.Event()
        self.looks: queue.SimpleQueue[Look | Exception] = queue.SimpleQueue()

    def run(self) -> None:
        due = time.monotonic() + _REFRESH
        while not self.over.wait(max(0.0, due - time.monotonic())):
            due = max(due + _REFRESH, time.monotonic())
            try:
                self.looks.put(self._observer.look())
            except Exception as error:  # told by the main thread, once the terminal is as it was
                self.looks.put(error)
            self._wake()


def _watch(observer: Observer, look: Look) -> Exit | int:
    """Until the user leaves: the exit status. Raises KeyboardInterrupt after Ctrl-C, and what a look raises."""
    from squad.cli.top.drawing import frame
    from squad.cli.top.screen import Screen
    from squad.cli.top.view import View

    view = View()
    with Screen(console()) as screen:
        looking = _Looking(observer, screen.wake)
        looking.start()
        try:
            going = True
            while going and not screen.ended:
                screen.draw(frame(look, view, *screen.size))
                for key in screen.wait(_REFRESH):
                    going = going and view.press(key)
                while not looking.looks.empty():
                    found = looking.looks.get()
                    if isinstance(found, Exception):
                        raise found
                    look = found
        finally:
            looking.over.set()
            looking.join(_REFRESH)
        ended = screen.ended
    if ended == signal.SIGINT:
        raise KeyboardInterrupt
    return Exit.DONE if ended is None else 128 + ended
