"""Disclosure control of joint studies: every number must be releasable by its own site, alone."""

from corridor.pillars.research.rules.disclosure.budgets import Spent, over_budget
from corridor.pillars.research.rules.disclosure.corrections import corrected_rows, tells_few_corrections
from corridor.pillars.research.rules.disclosure.differencing import Differences, hides_in
from corridor.pillars.research.rules.disclosure.exposure import (
    Design,
    Exposure,
    Likelihood,
    RiskTable,
    Share,
    TimeTable,
    by_person,
    shares_of_products,
    shares_of_sums,
)
from corridor.pillars.research.rules.disclosure.judgement import Breach, judge, stands_alone
from corridor.pillars.research.rules.disclosure.noise import noisy_count
from corridor.pillars.research.rules.disclosure.policy import GUARDS, REHEARSAL, Policy
from corridor.pillars.research.rules.disclosure.spans import Selection, persons_of
from corridor.pillars.research.rules.disclosure.tables import suppress_counts

__all__ = [
    "GUARDS",
    "REHEARSAL",
    "Breach",
    "Design",
    "Differences",
    "Exposure",
    "Likelihood",
    "Policy",
    "RiskTable",
    "Selection",
    "Share",
    "Spent",
    "TimeTable",
    "by_person",
    "corrected_rows",
    "hides_in",
    "judge",
    "noisy_count",
    "over_budget",
    "persons_of",
    "shares_of_products",
    "shares_of_sums",
    "stands_alone",
    "suppress_counts",
    "tells_few_corrections",
]
