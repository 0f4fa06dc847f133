"""The symposium of a study: agenda, figures, decisions and publications of all its sites."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar

from corridor.accounts.actors import Actor
from corridor.accounts.roles import require
from corridor.base.errors import WrongUsage
from corridor.exchange.rules.canonical import canonical, sha256_hex
from corridor.pillars.research.models import Round, Run, SymposiumEntry
from corridor.pillars.research.queries.studies import SEE, StudyView, find_study, own_node_id

__all__ = ["EntryView", "UnknownEntry", "entries_document", "find_entry", "hash_of_blocks", "symposium_entries"]


class UnknownEntry(WrongUsage):
    """No entry of the symposium begins with that identifier, or several do."""

    code: ClassVar[str] = "no-such-entry"


@dataclass(frozen=True)
class EntryView:
    """One entry of a symposium.

    Attributes
    ----------
    run : str or None
        Of a figure: the run whose result at this node it shows.
    is_same : bool or None
        Of a figure: whether its author and this node have the same blocks of that run, and so the same result; None
        where this node keeps them no more, and for anything but a figure.
    """

    id: str
    node: str
    is_own: bool
    year: int
    kind: str
    text: str
    owner: str
    day: date | None
    standing: str
    run: str | None
    is_same: bool | None
    revision: int
    stated_at: datetime


def symposium_entries(study: str, *, actor: Actor) -> list[EntryView]:
    """Return what was entered and not withdrawn, the latest year first.

    Raises
    ------
    UnknownStudy
    """
    require(actor, SEE)
    find_study(study, actor=actor)
    own = own_node_id()
    rows = SymposiumEntry.objects.filter(study__name=study).exclude(standing=SymposiumEntry.Standing.WITHDRAWN)
    return [
        EntryView(
            id=str(row.pk),
            node=row.node,
            is_own=row.node == own,
            year=row.year,
            kind=row.kind,
            text=row.text,
            owner=row.owner,
            day=row.day,
            standing=row.standing,
            run=str(row.run) if row.run else None,
            is_same=_is_same(row),
            revision=row.revision,
            stated_at=row.stated_at,
        )
        for row in rows
    ]


def find_entry(study: str, text: str, *, actor: Actor) -> uuid.UUID:
    """Return the entry of a study whose identifier begins with `text`.

    Raises
    ------
    UnknownStudy
    UnknownEntry
        If none does, or several do.
    """
    found = [each.id for each in symposium_entries(study, actor=actor) if text and each.id.startswith(text.lower())]
    if len(found) != 1:
        raise UnknownEntry(
            f"{'no' if not found else 'more than one'} entry begins with {text!r};"
            f" `corridor study symposium {study}` lists them."
        )
    return uuid.UUID(found[0])


def hash_of_blocks(run: uuid.UUID) -> str:
    """Return the hash of every block of a run that is done; empty where it is not done, or blocks are kept no more.

    The blocks cross as they are, while each site computes the result for itself, and processors round differently: the
    hash is of what is the same everywhere.
    """
    row = Run.objects.filter(pk=run, state=Run.State.DONE).first()
    blocks = list(Round.objects.filter(run=run).order_by("number", "site").values_list("number", "site", "numbers"))
    sites = {site for _, site, _ in blocks}
    rounds = max((number for number, _, _ in blocks), default=0)
    if row is None or not blocks or len(blocks) != len(sites) * rounds:
        return ""
    return sha256_hex(canonical([[number, site, numbers] for number, site, numbers in blocks]))


def entries_document(view: StudyView, entries: list[EntryView]) -> dict[str, Any]:
    """Return the symposium as JSON values; a figure with the result that it is taken from, whole."""
    results = {run.id: run.result for run in view.runs}
    return {
        "study": view.name,
        "protocol": view.protocol.hash,
        "simulated": view.protocol.simulated,
        "entries": [
            {
                "id": each.id,
                "year": each.year,
                "kind": each.kind,
                "node": each.node,
                "text": each.text,
                "owner": each.owner,
                "day": each.day.isoformat() if each.day else None,
                "standing": each.standing,
                "run": each.run,
                "result": results.get(each.run) if each.run else None,
                "same_at_both": each.is_same,
            }
            for each in entries
        ],
    }


def _is_same(row: SymposiumEntry) -> bool | None:
    if row.run is None:
        return None
    own = hash_of_blocks(row.run)
    return own == row.blocks if own else None
