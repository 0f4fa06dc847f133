"""Counts by disease, place and period: one query for pages, sharing and detection, so that they never differ."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import polars as pl
from django.db.models import Max, Min

from corridor.accounts.actors import Actor
from corridor.accounts.roles import require
from corridor.base.reference import places
from corridor.pillars.surveillance.models import Case, CountReport, Import, WeekTally
from corridor.pillars.surveillance.queries.rows import Parameter, Visible, chosen, fetch_visible, visible, with_rows
from corridor.pillars.surveillance.rules import COUNTED_CLASSES, next_start, period_start, whole_periods

__all__ = ["FIGURE_SCHEMA", "Figures", "counts_by_level", "diseases_with_data", "held_by", "holder", "period_counts"]

SEE = "surveillance.see_board"
SITES = ("sites_reported", "sites_expected", "tests", "positives")
FIGURE_SCHEMA = {
    "disease": pl.String,
    "place": pl.String,
    "start_on": pl.Date,
    "observed": pl.Int64,
    **dict.fromkeys(SITES, pl.Int64),
    "places_reported": pl.Int64,
    "places": pl.Int64,
    "is_whole": pl.Boolean,
}
_KEY = ["disease", "place", "start_on"]
_FINER = {"day": ("day",), "week": ("day", "week"), "month": ("day", "month")}
_FAR_PAST, _FAR_FUTURE = date(1900, 1, 1), date(9000, 1, 1)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Counts as one query found them.

    Attributes
    ----------
    frame : polars.DataFrame, columns of `FIGURE_SCHEMA`, by disease, place, start_on
        `observed` is null where nothing was reported; a reported zero is 0. `places_reported` of `places` and
        `sites_reported` of `sites_expected` are the completeness behind a figure; sites are null where unknown.
        `is_whole` is false for a period that was not over at `as_of`.
    period, basis, classes : what was counted
    as_of : moment of the youngest extract behind the figures, or None without any
    simulated : some of the figures are simulated
    """

    frame: pl.DataFrame
    period: str
    basis: str
    classes: tuple[str, ...]
    as_of: datetime | None
    simulated: bool


@dataclass(frozen=True, kw_only=True)
class _Asked:
    diseases: list[str]
    period: str
    basis: str
    classes: tuple[str, ...]
    first_on: date
    end_on: date
    within: str | None
    versions: Visible


@dataclass(frozen=True, kw_only=True)
class _Coverage:
    """From when to when each source of line lists reports, and how fresh everything is."""

    windows: dict[int, tuple[date, date]] = field(default_factory=dict)
    as_of: datetime | None = None
    simulated: bool = False


def period_counts(
    *,
    actor: Actor,
    diseases: Iterable[str],
    period: str = "week",
    basis: str = "report",
    classes: tuple[str, ...] = COUNTED_CLASSES,
    level: str | None = None,
    first_on: date | None = None,
    end_on: date | None = None,
    within: str | None = None,
    known_at: datetime | None = None,
) -> Figures:
    """Return counts by disease, place and period.

    Parameters
    ----------
    diseases : codes
    period : "day", "week" (ISO) or "month"
    basis : "onset" or "report", the date by which cases are counted
    classes : case classes that count; discarded is none of them
    level : "country", "admin1" or "admin2"; figures of smaller places are added up to it. None keeps places as
        reported. A place above the level stays itself: cases of which no more is known than the country.
    first_on, end_on : half-open range of days; the whole by default
    within : code of a place; only it and what it holds
    known_at : moment; the figures as they were known then

    Raises
    ------
    NotPermitted
        If `actor` may not see counts.

    Notes
    -----
    Where line lists cover a disease in a place, their cases are counted and reported counts are not added to them.
    A period without a case is 0 from the day on which the source began to report to its last extract, unless its sites
    are known and none reported. Reported counts by day add up to a week or month only if no day is missing. Reported
    totals of a larger place are used only where nothing of its parts is known.
    """
    (figures,) = counts_by_level(
        actor=actor,
        diseases=diseases,
        period=period,
        basis=basis,
        classes=classes,
        levels=[level],
        first_on=first_on,
        end_on=end_on,
        within=within,
        known_at=known_at,
    )
    return figures


