"""Care as data: treatment protocols of several sides, follow-up schedules, who is due, and how well they are kept.

Guidance as data, to compare and to plan by; no medical advice.
"""

from corridor.pillars.research.rules.care.treatment import (
    MalformedTreatment,
    Treatment,
    compare_treatments,
    draft_treatment,
    read_treatment,
    treatment_from_toml,
)

__all__ = [
    "MalformedTreatment",
    "Treatment",
    "compare_treatments",
    "draft_treatment",
    "read_treatment",
    "treatment_from_toml",
]
