"""Cases added up by ISO week: one definition, used when they are taken in and when they are counted again."""

import polars as pl

from corridor.pillars.surveillance.rules import COUNTED_CLASSES

__all__ = ["TALLY_COLUMNS", "TALLY_SCHEMA", "sum_tallies", "tally"]

TALLY_COLUMNS = [f"{basis}_{name}" for basis in ("report", "onset") for name in COUNTED_CLASSES]
TALLY_SCHEMA = {
    "disease": pl.String,
    "place": pl.String,
    "start_on": pl.Date,
    **dict.fromkeys(TALLY_COLUMNS, pl.Int64),
}


def tally(cases: pl.DataFrame) -> pl.DataFrame:
    """Return how many cases there are by disease, place and ISO week, by date of report and of onset and by class.

    Parameters
    ----------
    cases : polars.DataFrame with disease, place, onset_on, report_on, classification
        Discarded cases are not counted; a case without the date in question is not counted by it.
    """
    parts = []
    for basis in ("report", "onset"):
        day = pl.col(f"{basis}_on")
        counted = cases.lazy().filter(day.is_not_null() & (pl.col("classification") != "discarded"))
        weeks = counted.group_by("disease", "place", day.dt.truncate("1w").alias("start_on"))
        parts.append(
            weeks.agg(
                *(
                    (pl.col("classification") == name).sum().cast(pl.Int64).alias(f"{basis}_{name}")
                    for name in COUNTED_CLASSES
                )
            )
        )
    return sum_tallies(pl.concat(parts, how="diagonal").collect())


def sum_tallies(tallies: pl.DataFrame) -> pl.DataFrame:
    """Return one row a disease, place and week, columns of `TALLY_SCHEMA`, from rows that may repeat them."""
    return tallies.group_by("disease", "place", "start_on").agg(pl.col(TALLY_COLUMNS).sum()).select(*TALLY_SCHEMA)
