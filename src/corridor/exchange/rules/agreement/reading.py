"""Read an agreement from bytes that must be canonical, and name every fault by its JSON pointer."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, ClassVar

from corridor.base.disclosure import DisclosureRule
from corridor.base.members import Fault, FaultyDocument, Members
from corridor.exchange.rules.agreement.document import (
    LANGUAGES,
    SCHEMA,
    Acceptance,
    Agreement,
    Caps,
    Channel,
    Emergency,
    LegalBasis,
    Opening,
    Party,
    PlaceList,
    Storage,
)
from corridor.exchange.rules.canonical import parse_canonical, sha256_hex
from corridor.exchange.rules.classes import DataClass
from corridor.exchange.rules.versions import check_version

MAX_BYTES = 1_048_576
PLACE_LEVELS = ("country", "admin1", "admin2")
PERIODS = ("day", "week", "month", "year")

_NODE = re.compile(r"[a-z]{2}(\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?){1,6}")
_COUNTRY = re.compile(r"[A-Z]{2}")
_MESSAGE = re.compile(r"[a-z][a-z-]{0,40}\.[a-z][a-z0-9-]{0,60}/[1-9][0-9]{0,3}")
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,78}[a-z0-9])?")
_PLACE = re.compile(r"[A-Z]{2}(-[A-Za-z0-9]{1,12}){0,3}(-\*)?")
_HASH = re.compile(r"[0-9a-f]{64}")
_STRATUM = re.compile(r"total|[a-z][a-z0-9-]{0,40}")
_DISEASE = re.compile(r"\*|[a-z0-9](?:[a-z0-9-]{0,60}[a-z0-9])?")


class MalformedAgreement(FaultyDocument):
    """The document is no agreement of this schema; every fault is listed with its JSON pointer."""

    code: ClassVar[str] = "malformed-agreement"
    noun: ClassVar[str] = "agreement"


def agreement_hash(document: bytes) -> str:
    """Return the SHA-256 of the canonical bytes in hexadecimal, the name of the agreement."""
    return sha256_hex(document)


def read_agreement(document: bytes) -> Agreement:
    """Return the agreement that `document` holds.

    Parameters
    ----------
    document : bytes
        Canonical JSON (RFC 8785), at most 1 MiB.

    Raises
    ------
    MalformedAgreement
        If the schema is broken anywhere; all faults are listed.
    UnknownVersion
        If the document is an agreement of another version.
    InputFault
        If the bytes are not canonical JSON (raised by `rules.canonical`).
    """
    if len(document) > MAX_BYTES:
        raise MalformedAgreement((Fault("", f"expected at most {MAX_BYTES} bytes, came {len(document)}"),))
    value = parse_canonical(document)
    if isinstance(value, dict):
        check_version(value.get("schema"), known=SCHEMA, what="an agreement")
    root = Members.of(value)
    agreement = _agreement(root, agreement_hash(document))
    _check_whole(root, agreement)
    root.done()
    if root.faults:
        raise MalformedAgreement(tuple(root.faults))
    return agreement


def _agreement(root: Members, name: str) -> Agreement:
    root.choice("schema", (SCHEMA,))
    instrument = root.members("instrument")
    title = instrument.texts("title", LANGUAGES)
    termination = root.members("termination")
    agreement = Agreement(
        hash=name,
        title=title,
        instrument_reference=instrument.text("reference"),
        instrument_on=_date(instrument, "date"),
        parties=tuple(_party(item) for item in root.items("parties", at_least=2)),
        purpose=root.text("purpose"),
        legal_basis=tuple(_basis(item) for item in root.items("legal_basis")),
        channels=tuple(_channel(item) for item in root.items("channels", at_least=1)),
        places=tuple(_places(item) for item in root.items("places", at_least=1)),
        retention_days=root.whole("retention_days", least=0, most=36_500),
        onward_transfer=root.flag("onward_transfer"),
        storage=Storage(root.choice("storage", [member.value for member in Storage])),
        incident_notice_hours=root.whole("incident_notice_hours", least=1, most=8_760),
        benefit_sharing=root.text("benefit_sharing"),
        start_at=_moment(root, "start_at"),
        end_at=_moment(root, "end_at"),
        renewal=root.text("renewal"),
        suspension=root.text("suspension"),
        notice_days=termination.whole("notice_days", least=0, most=3_650),
        survives=tuple(root.strings("survives")),
        disputes=root.text("disputes"),
        witnesses=root.whole("witnesses", least=0, most=0),
        texts=_text_hashes(root),
        governing_language=root.choice("governing_language", LANGUAGES),
        emergency=_emergency(root),
        supersedes=root.optional("supersedes", pattern=_HASH),
    )
    instrument.done()
    termination.done()
    return agreement


def _party(item: Members) -> Party:
    party = Party(
        node=item.text("node", pattern=_NODE),
        country=item.text("country", pattern=_COUNTRY),
        legal_entity=item.text("legal_entity"),
        authority=item.text("authority"),
        mandate=item.text("mandate"),
    )
    if party.node and party.country and not party.node.startswith(f"{party.country.lower()}."):
        item.fault("country", f"expected the country that the node id begins with, came {party.country}")
    item.done()
    return party


def _basis(item: Members) -> LegalBasis:
    basis = LegalBasis(
        country=item.text("country", pattern=_COUNTRY),
        basis=item.text("basis"),
        filing=item.optional("filing"),
        exemption=item.optional("exemption"),
    )
    item.done()
    return basis


def _channel(item: Members) -> Channel:
    caps = item.members("caps")
    channel = Channel(
        id=item.text("id", pattern=_SLUG),
        clause=item.text("clause"),
        senders=frozenset(item.strings("from", pattern=_NODE, at_least=1)),
        receivers=frozenset(item.strings("to", pattern=_NODE, at_least=1)),
        message=item.text("message", pattern=_MESSAGE),
        data_class=DataClass(item.choice("data_class", [member.value for member in DataClass])),
        purpose=item.text("purpose", pattern=_SLUG),
        place_level=item.choice("place_level", PLACE_LEVELS, absent=""),
        period=item.choice("period", PERIODS, absent=""),
        disclosure=(),
        caps=Caps(
            envelopes_per_day=caps.whole("envelopes_per_day", least=0, most=10_000_000),
            persons_per_year=caps.whole("persons_per_year", least=0, most=1_000_000_000),
        ),
        acceptance=Acceptance(item.choice("acceptance", [member.value for member in Acceptance])),
        filing=item.optional("filing", absent_allowed=True),
        exemption=item.optional("exemption", absent_allowed=True),
        licence=item.optional("licence", absent_allowed=True),
    )
    caps.done()
    rules = tuple(_disclosure(rule, channel.place_level) for rule in item.items("disclosure", absent_allowed=True))
    if len(channel.senders | channel.receivers) < 2:
        item.fault("to", "expected a receiver other than the sender")
    item.done()
    return Channel(**{**vars(channel), "disclosure": rules})


def _disclosure(item: Members, place_level: str) -> DisclosureRule:
    rule = DisclosureRule(
        disease=item.text("disease", pattern=_DISEASE),
        place_level=item.choice("place_level", PLACE_LEVELS, absent=place_level or PLACE_LEVELS[1]),
        stratum=item.text("stratum", pattern=_STRATUM),
        min_cell=item.whole("min_cell", least=1, most=1_000_000, fallback=1),
    )
    item.done()
    return rule


def _places(item: Members) -> PlaceList:
    places = PlaceList(base_map=item.text("base_map"), codes=tuple(item.strings("codes", pattern=_PLACE, at_least=1)))
    item.done()
    return places


def _emergency(root: Members) -> Emergency | None:
    if root.is_null("emergency"):
        return None
    item = root.members("emergency")
    if not item.flag("dormant"):
        item.fault("dormant", "expected true: an emergency annex begins dormant")
    emergency = Emergency(
        opened_by=Opening(item.choice("opened_by", [member.value for member in Opening])),
        open_days=item.whole("open_days", least=1, most=365, fallback=1),
    )
    item.done()
    return emergency


def _text_hashes(root: Members) -> Mapping[str, str]:
    return root.texts("texts", LANGUAGES, pattern=_HASH)


def _date(item: Members, key: str) -> date:
    text = item.text(key)
    try:
        return date.fromisoformat(text) if len(text) == 10 else _bad_date(item, key)
    except ValueError:
        return _bad_date(item, key)


def _bad_date(item: Members, key: str) -> date:
    item.fault(key, "expected a date such as 2026-11-23")
    return date(1970, 1, 1)


def _moment(item: Members, key: str) -> datetime:
    text = item.text(key)
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        item.fault(key, "expected a UTC time such as 2026-11-23T00:00:00Z")
        return datetime(1970, 1, 1, tzinfo=UTC)


def _check_whole(root: Members, agreement: Agreement) -> None:
    """Add the faults that only show when several members are read together."""
    nodes = [party.node for party in agreement.parties]
    _distinct(root, "parties", nodes)
    _distinct(root, "channels", [channel.id for channel in agreement.channels])
    countries = {party.country for party in agreement.parties if party.country}
    declared = [basis.country for basis in agreement.legal_basis]
    _distinct(root, "legal_basis", declared)
    for country in sorted(countries - set(declared)):
        root.fault("legal_basis", f"expected the legal basis of {country}, which is a party's country")
    for country in sorted(set(declared) - countries - {""}):
        root.fault("legal_basis", f"{country} is no party's country")
    for index, channel in enumerate(agreement.channels):
        for node in sorted((channel.senders | channel.receivers) - set(nodes)):
            root.fault(f"channels/{index}", f"{node} is no party; channels join parties only")
        if channel.data_class is DataClass.AGGREGATE and not channel.place_level:
            root.fault(f"channels/{index}/place_level", "expected one geographic level for an aggregate channel")
        if channel.data_class.counts_persons and not channel.caps.persons_per_year:
            root.fault(
                f"channels/{index}/caps/persons_per_year",
                f"expected at least 1 for class {channel.data_class.value}, else nothing can cross",
            )
    if agreement.end_at <= agreement.start_at:
        root.fault("end_at", "expected a time after start_at")
    if agreement.governing_language not in agreement.texts:
        root.fault("texts", f"expected the hash of the text in the governing language {agreement.governing_language}")


def _distinct(root: Members, key: str, values: list[Any]) -> None:
    for index, value in enumerate(values):
        if value and value in values[:index]:
            root.fault(f"{key}/{index}", f"{value} appears twice")
