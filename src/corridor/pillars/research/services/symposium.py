"""State entries of a study's symposium and tell the other sites; take theirs."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import date, datetime
from typing import ClassVar

from pydantic import ValidationError

from corridor.accounts.actors import Actor, actor_name
from corridor.accounts.roles import require
from corridor.accounts.transactions import note, write
from corridor.base.errors import WrongUsage
from corridor.exchange.registry import Received
from corridor.exchange.rules.reasons import Reason, Refused
from corridor.pillars.research.messages import SymposiumEntryMessage
from corridor.pillars.research.models import Run, Study, SymposiumEntry
from corridor.pillars.research.queries.studies import UnknownStudy, current_protocol, own_node_id
from corridor.pillars.research.queries.symposium import hash_of_blocks
from corridor.pillars.research.services.arrivals import TooEarly
from corridor.pillars.research.services.sending import send_act

__all__ = [
    "CONTRIBUTE",
    "EntryUnfit",
    "add_entry",
    "change_entry",
    "forget_entries",
    "take_back_entries",
    "take_entries",
]

CONTRIBUTE = "research.contribute"


class EntryUnfit(WrongUsage):
    """The entry is not there, belongs to another site, or its figure has no result."""

    code: ClassVar[str] = "entry-unfit"


@write("research.add_entry", subject="study")
def add_entry(
    *,
    study: str,
    year: int,
    kind: str,
    text: str,
    owner: str,
    day: date | None,
    run: uuid.UUID | None,
    actor: Actor,
    now: datetime,
) -> SymposiumEntry:
    """Add an entry to the symposium of a study and send it to the other sites.

    Parameters
    ----------
    kind : str
        One of `SymposiumEntry.Kind`.
    owner : str
        Who sees to it: a role, or a person of the site; nothing of a patient.
    run : UUID or None
        Of a figure, and of it alone: the run, done, whose result it shows. The numbers do not travel, each site has
        them of its own.

    Raises
    ------
    UnknownStudy, EntryUnfit, StudyNotOpen, NotPermitted
    """
    require(actor, CONTRIBUTE)
    row = Study.objects.filter(name=study).first()
    if row is None:
        raise UnknownStudy(f"there is no study {study!r} here; `corridor study list` shows them.")
    if kind not in SymposiumEntry.Kind.values:
        raise EntryUnfit(f"expected one of {', '.join(SymposiumEntry.Kind.values)}, came {kind!r}.")
    blocks = ""
    if (kind == "figure") != (run is not None):
        raise EntryUnfit("a figure names the run that it is taken from; other entries name none.")
    if run is not None:
        known = Run.objects.filter(pk=run, version__study=row).exists()
        blocks = hash_of_blocks(run) if known else ""
        if not blocks:
            raise EntryUnfit("no run of this study with that identifier is done here; a figure is taken from a result.")
    entry = SymposiumEntry(
        id=uuid.uuid4(),
        study=row,
        node=own_node_id(),
        year=year,
        kind=kind,
        text=text,
        owner=owner,
        day=day,
        run=run,
        blocks=blocks,
        stated_at=now,
        stated_by=actor_name(actor),
    )
    # What its message does not take has no place in the table either.
    _tell(entry, actor=actor, now=now)
    entry.save(force_insert=True)
    note(entry=str(entry.pk))
    return entry


@write("research.change_entry", subject="entry")
def change_entry(*, entry: uuid.UUID, standing: str, actor: Actor, now: datetime) -> SymposiumEntry:
    """State that an entry of this site is open, done or withdrawn, and tell the other sites.

    Raises
    ------
    EntryUnfit, StudyNotOpen, NotPermitted
    """
    require(actor, CONTRIBUTE)
    if standing not in SymposiumEntry.Standing.values:
        raise EntryUnfit(f"expected one of {', '.join(SymposiumEntry.Standing.values)}, came {standing!r}.")
    row = SymposiumEntry.objects.select_for_update().select_related("study").filter(pk=entry).first()
    if row is None or row.node != own_node_id():
        raise EntryUnfit("there is no such entry of this site; what another site wrote only that site changes.")
    row.standing, row.revision, row.stated_at, row.stated_by = standing, row.revision + 1, now, actor_name(actor)
    row.save(update_fields=["standing", "revision", "stated_at", "stated_by"])
    note(study=row.study.name, standing=standing)
    _tell(row, actor=actor, now=now)
    return row


@write("research.take_entries")
def take_entries(batch: Sequence[Received], *, actor: Actor, now: datetime) -> None:
    """Take what other sites bring to symposia.

    Raises
    ------
    Refused
        If the sender is no site of the study, or the entry is another site's.
    TooEarly
        If the study, or the result of a figure, is not here yet.
    """
    del actor, now
    for received in batch:
        _take(received, author=received.from_node)
    note(entries=len(batch))


@write("research.take_back_entries")
def take_back_entries(batch: Sequence[Received], *, actor: Actor, now: datetime) -> None:
    """Know again the entries that this node itself had sent and lost with a restore."""
    del actor, now
    for received in batch:
        _take(received, author=own_node_id())
    note(entries=len(batch))


@write("research.forget_entries")
def forget_entries(crossing_ids: Sequence[int], *, actor: Actor, now: datetime) -> int:
    """Delete the entries that came in envelopes whose bodies are deleted; return how many."""
    del actor, now
    gone, _ = SymposiumEntry.objects.filter(crossing_id__in=crossing_ids).delete()
    note(entries=gone)
    return gone


def _take(received: Received, *, author: str) -> None:
    message = received.message
    if not isinstance(message, SymposiumEntryMessage):
        raise Refused(Reason.MALFORMED)
    study = Study.objects.filter(name=message.study).first()
    if study is None:
        raise TooEarly("the study has not arrived yet")
    if current_protocol(study).site_of(author) is None:
        raise Refused(Reason.NOT_A_PARTY)
    run = uuid.UUID(message.run) if message.run else None
    is_own = author == own_node_id()
    if run is not None and not Run.objects.filter(pk=run, version__study=study, state=Run.State.DONE).exists():
        raise TooEarly("the result that the figure is taken from is not here yet")
    known = SymposiumEntry.objects.select_for_update().filter(pk=message.entry).first()
    if known is not None and (known.node, known.study_id) != (author, study.pk):
        raise Refused(Reason.NOT_A_PARTY)
    if known is not None and known.revision >= message.revision:
        return
    SymposiumEntry.objects.update_or_create(
        id=uuid.UUID(message.entry),
        defaults={
            "study": study,
            "node": author,
            "year": message.year,
            "kind": message.kind,
            "text": message.text,
            "owner": message.owner,
            "day": message.day,
            "standing": message.standing,
            "run": run,
            "blocks": message.blocks,
            "revision": message.revision,
            "stated_at": message.stated_at,
            "crossing_id": None if is_own else received.crossing_id,
        },
    )


def _tell(entry: SymposiumEntry, *, actor: Actor, now: datetime) -> None:
    protocol = current_protocol(entry.study)
    members = {
        "study": entry.study.name,
        "entry": str(entry.pk),
        "revision": entry.revision,
        "year": entry.year,
        "kind": entry.kind,
        "text": entry.text,
        "owner": entry.owner,
        "day": entry.day,
        "standing": entry.standing,
        "run": str(entry.run) if entry.run else None,
        "blocks": entry.blocks,
        "stated_at": now,
        "simulated": protocol.simulated,
    }
    try:
        message = SymposiumEntryMessage.model_validate(members)
    except ValidationError as fault:
        places = ", ".join(".".join(map(str, each["loc"])) for each in fault.errors(include_input=False))
        raise EntryUnfit(
            "expected a text of 1 to 2,000 characters and an owner of at most 300,"
            f" without control characters: {places}."
        ) from None
    send_act(message, study=entry.study, protocol=protocol, actor=actor, now=now)
