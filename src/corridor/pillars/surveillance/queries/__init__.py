"""Reads of surveillance, limited to what the actor may see."""

from corridor.pillars.surveillance.queries.board import (
    Board,
    PartnerAlertView,
    PartnerFreshness,
    Waiting,
    board,
    partner_alerts,
    partner_counts,
)
from corridor.pillars.surveillance.queries.counts import Figures, diseases_with_data, period_counts
from corridor.pillars.surveillance.queries.delays import measure_delays
from corridor.pillars.surveillance.queries.detection import SeriesTable, past_signals, period_of, series_table
from corridor.pillars.surveillance.queries.imports import (
    ImportView,
    SourceView,
    imports,
    running_import,
    same_file,
    sources,
    would_change,
)
from corridor.pillars.surveillance.queries.sharing import agreement_state, automatic_channels, channels, is_automatic
from corridor.pillars.surveillance.queries.signals import (
    SignalDetail,
    SignalStepView,
    SignalView,
    UnknownSignal,
    signal,
    signal_cases,
    signals,
)
from corridor.pillars.surveillance.queries.tallies import sum_tallies

__all__ = [
    "Board",
    "Figures",
    "ImportView",
    "PartnerAlertView",
    "PartnerFreshness",
    "SeriesTable",
    "SignalDetail",
    "SignalStepView",
    "SignalView",
    "SourceView",
    "UnknownSignal",
    "Waiting",
    "agreement_state",
    "automatic_channels",
    "board",
    "channels",
    "diseases_with_data",
    "imports",
    "is_automatic",
    "measure_delays",
    "partner_alerts",
    "partner_counts",
    "past_signals",
    "period_counts",
    "period_of",
    "running_import",
    "same_file",
    "series_table",
    "signal",
    "signal_cases",
    "signals",
    "sources",
    "sum_tallies",
    "would_change",
]
