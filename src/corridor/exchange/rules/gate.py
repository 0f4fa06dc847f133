"""The gate: one pure decision whether an envelope may cross, the same on both sides.

It runs when an envelope is queued, when it is claimed for sending, and on receipt. Nothing that the envelope claims is
believed: class, persons and cells are taken from the body.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol

from corridor.base.disclosure import Cell, place_level, rule_for, stratum_kind
from corridor.exchange.rules.agreement import Agreement, Channel, State, Storage
from corridor.exchange.rules.classes import DataClass
from corridor.exchange.rules.counters import CounterKey, reached_limits
from corridor.exchange.rules.envelope import Header
from corridor.exchange.rules.jurisdictions import Effect, Jurisdiction
from corridor.exchange.rules.reasons import Reason

EARLY = timedelta(hours=2)
"""An envelope that comes up to this long before the start is asked to come again: clocks differ."""


CLOCKS_DIFFER = timedelta(minutes=10)
"""By how much the receiver's clock at its commit may differ from the sender's at claiming, the way included."""


def counting_days(now: datetime) -> tuple[date, ...]:
    """Return the days (UTC) to which a receiver may count what is claimed `now`: two near midnight, else one."""
    return tuple(sorted({(now - CLOCKS_DIFFER).date(), (now + CLOCKS_DIFFER).date()}))


def counted_no_more_at(day: date) -> datetime:
    """Return from when on nothing that is claimed can be counted to `day` any more."""
    return datetime.combine(day + timedelta(days=1), time(), UTC) + CLOCKS_DIFFER


class BodyLike(Protocol):
    """What the gate reads of a body (`exchange.messages.Message`)."""

    @classmethod
    def schema_id(cls) -> str:
        """Return message type and version."""

    def computed_class(self) -> DataClass:
        """Return the highest class among the fields that hold something."""

    def persons(self) -> int:
        """Return how many single persons the body concerns."""

    def cells(self) -> Sequence[Cell]:
        """Return its figures."""

    def named_places(self) -> Sequence[str]:
        """Return the places that it is about, those without a figure too."""

    def person_identifiers(self) -> Sequence[str]:
        """Return one identifier for each person that has a stable one."""


@dataclass(frozen=True)
class GateState:
    """What the database knows, read under the lock of the agreement's row.

    Attributes
    ----------
    own_node : str
    state : State
        The agreement's state at ``now``.
    revoked : frozenset of str
        Nodes of the agreement whose signing key is revoked or whose partnership is paused.
    is_disputed : bool
        Whether an open dispute halts exchange under this agreement.
    envelopes_today : int
        Envelopes of this sender on this channel since midnight UTC, this one not included. Where this node is the
        sender: on the fullest of the days on which the receiver may count this one (`counting_days`).
    channel_persons : int
        Distinct persons of this sender on this channel in the calendar year (UTC), those of this body included.
    counted : mapping of CounterKey to int
        Distinct persons in each counter that this body touches, those of the body included.
    closed_counters : frozenset of CounterKey
        Counters that could not be rebuilt after a restore.
    unreleasable : int
        Withheld cells that releasing this body would give away, as the release ledger finds.
    is_ledger_whole : bool
        False while partners still have to return what this node released and lost with a restore.
    """

    own_node: str
    state: State
    revoked: frozenset[str] = frozenset()
    is_disputed: bool = False
    envelopes_today: int = 0
    channel_persons: int = 0
    counted: Mapping[CounterKey, int] = field(default_factory=dict)
    closed_counters: frozenset[CounterKey] = frozenset()
    unreleasable: int = 0
    is_ledger_whole: bool = True


@dataclass(frozen=True)
class Allowed:
    """The envelope may cross on this channel."""

    channel: Channel


@dataclass(frozen=True)
class Refused:
    """The envelope may not cross."""

    reason: Reason


@dataclass(frozen=True)
class Retry:
    """Not yet: nothing is written, the sender comes again."""

    reason: Reason


def decide(
    header: Header,
    body: BodyLike | None,
    agreement: Agreement | None,
    state: GateState,
    rules: Mapping[str, Jurisdiction],
    now: datetime,
) -> Allowed | Refused | Retry:
    """Return whether the envelope may cross now.

    Parameters
    ----------
    header : Header
        The signed header.
    body : BodyLike or None
        The body; None judges the header alone, before an encrypted body is opened.
    agreement : Agreement or None
        The agreement that the header names, or None if this node knows none of that hash.
    state : GateState
        What the database knows.
    rules : mapping of country to Jurisdiction
    now : datetime
        The clock of the node that decides, at its commit.
    """
    if agreement is None or header.agreement != agreement.hash:
        return Refused(Reason.NO_AGREEMENT)
    if state.state is State.SIGNED_BY_ALL and now < agreement.start_at:
        return Retry(Reason.NOT_STARTED) if agreement.start_at - now <= EARLY else Refused(Reason.NOT_STARTED)
    reason = _CLOSED_BY.get(state.state) or _trust(header, state)
    if reason is not None:
        return Refused(reason)
    channel = agreement.channel(header.channel)
    if channel is None:
        return Refused(Reason.NO_CHANNEL)
    case = _Case(header, body, agreement, channel, state, rules)
    for check in _HEADER_CHECKS if body is None else _ALL_CHECKS:
        reason = check(case)
        if reason is not None:
            return Refused(reason)
    # Over the cap of a day the receiver refuses for good; the sender, who can, waits for the next day.
    if _is_sender(case) and _is_cap_reached(case):
        return Retry(Reason.ENVELOPE_CAP)
    return Allowed(channel)


_CLOSED_BY: Mapping[State, Reason] = {
    State.DRAFT: Reason.NO_AGREEMENT,
    State.PROPOSED: Reason.NOT_SIGNED_BY_ALL,
    State.SIGNED_BY_SOME: Reason.NOT_SIGNED_BY_ALL,
    State.SIGNED_BY_ALL: Reason.NOT_STARTED,
    State.DORMANT: Reason.DORMANT,
    State.SUSPENDED: Reason.SUSPENDED,
    State.SUPERSEDED: Reason.SUPERSEDED,
    State.EXPIRED: Reason.EXPIRED,
    State.TERMINATED: Reason.TERMINATED,
}


@dataclass(frozen=True)
class _Case:
    header: Header
    body: BodyLike | None
    agreement: Agreement
    channel: Channel
    state: GateState
    rules: Mapping[str, Jurisdiction]

    @property
    def sender_country(self) -> str:
        party = self.agreement.party(self.header.from_)
        return "" if party is None else party.country

    @property
    def receiver_country(self) -> str:
        party = self.agreement.party(self.header.to)
        return "" if party is None else party.country

    @property
    def filing(self) -> str | None:
        basis = self.agreement.basis(self.sender_country)
        return self.channel.filing or (basis.filing if basis else None)

    @property
    def exemption(self) -> str | None:
        basis = self.agreement.basis(self.sender_country)
        return self.channel.exemption or (basis.exemption if basis else None)


def _trust(header: Header, state: GateState) -> Reason | None:
    if header.from_ in state.revoked or header.to in state.revoked:
        return Reason.KEY_REVOKED
    return Reason.DISPUTE if state.is_disputed else None


def _parties(case: _Case) -> Reason | None:
    header, nodes = case.header, case.agreement.nodes
    if header.from_ not in nodes or header.to not in nodes:
        return Reason.NOT_A_PARTY
    if case.state.own_node not in (header.from_, header.to):
        return Reason.WRONG_RECIPIENT
    in_direction = header.from_ in case.channel.senders and header.to in case.channel.receivers
    return None if in_direction and header.from_ != header.to else Reason.WRONG_DIRECTION


def _subject(case: _Case) -> Reason | None:
    if case.header.schema != case.channel.message:
        return Reason.WRONG_MESSAGE_TYPE
    if case.header.purpose != case.channel.purpose:
        return Reason.WRONG_PURPOSE
    return None


def _claimed_class(case: _Case) -> Reason | None:
    # The body's own class is compared with this claim as soon as there is a body.
    data_class = case.header.data_class
    if data_class.rank > case.channel.data_class.rank:
        return Reason.CLASS_ABOVE_CHANNEL
    if data_class.travels_sealed and case.header.body_kind != "sealed":
        return Reason.NOT_SEALED
    if data_class is DataClass.GENETIC and not case.channel.licence:
        return Reason.NO_LICENCE
    return None


def _storage(case: _Case) -> Reason | None:
    # What may only be viewed travels sealed, whatever its class: its key is destroyed when the time to view it is over,
    # while an open body would lie in the inbox's database and in every backup of it.
    is_open = case.header.body_kind != "sealed"
    return Reason.VIEW_ONLY if is_open and case.agreement.storage is Storage.VIEW_ONLY else None


def _envelope_cap(case: _Case) -> Reason | None:
    return Reason.ENVELOPE_CAP if not _is_sender(case) and _is_cap_reached(case) else None


def _is_sender(case: _Case) -> bool:
    return case.header.from_ == case.state.own_node


def _is_cap_reached(case: _Case) -> bool:
    return case.state.envelopes_today >= case.channel.caps.envelopes_per_day


def _body_is_what_it_says(case: _Case) -> Reason | None:
    body = _body(case)
    if body.schema_id() != case.header.schema:
        return Reason.WRONG_MESSAGE_TYPE
    data_class, persons = body.computed_class(), body.persons()
    if case.header.data_class is not data_class:
        return Reason.CLASS_MISLABELLED
    if case.header.persons != persons or len(set(body.person_identifiers())) > persons:
        return Reason.PERSONS_MISLABELLED
    # Single persons in a body whose fields claim to be counts are mislabelled fields.
    if persons and not data_class.counts_persons:
        return Reason.PERSONS_MISLABELLED
    return None


def _places(case: _Case) -> Reason | None:
    for place in _body(case).named_places():
        if not case.agreement.covers(place):
            return Reason.PLACE_CLOSED
        if place.partition("-")[0] != case.sender_country and not case.agreement.onward_transfer:
            return Reason.ONWARD_TRANSFER
    return None


def _cells(case: _Case) -> Reason | None:
    return next(_refused_cells(case), None)


def _refused_cells(case: _Case) -> Iterator[Reason]:
    for cell in _body(case).cells():
        reason = _cell(case, cell)
        if reason is not None:
            yield reason


def _cell(case: _Case, cell: Cell) -> Reason | None:
    channel = case.channel
    if channel.period and not _is_period(cell, channel.period):
        return Reason.PERIOD_CLOSED
    level = place_level(cell.place)
    rule = rule_for(channel.disclosure, disease=cell.disease, place_level=level, stratum=stratum_kind(cell.stratum))
    if rule is None:
        return Reason.STRATUM_CLOSED
    # Only the channel's own level is open, unless a rule of that very disease gives another.
    if level != channel.place_level and rule.disease == "*":
        return Reason.STRATUM_CLOSED
    if cell.value is not None and 0 < cell.value < rule.min_cell:
        return Reason.CELL_BELOW_RULE
    return Reason.MALFORMED if cell.value is not None and cell.value < 0 else None


def _ledger(case: _Case) -> Reason | None:
    if not case.state.is_ledger_whole:
        return Reason.RETURNS_OWED
    return Reason.LEDGER_WAITS if case.state.unreleasable else None


def _person_cap(case: _Case) -> Reason | None:
    if not _body(case).persons():
        return None
    return Reason.PERSON_CAP if case.state.channel_persons > case.channel.caps.persons_per_year else None


def _law(case: _Case) -> Reason | None:
    body = _body(case)
    jurisdiction = case.rules.get(case.sender_country)
    if not body.persons() or jurisdiction is None:
        return None
    if case.state.closed_counters:
        return Reason.COUNTERS_CLOSED
    data_class = body.computed_class()
    if jurisdiction.rules_for(data_class, Effect.LICENCE) and not case.channel.licence:
        return Reason.NO_LICENCE
    needs_filing = bool(jurisdiction.rules_for(data_class, Effect.FILING))
    if needs_filing and not case.filing and not case.exemption:
        return Reason.NO_FILING
    reached = reached_limits(
        case.state.counted, jurisdiction=jurisdiction, filing=case.filing, exemption=case.exemption
    )
    return Reason.EXPORT_LIMIT if reached else None


def _is_period(cell: Cell, period: str) -> bool:
    days = (cell.period_end - cell.period_start).days
    if period == "day":
        return days == 1
    if period == "week":
        return days == 7
    start, end = cell.period_start, cell.period_end
    if period == "month":
        return start.day == 1 == end.day and 28 <= days <= 31
    return (start.month, start.day) == (1, 1) == (end.month, end.day) and 365 <= days <= 366


def _body(case: _Case) -> BodyLike:
    if case.body is None:
        raise AssertionError("a check of the body runs only where there is one")
    return case.body


_HEADER_CHECKS: tuple[Callable[[_Case], Reason | None], ...] = (
    _parties,
    _subject,
    _claimed_class,
    _storage,
    _envelope_cap,
)
_ALL_CHECKS = (*_HEADER_CHECKS, _body_is_what_it_says, _places, _cells, _ledger, _person_cap, _law)
