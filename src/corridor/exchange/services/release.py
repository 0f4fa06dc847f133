"""The database side of the suppression ledger: what this node has released, to anyone, under any agreement.

One ledger holds all of it, because partners talk to each other. It is read and written under the lock of the node's
row, in the transaction that queues the envelope.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from django.db.models import Q

from corridor.base.disclosure import Breach, Cell, Ledger, Scope
from corridor.base.errors import Refused
from corridor.exchange.messages import Message
from corridor.exchange.models import Crossing, HandRelease, Node, Partner, ReleasedCell
from corridor.exchange.rules.envelope import Header
from corridor.exchange.rules.release import unanswered


class ReturnsOwed(Refused):
    """Figures wait: partners still have to return what this node released and lost with a restore."""

    code = "returns-owed"


@dataclass(frozen=True, slots=True)
class ByHand:
    """The yes of two persons to figures that the ledger holds back.

    Attributes
    ----------
    first, second : str
        Who asked, and who allowed it.
    reason : str
    agreed : tuple of Cell
        What they let a partner work out of withheld figures (`rules.release.concessions`).
    """

    first: str
    second: str
    reason: str
    agreed: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Terms:
    """What the ledger must know of a message beside its body.

    Attributes
    ----------
    says : tuple of Cell
        What a reader takes from the message of figures that it does not carry, such as the least count that an alert
        without its figure stands for.
    by_hand : ByHand or None
    """

    says: tuple[Cell, ...] = ()
    by_hand: ByHand | None = None


PLAIN = Terms()
"""The terms of a message that says what it carries, and that the ledger alone decides about."""


def is_whole(message: Message, *, header: Header, terms: Terms = PLAIN) -> bool:
    """Return whether the ledger knows all that was released, as far as `message` releases anything new."""
    return not (message.released() or terms.says) or not owing() or _is_recorded(header)


def owing() -> list[str]:
    """Return the partners that may hold figures which the ledger lost with a restore, and for whose return all wait."""
    rows = Partner.objects.filter(owed__in=(Partner.Owed.UNHEARD, Partner.Owed.RETURNS))
    return list(rows.order_by("node_id").values_list("node_id", flat=True))


def require_whole() -> None:
    """Let nothing be told of figures while partners hold some that the ledger lost with a restore.

    Raises
    ------
    ReturnsOwed
    """
    nodes = owing()
    if nodes:
        raise ReturnsOwed(
            f"a backup was put back, and {', '.join(nodes)} may hold figures that this node does not know of any more. "
            "Until they are returned, no figure leaves: together with those it could give a withheld one away. "
            "`corridor peer list` shows who is waited for."
        )


def unreleasable(message: Message, *, header: Header, terms: Terms = PLAIN) -> int:
    """Return how many withheld cells the release of `message` would give away, without two persons who answer for it.

    An envelope whose cells are in the ledger already is not judged again: it was released when it was queued, and a
    later revision of its figures must not make it look like a step back.
    """
    cells = [*message.released(), *terms.says]
    if not cells or _is_recorded(header):
        return 0
    # The ledger is one over all agreements, so the lock of one agreement's row does not guard it: the node's row does.
    Node.objects.select_for_update().get()
    if terms.by_hand is None:
        return len(breaches(cells))
    return len(unanswered(deductions(cells), offered=cells, agreed=terms.by_hand.agreed))


def deductions(cells: Iterable[Cell]) -> list[Breach]:
    """Return all that any reader could work out of withheld figures after this release; it never leaves this node."""
    offered = list(cells)
    return Ledger.relevant(offered, _fetch).deductions(offered)


def _is_recorded(header: Header) -> bool:
    return ReleasedCell.objects.filter(crossing__envelope_id=header.id).exists()


def breaches(cells: Iterable[Cell]) -> list[Breach]:
    """Return the withheld figures that releasing `cells` together would narrow; they never leave this node."""
    offered = list(cells)
    return Ledger.relevant(offered, _fetch).check(offered)


def releasable(cells: Iterable[Cell]) -> tuple[list[Cell], list[Cell]]:
    """Part `cells` into those that may go together now and those that wait; for who prepares a release.

    While partners owe what was lost with a restore, all wait.
    """
    offered = list(cells)
    if owing():
        return [], offered
    return Ledger.relevant(offered, _fetch).releasable(offered)


def record(message: Message, *, header: Header, crossing: Crossing, terms: Terms = PLAIN) -> None:
    """Enter what a queued envelope tells into the ledger, in the transaction that queues it.

    What two persons conceded stands there too, so that from then on it reckons with what the partner can work out.
    """
    by_hand = terms.by_hand
    if by_hand is not None:
        HandRelease.objects.create(
            crossing=crossing,
            asked_by=by_hand.first,
            allowed_by=by_hand.second,
            reason=by_hand.reason,
            narrowed=len({cell.figure for cell in by_hand.agreed}),
        )
    ReleasedCell.objects.bulk_create(
        [
            ReleasedCell(
                recipient=header.to,
                agreement_hash=header.agreement,
                disease=cell.disease,
                place=cell.place,
                period_start=cell.period_start,
                period_end=cell.period_end,
                stratum=cell.stratum,
                value=cell.value,
                withheld=cell.withheld,
                crossing=crossing,
                released_at=crossing.recorded_at,
            )
            for cell in (*message.released(), *terms.says, *(by_hand.agreed if by_hand else ()))
        ]
    )


def _fetch(scope: Scope) -> list[list[Cell]]:
    rows = (
        ReleasedCell.objects.filter(
            Q(place=scope.country) | Q(place__startswith=f"{scope.country}-"),
            disease=scope.disease,
            period_start__lt=scope.end,
            period_end__gt=scope.start,
        )
        .order_by("crossing_id", "pk")
        .values_list("crossing_id", "disease", "place", "period_start", "period_end", "stratum", "value", "withheld")
    )
    return [[Cell(*row[1:]) for row in batch] for _, batch in groupby(rows, key=lambda row: row[0])]
