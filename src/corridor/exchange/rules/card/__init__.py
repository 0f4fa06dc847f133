"""Cards: who a node is, by which keys it speaks, and how keys are rotated, revoked and reinstated.

A card is a canonical JSON document ``{"card": ..., "signatures": {thumbprint: signature}}``. What must sign it is
fixed, no more, no less:

- the first card: its own transport, log and agreement key (each key shows that it is held);
- a later card with the same keys (a new address, another name): the same three;
- a later card with other keys: the new three, the **agreement key of the card before** and the **recovery key**
  pinned with it; if the recovery key itself changes, the new recovery key as well.

So a thief of one key, or of all online keys, appoints no successor. The fingerprint is the hash of the first card's
keys and recovery key; later cards carry it and are believed only as links of a chain that starts there. A partner
pins it after comparing it by another way (telephone, letter, in person).

A revocation is signed by the current agreement key or by the recovery key, a reinstatement by the recovery key alone.
What is revoked are the keys: no other card of the chain brings them back, only a reinstatement does.
"""

from corridor.exchange.rules.card.document import CARD, Card, CardKeys, NodeKeys
from corridor.exchange.rules.card.fingerprint import BadFingerprint, fingerprint, parse_fingerprint, show_fingerprint
from corridor.exchange.rules.card.making import make_card, rotate_card
from corridor.exchange.rules.card.reading import (
    CARD_CHAIN,
    BrokenChain,
    card_file,
    chain_of,
    read_card,
    read_chain,
    read_rotation,
)
from corridor.exchange.rules.card.revocation import (
    REINSTATEMENT,
    REVOCATION,
    Reinstatement,
    Revocation,
    check_new_keys,
    counting,
    make_reinstatement,
    make_revocation,
    read_reinstatement,
    read_revocation,
)

__all__ = [
    "CARD",
    "CARD_CHAIN",
    "REINSTATEMENT",
    "REVOCATION",
    "BadFingerprint",
    "BrokenChain",
    "Card",
    "CardKeys",
    "NodeKeys",
    "Reinstatement",
    "Revocation",
    "card_file",
    "chain_of",
    "check_new_keys",
    "counting",
    "fingerprint",
    "make_card",
    "make_reinstatement",
    "make_revocation",
    "parse_fingerprint",
    "read_card",
    "read_chain",
    "read_reinstatement",
    "read_revocation",
    "read_rotation",
    "rotate_card",
    "show_fingerprint",
]
