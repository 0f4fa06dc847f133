"""The life of an agreement: which statement of which party its state allows, and what the state is at a moment.

A life is built by replaying signed statements. Every part of it is either a set by party (signatures, suspensions,
activations, terminations) or a moment, so that both sides come to the same state although their statements cross on
the way. What only the clock brings (start, end, the closing of an emergency annex) is never written, only read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from corridor.base.errors import Refused
from corridor.exchange.rules.agreement.document import Agreement, Opening


class State(StrEnum):
    """Where an agreement stands.

    Notes
    -----
    `SIGNED_BY_ALL` is the wait between the last signature and the agreed start.
    """

    DRAFT = "draft"
    PROPOSED = "proposed"
    SIGNED_BY_SOME = "signed-by-some"
    SIGNED_BY_ALL = "signed-by-all"
    IN_FORCE = "in-force"
    DORMANT = "dormant"
    SUSPENDED = "suspended"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"
    TERMINATED = "terminated"


class Kind(StrEnum):
    """What a party states about an agreement."""

    PROPOSAL = "proposal"
    SIGNATURE = "signature"
    ACTIVATION = "activation"
    SUSPENSION = "suspension"
    RESUMPTION = "resumption"
    TERMINATION = "termination"

    @property
    def overtakes(self) -> bool:
        """Return whether the statement holds at once, even if an earlier one of the same party is still on its way."""
        return self in (Kind.SUSPENSION, Kind.TERMINATION)


# Which states allow which statement. What depends on who states it (only the party that suspended may resume) is in
# `_is_spent`.
ALLOWED: Mapping[Kind, frozenset[State]] = {
    Kind.PROPOSAL: frozenset({State.DRAFT}),
    Kind.SIGNATURE: frozenset({State.PROPOSED, State.SIGNED_BY_SOME}),
    Kind.ACTIVATION: frozenset({State.DORMANT}),
    Kind.SUSPENSION: frozenset({State.SIGNED_BY_ALL, State.IN_FORCE, State.DORMANT, State.SUSPENDED}),
    Kind.RESUMPTION: frozenset({State.SUSPENDED}),
    Kind.TERMINATION: frozenset(
        {
            State.PROPOSED,
            State.SIGNED_BY_SOME,
            State.SIGNED_BY_ALL,
            State.IN_FORCE,
            State.DORMANT,
            State.SUSPENDED,
        }
    ),
}

# States in which an amendment may still replace an agreement.
AMENDABLE = frozenset({State.SIGNED_BY_ALL, State.IN_FORCE, State.DORMANT, State.SUSPENDED})

_HINTS: Mapping[Kind, str] = {
    Kind.PROPOSAL: "it was proposed already; draft an amendment to change it",
    Kind.SIGNATURE: "only a proposed agreement can be signed, once by each party",
    Kind.ACTIVATION: "only a dormant emergency annex can be opened, once by each party",
    Kind.SUSPENSION: "only an agreement that all parties signed can be suspended, once by each party",
    Kind.RESUMPTION: "only the party that suspended may lift its own suspension",
    Kind.TERMINATION: "what has ended cannot be ended again",
}


class ForbiddenTransition(Refused):
    """The state of the agreement does not allow this statement of this party; the state stays as it is."""

    code: ClassVar[str] = "forbidden-transition"

    def __init__(self, *, kind: Kind, party: str, state: State) -> None:
        self.kind = kind
        self.party = party
        self.state = state
        super().__init__(
            f"{kind.value} by {party} is not possible while the agreement is {state.value}: {_HINTS[kind]}"
        )


@dataclass(frozen=True)
class Event:
    """One statement as it takes effect.

    Attributes
    ----------
    stated_at : datetime
        The author's claim.
    recorded_at : datetime
        The clock of the node that replays it, at its commit; this one decides.
    effective_at : datetime or None
        For a termination: when it takes effect.
    """

    kind: Kind
    party: str
    stated_at: datetime
    recorded_at: datetime
    effective_at: datetime | None = None


@dataclass(frozen=True)
class Life:
    """What the parties have stated about one agreement so far.

    Attributes
    ----------
    complete_at : datetime or None
        When the last party's signature was recorded.
    activations : tuple of (party, datetime)
        Openings of an emergency annex that are not yet enough.
    opened_until_at : datetime or None
        Until when an emergency annex is or was open.
    ends_at : datetime or None
        When a stated termination takes effect; the earliest of several.
    superseded_at : datetime or None
        When an amendment took this one's place.
    """

    agreement: Agreement
    is_proposed: bool = False
    signed_by: frozenset[str] = frozenset()
    complete_at: datetime | None = None
    suspended_by: frozenset[str] = frozenset()
    activations: tuple[tuple[str, datetime], ...] = ()
    opened_until_at: datetime | None = None
    terminated_by: frozenset[str] = frozenset()
    ends_at: datetime | None = None
    superseded_at: datetime | None = None

    def state(self, at: datetime) -> State:
        """Return the state at the moment `at`; an ending beats a suspension, and a suspension beats everything open."""
        ended = self._ended(at)
        if ended is not None:
            return ended
        if not self.is_proposed:
            return State.DRAFT
        if self.complete_at is None:
            return State.SIGNED_BY_SOME if self.signed_by else State.PROPOSED
        if self.suspended_by:
            return State.SUSPENDED
        if at < self.agreement.start_at:
            return State.SIGNED_BY_ALL
        if self.agreement.emergency is not None and not self._is_open(at):
            return State.DORMANT
        return State.IN_FORCE

    def unsigned(self) -> frozenset[str]:
        """Return the parties that have not signed yet."""
        return self.agreement.nodes - self.signed_by

    def _ended(self, at: datetime) -> State | None:
        if self.ends_at is not None and at >= self.ends_at:
            return State.TERMINATED
        if self.superseded_at is not None and at >= self.superseded_at:
            return State.SUPERSEDED
        if self.is_proposed and at >= self.agreement.end_at:
            return State.EXPIRED
        return None

    def _is_open(self, at: datetime) -> bool:
        return self.opened_until_at is not None and at < self.opened_until_at


def advance(life: Life, event: Event) -> Life:
    """Return the life after `event`.

    Raises
    ------
    ForbiddenTransition
        If the state at ``event.recorded_at`` does not allow it; nothing changes.
    """
    state = life.state(event.recorded_at)
    if event.party not in life.agreement.nodes or state not in ALLOWED[event.kind] or _is_spent(life, event):
        raise ForbiddenTransition(kind=event.kind, party=event.party, state=state)
    return _EFFECTS[event.kind](life, event)


def _is_spent(life: Life, event: Event) -> bool:
    """Return whether this party has said this already, or lifts what it never laid on."""
    party = event.party
    if event.kind is Kind.SIGNATURE:
        return party in life.signed_by
    if event.kind is Kind.SUSPENSION:
        return party in life.suspended_by
    if event.kind is Kind.RESUMPTION:
        return party not in life.suspended_by
    if event.kind is Kind.TERMINATION:
        return party in life.terminated_by
    if event.kind is Kind.ACTIVATION:
        return party in {name for name, _ in _standing_activations(life, event.recorded_at)}
    return False


def _propose(life: Life, _: Event) -> Life:
    return replace(life, is_proposed=True)


def _sign(life: Life, event: Event) -> Life:
    signed_by = life.signed_by | {event.party}
    is_complete = signed_by == life.agreement.nodes
    return replace(life, signed_by=signed_by, complete_at=event.recorded_at if is_complete else None)


def _suspend(life: Life, event: Event) -> Life:
    return replace(life, suspended_by=life.suspended_by | {event.party})


def _resume(life: Life, event: Event) -> Life:
    return replace(life, suspended_by=life.suspended_by - {event.party})


def _terminate(life: Life, event: Event) -> Life:
    # Before all have signed a termination is a withdrawal and needs no notice.
    at_once = life.complete_at is None or event.effective_at is None
    effective_at = event.recorded_at if at_once or event.effective_at is None else event.effective_at
    ends_at = effective_at if life.ends_at is None else min(life.ends_at, effective_at)
    return replace(life, terminated_by=life.terminated_by | {event.party}, ends_at=ends_at)


def _activate(life: Life, event: Event) -> Life:
    emergency = life.agreement.emergency
    if emergency is None:
        raise ForbiddenTransition(kind=event.kind, party=event.party, state=life.state(event.recorded_at))
    # Backdating shortens the opening and postdating does not lengthen it.
    opened_at = min(event.stated_at, event.recorded_at)
    activations = (*_standing_activations(life, event.recorded_at), (event.party, opened_at))
    needed = 1 if emergency.opened_by is Opening.ONE_PARTY else len(life.agreement.nodes)
    if len(activations) < needed:
        return replace(life, activations=activations)
    return replace(life, activations=(), opened_until_at=max(at for _, at in activations) + emergency.open_for)


def _standing_activations(life: Life, at: datetime) -> tuple[tuple[str, datetime], ...]:
    """Return the openings that have not lapsed: one waits for the others as long as the annex would stay open."""
    emergency = life.agreement.emergency
    if emergency is None:
        return ()
    return tuple((party, since) for party, since in life.activations if at < since + emergency.open_for)


_EFFECTS = {
    Kind.PROPOSAL: _propose,
    Kind.SIGNATURE: _sign,
    Kind.ACTIVATION: _activate,
    Kind.SUSPENSION: _suspend,
    Kind.RESUMPTION: _resume,
    Kind.TERMINATION: _terminate,
}
