"""The agreement as a value: what a signed document opens, in frozen records that rules and pages read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import cached_property

from corridor.base.disclosure import DisclosureRule
from corridor.exchange.rules.classes import DataClass

SCHEMA = "health-corridor.agreement/1"
LANGUAGES = ("en", "zh-hans", "ru", "ur")


class Acceptance(StrEnum):
    """How the receiving side takes what arrives on a channel."""

    AUTOMATIC = "automatic"
    PREVIEW = "preview"


class Storage(StrEnum):
    """Whether the receiving side may keep what it received, or only show it."""

    RETAIN = "retain"
    VIEW_ONLY = "view-only"


class Opening(StrEnum):
    """Whose signature opens a dormant emergency annex."""

    EACH_PARTY = "each-party"
    ONE_PARTY = "one-party"


@dataclass(frozen=True)
class Party:
    """An institution that signs: its node, its country, its legal name, the authority and mandate it signs under."""

    node: str
    country: str
    legal_entity: str
    authority: str
    mandate: str


@dataclass(frozen=True)
class LegalBasis:
    """The law that one country's side relies on, with its filing number or the exemption that it claims."""

    country: str
    basis: str
    filing: str | None
    exemption: str | None


@dataclass(frozen=True)
class Caps:
    """Volume limits of a channel for each sender: envelopes a day, distinct persons a calendar year, both in UTC."""

    envelopes_per_day: int
    persons_per_year: int


@dataclass(frozen=True)
class Channel:
    """One direction of one message type for one purpose, with the clause that it carries out.

    Attributes
    ----------
    senders, receivers : frozenset of str
        Node ids. A node in both may send to the others.
    message : str
        Message type and version, such as ``surveillance.period-counts/1``.
    data_class : DataClass
        The highest class that may cross.
    place_level : str
        ``country``, ``admin1``, ``admin2``, or empty where the message carries no cells.
    period : str
        ``day``, ``week``, ``month``, ``year``, or empty for any length.
    filing, exemption : str or None
        Filing of this channel where it differs from that of the country's legal basis.
    licence : str or None
        Licence id, without which class ``genetic`` stays closed.
    """

    id: str
    clause: str
    senders: frozenset[str]
    receivers: frozenset[str]
    message: str
    data_class: DataClass
    purpose: str
    place_level: str
    period: str
    disclosure: tuple[DisclosureRule, ...]
    caps: Caps
    acceptance: Acceptance
    filing: str | None = None
    exemption: str | None = None
    licence: str | None = None


@dataclass(frozen=True)
class PlaceList:
    """Places that an agreement covers (``PK-*`` covers PK and all below it), and the base map both sides agreed on."""

    base_map: str
    codes: tuple[str, ...]


@dataclass(frozen=True)
class Emergency:
    """Terms of a dormant annex: whose signature opens it and after how many days it closes by itself."""

    opened_by: Opening
    open_days: int

    @property
    def open_for(self) -> timedelta:
        """Return how long the annex stays open after it was opened."""
        return timedelta(days=self.open_days)


@dataclass(frozen=True)
class Agreement:
    """A whole agreement, read from its canonical bytes and validated.

    Attributes
    ----------
    hash : str
        SHA-256 of the canonical bytes in hexadecimal: the name under which everyone knows the agreement.
    start_at, end_at : datetime
        In force in ``[start_at, end_at)``, aware UTC.
    texts : mapping of language to SHA-256
        Hash of the readable text in each language.
    """

    hash: str
    title: Mapping[str, str]
    instrument_reference: str
    instrument_on: date
    parties: tuple[Party, ...]
    purpose: str
    legal_basis: tuple[LegalBasis, ...]
    channels: tuple[Channel, ...]
    places: tuple[PlaceList, ...]
    retention_days: int
    onward_transfer: bool
    storage: Storage
    incident_notice_hours: int
    benefit_sharing: str
    start_at: datetime
    end_at: datetime
    renewal: str
    suspension: str
    notice_days: int
    survives: tuple[str, ...]
    disputes: str
    witnesses: int
    texts: Mapping[str, str]
    governing_language: str
    emergency: Emergency | None
    supersedes: str | None

    @cached_property
    def nodes(self) -> frozenset[str]:
        """The node ids of all parties."""
        return frozenset(party.node for party in self.parties)

    def party(self, node: str) -> Party | None:
        """Return the party with that node id, or None if it has not signed up to this agreement."""
        return next((party for party in self.parties if party.node == node), None)

    def channel(self, channel_id: str) -> Channel | None:
        """Return the channel with that id, or None."""
        return next((channel for channel in self.channels if channel.id == channel_id), None)

    def basis(self, country: str) -> LegalBasis | None:
        """Return the legal basis that was declared for `country`, or None."""
        return next((basis for basis in self.legal_basis if basis.country == country), None)

    def title_in(self, language: str) -> str:
        """Return the title in `language`, else in the governing language, else in any language there is."""
        return (
            self.title.get(language) or self.title.get(self.governing_language) or next(iter(self.title.values()), "")
        )

    def covers(self, place: str) -> bool:
        """Return whether `place` (an ISO 3166 code) is within the agreed list of places."""
        return any(_covers(code, place) for places in self.places for code in places.codes)


def _covers(pattern: str, place: str) -> bool:
    if not pattern.endswith("-*"):
        return place == pattern
    stem = pattern.removesuffix("-*")
    return place == stem or place.startswith(f"{stem}-")


def channel_members(channel: Channel) -> dict[str, object]:
    """Return the channel as the document spells it: what pillars and pages read of a channel."""
    members: dict[str, object] = {
        "id": channel.id,
        "clause": channel.clause,
        "from": sorted(channel.senders),
        "to": sorted(channel.receivers),
        "message": channel.message,
        "data_class": channel.data_class.value,
        "purpose": channel.purpose,
        "place_level": channel.place_level,
        "period": channel.period,
        "disclosure": [
            {
                "disease": rule.disease,
                "place_level": rule.place_level,
                "stratum": rule.stratum,
                "min_cell": rule.min_cell,
            }
            for rule in channel.disclosure
        ],
        "caps": {
            "envelopes_per_day": channel.caps.envelopes_per_day,
            "persons_per_year": channel.caps.persons_per_year,
        },
        "acceptance": channel.acceptance.value,
    }
    named = {"filing": channel.filing, "exemption": channel.exemption, "licence": channel.licence}
    return members | {name: value for name, value in named.items() if value is not None}
