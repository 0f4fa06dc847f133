"""The complete list of what surveillance sends across a border: period counts, alerts, single notifications.

All of it is aggregate: a place, a period, a figure. No field can hold a patient's identifier, age or sex.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import AwareDatetime, Field, model_validator

from corridor.base.disclosure import Cell
from corridor.exchange.messages import Message, Part, field_class
from corridor.exchange.rules.classes import DataClass

__all__ = ["MESSAGES", "Alert", "AlertWithdrawal", "CaseNotification", "CountCell", "PeriodCounts"]

_PUBLIC = field_class(DataClass.PUBLIC)
_AGGREGATE = field_class(DataClass.AGGREGATE)

MAX_CELLS = 5000
LARGEST = 2_000_000_000

_Disease = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=120), _PUBLIC]
_Place = Annotated[str, Field(pattern=r"^[A-Z]{2}(-[A-Za-z0-9.]{1,20}){0,3}$", max_length=60), _PUBLIC]
_Level = Annotated[Literal["country", "admin1", "admin2"], _PUBLIC]
_Period = Annotated[Literal["day", "week", "month"], _PUBLIC]
_Basis = Annotated[Literal["onset", "report"], _PUBLIC]
_Classes = Annotated[
    tuple[Literal["suspected", "probable", "confirmed", "unknown"], ...],
    Field(max_length=4),
    _PUBLIC,
]
_Date = Annotated[date, _PUBLIC]
_Moment = Annotated[AwareDatetime, _PUBLIC]
_Flag = Annotated[bool, _PUBLIC]
_Event = Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"), _PUBLIC]
_Revision = Annotated[int, Field(ge=1, le=LARGEST), _PUBLIC]
_Figure = Annotated[Annotated[int, Field(ge=-LARGEST, le=LARGEST)] | None, _AGGREGATE]
_Mean = Annotated[Annotated[float, Field(ge=0, le=LARGEST, allow_inf_nan=False)] | None, _AGGREGATE]
_Withheld = Annotated[str, Field(pattern=r"^((below|complement)-[1-9][0-9]{0,6})?$"), _PUBLIC]
_Stratum = Annotated[str, Field(pattern=r"^([a-z0-9-]+(:[A-Za-z0-9+-]+)+)?$", max_length=64), _PUBLIC]
_Sites = Annotated[Annotated[int, Field(ge=0, le=LARGEST)] | None, _PUBLIC]


def _check_period(start: date, end: date, period_type: str) -> None:
    if period_type == "day":
        right = end - start == timedelta(days=1)
    elif period_type == "week":
        right = end - start == timedelta(weeks=1)
    else:
        following = start + timedelta(days=31)
        right = start.day == 1 and end == following.replace(day=1)
    if not right:
        raise ValueError(f"a {period_type} is one {period_type} long, [start, end)")


class CountCell(Part):
    """One figure: how many cases in one place and one period; or that it is withheld, and by which rule.

    `revision` counts up from 1 whenever the sender corrects the figure; the highest one holds. `sites_reported` of
    `sites_expected` is the completeness behind the figure. `expected` and `limit` are the sender's own, where it shows
    them. A figure that is neither given nor withheld was not reported to the sender.
    """

    place: _Place
    period_start: _Date
    period_end: _Date
    stratum: _Stratum = ""
    value: _Figure = None
    withheld: _Withheld = ""
    revision: _Revision = 1
    sites_reported: _Sites = None
    sites_expected: _Sites = None
    expected: _Mean = None
    limit: _Mean = None

    @model_validator(mode="after")
    def _withheld_shows_nothing(self) -> CountCell:
        if self.withheld and self.value is not None:
            raise ValueError("a withheld figure travels without value")
        if self.value is None and not (self.expected is None and self.limit is None):
            raise ValueError("expectation and limit travel beside a figure, never in its place")
        return self


class PeriodCounts(Message):
    """Counts of one disease by place and period, as known to the sender at `as_of`."""

    schema_name: ClassVar[str] = "surveillance.period-counts"
    data_class: ClassVar[DataClass] = DataClass.AGGREGATE

    disease: _Disease
    place_level: _Level
    period_type: _Period
    date_basis: _Basis
    case_classes: _Classes
    as_of: _Moment
    simulated: _Flag
    counts: Annotated[tuple[CountCell, ...], Field(min_length=1, max_length=MAX_CELLS), _AGGREGATE]

    @model_validator(mode="after")
    def _periods_fit(self) -> PeriodCounts:
        for cell in self.counts:
            _check_period(cell.period_start, cell.period_end, self.period_type)
        keys = {(cell.place, cell.period_start, cell.stratum) for cell in self.counts}
        if len(keys) != len(self.counts):
            raise ValueError("a place, period and stratum occurs once in a message")
        return self

    def cells(self) -> list[Cell]:
        """Return every figure; those withheld and those not reported have no value."""
        return [
            Cell(
                disease=self.disease,
                place=cell.place,
                period_start=cell.period_start,
                period_end=cell.period_end,
                stratum=cell.stratum,
                value=cell.value,
                withheld=cell.withheld,
            )
            for cell in self.counts
        ]

    def released(self) -> list[Cell]:
        """Return the figures that are shown or withheld; one that was not reported tells nothing."""
        return [cell for cell in self.cells() if cell.withheld or cell.value is not None]


class Alert(Message):
    """An event that the sender wants the partner to know of; the text is the receiver's, by `text_code`."""

    schema_name: ClassVar[str] = "surveillance.alert"
    data_class: ClassVar[DataClass] = DataClass.AGGREGATE

    event: _Event
    revision: _Revision
    severity: Annotated[Literal["information", "watch", "urgent"], _PUBLIC]
    text_code: Annotated[
        Literal["more-than-expected", "first-case", "cluster", "cross-border", "verified-outbreak"], _PUBLIC
    ]
    disease: _Disease
    place: _Place
    period_type: _Period
    period_start: _Date
    period_end: _Date
    observed: _Figure = None
    expected: _Mean = None
    withheld: _Withheld = ""
    issued_at: _Moment
    simulated: _Flag

    @model_validator(mode="after")
    def _period_fits(self) -> Alert:
        _check_period(self.period_start, self.period_end, self.period_type)
        if self.withheld and not (self.observed is None and self.expected is None):
            raise ValueError("a withheld figure travels without value and expectation")
        return self

    def cells(self) -> list[Cell]:
        """Return the observed figure, where the alert shows or withholds one."""
        if self.observed is None and not self.withheld:
            return []
        return [
            Cell(
                disease=self.disease,
                place=self.place,
                period_start=self.period_start,
                period_end=self.period_end,
                value=self.observed,
                withheld=self.withheld,
            )
        ]

    def named_places(self) -> list[str]:
        """Return the place of the event, whose figure may stay at home."""
        return [self.place]


