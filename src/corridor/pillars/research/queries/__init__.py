"""Reads of research, limited to what the actor may see."""

from corridor.pillars.research.queries.runs import Progress, open_runs, progress
from corridor.pillars.research.queries.studies import (
    RunView,
    SiteView,
    StudyView,
    UnknownStudy,
    current_protocol,
    find_study,
    studies,
    version_of,
)
from corridor.pillars.research.queries.workspace import (
    Crossed,
    SnapshotView,
    UnknownRun,
    VersionView,
    crossed,
    find_run,
    latest_run,
    protocol_version,
    run_document,
    snapshots,
    study_versions,
)

__all__ = [
    "Crossed",
    "Progress",
    "RunView",
    "SiteView",
    "SnapshotView",
    "StudyView",
    "UnknownRun",
    "UnknownStudy",
    "VersionView",
    "crossed",
    "current_protocol",
    "find_run",
    "find_study",
    "latest_run",
    "open_runs",
    "progress",
    "protocol_version",
    "run_document",
    "snapshots",
    "studies",
    "study_versions",
    "version_of",
]
