"""What the header and the strip show: the node, the pillars a person may open, how the corridor stands."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import get_language

from corridor.accounts.models import Person
from corridor.accounts.roles import may, permissions_of
from corridor.base.clock import utcnow
from corridor.exchange import queries as exchange
from corridor.web import navigation
from corridor.web.formats import LANGUAGE_NAMES
from corridor.web.names import place_name


@dataclass(frozen=True)
class Language:
    """One entry of the language switch; each language is named in itself."""

    code: str
    name: str
    current: bool


@dataclass(frozen=True)
class Shell:
    """Everything of a page that is the same on each page.

    Attributes
    ----------
    node_name, country : str
        Of this node; the country by name, in the page's language.
    simulated : bool
        Whether the node's data are invented.
    groups : tuple of navigation.Group
    links : tuple of navigation.Link
        The pages of the person menu.
    languages : tuple of Language
    person : Person or None
        Who is signed in.
    standing : Standing or None
        How the corridor stands; None for someone who may not see the exchange.
    """

    node_name: str
    country: str
    simulated: bool
    groups: tuple[navigation.Group, ...]
    links: tuple[navigation.Link, ...]
    languages: tuple[Language, ...]
    person: Person | None
    standing: exchange.Standing | None

    @property
    def current_group(self) -> navigation.Group | None:
        """The pillar whose page is shown."""
        return next((group for group in self.groups if group.current), None)


def is_simulated() -> bool:
    """Return whether this node's settings call its data simulated."""
    return bool(node_settings().get("simulated", False))


def node_settings() -> dict[str, Any]:
    """Return the settings of the node's home; empty where a process runs without one."""
    return getattr(settings, "CORRIDOR", {})


def for_request(request: HttpRequest | None) -> Shell:
    """Return the shell of a request; without one (a page about a fault) it names the node and nothing else."""
    person = getattr(request, "user", None)
    person = person if isinstance(person, Person) else None
    permissions = permissions_of(person) if person else frozenset()
    match = getattr(request, "resolver_match", None)
    view_name = match.view_name if match else ""
    values = node_settings()
    country = str(values.get("country") or "")
    return Shell(
        node_name=str(values.get("name") or values.get("id") or "Health Corridor"),
        country=place_name(country, language=get_language() or "en") if country else "",
        simulated=is_simulated(),
        groups=navigation.groups(permissions, view_name=view_name),
        links=navigation.personal(permissions, view_name=view_name),
        languages=languages(),
        person=person,
        standing=standing(person) if person else None,
    )


def standing(person: Person) -> exchange.Standing | None:
    """Return how the corridor stands, or None for someone who may not see the exchange."""
    return exchange.standing(person, utcnow()) if may(person, "exchange.see_partners") else None


def languages() -> tuple[Language, ...]:
    """Return the four languages, the page's own marked."""
    current = get_language() or "en"
    return tuple(Language(code=code, name=name, current=code == current) for code, name in LANGUAGE_NAMES.items())
