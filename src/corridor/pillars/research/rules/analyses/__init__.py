"""The kinds of analysis that a protocol may name, and what is refused instead of computed."""

from corridor.base.members import Fault, Members
from corridor.pillars.research.rules.analyses.all_pairs import ConcordanceOfAll
from corridor.pillars.research.rules.analyses.base import (
    Answer,
    Block,
    Blocks,
    CannotCompute,
    Caution,
    MalformedBlock,
    Plan,
    Precision,
    Request,
    Result,
)
from corridor.pillars.research.rules.analyses.cox import CoxBySite
from corridor.pillars.research.rules.analyses.curves import KaplanMeier
from corridor.pillars.research.rules.analyses.logrank import LogrankBySite
from corridor.pillars.research.rules.analyses.meta import MetaAnalysis
from corridor.pillars.research.rules.analyses.one_risk_set import CoxOneRiskSet
from corridor.pillars.research.rules.analyses.quantiles import Quantiles
from corridor.pillars.research.rules.analyses.refusals import REFUSED_KINDS
from corridor.pillars.research.rules.analyses.regressions import Linear, Logistic, Poisson
from corridor.pillars.research.rules.analyses.summaries import Counts, Moments
from corridor.pillars.research.rules.analyses.weighting import Weighting
from corridor.pillars.research.rules.protocol.document import AnalysisItem, Protocol

__all__ = [
    "KINDS",
    "REFUSED_KINDS",
    "Answer",
    "Block",
    "Blocks",
    "CannotCompute",
    "Caution",
    "MalformedBlock",
    "Plan",
    "Precision",
    "Request",
    "Result",
    "plan_of",
]

KINDS: dict[str, type[Plan]] = {
    plan.kind: plan
    for plan in (
        Counts,
        Moments,
        Quantiles,
        CoxBySite,
        CoxOneRiskSet,
        ConcordanceOfAll,
        LogrankBySite,
        KaplanMeier,
        Logistic,
        Poisson,
        Linear,
        Weighting,
        MetaAnalysis,
    )
}
"""Every kind by its name in a protocol."""


def plan_of(
    item: AnalysisItem, protocol: Protocol, *, faults: list[Fault] | None = None, pointer: str = ""
) -> Plan | None:
    """Return the plan of an entry of a protocol, noting every fault of its options in `faults`.

    None where there is no such kind, which is noted as well; a kind that is refused on principle says what to ask for
    instead.
    """
    noted: list[Fault] = [] if faults is None else faults
    kind = KINDS.get(item.kind)
    if kind is None:
        instead = REFUSED_KINDS.get(item.kind)
        known = f"expected one of {', '.join(sorted(KINDS))}"
        noted.append(Fault(f"{pointer}/kind", known if instead is None else f"refused: {instead}"))
        return None
    plan = kind(item, protocol)
    members = Members(dict(item.options), pointer, noted)
    plan.read(members)
    members.done()
    return plan
