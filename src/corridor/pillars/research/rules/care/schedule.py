"""A follow-up schedule: which visits, images and laboratory tests are due when, after surgery or another start."""

import re
from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, ClassVar

from corridor.base.members import FaultyDocument, Members, from_toml

__all__ = [
    "Item",
    "ItemKind",
    "MalformedSchedule",
    "Occurrence",
    "RiskGroup",
    "Schedule",
    "Status",
    "check_items",
    "day_after",
    "schedule_from_toml",
]

CODE = re.compile(r"[a-z][a-z0-9_-]{0,39}")
URL = re.compile(r"(https?://|urn:)[^\s|#]{3,200}")
VERSION = re.compile(r"[0-9A-Za-z.-]{1,40}")
CITATION = re.compile(r".*\b(19|20)\d\d\b.*", re.DOTALL)
"""A source has its year."""
UNITS = ("d", "wk", "mo")
START = "start"
"""What the start is called among the actions of a plan, and no risk group therefore."""
MOST = 5000
"""The last day, week or month that a schedule may name."""
_MOST_OCCURRENCES = 400


class ItemKind(StrEnum):
    """What kind of contact an item is."""

    VISIT = "visit"
    IMAGING = "imaging"
    LABORATORY = "laboratory"


class Status(StrEnum):
    """Where a schedule stands (FHIR publication status)."""

    DRAFT = "draft"
    ACTIVE = "active"
    RETIRED = "retired"
    UNKNOWN = "unknown"


class MalformedSchedule(FaultyDocument):
    """The document is no follow-up schedule; every fault is listed with its JSON pointer."""

    code: ClassVar[str] = "malformed-schedule"
    noun: ClassVar[str] = "follow-up schedule"


@dataclass(frozen=True)
class Occurrence:
    """One time at which an item is due, in the item's unit after the start.

    Attributes
    ----------
    at : int
        When it is due.
    earliest, latest : int
        The window within which it counts as on time, both ends included.
    """

    at: int
    earliest: int
    latest: int


@dataclass(frozen=True)
class Item:
    """One thing to be done again and again.

    Attributes
    ----------
    code : str
        As the column of a site's table names it.
    unit : {"d", "wk", "mo"}
        Days, weeks or calendar months (UCUM).
    occurrences : tuple of Occurrence
        In order of time; windows do not touch.
    """

    code: str
    kind: ItemKind
    title: str
    unit: str
    occurrences: tuple[Occurrence, ...]


@dataclass(frozen=True)
class RiskGroup:
    """Patients who are followed alike."""

    code: str
    title: str
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Schedule:
    """A follow-up schedule.

    Attributes
    ----------
    url : str
        Names the schedule wherever it goes.
    start : str
        What counts as the start: surgery, the first transfusion.
    sources : tuple of str
        Citations, each with its year.
    """

    url: str
    version: str
    title: str
    status: Status
    dated_on: date
    publisher: str
    start: str
    sources: tuple[str, ...]
    groups: tuple[RiskGroup, ...]

    def group(self, code: str) -> RiskGroup | None:
        """Return the risk group of a code, or None."""
        return next((group for group in self.groups if group.code == code), None)

    @property
    def item_codes(self) -> tuple[str, ...]:
        """Return the codes of all items, each once, in the order in which they first appear."""
        return tuple(dict.fromkeys(item.code for group in self.groups for item in group.items))


def day_after(start: date, number: int, *, unit: str) -> date:
    """Return the day `number` days, weeks or months after `start`.

    A month later is the same day of the month, or its last day where it has no such day: one month after 31 January is
    28 or 29 February, two months after it 31 March.
    """
    if unit == "d":
        return start + timedelta(days=number)
    if unit == "wk":
        return start + timedelta(weeks=number)
    months = start.year * 12 + start.month - 1 + number
    year, month = divmod(months, 12)
    return date(year, month + 1, min(start.day, monthrange(year, month + 1)[1]))


