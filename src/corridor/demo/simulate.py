"""Simulated line lists: trend, season, reporting delay, completeness and one rise on both sides of a border.

Nothing here describes a real epidemic. The places that rise are invented, both rise in the same week,
and no side is the source.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from corridor.base.streams import stream

DAYS_A_WEEK = 7
WEEKS_A_YEAR = 52.18
DAYS_A_YEAR = 365.25
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One disease or syndrome as the simulation draws it.

    Attributes
    ----------
    weekly_mean : cases per place and week, before trend and season, for a place of weight 1
    season : relative amplitude of the yearly wave, 0 to 1
    peak_week : week of the year in which the wave is highest
    yearly_growth : relative change per year
    dispersion : variance over mean of the weekly count, at least 1
    mean_age_years, child_share : age is a mixture of children (0-14) and adults around the mean
    """

    disease: str
    weekly_mean: float
    season: float
    peak_week: int
    yearly_growth: float
    dispersion: float
    mean_age_years: float
    child_share: float


CONDITIONS = (
    Condition(
        disease="influenza-like-illness",
        weekly_mean=15.0,
        season=0.6,
        peak_week=4,
        yearly_growth=0.02,
        dispersion=2.0,
        mean_age_years=34,
        child_share=0.35,
    ),
    Condition(
        disease="acute-watery-diarrhoea",
        weekly_mean=9.0,
        season=0.5,
        peak_week=30,
        yearly_growth=-0.03,
        dispersion=1.8,
        mean_age_years=28,
        child_share=0.5,
    ),
    Condition(
        disease="measles",
        weekly_mean=2.2,
        season=0.5,
        peak_week=14,
        yearly_growth=-0.05,
        dispersion=1.6,
        mean_age_years=20,
        child_share=0.8,
    ),
    Condition(
        disease="typhoid-fever",
        weekly_mean=2.6,
        season=0.4,
        peak_week=32,
        yearly_growth=0.0,
        dispersion=1.4,
        mean_age_years=26,
        child_share=0.45,
    ),
    Condition(
        disease="hepatitis-a",
        weekly_mean=2.0,
        season=0.3,
        peak_week=40,
        yearly_growth=-0.02,
        dispersion=1.4,
        mean_age_years=24,
        child_share=0.55,
    ),
    Condition(
        disease="brucellosis",
        weekly_mean=1.6,
        season=0.5,
        peak_week=22,
        yearly_growth=0.03,
        dispersion=1.3,
        mean_age_years=41,
        child_share=0.1,
    ),
)
"""Four diseases and two syndromes."""


@dataclass(frozen=True, kw_only=True)
class Rise:
    """An outbreak laid over one series: `factors` multiply the mean of the weeks from `first_week` on."""

    disease: str
    place: str
    first_week: date
    factors: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Country:
    """One country's side of the simulation.

    Attributes
    ----------
    places : place code and weight; the weight multiplies every weekly mean
    median_delay_days : median time from onset to report
    sites : reporting sites per place
    site_reporting : share of sites that report in a week
    """

    code: str
    places: tuple[tuple[str, float], ...]
    median_delay_days: float
    sites: int
    site_reporting: float


@dataclass(frozen=True)
class SimulatedCountry:
    """Line list and site reports of one country, as the node's staff would receive them.

    Attributes
    ----------
    line_list : columns of the line list contract, one row a case, sorted by report date
    site_reports : disease, place, week start, sites_reported, sites_expected
    """

    line_list: pl.DataFrame
    site_reports: pl.DataFrame


def simulate(country: Country, *, first_week: date, weeks: int, rises: tuple[Rise, ...], seed: int) -> SimulatedCountry:
    """Return the simulated line list and site reports of one country.

    Parameters
    ----------
    first_week : Monday of the first week
    weeks : number of weeks
    rises : outbreaks laid over the series; those of other places are ignored
    seed : the same seed gives the same rows on every platform

    Returns
    -------
    SimulatedCountry
        Cases whose site did not report are absent, as they are in life.
    """
    frames, reports = [], []
    for place, weight in country.places:
        reported = _sites_reporting(country, place=place, weeks=weeks, seed=seed)
        for condition in CONDITIONS:
            random = stream(seed, country.code, place, condition.disease)
            mean = _weekly_means(condition, weight=weight, first_week=first_week, weeks=weeks)
            mean = mean * _factors(rises, disease=condition.disease, place=place, first_week=first_week, weeks=weeks)
            counts = _overdispersed(random, mean * reported / country.sites, condition.dispersion)
            frames.append(_cases(random, counts, condition=condition, country=country, place=place, start=first_week))
            reports.append(_reports(condition.disease, place, reported, country.sites, first_week))
    line_list = pl.concat(frames).sort("report_on", "place", "disease", maintain_order=True)
    identifiers = pl.Series(
        "case_id", [f"SIM-{country.code}-{number:07d}" for number in range(1, line_list.height + 1)]
    )
    return SimulatedCountry(line_list.select(identifiers, pl.all()), pl.concat(reports))


