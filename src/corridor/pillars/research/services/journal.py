"""Note outside the database what leaves, and keep what its ledger must know of it; see `queries.journal`."""

from __future__ import annotations

import json
import os
import secrets
import zlib
from dataclasses import fields

import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from corridor.exchange import keystore
from corridor.pillars.research.queries.journal import INTENDED, Left, journal_path, path_of_left
from corridor.pillars.research.queries.row_files import NONCE
from corridor.pillars.research.services.ledger_key import ledger_key

__all__ = ["intend", "note_left"]


def intend(left: Left) -> None:
    """Keep what the ledger must know of an answer, and note that it is about to leave."""
    members = {field.name: getattr(left, field.name) for field in fields(Left)}
    told = json.dumps(members | {"sets": [len(each) for each in left.sets]}).encode()
    packed = b"".join(np.packbits(each).tobytes() for each in left.sets)
    nonce, name = secrets.token_bytes(NONCE), left.statistic.encode()
    body = zlib.compress(len(told).to_bytes(4, "big") + told + packed, 1)
    keystore.write_private(path_of_left(left.statistic), nonce + AESGCM(ledger_key()).encrypt(nonce, body, name))
    _append(INTENDED + left.statistic)


def note_left(statistic: str) -> None:
    """Note that an answer left."""
    _append(statistic)


def _append(line: str) -> None:
    """Bring one line to the disk; a line is shorter than a block, so two writers do not mix theirs."""
    path = journal_path()
    is_new = not path.exists()
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, f"{line}\n".encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if is_new:
        keystore.sync_folder(path.parent)
