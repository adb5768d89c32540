"""A headless Chromium, for the tests of pages."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = ("--disable-gpu", "--disable-quic", "--no-first-run", "--disable-component-update", "--disable-sync")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (apt-get install chromium)")


@contextmanager
def chromium(*options: str) -> Iterator[Browser]:
    """A browser that asks nobody but the pages it is given."""
    with playwright.sync_playwright() as runner:
        started = runner.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, "--no-sandbox", *options])
        yield started
        started.close()


@contextmanager
def strict_page(context: BrowserContext) -> Iterator[Page]:
    """A tab that must not complain, nor ask anybody but the server."""
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    hosts: set[str] = set()
    opened.on("request", lambda request: hosts.add(re.sub(r"^(\w+:(//[^/]*)?).*", r"\1", request.url)))
    yield opened
    assert complaints == []
    assert all(host.startswith(("http://127.0.0.1:", "blob:")) for host in hosts), hosts


def holds(page: Page, expression: str) -> None:
    """Wait until an expression is true; Playwright's own way needs eval, which the pages forbid."""
    for _ in range(400):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(25)
    raise AssertionError(f"never true: {expression}")


def shot(page: Page, name: str, request: pytest.FixtureRequest) -> None:
    """Keep a picture of the page where ``--basetemp`` or pytest's temporary folder is."""
    folder: Path = request.getfixturevalue("tmp_path")
    page.screenshot(path=folder / f"{name}.png", full_page=True)
