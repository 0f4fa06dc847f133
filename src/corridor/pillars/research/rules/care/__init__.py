"""Care as data: treatment protocols of several sides, follow-up schedules, who is due, and how well they are kept.

Guidance as data, to compare and to plan by; no medical advice.
"""

from corridor.pillars.research.rules.care.adherence import Adherence, adherence, kept_by_person
from corridor.pillars.research.rules.care.documents import (
    CareDocument,
    CareKind,
    draft_care_document,
    read_care_document,
)
from corridor.pillars.research.rules.care.due import Expectation, Patient, Standing, due_list, follow
from corridor.pillars.research.rules.care.plan_definition import read_plan_definition, write_plan_definition
from corridor.pillars.research.rules.care.schedule import (
    Item,
    ItemKind,
    MalformedSchedule,
    Occurrence,
    RiskGroup,
    Schedule,
    Status,
    day_after,
    schedule_from_toml,
)
from corridor.pillars.research.rules.care.study import CODES, StudySite, adherence_study, kept_names, study_toml
from corridor.pillars.research.rules.care.treatment import (
    MalformedTreatment,
    Treatment,
    compare_treatments,
    draft_treatment,
    read_treatment,
    treatment_from_toml,
)

__all__ = [
    "CODES",
    "Adherence",
    "CareDocument",
    "CareKind",
    "Expectation",
    "Item",
    "ItemKind",
    "MalformedSchedule",
    "MalformedTreatment",
    "Occurrence",
    "Patient",
    "RiskGroup",
    "Schedule",
    "Standing",
    "Status",
    "StudySite",
    "Treatment",
    "adherence",
    "adherence_study",
    "compare_treatments",
    "day_after",
    "draft_care_document",
    "draft_treatment",
    "due_list",
    "follow",
    "kept_by_person",
    "kept_names",
    "read_care_document",
    "read_plan_definition",
    "read_treatment",
    "schedule_from_toml",
    "study_toml",
    "treatment_from_toml",
    "write_plan_definition",
]
