"""The Monday board: what is new, what must be done, both sides' curves, how fresh everything is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from corridor.accounts.access import PersonRequest, page
from corridor.accounts.roles import may
from corridor.base.clock import utcnow
from corridor.base.reference import diseases as known_diseases
from corridor.pillars.surveillance import queries, services
from corridor.pillars.surveillance.forms import BoardForm
from corridor.pillars.surveillance.queries import pages
from corridor.pillars.surveillance.queries.signals import OPEN
from corridor.pillars.surveillance.services.reading import mark_read
from corridor.pillars.surveillance.texts import (
    disease_name,
    listed,
    period_text,
    place_text,
    weekday_text,
    withheld_text,
)
from corridor.pillars.surveillance.views import uploads
from corridor.pillars.surveillance.views.curves import (
    SHOWN,
    Point,
    curve_frame,
    map_frame,
    point_cell,
    points_between,
)
from corridor.pillars.surveillance.views.rows import signal_rows
from corridor.web.charts import ChartFrame
from corridor.web.tables import Cell, Column, Table

SEE = "surveillance.see_board"
PARTNER_CURVES = 2
ROWS = 8
SIGNALS = 50
"""As many open signals as the query of the board looks at."""
LATEST = 4
PLACES = 12
PERIODS = ("day", "week")


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One curve of the board with its source line."""

    frame: ChartFrame
    country: str
    place: str
    is_partner: bool
    last: Point | None
    period: str
    definition: str
    why_url: str = ""
    updated_at: datetime | None = None
    agreement: str = ""
    crossing_id: int | None = None
    withheld: str = ""


@dataclass(frozen=True, kw_only=True)
class ToDo:
    """One thing to do now, with where it is done."""

    text: str
    url: str


@page(SEE)
def board(request: PersonRequest) -> HttpResponse:
    """Show what is new since this person last looked, and what must be done."""
    now = utcnow()
    actor = request.user
    if pages.is_first_look_today(actor=actor, today=now.astimezone(UTC).date()):
        services.look(actor=actor, now=now)
        uploads.sweep(now=now)
    asked = request.GET.get("period", "")
    open_signals, _number = queries.signals(actor=actor, statuses=OPEN, limit=SIGNALS)
    joint = pages.partner_rises(actor=actor, signals=open_signals)
    view = queries.board(
        actor=actor,
        now=now,
        disease=_known(request.GET.get("disease", "")) or _pressing(open_signals, joint),
        period=asked if asked in PERIODS else "",
    )
    monday = _monday(now)
    lacking = pages.lacking_places(actor=actor, diseases=view.diseases, monday=monday)
    curves, latest, form = _shown(request, view, joint)
    context = {
        "view": view,
        "since": weekday_text(view.looked_at.date()) if view.looked_at else "",
        "answers": _answers(view, joint, lacking),
        "signals": signal_rows(view.signals[:ROWS], joint),
        "more_signals": max(0, view.signals_open - ROWS),
        "todo": _todo(request, view, joint, lacking, now=now),
        "form": form,
        "disease": disease_name(view.disease),
        "curves": curves,
        "map": latest[1] if latest else None,
        "tables": _latest_tables(view),
        "freshness": _freshness(view),
        "now": now,
        "may_ingest": may(actor, "surveillance.ingest"),
        "has_data": not view.own.is_empty() or not view.partners.is_empty(),
    }
    return render(request, "surveillance/board.html", context)


@page(SEE, methods=("POST",))
def read(request: PersonRequest) -> HttpResponse:
    """Note that the person has read the board; from now on new means since now."""
    mark_read(actor=request.user, now=utcnow())
    messages.success(request, _("Marked as read. What comes from now on is shown as new."))
    return redirect("surveillance:board")


def _known(code: str) -> str:
    return code if known_diseases().get(code) is not None else ""


def _pressing(signals: Sequence[queries.SignalView], joint: dict[int, Any]) -> str:
    """Return the disease that rises on both sides of a border, or nothing: the board then takes the newest signal's."""
    return next((each.disease for each in signals if each.id in joint), "")


