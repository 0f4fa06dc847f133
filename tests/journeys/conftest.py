"""What journeys share: one browser a process, and a page for each size, language and theme."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.journeys import browser as chromium

# Playwright's own loop runs in this thread; Django would otherwise take the tests' own queries for a mistake.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

OpenPage = Callable[..., Page]


PATIENCE_SECONDS = 200.0
"""No journey takes half as long: its browser hangs."""
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Make a journey whose browser was ended once more, and end the process of one that hangs even so.

    The signal of a time limit does not get through to a thread that waits in Playwright's loop.
    """
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(3 * PATIENCE_SECONDS, method="thread"))
            item.add_marker(pytest.mark.flaky(reruns=1, only_rerun=["TargetClosedError"]))


@pytest.fixture(scope="session")
def chromium_process() -> Iterator[chromium.Chromium]:
    """Chromium, started once; without one the journeys are skipped, in CI they fail."""
    with chromium.launched() as running:
        yield running


@pytest.fixture(scope="module")
def browser(chromium_process: chromium.Chromium) -> Browser:
    """Return the browser that the journeys of one module share."""
    return chromium_process.browser


@pytest.fixture(autouse=True)
def _watched(request: pytest.FixtureRequest) -> Iterator[None]:
    """End a browser that hangs, so that the journey fails by name."""
    if "chromium_process" not in request.fixturenames:
        yield
        return
    running: chromium.Chromium = request.getfixturevalue("chromium_process")
    with running.watched(seconds=PATIENCE_SECONDS, what=request.node.nodeid):
        yield


@pytest.fixture
def open_page(chromium_process: chromium.Chromium) -> Iterator[OpenPage]:
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
            context = chromium_process.browser.new_context(
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
