"""Keeping the reporting delays that were measured."""

from datetime import datetime

import polars as pl

from corridor.accounts.actors import Actor
from corridor.accounts.roles import require
from corridor.accounts.transactions import note, write
from corridor.pillars.surveillance.models import ReportingDelay

__all__ = ["record_delays"]


@write("surveillance.record_delays")
def record_delays(delays: pl.DataFrame, *, actor: Actor, now: datetime) -> int:
    """Keep the reporting delays measured now in place of those before; return how many.

    Parameters
    ----------
    delays : polars.DataFrame, columns of `queries.delays.DELAY_SCHEMA`

    Raises
    ------
    NotPermitted
        If `actor` may not detect.
    """
    require(actor, "surveillance.detect")
    ReportingDelay.objects.all().delete()
    kept = ReportingDelay.objects.bulk_create(
        ReportingDelay(**row, measured_at=now) for row in delays.iter_rows(named=True)
    )
    note(delays=len(kept))
    return len(kept)
