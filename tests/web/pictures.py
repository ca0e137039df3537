"""The pictures of the dashboard in the documentation, made anew: a lively squad, and a browser that looks at it.

    python -m tests.web.pictures
    python -m tests.web.pictures --minutes 30 --folder docs/images

Needs Debian's chromium and chromium-driver, and Pillow. The squad lives in a temporary folder and has orders to handle
for some minutes first, so that the charts have something to show.
"""

from __future__ import annotations

import argparse
import io
import random
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from squad.client import Client
from tests.running import ROOT, RunningSquad, eventually
from tests.web import browser as browsers

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

LIVELY = Path(__file__).parent / "lively"
TOKEN = "the-token-of-the-corner-shop"  # noqa: S105 - of a squad that lives for some minutes
_CUSTOMERS = ("Ada", "Barbara", "Edsger", "Frances", "Grace", "Ken", "Radia")
_GOODS = ("tea", "lamp", "chair", "ink", "rope", "map", "kettle")
_COLOURS = 256  # of a picture: a quarter of the size, and nobody sees the difference
_PER_SECOND = 10  # orders
_PAUSED = 20.0  # seconds
_SETTLE = 2.5  # seconds for charts and the first news


class Picture(NamedTuple):
    name: str
    page: str
    width: int = 1280
    height: int = 860
    dark: bool = False


PICTURES = (
    Picture("overview", "/"),
    Picture("overview-dark", "/", dark=True),
    Picture("overview-phone", "/", 390, 800),
    Picture("overview-phone-dark", "/", 390, 800, dark=True),
    Picture("convoy", "/agents/packer", height=1000),
    Picture("convoy-dark", "/agents/packer", height=1000, dark=True),
    Picture("messages", "/messages?agent=billing", height=640),
    Picture("message", "{dead}", height=760),
    Picture("waiting", "{waiting}", height=620),
    Picture("dead-letters", "/dead", height=640),
    Picture("latency-dark", "/latency?span=1h", height=900, dark=True),
    Picture("alerts", "/alerts", height=560),
)


def work(squad: RunningSquad, stop: threading.Event) -> None:
    """Orders, more in some minutes than in others, one in many of them without items."""
    number = 0
    with Client(squad.home) as client:
        while not stop.wait(1.0):
            wave = 1.0 + 0.8 * (int(time.monotonic() / 90) % 2)
            for _ in range(round(_PER_SECOND * wave * random.uniform(0.6, 1.4))):  # noqa: S311
                number += 1
                items = random.choices(_GOODS, k=random.randint(1, 5)) if number % 1500 else []  # noqa: S311
                customer = random.choice(_CUSTOMERS)  # noqa: S311
                client.send("orders", "order", {"number": number, "customer": customer, "items": items})


def save(browser: Chrome, path: Path) -> int:
    """The picture, in few colours; its size in bytes."""
    from PIL import Image

    with Image.open(io.BytesIO(browser.get_screenshot_as_png())) as picture:
        picture.convert("RGB").quantize(_COLOURS, kmeans=2, dither=Image.Dither.NONE).save(path, optimize=True)
    return path.stat().st_size


def take(address: str, folder: Path, token: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with browsers.chromium() as browser:
        browser.get(f"{address}/login")
        browser.find_element("id", "token").send_keys(token)
        browser.find_element("css selector", "form button.strong").click()
        eventually(lambda: browser.current_url.rstrip("/") == address, "signed in")
        named = {name: _first(browser, f"{address}/messages?status={name}") for name in ("failed", "queued")}
        pages = {"{dead}": named["failed"], "{waiting}": named["queued"] or named["failed"]}
        for picture in PICTURES:
            browsers.resize(browser, picture.width, picture.height)
            browsers.theme(browser, dark=picture.dark)
            browser.get(address + pages.get(picture.page, picture.page))
            time.sleep(_SETTLE)
            path = folder / f"dashboard-{picture.name}.png"
            print(f"{save(browser, path) // 1024:5} KiB  {path}")


def _first(browser: Chrome, page: str) -> str:
    """The address of the first message of a list."""
    browser.get(page)
    found = browser.find_elements("css selector", "td a[href^='/messages/']")
    return str(found[0].get_dom_attribute("href")) if found else "/messages"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=12.0, help="of work before the pictures are taken")
    parser.add_argument("--folder", type=Path, default=ROOT / "docs" / "images")
    asked = parser.parse_args()
    if reason := browsers.missing():
        print(f"there is no browser: {reason}", file=sys.stderr)
        return 1
    stop = threading.Event()
    with tempfile.TemporaryDirectory(prefix="shop-") as folder:
        own = Path(shutil.copytree(LIVELY, Path(folder) / "squad"))  # tracebacks in pictures name their files
        squad = RunningSquad(Path(folder) / "home", own / "squad.yaml", env={"SHOP_TOKEN": TOKEN})
        with squad:
            worker = threading.Thread(target=work, args=(squad, stop))
            worker.start()
            try:
                time.sleep(asked.minutes * 30)
                squad.kill("checker")
                time.sleep(asked.minutes * 30)
                squad.cli("pause", "shipping", "--reason", "the printer of labels has no paper")
                time.sleep(_PAUSED)
                take(squad.cli("dashboard", "--print").stdout.strip().rstrip("/"), asked.folder, TOKEN)
            finally:
                stop.set()
                worker.join()
    return 0


if __name__ == "__main__":
    sys.exit(main())
