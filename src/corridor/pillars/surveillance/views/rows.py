"""Signals as rows of a table, with what partners saw in the same week."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from corridor.pillars.surveillance.queries import SignalView
from corridor.pillars.surveillance.queries.pages import PartnerRise
from corridor.pillars.surveillance.texts import (
    SEVERITIES,
    STATUSES,
    TONES,
    disease_name,
    named,
    period_text,
    place_text,
)

__all__ = ["signal_rows"]


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
