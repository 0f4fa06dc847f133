"""The harness itself: a browser that hangs is ended, and the next journey gets one that answers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Error, Page

from tests.journeys import browser as chromium

pytestmark = pytest.mark.journey


def test_a_browser_that_hangs_is_ended_and_started_anew(
    chromium_process: chromium.Chromium, open_page: Callable[..., Page]
) -> None:
    page = open_page()

    with chromium_process.watched(seconds=1.0, what="a page that never ends"), pytest.raises(Error, match="closed"):
        page.evaluate("() => { for (;;) {} }")

    assert open_page().evaluate("() => 6 * 7") == 42
