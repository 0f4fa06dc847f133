"""What a page says of a result, and what the pages of all kinds of analysis share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from corridor.pillars.research.rules.protocol import AnalysisItem, Protocol
from corridor.pillars.research.views.words import code_text, plain, variable_text
from corridor.web.charts import ChartFrame, frame
from corridor.web.tables import Column, Table

__all__ = ["Asked", "ShownResult", "arm_text", "counted", "sites_table"]

SEE = "research.see_studies"


@dataclass(frozen=True)
class ShownResult:
    """What a page says of a result."""

    answer: str
    tables: tuple[Table, ...]
    charts: tuple[ChartFrame, ...] = ()


@dataclass(frozen=True)
class Asked:
    """A result with the entry of the plan that it answers, and what charts of it need."""

    item: AnalysisItem
    protocol: Protocol
    values: Mapping[str, Any]
    request: HttpRequest

    def drawn(self, spec: dict[str, Any], *, title: str, description: str, table: Table, note: str = "") -> ChartFrame:
        """Return a chart in its frame, with the table that says the same."""
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


def sites_table(values: Mapping[str, Any]) -> Table:
    """Return how many patients, and events, each site had."""
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


def counted(patients: int, sites: int) -> str:
    """Return how many patients of how many sites a result is about."""
    told = ngettext("%(patients)s patients of %(sites)d site.", "%(patients)s patients of %(sites)d sites.", sites)
    return told % {"patients": plain(patients, 0), "sites": sites}


def arm_text(asked: Asked, by: str, arm: str) -> str:
    """Return what an arm is called: the variable that makes it and its code."""
    if not by:
        return _("All")
    return f"{variable_text(asked.protocol, by)}: {code_text(asked.protocol, by, arm)}"
