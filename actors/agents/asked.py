"""What an agent's actor is told and asked beside its work: to give back what it has not begun, what it is at, and what
has changed in the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from squad.actors.agents.kinds import Vocabulary
from squad.actors.agents.rates import share
from squad.actors.agents.runner import Runner
from squad.actors.agents.sendrate import SendRate
from squad.actors.base import Actor, receives
from squad.actors.bucket import TokenBucket
from squad.actors.protocol import Address, Ask, Configured, Doing, Recall, Share
from squad.store.rows import Lease


class Asked(Actor):
    """The base of AgentActor, whose attributes these are."""

    _worker: str
    _spec: Any  # ChildSpec, with the settings that every agent has
    _home: Path
    _recipients: dict[str, frozenset[str]]
    _vocabulary: Vocabulary
    _held: dict[tuple[int, int], Lease]
    _runner: Runner | None
    _send_rate: SendRate | None
    _handle_rate: TokenBucket | None

    def _give_back(self) -> None:
        raise NotImplementedError

    @receives(Recall)
    def on_recall(self, msg: Recall, sender: Address) -> None:
        """Its recipient is on hold. What its handler is at goes on."""
        if self._runner is not None:
            self._give_back()

    @receives(Ask)
    def on_ask(self, msg: Ask, sender: Address) -> None:
        now = self.clock.monotonic()
        hand = self._runner.current if self._runner is not None else None
        bucket = self._handle_rate
        tokens = None if bucket is None else bucket.level(now)
        self.tell(
            msg.reply_to,
            Doing(
                msg.request,
                held=len(self._held),
                hand=None if hand is None else (hand.lease.task_id, hand.lease.type, hand.started),
                tokens=tokens,
                next_token=None if bucket is None or tokens is None else max(0.0, 1 - tokens) * 60 / bucket.per_minute,
                waits_to_send=None if self._send_rate is None else self._send_rate.waits(),
            ),
        )

    @receives(Configured)
    def on_configured(self, msg: Configured, sender: Address) -> None:
        """The configuration was reloaded, and nothing in it is a reason to start this process again."""
        self._recipients.update(msg.recipients)
        for name in self._recipients.keys() - msg.recipients.keys():
            del self._recipients[name]
        self._vocabulary.forget()
        if self._runner is not None:
            self._runner.traced = msg.traced
        self.log_to(self._home, self._spec.name, msg.logging)

    @receives(Share)
    def on_share(self, msg: Share, sender: Address) -> None:
        self._set_rates(msg.workers)

    def _set_rates(self, workers: int) -> None:
        self._send_rate, self._handle_rate = share(
            self._spec.settings, workers, self._send_rate, self._handle_rate, self.clock
        )
