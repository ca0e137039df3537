"""What the configuration says about messages, as the storage asks it: retries, bounds, the grace of a cancel, and how
long they are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from squad.actors.broker.retry import RetryPolicy
from squad.config.mailbox import QueueConfig
from squad.config.metrics import MetricsConfig
from squad.config.pace import RetryConfig
from squad.config.schema import SquadConfig
from squad.store.settling import Policy
from squad.store.upkeep.terms import Terms, terms_of

_FOR_HANDLERS = 10  # times its bound up to which a mailbox takes what handlers send
_GRACE = 5.0  # seconds, for agents that the configuration no longer names


class Bound(NamedTuple):
    """How many messages may wait. ``drop``: one too many pushes out the oldest instead of being refused."""

    limit: int
    warn_at: int
    drop: bool = False


class Rules:
    """See the module. Recipients that it does not know have no bound.

    ``retry``: (recipient, type, attempts) -> seconds until the next, or None. ``graces`` are in seconds. ``known`` are
    the recipients that there are, None: whatever their names.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - each says one thing about messages
        self,
        retry: Policy,
        bounds: Mapping[str, Bound] | None = None,
        graces: Mapping[str, float] | None = None,
        known: frozenset[str] | None = None,
        terms: Terms | None = None,
        metrics: MetricsConfig | None = None,
    ) -> None:
        self.retry = retry
        self.terms = terms or Terms()
        self.metrics = metrics or MetricsConfig()
        self._bounds = bounds or {}
        self._graces = graces or {}
        self._known = known

    def knows(self, recipient: str) -> bool:
        return self._known is None or recipient in self._known

    def owner(self, process: str) -> str:
        """Whose process it is: of a convoy's worker, "checker-2", the convoy; else the name itself."""
        convoy = process.rpartition("-")[0]
        return convoy if self._known is not None and process not in self._known and convoy in self._known else process

    def bound(self, recipient: str) -> Bound | None:
        return self._bounds.get(recipient)

    def for_handlers(self, recipient: str) -> int | None:
        """How many messages may wait for it when a handler sends it another; None: any number."""
        bound = self._bounds.get(recipient)
        return None if bound is None or bound.drop else _FOR_HANDLERS * bound.limit

    def for_replays(self, recipient: str) -> int | None:
        """The same for dead letters that are replayed. They were in the mailbox before, so they may be as many as a
        handler's messages; but where the oldest are dropped, which they are, they must fit."""
        bound = self._bounds.get(recipient)
        return bound.limit if bound is not None and bound.drop else self.for_handlers(recipient)

    def grace(self, recipient: str) -> float:
        """How long a handler may go on after its message was cancelled."""
        return self._graces.get(recipient, _GRACE)


def rules_of(config: SquadConfig) -> Rules:
    """The rules of a configuration."""
    known = config.recipients
    policies: dict[tuple[str, str], RetryPolicy] = {}

    def retry(recipient: str, kind: str, attempts: int) -> float | None:
        if recipient not in known:
            return None  # nobody will handle it: a dead letter at once
        policy = policies.get((recipient, kind))
        if policy is None:
            own = config.types[kind].retry if kind in config.types else None
            policy = policies[recipient, kind] = _policy(known[recipient].retry, own)
        return policy.delay(attempts)

    bounds = {name: _bound(settings.queue) for name, settings in known.items()}
    graces = {name: settings.cancel_grace for name, settings in known.items()}
    return Rules(
        retry,
        bounds,
        graces,
        frozenset(known),
        terms_of(config.maintenance, exporter=bool(config.exporters)),
        config.metrics,
    )


def _policy(general: RetryConfig, own: RetryConfig | None) -> RetryPolicy:
    """A type's own keys over those of its recipient."""
    changed = {key: getattr(own, key) for key in own.model_fields_set} if own is not None else {}
    found = general.model_copy(update=changed)
    return RetryPolicy(found.max_attempts, found.backoff, found.cap, found.jitter)


def _bound(queue: QueueConfig) -> Bound:
    warn_at = max(1, round(queue.limit * queue.warn_at))
    return Bound(queue.limit, warn_at, queue.when_full == "drop_oldest")
