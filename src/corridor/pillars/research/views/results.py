"""A result as a page shows it, by kind of analysis: one sentence, tables, and a chart where one helps."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from corridor.pillars.research.charts import CurveArm, Effect, forest_plot, love_plot, survival_plot
from corridor.pillars.research.rules.protocol import AnalysisItem, Protocol
from corridor.pillars.research.views.words import code_text, leaves, p_claim, p_text, plain, term_text, variable_text
from corridor.web.charts import ChartFrame, frame
from corridor.web.tables import Cell, Column, Table

__all__ = ["ShownResult", "show_result"]

SEE = "research.see_studies"
_NORMAL_97_5 = 1.959963984540054


@dataclass(frozen=True)
class ShownResult:
    """What a page says of a result."""

    answer: str
    tables: tuple[Table, ...]
    charts: tuple[ChartFrame, ...] = ()


@dataclass(frozen=True)
class _Asked:
    item: AnalysisItem
    protocol: Protocol
    values: Mapping[str, Any]
    request: HttpRequest

    def drawn(self, spec: dict[str, Any], *, title: str, description: str, table: Table, note: str = "") -> ChartFrame:
        return frame(
            spec,
            title=title,
            description=description,
            table=table,
            permission=SEE,
            request=self.request,
            simulated=self.protocol.simulated,
            span="full",
            note=note,
        )


def show_result(
    item: AnalysisItem, protocol: Protocol, values: Mapping[str, Any], *, request: HttpRequest
) -> ShownResult:
    """Return a result in words, tables and charts; of a kind that has no page of its own, every number by its name."""
    return _KINDS.get(item.kind, _listed)(_Asked(item, protocol, values, request))


def _cox(asked: _Asked) -> ShownResult:
    return _effects(asked, _("Hazard ratio"), ("hr", "hr_low", "hr_high"), is_ratio=True)


def _logistic(asked: _Asked) -> ShownResult:
    return _effects(asked, _("Odds ratio"), ("ratio", "ratio_low", "ratio_high"), is_ratio=True)


def _poisson(asked: _Asked) -> ShownResult:
    return _effects(asked, _("Rate ratio"), ("ratio", "ratio_low", "ratio_high"), is_ratio=True)


def _linear(asked: _Asked) -> ShownResult:
    return _effects(asked, _("Difference"), ("coef", "low", "high"), is_ratio=False)


def _effects(asked: _Asked, measure: str, names: tuple[str, str, str], *, is_ratio: bool) -> ShownResult:
    protocol, values = asked.protocol, asked.values
    terms = [(place, name) for place, name in enumerate(values["terms"]) if protocol.term(name) is not None]
    effects = [
        Effect(
            label=term_text(protocol, name),
            value=values[names[0]][place],
            low=values[names[1]][place],
            high=values[names[2]][place],
        )
        for place, name in terms
    ]
    table = Table(
        caption=_("Each term, adjusted for the others"),
        columns=[
            Column("term", _("Term"), foreign=True),
            Column("estimate", measure),
            Column("low", _("Lower limit")),
            Column("high", _("Upper limit")),
            Column("p", _("p value")),
        ],
        rows=[
            [
                effect.label,
                plain(effect.value, 3),
                plain(effect.low, 3),
                plain(effect.high, 3),
                p_text(values["p"][place]),
            ]
            for effect, (place, _name) in zip(effects, terms, strict=True)
        ],
    )
    chosen = next((number for number, (_place, name) in enumerate(terms) if _is_exposure(protocol, name)), 0)
    answer = _("%(term)s: %(measure)s %(value)s, 95%% interval from %(low)s to %(high)s.") % {
        "term": effects[chosen].label,
        "measure": measure.lower(),
        "value": plain(effects[chosen].value),
        "low": plain(effects[chosen].low),
        "high": plain(effects[chosen].high),
    }
    chart = asked.drawn(
        forest_plot(effects, axis=measure, is_ratio=is_ratio),
        title=_("Forest plot"),
        description=answer,
        table=table,
    )
    return ShownResult(answer, (table, _sites(values)), (chart,))


def _weighting(asked: _Asked) -> ShownResult:
    """Return the weighted model, and how alike the arms are before and after weighting."""
    model, balance = _cox(asked), asked.values["balance"]
    labels = [term_text(asked.protocol, name) for name in balance["terms"]]
    table = Table(
        caption=_("Standardised difference"),
        columns=[
            Column("variable", _("Variable"), foreign=True),
            Column("before", _("Before weighting")),
            Column("after", _("After weighting")),
        ],
        rows=[
            [label, *(None if each is None else plain(each, 3) for each in pair)]
            for label, *pair in zip(labels, balance["before"], balance["after"], strict=True)
        ],
    )
    before, after = (
        [(label, value) for label, value in zip(labels, balance[when], strict=True) if value is not None]
        for when in ("before", "after")
    )
    chart = asked.drawn(
        love_plot(after, before=before, axis=_("Absolute standardised difference")),
        title=_("Love plot: how alike are the arms?"),
        description=_("Absolute standardised difference of each variable; the line marks 0.1."),
        table=table,
        note=_("Crosses: before weighting. Points: after it. Below 0.1 the arms are commonly called balanced."),
    )
    return ShownResult(model.answer, (*model.tables, table), (*model.charts, chart))


def _meta(asked: _Asked) -> ShownResult:
    """Return the hazard ratio at each site and their means; intervals of sites are normal ones."""
    values = asked.values
    methods = {
        "fixed": _("Fixed effect"),
        "dersimonian-laird": _("Random effects, DerSimonian-Laird"),
        "reml-hartung-knapp": _("Random effects, REML, Hartung-Knapp"),
    }
    effects = [
        Effect(
            label=site,
            value=math.exp(found["coef"]),
            low=math.exp(found["coef"] - _NORMAL_97_5 * found["se"]),
            high=math.exp(found["coef"] + _NORMAL_97_5 * found["se"]),
        )
        for site, found in values["sites"].items()
    ] + [
        Effect(
            label=methods.get(name, name),
            value=found["hr"],
            low=found["hr_low"] if found["hr_low"] is not None else 0.0,
            high=found["hr_high"] if found["hr_high"] is not None else math.inf,
        )
        for name, found in values["pooled"].items()
    ]
    table = Table(
        caption=_("Hazard ratio at each site and together: %(term)s")
        % {"term": term_text(asked.protocol, values["term"])},
        columns=[
            Column("site", _("Site"), foreign=True),
            Column("estimate", _("Hazard ratio")),
            Column("low", _("Lower limit")),
            Column("high", _("Upper limit")),
        ],
        rows=[
            [
                each.label,
                plain(each.value, 3),
                plain(each.low, 3),
                plain(each.high, 3) if math.isfinite(each.high) else "∞",
            ]
            for each in effects
        ],
    )
    told = effects[-1]
    answer = _("%(term)s: %(measure)s %(value)s, 95%% interval from %(low)s to %(high)s.") % {
        "term": f"{term_text(asked.protocol, values['term'])} ({told.label})",
        "measure": _("Hazard ratio").lower(),
        "value": plain(told.value),
        "low": plain(told.low),
        "high": plain(told.high) if math.isfinite(told.high) else "∞",
    }
    chart = asked.drawn(
        forest_plot([each for each in effects if math.isfinite(each.high)], axis=_("Hazard ratio"), is_ratio=True),
        title=_("Forest plot"),
        description=answer,
        table=table,
    )
    return ShownResult(answer, (table, _sites(values)), (chart,))


def _is_exposure(protocol: Protocol, name: str) -> bool:
    term = protocol.term(name)
    return term is not None and term.variable == protocol.exposure


def _sites(values: Mapping[str, Any]) -> Table:
    events = values.get("events")
    return Table(
        caption=_("Patients by site"),
        columns=[
            Column("site", _("Site"), foreign=True),
            Column("patients", _("Patients"), kind="number"),
            *([Column("events", _("Events"), kind="number")] if events else []),
        ],
        rows=[[site, count, *([events[site]] if events else [])] for site, count in values["n"].items()],
    )


def _counts(asked: _Asked) -> ShownResult:
    values, smallest = asked.values, asked.protocol.disclosure.smallest_cell
    sites = [site for site in values["n"] if site != "all"]
    tables = []
    for name, found in values["variables"].items():
        rows = []
        for place, code in enumerate(found["codes"]):
            cells = [_count(found["sites"][site][place], smallest) for site in sites]
            rows.append([code_text(asked.protocol, name, code), *cells, _count(found["all"][place], smallest)])
        tables.append(
            Table(
                caption=variable_text(asked.protocol, name),
                columns=[
                    Column("code", _("Category"), foreign=True),
                    *(Column(site, site, kind="number", foreign=True) for site in sites),
                    Column("all", _("All sites"), kind="number"),
                ],
                rows=rows,
            )
        )
    return ShownResult(_counted(values["n"]["all"], len(sites)), tuple(tables))


def _count(value: int | None, smallest: int) -> object:
    return (
        Cell(state="withheld", note=_("smallest cell of the protocol: %(k)d") % {"k": smallest})
        if value is None
        else value
    )


def _counted(patients: int, sites: int) -> str:
    told = ngettext("%(patients)s patients of %(sites)d site.", "%(patients)s patients of %(sites)d sites.", sites)
    return told % {"patients": plain(patients, 0), "sites": sites}


def _moments(asked: _Asked) -> ShownResult:
    protocol, values = asked.protocol, asked.values
    arms = dict(values["arms"])
    by = str(asked.item.options.get("by") or "")
    names = {arm: _arm_text(asked, by, arm) for arm in arms}
    differences = values.get("standardised_difference")
    rows = []
    for place, name in enumerate(values["variables"]):
        row: list[object] = [variable_text(protocol, name)]
        for arm in arms.values():
            row.append(f"{plain(arm['mean'][place])} ({plain(arm['sd'][place])})")
        if differences:
            row.append(None if differences[place] is None else plain(differences[place], 3))
        rows.append(row)
    table = Table(
        caption=_("Mean and standard deviation"),
        columns=[
            Column("variable", _("Variable"), foreign=True),
            *(Column(f"arm-{arm}", f"{name}, n = {plain(arms[arm]['n'], 0)}") for arm, name in names.items()),
            *([Column("difference", _("Standardised difference"))] if differences else []),
        ],
        rows=rows,
    )
    answer = _counted(sum(arm["n"] for arm in arms.values()), len(protocol.sites))
    if not differences:
        return ShownResult(answer, (table,))
    known = [
        (variable_text(protocol, name), value)
        for name, value in zip(values["variables"], differences, strict=True)
        if value is not None
    ]
    chart = asked.drawn(
        love_plot(known, axis=_("Absolute standardised difference")),
        title=_("Love plot: how alike are the arms?"),
        description=_("Absolute standardised difference of each variable; the line marks 0.1."),
        table=table,
        note=_("Below 0.1 the arms are commonly called balanced."),
    )
    return ShownResult(answer, (table,), (chart,))


def _kaplan_meier(asked: _Asked) -> ShownResult:
    values = asked.values
    by = str(asked.item.options.get("by") or "")
    labels = {name: _arm_text(asked, by, name) for name in values["arms"]}
    rows = []
    for name, arm in values["arms"].items():
        half: Mapping[str, Any] = next((each for each in arm["quantiles"] if each["share"] == 0.5), {})
        rows.append(
            [
                labels[name],
                arm["at_risk"][0] if arm["at_risk"] else None,
                sum(arm["events"]),
                *(half.get(key) for key in ("value", "low", "high")),
            ]
        )
    table = Table(
        caption=_("Median time in days"),
        columns=[
            Column("arm", _("Arm"), foreign=True),
            Column("patients", _("Patients"), kind="number"),
            Column("events", _("Events"), kind="number"),
            Column("median", _("Median"), kind="number"),
            Column("low", _("Lower limit"), kind="number"),
            Column("high", _("Upper limit"), kind="number"),
        ],
        rows=rows,
    )
    steps = Table(
        caption=_("Share free of the event, and numbers at risk"),
        columns=[
            Column("arm", _("Arm"), foreign=True),
            Column("day", _("Day"), kind="number"),
            Column("at_risk", _("At risk"), kind="number"),
            Column("share", _("Free of the event"), kind="percent"),
        ],
        rows=[
            [labels[name], *row]
            for name, arm in values["arms"].items()
            for row in zip(arm["times"], arm["at_risk"], arm["survival"], strict=True)
        ],
    )
    chart = asked.drawn(
        survival_plot(
            [
                CurveArm(label=labels[name], times=arm["times"], survival=arm["survival"], at_risk=arm["at_risk"])
                for name, arm in values["arms"].items()
            ],
            time=_("Days from time zero; numbers at risk above the axis"),
            survival=_("Free of the event"),
        ),
        title=_("Kaplan-Meier curves"),
        description=_("Share of patients free of the event by days, with the numbers at risk; the table has the same."),
        table=steps,
        note=_("Times are rounded up to the grid of the protocol."),
    )
    test = values.get("logrank")
    tables = (table, _test_table(asked, test, by)) if test else (table,)
    answer = (
        _("Log-rank test: p %(p)s.") % {"p": p_claim(test["test"]["p"])}
        if test
        else _counted(sum(int(arm["at_risk"][0]) for arm in values["arms"].values()), len(asked.protocol.sites))
    )
    return ShownResult(answer, tables, (chart,))


def _logrank(asked: _Asked) -> ShownResult:
    by = str(asked.item.options.get("by") or "")
    answer = _("Log-rank test: p %(p)s.") % {"p": p_claim(asked.values["test"]["p"])}
    return ShownResult(answer, (_test_table(asked, asked.values, by),))


def _arm_text(asked: _Asked, by: str, arm: str) -> str:
    if not by:
        return _("All")
    return f"{variable_text(asked.protocol, by)}: {code_text(asked.protocol, by, arm)}"


def _test_table(asked: _Asked, test: Mapping[str, Any], by: str) -> Table:
    return Table(
        caption=_("Events observed, and expected if the arms did not differ"),
        columns=[
            Column("arm", _("Arm"), foreign=True),
            Column("observed", _("Observed"), kind="number"),
            Column("expected", _("Expected"), kind="number"),
        ],
        rows=[
            [_arm_text(asked, by, str(arm)), observed, round(expected, 1)]
            for arm, observed, expected in zip(test["arms"], test["observed"], test["expected"], strict=True)
        ],
    )


def _listed(asked: _Asked) -> ShownResult:
    table = Table(
        caption=_("Every number by its name"),
        columns=[Column("name", _("Name"), foreign=True), Column("value", _("Value"), foreign=True)],
        rows=[[name, value] for name, value in leaves(asked.values)],
    )
    return ShownResult(_("The result is listed below."), (table,))


_KINDS: dict[str, Callable[[_Asked], ShownResult]] = {
    "cox": _cox,
    "logistic": _logistic,
    "poisson": _poisson,
    "linear": _linear,
    "counts": _counts,
    "moments": _moments,
    "kaplan-meier": _kaplan_meier,
    "logrank": _logrank,
    "weighting": _weighting,
    "meta": _meta,
}
