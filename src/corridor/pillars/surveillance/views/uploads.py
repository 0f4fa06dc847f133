"""Uploaded files between preview and commit: in the home, for the node's eyes alone, gone after two hours.

What is kept is the file as it came, beside the answers of the form, under a name that nobody can guess; it is deleted
as soon as it was taken in or turned away. Lists of what could not be read hold no values and are kept for download.
"""

from __future__ import annotations

import functools
import json
import os
import re
import secrets
import tempfile
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings

from corridor.base.errors import WrongUsage
from corridor.pillars.surveillance.tables import Mapping

__all__ = ["NoSuchUpload", "Upload", "forget", "keep", "keep_rejects", "open_upload", "rejects_of", "remap", "sweep"]

KEPT_FOR = timedelta(hours=2)
_TOKEN = re.compile(r"[0-9a-f]{32}")


class NoSuchUpload(WrongUsage):
    """The uploaded file is not kept any more."""

    code = "no-such-upload"


@dataclass(frozen=True, kw_only=True)
class Upload:
    """One uploaded file and what its person said of it.

    Attributes
    ----------
    person_id : who uploaded it; nobody else can open it
    mapping : as `Mapping.as_dict` gives it
    as_of : ISO moment of the extract
    """

    token: str
    person_id: int
    name: str
    kind: str
    source: str
    encoding: str
    as_of: str
    mapping: dict[str, Any] = field(default_factory=dict)

    @property
    def data(self) -> bytes:
        """The bytes of the file."""
        return (folder() / f"{self.token}.upload").read_bytes()

    @property
    def as_of_at(self) -> datetime:
        """The moment of the extract."""
        return datetime.fromisoformat(self.as_of)

    @property
    def read_by(self) -> Mapping:
        """The mapping as the readers take it."""
        content = {**self.mapping}
        return Mapping(**content.pop("options", {}), **content)


def keep(data: bytes, *, upload: Upload) -> str:
    """Keep a file and what was said of it; return its token."""
    token = secrets.token_hex(16)
    _write(folder() / f"{token}.upload", data)
    _describe(replace(upload, token=token))
    return token


def remap(upload: Upload, mapping: Mapping) -> None:
    """Keep another mapping beside the file."""
    _describe(replace(upload, mapping=mapping.as_dict()))


def open_upload(token: str, *, person_id: int) -> Upload:
    """Return a kept file to the person who uploaded it.

    Raises
    ------
    NoSuchUpload
        If it was taken in, turned away, or two hours have passed; or if it is somebody else's.
    """
    path = folder() / f"{token}.json"
    if _TOKEN.fullmatch(token) is None or not path.is_file() or not path.with_suffix(".upload").is_file():
        raise NoSuchUpload("this file is no longer kept. Upload it again.")
    upload = Upload(**json.loads(path.read_text(encoding="utf-8")))
    if upload.person_id != person_id:
        raise NoSuchUpload("this file is no longer kept. Upload it again.")
    return upload


def forget(token: str) -> None:
    """Delete a file and what was said of it."""
    for ending in ("upload", "json"):
        (folder() / f"{token}.{ending}").unlink(missing_ok=True)


def sweep(*, now: datetime) -> int:
    """Delete the files that nobody came back for within two hours; return how many."""
    oldest = (now - KEPT_FOR).timestamp()
    old = [path for path in folder().glob("*.upload") if path.stat().st_mtime < oldest]
    for path in old:
        forget(path.stem)
    return len(old)


def keep_rejects(data: bytes, *, import_id: int) -> None:
    """Keep the list of what could not be read, for download; it names rows, columns and reasons, no value."""
    _write(folder() / f"rejects-{import_id}.csv", data)


def rejects_of(import_id: int) -> bytes | None:
    """Return the kept list of an import, or None where there is none."""
    path = folder() / f"rejects-{import_id}.csv"
    return path.read_bytes() if path.is_file() else None


def folder() -> Path:
    """Return the folder of uploads, made on first use and readable by the node alone."""
    home = getattr(settings, "CORRIDOR_HOME", None)
    if home is None:
        return Path(_own_folder().name)
    path = Path(home) / "uploads"
    path.mkdir(exist_ok=True, mode=0o700)
    return path


@functools.cache
def _own_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="corridor-uploads-")


def _describe(upload: Upload) -> None:
    _write(folder() / f"{upload.token}.json", json.dumps(asdict(upload)).encode())


def _write(path: Path, data: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".")
    with os.fdopen(handle, "wb") as stream:
        stream.write(data)
    Path(temporary).replace(path)


def moment_of(day: Any, *, now: datetime) -> datetime:
    """Return the end of a day of extract, at most now; now without a day."""
    if day is None or day >= now.astimezone(UTC).date():
        return now
    return datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=UTC)
