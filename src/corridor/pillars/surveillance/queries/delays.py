"""How long reports take: the reporting delay of each source, measured from cases and kept for the pages."""

from datetime import timedelta

import polars as pl
from django.db.models import Max

from corridor.accounts.actors import Actor
from corridor.accounts.roles import require
from corridor.pillars.surveillance.models import Case, Import
from corridor.pillars.surveillance.queries.rows import fetch_visible, visible

__all__ = ["DELAY_SCHEMA", "DELAY_WEEKS", "measure_delays"]

DELAY_WEEKS = 12
"""Weeks of reports whose delays count."""
DELAY_SCHEMA = {
    "source_id": pl.Int64,
    "disease": pl.String,
    "median_days": pl.Float64,
    "cases": pl.Int64,
}


def measure_delays(*, actor: Actor) -> pl.DataFrame:
    """Return the median days from onset to report by source and disease, columns of `DELAY_SCHEMA`.

    It reads cases from the first to the last: work for a job, not for a page.

    Raises
    ------
    NotPermitted
        If `actor` may not see the board.

    Notes
    -----
    Taken are the cases reported in the `DELAY_WEEKS` weeks up to the last extract of their source, by date of report:
    by date of onset, the youngest weeks would hold their quickest reports alone, and the median would be too small.
    """
    require(actor, "surveillance.see_board")
    complete = Import.objects.filter(status=Import.Status.COMPLETE, kind=Import.Kind.LINE_LIST)
    last = dict(complete.order_by().values_list("source").annotate(at=Max("as_of")))
    if not last:
        return pl.DataFrame(schema=DELAY_SCHEMA)
    first = {source: at.date() - timedelta(weeks=DELAY_WEEKS) for source, at in last.items()}
    counted = fetch_visible(
        Case,
        {"source_id": pl.Int64, "disease": pl.String, "onset_on": pl.Date, "report_on": pl.Date, "cases": pl.Int64},
        versions=visible(),
        where="report_on >= %s AND onset_on IS NOT NULL AND classification <> 'discarded'",
        parameters=[str(min(first.values()))],
        columns={"cases": "COUNT(*)"},
        group_by="source_id, disease, onset_on, report_on",
    )
    since = pl.DataFrame({"source_id": list(first), "since": list(first.values())})
    days = (pl.col("report_on") - pl.col("onset_on")).dt.total_days()
    recent = counted.join(since, on="source_id").filter(pl.col("report_on") >= pl.col("since"))
    each = recent.select("source_id", "disease", days.repeat_by("cases").alias("days")).explode("days")
    delays = each.group_by("source_id", "disease").agg(
        pl.col("days").median().alias("median_days"), pl.len().cast(pl.Int64).alias("cases")
    )
    return delays.select(*DELAY_SCHEMA).sort("source_id", "disease")
