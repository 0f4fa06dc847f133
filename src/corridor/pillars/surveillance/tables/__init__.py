"""Files of line lists and counts to validated frames: pure, shared by the command and the page."""

from corridor.pillars.surveillance.tables.counts import COUNT_FIELDS, read_counts
from corridor.pillars.surveillance.tables.linelist import CASE_FIELDS, read_line_list
from corridor.pillars.surveillance.tables.mapping import (
    ColumnMissing,
    Mapping,
    MappingFault,
    guess_mapping,
    load_mapping,
    override,
)
from corridor.pillars.surveillance.tables.rejects import EFFECTS, REASONS, REJECT_SCHEMA, Outcome

__all__ = [
    "CASE_FIELDS",
    "COUNT_FIELDS",
    "EFFECTS",
    "REASONS",
    "REJECT_SCHEMA",
    "ColumnMissing",
    "Mapping",
    "MappingFault",
    "Outcome",
    "guess_mapping",
    "load_mapping",
    "override",
    "read_counts",
    "read_line_list",
]
