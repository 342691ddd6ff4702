"""A page of the browser, and what it did meanwhile: requests, console messages and errors."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Browser, Locator, Page, expect

expect.set_options(timeout=60_000)  # [ms] what comes ends the wait; a busy machine is no fault of a page


class Watched:
    """A page in a context of its own, so that nothing is remembered from another test.

    Attributes:
        requests: addresses that it asked for; complaints: console messages and errors.
    """

    def __init__(self, browser: Browser, **options: object) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 1200, "height": 800}, **options})  # type: ignore[arg-type]
        self.page: Page = self.context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def open(self, url: str) -> Page:
        """Open a page and wait for its first panel and the first refresh."""
        self.page.goto(url)
        expect(self.page.locator("[data-panel]").first).to_be_visible()
        expect(self.page.locator("#age")).to_contain_text("·")
        return self.page


def at_rest(locator: Locator) -> Any:
    """Return where something is, once it has stayed there for half a second: what comes above it as a page loads moves it."""
    seen: list[Any] = []
    while len(seen) < 6 or any(one != seen[-1] for one in seen[-6:]):
        seen.append(locator.bounding_box())
        locator.page.wait_for_timeout(100)
        assert len(seen) < 600, "it does not come to rest"
    return seen[-1]
