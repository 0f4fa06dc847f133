"""Where chart definitions and rendered pictures are kept between the page and its pictures: a cache, safe to delete.

They lie in ``HOME/cache/charts``, readable by the node alone, and not in the database: a page that is only read then
writes nothing to it, and a backup does not carry pictures. A process without a home keeps them in a folder of its own.
"""

import functools
import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings

from corridor.base.errors import InputFault
from corridor.web.tables import Table

KEPT_FOR = timedelta(days=30)


class NoSuchChart(InputFault):
    """The chart that an address names is not kept (any more)."""

    code = "no-such-chart"


@dataclass(frozen=True)
class ChartRecord:
    """A chart with everything that its pictures, its table and its download need.

    Attributes
    ----------
    spec : dict
        Vega-Lite with the data inside, labels translated.
    title, description : str
    language : str
        Of labels and numbers.
    permission : str
        Of the page that the chart belongs to; its pictures ask for the same.
    watermark : str
        The word for simulated figures, or empty.
    table : Table
        The figures of the chart.
    """

    spec: dict[str, Any]
    title: str
    description: str
    language: str
    permission: str
    watermark: str
    table: Table

    def as_bytes(self) -> bytes:
        """Return the record as JSON, the same bytes for the same content."""
        content = {**self.__dict__, "table": self.table.as_data()}
        return json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "ChartRecord":
        """Return the record that `as_bytes` wrote."""
        content = json.loads(data)
        return cls(**{**content, "table": Table.from_data(content["table"])})


def keep(record: ChartRecord) -> str:
    """Keep a chart and return its digest; keeping the same chart again costs one look."""
    data = record.as_bytes()
    digest = hashlib.sha256(b"health-corridor.chart/1\0" + data).hexdigest()[:40]
    path = folder() / f"{digest}.chart"
    try:
        os.utime(path)
    except FileNotFoundError:
        _write(path, data)
    return digest


def record(digest: str) -> ChartRecord:
    """Return a kept chart.

    Raises
    ------
    NoSuchChart
        If it is not kept; loading its page again brings it back.
    """
    try:
        return ChartRecord.from_bytes((folder() / f"{_checked(digest)}.chart").read_bytes())
    except FileNotFoundError as error:
        raise NoSuchChart("this chart is no longer kept. Load its page again.") from error


def rendering(digest: str, variant: str) -> bytes | None:
    """Return a kept picture of a chart, or None if it was not rendered yet."""
    try:
        return (folder() / f"{_checked(digest)}.{variant}").read_bytes()
    except FileNotFoundError:
        return None


def keep_rendering(digest: str, variant: str, data: bytes) -> None:
    """Keep a picture of a chart."""
    _write(folder() / f"{_checked(digest)}.{variant}", data)


def shared_file(name: str) -> bytes | None:
    """Return a kept file that belongs to no single chart, or None."""
    try:
        return (folder() / name).read_bytes()
    except FileNotFoundError:
        return None


def keep_shared_file(name: str, data: bytes) -> None:
    """Keep a file that belongs to no single chart."""
    _write(folder() / name, data)


def sweep(*, now: datetime) -> int:
    """Delete what was not used for thirty days and return how many files went."""
    oldest = (now - KEPT_FOR).timestamp()
    old = [path for path in folder().iterdir() if path.stat().st_mtime < oldest]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def folder() -> Path:
    """Return the folder of the cache, made on first use."""
    home = getattr(settings, "CORRIDOR_HOME", None)
    if home is None:
        return Path(_own_folder().name)
    path = Path(home) / "cache" / "charts"
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


@functools.cache
def _own_folder() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="corridor-charts-")


def _checked(digest: str) -> str:
    if len(digest) != 40 or not set(digest) <= set("0123456789abcdef"):
        raise NoSuchChart("the address of this chart is damaged. Load its page again.")
    return digest


def _write(path: Path, data: bytes) -> None:
    """Write a file that is whole or not there, whoever else writes it at the same moment."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".")
    with os.fdopen(handle, "wb") as stream:
        stream.write(data)
    Path(temporary).replace(path)