def schedule_from_toml(source: str | Mapping[str, Any]) -> Schedule:
    """Return the schedule that a TOML text (or its members) describes by rules such as "every 6 months until month 60".

    Raises
    ------
    MalformedSchedule
        If the text is no TOML, or anything is missing or wrong; every fault is listed.
    """
    root = Members.of(from_toml(source, fault=MalformedSchedule))
    titles = _groups(root)
    items: dict[str, list[Item]] = {code: [] for code in titles}
    for entry in root.items("items", at_least=1):
        for code, item in _item(entry, tuple(titles)).items():
            items[code].append(item)
    groups = tuple(RiskGroup(code, title, tuple(items[code])) for code, title in titles.items())
    schedule = Schedule(
        url=root.text("url", pattern=URL),
        version=root.text("version", pattern=VERSION),
        title=root.text("title"),
        status=Status(root.choice("status", tuple(Status))),
        dated_on=root.day("dated_on"),
        publisher=root.text("publisher"),
        start=root.text("start"),
        sources=tuple(root.strings("sources", pattern=CITATION, at_least=1)),
        groups=groups,
    )
    for index, group in enumerate(groups):
        if group.code and not group.items and not root.faults:
            root.fault(f"groups/{index}", "expected at least one item with a rule for this group")
        check_items(root, f"groups/{index}", group.items)
    root.done()
    if root.faults:
        raise MalformedSchedule(tuple(root.faults))
    return schedule


def check_items(root: Members, key: str, items: Sequence[Item]) -> None:
    """Note items of one risk group that occur twice, and windows that touch: a visit must belong to one of them."""
    codes = [item.code for item in items]
    if len(set(codes)) < len(codes):
        root.fault(key, "expected each item once in a risk group")
    for item in items:
        for before, after in zip(item.occurrences, item.occurrences[1:], strict=False):
            if before.latest >= after.earliest:
                root.fault(
                    key,
                    f"the windows of {item.code} at {before.at} and {after.at} {item.unit} touch;"
                    " expected each to end before the next begins",
                )


def _groups(root: Members) -> dict[str, str]:
    titles: dict[str, str] = {}
    for entry in root.items("groups", at_least=1):
        code = entry.text("code", pattern=CODE)
        if code in titles or code == START:
            entry.fault("code", f"expected each risk group once, and none called {START}")
        titles[code] = entry.text("title")
        entry.done()
    return titles


def _item(entry: Members, known: tuple[str, ...]) -> dict[str, Item]:
    """Return the item as each risk group has it."""
    code, kind = entry.text("code", pattern=CODE), ItemKind(entry.choice("kind", tuple(ItemKind)))
    title, unit = entry.text("title"), entry.choice("unit", UNITS)
    occurrences: dict[str, list[Occurrence]] = {}
    for rule in entry.items("rules", at_least=1):
        groups = rule.strings("groups", at_least=1) if rule.has("groups") else list(known)
        if not set(groups) <= set(known):
            rule.fault("groups", f"expected codes of the risk groups: {', '.join(known)}")
        found = _occurrences(rule)
        for group in set(groups) & set(known):
            occurrences.setdefault(group, []).extend(found)
        rule.done()
    entry.done()
    return {
        group: Item(code, kind, title, unit, tuple(sorted(found, key=lambda each: (each.at, each.earliest))))
        for group, found in occurrences.items()
    }


def _occurrences(rule: Members) -> list[Occurrence]:
    first = rule.whole("first", least=0, most=MOST)
    before, after = rule.whole("before", least=0, most=MOST), rule.whole("after", least=0, most=MOST)
    if before > first:
        rule.fault("before", "expected no more than first: a window does not open before the start")
        before = first
    every, last = 1, first
    if rule.has("every") or rule.has("last"):
        every, last = rule.whole("every", least=1, most=MOST, fallback=1), rule.whole("last", least=first, most=MOST)
    times = range(first, last + 1, every)
    if len(times) > _MOST_OCCURRENCES:
        rule.fault("every", f"expected at most {_MOST_OCCURRENCES} times")
        return []
    return [Occurrence(at, at - before, at + after) for at in times]
