"""What a person said of an uploaded line list or count file, and the lists of what could not be read of it.

The file itself is kept by `corridor.web.uploads`. The lists hold no values and are kept for download.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from corridor.pillars.surveillance.tables import Mapping
from corridor.web import uploads
from corridor.web.uploads import KeptFile, NoSuchUpload, forget, sweep

__all__ = ["NoSuchUpload", "Upload", "forget", "keep", "keep_rejects", "open_upload", "rejects_of", "remap", "sweep"]

_PURPOSE = "surveillance"


@dataclass(frozen=True, kw_only=True)
class Upload:
    """One uploaded file and what its person said of it.

    Attributes
    ----------
    mapping : as `Mapping.as_dict` gives it
    as_of : ISO moment of the extract
    """

    file: KeptFile
    kind: str
    source: str
    encoding: str
    as_of: str
    mapping: dict[str, Any] = field(default_factory=dict)

    @property
    def token(self) -> str:
        """The name under which the file is kept."""
        return self.file.token

    @property
    def name(self) -> str:
        """The name of the file, as its person has it."""
        return self.file.name

    @property
    def data(self) -> bytes:
        """The bytes of the file."""
        return self.file.data

    @property
    def as_of_at(self) -> datetime:
        """The moment of the extract."""
        return datetime.fromisoformat(self.as_of)

    @property
    def read_by(self) -> Mapping:
        """The mapping as the readers take it."""
        content = {**self.mapping}
        return Mapping(**content.pop("options", {}), **content)


def keep(
    data: bytes, *, person_id: int, name: str, kind: str, source: str, encoding: str, as_of: datetime, mapping: Mapping
) -> str:
    """Keep a file and what was said of it; return its token."""
    answers = {
        "kind": kind,
        "source": source,
        "encoding": encoding,
        "as_of": as_of.isoformat(),
        "mapping": mapping.as_dict(),
    }
    return uploads.keep(data, person_id=person_id, purpose=_PURPOSE, name=name, answers=answers).token


def remap(upload: Upload, mapping: Mapping) -> None:
    """Keep another mapping beside the file."""
    answers = {**upload.file.answers, "mapping": mapping.as_dict()}
    uploads.describe(replace(upload.file, answers=answers))


def open_upload(token: str, *, person_id: int) -> Upload:
    """Return a kept file to the person who uploaded it.

    Raises
    ------
    NoSuchUpload
        If it was taken in, turned away, or two hours have passed; or if it is somebody else's.
    """
    kept = uploads.open_file(token, person_id=person_id, purpose=_PURPOSE)
    return Upload(file=kept, **kept.answers)


def keep_rejects(data: bytes, *, import_id: int) -> None:
    """Keep the list of what could not be read, for download; it names rows, columns and reasons, no value."""
    uploads.write_file(f"rejects-{import_id}.csv", data)


def rejects_of(import_id: int) -> bytes | None:
    """Return the kept list of an import, or None where there is none."""
    path = uploads.folder() / f"rejects-{import_id}.csv"
    return path.read_bytes() if path.is_file() else None


def moment_of(day: Any, *, now: datetime) -> datetime:
    """Return the end of a day of extract, at most now; now without a day."""
    if day is None or day >= now.astimezone(UTC).date():
        return now
    return datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=UTC)
