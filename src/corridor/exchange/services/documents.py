"""Sign documents of the pillars with this node's agreement key, and check what partners signed with theirs."""

from corridor.exchange import keystore
from corridor.exchange.rules.keys import sign_statement, verify_statement
from corridor.exchange.services.partners import valid_cards

__all__ = ["sign_document", "signed_document"]


def sign_document(document: bytes, *, kind: str) -> bytes:
    """Return this node's signature over `document`, bound to its `kind` so that it counts for nothing else."""
    return sign_statement(document, kind=kind, key=keystore.own_keys().agreement)


def signed_document(document: bytes, signature: bytes, *, kind: str, node: str) -> bool:
    """Return whether a node's agreement key that counts now signed `document` as one of `kind`.

    Raises
    ------
    NoSuchPartner
        If no card of that node is known here.
    """
    return any(
        verify_statement(document, kind=kind, public=card.keys.agreement, signature=signature)
        for card in valid_cards(node)
    )
