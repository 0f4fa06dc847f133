"""Encrypted files of rows in the home of the node: frozen rows of studies, and patients who are followed up."""

from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from corridor.exchange import keystore

__all__ = ["has_rows", "key_of_rows", "path_of_rows", "read_rows"]

FOLDER = "research"
NONCE = 12


def read_rows(name: str) -> bytes:
    """Return what a file of rows holds.

    Raises
    ------
    KeysUnreadable
        If its key is gone.
    """
    wrapped = path_of_rows(name).read_bytes()
    key = AESGCM(keystore.body_key(keystore.home(), key_of_rows(name)))
    return key.decrypt(wrapped[:NONCE], wrapped[NONCE:], name.encode())


def has_rows(name: str) -> bool:
    """Tell whether the file and its key are here; rows are in no backup."""
    return path_of_rows(name).exists() and keystore.has_body_key(keystore.home(), key_of_rows(name))


def path_of_rows(name: str) -> Path:
    """Return where a file of rows lies."""
    return keystore.home() / FOLDER / f"{name}.rows"


def key_of_rows(name: str) -> str:
    """Return the name of its key."""
    return f"research-{name}"
