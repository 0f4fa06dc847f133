"""Partners: their cards, pinning, successors and revocations, and how each stands."""

from corridor.exchange.services.partners.chains import (
    KeysRevoked,
    NoSuchPartner,
    chain,
    chains,
    check_own_keys,
    current_card,
    every_transport_key,
    log_keys_of,
    own_card_file,
    own_chain,
    own_fingerprint,
    own_keys_count,
    revoked_cards,
    speaking_key,
    transport_keys,
    transport_public_keys,
    valid_cards,
)
from corridor.exchange.services.partners.handed import NothingNew, ask_to_take, bring_back, register_bringing_back
from corridor.exchange.services.partners.pinning import (
    CardUnfit,
    WrongFingerprint,
    ask_to_pin,
    pin,
    pin_anew,
    register_pinning,
)
from corridor.exchange.services.partners.revocations import accept_revocation, read_key_statement, record_revocation
from corridor.exchange.services.partners.standing import (
    NotPaused,
    ask_to_resume,
    callable_now,
    failures,
    is_confirmed,
    is_swap_due,
    lock_partner,
    owners_of_transport_keys,
    pause,
    pinned_ids,
    register_resuming,
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
    "KeysRevoked",
    "NoSuchPartner",
    "NotPaused",
    "NothingNew",
    "WrongFingerprint",
    "accept_card",
    "accept_revocation",
    "ask_to_change_url",
    "ask_to_pin",
    "ask_to_resume",
    "ask_to_take",
    "bring_back",
    "callable_now",
    "chain",
    "chains",
    "change_url",
    "check_own_keys",
    "current_card",
    "every_transport_key",
    "failures",
    "is_confirmed",
    "is_swap_due",
    "lock_partner",
    "log_keys_of",
    "own_card_file",
    "own_chain",
    "own_fingerprint",
    "own_keys_count",
    "owners_of_transport_keys",
    "pause",
    "pin",
    "pin_anew",
    "pinned_ids",
    "read_key_statement",
    "record_revocation",
    "register_approvals",
    "resume",
    "revoked_cards",
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
    register_resuming()
    register_bringing_back()
