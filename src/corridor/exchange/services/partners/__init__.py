"""Partners: their cards, pinning, successors and revocations, and how each stands."""

from corridor.exchange.services.partners.chains import (
    NoSuchPartner,
    chain,
    current_card,
    log_keys_of,
    own_card_file,
    own_chain,
    own_fingerprint,
    speaking_key,
    transport_keys,
    transport_public_keys,
    valid_cards,
)
from corridor.exchange.services.partners.pinning import CardUnfit, WrongFingerprint, ask_to_pin, pin, register_pinning
from corridor.exchange.services.partners.revocations import accept_revocation, record_revocation
from corridor.exchange.services.partners.standing import (
    callable_now,
    failures,
    is_confirmed,
    is_swap_due,
    lock_partner,
    owners_of_transport_keys,
    pause,
    pinned_ids,
    resume,
    url_of,
)
from corridor.exchange.services.partners.successors import (
    accept_card,
    ask_to_change_url,
    change_url,
    register_change_of_url,
)

__all__ = [
    "CardUnfit",
    "NoSuchPartner",
    "WrongFingerprint",
    "accept_card",
    "accept_revocation",
    "ask_to_change_url",
    "ask_to_pin",
    "callable_now",
    "chain",
    "change_url",
    "current_card",
    "failures",
    "is_confirmed",
    "is_swap_due",
    "lock_partner",
    "log_keys_of",
    "own_card_file",
    "own_chain",
    "own_fingerprint",
    "owners_of_transport_keys",
    "pause",
    "pin",
    "pinned_ids",
    "record_revocation",
    "register_approvals",
    "resume",
    "speaking_key",
    "transport_keys",
    "transport_public_keys",
    "url_of",
    "valid_cards",
]


def register_approvals() -> None:
    """Announce what two persons decide about partners."""
    register_pinning()
    register_change_of_url()
