"""What a viewer has chosen to see: the order, whether workers are shown, how far it is scrolled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from squad.cli.snapshot import Row
from squad.cli.top.readings import Look


class Order(NamedTuple):
    """``field`` is the title of the column that the rows are sorted by; "" for the tree. ``of``: which rows have it."""

    key: str
    name: str
    field: str
    of: Literal["all", "processes", "recipients"]

    def has(self, row: Row) -> bool:
        kind = row["kind"]
        return self.of == "all" or (kind != "convoy" if self.of == "processes" else kind in ("agent", "convoy"))


ORDERS = (
    Order("t", "tree", "", "all"),
    Order("c", "CPU", "CPU", "processes"),
    Order("m", "memory", "MEMORY", "processes"),
    Order("u", "queue", "QUEUE", "recipients"),
    Order("r", "rate", "RATE", "recipients"),
    Order("l", "latency", "P95", "recipients"),
    Order("w", "waiting", "WAIT", "recipients"),
)


@dataclass(slots=True)
class View:
    """``page`` is how many rows the screen has room for, told by whoever draws."""

    order: Order = ORDERS[0]
    folded: bool = False  # workers of convoys are left out of the tree
    top: int = 0  # number of the first row on the screen
    page: int = 10
    helping: bool = False

    def press(self, key: str) -> bool:
        """Do what the key says; whether to go on."""
        if key in ("q", "Q", "quit"):
            return False
        if self.helping:
            self.helping = False
            return True
        by_key = {order.key: order for order in ORDERS}
        match key:
            case "h" | "?":
                self.helping = True
            case "f":
                self.folded = not self.folded
            case "s":
                self._sort(ORDERS[(ORDERS.index(self.order) + 1) % len(ORDERS)])
            case "S":
                self._sort(ORDERS[ORDERS.index(self.order) - 1])
            case _ if key in by_key:
                self._sort(by_key[key])
            case _:
                self._scroll(key)
        return True

    def _sort(self, order: Order) -> None:
        self.order, self.top = order, 0

    def _scroll(self, key: str) -> None:
        step = max(1, self.page - 1)
        moves = {"up": -1, "k": -1, "down": 1, "j": 1, "page up": -step, "b": -step, "page down": step, " ": step}
        if key in ("home", "g"):
            self.top = 0
        elif key in ("end", "G"):
            self.top = 1_000_000
        else:
            self.top = max(0, self.top + moves.get(key, 0))

    def rows(self, look: Look) -> list[tuple[str, Row]]:
        """All rows in their order, each with the lines of the tree before its name."""
        if not self.order.field:
            walked = look.snapshot.walk()
            return [(branch, row) for branch, row in walked if not (self.folded and row["kind"] == "worker")]
        rows = [row for row in look.snapshot.actors if self.order.has(row)]
        return [("", row) for row in sorted(rows, key=lambda row: (-_value(self.order, row, look), row["name"]))]

    def window(self, count: int, page: int) -> range:
        """Which of ``count`` rows are on the screen, which has room for ``page``."""
        self.page = page
        self.top = max(0, min(self.top, count - page))
        return range(self.top, min(count, self.top + page))


def _value(order: Order, row: Row, look: Look) -> float:
    """What the rows are sorted by; -1 for one that has none."""
    latency = look.latencies.get(row["name"])
    found: float | None
    match order.field:
        case "CPU":
            found = row.get("cpu_percent")
        case "MEMORY":
            found = row.get("memory_bytes")
        case "QUEUE":
            found = row.get("queue_depth")
        case "RATE":
            found = look.rate(row)
        case "P95":
            found = latency.handling.p95 if latency and latency.handling else None
        case _:
            found = latency.waiting.p95 if latency and latency.waiting else None
    return -1.0 if found is None else found
