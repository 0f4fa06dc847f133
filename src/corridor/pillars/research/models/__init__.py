"""Studies, their protocols and signatures; frozen rows; runs and their rounds; what was released; documents of care."""

from corridor.pillars.research.models.care import CareDocument, FollowedPatients
from corridor.pillars.research.models.data import SiteData, Snapshot
from corridor.pillars.research.models.ledger import PersonNumber, Release, Told
from corridor.pillars.research.models.runs import Round, Run
from corridor.pillars.research.models.studies import ProtocolVersion, SiteState, Study, StudySignature
from corridor.pillars.research.models.symposium import SymposiumEntry

__all__ = [
    "CareDocument",
    "FollowedPatients",
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
    "SymposiumEntry",
    "Told",
]
