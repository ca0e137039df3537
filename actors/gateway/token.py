"""The token that allows a browser or a program beyond the squad's own socket to change things."""

from __future__ import annotations

import hmac
import os
import secrets
from hashlib import sha256

from squad.config.credentials import token_misfit
from squad.config.listening import ListenConfig

_PURPOSE = b"squad: the holder of this cookie has shown the token"


class Token:
    """Compared in constant time, whatever the length of what is shown.

    The cookie is made of it and does not contain it: whoever reads a browser's cookies learns no token, and another
    token makes all cookies void.
    """

    def __init__(self, text: str) -> None:
        self._key = secrets.token_bytes(32)
        self._mark = self._marked(text)
        self.cookie = hmac.new(text.encode(), _PURPOSE, sha256).hexdigest()
        self._cookie_mark = self._marked(self.cookie)

    def fits(self, shown: str) -> bool:
        return hmac.compare_digest(self._marked(shown), self._mark)

    def cookie_fits(self, shown: str) -> bool:
        return hmac.compare_digest(self._marked(shown), self._cookie_mark)

    def _marked(self, text: str) -> bytes:
        return hmac.new(self._key, text.encode("utf-8", "surrogatepass"), sha256).digest()


def token_of(settings: ListenConfig) -> Token | None:
    """The token in the environment; None when the configuration names none. Raises ValueError saying what is wrong."""
    if settings.token_env is None:
        return None
    text = os.environ.get(settings.token_env, "").strip()
    if wrong := token_misfit(settings.token_env, text):
        raise ValueError(wrong)
    return Token(text)
