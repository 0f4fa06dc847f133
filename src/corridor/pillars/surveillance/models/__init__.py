"""The tables of surveillance, by subject."""

from corridor.pillars.surveillance.models.detection import DetectionResult, DetectionRun, Signal, SignalStep
from corridor.pillars.surveillance.models.reports import Case, CountReport, Import, ReportingDelay, Source, WeekTally
from corridor.pillars.surveillance.models.sharing import (
    AutomaticChannel,
    LastLooked,
    PartnerAlert,
    PartnerCount,
    SentAlert,
    SharedCount,
)

__all__ = [
    "AutomaticChannel",
    "Case",
    "CountReport",
    "DetectionResult",
    "DetectionRun",
    "Import",
    "LastLooked",
    "PartnerAlert",
    "PartnerCount",
    "ReportingDelay",
    "SentAlert",
    "SharedCount",
    "Signal",
    "SignalStep",
    "Source",
    "WeekTally",
]
