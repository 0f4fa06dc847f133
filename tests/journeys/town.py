"""Two real nodes for journeys: each its own home, database, processes and people, who sign in at its pages."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page

from corridor.demo.cast import CHINA, PAKISTAN, NodePart
from corridor.demo.stage import Player, Stage, stage, start_player, start_server, stop_player, wait_until_served
from tests.journeys import browser as chromium

PASSWORD = "seven quiet rivers meet"
PEOPLE = (
    ("officer.one", "officer"),
    ("officer.two", "officer"),
    ("epidemiologist", "epidemiologist"),
    ("steward", "steward"),
    ("auditor", "auditor"),
    ("administrator", "administrator"),
)
PATIENCE_SECONDS = 90.0
WRITING = "main form[method=post]:not([action='/surveillance/read/'])"
"""Forms that change something; what one has read oneself is nobody else's business."""
FIRST_WEEK = date(2026, 6, 1)
_EXPIRE = """
import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "corridor.server.settings")
import django
django.setup()
from importlib import import_module
from django.conf import settings
from corridor.accounts.models import PersonSession
store = import_module(settings.SESSION_ENGINE).SessionStore
for key in PersonSession.objects.values_list("session_key", flat=True):
    session = store(session_key=key)
    session["reauthenticated_at"] = 0.0
    session.save()
"""


class Town:
    """The two nodes, their players, and a browser in which people of theirs sign in.

    Parameters
    ----------
    it : Stage
    browser : Browser
    """

    def __init__(self, it: Stage, browser: Browser) -> None:
        self.stage = it
        self.browser = browser
        self.passwords: dict[tuple[str, str], str] = {}
        self._pages: dict[tuple[Any, ...], Page] = {}
        self.admit(*PEOPLE)

    def player(self, part: NodePart) -> Player:
        """Return the player at a node."""
        return self.stage.player(part)

    def url(self, part: NodePart) -> str:
        """Return the address of a node."""
        return self.stage.urls[part.country]

    def page(self, part: NodePart, name: str, *, language: str = "en", **context: Any) -> Page:
        """Return a page in which a person of a node has signed in, in a language; the same one when asked again."""
        key = (part.country, name, language, repr(sorted(context.items())))
        if key not in self._pages:
            self._pages[key] = self._signed_in(part, name, language=language, **context)
        return self._pages[key]

    def _signed_in(self, part: NodePart, name: str, *, language: str, **context: Any) -> Page:
        fresh = self.browser.new_context(
            **{"viewport": chromium.WIDE, "locale": "en-GB", "timezone_id": "UTC", "accept_downloads": True, **context}
        )
        page = fresh.new_page()
        page.complaints = chromium.Watcher(fresh).complaints
        page.goto(self.url(part) + "/accounts/login")
        sign_in(page, name, password=self.passwords[part.country, name])
        if urlsplit(page.url).path == "/accounts/password":
            change_password(page, self.passwords[part.country, name], new=PASSWORD)
            self.passwords[part.country, name] = PASSWORD
        if page.locator("html").get_attribute("lang") != language:
            speak(page, language)
        return page

    def admit(self, *people: tuple[str, str]) -> None:
        """Admit more people, by name and role, at both nodes."""
        for part in (PAKISTAN, CHINA):
            given = self.player(part).do("admit", people=[(name, role, "en") for name, role in people])
            self.passwords |= {(part.country, name): password for name, password in given.items()}

    def pin_and_sign(self, name: str = "pakistan_china") -> str:
        """Let both sides pin each other and sign an agreement of the demonstration; return its hash once in force."""
        cards = {part.country: self.player(part).do("card") for part in (PAKISTAN, CHINA)}
        self.player(PAKISTAN).do("pin", **cards["CN"])
        self.player(CHINA).do("pin", **cards["PK"])
        agreement = self.player(PAKISTAN).do("propose", name=name, today=str(today()))
        wait_until(lambda: agreement in self.player(CHINA).do("states"))
        for part in (PAKISTAN, CHINA):
            self.player(part).do("sign", agreement=agreement)
        for part in (PAKISTAN, CHINA):
            wait_until(lambda part=part: self.player(part).do("states")[agreement] == "in-force")
        return str(agreement)

    def send(self, part: NodePart, agreement: str, *, value: int, week: int = 0) -> dict[str, Any]:
        """Try to send the total of one week, counted from the first of June, to the other side."""
        to = CHINA if part is PAKISTAN else PAKISTAN
        return dict(
            self.player(part).do(
                "try_counts",
                agreement=agreement,
                to=to.id,
                place=part.simulation.places[1][0],
                start_on=str(FIRST_WEEK + timedelta(weeks=week)),
                value=value,
            )
        )

    def delivered(self) -> None:
        """Wait until nothing waits on either side."""
        for part in (PAKISTAN, CHINA):
            wait_until(lambda part=part: self.player(part).do("waiting") == 0)

    def command(self, part: NodePart, *words: str, token: str = "", typed: str = "") -> str:
        """Run a command at a node, as the person of a token, and return what it prints."""
        run = subprocess.run(
            [*self.stage.programs.corridor, *words],
            env=self._environment(part, token=token),
            input=typed,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, f"{' '.join(words)}: {run.stderr}"
        return run.stdout.strip()

    def token(self, part: NodePart, name: str) -> str:
        """Return a token of a person, got with the password as people get it."""
        given = self.passwords[part.country, name]
        typed = f"{given}\n" if given == PASSWORD else f"{given}\n{PASSWORD}\n"
        self.passwords[part.country, name] = PASSWORD
        return self.command(part, "token", name, "--password-stdin", typed=typed).splitlines()[-1]

    def restart_from(self, part: NodePart, backup: Path) -> None:
        """Stop a node, put a backup back by command, and start it again."""
        it = self.stage
        for name in [name for name in it.servers if name.split()[0] == part.country]:
            server = it.servers.pop(name)
            server.terminate()
            server.wait(PATIENCE_SECONDS)
        stop_player(it.players.pop(part.country))
        self.command(part, "node", "restore", str(backup))
        start_server(it, part, only=("web", "delivery"))
        it.players[part.country] = start_player(it, it.home(part), part)
        wait_until_served(it, part)

    def let_password_expire(self, part: NodePart) -> None:
        """Let ten minutes pass for every session of a node, so that weighty steps ask for the password again."""
        subprocess.run([sys.executable, "-c", _EXPIRE], env=self._environment(part), check=True)

    def _environment(self, part: NodePart, *, token: str = "") -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "CORRIDOR_TOKEN"}}
        return {**kept, "CORRIDOR_HOME": str(self.stage.home(part)), **({"CORRIDOR_TOKEN": token} if token else {})}

    def close(self) -> None:
        """Close every page."""
        for page in self._pages.values():
            page.context.close()


