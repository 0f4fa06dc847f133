"""Legal holds beside the database: a file each, so that no backup that is put back lifts a hold which it does not know.

The file names the envelope by its hash, and where its sealed body lies. It is written before the hold is committed and
removed after it was lifted: what is doubtful is held.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from corridor.exchange import keystore
from corridor.exchange.models import Crossing, SealedBody

FOLDER = "holds"


@dataclass(frozen=True, slots=True)
class Hold:
    """One hold as its file tells of it.

    Attributes
    ----------
    direction, token_hash : str
        Which envelope, seen from this node.
    held_at : str
        ISO 8601.
    body, ciphertext_hash, size_bytes
        Of its sealed body; empty and 0 where it travelled open.
    """

    direction: str
    token_hash: str
    held_at: str
    held_by: str
    reason: str
    body: str = ""
    ciphertext_hash: str = ""
    size_bytes: int = 0


def keep(crossing: Crossing, *, held_at: datetime, held_by: str, reason: str) -> None:
    """Write the file of a hold."""
    row = SealedBody.objects.filter(crossing=crossing).first()
    sealed = (row.name, row.ciphertext_hash, row.size_bytes) if row is not None else ("", "", 0)
    hold = Hold(crossing.direction, crossing.token_hash, held_at.isoformat(), held_by, reason, *sealed)
    keystore.write_private(_path(crossing), json.dumps(asdict(hold), ensure_ascii=False).encode())


def forget(crossing: Crossing) -> None:
    """Remove the file of a hold that was lifted."""
    _path(crossing).unlink(missing_ok=True)


def is_kept(crossing: Crossing) -> bool:
    """Return whether a file says that the body of a crossing is held."""
    return _path(crossing).exists()


def kept() -> Iterator[Hold]:
    """Yield every hold that a file tells of."""
    for path in sorted((keystore.home() / FOLDER).glob("*.json")):
        yield Hold(**json.loads(path.read_bytes()))


def _path(crossing: Crossing) -> Path:
    return keystore.home() / FOLDER / f"{crossing.direction}-{crossing.token_hash}.json"
