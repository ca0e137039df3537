from __future__ import annotations

import json

import pytest

import squad
from squad.errors import RefusedError
from squad.messages import message, type_of
from squad.replies import REPLY


def test_it_is_a_message_type_like_any_other() -> None:
    kind = type_of(squad.Reply)
    assert kind.name == REPLY == "squad.reply"
    reply = kind.decode(json.dumps({"of": "i", "type": "t", "status": "completed", "result": {"n": [1]}}))
    assert reply == squad.Reply("i", "t", "completed", {"n": [1]})
    assert kind.schema()["properties"]["status"]["enum"] == ["completed", "failed", "cancelled", "expired", "timed_out"]
    with pytest.raises(RefusedError):
        kind.decode(json.dumps({"of": "i", "type": "t", "status": "lost"}))


def test_nobody_else_can_declare_a_built_in_name() -> None:
    with pytest.raises(ValueError, match=r"'squad\.reply' is no name for a message type of yours"):

        @message("squad.reply")
        class Mine:
            of: str

    @message("squadron.reply")
    class Other:
        of: str

    assert type_of(Other).name == "squadron.reply"