@contextmanager
def town(folder: Path, browser: Browser) -> Iterator[Town]:
    """Run the two nodes for a while."""
    with stage(folder, (PAKISTAN, CHINA)) as it:
        made = Town(it, browser)
        try:
            yield made
        finally:
            made.close()


def sign_in(page: Page, name: str, *, password: str) -> None:
    """Fill the login and send it."""
    page.locator("input[name=username]").fill(name)
    page.locator("input[name=password]").fill(password)
    page.locator("main button[type=submit]").click()


def change_password(page: Page, current: str, *, new: str) -> None:
    """Fill the page for changing a password and send it."""
    page.locator("input[name=current]").fill(current)
    page.locator("input[name=new]").fill(new)
    page.locator("input[name=again]").fill(new)
    page.locator("main button[type=submit]").click()


def speak(page: Page, language: str) -> None:
    """Choose the language of the pages by the switch in the header."""
    page.locator(".language summary").click()
    page.locator(f".language button[value={language}]").click()
    page.locator(f"html[lang={language}]").wait_for(state="attached")


def give_password_again(page: Page, password: str = PASSWORD) -> None:
    """Give the password if the page asks for it again."""
    if urlsplit(page.url).path == "/accounts/again":
        page.locator("input[name=password]").fill(password)
        page.locator("main button[type=submit]").click()


def wait_until(holds: Callable[[], Any], *, seconds: float = PATIENCE_SECONDS) -> Any:
    """Return what `holds` returns as soon as that is true; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := holds():
            return found
        time.sleep(0.1)
    raise AssertionError(f"did not come about within {seconds:.0f} s")


def today() -> date:
    """Return the day that agreements are drafted on."""
    return datetime.now(UTC).date()


def faults(page: Page) -> list[str]:
    """Return what is wrong with the page as it stands: overflow, contrast, complaints of the browser, direction."""
    wanted = "rtl" if page.locator("html").get_attribute("lang") == "ur" else "ltr"
    found = chromium.overflow(page) + chromium.contrast_faults(page) + page.complaints
    direction = page.locator("html").get_attribute("dir")
    return found if direction == wanted else [*found, f"direction is {direction}"]
