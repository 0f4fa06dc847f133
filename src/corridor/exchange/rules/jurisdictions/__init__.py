"""What each country's law asks before persons' data leave it: dated, cited data, guidance for lawyers, no legal advice.

Each rule says how well it is known (`Verified`): read in the text itself, taken from a secondary source, or not
verified. What is unknown stays open and is shown as open. A country without a file is shown as "no rules read".

What people read stands in four languages (`Said`): ``text`` in English, ``text_zh_hans``, ``text_ru`` and ``text_ur``
beside it, in the project's own words. A law's official name stands in its own language alone.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from corridor.base.errors import CorridorError
from corridor.base.reference.names import LANGUAGES
from corridor.exchange.rules.classes import DataClass

Said = Mapping[str, str]
"""One text by language: ``en``, ``zh-hans``, ``ru``, ``ur``."""


class Verified(StrEnum):
    """How well a rule is known to this project."""

    TEXT = "text"
    SECONDARY = "secondary"
    NOT_VERIFIED = "not-verified"


class Effect(StrEnum):
    """What a rule does at the gate.

    `FILING`: the channel must name a filing or a claimed exemption before the first person crosses. `LIMIT`: from the
    limit on, the filing must be one of the rule's mechanisms. `LICENCE`: a licence id is needed. `NOTE`: shown to
    people, decides nothing.
    """

    FILING = "filing"
    LIMIT = "limit"
    LICENCE = "licence"
    NOTE = "note"


class BrokenJurisdiction(CorridorError):
    """A file of jurisdiction data that ships with the package is not of the expected form."""

    code: ClassVar[str] = "broken-jurisdiction"


@dataclass(frozen=True)
class Instrument:
    """A law or regulation: what it is called, its official name in its own language, its dates as far as known."""

    id: str
    title: Said
    title_local: str
    issued_on: date | None
    in_force_on: date | None


@dataclass(frozen=True)
class Rule:
    """One rule of one country.

    Attributes
    ----------
    id : str
        Such as ``cn.sensitive-assessment``; the name under which the rule's counter is kept.
    sensitivity : str
        The class of sensitivity that the rule names; persons are counted apart for each.
    data_classes : frozenset of DataClass
        Our classes that the rule's sensitivity covers.
    limit : int or None
        The number of distinct persons in a calendar year from which on the rule bites.
    mechanisms : tuple of str
        Filings that satisfy it, as the part of a filing before its colon: ``security-assessment:2026-17``.
    source, source_on : str, date
        Where this was read, and when.
    open_questions : tuple of Said
        What is not known.
    """

    id: str
    instrument: str
    article: Said
    effect: Effect
    sensitivity: str
    data_classes: frozenset[DataClass]
    limit: int | None
    mechanisms: tuple[str, ...]
    text: Said
    verified: Verified
    source: str
    source_on: date
    open_questions: tuple[Said, ...]


@dataclass(frozen=True)
class Jurisdiction:
    """The rules of one country, as of a date."""

    country: str
    as_of: date
    time_zone: str
    instruments: tuple[Instrument, ...]
    rules: tuple[Rule, ...]
    open_questions: tuple[Said, ...]

    def year(self, at: datetime) -> int:
        """Return the calendar year of the moment `at` in the rule's own time zone."""
        return at.astimezone(ZoneInfo(self.time_zone)).year

    def rules_for(self, data_class: DataClass, *effects: Effect) -> tuple[Rule, ...]:
        """Return the rules that cover `data_class`, of the given effects (all effects where none is given)."""
        wanted = effects or tuple(Effect)
        return tuple(rule for rule in self.rules if data_class in rule.data_classes and rule.effect in wanted)

    def sensitivities(self, data_class: DataClass) -> tuple[str, ...]:
        """Return the classes of sensitivity in which a person of `data_class` is counted, in the order of the rules."""
        named = [rule.sensitivity for rule in self.rules_for(data_class) if rule.sensitivity]
        return tuple(dict.fromkeys(named))

    def instrument(self, name: str) -> Instrument:
        """Return the instrument with the id `name`."""
        return next(instrument for instrument in self.instruments if instrument.id == name)


