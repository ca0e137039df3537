"""The sink for mail, chat and desktop: an agent, which hands each alert to the library Apprise."""

from __future__ import annotations

import logging
from typing import Any

from squad.actors.agents.context import Context
from squad.actors.agents.handlers import Agent, handles
from squad.actors.alerting.webhook import given
from squad.errors import ConfigError
from squad.notices import Alert

_KINDS = {"info": "info", "warning": "warning", "critical": "failure"}  # Apprise's words


class Library(Agent):
    """``options``: ``urls`` as the configuration has them. They hold passwords, so nothing repeats them."""

    def start(self) -> None:
        """Raises ConfigError without the library, and for a URL that it does not know."""
        try:
            import apprise
        except ImportError:
            raise ConfigError(
                "the library Apprise is not installed", hint="pip install 'squad-runtime[notify]'"
            ) from None
        logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it names URLs, with passwords, at lower levels
        self._receivers: list[tuple[str, Any]] = []
        for number, text in enumerate(self.options["urls"], 1):
            for url in given(text).split():
                found = apprise.Apprise.instantiate(url)
                if found is None:
                    scheme = url.partition("://")[0]
                    raise ConfigError(f"Apprise cannot use URL {number}, which begins with {scheme}://")
                self._receivers.append((str(found.service_name or found.protocol), found))

    @handles(Alert)
    def tell(self, alert: Alert, ctx: Context) -> dict[str, Any]:
        """Tell all receivers. If some fail, all are tried again: it is better to hear twice than not at all."""
        kind = "success" if alert.state == "cleared" else _KINDS.get(alert.severity, "info")
        title = f"{alert.squad}: {alert.rule} {alert.state}" + (f" ({alert.agent})" if alert.agent else "")
        body = f"{alert.summary}\n\n{alert.severity}, since {alert.fired_at}. Begin with: {alert.todo}"
        failed = [name for name, receiver in self._receivers if not _told(receiver, body, title, kind)]
        if failed:
            raise LibraryError(f"{', '.join(failed)} did not take it; {len(self._receivers) - len(failed)} did")
        return {"told": len(self._receivers)}


class LibraryError(Exception):
    """A receiver did not take an alert."""


def _told(receiver: Any, body: str, title: str, kind: str) -> bool:
    try:
        return bool(receiver.notify(body=body, title=title, notify_type=kind))
    except Exception:  # what it raises may repeat the URL
        return False
