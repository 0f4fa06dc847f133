"""What stands in the header: each app announces its pages here, and a person sees those that she may open."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

PILLARS: dict[str, str | Promise] = {
    "surveillance": gettext_lazy("Surveillance"),
    "response": gettext_lazy("Response"),
    "research": gettext_lazy("Research"),
    "telemedicine": gettext_lazy("Telemedicine"),
    "regulation": gettext_lazy("Regulation"),
    "education": gettext_lazy("Education"),
    "projects": gettext_lazy("Projects"),
    "exchange": gettext_lazy("Corridor"),
}
"""Groups of the header in their order; a group that is not named here stands in the person menu."""


@dataclass(frozen=True)
class NavItem:
    """One page of the navigation.

    Parameters
    ----------
    pillar : str
        Group that the page belongs to: a key of `PILLARS`, or any other name for a page of the person menu.
    label : str
        Lazily translated, two words at most.
    url_name : str
        Name to reverse, without arguments, such as ``surveillance:board``.
    permission : str
        Permission that the page asks for; the item is shown to those who hold it. Empty: everyone signed in.
    """

    pillar: str
    label: str | Promise
    url_name: str
    permission: str


@dataclass(frozen=True)
class Link:
    """One entry as the template shows it."""

    label: str
    url: str
    current: bool


@dataclass(frozen=True)
class Group:
    """A pillar with the pages of it that this person may open."""

    name: str
    label: str
    url: str
    current: bool
    links: tuple[Link, ...]


_items: list[NavItem] = []


def register(item: NavItem) -> None:
    """Add a page to the navigation; announcing the same page twice changes nothing."""
    if item not in _items:
        _items.append(item)


def registered() -> tuple[NavItem, ...]:
    """Return every announced page, in the order of announcement."""
    return tuple(_items)


def groups(permissions: frozenset[str], *, view_name: str = "") -> tuple[Group, ...]:
    """Return the pillars of the header that hold at least one page which these permissions open.

    Parameters
    ----------
    permissions : frozenset of str
    view_name : str
        Name of the page being shown; it marks the current group and link.
    """
    return tuple(
        _group(pillar, items, view_name)
        for pillar in PILLARS
        if (items := [item for item in _allowed(permissions) if item.pillar == pillar])
    )


def personal(permissions: frozenset[str], *, view_name: str = "") -> tuple[Link, ...]:
    """Return the pages of the person menu: those announced for no pillar of the header."""
    return _links([item for item in _allowed(permissions) if item.pillar not in PILLARS], view_name)


def _allowed(permissions: frozenset[str]) -> list[NavItem]:
    return [
        item
        for item in _items
        if (not item.permission or item.permission in permissions) and _url(item.url_name) is not None
    ]


def _group(pillar: str, items: Sequence[NavItem], view_name: str) -> Group:
    links = _links(items, view_name)
    namespace = view_name.rpartition(":")[0]
    within = bool(namespace) and any(item.url_name.rpartition(":")[0] == namespace for item in items)
    current = any(link.current for link in links) or within
    return Group(name=pillar, label=str(PILLARS[pillar]), url=links[0].url, current=current, links=links)


def _links(items: Sequence[NavItem], view_name: str) -> tuple[Link, ...]:
    return tuple(
        Link(label=str(item.label), url=_url(item.url_name) or "", current=item.url_name == view_name) for item in items
    )


def _url(name: str) -> str | None:
    try:
        return reverse(name)
    except NoReverseMatch:
        return None