def _monday(now: datetime) -> date:
    today = now.astimezone(UTC).date()
    return today - timedelta(days=today.weekday())


def _answers(view: queries.Board, joint: dict[int, Any], lacking: Sequence[pages.Lacking]) -> list[str]:
    """Return the answer of the page, sentence by sentence."""
    said = []
    if view.signals_open == 0:
        said.append(_("No signal is open."))
    else:
        said.append(
            ngettext("%(count)d signal is open.", "%(count)d signals are open.", view.signals_open)
            % {"count": view.signals_open}
        )
    if view.looked_at is not None:
        said.append(
            ngettext("%(count)d was raised since then.", "%(count)d were raised since then.", view.new_signals)
            % {"count": view.new_signals}
        )
    if joint:
        said.append(
            ngettext(
                "%(count)d rises on both sides of a border in the same week.",
                "%(count)d rise on both sides of a border in the same week.",
                len(joint),
            )
            % {"count": len(joint)}
        )
    if view.alerts:
        said.append(
            ngettext(
                "%(count)d alert of a partner has not been seen.",
                "%(count)d alerts of partners have not been seen.",
                len(view.alerts),
            )
            % {"count": len(view.alerts)}
        )
    if lacking:
        said.append(_lacking_text(lacking))
    return said


def _lacking_text(lacking: Sequence[pages.Lacking]) -> str:
    names = [place_text(each.place) for each in lacking]
    shown = listed(names[:3])
    week = period_text(lacking[0].start_on, "week")
    if len(names) > 3:
        return ngettext(
            "For %(week)s reports are missing or incomplete from %(places)s and %(count)d other place.",
            "For %(week)s reports are missing or incomplete from %(places)s and %(count)d other places.",
            len(names) - 3,
        ) % {"week": week, "places": shown, "count": len(names) - 3}
    return _("For %(week)s reports are missing or incomplete from %(places)s.") % {"week": week, "places": shown}


def _todo(
    request: PersonRequest,
    view: queries.Board,
    joint: dict[int, list[pages.PartnerRise]],
    lacking: Sequence[pages.Lacking],
    *,
    now: datetime,
) -> list[ToDo]:
    """Return what must be done now, the most pressing first."""
    items = []
    for signal in view.signals:
        if signal.id in joint:
            there = joint[signal.id][0]
            text = _("Look at %(disease)s in %(here)s and %(there)s together") % {
                "disease": disease_name(signal.disease),
                "here": place_text(signal.place),
                "there": place_text(there.place),
            }
            items.append(ToDo(text=text, url=reverse("surveillance:signal", args=[signal.id])))
    new = [each for each in view.signals if each.status == "new"]
    if new:
        text = ngettext("Verify %(count)d new signal", "Verify %(count)d new signals", len(new)) % {"count": len(new)}
        items.append(ToDo(text=text, url=reverse("surveillance:signals") + "?status=new"))
    partners = reverse("surveillance:partners")
    if view.alerts:
        text = ngettext("Take note of %(count)d alert", "Take note of %(count)d alerts", len(view.alerts))
        items.append(ToDo(text=text % {"count": len(view.alerts)}, url=f"{partners}#alerts"))
    figures = sum(each.figures for each in view.waiting)
    if figures:
        text = ngettext("Accept or decline %(count)d figure", "Accept or decline %(count)d figures", figures)
        items.append(ToDo(text=text % {"count": figures}, url=f"{partners}#waiting"))
    items += [_ask(each) for each in lacking[:3]]
    if len(lacking) > 3:
        text = ngettext("%(count)d more place to ask", "%(count)d more places to ask", len(lacking) - 3)
        items.append(ToDo(text=text % {"count": len(lacking) - 3}, url=reverse("surveillance:lacking")))
    if may(request.user, "surveillance.ingest"):
        failed = pages.failed_imports(actor=request.user, since=now - timedelta(days=14))
        for source, number in failed:
            text = _("Take the file of %(source)s in again: import %(number)d was given up")
            url = reverse("surveillance:ingest") + "#imports"
            items.append(ToDo(text=text % {"source": source, "number": number}, url=url))
    return items


