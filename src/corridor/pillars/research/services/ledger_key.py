"""The secret of the ledger of disclosure: it lies in the home, outside the database and its backups."""

from __future__ import annotations

import hmac

from corridor.exchange import keystore
from corridor.pillars.research.queries.journal import LEDGER_KEY

__all__ = ["ledger_key", "noise_key"]


def ledger_key() -> bytes:
    """Return the key under which persons are told apart and their sets are sealed; made at the first use."""
    folder = keystore.home()
    if keystore.has_body_key(folder, LEDGER_KEY):
        return keystore.body_key(folder, LEDGER_KEY)
    return keystore.make_body_key(folder, LEDGER_KEY)


def noise_key() -> bytes:
    """Return the secret from which this site's noise is derived; it never changes, or noise could be averaged."""
    return hmac.digest(ledger_key(), b"noise", "sha256")