def counts_by_level(
    *,
    actor: Actor,
    diseases: Iterable[str],
    levels: Sequence[str | None],
    period: str = "week",
    basis: str = "report",
    classes: tuple[str, ...] = COUNTED_CLASSES,
    first_on: date | None = None,
    end_on: date | None = None,
    within: str | None = None,
    known_at: datetime | None = None,
) -> tuple[Figures, ...]:
    """Return what `period_counts` returns for each of `levels`, read from the database once.

    Raises
    ------
    NotPermitted
        If `actor` may not see counts.
    """
    require(actor, SEE)
    asked = _Asked(
        diseases=sorted(set(diseases)),
        period=period,
        basis=basis,
        classes=tuple(name for name in COUNTED_CLASSES if name in classes),
        first_on=first_on or _FAR_PAST,
        end_on=end_on or _FAR_FUTURE,
        within=within,
        versions=visible(known_at=known_at),
    )
    coverage = _coverage(asked.versions)
    cases, pairs = _cases(asked, coverage)
    counted = _together(cases, pairs, _reports(asked))
    return tuple(_figures(counted, level, asked, coverage) for level in levels)


def _figures(counted: pl.DataFrame, level: str | None, asked: _Asked, coverage: _Coverage) -> Figures:
    if level is not None:
        counted = _rolled_up(counted, level)
    whole_until = coverage.as_of.date() if coverage.as_of is not None else _FAR_PAST
    frame = _totals(counted).with_columns((_end_of(asked.period) <= whole_until).alias("is_whole"))
    return Figures(
        frame=frame.select(*FIGURE_SCHEMA).sort(_KEY),
        period=asked.period,
        basis=asked.basis,
        classes=asked.classes,
        as_of=coverage.as_of,
        simulated=coverage.simulated,
    )


def _end_of(period: str) -> pl.Expr:
    return pl.col("start_on").dt.offset_by({"day": "1d", "week": "1w", "month": "1mo"}[period])


def diseases_with_data(*, actor: Actor) -> list[str]:
    """Return the codes of the diseases of which any count or case is held, sorted."""
    require(actor, SEE)
    conditions = visible().conditions
    return with_rows([(model, condition) for model in (WeekTally, CountReport) for condition in conditions])


def _coverage(versions: Visible) -> _Coverage:
    complete = Import.objects.filter(status=Import.Status.COMPLETE).exclude(pk__in=versions.hidden).order_by()
    rows = complete.values("source", "kind").annotate(first=Min("covers_from_on"), as_of=Max("as_of"))
    windows: dict[int, tuple[date, date]] = {}
    moments = []
    for row in rows:
        moments.append(row["as_of"])
        if row["kind"] == Import.Kind.LINE_LIST and row["first"] is not None:
            windows[row["source"]] = (row["first"], row["as_of"].astimezone(UTC).date())
    return _Coverage(
        windows=windows, as_of=max(moments, default=None), simulated=complete.filter(simulated=True).exists()
    )


