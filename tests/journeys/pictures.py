"""Take the picture of every page, for people to look at: two widths, four languages, light and dark.

Run as ``python -m tests.journeys.pictures FOLDER``: two nodes are founded below FOLDER, which sign and exchange a
little, and every page that links lead to is photographed for each role that sees other pages. With ``--at URL
--sign-in NAME:PASSWORD`` the pages of a running node are taken instead.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page

from corridor.demo.cast import CHINA, PAKISTAN
from tests.journeys import browser as chromium
from tests.journeys.town import Town, faults, sign_in, speak, today, town, wait_until
from tests.journeys.walk import kind_of, walk

LANGUAGES = ("en", "ur", "zh-hans", "ru")
WIDTHS = (1280, 390)
SCHEMES = ("light", "dark")


def main() -> None:
    """Take the pictures and print what the browser found wrong."""
    wishes = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    wishes.add_argument("folder", type=Path)
    wishes.add_argument("--at", help="address of a running node")
    wishes.add_argument("--sign-in", default="", help="NAME:PASSWORD there")
    wishes.add_argument("--languages", nargs="*", default=LANGUAGES)
    wishes.add_argument("--schemes", nargs="*", default=SCHEMES)
    wishes.add_argument("--people", nargs="*", default=("officer.two", "auditor", "administrator", "steward"))
    wishes.add_argument("--only", default="", help="pages whose path holds this")
    chosen = wishes.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    with chromium.launched() as browser:
        if chosen.at:
            page = visitor(browser, chosen.at, chosen.sign_in)
            photograph_all(page, chosen.at, chosen, prefix="")
            return
        with town(chosen.folder / "nodes", browser) as made:
            play(made)
            for name in chosen.people:
                page = made.page(PAKISTAN, name)
                photograph_all(page, made.url(PAKISTAN), chosen, prefix=f"{name}-")


def visitor(browser: Browser, base: str, credentials: str) -> Page:
    """Return a page in which the person has signed in, or nobody."""
    page = browser.new_context(locale="en-GB", timezone_id="UTC").new_page()
    page.complaints = chromium.Watcher(page.context).complaints
    page.goto(base + "/accounts/login")
    if credentials:
        name, _, password = credentials.partition(":")
        sign_in(page, name, password=password)
    return page


def play(made: Town) -> None:
    """Let something happen that pages can show: a crossing, refusals, a proposal, a step that waits."""
    agreement = made.pin_and_sign()
    made.send(PAKISTAN, agreement, value=25)
    made.send(PAKISTAN, agreement, value=2)
    made.send(CHINA, "0" * 64, value=25)
    annex = made.player(CHINA).do("propose", name="emergency", today=str(today()))
    wait_until(lambda: annex in made.player(PAKISTAN).do("states"))
    page = made.page(PAKISTAN, "officer.one")
    page.goto(f"{made.url(PAKISTAN)}/exchange/agreements/{annex}/act/sign/")
    page.locator("input[name=has_read]").check()
    page.locator("main form button[type=submit]").first.click()
    wait_until(lambda: made.player(PAKISTAN).do("waiting") == 0)


def photograph_all(page: Page, base: str, chosen: argparse.Namespace, *, prefix: str) -> None:
    """Walk the pages in English, and take each in every language, width and scheme."""
    speak(page, "en")
    paths = [path for path in walk(page, base) if chosen.only in path]
    for language in chosen.languages:
        page.goto(base + "/web/components")
        if page.locator("html").get_attribute("lang") != language:
            speak(page, language)
        for path in paths:
            photograph(page, base + path, chosen, name=f"{prefix}{file_name(path)}-{language}")


def photograph(page: Page, address: str, chosen: argparse.Namespace, *, name: str) -> None:
    """Take one page in both widths and the schemes."""
    for scheme in chosen.schemes:
        page.emulate_media(color_scheme=scheme)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800 if width > 400 else 844})
            page.complaints.clear()
            page.goto(address)
            page.screenshot(path=chosen.folder / f"{name}-{width}-{scheme}.png", full_page=True)
            for fault in faults(page):
                sys.stdout.write(f"{name}-{width}-{scheme}: {fault}\n")
            sys.stdout.flush()


def file_name(path: str) -> str:
    """Return a name for the picture of a path."""
    return re.sub(r"[^a-z0-9]+", "-", kind_of(urlsplit(path).path)).strip("-") or "home"


if __name__ == "__main__":
    main()
