"""What the workspace of a study shows besides where it stands: its versions, the frozen rows, what crossed in a run."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from corridor.accounts.actors import Actor
from corridor.accounts.roles import may, require
from corridor.base.errors import WrongUsage
from corridor.pillars.research.models import ProtocolVersion, Round, Run, Snapshot
from corridor.pillars.research.queries.studies import SEE, RunView, StudyView, UnknownStudy
from corridor.pillars.research.rules.analyses.base import count_numbers
from corridor.pillars.research.rules.protocol import Protocol, read_protocol

__all__ = [
    "Crossed",
    "SnapshotView",
    "UnknownRun",
    "VersionView",
    "crossed",
    "find_run",
    "latest_run",
    "protocol_version",
    "run_document",
    "snapshots",
    "study_versions",
]

HOLD = "research.hold_data"


class UnknownRun(WrongUsage):
    """No run begins with that identifier, or the analysis has not been asked for."""

    code: ClassVar[str] = "no-such-run"


@dataclass(frozen=True)
class VersionView:
    """One version of a protocol: who proposed it, when it was locked, and which sites signed it."""

    protocol: Protocol
    proposed_by: str
    recorded_at: datetime
    locked_at: datetime | None
    signed: tuple[str, ...]


@dataclass(frozen=True)
class SnapshotView:
    """Frozen rows of this site.

    Attributes
    ----------
    report : mapping
        As `tables.HarmonisationReport` has it; empty for those who do not hold the site's data, since it counts rows
        without regard to the smallest cell.
    """

    study: str
    hash: str
    rows: int
    persons: int
    report: Mapping[str, Any]
    made_at: datetime
    made_by: str
    signed_at: datetime | None
    signed_by: str


@dataclass(frozen=True)
class Crossed:
    """The block of one site in one round, and the envelope in which it crossed.

    Attributes
    ----------
    numbers : int
        How many numbers the block holds; withheld ones are not among them.
    released : bool
        False while a block of this site waits for two persons.
    crossing : int or None
        None where the site's block has not left, or its crossing is not kept any more.
    """

    round: int
    site: str
    step: str
    names: tuple[str, ...]
    numbers: int
    released: bool
    crossing: int | None
    recorded_at: datetime


def study_versions(study: str, *, actor: Actor) -> list[VersionView]:
    """Return the versions of a study's protocol, the newest first."""
    require(actor, SEE)
    rows = ProtocolVersion.objects.filter(study__name=study).prefetch_related("signatures")
    return [_version(row) for row in rows]


def protocol_version(hash_: str, *, actor: Actor) -> VersionView:
    """Return the version with that hash.

    Raises
    ------
    UnknownStudy
    """
    require(actor, SEE)
    row = ProtocolVersion.objects.prefetch_related("signatures").filter(hash=hash_).first()
    if row is None:
        raise UnknownStudy("no protocol of that hash is here; `corridor study list` shows them.")
    return _version(row)


def snapshots(study: str, *, actor: Actor) -> list[SnapshotView]:
    """Return the frozen rows of this site, the newest first."""
    require(actor, SEE)
    holds = may(actor, HOLD)
    return [
        SnapshotView(
            study=study,
            hash=row.hash,
            rows=row.rows,
            persons=row.persons,
            report=row.report if holds else {},
            made_at=row.made_at,
            made_by=row.made_by,
            signed_at=row.signed_at,
            signed_by=row.signed_by,
        )
        for row in Snapshot.objects.filter(study__name=study)
    ]


def find_run(text: str, *, actor: Actor) -> uuid.UUID:
    """Return the run whose identifier begins with `text`.

    Raises
    ------
    UnknownRun
        If none does, or several do.
    """
    require(actor, SEE)
    found = [each for each in Run.objects.values_list("pk", flat=True) if text and str(each).startswith(text.lower())]
    if len(found) != 1:
        raise UnknownRun(
            f"{'no' if not found else 'more than one'} run begins with {text!r};"
            " `corridor study show STUDY` lists them."
        )
    return uuid.UUID(str(found[0]))


def latest_run(study: str, analysis: str, *, actor: Actor) -> uuid.UUID:
    """Return the newest run of an analysis.

    Raises
    ------
    UnknownRun
        If nobody has asked for it yet.
    """
    require(actor, SEE)
    found = Run.objects.filter(version__study__name=study, analysis=analysis).values_list("pk", flat=True).first()
    if found is None:
        raise UnknownRun(
            f"nobody has asked for {analysis!r} of {study!r} yet; `corridor study request {study} {analysis}` does."
        )
    return uuid.UUID(str(found))


def crossed(run: uuid.UUID, *, actor: Actor) -> list[Crossed]:
    """Return every block of a run by round and site: what this site and the others gave of their rows."""
    require(actor, SEE)
    return [
        Crossed(
            round=row.number,
            site=row.site,
            step=row.step,
            names=tuple(sorted(row.numbers)),
            numbers=count_numbers(row.numbers),
            released=row.is_released,
            crossing=row.crossing_id,
            recorded_at=row.recorded_at,
        )
        for row in Round.objects.filter(run=run).order_by("number", "site")
    ]


def run_document(view: StudyView, run: RunView, blocks: Sequence[Crossed]) -> dict[str, Any]:
    """Return a run with its result and what crossed for it as JSON values: what command and page export."""
    left = [each for each in blocks if each.released]
    return {
        "study": view.name,
        "protocol": view.protocol.hash,
        "simulated": view.protocol.simulated,
        "run": run.id,
        "analysis": run.analysis,
        "state": run.state,
        "site": run.at_site,
        "code": run.code,
        "reasons": list(run.reasons),
        "result": run.result,
        "rows_crossed": 0,
        "numbers_crossed": sum(each.numbers for each in left),
        "crossed": [
            {"round": each.round, "site": each.site, "numbers": each.numbers, "lists": list(each.names)}
            for each in left
        ],
    }


def _version(row: ProtocolVersion) -> VersionView:
    return VersionView(
        protocol=read_protocol(bytes(row.document)),
        proposed_by=row.proposed_by,
        recorded_at=row.recorded_at,
        locked_at=row.locked_at,
        signed=tuple(sorted(each.site for each in row.signatures.all())),
    )
