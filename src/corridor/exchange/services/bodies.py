"""Sealed bodies: files of the home, each wrapped once more under a key of its own that lies outside the database.

Both sides keep the ciphertext that travelled beside an accepted envelope, so that either can show it in evidence and
either can be asked to delete it. A body is everything that travelled in its envelope, attachments included: there is
no second place. What was refused is not kept.
"""

from __future__ import annotations

import secrets
import uuid
from datetime import datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from corridor.exchange import keystore
from corridor.exchange.models import Crossing, SealedBody
from corridor.exchange.rules.canonical import sha256_hex
from corridor.exchange.services import holds

FOLDER = "bodies"
SWEEP_AFTER = timedelta(days=1)
"""How old a file without a row must be before it is swept: its transaction ended long ago, and not by a commit."""
_NONCE = 12


def store(crossing: Crossing, ciphertext: bytes) -> SealedBody:
    """Write the ciphertext of a crossing to ``HOME/bodies`` under a new key and return its row."""
    folder = keystore.home()
    name = uuid.uuid4().hex
    nonce = secrets.token_bytes(_NONCE)
    wrapped = nonce + AESGCM(keystore.make_body_key(folder, name)).encrypt(nonce, ciphertext, name.encode())
    keystore.write_private(_path(folder, name), wrapped)
    return SealedBody.objects.create(
        crossing=crossing, name=name, size_bytes=len(ciphertext), ciphertext_hash=sha256_hex(ciphertext)
    )


def sealed_body(crossing: Crossing) -> SealedBody | None:
    """Return the row of a crossing's sealed body; None where it travelled open or was not kept."""
    return getattr(crossing, "sealed_body", None)


def load(crossing: Crossing) -> bytes | None:
    """Return the ciphertext of a crossing; None where its body is not sealed, was not kept, or its key is gone."""
    row = sealed_body(crossing)
    folder = keystore.home()
    # A backup that was put back knows nothing of a deletion after it; the key that was destroyed stays destroyed.
    if row is None or not keystore.has_body_key(folder, row.name):
        return None
    wrapped = _path(folder, row.name).read_bytes()
    key = AESGCM(keystore.body_key(folder, row.name))
    return key.decrypt(wrapped[:_NONCE], wrapped[_NONCE:], row.name.encode())


def rejoin(crossing: Crossing, *, name: str, ciphertext_hash: str, size_bytes: int) -> None:
    """Let a crossing that came back after a restore name again the body that was kept for it, if it is still there."""
    folder = keystore.home()
    if not name or not keystore.has_body_key(folder, name) or not _path(folder, name).exists():
        return
    if SealedBody.objects.filter(crossing=crossing).exists():
        return
    SealedBody.objects.create(crossing=crossing, name=name, size_bytes=size_bytes, ciphertext_hash=ciphertext_hash)


def destroy(row: SealedBody) -> None:
    """Destroy the key of a sealed body, then its file; twice is fine."""
    folder = keystore.home()
    keystore.destroy_body_key(folder, row.name)
    _path(folder, row.name).unlink(missing_ok=True)


def sweep(*, now: datetime) -> int:
    """Remove files and keys that no row names, left by a transaction that failed; return how many bodies that were.

    What a legal hold names stays: after a restore its row may not be back yet.
    """
    folder = keystore.home()
    old = [path for path in (folder / FOLDER).glob("*/*") if path.stat().st_mtime < (now - SWEEP_AFTER).timestamp()]
    known = set(SealedBody.objects.values_list("name", flat=True)) if old else set()
    held = {hold.body for hold in holds.kept()} if old else set()
    orphans = [path for path in old if path.name not in known | held]
    for path in orphans:
        keystore.destroy_body_key(folder, path.name)
        path.unlink(missing_ok=True)
    return len(orphans)


def _path(folder: Path, name: str) -> Path:
    return folder / FOLDER / name[:2] / name
