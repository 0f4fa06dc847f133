"""Sharing: what changed goes to the partners of a channel, disease by disease."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from corridor.accounts.actors import Actor, System
from corridor.base.reference import diseases
from corridor.exchange import services as exchange
from corridor.exchange.registry import ChannelView
from corridor.jobs.registry import JobContext, task
from corridor.pillars.surveillance.messages import CaseNotification, PeriodCounts
from corridor.pillars.surveillance.queries import automatic_channels, diseases_with_data
from corridor.pillars.surveillance.services import HeldFigure, Shared, held_figures, notify_cases, share_disease

__all__ = ["SHARE", "held_back", "share", "share_channel"]

SHARE = "surveillance.share-automatically"


@task(SHARE)
def share(*, arguments: dict[str, Any], now: datetime, job: JobContext) -> None:
    """Send what changed in the last ``weeks`` (8) on the channels on which a person let this node send by itself.

    Cases of diseases that are notified at once go first.
    """
    actor = System("surveillance")
    codes = diseases_with_data(actor=actor)
    immediate = [code for code in codes if (known := diseases().get(code)) and known.notifiable == "immediate"]
    # What may not leave before partners have returned what was lost goes with the job that their return asks for.
    waits = bool(exchange.owing())
    for channel in automatic_channels(actor=actor, schema=CaseNotification.schema_id(), now=now):
        for code in immediate if not waits else ():
            notify_cases(channel=channel, disease=code, actor=actor, now=now)
    today = now.astimezone(UTC).date()
    first_on = today - timedelta(weeks=int(arguments.get("weeks", 8)))
    channels_on = automatic_channels(actor=actor, schema=PeriodCounts.schema_id(), now=now)
    for number, channel in enumerate(channels_on, start=1):
        share_channel(channel, first_on=first_on, end_on=today, actor=actor, now=now)
        job.heartbeat(number, len(channels_on))


def share_channel(
    channel: ChannelView,
    *,
    first_on: date,
    end_on: date,
    actor: Actor,
    now: datetime,
    codes: Sequence[str] | None = None,
) -> list[Shared]:
    """Send every partner of a channel what it does not have yet, disease by disease.

    Parameters
    ----------
    first_on, end_on : half-open range of days; the periods that begin in it and are over
    codes : diseases; every one with data by default. What no rule of the channel opens is left out.
    """
    found = []
    for code in codes if codes is not None else diseases_with_data(actor=actor):
        for partner in channel.partners:
            found.append(_share_all(channel, partner, code, first_on, end_on, actor=actor, now=now))
    return found


def held_back(channel: ChannelView, *, first_on: date, end_on: date, actor: Actor) -> list[HeldFigure]:
    """Return the figures that the suppression ledger holds back on a channel, from every partner and of every disease.

    Parameters
    ----------
    first_on, end_on : half-open range of days; the periods that begin in it and are over
    """
    return [
        figure
        for code in diseases_with_data(actor=actor)
        for partner in channel.partners
        for figure in held_figures(
            channel=channel, to=partner, disease=code, first_on=first_on, end_on=end_on, actor=actor
        )
    ]


def _share_all(
    channel: ChannelView, to: str, code: str, first_on: date, end_on: date, *, actor: Actor, now: datetime
) -> Shared:
    """Share one disease in as many transactions as it takes, the oldest periods first."""
    total = share_disease(channel=channel, to=to, disease=code, first_on=first_on, end_on=end_on, actor=actor, now=now)
    while total.next_on is not None:
        total += share_disease(
            channel=channel, to=to, disease=code, first_on=total.next_on, end_on=end_on, actor=actor, now=now
        )
    return total
