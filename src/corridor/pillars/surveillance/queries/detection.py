"""What detection needs to know: the series of a disease as arrays, and which signals were raised before."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from corridor.accounts.actors import Actor
from corridor.accounts.roles import require
from corridor.base.reference import places
from corridor.pillars.surveillance.models import CountReport, Signal, WeekTally
from corridor.pillars.surveillance.queries.counts import Figures, period_counts
from corridor.pillars.surveillance.queries.rows import visible
from corridor.pillars.surveillance.rules import COUNTED_CLASSES, PastSignal, whole_periods

__all__ = ["SeriesTable", "past_signals", "period_of", "series_table"]

SEE = "surveillance.see_board"


@dataclass(frozen=True, kw_only=True)
class SeriesTable:
    """The series of one disease, ready for detection.

    Attributes
    ----------
    places : tuple of str
        Code of each series.
    starts : tuple of date
        First day of each period, oldest first, without gaps.
    counts : array of float, shape (periods, series), cases
        NaN where nothing was reported, and where a correction makes the count negative.
    offset : array of float, shape (periods, series), or None
        Reporting sites or population, as asked for.
    as_of : datetime or None
    simulated : bool
    """

    places: tuple[str, ...]
    starts: tuple[date, ...]
    counts: NDArray[np.float64]
    offset: NDArray[np.float64] | None
    as_of: datetime | None
    simulated: bool


def period_of(*, actor: Actor, disease: str) -> str:
    """Return by which period a disease is judged: "week", unless there are daily counts and nothing by week."""
    require(actor, SEE)
    versions = visible()
    if WeekTally.objects.filter(versions.q, disease=disease).exists():
        return "week"
    kinds = set(
        CountReport.objects.filter(versions.q, disease=disease)
        .order_by()
        .values_list("period_type", flat=True)
        .distinct()
    )
    return "day" if "day" in kinds and "week" not in kinds else "week"


def series_table(
    *,
    actor: Actor,
    disease: str,
    period: str,
    basis: str = "report",
    classes: tuple[str, ...] = COUNTED_CLASSES,
    offset: str = "",
    known_at: datetime | None = None,
    until: date | None = None,
) -> SeriesTable:
    """Return the series of a disease: each place of the first level, and each country as a whole.

    Parameters
    ----------
    offset : "sites", "population" or ""
    known_at : the figures as known then
    until : only periods that end by that day; else those that were over at the youngest extract

    Notes
    -----
    Cases of which only the country is known count for the country, and make no series beside its parts.
    """
    asked = {"diseases": [disease], "period": period, "basis": basis, "classes": classes, "known_at": known_at}
    parts = period_counts(actor=actor, level="admin1", **asked)  # type: ignore[arg-type]  # one dict for both calls
    whole = period_counts(actor=actor, level="country", **asked)  # type: ignore[arg-type]  # as above
    countries = whole.frame["place"].unique().implode()
    frame = pl.concat([parts.frame.filter(~pl.col("place").is_in(countries)), whole.frame]).filter("is_whole")
    if until is not None:
        frame = frame.filter(pl.col("start_on") < until)
    return _arrays(frame, parts, offset=offset)


def _arrays(frame: pl.DataFrame, figures: Figures, *, offset: str) -> SeriesTable:
    codes = tuple(sorted(frame["place"].unique()))
    if frame.is_empty():
        return SeriesTable(
            places=(), starts=(), counts=np.empty((0, 0)), offset=None, as_of=figures.as_of, simulated=figures.simulated
        )
    first, last = frame["start_on"].min(), frame["start_on"].max()
    starts = tuple(whole_periods(first, last + timedelta(days=31), figures.period))  # type: ignore[operator,arg-type]  # dates: not empty
    starts = tuple(start for start in starts if start <= last)  # type: ignore[operator]  # as above
    row = {start: number for number, start in enumerate(starts)}
    column = {code: number for number, code in enumerate(codes)}
    at = (
        frame["start_on"].replace_strict(row, return_dtype=pl.Int64).to_numpy(),
        frame["place"].replace_strict(column, return_dtype=pl.Int64).to_numpy(),
    )
    counts = np.full((len(starts), len(codes)), np.nan)
    counts[at] = frame["observed"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    counts[counts < 0] = np.nan
    return SeriesTable(
        places=codes,
        starts=starts,
        counts=counts,
        offset=_offset(frame, at, codes, counts.shape, offset),
        as_of=figures.as_of,
        simulated=figures.simulated,
    )


def _offset(
    frame: pl.DataFrame,
    at: tuple[NDArray[np.int64], NDArray[np.int64]],
    codes: tuple[str, ...],
    shape: tuple[int, ...],
    kind: str,
) -> NDArray[np.float64] | None:
    """Return what the counts are relative to, or None unless it is known and positive wherever there is a count."""
    if kind == "sites":
        values = np.full(shape, np.nan)
        values[at] = frame["sites_reported"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    elif kind == "population":
        known = (places().get(code) for code in codes)
        one = np.array([place.population or np.nan if place else np.nan for place in known], dtype=np.float64)
        values = np.broadcast_to(one, shape).copy()
    else:
        return None
    return values if bool((values > 0).all()) else None


def past_signals(*, actor: Actor, disease: str, period: str) -> dict[str, list[PastSignal]]:
    """Return the signals of a disease by place, as the rule on raising them again needs them."""
    require(actor, SEE)
    past: dict[str, list[PastSignal]] = {}
    rows = Signal.objects.filter(disease=disease, period_type=period).order_by("raised_at")
    for signal in rows:
        past.setdefault(signal.place, []).append(
            PastSignal(
                start_on=signal.start_on,
                raised_at=signal.raised_at,
                excess=signal.observed - (signal.expected or 0.0),
            )
        )
    return past
