"""An installed Chromium for the journeys: nothing is downloaded, nothing leaves the machine."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WIDE = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}


def installed_chromium() -> Path | None:
    """Return the path of an installed Chromium or Chrome, or None."""
    found = (shutil.which(name) for name in NAMES)
    return next((Path(path) for path in found if path), None)


def chromium_or_skip() -> Path:
    """Return the path of Chromium; without one skip the journey, and in CI fail it: there it must run."""
    path = installed_chromium()
    if path is None:
        reason = f"no Chromium on PATH (looked for {', '.join(NAMES)}); install one to run the journeys"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return path


@contextmanager
def launched() -> Iterator[Browser]:
    """Run Chromium for a while."""
    path = chromium_or_skip()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


class Watcher:
    """Notes what a page complains about: breaches of the content policy, errors, failed requests."""

    def __init__(self, context: BrowserContext) -> None:
        self.complaints: list[str] = []
        context.on("console", lambda message: self._note(message.type, message.text))
        context.on("weberror", lambda error: self._note("error", str(error.error)))
        context.on("requestfailed", self._note_failure)
        context.on("response", lambda reply: reply.status >= 500 and self._note("error", f"{reply.status} {reply.url}"))

    def _note_failure(self, request: Request) -> None:
        # A picture of another size that the browser thought better of is not a fault.
        if request.failure != "net::ERR_ABORTED":
            self._note("error", f"{request.url}: {request.failure}")

    def _note(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.complaints.append(f"{kind}: {text}")


def overflow(page: Page) -> list[str]:
    """Return what sticks out sideways: the page itself, or an element cut by its frame; empty when all fits."""
    return page.evaluate(
        """() => {
          const wide = document.documentElement.clientWidth;
          const found = [];
          if (document.documentElement.scrollWidth > wide) { found.push("page scrolls sideways"); }
          for (const element of document.querySelectorAll("body *")) {
            if (element.closest(".hidden-text, .skip, thead, [hidden], svg, details:not([open]) > :not(summary)")) {
              continue;
            }
            const box = element.getBoundingClientRect();
            if (box.width && (box.right > wide + 1 || box.left < -1)) {
              found.push(element.tagName + "." + element.className + ": " + element.textContent.slice(0, 40));
            }
          }
          return found;
        }"""
    )


def contrast_faults(page: Page, *, least: float = 4.5) -> list[str]:
    """Return texts whose contrast with their background is below WCAG AA, as computed colours say."""
    return page.evaluate(
        """(least) => {
          const parse = (text) => {
            const parts = text.match(/[\\d.]+/g).map(Number);
            return { rgb: parts.slice(0, 3), alpha: parts.length > 3 ? parts[3] : 1 };
          };
          const light = (rgb) => {
            const linear = (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
            const [r, g, b] = rgb.map((v) => linear(v / 255));
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const ground = (element) => {
            for (let at = element; at; at = at.parentElement) {
              const colour = parse(getComputedStyle(at).backgroundColor);
              if (colour.alpha > 0.99) { return colour.rgb; }
            }
            return matchMedia("(prefers-color-scheme: dark)").matches ? [0, 0, 0] : [255, 255, 255];
          };
          const found = [];
          for (const element of document.querySelectorAll("body *")) {
            const text = Array.from(element.childNodes).some((node) => node.nodeType === 3 && node.textContent.trim());
            if (!text || !element.offsetParent || element.closest("[disabled], .hidden-text")) { continue; }
            const a = light(parse(getComputedStyle(element).color).rgb);
            const b = light(ground(element));
            const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            const name = element.className + ": " + element.textContent.slice(0, 40);
            if (ratio < least) { found.push(ratio.toFixed(2) + " " + name); }
          }
          return found;
        }""",
        least,
    )
