"""The sink that is a library, by its schema json:// against a real server."""

from __future__ import annotations

import dataclasses
import json
import logging
import sys

import pytest

pytest.importorskip("apprise")

from squad.actors.alerting.library import Library, LibraryError
from squad.errors import ConfigError
from tests.actors.alerting.receivers import closed_port, receiver
from tests.actors.alerting.test_webhook import AN_ALERT, CTX

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")  # what it imports itself


def library(*urls: str) -> Library:
    made = Library()
    made.options = {"urls": list(urls), "timeout": 10.0}
    made.start()
    return made


def test_all_receivers_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as one, receiver() as two:
        monkeypatch.setenv("CHATS", f"json://127.0.0.1:{two.port}/b json://127.0.0.1:{two.port}/c")
        assert library(f"json://127.0.0.1:{one.port}/a", "$CHATS").tell(AN_ALERT, CTX) == {"told": 3}
        (got,) = one.received
        content = json.loads(got.body)
        assert content["title"] == "mill: queue_depth fired (miller)"
        assert content["message"].startswith(AN_ALERT.summary)
        assert content["type"] == "warning"
        assert [one.path for one in two.received] == ["/b", "/c"]
        library(f"json://127.0.0.1:{one.port}").tell(dataclasses.replace(AN_ALERT, state="cleared"), CTX)
        assert json.loads(one.received[1].body)["type"] == "success"


def test_one_that_fails_fails_it_and_says_no_password(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with receiver() as one:
        made = library(f"json://user:geheim@127.0.0.1:{closed_port()}", f"json://127.0.0.1:{one.port}")
        with pytest.raises(LibraryError, match="JSON did not take it; 1 did") as failed:
            made.tell(AN_ALERT, CTX)
        assert len(one.received) == 1
        one.status = 500
        with pytest.raises(LibraryError):
            library(f"json://127.0.0.1:{one.port}").tell(AN_ALERT, CTX)
    assert "geheim" not in str(failed.value)
    assert "geheim" not in caplog.text


def test_a_url_that_it_does_not_know() -> None:
    with pytest.raises(ConfigError, match="Apprise cannot use URL 2, which begins with carrier-pigeon://") as failed:
        library("json://127.0.0.1", "carrier-pigeon://geheim@roof")
    assert "geheim" not in str(failed.value)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(ConfigError, match="Apprise is not installed") as failed:
        library("json://127.0.0.1")
    assert "squad-runtime[notify]" in failed.value.hint
