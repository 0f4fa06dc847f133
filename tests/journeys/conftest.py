"""What journeys share: one browser a process, and a page for each size, language and theme."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, Page

from tests.journeys import browser as chromium

# Playwright's own loop runs in this thread; Django would otherwise take the tests' own queries for a mistake.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

OpenPage = Callable[..., Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, started once; without one the journeys are skipped, in CI they fail."""
    with chromium.launched() as running:
        yield running


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Give a function that opens a fresh page: ``open_page(phone=True, dark=True, javascript=False, cookies=[…])``.

    The page has an attribute ``complaints``: what the browser complained about, such as breaches of the content policy.
    """
    with ExitStack() as stack:

        def fresh(
            *,
            phone: bool = False,
            dark: bool = False,
            javascript: bool = True,
            width: int | None = None,
            cookies: list[dict[str, object]] | None = None,
        ) -> Page:
            size = dict(chromium.PHONE if phone else chromium.WIDE)
            if width is not None:
                size["width"] = width
            context = browser.new_context(
                viewport=size,
                color_scheme="dark" if dark else "light",
                java_script_enabled=javascript,
                locale="en-GB",
                timezone_id="UTC",
            )
            stack.callback(context.close)
            if cookies:
                context.add_cookies(cookies)
            page = context.new_page()
            page.complaints = chromium.Watcher(context).complaints
            return page

        yield fresh
