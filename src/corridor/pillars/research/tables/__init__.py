"""A site's file to the frozen, harmonised rows of a study: pure, shared by command and page."""

from corridor.pillars.research.tables.follow_up import (
    PATIENT_COLUMNS,
    FaultyPatients,
    PatientColumnMissing,
    adherence_rows,
    adherence_table,
    due_table,
    pack_patients,
    read_patients,
    unpack_patients,
)
from corridor.pillars.research.tables.harmonising import Harmonised, NothingUsable, harmonise
from corridor.pillars.research.tables.mapping import (
    ColumnMissing,
    Scale,
    SiteMapping,
    SiteMappingFault,
    load_site_mapping,
    site_mapping_text,
)
from corridor.pillars.research.tables.redcap import NotOneRow, join_events
from corridor.pillars.research.tables.report import HarmonisationReport, VariableReport
from corridor.pillars.research.tables.snapshot import BrokenSnapshot, pack_snapshot, snapshot_hash, unpack_snapshot

__all__ = [
    "PATIENT_COLUMNS",
    "BrokenSnapshot",
    "ColumnMissing",
    "FaultyPatients",
    "HarmonisationReport",
    "Harmonised",
    "NotOneRow",
    "NothingUsable",
    "PatientColumnMissing",
    "Scale",
    "SiteMapping",
    "SiteMappingFault",
    "VariableReport",
    "adherence_rows",
    "adherence_table",
    "due_table",
    "harmonise",
    "join_events",
    "load_site_mapping",
    "pack_patients",
    "pack_snapshot",
    "read_patients",
    "site_mapping_text",
    "snapshot_hash",
    "unpack_patients",
    "unpack_snapshot",
]
