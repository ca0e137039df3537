"""The sink that is a web server: an agent, which posts each alert as JSON. What fails is tried again as any message."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import ssl
import threading
import time
from dataclasses import asdict
from typing import Any
from urllib.parse import SplitResult, urlsplit

from squad.actors.agents.context import Context
from squad.actors.agents.handlers import Agent, handles
from squad.actors.alerting import signing
from squad.config.alerts import fault_of, variable
from squad.errors import ConfigError
from squad.notices import Alert

_MOST = 2000  # bytes of an answer that are read; of what is beyond that nobody wants to know
_SHOWN = 200  # characters of it in an error


class Webhook(Agent):
    """``options``: ``url`` and ``secret`` as the configuration has them, ``timeout`` in seconds."""

    def start(self) -> None:
        """Raises ConfigError when a variable is missing, or what it has is of no use. Says nothing of what it has."""
        self._url = _split(given(self.options["url"]))
        secret = self.options["secret"]
        try:
            self._key = None if secret is None else signing.key_of(given(secret))
        except ValueError as error:
            raise ConfigError(f"the secret in {secret} {error}") from None
        self._tls = ssl.create_default_context() if self._url.scheme == "https" else None

    @handles(Alert)
    def tell(self, alert: Alert, ctx: Context) -> dict[str, Any]:
        """Post it. Whatever is no success is an error, and a reason to try again: also an answer that sends us
        elsewhere, since nobody has said that the alert may go there."""
        body = json.dumps({"type": ctx.type, "timestamp": alert.at, "data": asdict(alert)}).encode()
        status, reason, said = self._post(ctx.message_id, body)
        if 200 <= status < 300:
            return {"status": status}
        text = f"{self._url.hostname} answered {status} {reason}".rstrip()
        raise WebhookError(f"{text}: {said}" if said else text)

    def _post(self, message_id: str, body: bytes) -> tuple[int, str, str]:
        url, timeout = self._url, float(self.options["timeout"])
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "squad",
            "Connection": "close",
            **signing.headers(self._key, message_id, int(time.time()), body),
        }
        connection = self._connection(timeout)
        # The socket's own limit is one for each read: who sends a byte now and then would never end.
        late = _Deadline(connection, timeout)
        try:
            connection.request("POST", (url.path or "/") + (f"?{url.query}" if url.query else ""), body, headers)
            response = connection.getresponse()
            said = " ".join(response.read(_MOST).decode(errors="replace").split())[:_SHOWN]
        except (OSError, http.client.HTTPException) as error:
            if not late.over and not isinstance(error, TimeoutError):
                raise WebhookError(f"{url.hostname}: {_reason(error)}") from None
        else:
            if not late.over:  # else the answer was cut off, and what there is of it means nothing
                return response.status, response.reason, said
        finally:
            late.cancel()
            connection.close()
        raise WebhookError(f"{url.hostname} did not answer within {timeout:g} s")

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        host, port = self._url.hostname or "", self._url.port
        if self._tls is None:
            return http.client.HTTPConnection(host, port, timeout=timeout)
        return http.client.HTTPSConnection(host, port, timeout=timeout, context=self._tls)


class WebhookError(Exception):
    """The receiver did not take an alert."""


def given(value: str) -> str:
    """What the configuration says, or what is in the variable that it names. Raises ConfigError without that."""
    name = variable(value)
    if name is None:
        return value
    if not (found := os.environ.get(name, "")):
        raise ConfigError(
            f"the environment variable {name} is not set", hint=f"set it where the squad is started: export {name}=…"
        )
    return found


def _split(url: str) -> SplitResult:
    if fault := fault_of(url):
        raise ConfigError(f"what the variable of the webhook has {fault}", hint="http://… or https://…")
    return urlsplit(url)


class _Deadline:
    """Cuts a connection off after so many seconds; ``over``: it did."""

    def __init__(self, connection: http.client.HTTPConnection, seconds: float) -> None:
        self.over = False
        self._connection = connection
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True
        self._timer.start()

    def cancel(self) -> None:
        self._timer.cancel()

    def _cut(self) -> None:
        self.over = True
        if (sock := self._connection.sock) is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not good: {error.verify_message}"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
