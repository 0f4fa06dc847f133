"""Uploaded files between preview and commit: in the home, for the node's eyes alone, gone after two hours.

What is kept is the file as it came, beside what its person said of it, under a name that nobody can guess; it is
deleted as soon as it was taken in or turned away.
"""

from __future__ import annotations

import functools
import json
import os
import re
import secrets
import tempfile
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from django.conf import settings

from corridor.base.errors import WrongUsage

__all__ = ["KeptFile", "NoSuchUpload", "describe", "folder", "forget", "keep", "open_file", "sweep", "write_file"]

KEPT_FOR = timedelta(hours=2)
_TOKEN = re.compile(r"[0-9a-f]{32}")


class NoSuchUpload(WrongUsage):
    """The uploaded file is not kept any more."""

    code: ClassVar[str] = "no-such-upload"


@dataclass(frozen=True, kw_only=True)
class KeptFile:
    """One uploaded file and what its person said of it.

    Attributes
    ----------
    person_id : who uploaded it; nobody else can open it
    purpose : what it was uploaded for; no other page opens it
    name : of the file, as its person has it
    answers : JSON values
    """

    token: str
    person_id: int
    purpose: str
    name: str
    answers: dict[str, Any]

    @property
    def data(self) -> bytes:
        """The bytes of the file."""
        return (folder() / f"{self.token}.upload").read_bytes()


def keep(data: bytes, *, person_id: int, purpose: str, name: str, answers: dict[str, Any]) -> KeptFile:
    """Keep a file and what was said of it."""
    token = secrets.token_hex(16)
    kept = KeptFile(token=token, person_id=person_id, purpose=purpose, name=name, answers=answers)
    write_file(f"{token}.upload", data)
    describe(kept)
    return kept


def describe(kept: KeptFile) -> None:
    """Keep other answers beside the file."""
    write_file(f"{kept.token}.json", json.dumps(asdict(kept)).encode())


def open_file(token: str, *, person_id: int, purpose: str) -> KeptFile:
    """Return a kept file to the person who uploaded it.

    Raises
    ------
    NoSuchUpload
        If it was taken in, turned away, or two hours have passed; or if it is somebody else's, or for something else.
    """
    path = folder() / f"{token}.json"
    if _TOKEN.fullmatch(token) is not None and path.is_file() and path.with_suffix(".upload").is_file():
        kept = KeptFile(**json.loads(path.read_text(encoding="utf-8")))
        if (kept.person_id, kept.purpose) == (person_id, purpose):
            return kept
    raise NoSuchUpload("this file is no longer kept. Upload it again.")


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


def folder() -> Path:
    """Return the folder of uploads, made on first use and readable by the node alone."""
    home = getattr(settings, "CORRIDOR_HOME", None)
    if home is None:
        return Path(_own_folder().name)
    path = Path(home) / "uploads"
    path.mkdir(exist_ok=True, mode=0o700)
    return path


def write_file(name: str, data: bytes) -> None:
    """Write a file of that folder, whole or not at all."""
    path = folder() / name
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".")
    with os.fdopen(handle, "wb") as stream:
        stream.write(data)
    Path(temporary).replace(path)


@functools.cache
def _own_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="corridor-uploads-")
