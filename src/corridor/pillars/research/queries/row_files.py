"""Encrypted files of rows in the home of the node: frozen rows of studies, and patients who are followed up."""

from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from corridor.exchange import keystore
from corridor.pillars.research.tables import BrokenSnapshot

__all__ = ["has_rows", "key_of_rows", "path_of_rows", "read_rows", "stamp_of_rows"]

FOLDER = "research"
NONCE = 12


def read_rows(name: str) -> bytes:
    """Return what a file of rows holds.

    Raises
    ------
    KeysUnreadable
        If its key is gone.
    BrokenSnapshot
        If the file is gone, or not what was written.
    """
    key = AESGCM(keystore.body_key(keystore.home(), key_of_rows(name)))
    try:
        wrapped = path_of_rows(name).read_bytes()
        return key.decrypt(wrapped[:NONCE], wrapped[NONCE:], name.encode())
    except OSError as fault:
        raise BrokenSnapshot(
            f"the stored rows {name} cannot be read ({fault.strerror}). Give the same table again: a frozen hash stays."
        ) from None
    except (InvalidTag, ValueError):
        raise BrokenSnapshot(
            f"the stored rows {name} are not what was written. Give the same table again: a frozen hash stays."
        ) from None


def stamp_of_rows(name: str) -> tuple[int, ...] | None:
    """Return what tells whether a file of rows, or its key, was touched; None where either is gone."""
    made = keystore.body_key_made_at(keystore.home(), key_of_rows(name))
    try:
        file = path_of_rows(name).stat()
    except OSError:
        return None
    if made is None:
        return None
    key = int(made.timestamp() * 1_000_000)
    return (key, file.st_dev, file.st_ino, file.st_size, file.st_mtime_ns, file.st_ctime_ns)


def has_rows(name: str) -> bool:
    """Tell whether the file and its key are here; rows are in no backup."""
    return path_of_rows(name).exists() and keystore.has_body_key(keystore.home(), key_of_rows(name))


def path_of_rows(name: str) -> Path:
    """Return where a file of rows lies."""
    return keystore.home() / FOLDER / f"{name}.rows"


def key_of_rows(name: str) -> str:
    """Return the name of its key."""
    return f"research-{name}"