def _cases(asked: _Asked, coverage: _Coverage) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the cases that line lists add up to, zeros included, and the pairs of disease and place they cover."""
    counted = _tallied(asked) if asked.period == "week" else _counted(asked)
    condition, parameters = _chosen(asked)
    pairs = fetch_visible(
        WeekTally,
        {"disease": pl.String, "place": pl.String, "source": pl.Int64},
        versions=asked.versions,
        where=condition,
        parameters=parameters,
        columns={"source": "source_id"},
        group_by="disease, place, source_id",
    ).unique()
    grids = []
    for (source,), mine in pairs.group_by("source"):
        window = coverage.windows.get(int(str(source)))
        if window is None:
            continue
        # From the first period that the source covers as a whole.
        first = max(period_start(window[0], asked.period), asked.first_on)
        end = min(window[1] + timedelta(days=1), asked.end_on)
        starts = whole_periods(first, end, asked.period)
        last = next_start(starts[-1], asked.period) if starts else period_start(first, asked.period)
        if last < end:
            starts.append(last)
        days = pl.DataFrame({"start_on": starts}, schema={"start_on": pl.Date})
        nothing = pl.lit(0, pl.Int64).alias("observed")
        grids.append(mine.select("disease", "place").join(days, how="cross").with_columns(nothing))
    figures = pl.concat([counted.select(*_KEY, "observed"), *(grid.select(*_KEY, "observed") for grid in grids)])
    return figures.group_by(_KEY).agg(pl.col("observed").sum()), pairs.select("disease", "place").unique()


def _chosen(asked: _Asked) -> tuple[str, list[Parameter]]:
    """Return the condition on disease and place, and its parameters."""
    condition, parameters = chosen("disease", asked.diseases)
    if asked.within is None:
        return condition, parameters
    inside, codes = chosen("place", held_by(asked.within))
    return f"{condition} AND {inside}", [*parameters, *codes]


def held_by(code: str) -> list[str]:
    """Return the code of a place and those of all places that it holds."""
    codes = [code]
    for above in codes:
        codes += [place.code for place in places().children(above)]
    return codes


def _tallied(asked: _Asked) -> pl.DataFrame:
    condition, parameters = _chosen(asked)
    total = " + ".join(f"{asked.basis}_{name}" for name in asked.classes) or "0"
    return fetch_visible(
        WeekTally,
        {**dict.fromkeys(("disease", "place"), pl.String), "start_on": pl.Date, "observed": pl.Int64},
        versions=asked.versions,
        where=f"{condition} AND start_on >= %s AND start_on < %s AND {total} > 0",
        parameters=[*parameters, str(asked.first_on), str(asked.end_on)],
        columns={"observed": total},
    )


def _counted(asked: _Asked) -> pl.DataFrame:
    day = f"{asked.basis}_on"
    diseases, disease_parameters = _chosen(asked)
    classes, class_parameters = chosen("classification", asked.classes)
    days = fetch_visible(
        Case,
        {"disease": pl.String, "place": pl.String, "start_on": pl.Date, "observed": pl.Int64},
        versions=asked.versions,
        where=f"{diseases} AND {classes} AND {day} >= %s AND {day} < %s",
        parameters=[*disease_parameters, *class_parameters, str(asked.first_on), str(asked.end_on)],
        columns={"start_on": day, "observed": "COUNT(*)"},
        group_by=f"disease, place, {day}",
    )
    return days.with_columns(pl.col("start_on").dt.truncate({"day": "1d", "month": "1mo"}[asked.period]))


def _reports(asked: _Asked) -> pl.DataFrame:
    """Return the reported counts, their periods made as long as asked, sources added up."""
    diseases, disease_parameters = _chosen(asked)
    periods, period_parameters = chosen("period_type", _FINER[asked.period])
    rows = fetch_visible(
        CountReport,
        {
            "source": pl.Int64,
            "period_type": pl.String,
            "classification": pl.String,
            "disease": pl.String,
            "place": pl.String,
            "start_on": pl.Date,
            "observed": pl.Int64,
            **dict.fromkeys(SITES, pl.Int64),
        },
        versions=asked.versions,
        where=f"{diseases} AND {periods} AND basis = %s AND stratum = '' AND start_on >= %s AND start_on < %s",
        parameters=[*disease_parameters, *period_parameters, asked.basis, str(asked.first_on), str(asked.end_on)],
        columns={"source": "source_id"},
    )
    cell = ["source", "period_type", *_KEY]
    by_class = pl.col("classification")
    everything = set(asked.classes) == set(COUNTED_CLASSES)
    of_all = pl.col("observed").filter(by_class == "all")
    of_classes = pl.col("observed").filter(by_class.is_in(asked.classes))
    added = pl.when(of_classes.count() > 0).then(of_classes.sum())
    cells = rows.group_by(cell).agg(
        (pl.coalesce(of_all.first(), added) if everything else added).alias("observed"),
        *(pl.col(name).max() for name in SITES),
    )
    longer = cells.filter(pl.col("period_type") == asked.period)
    if asked.period != "day":
        longer = pl.concat([longer, _longer(cells.filter(pl.col("period_type") == "day"), asked.period)])
    return longer.group_by(_KEY).agg(_sum("observed"), *(_sum(name) for name in SITES))


def _longer(days: pl.DataFrame, period: str) -> pl.DataFrame:
    """Return daily counts by week or month; a period with a missing day is missing."""
    start = pl.col("start_on").dt.truncate({"week": "1w", "month": "1mo"}[period])
    length = (start.dt.offset_by({"week": "1w", "month": "1mo"}[period]) - start).dt.total_days()
    keyed = days.with_columns(start.alias("start_on"), length.alias("length"), pl.lit(period).alias("period_type"))
    added = keyed.group_by("source", "period_type", *_KEY).agg(
        pl.when(pl.col("observed").count() == pl.col("length").first())
        .then(pl.col("observed").sum())
        .alias("observed"),
        *(_sum(name) for name in SITES),
    )
    return added.select(days.columns)


def _sum(name: str) -> pl.Expr:
    """Sum what is there; null where nothing is (polars would say 0)."""
    return pl.when(pl.col(name).count() > 0).then(pl.col(name).sum()).alias(name)


def _together(cases: pl.DataFrame, pairs: pl.DataFrame, reports: pl.DataFrame) -> pl.DataFrame:
    """Return one row a disease, place and period: cases where line lists cover the pair, else reported counts."""
    listed = pairs.with_columns(pl.lit(value=True).alias("is_listed"))
    reports = reports.join(listed, on=["disease", "place"], how="left").with_columns(
        pl.col("is_listed").fill_null(value=False)
    )
    both = cases.rename({"observed": "cases"}).join(
        reports.rename({"observed": "reported"}), on=_KEY, how="full", coalesce=True
    )
    silent = (pl.col("sites_expected") > 0) & (pl.col("sites_reported") == 0) & (pl.col("cases") == 0)
    listed_here = pl.col("cases").is_not_null() | pl.col("is_listed").fill_null(value=False)
    observed = (
        pl.when(listed_here)
        .then(pl.when(~silent.fill_null(value=False)).then(pl.col("cases")))
        .otherwise(pl.col("reported"))
    )
    return both.select(*_KEY, observed.alias("observed"), *SITES, listed_here.alias("is_listed"))


def _rolled_up(counted: pl.DataFrame, level: str) -> pl.DataFrame:
    """Return the rows with places replaced by what holds them at `level`, without totals of what is known in parts."""
    codes = counted["place"].unique().to_list()
    above = {code: holder(code, level) for code in codes}
    counted = counted.with_columns(
        pl.col("place").replace_strict(above, return_dtype=pl.String).alias("holder"),
    )
    parts = counted.filter(pl.col("holder") != pl.col("place")).select("disease", "holder").unique()
    known = parts.with_columns(pl.lit(value=True).alias("has_parts"))
    counted = counted.join(known, on=["disease", "holder"], how="left")
    is_total = (pl.col("holder") == pl.col("place")) & pl.col("has_parts").fill_null(value=False) & ~pl.col("is_listed")
    return counted.filter(~is_total).drop("place", "has_parts").rename({"holder": "place"})


def holder(code: str, level: str) -> str:
    """Return the code of the place of `level` that holds a place; the code itself if nothing of that level does."""
    place = places().get(code)
    while place is not None and place.level != level and place.parent is not None:
        place = places().get(place.parent)
    return place.code if place is not None and place.level == level else code


def _totals(counted: pl.DataFrame) -> pl.DataFrame:
    return counted.group_by(_KEY).agg(
        _sum("observed"),
        *(_sum(name) for name in SITES),
        pl.col("observed").count().cast(pl.Int64).alias("places_reported"),
        pl.len().cast(pl.Int64).alias("places"),
    )
