"""Export counters: how many distinct persons' data left a node in a calendar year, and what a limit then asks.

A person is counted by a tag, HMAC-SHA256 of a normalised identifier under a key of the year. The key never leaves the
node and lies outside its database; once it is destroyed nobody can tell who was counted.
"""

import hmac
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from corridor.exchange.rules.classes import DataClass
from corridor.exchange.rules.jurisdictions import Effect, Jurisdiction, Rule, mechanism_of

WARN_AT = 0.8
KEY_BYTES = 32


class Standing(StrEnum):
    """How near a counter is to its limit."""

    FREE = "free"
    WARNING = "warning"
    REACHED = "reached"


@dataclass(frozen=True, order=True)
class CounterKey:
    """The counter in which persons of one sensitivity are counted for one country's calendar year."""

    country: str
    year: int
    sensitivity: str

    @property
    def name(self) -> str:
        """Return the counter's stored name, ``CN:sensitive``."""
        return f"{self.country}:{self.sensitivity}"


def normalise(identifier: str) -> str:
    """Return one spelling of a personal identifier: upper-case letters and ASCII digits, compatibility forms folded.

    Examples
    --------
    >>> normalise("cnic 35202-1234567-1") == normalise("CNIC ۳۵۲۰۲۱۲۳۴۵۶۷۱")
    True
    """
    folded = unicodedata.normalize("NFKC", identifier).upper()
    return "".join(_digit(character) for character in folded if character.isalnum())


def tag(identifier: str, *, key: bytes) -> bytes:
    """Return the 32-byte tag under which the person with `identifier` is counted.

    Parameters
    ----------
    key : bytes, at least 32
        The year's key of the counter's node.
    """
    if len(key) < KEY_BYTES:
        raise ValueError(f"expected a key of at least {KEY_BYTES} bytes, came {len(key)}")
    return hmac.new(key, normalise(identifier).encode(), sha256).digest()


def counters_for(data_class: DataClass, *, jurisdiction: Jurisdiction, year: int) -> tuple[CounterKey, ...]:
    """Return the counters that an envelope of `data_class` touches in `jurisdiction`; none where no person is in it."""
    if not data_class.counts_persons:
        return ()
    return tuple(
        CounterKey(jurisdiction.country, year, sensitivity) for sensitivity in jurisdiction.sensitivities(data_class)
    )


def limits_for(counter: CounterKey, *, jurisdiction: Jurisdiction) -> tuple[Rule, ...]:
    """Return the limits on `counter`, lowest first."""
    limits = [
        rule for rule in jurisdiction.rules if rule.effect is Effect.LIMIT and rule.sensitivity == counter.sensitivity
    ]
    return tuple(sorted(limits, key=lambda rule: rule.limit or 0))


def standing(persons: int, *, limit: int | None) -> Standing:
    """Return how near `persons` is to `limit`: a warning from 80 % on, reached from the limit itself on."""
    if limit is None:
        return Standing.FREE
    if persons >= limit:
        return Standing.REACHED
    return Standing.WARNING if persons >= limit * WARN_AT else Standing.FREE


def reached_limits(
    after: Mapping[CounterKey, int], *, jurisdiction: Jurisdiction, filing: str | None, exemption: str | None
) -> tuple[Rule, ...]:
    """Return the limits that would be reached without the mechanism that they ask for.

    Parameters
    ----------
    after : mapping of CounterKey to int
        Distinct persons of the year in each touched counter, those of the envelope included.
    filing, exemption : str or None
        What the channel or the country's legal basis names. A claimed exemption answers every limit: claiming it is the
        institution's own responsibility, and the counter goes on counting.
    """
    if exemption:
        return ()
    mechanism = mechanism_of(filing or "")
    return tuple(
        rule
        for counter, persons in sorted(after.items())
        if counter.country == jurisdiction.country
        for rule in limits_for(counter, jurisdiction=jurisdiction)
        if standing(persons, limit=rule.limit) is Standing.REACHED and mechanism not in rule.mechanisms
    )


def _digit(character: str) -> str:
    return str(unicodedata.decimal(character)) if character.isdecimal() else character