class AlertWithdrawal(Message):
    """The sender takes an alert back; the receiver keeps it and shows it as withdrawn."""

    schema_name: ClassVar[str] = "surveillance.alert-withdrawal"
    data_class: ClassVar[DataClass] = DataClass.PUBLIC

    event: _Event
    revision: _Revision
    reason_code: Annotated[Literal["not-confirmed", "reporting-error", "duplicate", "resolved"], _PUBLIC]
    withdrawn_at: _Moment
    simulated: _Flag


class CaseNotification(Message):
    """One suspected case of a disease that is notified at once: a total of 1 in a place, without age and sex."""

    schema_name: ClassVar[str] = "surveillance.case-notification"
    data_class: ClassVar[DataClass] = DataClass.AGGREGATE

    event: _Event
    disease: _Disease
    place: _Place
    reported_on: _Date
    case_class: Annotated[Literal["suspected", "probable", "confirmed"], _PUBLIC]
    cases: Annotated[Literal[1], _AGGREGATE] = 1
    notified_at: _Moment
    simulated: _Flag

    def cells(self) -> list[Cell]:
        """Return the one case, on the day of its report."""
        return [
            Cell(
                disease=self.disease,
                place=self.place,
                period_start=self.reported_on,
                period_end=self.reported_on + timedelta(days=1),
                value=self.cases,
            )
        ]

    def released(self) -> list[Cell]:
        """Return the case as one part of its day: two notifications of a day are two cases, not one figure twice."""
        return [replace(cell, stratum=f"case:{self.event}") for cell in self.cells()]


MESSAGES: tuple[type[Message], ...] = (PeriodCounts, Alert, AlertWithdrawal, CaseNotification)
"""Every message of the pillar."""
