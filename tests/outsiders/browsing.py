"""Somebody with a browser: Chromium, which trusts the roots it is given, and what its pages did meanwhile."""

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, Playwright

Tool = Callable[[str], str]

PATIENCE = 30_000
OPTIONS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


def launch(
    playwright: Playwright,
    tool: Tool,
    home: Path,
    roots: Sequence[Path],
    more: Sequence[str] = (),
    executable: str | None = None,
) -> Browser:
    """Start Chromium with a home of its own, trusting these roots beyond those it brings along."""
    known = home / ".pki" / "nssdb"
    known.mkdir(parents=True)
    store = (tool("certutil"), "-d", f"sql:{known}")
    subprocess.run([*store, "-N", "--empty-password"], check=True, timeout=30)
    for root in roots:
        subprocess.run([*store, "-A", "-t", "C,,", "-n", root.stem, "-i", str(root)], check=True, timeout=30)
    environment: dict[str, str | float | bool] = {**os.environ, "HOME": str(home), "LC_ALL": "C.UTF-8"}
    return playwright.chromium.launch(
        executable_path=executable or tool("chromium"), args=[*OPTIONS, *more], env=environment, timeout=PATIENCE
    )


class Visitor:
    """Somebody with a browser, and what the pages did meanwhile."""

    def __init__(self, context: BrowserContext) -> None:
        self.hosts: set[str] = set()
        self.complaints: list[str] = []
        self.page: Page = context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname or request.url))
        self.page.on("console", lambda message: self._said(message.text))
        self.page.on("pageerror", lambda error: self._said(str(error)))

    def _said(self, text: str) -> None:
        # Chromium mentions each answer of 400 and more; these are the forms that name a mistake, and meant so.
        if not text.startswith("Failed to load resource: the server responded with a status of 4"):
            self.complaints.append(text)

    def security(self, url: str) -> dict[str, Any]:
        """Open a URL and give what the browser says about the connection, the lock in the address bar."""
        session = self.page.context.new_cdp_session(self.page)
        states: list[dict[str, Any]] = []
        session.on("Security.visibleSecurityStateChanged", lambda event: states.append(event["visibleSecurityState"]))
        session.send("Security.enable")
        self.page.goto(url)
        for _ in range(100):
            if states and "certificateSecurityState" in states[-1]:
                break
            self.page.wait_for_timeout(50)
        session.detach()
        return states[-1]

    def sideways(self) -> int:
        """Say by how many pixels the page is wider than the screen."""
        wider = self.page.evaluate("document.scrollingElement.scrollWidth - window.innerWidth")
        assert isinstance(wider, int)
        return wider
