"""Analyses of times as pages show them: curves, tests between arms, concordance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from corridor.pillars.research.charts import CurveArm, share_plot, survival_plot
from corridor.pillars.research.views.shown import Asked, ShownResult, arm_text, counted, sites_table
from corridor.pillars.research.views.words import p_claim, plain
from corridor.web.charts import ChartFrame
from corridor.web.tables import Column, Table

__all__ = ["show_concordance", "show_curves", "show_logrank"]


def show_curves(asked: Asked) -> ShownResult:
    """Return curves with numbers at risk, medians and means, incidence of competing events, and the test of arms."""
    values, by = asked.values, _by(asked)
    labels = {name: arm_text(asked, by, name) for name in values["arms"]}
    charts = [_chart(asked, values["arms"], labels, title=_("Kaplan-Meier curves"))]
    for site, found in values.get("by_site", {}).items():
        title = _("Kaplan-Meier curves of site %(site)s") % {"site": site}
        charts.append(_chart(asked, found["arms"], labels, title=title))
    tables = [_medians(values["arms"], labels)]
    if any("incidence" in arm for arm in values["arms"].values()):
        charts.append(_incidence(asked, values["arms"], labels))
    test = values.get("logrank")
    if test:
        tables.append(_test_table(asked, test, by))
        return ShownResult(_test_claim(asked, test), tuple(tables), tuple(charts))
    patients = sum(int(arm["at_risk"][0]) for arm in values["arms"].values())
    return ShownResult(counted(patients, len(asked.protocol.sites)), tuple(tables), tuple(charts))


def show_logrank(asked: Asked) -> ShownResult:
    """Return the test between arms."""
    return ShownResult(_test_claim(asked, asked.values), (_test_table(asked, asked.values, _by(asked)),))


def show_concordance(asked: Asked) -> ShownResult:
    """Return the concordance of all pairs, and how many patients and events each bin of the score has."""
    values, found = asked.values, asked.values["concordance"]
    answer = _(
        "Of the pairs whose order is known, %(share)s %% are in the order of the model, 95%% interval from %(low)s to"
        " %(high)s %%."
    ) % {
        "share": plain(100 * found["value"], 1),
        "low": plain(100 * found["low"], 1),
        "high": plain(100 * found["high"], 1),
    }
    limits = [plain(each, 3) for each in values["limits"]]
    bins = Table(
        caption=_("Patients by bin of the model’s score; times up to day %(day)s")
        % {"day": plain(values["edges"][-1], 0)},
        columns=[
            Column("from", _("Score from")),
            Column("below", _("to below")),
            Column("patients", _("Patients"), kind="number"),
            Column("events", _("Events"), kind="number"),
        ],
        rows=[
            list(row) for row in zip([None, *limits], [*limits, None], values["entered"], values["events"], strict=True)
        ],
    )
    return ShownResult(answer, (bins, sites_table({"n": values["n"]})))


def _by(asked: Asked) -> str:
    return str(asked.item.options.get("by") or "")


def _medians(arms: Mapping[str, Any], labels: Mapping[str, str]) -> Table:
    has_mean = any(arm.get("restricted_mean") for arm in arms.values())
    rows = []
    for name, arm in arms.items():
        half: Mapping[str, Any] = next((each for each in arm["quantiles"] if each["share"] == 0.5), {})
        mean = arm.get("restricted_mean") or {}
        rows.append(
            [
                labels[name],
                arm["at_risk"][0] if arm["at_risk"] else None,
                sum(arm["events"]),
                *(half.get(key) for key in ("value", "low", "high")),
                *([_rounded(mean.get(key)) for key in ("value", "low", "high")] if has_mean else []),
            ]
        )
    tau = next((arm["restricted_mean"]["tau"] for arm in arms.values() if arm.get("restricted_mean")), 0.0)
    caption = _("Median time in days, and mean up to day %(day)s") % {"day": plain(tau, 0)}
    return Table(
        caption=caption if has_mean else _("Median time in days"),
        columns=[
            Column("arm", _("Arm"), foreign=True),
            Column("patients", _("Patients"), kind="number"),
            Column("events", _("Events"), kind="number"),
            Column("median", _("Median"), kind="number"),
            Column("low", _("Lower limit"), kind="number"),
            Column("high", _("Upper limit"), kind="number"),
            *(
                [
                    Column("mean", _("Restricted mean"), kind="number"),
                    Column("mean-low", _("Lower limit"), kind="number"),
                    Column("mean-high", _("Upper limit"), kind="number"),
                ]
                if has_mean
                else []
            ),
        ],
        rows=rows,
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _incidence(asked: Asked, arms: Mapping[str, Any], labels: Mapping[str, str]) -> ChartFrame:
    kinds = {"event": _("Event"), "competing": _("Competing event")}
    table = Table(
        caption=_("Cumulative incidence where another event may come first"),
        columns=[
            Column("arm", _("Arm"), foreign=True),
            Column("day", _("Day"), kind="number"),
            *(Column(kind, text, kind="percent") for kind, text in kinds.items()),
        ],
        rows=[
            [labels[name], *row]
            for name, arm in arms.items()
            for row in zip(arm["times"], *(arm["incidence"][kind]["incidence"] for kind in kinds), strict=True)
        ],
    )
    lines = [
        (text if len(arms) == 1 else f"{labels[name]}, {text}", [0, *arm["times"]], [0, *shares["incidence"]])
        for name, arm in arms.items()
        for text, shares in ((kinds[kind], arm["incidence"][kind]) for kind in kinds)
    ]
    return asked.drawn(
        share_plot(lines, value=_("Days from time zero"), share=_("Share with the event"), is_step=True),
        title=_("Cumulative incidence where another event may come first"),
        description=_("Share of patients with each event by days; the table has the same."),
        table=table,
        note=_("Times are rounded up to the grid of the protocol."),
    )


def _chart(asked: Asked, arms: Mapping[str, Any], labels: Mapping[str, str], *, title: str) -> ChartFrame:
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
            for name, arm in arms.items()
            for row in zip(arm["times"], arm["at_risk"], arm["survival"], strict=True)
        ],
    )
    return asked.drawn(
        survival_plot(
            [
                CurveArm(label=labels[name], times=arm["times"], survival=arm["survival"], at_risk=arm["at_risk"])
                for name, arm in arms.items()
            ],
            time=_("Days from time zero; numbers at risk above the axis"),
            survival=_("Free of the event"),
        ),
        title=title,
        description=_("Share of patients free of the event by days, with the numbers at risk; the table has the same."),
        table=steps,
        note=_("Times are rounded up to the grid of the protocol."),
    )


def _test_claim(asked: Asked, test: Mapping[str, Any]) -> str:
    p = {"p": p_claim(test["test"]["p"])}
    if asked.item.options.get("weights") == "peto-peto":
        return _("Peto-Peto test: p %(p)s.") % p
    return _("Log-rank test: p %(p)s.") % p


def _test_table(asked: Asked, test: Mapping[str, Any], by: str) -> Table:
    is_weighted = asked.item.options.get("weights") == "peto-peto"
    return Table(
        caption=_("Events observed, and expected if the arms did not differ; each weighted by survival before it")
        if is_weighted
        else _("Events observed, and expected if the arms did not differ"),
        columns=[
            Column("arm", _("Arm"), foreign=True),
            Column("observed", _("Observed"), kind="number"),
            Column("expected", _("Expected"), kind="number"),
        ],
        rows=[
            [
                arm_text(asked, by, str(arm)),
                round(observed, 1) if is_weighted else observed,
                round(expected, 1),
            ]
            for arm, observed, expected in zip(test["arms"], test["observed"], test["expected"], strict=True)
        ],
    )