def _weekly_means(condition: Condition, *, weight: float, first_week: date, weeks: int) -> NDArray[np.float64]:
    index = np.arange(weeks, dtype=np.float64)
    week_of_year = (first_week.timetuple().tm_yday / DAYS_A_WEEK) + index
    wave = 1.0 + condition.season * np.cos(2 * np.pi * (week_of_year - condition.peak_week) / WEEKS_A_YEAR)
    trend = (1.0 + condition.yearly_growth) ** (index / WEEKS_A_YEAR)
    return condition.weekly_mean * weight * wave * trend


def _factors(rises: tuple[Rise, ...], *, disease: str, place: str, first_week: date, weeks: int) -> NDArray[np.float64]:
    factors = np.ones(weeks)
    for rise in rises:
        if (rise.disease, rise.place) != (disease, place):
            continue
        start = (rise.first_week - first_week).days // DAYS_A_WEEK
        for offset, factor in enumerate(rise.factors):
            if 0 <= start + offset < weeks:
                factors[start + offset] *= factor
    return factors


def _overdispersed(random: np.random.Generator, mean: NDArray[np.float64], dispersion: float) -> NDArray[np.int64]:
    """Negative binomial counts with variance `dispersion` times the mean."""
    if dispersion <= 1.0:
        return random.poisson(mean)
    size = mean / (dispersion - 1.0)
    return random.poisson(random.gamma(np.maximum(size, 1e-9), dispersion - 1.0))


def _sites_reporting(country: Country, *, place: str, weeks: int, seed: int) -> NDArray[np.int64]:
    return stream(seed, country.code, place, "sites").binomial(country.sites, country.site_reporting, size=weeks)


def _cases(
    random: np.random.Generator,
    counts: NDArray[np.int64],
    *,
    condition: Condition,
    country: Country,
    place: str,
    start: date,
) -> pl.DataFrame:
    total = int(counts.sum())
    week = np.repeat(np.arange(counts.size), counts)
    onset = week * DAYS_A_WEEK + random.integers(0, DAYS_A_WEEK, size=total)
    delay = np.floor(random.lognormal(np.log(country.median_delay_days), 0.6, size=total)).astype(np.int64)
    child = random.random(total) < condition.child_share
    adult_age = np.clip(random.normal(condition.mean_age_years, 16, size=total), 15, 95)
    age = np.where(child, random.integers(0, 15, size=total), adult_age).astype(np.int64)
    known_age = random.random(total) >= 0.03  # some forms arrive without an age
    sex = random.choice(np.array(["female", "male", "unknown"]), size=total, p=[0.49, 0.49, 0.02])
    classification = random.choice(np.array(["suspected", "probable", "confirmed"]), size=total, p=[0.55, 0.15, 0.30])
    first_day = (start - EPOCH).days
    return (
        pl.DataFrame(
            {
                "disease": pl.Series([condition.disease], dtype=pl.String).new_from_index(0, total),
                "place": pl.Series([place], dtype=pl.String).new_from_index(0, total),
                "onset_on": pl.Series(first_day + onset, dtype=pl.Int32).cast(pl.Date),
                "report_on": pl.Series(first_day + onset + delay, dtype=pl.Int32).cast(pl.Date),
                "age_years": pl.Series(age),
                "sex": pl.Series(sex),
                "classification": pl.Series(classification),
                "known_age": pl.Series(known_age),
            }
        )
        .with_columns(age_years=pl.when("known_age").then("age_years"))
        .drop("known_age")
    )


def _reports(disease: str, place: str, reported: NDArray[np.int64], expected: int, start: date) -> pl.DataFrame:
    weeks = [start + timedelta(weeks=index) for index in range(reported.size)]
    return pl.DataFrame(
        {
            "disease": [disease] * reported.size,
            "place": [place] * reported.size,
            "date": weeks,
            "sites_reported": reported,
            "sites_expected": [expected] * reported.size,
        }
    )