def _ask(each: pages.Lacking) -> ToDo:
    place, week = place_text(each.place), period_text(each.start_on, "week")
    if each.share is None:
        text = _("Ask %(place)s for %(week)s") % {"place": place, "week": week}
    else:
        text = _("Ask %(place)s for the rest of %(week)s: %(share)d%% of the sites reported") % {
            "place": place,
            "week": week,
            "share": round(100 * each.share),
        }
    query = f"?disease={each.diseases[0]}&place={each.place}"
    return ToDo(text=text, url=reverse("surveillance:counts") + query)


def _shown(
    request: PersonRequest, view: queries.Board, joint: dict[int, list[pages.PartnerRise]]
) -> tuple[list[Curve], tuple[str, ChartFrame | None] | None, BoardForm]:
    """Return the curves, the map of the last whole period, and the chooser."""
    own_places = view.own["place"].unique().to_list()
    nodes = {
        node: sorted(view.partners.filter(pl.col("from_node") == node)["place"].unique())
        for node in sorted(view.partners["from_node"].unique())
    }
    form = BoardForm(request.GET or None, diseases=view.diseases, places=own_places, partners=nodes)
    if not own_places and not nodes:
        return [], None, form
    last = max(day for day in (view.own["start_on"].max(), view.partners["start_on"].max()) if isinstance(day, date))
    alerts = {
        (alert.place, alert.start_on) for alert in view.alerts if alert.disease == view.disease and alert.start_on
    }
    chosen = _own_place(request.GET.get("place", ""), view)
    span = "half" if chosen and nodes else "full"
    curves = [_own_curve(request, view, chosen, last, span=span)] if chosen else []
    rising = {rise.from_node: rise.place for rises in joint.values() for rise in rises if rise.disease == view.disease}
    initial = {"disease": view.disease, "period": view.period, "place": chosen}
    for node, codes in list(nodes.items())[:PARTNER_CURVES]:
        place = _partner_place(request.GET.get(f"place-{node}", ""), codes, rising.get(node, ""), view.partners, node)
        initial[f"place-{node}"] = place
        curves.append(_partner_curve(request, view, node, place, last, alerts))
    form = BoardForm(
        initial, diseases=view.diseases, places=own_places, partners=dict(list(nodes.items())[:PARTNER_CURVES])
    )
    return curves, _map(request, view, alerts), form


def _own_place(asked: str, view: queries.Board) -> str:
    """Return the place asked for, else that of the newest signal, else the one with the most cases lately."""
    codes = set(view.own["place"].unique())
    if asked in codes:
        return asked
    signalled = [each.place for each in view.signals if each.disease == view.disease and each.place in codes]
    parts = [code for code in signalled if "-" in code]
    if parts or signalled:
        return (parts or signalled)[0]
    return _largest(view.own.filter(pl.col("place").str.contains("-", literal=True)), "observed") or _largest(
        view.own, "observed"
    )


def _partner_place(asked: str, codes: Sequence[str], rising: str, partners: pl.DataFrame, node: str) -> str:
    if asked in codes:
        return asked
    return rising if rising in codes else _largest(partners.filter(pl.col("from_node") == node), "value")


def _largest(frame: pl.DataFrame, column: str) -> str:
    """Return the place with the most cases in the last eight periods."""
    if frame.is_empty():
        return ""
    starts = frame["start_on"].unique().sort().tail(8).implode()
    totals = frame.filter(pl.col("start_on").is_in(starts)).group_by("place").agg(pl.col(column).sum())
    return str(totals.sort([column, "place"], descending=[True, False])["place"][0])


def _own_points(view: queries.Board, place: str) -> list[Point]:
    mine = view.own.filter(pl.col("place") == place).tail(2 * SHOWN[view.period])
    return [_own_point(view, row) for row in mine.iter_rows(named=True)]


