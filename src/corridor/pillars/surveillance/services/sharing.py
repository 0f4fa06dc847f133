"""Sending counts to the partners of an agreement."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import polars as pl

from corridor.accounts.actors import Actor, actor_name
from corridor.accounts.roles import require
from corridor.accounts.transactions import note, write
from corridor.base.disclosure import (
    Cell,
    DisclosureRule,
    rule_for,
    suppress,
)
from corridor.exchange import services as exchange
from corridor.exchange.queries.crossings import refused_among
from corridor.exchange.registry import ChannelView
from corridor.pillars.surveillance.messages import CountCell, PeriodCounts
from corridor.pillars.surveillance.models import AutomaticChannel, SharedCount
from corridor.pillars.surveillance.queries.sharing import (
    Shareable,
    shareable_counts,
    shared_counts,
    without_limits,
)
from corridor.pillars.surveillance.rules import next_start

__all__ = ["SHARE", "Shared", "rules_of", "set_automatic", "share_disease"]

SHARE = "surveillance.share"
CELLS_A_MESSAGE = 2000
CELLS_A_CALL = 2000
"""Figures sent in one transaction, so that none holds the database longer than two seconds."""
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


def rules_of(channel: ChannelView) -> list[DisclosureRule]:
    """Return the disclosure rules of a channel."""
    level = str(channel.channel.get("place_level", "admin1"))
    return [
        DisclosureRule(
            disease=rule.get("disease", "*"),
            place_level=rule.get("place_level") or level,
            stratum=rule.get("stratum", "total"),
            min_cell=rule["min_cell"],
        )
        for rule in channel.disclosure
    ]


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
    result = Shared(agreement=channel.agreement, channel=channel.id, to=to, disease=disease)
    period = str(channel.channel.get("period") or "week")
    table = shareable_counts(
        actor=actor,
        disease=disease,
        level=str(channel.channel.get("place_level") or "admin1"),
        period=period,
        first_on=first_on,
        end_on=end_on,
    )
    cells = _cells(table.frame.filter(pl.col("observed") >= 0), disease=disease, period=period)
    rules = rules_of(channel)
    told = suppress(cells, rules)
    held = shared_counts(channel=channel, to=to, disease=disease, period=period)
    lost = refused_among(row.crossing_id for row in held.values())
    sites = {
        (row[0], row[1]): row[2:]
        for row in table.frame.select("place", "start_on", "sites_reported", "sites_expected").iter_rows()
    }
    news = [cell for cell in told if _is_news(cell, held, sites, lost)]
    next_on = _next_on(news)
    if next_on is not None:
        told = [cell for cell in told if cell.period_start < next_on]
        news = [cell for cell in news if cell.period_start < next_on]
    below_zero = (pl.col("observed") < 0) & (pl.col("start_on") < (next_on or end_on))
    negative = table.frame.filter(below_zero).height
    going, waiting = exchange.releasable(news)
    rule = rule_for(rules, disease=disease, place_level=table.level, stratum="total")
    hidden = {cell.place for cell in told if cell.value is None} | {cell.place for cell in waiting}
    table = without_limits(table, hidden=hidden, min_cell=rule.min_cell if rule else 1, actor=actor)
    result = replace(result, unchanged=len(told) - len(news), waiting=len(waiting), negative=negative, next_on=next_on)
    for start in range(0, len(going), CELLS_A_MESSAGE):
        part = going[start : start + CELLS_A_MESSAGE]
        result = _send_counts(part, result, channel, table, held, sites, actor=actor, now=now)
    note(to=to, channel=channel.id, sent=result.sent, withheld=result.withheld, waiting=result.waiting)
    return result


def _next_on(news: list[Cell]) -> date | None:
    """Return the first day of the period that one transaction does not reach any more; a period goes as a whole."""
    if len(news) <= CELLS_A_CALL:
        return None
    starts = sorted(cell.period_start for cell in news)
    # Of a period that is larger than all that may go, everything goes.
    return next((start for start in (starts[CELLS_A_CALL], starts[-1]) if start > starts[0]), None)


def _cells(frame: pl.DataFrame, *, disease: str, period: str) -> list[Cell]:
    return [
        Cell(
            disease=disease,
            place=place,
            period_start=start,
            period_end=next_start(start, period),
            value=value,
        )
        for place, start, value in frame.select("place", "start_on", "observed").iter_rows()
    ]


def _is_news(
    cell: Cell, held: dict[tuple[str, date], SharedCount], sites: dict[Any, Any], lost: frozenset[int]
) -> bool:
    key = (cell.place, cell.period_start)
    row = held.get(key)
    return (
        row is None
        or row.crossing_id in lost
        or (row.value, row.withheld, (row.sites_reported, row.sites_expected))
        != (
            cell.value,
            cell.withheld,
            tuple(sites[key]),
        )
    )


def _send_counts(
    cells: list[Cell],
    result: Shared,
    channel: ChannelView,
    table: Shareable,
    held: dict[tuple[str, date], SharedCount],
    sites: dict[Any, Any],
    *,
    actor: Actor,
    now: datetime,
) -> Shared:
    revisions = {}
    counts = []
    for cell in cells:
        key = (cell.place, cell.period_start)
        revisions[key] = held[key].revision + 1 if key in held else 1
        expected, limit = table.limits.get(key, (None, None)) if cell.value is not None else (None, None)
        counts.append(
            CountCell(
                place=cell.place,
                period_start=cell.period_start,
                period_end=cell.period_end,
                value=cell.value,
                withheld=cell.withheld,
                revision=revisions[key],
                sites_reported=sites[key][0],
                sites_expected=sites[key][1],
                expected=expected,
                limit=limit,
            )
        )
    message = PeriodCounts(
        disease=result.disease,
        place_level=table.level,  # type: ignore[arg-type]  # validated by the model
        period_type=table.period,  # type: ignore[arg-type]  # as above
        date_basis="report",
        case_classes=(),
        as_of=table.as_of or now,
        simulated=table.simulated,
        counts=tuple(counts),
    )
    crossing = exchange.send(
        message, to=result.to, agreement=channel.agreement, channel=channel.id, actor=actor, now=now
    )
    if crossing.status == "refused":
        return replace(result, crossings=(*result.crossings, crossing.pk), refused=(*result.refused, crossing.reason))
    SharedCount.objects.bulk_create(
        [
            SharedCount(
                agreement=channel.agreement,
                channel=channel.id,
                to_node=result.to,
                disease=result.disease,
                place=cell.place,
                period_type=table.period,
                basis="report",
                stratum="",
                start_on=cell.period_start,
                value=cell.value,
                withheld=cell.withheld,
                sites_reported=sites[cell.place, cell.period_start][0],
                sites_expected=sites[cell.place, cell.period_start][1],
                revision=revisions[cell.place, cell.period_start],
                crossing_id=crossing.pk,
                sent_at=now,
            )
            for cell in cells
        ],
        update_conflicts=True,
        unique_fields=SENT_ONCE,
        update_fields=SENT_LAST,
        batch_size=500,
    )
    return replace(
        result,
        sent=result.sent + len(cells),
        withheld=result.withheld + sum(cell.value is None for cell in cells),
        crossings=(*result.crossings, crossing.pk),
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
