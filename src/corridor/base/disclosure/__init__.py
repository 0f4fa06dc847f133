"""Disclosure control: small figures are withheld, and nothing that is released later gives them away.

See ``docs/explanation/disclosure.md`` for what a withheld cell is, what the ledger guarantees and what it does not.
"""

from corridor.base.disclosure.cells import (
    Cell,
    DisclosureRule,
    ImpossibleCell,
    below,
    bound,
    complement,
    conceded,
    place_level,
    rule_for,
    stratum_kind,
)
from corridor.base.disclosure.ledger import Breach, Ledger, Scope
from corridor.base.disclosure.suppression import suppress

__all__ = [
    "Breach",
    "Cell",
    "DisclosureRule",
    "ImpossibleCell",
    "Ledger",
    "Scope",
    "below",
    "bound",
    "complement",
    "conceded",
    "place_level",
    "rule_for",
    "stratum_kind",
    "suppress",
]
