"""A headless Chromium for tests and pictures: Debian's packages chromium and chromium-driver.

with chromium(width=390, dark=True) as browser:
    browser.get(address)
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--lang=en-GB",
)


def missing() -> str:
    """Why there is no browser; "" when there is one."""
    found = {name: shutil.which(name) is not None for name in ("chromium", "chromedriver")}
    found["selenium"] = importlib.util.find_spec("selenium") is not None
    return ", ".join(f"{name} is not installed" for name, there in found.items() if not there)


@contextmanager
def chromium(width: int = 1280, height: int = 900, *, dark: bool = False, zone: str = "UTC") -> Iterator[Chrome]:
    """With a profile of its own, which is gone afterwards. ``zone`` is the reader's."""
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = ChromeOptions()
        options.binary_location = shutil.which("chromium") or ""
        for flag in (*_FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        # The driver talks to the browser over loopback, where no proxy has a place.
        environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        browser = Chrome(options=options, service=Service(shutil.which("chromedriver"), env=environment))
        try:
            resize(browser, width, height)
            theme(browser, dark=dark)
            browser.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": zone})
            yield browser
        finally:
            browser.quit()


def resize(browser: Chrome, width: int, height: int) -> None:
    """The page's size; below 600 that of a phone."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def theme(browser: Chrome, *, dark: bool) -> None:
    """What the system asks for."""
    features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def complaints(browser: Chrome) -> list[str]:
    """What the browser has complained of since the last look, such as what the policy has forbidden."""
    entries: list[dict[str, Any]] = browser.get_log("browser")
    return [entry["message"] for entry in entries if entry["level"] in ("SEVERE", "WARNING")]