def _own_point(view: queries.Board, row: dict[str, Any]) -> Point:
    base = reverse("surveillance:counts")
    return Point(
        start_on=row["start_on"],
        observed=row["observed"],
        expected=row["expected"],
        upperbound=row["upperbound"],
        is_signal=bool(row["alarm"]),
        is_whole=row["is_whole"],
        sites_reported=row["sites_reported"],
        sites_expected=row["sites_expected"],
        url=f"{base}{view.disease}/{row['place']}/{row['start_on']}/?period={view.period}",
    )


def _own_curve(request: PersonRequest, view: queries.Board, place: str, last: date, *, span: str) -> Curve:
    points = points_between(_own_points(view, place), last=last, period=view.period)
    known = [point for point in points if point.observed is not None and point.is_whole]
    disease = known_diseases().get(view.disease)
    return Curve(
        frame=curve_frame(
            points,
            disease=view.disease,
            place=place,
            period=view.period,
            request=request,
            simulated=view.simulated,
            span=span,
        ),
        country=place.partition("-")[0],
        place=place,
        is_partner=False,
        last=known[-1] if known else None,
        period=period_text(known[-1].start_on, view.period) if known else "",
        definition=disease.definition if disease is not None else "",
        why_url=reverse("surveillance:limit", args=[view.disease, place]) + f"?period={view.period}",
        updated_at=view.as_of,
    )


def _partner_rows(view: queries.Board, node: str, place: str) -> list[dict[str, Any]]:
    here = (pl.col("from_node") == node) & (pl.col("place") == place)
    return view.partners.filter(here).sort("start_on").tail(2 * SHOWN[view.period]).to_dicts()


def _partner_point(row: dict[str, Any], alerts: set[tuple[str, date]]) -> Point:
    above = row["upperbound"] is not None and row["value"] is not None and row["value"] > row["upperbound"]
    return Point(
        start_on=row["start_on"],
        observed=row["value"],
        expected=row["expected"],
        upperbound=row["upperbound"],
        is_signal=above or (row["value"] is not None and (row["place"], row["start_on"]) in alerts),
        withheld=row["withheld"],
        sites_reported=row["sites_reported"],
        sites_expected=row["sites_expected"],
        url=reverse("exchange:crossing", args=[row["crossing_id"]]) if row["crossing_id"] else "",
    )


def _partner_curve(
    request: PersonRequest,
    view: queries.Board,
    node: str,
    place: str,
    last: date,
    alerts: set[tuple[str, date]],
) -> Curve:
    rows = _partner_rows(view, node, place)
    points = points_between([_partner_point(row, alerts) for row in rows], last=last, period=view.period)
    newest = rows[-1] if rows else None
    fresh = next((each for each in view.freshness if each.from_node == node), None)
    hidden = [point.withheld for point in points if point.withheld]
    known = [point for point in points if point.observed is not None or point.withheld]
    return Curve(
        frame=curve_frame(
            points,
            disease=view.disease,
            place=place,
            period=view.period,
            request=request,
            simulated=any(row["simulated"] for row in rows),
            is_partner=True,
        ),
        country=place.partition("-")[0],
        place=place,
        is_partner=True,
        last=known[-1] if known else None,
        period=period_text(known[-1].start_on, view.period) if known else "",
        definition=newest["case_classes"] if newest else "",
        updated_at=fresh.received_at if fresh else None,
        agreement=newest["agreement"] if newest else "",
        crossing_id=newest["crossing_id"] if newest else None,
        withheld=withheld_text(hidden[-1]) if hidden else "",
    )


