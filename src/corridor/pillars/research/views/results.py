"""A result as a page shows it, by kind of analysis: one sentence, tables, and a chart where one helps."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from corridor.pillars.research.charts import Effect, forest_plot, love_plot
from corridor.pillars.research.rules.protocol import AnalysisItem, Protocol
from corridor.pillars.research.views.shown import Asked, ShownResult, sites_table
from corridor.pillars.research.views.summaries import show_counts, show_moments, show_quantiles
from corridor.pillars.research.views.times import show_concordance, show_curves, show_logrank
from corridor.pillars.research.views.words import leaves, p_text, plain, term_text
from corridor.web.tables import Column, Table

__all__ = ["ShownResult", "show_result"]

_NORMAL_97_5 = 1.959963984540054


def show_result(
    item: AnalysisItem, protocol: Protocol, values: Mapping[str, Any], *, request: HttpRequest
) -> ShownResult:
    """Return a result in words, tables and charts; of a kind that has no page of its own, every number by its name."""
    return _KINDS.get(item.kind, _listed)(Asked(item, protocol, values, request))


def _cox(asked: Asked) -> ShownResult:
    return _effects(asked, _("Hazard ratio"), ("hr", "hr_low", "hr_high"), is_ratio=True)


def _logistic(asked: Asked) -> ShownResult:
    return _effects(asked, _("Odds ratio"), ("ratio", "ratio_low", "ratio_high"), is_ratio=True)


def _poisson(asked: Asked) -> ShownResult:
    return _effects(asked, _("Rate ratio"), ("ratio", "ratio_low", "ratio_high"), is_ratio=True)


def _linear(asked: Asked) -> ShownResult:
    return _effects(asked, _("Difference"), ("coef", "low", "high"), is_ratio=False)


def _effects(asked: Asked, measure: str, names: tuple[str, str, str], *, is_ratio: bool) -> ShownResult:
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
    return ShownResult(answer, (table, sites_table(values)), (chart,))


def _weighting(asked: Asked) -> ShownResult:
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


def _meta(asked: Asked) -> ShownResult:
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
    return ShownResult(answer, (table, sites_table(values)), (chart,))


def _is_exposure(protocol: Protocol, name: str) -> bool:
    term = protocol.term(name)
    return term is not None and term.variable == protocol.exposure


def _listed(asked: Asked) -> ShownResult:
    table = Table(
        caption=_("Every number by its name"),
        columns=[Column("name", _("Name"), foreign=True), Column("value", _("Value"), foreign=True)],
        rows=[[name, value] for name, value in leaves(asked.values)],
    )
    return ShownResult(_("The result is listed below."), (table,))


_KINDS: dict[str, Callable[[Asked], ShownResult]] = {
    "cox": _cox,
    "logistic": _logistic,
    "poisson": _poisson,
    "linear": _linear,
    "cox-unstratified": _cox,
    "counts": show_counts,
    "moments": show_moments,
    "quantiles": show_quantiles,
    "concordance": show_concordance,
    "kaplan-meier": show_curves,
    "logrank": show_logrank,
    "weighting": _weighting,
    "meta": _meta,
}
