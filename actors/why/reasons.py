"""What is known of a message that has not ended, and a reason that holds it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from squad.actors.protocol import Doing
from squad.durations import format_duration
from squad.store.holds import Freeze, Pause, said
from squad.store.times import iso
from squad.store.waiting import Waiting

How = Literal[
    "by_hand",  # when somebody does something: ``command``
    "unknown",  # by itself, nobody can say when
    "after",  # only once what is named before it has cleared
    "estimate",  # about then, if all goes on as it went lately
    "at_latest",  # then, or before
    "known",  # then
]
Worker = Mapping[str, Any]
"""A process, as ``squad.actors.supervision.explaining`` describes it."""
Hand = tuple[str, str, float]
"""Id and type of the message that a handler is at, and since when."""


@dataclass(frozen=True, slots=True)
class Reason:
    """``text`` is a sentence for people; ``clears_at`` in seconds since the epoch."""

    kind: str
    text: str
    how: How = "unknown"
    clears_at: float | None = None
    command: str = ""

    def document(self) -> dict[str, Any]:
        at = None if self.clears_at is None else iso(self.clears_at)
        return {"kind": self.kind, "text": self.text, "how": self.how, "clears_at": at, "command": self.command or None}


@dataclass(frozen=True, slots=True)
class Facts:
    """``about``: what the supervisor says (see ``explaining``); None with ``down``: why it says nothing, and what to
    type. ``doing``: what the workers say, by worker; those that do not answer are left out."""

    now: float  # seconds since the epoch
    waiting: Waiting
    about: Mapping[str, Any] | None = None
    doing: Mapping[str, Doing] = field(default_factory=dict)
    down: tuple[str, str] = ("", "")

    @property
    def name(self) -> str:
        """The recipient's."""
        return self.waiting.message.recipient

    @property
    def workers(self) -> Sequence[Worker]:
        return self.about["workers"] if self.about is not None else ()

    @property
    def able(self) -> list[Worker]:
        """Those that can take messages."""
        return [worker for worker in self.workers if worker["state"] in ("ready", "idle", "busy")]

    @property
    def timeout(self) -> float | None:
        """Seconds that a handler may run."""
        return None if self.about is None else self.about["timeout"]

    def hand(self, worker: Worker) -> Hand | None:
        """What its handler is at."""
        doing = self.doing.get(worker["worker"])
        found: Hand | None = worker["hand"] if doing is None else doing.hand
        return found

    def lasts(self, since: float) -> str:
        return f"for {format_duration(max(0.0, self.now - since))}"


def at(kind: str, text: str, moment: float | None, how: How) -> Reason:
    """A reason with its time, if that is known."""
    return Reason(kind, text, "unknown" if moment is None else how, moment)


# -- what may hold any message ----------------------------------------------------------------------------------------


def down(facts: Facts) -> Iterator[Reason]:
    why, command = facts.down
    if why:
        yield Reason("squad", why, "by_hand", command=command)


def stopping(facts: Facts) -> Iterator[Reason]:
    if facts.about is not None and facts.about["stopping"]:
        yield Reason("stopping", "the squad is stopping", "by_hand", command="squad start")


def storage(facts: Facts) -> Iterator[Reason]:
    if facts.about is None:
        return
    found = facts.about["storage"]
    if found.get("silent"):
        yield Reason(
            "storage", "the storage does not get on: another program may lock the database, or the disk be full"
        )
    elif found["state"] == "damaged":
        text = f"the database has been unusable {facts.lasts(found['since'])}: {found['error']}"
        yield Reason("storage", text, "by_hand", command="squad maintenance check")
    elif found["state"] != "ready":
        why = f": {found['error']}" if found.get("error") else ""
        text = f"the storage has been {found['state']} {facts.lasts(found['since'])}{why}"
        yield at("storage", text, found["again_at"], "known")


def held(facts: Facts, what: str, hold: Freeze | Pause) -> str:
    """``the squad has been frozen for 3m, by root: the disk is full``."""
    by = said(hold)
    return f"{what} {facts.lasts(hold.since)}{f', {by}' if by else ''}"


def first_line(error: str) -> str:
    return (error.splitlines() or [""])[0]


def state_of(facts: Facts, worker: Worker) -> Reason:
    """Of a worker that takes nothing on."""
    name, state = worker["name"], worker["state"]
    lasts = facts.lasts(worker["since"])
    error = f": {first_line(worker['last_error'])}" if worker["last_error"] else ""
    cause = f" ({worker['last_cause']})" if worker["last_cause"] else ""
    restart = f"squad restart {facts.name}"
    match state:
        case "quarantined":
            text = f"{name} has been quarantined{cause} {lasts}: it failed again and again{error}"
            found = Reason("quarantined", text, "by_hand", command=restart)
        case "stopped":
            found = Reason("stopped", f"{name} has been stopped {lasts}{error}", "by_hand", command=restart)
        case "restarting":
            text = f"{name} is started again after a pause{cause}{error}"
            found = at("restarting", text, worker["again_at"], "known")
        case "waiting":
            others = ", ".join(worker["waits_for"]) or "its turn"
            text = f"{name} has waited {lasts} to be started, until there is: {others}"
            if idle := worker["idle"]:
                text += f"; {', '.join(idle)} is not started by itself"
                found = Reason("starting", text, "by_hand", command=f"squad restart {idle[0]}")
            else:
                found = Reason("starting", text)
        case "hung":
            text = f"{name} has not answered its health check {lasts}; if that goes on it is ended and started again"
            found = at("hung", text, worker["cut_at"], "at_latest")
        case "draining":
            then = {"remove": "and is not needed any more", "by budget": "and ends"}
            why = then.get(worker["and_then"], "and is then started again")
            text = f"{name} has been draining {lasts}: it finishes what it handles, {why}"
            found = at("draining", text, worker["ends_by"], "at_latest")
        case _:
            text = f"{name} has been {state} {lasts}, and is not ready yet"
            found = at("starting", text, worker.get("ready_by"), "at_latest")
    return found


def sending(facts: Facts, worker: Worker) -> Iterator[Reason]:
    """Its handler waits for a token of its send rate."""
    doing = facts.doing.get(worker["worker"])
    if doing is not None and doing.hand is not None and doing.waits_to_send is not None:
        left = format_duration(doing.waits_to_send)
        text = (
            f"the handler of {worker['name']} waits to send: its send_rate is used up; the next token comes in {left}"
        )
        yield Reason("send_rate", text, "known", facts.now + doing.waits_to_send)