def mechanism_of(filing: str) -> str:
    """Return the mechanism that a filing names: the part before its first colon, or the whole text."""
    return filing.partition(":")[0].strip().casefold()


@cache
def jurisdictions() -> Mapping[str, Jurisdiction]:
    """Return the jurisdictions that ship with the package, by country code."""
    found = {}
    for entry in sorted(resources.files(__name__).iterdir(), key=lambda each: each.name):
        if entry.name.endswith(".toml"):
            jurisdiction = read_jurisdiction(entry.read_text(encoding="utf-8"), name=entry.name)
            found[jurisdiction.country] = jurisdiction
    return found


def read_jurisdiction(text: str, *, name: str) -> Jurisdiction:
    """Return the jurisdiction that the TOML `text` holds.

    Raises
    ------
    BrokenJurisdiction
        If a member is missing, of the wrong form or not there in each language, or a rule cites no instrument.
    """
    try:
        value = tomllib.loads(text)
        instruments = tuple(_instrument(entry) for entry in value["instruments"])
        rules = tuple(_rule(entry) for entry in value["rules"])
        jurisdiction = Jurisdiction(
            country=value["country"],
            as_of=value["as_of"],
            time_zone=ZoneInfo(value["time_zone"]).key,
            instruments=instruments,
            rules=rules,
            open_questions=_questions(value),
        )
    except (KeyError, TypeError, ValueError, LookupError) as fault:
        raise BrokenJurisdiction(f"{name}: {fault!r}") from fault
    known = {instrument.id for instrument in instruments}
    for rule in rules:
        if rule.instrument not in known or not rule.id.startswith(f"{jurisdiction.country.lower()}."):
            raise BrokenJurisdiction(f"{name}: rule {rule.id} cites an unknown instrument or has a foreign id")
        if (rule.limit is not None) != (rule.effect is Effect.LIMIT):
            raise BrokenJurisdiction(f"{name}: rule {rule.id} must have a limit if, and only if, it is one")
    return jurisdiction


def _said(entry: dict[str, Any], name: str) -> Said:
    """Return a text in every language; a bare number needs no translation."""
    english: str = entry[name]
    if english.isdigit():
        return dict.fromkeys(LANGUAGES, english)
    return {language: entry[_member(name, language)] for language in LANGUAGES}


def _questions(entry: dict[str, Any]) -> tuple[Said, ...]:
    """Return the open questions, each in every language; the lists of the languages have the same order."""
    if not entry.get("open_questions"):
        return ()
    columns = [entry[_member("open_questions", language)] for language in LANGUAGES]
    return tuple(dict(zip(LANGUAGES, texts, strict=True)) for texts in zip(*columns, strict=True))


def _member(name: str, language: str) -> str:
    return name if language == "en" else f"{name}_{language.replace('-', '_')}"


def _instrument(entry: dict[str, Any]) -> Instrument:
    return Instrument(
        id=entry["id"],
        title=_said(entry, "title"),
        title_local=entry["title_local"],
        issued_on=entry.get("issued_on"),
        in_force_on=entry.get("in_force_on"),
    )


def _rule(entry: dict[str, Any]) -> Rule:
    return Rule(
        id=entry["id"],
        instrument=entry["instrument"],
        article=_said(entry, "article"),
        effect=Effect(entry["effect"]),
        sensitivity=entry.get("sensitivity", ""),
        data_classes=frozenset(DataClass(name) for name in entry["data_classes"]),
        limit=entry.get("limit"),
        mechanisms=tuple(entry.get("mechanisms", ())),
        text=_said(entry, "text"),
        verified=Verified(entry["verified"]),
        source=entry["source"],
        source_on=entry["source_on"],
        open_questions=_questions(entry),
    )
