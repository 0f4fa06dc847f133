"""Summaries of patients as pages show them: counts, means and quantiles."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate, pairwise
from typing import Any

from django.utils.translation import gettext as _

from corridor.pillars.research.charts import love_plot, share_plot
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
    """Return quantiles by arm, with limits and the bin in which each lies, and how the values rise."""
    values, by = asked.values, str(asked.item.options.get("by") or "")
    name = variable_text(asked.protocol, values["variable"])
    labels = {label: arm_text(asked, by, label) for label in values["arms"]}
    table = Table(
        caption=name,
        columns=[
            Column("arm", _("Arm"), foreign=True),
            Column("share", _("Share below"), kind="percent"),
            Column("value", _("Quantile"), kind="number"),
            Column("low", _("Lower limit"), kind="number"),
            Column("high", _("Upper limit"), kind="number"),
            Column("bin", _("Lies in")),
        ],
        rows=[
            [
                labels[label],
                each["share"],
                *(_rounded(each[key]) for key in ("value", "low", "high")),
                _bin(*each["bin"]),
            ]
            for label, arm in values["arms"].items()
            for each in arm["quantiles"]
        ],
    )
    counts = Table(
        caption=_("Patients by bin of values"),
        columns=[
            Column("bin", _("Bin")),
            *(Column(f"arm-{label}", text, kind="number", foreign=True) for label, text in labels.items()),
        ],
        rows=[
            [_bin(begin, end), *(arm["counts"][place] for arm in values["arms"].values())]
            for place, (begin, end) in enumerate(pairwise(values["edges"]))
        ],
    )
    # The last bin reaches to the greatest plausible value: drawn to scale it would hide all others.
    shown = max(len(values["edges"]) - 1, 2)
    chart = asked.drawn(
        share_plot(
            [
                (labels[label], values["edges"][:shown], _shares_up_to(arm["counts"])[:shown])
                for label, arm in values["arms"].items()
            ],
            value=name,
            share=_("Share up to the value"),
        ),
        title=_("How the values rise"),
        description=_("Share of patients up to each edge of the bins; the table has the patients of each bin."),
        table=counts,
        note=_("Within a bin patients are taken to be evenly spread."),
    )
    return ShownResult(_medians(values, labels, by) or _of_all(asked), (table,), (chart,))


def _of_all(asked: Asked) -> str:
    return counted(sum(asked.values["n"].values()), len(asked.protocol.sites))


def _medians(values: Mapping[str, Any], labels: Mapping[str, str], by: str) -> str:
    told = []
    for label, arm in values["arms"].items():
        half = next((each for each in arm["quantiles"] if each["share"] == 0.5), None)
        if half is None:
            return ""
        told.append(
            (
                _("Median %(value)s, 95%% interval from %(low)s to %(high)s (%(arm)s).")
                if by
                else _("Median %(value)s, 95%% interval from %(low)s to %(high)s.")
            )
            % {"arm": labels[label], **{key: plain(half[key]) or "–" for key in ("value", "low", "high")}}
        )
    return " ".join(told)


def _shares_up_to(counts: list[int]) -> list[float]:
    total = sum(counts)
    return [0.0, *(so_far / total for so_far in accumulate(counts))]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _bin(begin: float, end: float) -> str:
    return _("above %(begin)s, up to %(end)s") % {"begin": f"{begin:g}", "end": f"{end:g}"}
