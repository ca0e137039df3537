"""How a webhook's request shows that it is ours: Standard Webhooks (https://www.standardwebhooks.com), version 1.

A request has three headers: ``webhook-id``, the same however often it is sent; ``webhook-timestamp``, seconds since the
epoch; and ``webhook-signature``: ``v1,`` and the base64 of HMAC-SHA256 over ``ID.TIMESTAMP.BODY``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

_PREFIX = "whsec_"


def key_of(secret: str) -> bytes:
    """The key that a secret stands for: ``whsec_`` and base64, or else the text itself. Raises ValueError."""
    if not secret.startswith(_PREFIX):
        key = secret.encode()
    else:
        try:
            key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            raise ValueError("begins with whsec_, and what follows is not base64") from None
    if not key:
        raise ValueError("is empty")
    return key


def headers(key: bytes | None, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers of a request; without a key it is not signed."""
    made = {"webhook-id": message_id, "webhook-timestamp": str(timestamp)}
    if key is not None:
        signed = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
        made["webhook-signature"] = f"v1,{base64.b64encode(signed).decode()}"
    return made
