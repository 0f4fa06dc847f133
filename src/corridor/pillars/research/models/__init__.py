"""Studies, their protocols and signatures; the frozen rows; runs and their rounds; what was released of whom."""

from corridor.pillars.research.models.data import SiteData, Snapshot
from corridor.pillars.research.models.ledger import PersonNumber, Release
from corridor.pillars.research.models.runs import Round, Run
from corridor.pillars.research.models.studies import ProtocolVersion, SiteState, Study, StudySignature

__all__ = [
    "PersonNumber",
    "ProtocolVersion",
    "Release",
    "Round",
    "Run",
    "SiteData",
    "SiteState",
    "Snapshot",
    "Study",
    "StudySignature",
]
