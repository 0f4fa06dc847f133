"""Write encrypted files of rows, each under a key of its own, and destroy them with their key."""

import secrets

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from corridor.exchange import keystore
from corridor.pillars.research.queries.row_files import NONCE, key_of_rows, path_of_rows

__all__ = ["destroy_rows", "write_rows"]


def write_rows(name: str, packed: bytes) -> None:
    """Write rows under a new key."""
    nonce = secrets.token_bytes(NONCE)
    key = AESGCM(keystore.make_body_key(keystore.home(), key_of_rows(name)))
    keystore.write_private(path_of_rows(name), nonce + key.encrypt(nonce, packed, name.encode()))


def destroy_rows(name: str) -> None:
    """Destroy the key of a file of rows, then the file: what a disk keeps of it cannot be read any more."""
    keystore.destroy_body_key(keystore.home(), key_of_rows(name))
    path_of_rows(name).unlink(missing_ok=True)