def _map(
    request: PersonRequest, view: queries.Board, alerts: set[tuple[str, date]]
) -> tuple[str, ChartFrame | None] | None:
    """Return the last whole period and the map of it."""
    whole = view.own.filter(pl.col("is_whole") & pl.col("observed").is_not_null())["start_on"].max()
    last = whole if isinstance(whole, date) else view.partners["start_on"].max()
    if not isinstance(last, date):
        return None
    own = [
        (
            row["place"],
            Point(start_on=last, observed=row["observed"], upperbound=row["upperbound"], is_signal=bool(row["alarm"])),
            False,
        )
        for row in view.own.filter(
            (pl.col("start_on") == last) & pl.col("place").str.contains("-", literal=True)
        ).iter_rows(named=True)
    ]
    theirs = [
        (row["place"], _partner_point(row, alerts), True)
        for row in view.partners.filter(
            (pl.col("start_on") == last) & pl.col("place").str.contains("-", literal=True)
        ).iter_rows(named=True)
    ]
    label = period_text(last, view.period)
    return label, map_frame(
        [*own, *theirs], disease=view.disease, last=label, request=request, simulated=view.simulated
    )


def _latest_tables(view: queries.Board) -> list[dict[str, Any]]:
    """Return the figures of the last periods by place: one's own, then each partner's."""
    tables = []
    if not view.own.is_empty():
        starts = (
            view.own.filter(pl.col("is_whole") & pl.col("observed").is_not_null())["start_on"]
            .unique()
            .sort()
            .tail(LATEST)
            .to_list()
        )
        cells = {
            (row["place"], row["start_on"]): point_cell(_own_point(view, row))
            for row in view.own.filter(pl.col("start_on").is_in(pl.Series(starts).implode())).iter_rows(named=True)
        }
        tables.append(
            _latest_table(
                view,
                cells,
                starts,
                caption=_("Own places"),
                more=reverse("surveillance:counts") + f"?disease={view.disease}",
            )
        )
    for node in sorted(view.partners["from_node"].unique()):
        mine = view.partners.filter(pl.col("from_node") == node)
        starts = mine["start_on"].unique().sort().tail(LATEST).to_list()
        cells = {
            (row["place"], row["start_on"]): point_cell(_partner_point(row, set()))
            for row in mine.filter(pl.col("start_on").is_in(pl.Series(starts).implode())).iter_rows(named=True)
        }
        country = place_text(mine["place"][0].partition("-")[0])
        caption = _("Places of %(country)s, as it sent them") % {"country": country}
        tables.append(_latest_table(view, cells, starts, caption=caption, more=""))
    return tables


def _latest_table(
    view: queries.Board, cells: dict[tuple[str, date], Cell], starts: Sequence[date], *, caption: str, more: str
) -> dict[str, Any]:
    def weight(place: str) -> tuple[float, str]:
        values = [cells.get((place, start), Cell()).value for start in starts]
        return (-sum(value for value in values if isinstance(value, int)), place)

    places = sorted({place for place, _start in cells}, key=weight)
    columns = [Column("place", _("Place"))]
    columns += [
        Column(f"p{number}", period_text(start, view.period), kind="number") for number, start in enumerate(starts)
    ]
    rows = [
        [place_text(place), *(cells.get((place, start), Cell(state="missing")) for start in starts)]
        for place in places[:PLACES]
    ]
    return {"table": Table(caption=caption, columns=columns, rows=rows), "more": more if len(places) > PLACES else ""}


def _freshness(view: queries.Board) -> Table:
    """Return how fresh each source and each partner is."""
    rows: list[list[object]] = [
        [
            Cell(source.name, url=reverse("surveillance:ingest") + "#imports"),
            _("own source"),
            source.last.as_of if source.last else None,
            source.last.completed_at if source.last else None,
        ]
        for source in view.sources
    ]
    partners = reverse("surveillance:partners")
    rows += [
        [Cell(each.from_node, url=partners), _("partner"), each.as_of, each.received_at] for each in view.freshness
    ]
    return Table(
        caption=_("How fresh is each source?"),
        columns=[
            Column("source", _("Source"), foreign=True),
            Column("kind", _("Kind")),
            Column("as_of", _("Figures as of"), kind="moment"),
            Column("received", _("Received"), kind="moment"),
        ],
        rows=rows,
        quiet_caption=True,
        empty=_("No source yet."),
    )
