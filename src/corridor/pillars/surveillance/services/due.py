"""What is due to a partner: the figures that it does not have yet, small ones withheld, and which of them must wait."""

from dataclasses import dataclass, replace
from datetime import date

import polars as pl

from corridor.accounts.actors import Actor
from corridor.base.disclosure import Cell, DisclosureRule, rule_for, suppress
from corridor.exchange import services as exchange
from corridor.exchange.queries.crossings import refused_among
from corridor.exchange.registry import ChannelView
from corridor.pillars.surveillance.models import SharedCount
from corridor.pillars.surveillance.queries.sharing import (
    Shareable,
    shareable_counts,
    shared_counts,
    without_limits,
)
from corridor.pillars.surveillance.rules import Sites, next_start, tellable_sites

__all__ = ["Due", "due_figures", "rules_of"]

CELLS_A_CALL = 2000
"""Figures sent in one transaction, so that none holds the database longer than two seconds."""

Key = tuple[str, date]


@dataclass(frozen=True, kw_only=True)
class Due:
    """The figures of one disease for one partner on one channel.

    Attributes
    ----------
    channel, to, disease
    table : the counts of the node's own country
    told : every figure as the channel's rules let it be told
    news : of these, what the partner does not have yet
    held : what the partner has, by place and first day
    lost : crossings that did not arrive
    sites : sites reported and expected that may stand beside a figure, by place and first day
    negative : corrections below zero, which stay at home
    next_on : where to go on, if there was more than one transaction may hold; None if nothing is left
    """

    channel: ChannelView
    to: str
    disease: str
    table: Shareable
    told: list[Cell]
    news: list[Cell]
    held: dict[Key, SharedCount]
    lost: frozenset[int]
    sites: dict[Key, Sites]
    negative: int
    next_on: date | None

    def parted(self, *, actor: Actor) -> tuple["Due", list[Cell], list[Cell]]:
        """Return what goes with the figures that may go now, these figures, and those that the ledger holds back.

        What goes with them is less than there is: no expectation and limit for a place of which anything is withheld
        or waits; and no completeness beside a withheld figure that only a figure that waits would make harmless.
        """
        going, waiting = exchange.releasable(self.news)
        wait = {cell.figure for cell in waiting}
        sites = tellable_sites(
            [cell for cell in self.told if cell.figure not in wait], self.sites, held=_shown(self.held)
        )
        going = [cell for cell in going if _is_news(cell, self.held, sites, self.lost)]
        rule = rule_for(rules_of(self.channel), disease=self.disease, place_level=self.table.level, stratum="total")
        hidden = {cell.place for cell in self.told if cell.value is None} | {cell.place for cell in waiting}
        table = without_limits(self.table, hidden=hidden, min_cell=rule.min_cell if rule else 1, actor=actor)
        return replace(self, table=table, sites=sites), going, waiting


def due_figures(*, channel: ChannelView, to: str, disease: str, first_on: date, end_on: date, actor: Actor) -> Due:
    """Return what one partner does not have yet of the counts of a disease.

    Parameters
    ----------
    first_on, end_on : half-open range of days; the periods that begin in it and are over

    Raises
    ------
    NotPermitted
        If `actor` may not share.
    """
    period = str(channel.channel.get("period") or "week")
    table = shareable_counts(
        actor=actor,
        disease=disease,
        level=str(channel.channel.get("place_level") or "admin1"),
        period=period,
        first_on=first_on,
        end_on=end_on,
    )
    told = suppress(
        _cells(table.frame.filter(pl.col("observed") >= 0), disease=disease, period=period), rules_of(channel)
    )
    held = shared_counts(channel=channel, to=to, disease=disease, period=period)
    lost = refused_among(row.crossing_id for row in held.values())
    sites = tellable_sites(told, _sites(table.frame), held=_shown(held))
    news = [cell for cell in told if _is_news(cell, held, sites, lost)]
    next_on = _next_on(news)
    if next_on is not None:
        told = [cell for cell in told if cell.period_start < next_on]
        news = [cell for cell in news if cell.period_start < next_on]
    below_zero = (pl.col("observed") < 0) & (pl.col("start_on") < (next_on or end_on))
    return Due(
        channel=channel,
        to=to,
        disease=disease,
        table=table,
        told=told,
        news=news,
        held=held,
        lost=lost,
        sites=sites,
        negative=table.frame.filter(below_zero).height,
        next_on=next_on,
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


def _sites(frame: pl.DataFrame) -> dict[Key, Sites]:
    rows = frame.select("place", "start_on", "sites_reported", "sites_expected").iter_rows()
    return {(place, start): (reported, expected) for place, start, reported, expected in rows}


def _shown(held: dict[Key, SharedCount]) -> dict[Key, tuple[int, int]]:
    """Return count and sites reported of the figures that the partner has with both."""
    return {
        key: (row.value, row.sites_reported)
        for key, row in held.items()
        if row.value is not None and row.sites_reported is not None
    }


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
    cell: Cell, held: dict[tuple[str, date], SharedCount], sites: dict[Key, Sites], lost: frozenset[int]
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
            sites[key],
        )
    )
