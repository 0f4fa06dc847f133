"""A release by hand: figures that the suppression ledger holds back, and two persons who answer for what they tell."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from hashlib import sha256
from typing import Any, ClassVar

from corridor.accounts.actors import Actor
from corridor.accounts.approvals import Outcome, ask
from corridor.accounts.models import Person
from corridor.accounts.roles import require
from corridor.accounts.transactions import note, write
from corridor.base.disclosure import Breach, Cell
from corridor.base.errors import Refused, WrongUsage
from corridor.exchange import services as exchange
from corridor.exchange.registry import ChannelView
from corridor.exchange.rules.release import concessions, unanswered
from corridor.pillars.surveillance.messages import PeriodCounts
from corridor.pillars.surveillance.queries.sharing import channels
from corridor.pillars.surveillance.rules import next_start
from corridor.pillars.surveillance.services.due import Due, due_figures
from corridor.pillars.surveillance.services.sharing import SHARE, send_counts

__all__ = [
    "BY_HAND",
    "MOST_FIGURES",
    "RELEASE",
    "CannotBeReleased",
    "HeldFigure",
    "NotHeld",
    "Weighed",
    "ask_release",
    "held_figures",
    "release_by_hand",
    "weigh",
]

BY_HAND = "surveillance.release-by-hand"
"""The kind of approval that a release by hand asks for."""
RELEASE = "surveillance.release_by_hand"
MOST_FIGURES = 20
"""How many figures one request names, so that two persons can read what they answer for."""

Key = tuple[str, date]


class NotHeld(WrongUsage):
    """A figure that was named is not held back by the ledger, or is no longer what it was."""

    code: ClassVar[str] = "not-held"


class CannotBeReleased(Refused):
    """Two persons cannot answer for this release."""

    code: ClassVar[str] = "cannot-be-released-by-hand"


@dataclass(frozen=True, kw_only=True)
class HeldFigure:
    """A figure that the ledger holds back from one partner on one channel.

    Attributes
    ----------
    to, disease, place, period, start_on
    value : int or None
        None if it would travel as withheld.
    can_go : bool
        Whether two persons can let it go by itself.
    """

    to: str
    disease: str
    place: str
    period: str
    start_on: date
    value: int | None
    can_go: bool


@dataclass(frozen=True, kw_only=True)
class Weighed:
    """Figures that are to go by hand, and what the partner could then work out of withheld ones.

    Attributes
    ----------
    figures : tuple of (place, first day, cases)
    deductions : tuple of Breach
        What every way to read would give; one withheld figure may stand here more than once.
    """

    figures: tuple[tuple[str, date, int | None], ...]
    deductions: tuple[Breach, ...]

    @property
    def digest(self) -> str:
        """A hash of figures and consequences, by which a page knows that they are still those that it showed."""
        told = [[*map(str, self.figures)], [_written(each) for each in self.deductions]]
        return sha256(json.dumps(told).encode()).hexdigest()


def held_figures(
    *, channel: ChannelView, to: str, disease: str, first_on: date, end_on: date, actor: Actor
) -> list[HeldFigure]:
    """Return the figures of a disease that the ledger holds back from a partner now, the latest first.

    Raises
    ------
    NotPermitted
        If `actor` may not share, or not release by hand.
    ReturnsOwed
        While partners have not returned what was lost with a restore.
    """
    require(actor, SHARE)
    require(actor, RELEASE)
    exchange.require_whole()
    due = due_figures(channel=channel, to=to, disease=disease, first_on=first_on, end_on=end_on, actor=actor)
    _, waiting = exchange.releasable(due.news)
    return [
        HeldFigure(
            to=to,
            disease=disease,
            place=cell.place,
            period=due.table.period,
            start_on=cell.period_start,
            value=cell.value,
            can_go=not unanswered(found, offered=[cell], agreed=concessions(found)),
        )
        for cell in sorted(waiting, key=lambda cell: (cell.period_start, cell.place), reverse=True)
        for found in [exchange.deductions([cell])]
    ]


def weigh(*, channel: ChannelView, to: str, disease: str, figures: Sequence[Key], actor: Actor) -> Weighed:
    """Return what a partner could work out if these figures of one disease were sent together.

    Parameters
    ----------
    figures : sequence of (place, first day)

    Raises
    ------
    NotPermitted
        If `actor` may not share, or not release by hand.
    NotHeld
        If none or too many are named, or the ledger does not hold one of them back.
    CannotBeReleased
        If two persons cannot answer for it.
    """
    require(actor, SHARE)
    require(actor, RELEASE)
    _, cells = _chosen(channel, to, disease, figures, actor=actor)
    return _weighed(cells)


def _weighed(cells: list[Cell]) -> Weighed:
    exchange.require_whole()
    found = exchange.deductions(cells)
    if not found:
        raise NotHeld(
            "nothing holds these figures back any more: send them with `corridor share counts`, without a second person"
        )
    if unanswered(found, offered=cells, agreed=concessions(found)):
        raise CannotBeReleased(
            "these figures cannot go by hand: either one of them is itself withheld from a partner, or what could be "
            "worked out is not known, since figures contradict each other or are too many. Choose fewer figures, or "
            "send the revisions that belong to them first."
        )
    return Weighed(
        figures=tuple((cell.place, cell.period_start, cell.value) for cell in cells),
        deductions=tuple(sorted(found, key=lambda each: (each.cell.figure, each.lower or 0, each.upper or 0))),
    )


def _chosen(
    channel: ChannelView, to: str, disease: str, figures: Iterable[Key], *, actor: Actor
) -> tuple[Due, list[Cell]]:
    wanted = sorted(set(figures))
    if not 1 <= len(wanted) <= MOST_FIGURES:
        raise NotHeld(f"a release by hand names 1 to {MOST_FIGURES} figures of one disease, came {len(wanted)}")
    if to not in channel.partners:
        raise NotHeld(f"{to} receives nothing on channel {channel.id}; it is open to {', '.join(channel.partners)}")
    starts = [start for _, start in wanted]
    end_on = next_start(max(starts), str(channel.channel.get("period") or "week"))
    due = due_figures(channel=channel, to=to, disease=disease, first_on=min(starts), end_on=end_on, actor=actor)
    news = {(cell.place, cell.period_start): cell for cell in due.news}
    missing = [f"{place} {start}" for place, start in wanted if (place, start) not in news]
    if missing:
        raise NotHeld(
            f"not held back from {to}: {', '.join(missing)}. The partner has the figure, or there is none. "
            "`corridor share held` lists those that are."
        )
    return due, [news[key] for key in wanted]


def ask_release(
    *,
    channel: ChannelView,
    to: str,
    disease: str,
    weighed: Weighed,
    reason: str,
    actor: Actor,
    now: datetime,
) -> Outcome:
    """Ask that figures go to a partner although the ledger holds them back; it takes a second person.

    Parameters
    ----------
    weighed : Weighed
        As `weigh` returned it and the person saw it: this is what the two of them answer for.
    reason : str
        One sentence, for the log and for whoever gets evidence; nothing of a patient.

    Raises
    ------
    NotPermitted, NotHeld
        If `actor` may not share or not release by hand, or gives no reason.
    """
    require(actor, SHARE)
    if not 1 <= len(reason.strip()) <= 1000:
        raise NotHeld("a release by hand needs a reason of 1 to 1000 letters: why the partner must have these figures")
    return ask(
        BY_HAND,
        {
            "agreement": channel.agreement,
            "channel": channel.id,
            "to": to,
            "disease": disease,
            "period": str(channel.channel.get("period") or "week"),
            "figures": [[place, str(start), value] for place, start, value in weighed.figures],
            "tells": [_written(each) for each in weighed.deductions],
            "reason": reason.strip(),
        },
        actor=actor,
        now=now,
    )


def _written(breach: Breach) -> list[Any]:
    disease, place, start, end, stratum = breach.cell.figure
    return [disease, place, str(start), str(end), stratum, breach.limit, breach.lower, breach.upper]


@write("surveillance.release_by_hand", subject="disease")
def release_by_hand(
    *,
    agreement: str,
    channel: str,
    to: str,
    disease: str,
    period: str,
    figures: list[list[Any]],
    tells: list[list[Any]],
    reason: str,
    actor: Actor,
    first: Person,
    now: datetime,
) -> str:
    """Send figures that the ledger holds back; called with the second person's yes.

    Raises
    ------
    NotPermitted
        If the first person may no longer share.
    NotHeld
        If a figure is no longer what it was when it was asked for, or the channel is closed.
    CannotBeReleased
        If the partner could by now work out something else than what the two persons were shown, or the gate refuses.
    """
    del period
    require(first, SHARE)
    open_now = channels(actor=first, schema=PeriodCounts.schema_id(), now=now, agreement=agreement)
    view = next((each for each in open_now if each.id == channel), None)
    if view is None:
        raise NotHeld(f"channel {channel} of agreement {agreement[:12]} is not open any more; nothing was sent")
    keys = [(str(place), date.fromisoformat(start)) for place, start, _ in figures]
    due, cells = _chosen(view, to, disease, keys, actor=first)
    weighed = _weighed(cells)
    if [[place, str(start), value] for place, start, value in weighed.figures] != figures:
        raise NotHeld("a figure has changed since the release was asked for; decline this request and ask again")
    if [_written(each) for each in weighed.deductions] != tells:
        raise CannotBeReleased(
            "the partner could by now work out something else than what was shown when this was asked for; "
            "decline this request and ask again"
        )
    second = actor.username if isinstance(actor, Person) else ""
    agreed = tuple(concessions(weighed.deductions))
    terms = exchange.Terms(by_hand=exchange.ByHand(first.username, second, reason, agreed))
    # Expectation and limit would tell more than the two persons were shown.
    plain = replace(due, table=replace(due.table, limits={}))
    crossing = send_counts(cells, plain, actor=actor, now=now, terms=terms)
    if crossing.status == "refused":
        raise CannotBeReleased(f"the gate refuses this release: {crossing.reason}. Nothing was sent.")
    note(
        released_by_hand=True,
        first=first.username,
        reason=reason,
        to=to,
        channel=channel,
        figures=len(cells),
        narrowed=len({each.cell.figure for each in weighed.deductions}),
        crossing=crossing.pk,
    )
    return str(crossing.envelope_id)
