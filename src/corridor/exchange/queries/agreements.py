"""Agreements, open channels and export counters, as people and pillars may see them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from corridor.accounts.actors import Actor
from corridor.accounts.roles import require
from corridor.exchange.models import Agreement as AgreementRow
from corridor.exchange.models import AgreementStatement, ExportCounter, Node, Partner
from corridor.exchange.queries import texts
from corridor.exchange.queries.lives import (
    channel_view,
    document_of,
    find,
    replay_of,
    signed_with_former_keys,
    unknown_messages,
)
from corridor.exchange.registry import ChannelView
from corridor.exchange.rules import counters as counter_rules
from corridor.exchange.rules.agreement import (
    AMENDABLE,
    Agreement,
    ClauseChange,
    Event,
    ForbiddenTransition,
    Kind,
    Life,
    State,
    advance,
    difference,
    parse_statement,
)
from corridor.exchange.rules.jurisdictions import Jurisdiction, jurisdictions

SEE = "exchange.see_agreements"


@dataclass(frozen=True, slots=True)
class PartyView:
    """One party: who it is, whether it signed and whether it holds a suspension."""

    node: str
    country: str
    legal_entity: str
    authority: str
    mandate: str
    signed_at: datetime | None
    is_suspending: bool
    is_own: bool
    # It lost all its keys since, and was pinned anew: its signature no longer counts.
    is_with_former_keys: bool


@dataclass(frozen=True, slots=True)
class StatementView:
    """One statement of a party, and what became of it: ``applied``, ``refused`` or ``waiting`` for an earlier one."""

    party: str
    sequence: int
    kind: str
    stated_at: datetime
    recorded_at: datetime
    effective_at: datetime | None
    outcome: str
    hash: str


@dataclass(frozen=True, slots=True)
class AgreementView:
    """One agreement with its state at the moment of asking.

    Attributes
    ----------
    document : Agreement
        The signed contents.
    may : frozenset of Kind
        What this node may state about it now.
    is_amendable : bool
    opened_until_at, ends_at : datetime or None
        Until when an emergency annex is open; when a stated termination takes effect.
    unknown_messages : tuple of str
        Messages of channels that name this node, in a version that it does not know; it cannot sign them.
    superseded_by : str
        Hash of the amendment that took its place, or that is on its way; empty without one.
    """

    document: Agreement
    signed_bytes: bytes
    state: State
    state_since_at: datetime
    parties: tuple[PartyView, ...]
    may: frozenset[Kind]
    is_amendable: bool
    opened_until_at: datetime | None
    ends_at: datetime | None
    superseded_by: str
    unknown_messages: tuple[str, ...]
    is_one_person: bool
    recorded_at: datetime

    @property
    def hash(self) -> str:
        """The name of the agreement."""
        return self.document.hash


@dataclass(frozen=True, slots=True)
class CounterView:
    """One export counter: how many persons of one class of sensitivity were counted in one year.

    Attributes
    ----------
    direction : str
        ``out`` for what this node sent, ``in`` for what it received and counted again.
    limit : int or None
        None where no limit is known.
    number : int
        By which commands call it.
    """

    number: int
    country: str
    sensitivity: str
    year: int
    direction: str
    persons: int
    limit: int | None
    standing: counter_rules.Standing
    is_closed: bool

    @property
    def sensitivity_text(self) -> str:
        """What the class of sensitivity is called, in the language of the page."""
        return str(texts.SENSITIVITIES.get(self.sensitivity, self.sensitivity))

    @property
    def share(self) -> float | None:
        """The part of the limit that is used, or None without one."""
        return None if not self.limit else self.persons / self.limit


def agreements(actor: Actor, *, now: datetime) -> list[AgreementView]:
    """Return every agreement, newest first."""
    require(actor, SEE)
    return [_view(row, now=now) for row in AgreementRow.objects.all()]


def agreement(actor: Actor, hash_: str, *, now: datetime) -> AgreementView:
    """Return the agreement whose hash begins with `hash_`.

    Raises
    ------
    NoSuchAgreement
    """
    require(actor, SEE)
    return _view(find(hash_), now=now)


def statements(actor: Actor, hash_: str) -> list[StatementView]:
    """Return what the parties stated about an agreement, in the order in which this node recorded it."""
    require(actor, SEE)
    row = find(hash_)
    replayed = replay_of(row)
    views = []
    for signed, recorded_at in (
        AgreementStatement.objects.filter(agreement=row).order_by("pk").values_list("signed", "recorded_at")
    ):
        statement = parse_statement(bytes(signed))
        refused, waits = statement.hash in replayed.forbidden, statement.hash in replayed.waiting
        views.append(
            StatementView(
                party=statement.party,
                sequence=statement.sequence,
                kind=statement.kind.value,
                stated_at=statement.stated_at,
                recorded_at=recorded_at,
                effective_at=statement.effective_at,
                outcome="refused" if refused else "waiting" if waits else "applied",
                hash=statement.hash,
            )
        )
    return views


def changes(actor: Actor, hash_: str) -> tuple[AgreementView | None, list[ClauseChange]]:
    """Return the version that an amendment supersedes and every clause that differs; None and nothing without one."""
    require(actor, SEE)
    row = find(hash_)
    old = AgreementRow.objects.filter(hash=row.supersedes).first() if row.supersedes else None
    if old is None:
        return None, []
    return _view(old, now=row.recorded_at), difference(bytes(old.document), bytes(row.document))


def channels_open(*, actor: Actor, schema: str, now: datetime) -> list[ChannelView]:
    """Return the channels in force on which this node may send messages of `schema`."""
    require(actor, SEE)
    own = _own()
    found = []
    for row in AgreementRow.objects.exclude(state=State.DRAFT):
        document = document_of(row)
        fitting = [each for each in document.channels if each.message == schema and own in each.senders]
        if fitting and replay_of(row).life.state(now) is State.IN_FORCE:
            former = signed_with_former_keys(row)
            for channel in fitting:
                view = channel_view(document, channel, own=own)
                found.append(replace(view, partners=tuple(node for node in view.partners if node not in former)))
    return found


def counters(actor: Actor, *, now: datetime) -> list[CounterView]:
    """Return the export counters of this year and the last, by country, with their limits."""
    require(actor, "exchange.see_crossings")
    is_owed = Partner.objects.filter(owed__in=(Partner.Owed.UNHEARD, Partner.Owed.RETURNS)).exists()
    views = []
    for row in ExportCounter.objects.filter(year__gte=now.year - 1).order_by("-year", "rule", "direction"):
        country, _, sensitivity = row.rule.partition(":")
        if country not in jurisdictions():
            continue
        views.append(
            CounterView(
                number=row.pk,
                country=country,
                sensitivity=sensitivity,
                year=row.year,
                direction=row.direction,
                persons=row.persons,
                limit=row.limit,
                standing=counter_rules.standing(row.persons, limit=row.limit),
                is_closed=row.is_closed or (row.direction == "out" and is_owed),
            )
        )
    return views


def known_law(actor: Actor) -> list[Jurisdiction]:
    """Return the rules of each country that were read, with what is open; guidance, no legal advice."""
    require(actor, SEE)
    return [jurisdictions()[country] for country in sorted(jurisdictions())]


def _view(row: AgreementRow, *, now: datetime) -> AgreementView:
    document = document_of(row)
    life = replay_of(row).life
    own, former = _own(), signed_with_former_keys(row)
    signed_at = dict(row.signatures.values_list("node_id", "signed_at"))
    state = life.state(now)
    successor = AgreementRow.objects.filter(supersedes=row.hash).exclude(state=State.DRAFT).order_by("pk").last()
    return AgreementView(
        document=document,
        signed_bytes=bytes(row.document),
        state=state,
        state_since_at=row.state_since_at,
        parties=tuple(
            PartyView(
                node=party.node,
                country=party.country,
                legal_entity=party.legal_entity,
                authority=party.authority,
                mandate=party.mandate,
                signed_at=signed_at.get(party.node) if party.node in life.signed_by else None,
                is_suspending=party.node in life.suspended_by,
                is_own=party.node == own,
                is_with_former_keys=party.node in former,
            )
            for party in document.parties
        ),
        may=frozenset(kind for kind in Kind if _may(life, kind, own, now)),
        is_amendable=state in AMENDABLE,
        opened_until_at=life.opened_until_at,
        ends_at=life.ends_at,
        superseded_by=successor.hash if successor else "",
        unknown_messages=unknown_messages(document, own=own),
        is_one_person=row.is_one_person,
        recorded_at=row.recorded_at,
    )


def _may(life: Life, kind: Kind, own: str, now: datetime) -> bool:
    try:
        advance(life, Event(kind=kind, party=own, stated_at=now, recorded_at=now))
    except ForbiddenTransition:
        return False
    return True


def _own() -> str:
    node = Node.objects.first()
    return node.node_id if node else ""
