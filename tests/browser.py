"""A real Chromium without a window, that of the system, and what a page did in it."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
FOUND = next(filter(None, map(shutil.which, PROGRAMS)), None)
MISSING = f"found no {' or '.join(PROGRAMS)}: install Debian's package chromium"

OPTIONS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
"""A container has neither a GPU nor the rights of a sandbox; nothing but the page is to load."""


SERIOUS = ("error", "warning")
"""What a page says on its console that somebody should look into."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Yield a browser."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=FOUND, args=OPTIONS)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Shown:
    """The explorer in a window, with all that it asked for and complained of."""

    page: Page
    path: Path
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def open(self, view: str = "") -> "Shown":
        """Open the page anew at a view, the part of its address behind #."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.path.as_uri()}#{view}")
        return self.settled()

    def go(self, view: str = "") -> "Shown":
        """Show a view as a link to it would, in the page that is open, its image as at first."""
        code = """view => {
            for (const id of ["truth", "prediction"]) document.getElementById(id).checked = true;
            document.activeElement.blur();
            show(viewOf(view));
        }"""
        self.page.evaluate(code, view)
        return self.settled()

    def settled(self) -> "Shown":
        """Wait until the slice that was asked for last is shown, and the address names it."""
        self.page.evaluate("() => lastShown")
        return self

    def text(self, selector: str) -> str:
        return self.page.inner_text(selector)

    def listed(self, column: int) -> list[str]:
        """Return the texts of a column of the list, which are counted from 1."""
        return self.page.locator(f"#list tbody tr td:nth-child({column})").all_inner_texts()

    @property
    def status(self) -> str:
        """Return what the page says of the slice that it shows."""
        self.settled()
        return self.text("#status")

    @property
    def view(self) -> dict[str, str]:
        """Return the view that is shown, as it stands in the page's address."""
        return self.settled().page.evaluate("() => ({...view})")

    def wait_for(self, condition: Callable[[], bool], seconds: float = 10) -> None:
        """Wait until a condition holds: a click reaches the page when the browser comes to it."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"waited {seconds} s; the page shows {self.status}"
            self.page.wait_for_timeout(10)

    def press(self, *keys: str) -> "Shown":
        for key in keys:
            self.page.keyboard.press(key)
        return self.settled()

    def focused(self) -> str:
        return self.page.evaluate("() => document.activeElement.id")


@contextmanager
def shown(browser: Browser, path: Path, width: int = 1400, height: int = 1000, scale: float = 1):
    """Yield the explorer at `path` in a window of some CSS pixels; scale: pixels to one of them."""
    size = {"width": width, "height": height}
    page = browser.new_page(viewport=size, device_scale_factor=scale)
    made = Shown(page, path)
    page.on("request", lambda request: made.requests.append(request.url))
    page.on("pageerror", lambda error: made.complaints.append(str(error)))
    page.on("console", lambda said: said.type in SERIOUS and made.complaints.append(said.text))
    try:
        yield made
    finally:
        page.close()
