"""Start a Chromium for tests of pages: Playwright's own, else the system's; skip where none is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, BrowserType, Error, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
MISSING = "no Chromium found: run `playwright install chromium` or `apt-get install chromium`"


@contextmanager
def launched() -> Iterator[Browser]:
    """Start a headless Chromium; skip the test where none is installed."""
    with sync_playwright() as playwright:
        browser = _launch(playwright.chromium)
        yield browser
        browser.close()


def _launch(chromium: BrowserType) -> Browser:
    # Chromium's sandbox refuses to run as root.
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    args = ["--no-sandbox"] if root else []
    try:
        return chromium.launch(args=args)
    except Error as error:
        if "Executable doesn't exist" not in error.message:
            raise
    path = next((path for name in NAMES if (path := shutil.which(name))), None)
    if path is None:
        pytest.skip(MISSING)
    return chromium.launch(executable_path=path, args=args)
