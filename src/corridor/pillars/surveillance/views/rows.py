"""Signals as rows of a table, with what partners saw in the same week, and the cases behind one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import polars as pl
from django.utils.translation import gettext as _

from corridor.pillars.surveillance.queries import SignalView
from corridor.pillars.surveillance.queries.pages import PartnerRise
from corridor.pillars.surveillance.texts import (
    SEVERITIES,
    STATUSES,
    TONES,
    class_text,
    disease_name,
    named,
    period_text,
    place_text,
)
from corridor.web.tables import Cell, Column, Table

__all__ = ["case_table", "signal_rows"]


def signal_rows(signals: Sequence[SignalView], joint: Mapping[int, list[PartnerRise]]) -> list[dict[str, Any]]:
    """Return what the table of signals shows of each."""
    return [
        {
            "signal": signal,
            "disease": disease_name(signal.disease),
            "place": place_text(signal.place),
            "period": period_text(signal.start_on, signal.period_type),
            "status": named(STATUSES, signal.status),
            "tone": TONES.get(signal.status, "plain"),
            "severity": named(SEVERITIES, signal.severity),
            "rises": [
                {"rise": rise, "place": place_text(rise.place), "country": place_text(rise.place.partition("-")[0])}
                for rise in joint.get(signal.id, [])
            ],
        }
        for signal in signals
    ]


def case_table(cases: pl.DataFrame) -> Table:
    """Return the table of the line list behind a signal."""
    return Table(
        caption=_("Cases, oldest first"),
        columns=[
            Column("case_id", _("Case id"), foreign=True),
            Column("source", _("Source"), foreign=True),
            Column("place", _("Place")),
            Column("onset", _("Onset"), kind="day"),
            Column("report", _("Report"), kind="day"),
            Column("age", _("Age"), kind="number"),
            Column("sex", _("Sex")),
            Column("classification", _("Case class")),
        ],
        rows=[
            [
                row["case_id"],
                row["source"],
                place_text(row["place"]),
                _day(row["onset_on"]),
                _day(row["report_on"]),
                row["age_years"],
                class_text(row["sex"]),
                class_text(row["classification"]),
            ]
            for row in cases.iter_rows(named=True)
        ],
        quiet_caption=True,
        empty=_("The figure came as a count; there is no line list behind it."),
    )


def _day(value: date | None) -> Cell:
    return Cell(state="missing") if value is None else Cell(value)
