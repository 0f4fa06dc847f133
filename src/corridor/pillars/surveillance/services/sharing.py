"""Sending counts to the partners of an agreement."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from corridor.accounts.actors import Actor, actor_name
from corridor.accounts.roles import require
from corridor.accounts.transactions import note, write
from corridor.base.disclosure import Cell
from corridor.exchange import services as exchange
from corridor.exchange.registry import ChannelView
from corridor.pillars.surveillance.messages import CountCell, PeriodCounts
from corridor.pillars.surveillance.models import AutomaticChannel, SharedCount
from corridor.pillars.surveillance.services.due import Due, due_figures

__all__ = ["SHARE", "Shared", "send_counts", "set_automatic", "share_disease"]

SHARE = "surveillance.share"
CELLS_A_MESSAGE = 2000
SENT_ONCE = (
    "agreement",
    "channel",
    "to_node",
    "disease",
    "period_type",
    "basis",
    "stratum",
    "place",
    "start_on",
)
SENT_LAST = ("value", "withheld", "sites_reported", "sites_expected", "revision", "crossing_id", "sent_at")


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What became of the figures of one disease for one partner on one channel.

    Attributes
    ----------
    sent : figures sent, the withheld ones included
    withheld : of these, how many travel as withheld
    unchanged : figures that the partner has already
    waiting : figures that the suppression ledger holds back for now
    negative : corrections below zero, which stay at home
    crossings : numbers of the crossings
    refused : reasons of the gate, where it refused
    next_on : where to go on, if there was more than one transaction may hold; None if nothing is left
    """

    agreement: str
    channel: str
    to: str
    disease: str
    sent: int = 0
    withheld: int = 0
    unchanged: int = 0
    waiting: int = 0
    negative: int = 0
    crossings: tuple[int, ...] = ()
    refused: tuple[str, ...] = ()
    next_on: date | None = None

    def __add__(self, later: "Shared") -> "Shared":
        return replace(
            self,
            sent=self.sent + later.sent,
            withheld=self.withheld + later.withheld,
            unchanged=self.unchanged + later.unchanged,
            waiting=self.waiting + later.waiting,
            negative=self.negative + later.negative,
            crossings=self.crossings + later.crossings,
            refused=self.refused + later.refused,
            next_on=later.next_on,
        )

    def with_crossing(self, crossing: Any, cells: list[Cell]) -> "Shared":
        """Return the same with one message more, sent or refused."""
        if crossing.status == "refused":
            return replace(self, crossings=(*self.crossings, crossing.pk), refused=(*self.refused, crossing.reason))
        return replace(
            self,
            sent=self.sent + len(cells),
            withheld=self.withheld + sum(cell.value is None for cell in cells),
            crossings=(*self.crossings, crossing.pk),
        )


@write("surveillance.share_counts", subject="disease")
def share_disease(
    *, channel: ChannelView, to: str, disease: str, first_on: date, end_on: date, actor: Actor, now: datetime
) -> Shared:
    """Send one partner what it does not have yet of the counts of a disease, small figures withheld.

    Parameters
    ----------
    channel : a channel that this node may send on
    to : the partner's node
    first_on, end_on : half-open range of days; the periods that begin in it and are over

    Returns
    -------
    Shared
        If its `next_on` is a date, the oldest figures went and the call is to be made again from that day.

    Raises
    ------
    NotPermitted
        If `actor` may not share.
    """
    require(actor, SHARE)
    due = due_figures(channel=channel, to=to, disease=disease, first_on=first_on, end_on=end_on, actor=actor)
    due, going, waiting = due.parted(actor=actor)
    result = Shared(
        agreement=channel.agreement,
        channel=channel.id,
        to=to,
        disease=disease,
        unchanged=len(due.told) - len(due.news),
        waiting=len(waiting),
        negative=due.negative,
        next_on=due.next_on,
    )
    for start in range(0, len(going), CELLS_A_MESSAGE):
        part = going[start : start + CELLS_A_MESSAGE]
        crossing = send_counts(part, due, actor=actor, now=now)
        result = result.with_crossing(crossing, part)
    note(to=to, channel=channel.id, sent=result.sent, withheld=result.withheld, waiting=result.waiting)
    return result


def send_counts(
    cells: list[Cell], due: Due, *, actor: Actor, now: datetime, terms: exchange.Terms = exchange.PLAIN
) -> Any:
    """Queue figures of what is due in one message, and remember what the partner has; return the crossing.

    Of a message that the gate refuses nothing is remembered.
    """
    keys = [(cell.place, cell.period_start) for cell in cells]
    revisions = {key: due.held[key].revision + 1 if key in due.held else 1 for key in keys}
    message = _message(cells, due, revisions, now=now)
    crossing = exchange.send(
        message,
        to=due.to,
        agreement=due.channel.agreement,
        channel=due.channel.id,
        actor=actor,
        now=now,
        terms=terms,
    )
    if crossing.status == "refused":
        return crossing
    SharedCount.objects.bulk_create(
        [
            SharedCount(
                agreement=due.channel.agreement,
                channel=due.channel.id,
                to_node=due.to,
                disease=due.disease,
                place=cell.place,
                period_type=due.table.period,
                basis="report",
                stratum="",
                start_on=cell.period_start,
                value=cell.value,
                withheld=cell.withheld,
                sites_reported=due.sites[key][0],
                sites_expected=due.sites[key][1],
                revision=revisions[key],
                crossing_id=crossing.pk,
                sent_at=now,
            )
            for key, cell in zip(keys, cells, strict=True)
        ],
        update_conflicts=True,
        unique_fields=SENT_ONCE,
        update_fields=SENT_LAST,
        batch_size=500,
    )
    return crossing


def _message(cells: list[Cell], due: Due, revisions: dict[tuple[str, date], int], *, now: datetime) -> PeriodCounts:
    counts = []
    for cell in cells:
        key = (cell.place, cell.period_start)
        expected, limit = due.table.limits.get(key, (None, None)) if cell.value is not None else (None, None)
        counts.append(
            CountCell(
                place=cell.place,
                period_start=cell.period_start,
                period_end=cell.period_end,
                value=cell.value,
                withheld=cell.withheld,
                revision=revisions[key],
                sites_reported=due.sites[key][0],
                sites_expected=due.sites[key][1],
                expected=expected,
                limit=limit,
            )
        )
    return PeriodCounts(
        disease=due.disease,
        place_level=due.table.level,  # type: ignore[arg-type]  # validated by the model
        period_type=due.table.period,  # type: ignore[arg-type]  # as above
        date_basis="report",
        case_classes=(),
        as_of=due.table.as_of or now,
        simulated=due.table.simulated,
        counts=tuple(counts),
    )


@write("surveillance.set_automatic", subject="channel")
def set_automatic(*, agreement: str, channel: str, is_on: bool, actor: Actor, now: datetime) -> None:
    """Let this node send on a channel by itself after each import, or no longer.

    Raises
    ------
    NotPermitted
        If `actor` may not share.
    """
    require(actor, SHARE)
    AutomaticChannel.objects.update_or_create(
        agreement=agreement,
        channel=channel,
        defaults={"is_on": is_on, "set_by": actor_name(actor), "set_at": now},
    )
    note(is_on=is_on)
