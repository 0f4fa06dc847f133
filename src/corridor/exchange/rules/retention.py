"""How long the receiving side keeps what arrived under an agreement: what the signed terms come to, in moments.

The terms are the agreement's own: ``retention_days``, ``storage``, ``survives`` and the end. What this software adds
are two periods that the terms leave open: how long something may be viewed where nothing may be kept, and how long
after the end of an agreement the data that does not survive it may still be there.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from corridor.exchange.rules.agreement import Agreement, Storage


class Why(StrEnum):
    """Why a body was deleted."""

    REQUEST = "request"
    RETENTION = "retention"
    VIEW_ENDED = "view-ended"
    AGREEMENT_ENDED = "agreement-ended"
    RESTORE = "restore"


VIEWED_AT_MOST = timedelta(hours=72)
"""How long a body may be viewed under ``storage = "view-only"``, unless ``retention_days`` ends earlier."""
AFTER_THE_END = timedelta(days=30)
"""How long after the end data that does not survive the agreement is kept: for a renewal, or for a legal hold."""
DATA = "data"
"""The word among ``survives`` by which received data outlives its agreement until its own retention runs out."""


def kept_for(agreement: Agreement) -> timedelta:
    """Return how long a body is kept, or may be viewed, from its arrival on."""
    retention = timedelta(days=agreement.retention_days)
    return retention if agreement.storage is Storage.RETAIN else min(retention, VIEWED_AT_MOST)


def data_survives(agreement: Agreement) -> bool:
    """Return whether received data outlives the agreement."""
    return DATA in agreement.survives


def kept_until(agreement: Agreement, *, arrived_at: datetime, ended_at: datetime | None) -> datetime:
    """Return when the body of an envelope is due to be deleted, unless a legal hold keeps it.

    Parameters
    ----------
    agreement : Agreement
        The version under which the envelope arrived.
    arrived_at : datetime, aware
        When this node recorded it.
    ended_at : datetime, aware, or None
        When the agreement ended with all its amendments; None while one of them lives.
    """
    due_at = arrived_at + kept_for(agreement)
    if ended_at is None or data_survives(agreement):
        return due_at
    return min(due_at, ended_at + AFTER_THE_END)
