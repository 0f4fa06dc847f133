"""The protocol of a study: one readable, versioned document that every site signs byte for byte."""

from corridor.pillars.research.rules.protocol.document import (
    SCHEMA,
    AnalysisItem,
    Approval,
    Condition,
    DisclosureTerms,
    Endpoint,
    Protocol,
    Site,
    Term,
    Variable,
    VariableType,
)
from corridor.pillars.research.rules.protocol.drafting import draft_protocol, protocol_from_toml
from corridor.pillars.research.rules.protocol.reading import MalformedProtocol, read_protocol

__all__ = [
    "SCHEMA",
    "AnalysisItem",
    "Approval",
    "Condition",
    "DisclosureTerms",
    "Endpoint",
    "MalformedProtocol",
    "Protocol",
    "Site",
    "Term",
    "Variable",
    "VariableType",
    "draft_protocol",
    "protocol_from_toml",
    "read_protocol",
]
