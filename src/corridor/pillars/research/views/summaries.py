"""Summaries of patients as pages show them: counts, means and quantiles."""

from __future__ import annotations

from itertools import pairwise

from django.utils.translation import gettext as _

from corridor.pillars.research.charts import love_plot
from corridor.pillars.research.views.shown import Asked, ShownResult, arm_text, counted
from corridor.pillars.research.views.words import code_text, plain, variable_text
from corridor.web.tables import Cell, Column, Table

__all__ = ["show_counts", "show_moments", "show_quantiles"]


def show_counts(asked: Asked) -> ShownResult:
    """Return the counts of each variable by code and site."""
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
    return ShownResult(counted(values["n"]["all"], len(sites)), tuple(tables))


def _count(value: int | None, smallest: int) -> object:
    return (
        Cell(state="withheld", note=_("smallest cell of the protocol: %(k)d") % {"k": smallest})
        if value is None
        else value
    )


def show_moments(asked: Asked) -> ShownResult:
    """Return means, deviations and standardised differences."""
    protocol, values = asked.protocol, asked.values
    arms = dict(values["arms"])
    by = str(asked.item.options.get("by") or "")
    names = {arm: arm_text(asked, by, arm) for arm in arms}
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
    answer = counted(sum(arm["n"] for arm in arms.values()), len(protocol.sites))
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


def show_quantiles(asked: Asked) -> ShownResult:
    """Return quantiles by arm, with limits and the bin in which each lies."""
    values, by = asked.values, str(asked.item.options.get("by") or "")
    name = variable_text(asked.protocol, values["variable"])
    rows = [
        [
            arm_text(asked, by, label),
            each["share"],
            *(_number(each[key]) for key in ("value", "low", "high")),
            _bin(*each["bin"]),
        ]
        for label, arm in values["arms"].items()
        for each in arm["quantiles"]
    ]
    table = Table(
        caption=name,
        columns=[
            Column("arm", _("Arm"), foreign=True),
            Column("share", _("Share below"), kind="percent"),
            Column("value", _("Quantile")),
            Column("low", _("Lower limit")),
            Column("high", _("Upper limit")),
            Column("bin", _("Lies in")),
        ],
        rows=rows,
    )
    counts = Table(
        caption=_("Patients by bin of values"),
        columns=[
            Column("bin", _("Bin")),
            *(
                Column(f"arm-{label}", arm_text(asked, by, label), kind="number", foreign=True)
                for label in values["arms"]
            ),
        ],
        rows=[
            [_bin(begin, end), *(arm["counts"][place] for arm in values["arms"].values())]
            for place, (begin, end) in enumerate(pairwise(values["edges"]))
        ],
    )
    return ShownResult(counted(sum(values["n"].values()), len(asked.protocol.sites)), (table, counts))


def _number(value: float | None) -> str | None:
    return None if value is None else plain(value)


def _bin(begin: float, end: float) -> str:
    return _("above %(begin)s, up to %(end)s") % {"begin": f"{begin:g}", "end": f"{end:g}"}
