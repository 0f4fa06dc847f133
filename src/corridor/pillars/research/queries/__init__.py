"""Reads of research, limited to what the actor may see."""

from corridor.pillars.research.queries.runs import Progress, open_runs, progress
from corridor.pillars.research.queries.studies import (
    RunView,
    SiteView,
    StudyView,
    current_protocol,
    find_study,
    studies,
    version_of,
)

__all__ = [
    "Progress",
    "RunView",
    "SiteView",
    "StudyView",
    "current_protocol",
    "find_study",
    "open_runs",
    "progress",
    "studies",
    "version_of",
]
